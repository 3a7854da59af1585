"""Requests to servers: proxies and certificates as pip has them, short timeouts, and failures in words."""

from __future__ import annotations

import os
import queue
import socket
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from omnibench import __version__
from omnibench.masking import masked
from omnibench.packages import handed_on

if TYPE_CHECKING:
    import requests

CONNECT_SECONDS = 8.0
"""How long a server may take to accept a connection: a machine without a network is to know it soon."""

READ_SECONDS = 30.0
"""How long a server may send nothing."""

_PASSING = (408, 425, 429, 500, 502, 503, 504)
"""Answers that may be others in a moment."""

_REASONS = {
    401: "it wants you to sign in",
    403: "it refuses this file to programs, or to everybody",
    404: "it has no such file",
    410: "it has removed the file",
    429: "it is asked too often",
    451: "it may not give the file away",
}


class TransferError(Exception):
    """A server does not send a file.

    Args:
        reason: Why, as the end of a sentence that begins with the server's name.
        is_passing: Whether trying again at once may help.
        has_answered: Whether the server could be reached.
    """

    def __init__(self, reason: str, *, is_passing: bool = False, has_answered: bool = True) -> None:
        super().__init__(masked(reason))
        self.is_passing = is_passing
        self.has_answered = has_answered


@contextmanager
def answer_of(
    url: str, *, headers: dict[str, str] | None = None, verify: bool = True, method: str = "GET"
) -> Iterator[requests.Response]:
    """Ask a server for a file, and yield its answer before the content is read.

    Args:
        url: The address.
        headers: Further headers.
        verify: Whether the certificate of the server is checked.
        method: ``GET`` or ``HEAD``.

    Raises:
        TransferError: It cannot be reached, or answers with neither the file nor a part of it; also from within the
            context, where it stops to send.
    """
    import requests
    import urllib3

    proxies = _proxies(url)
    _require_name(url, proxies)
    with requests.Session() as session, warnings.catch_warnings():
        if not verify:  # as its definition says
            warnings.simplefilter("ignore")
        # Compressed on the way, a file could neither be resumed nor compared with its length.
        session.headers.update({"User-Agent": f"omnibench/{__version__}", "Accept-Encoding": "identity"})
        try:
            with session.request(
                method,
                url,
                headers=headers,
                stream=True,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                allow_redirects=True,
                verify=_certificates() if verify else False,
                proxies=proxies,
            ) as answer:
                if answer.status_code not in (200, 206, 416):
                    raise TransferError(_refusal(answer), is_passing=answer.status_code in _PASSING)
                yield answer
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:  # the latter while it is read
            raise _failure(error) from error


def host_of(url: str) -> str:
    """Return the name of the server in an address."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _require_name(url: str, proxies: dict[str, str]) -> None:
    """Look up the name of a server: without a network that may take minutes, which nobody wants to wait for.

    Raises:
        TransferError: It is not known here, or nobody answers.
    """
    from requests.utils import get_environ_proxies

    if proxies or {urlsplit(url).scheme, "all"} & get_environ_proxies(url).keys():
        return  # the proxy knows it
    host = urlsplit(url).hostname or ""
    answers = queue.SimpleQueue[bool]()
    threading.Thread(target=_look_up, args=(host, answers), daemon=True, name="omnibench-name").start()
    try:
        is_known = answers.get(timeout=CONNECT_SECONDS)
    except queue.Empty:
        is_known = False
    if not is_known:
        raise _unknown_name()


def _unknown_name() -> TransferError:
    reason = "cannot be reached, because its name is not known here: this machine seems to be offline"
    return TransferError(reason, has_answered=False)


def _look_up(host: str, answers: queue.SimpleQueue[bool]) -> None:
    try:
        socket.getaddrinfo(host, None)
    except (OSError, UnicodeError):
        answers.put(False)
    else:
        answers.put(True)


def _certificates() -> str | bool:
    """Return the file or folder of the certificates that count: requests itself knows two variables of many."""
    if os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE"):
        return True
    for variables in (os.environ, handed_on()):
        for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
            if variables.get(name):
                return variables[name]
    return True


def _proxies(url: str) -> dict[str, str]:
    """Return pip's proxy where no variable names one: those requests reads itself."""
    from requests.utils import get_environ_proxies, should_bypass_proxies

    proxy = handed_on().get("ALL_PROXY")
    is_named = {urlsplit(url).scheme, "all"} & get_environ_proxies(url).keys()
    if not proxy or is_named or should_bypass_proxies(url, no_proxy=None):
        return {}
    return {"http": proxy, "https": proxy}


def _refusal(answer: requests.Response) -> str:
    status = answer.status_code
    meaning = _REASONS.get(status, answer.reason or "no reason is given")
    moved = f" (after a redirection to {host_of(answer.url)})" if answer.history else ""
    return f"answers {status}{moved}: {meaning}"


def _failure(error: Any) -> TransferError:
    """Return what went wrong in words: the exceptions of requests show objects of other packages."""
    import requests
    import urllib3

    text = str(error)
    answered = {
        requests.exceptions.TooManyRedirects: "redirects in a circle",
        requests.exceptions.InvalidSchema: "redirects to an address that begins with neither https:// nor http://",
        requests.exceptions.ContentDecodingError: "has compressed the file on the way, and that is damaged",
        urllib3.exceptions.DecodeError: "has compressed the file on the way, and that is damaged",
    }
    if type(error) in answered:
        return TransferError(answered[type(error)])
    if isinstance(error, requests.exceptions.ProxyError):
        return TransferError(
            "cannot be reached: the proxy does not answer, or refuses; check HTTPS_PROXY and NO_PROXY",
            has_answered=False,
        )
    if isinstance(error, requests.exceptions.SSLError):
        return TransferError(
            "has a certificate that this machine does not trust; where a proxy signs certificates itself, name its "
            "certificate in SSL_CERT_FILE"
        )
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return TransferError(
            f"does not answer within {CONNECT_SECONDS:g} seconds: it is down, or this machine offline",
            has_answered=False,
        )
    if isinstance(error, requests.exceptions.ReadTimeout | urllib3.exceptions.ReadTimeoutError):
        return TransferError(f"has sent nothing for {READ_SECONDS:g} seconds", is_passing=True)
    if isinstance(error, requests.exceptions.ChunkedEncodingError | urllib3.exceptions.ProtocolError):
        return TransferError("broke off", is_passing=True)
    if "NameResolutionError" in text:  # of a server that another has redirected to
        return _unknown_name()
    if isinstance(error, requests.exceptions.ConnectionError):
        reason = next((word for word in ("refused", "unreachable", "reset", "aborted") if word in text.lower()), "")
        return TransferError(
            f"cannot be reached{f' (connection {reason})' if reason else ''}",
            is_passing=reason in ("reset", "aborted"),
            has_answered=False,
        )
    return TransferError(f"cannot be asked: {error}")

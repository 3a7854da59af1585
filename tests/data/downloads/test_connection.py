"""Proxies and certificates of downloads: as pip has them."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.servers import FileServer, file_server

from omnibench import packages
from omnibench.data.downloads import connection
from omnibench.data.downloads.connection import TransferError, answer_of


@pytest.fixture
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Neither variables nor pip say anything of proxies and certificates."""
    names = (
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
        "PIP_PROXY",
        "PIP_CERT",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
    )
    for name in (*names, "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    packages.handed_on.cache_clear()
    yield
    packages.handed_on.cache_clear()


def content(url: str, *, verify: bool = True) -> bytes:
    with answer_of(url, verify=verify) as answer:
        return answer.content


@pytest.fixture(scope="module")
def proxy() -> Iterator[FileServer]:
    """A server that is asked as a proxy: with whole addresses."""
    with file_server() as server:
        server.add("http://shop.invalid/a", b"through the proxy")
        yield server


@pytest.mark.usefixtures("_no_settings")
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "PIP_PROXY"])
def test_a_proxy_is_asked_where_one_is_named(variable: str, proxy: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the variables that everybody has, and in pip's settings."""
    monkeypatch.setenv(variable, proxy.url)
    assert content("http://shop.invalid/a") == b"through the proxy"


@pytest.mark.usefixtures("_no_settings")
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "PIP_PROXY"])
def test_hosts_of_no_proxy_are_asked_themselves(
    variable: str, proxy: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the proxy is pip's."""
    monkeypatch.setenv(variable, "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    proxy.add("/direct", b"direct")
    assert content(proxy.url + "/direct") == b"direct"
    with pytest.raises(TransferError, match="the proxy does not answer, or refuses; check HTTPS_PROXY"):
        content("http://shop.invalid/a")


@pytest.mark.usefixtures("_no_settings")
def test_a_name_that_nobody_answers_for_is_given_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver without a network may try for minutes."""
    end = threading.Event()
    monkeypatch.setattr(connection, "CONNECT_SECONDS", 0.05)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: end.wait(10))
    with pytest.raises(TransferError, match="its name is not known here: this machine seems to be offline"):
        content("http://shop.invalid/a")
    end.set()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of this machine that nobody has signed, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("certificate")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1"
    names = [
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-keyout",
        str(folder / "key.pem"),
        "-out",
        str(folder / "cert.pem"),
    ]
    subprocess.run([*command.split(), *names], check=True, capture_output=True)
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture(scope="module")
def secure(certificate: tuple[Path, Path]) -> Iterator[FileServer]:
    """A server with that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with file_server(context) as server:
        server.add("/a", b"secure")
        yield server


@pytest.mark.usefixtures("_no_settings")
def test_an_unknown_certificate_is_refused_with_what_to_do(secure: FileServer) -> None:
    """The variable that names certificates is in the message."""
    with pytest.raises(TransferError, match=r"has a certificate that this machine does not trust.*SSL_CERT_FILE"):
        content(secure.url + "/a")


@pytest.mark.usefixtures("_no_settings")
@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT"])
def test_certificates_are_taken_from_where_pip_has_them(
    variable: str, secure: FileServer, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any of the variables will do."""
    monkeypatch.setenv(variable, str(certificate[0]))
    assert content(secure.url + "/a") == b"secure"


@pytest.mark.usefixtures("_no_settings")
def test_a_certificate_that_is_known_to_be_broken_is_not_asked_for(
    secure: FileServer, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a definition says so, without a warning of the packages below, whatever the variables are."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate[1]))
    assert content(secure.url + "/a", verify=False) == b"secure"

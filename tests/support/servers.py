"""A server on the loopback interface that sends files as real ones do, and as they should not."""

from __future__ import annotations

import hashlib
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[["Handler", bytes], None]


@dataclass
class FileServer:
    """A running server.

    Attributes:
        url: Its address, without a stroke at the end.
        contents: The bytes of each path.
        answers: How a path is answered where that is not as usual.
        requests: The method, path and range of each request so far.
    """

    url: str
    contents: dict[str, bytes] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, path: str, content: bytes, answer: Answer | None = None) -> str:
        """Serve a file, and return its address."""
        self.contents[path] = content
        if answer is not None:
            self.answers[path] = answer
        return self.url + path

    def cleared(self) -> FileServer:
        """Return the server as it was before any test."""
        for table in (self.contents, self.answers, self.requests):
            table.clear()
        return self


class Handler(BaseHTTPRequestHandler):
    """Answers as the server's tables say."""

    protocol_version = "HTTP/1.1"
    files: FileServer

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        self.files.requests.append((self.command, self.path, self.headers.get("Range", "")))
        content = self.files.contents.get(self.path)
        answer = self.files.answers.get(self.path, whole_or_range)
        self.close_connection = True
        if content is None and self.path not in self.files.answers:
            self.send_error(404)
            return
        answer(self, content or b"")

    def reply(self, status: int, body: bytes, **headers: str) -> None:
        """Send an answer; header names have underscores."""
        self.send_response(status)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        for name, value in ({"Content-Length": str(len(body))} | named).items():
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that it has there
        """Say nothing."""


def etag(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:16]}"'


def whole_or_range(handler: Handler, content: bytes) -> None:
    """Answer as a good server: with the rest of the file where it is still the one that was begun."""
    match = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
    first = int(match[1]) if match else 0
    if match and handler.headers.get("If-Range", etag(content)) == etag(content):
        if first >= len(content):
            handler.reply(416, b"", Content_Range=f"bytes */{len(content)}")
            return
        described = f"bytes {first}-{len(content) - 1}/{len(content)}"
        handler.reply(206, content[first:], ETag=etag(content), Content_Range=described)
    else:
        handler.reply(200, content, ETag=etag(content))


def breaking_off(times: int, size: int, *, ranges: bool = True) -> Answer:
    """Return an answer that ends after some bytes, the first times.

    Args:
        times: How often.
        size: After how many bytes.
        ranges: Whether it can go on from there.
    """
    left = [times]

    def answer(handler: Handler, content: bytes) -> None:
        match = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", "")) if ranges else None
        first = int(match[1]) if match else 0
        body = content[first:]
        headers = {"ETag": etag(content)} if ranges else {}
        if match:
            headers["Content_Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
        if left[0]:
            left[0] -= 1
            handler.reply(206 if match else 200, body[:size], **headers, Content_Length=str(len(body)))
            return
        handler.reply(206 if match else 200, body, **headers)

    return answer


def claiming(length: int) -> Answer:
    """Return an answer that says another length than it has."""
    return lambda handler, content: handler.reply(200, content, Content_Length=str(length), ETag=etag(content))


def redirecting(path: str, status: int = 302) -> Answer:
    """Return an answer that sends to another path."""
    return lambda handler, _: handler.reply(status, b"", Location=path)


def refusing(status: int) -> Answer:
    """Return an answer with nothing but a status."""
    return lambda handler, _: handler.reply(status, b"")


def page(handler: Handler, _: bytes) -> None:
    """Answer with a web page that wants people to sign in."""
    handler.reply(200, b"<!DOCTYPE html><html>Sign in</html>", Content_Type="text/html; charset=utf-8")


@contextmanager
def file_server(context: ssl.SSLContext | None = None) -> Iterator[FileServer]:
    """Run a server on a free port.

    Args:
        context: Its certificate; None for a server without encryption.
    """

    class OwnHandler(Handler):
        pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), OwnHandler)
    server.daemon_threads = True
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    files = FileServer(f"http{'s' if context else ''}://127.0.0.1:{server.server_address[1]}")
    OwnHandler.files = files
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield files
    finally:
        server.shutdown()
        server.server_close()

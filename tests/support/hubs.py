"""A hub on the loopback interface: as much of Hugging Face's protocol as its own client asks for data sets of small files.

The client is the real one. The server is not: it was written from what the client asks and expects, keeps files in memory, and has
neither accounts nor storage of large files.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass
class Hub:
    """A running hub with one data set.

    Attributes:
        url: Its address.
        name: ``OWNER/NAME`` of the data set.
        files: The bytes of each path.
        commits: The paths of each commit.
    """

    url: str
    name: str
    files: dict[str, bytes] = field(default_factory=dict)
    commits: list[list[str]] = field(default_factory=list)

    def described(self, path: str) -> dict[str, Any]:
        """Return what the hub says of a file."""
        content = self.files[path]
        return {"type": "file", "path": path, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def do_HEAD(self) -> None:
        self._answer(b"")

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self._body())

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, body: bytes) -> None:
        hub, path = self.hub, unquote(urlsplit(self.path).path)
        api, files = f"/api/datasets/{hub.name}", f"/datasets/{hub.name}/resolve/main/"
        if path.startswith(files):
            self._send_file(path.removeprefix(files))
        elif path in (api, f"{api}/revision/main"):
            self._send({"_id": "1", "id": hub.name, "sha": "c" * 40, "private": False, "tags": [], "downloads": 0})
        elif path == f"{api}/paths-info/main":
            asked = parse_qs(body.decode())["paths"]
            self._send([hub.described(name) for name in asked if name in hub.files])
        elif path.startswith(f"{api}/tree/main"):
            beneath = path.removeprefix(f"{api}/tree/main").strip("/")
            names = [name for name in sorted(hub.files) if name.startswith(beneath)]
            if names:
                self._send([hub.described(name) for name in names])
            else:
                self._send({"error": "no such directory"}, 404, X_Error_Code="EntryNotFound")
        elif path == f"{api}/preupload/main":
            asked = [file["path"] for file in json.loads(body)["files"]]
            self._send({"files": [{"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in asked]})
        elif path == f"{api}/commit/main":
            self._commit([json.loads(line) for line in body.splitlines()])
        else:
            self._send({"error": "Repository not found"}, 404, X_Error_Code="RepoNotFound")

    def _commit(self, lines: list[dict[str, Any]]) -> None:
        added = {line["value"]["path"]: line["value"]["content"] for line in lines if line["key"] == "file"}
        self.hub.files |= {path: base64.b64decode(content) for path, content in added.items()}
        self.hub.commits.append(sorted(added))
        self._send(
            {
                "success": True,
                "commitOid": "c" * 40,
                "commitUrl": f"{self.hub.url}/datasets/{self.hub.name}/commit/{'c' * 40}",
            }
        )

    def _send_file(self, path: str) -> None:
        if path not in self.hub.files:
            self._send({}, 404, X_Error_Code="EntryNotFound")
            return
        content, status = self.hub.files[path], 200
        headers = {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X_Repo_Commit": "c" * 40}
        wanted = self.headers.get("Range", "").removeprefix("bytes=")
        if wanted:
            first, _, last = wanted.partition("-")
            end = min(int(last or len(content) - 1), len(content) - 1)
            headers["Content_Range"] = f"bytes {first}-{end}/{len(content)}"
            content, status = content[int(first) : end + 1], 206
        self._reply(content, status, headers)

    def _send(self, answer: Any, status: int = 200, **headers: str) -> None:
        self._reply(json.dumps(answer).encode(), status, {"Content_Type": "application/json", **headers})

    def _reply(self, content: bytes, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content_Length": str(len(content))}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that it has there
        """Say nothing."""


@contextmanager
def running_hub(name: str) -> Iterator[Hub]:
    """Run a hub with an empty data set.

    Args:
        name: ``OWNER/NAME`` of the data set.
    """
    handler = type("_HandlerOfHub", (_Handler,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        hub = Hub(f"http://127.0.0.1:{server.server_port}", name)
        handler.hub = hub  # type: ignore[attr-defined]  # mypy does not see what type() makes
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield hub
        server.shutdown()
        thread.join()

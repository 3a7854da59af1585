"""Downloads: what a server may do, and what becomes of the file."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.servers import (
    FileServer,
    Handler,
    breaking_off,
    claiming,
    etag,
    file_server,
    page,
    redirecting,
    refusing,
    whole_or_range,
)

from omnibench.data.downloads import transfer
from omnibench.data.downloads.connection import TransferError
from omnibench.data.downloads.transfer import download

CONTENT = bytes(range(256)) * 500


@pytest.fixture(scope="module")
def running() -> Iterator[FileServer]:
    with file_server() as server:
        yield server


@pytest.fixture
def server(running: FileServer, monkeypatch: pytest.MonkeyPatch) -> FileServer:
    """A server without files, and downloads that do not wait before they try again."""
    monkeypatch.setattr(transfer, "_PAUSE_SECONDS", 0.0)
    return running.cleared()


def fetched(url: str, folder: Path) -> bytes:
    """Download a file, and return its bytes; nothing but the file is left."""
    download(url, folder / "a.partial", lambda _received, _total: None)
    assert [path.name for path in folder.iterdir()] == ["a.partial"]
    return (folder / "a.partial").read_bytes()


def ranges(server: FileServer) -> list[str]:
    return [requested for _, _, requested in server.requests]


def test_a_file_is_downloaded(server: FileServer, tmp_path: Path) -> None:
    """Byte for byte, with one request; how far it is is told up to its end."""
    told: list[tuple[int, int | None]] = []
    download(server.add("/a", CONTENT), tmp_path / "a", lambda received, total: told.append((received, total)))
    assert (tmp_path / "a").read_bytes() == CONTENT
    assert told[0] == (0, len(CONTENT))
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert ranges(server) == [""]


def test_a_download_that_breaks_off_goes_on_where_it_was(server: FileServer, tmp_path: Path) -> None:
    """However often: what is there is not sent again."""
    url = server.add("/a", CONTENT, breaking_off(5, 20_000))
    assert fetched(url, tmp_path) == CONTENT
    assert ranges(server) == ["", *(f"bytes={size}-" for size in range(20_000, 100_001, 20_000))]


def test_a_broken_download_is_resumed_by_the_next_process(server: FileServer, tmp_path: Path) -> None:
    """What an interrupted one left is asked for no more."""
    url = server.add("/a", CONTENT, breaking_off(1, 30_000))

    def interrupt(received: int, _total: int | None) -> None:
        if received >= 30_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(url, tmp_path / "a.partial", interrupt)
    assert (tmp_path / "a.partial").stat().st_size == 30_000
    assert fetched(url, tmp_path) == CONTENT
    assert ranges(server)[-1] == "bytes=30000-"


def test_a_server_without_ranges_sends_everything_again(server: FileServer, tmp_path: Path) -> None:
    """It answers 200 to the rest: the file begins anew, and is not appended to."""
    url = server.add("/a", CONTENT, breaking_off(2, 20_000, ranges=False))
    assert fetched(url, tmp_path) == CONTENT
    assert len(server.requests) == 3


def test_a_file_that_has_changed_meanwhile_begins_anew(server: FileServer, tmp_path: Path) -> None:
    """The beginning of one version and the end of another make no file."""
    url = server.add("/a", CONTENT)
    (tmp_path / "a.partial").write_bytes(b"old" * 100)
    (tmp_path / "a.partial.version").write_text(f'{{"url": "{url}", "validator": "\\"older\\""}}')
    assert fetched(url, tmp_path) == CONTENT
    assert ranges(server) == ["bytes=300-"]


@pytest.mark.parametrize("note", ["", "{}", "nonsense", '{"url": "http://elsewhere/a", "validator": "x"}'])
def test_what_is_there_of_another_file_is_not_used(note: str, server: FileServer, tmp_path: Path) -> None:
    """Bytes of which nobody knows the version, or that came from another address, are fetched anew."""
    url = server.add("/a", CONTENT)
    (tmp_path / "a.partial").write_bytes(CONTENT[:500][::-1])
    (tmp_path / "a.partial.version").write_text(note)
    assert fetched(url, tmp_path) == CONTENT
    assert ranges(server) == [""]


def test_a_download_that_was_complete_is_not_repeated(server: FileServer, tmp_path: Path) -> None:
    """A process that died between the last byte and the publication leaves nothing to fetch."""
    url = server.add("/a", CONTENT)
    (tmp_path / "a.partial").write_bytes(CONTENT)
    (tmp_path / "a.partial.version").write_text(json.dumps({"url": url, "validator": etag(CONTENT)}))
    assert fetched(url, tmp_path) == CONTENT
    assert ranges(server) == [f"bytes={len(CONTENT)}-"]


def test_a_server_that_goes_on_elsewhere_is_asked_for_everything(server: FileServer, tmp_path: Path) -> None:
    """An answer that begins at another byte than was asked for is not appended."""

    def elsewhere(handler: Handler, content: bytes) -> None:
        if "Range" in handler.headers:
            handler.reply(
                206, content[10:], ETag=etag(content), Content_Range=f"bytes 10-{len(content) - 1}/{len(content)}"
            )
        else:
            whole_or_range(handler, content)

    url = server.add("/a", CONTENT, elsewhere)
    (tmp_path / "a.partial").write_bytes(CONTENT[:500])
    (tmp_path / "a.partial.version").write_text(json.dumps({"url": url, "validator": etag(CONTENT)}))
    assert fetched(url, tmp_path) == CONTENT


def test_a_server_that_never_comes_further_is_given_up(server: FileServer, tmp_path: Path) -> None:
    """It breaks off, and goes on at another byte than was asked for: nobody fetches the same beginning dozens of times."""

    def useless(handler: Handler, content: bytes) -> None:
        if "Range" in handler.headers:
            handler.reply(
                206, content[7:], ETag=etag(content), Content_Range=f"bytes 7-{len(content) - 1}/{len(content)}"
            )
        else:
            handler.reply(200, content[:30], ETag=etag(content), Content_Length=str(len(content)))

    with pytest.raises(TransferError, match=r"does not go on where it broke off$"):
        download(server.add("/a", CONTENT, useless), tmp_path / "a", lambda _received, _total: None)
    assert len(server.requests) < 10


def test_a_server_that_promises_more_than_it_has_is_given_up(server: FileServer, tmp_path: Path) -> None:
    """After a few attempts without a byte; the sentence has both lengths."""
    url = server.add("/a", CONTENT, claiming(len(CONTENT) + 1000))
    with pytest.raises(TransferError, match=r"broke off after 128,000 of 129,000 bytes"):
        download(url, tmp_path / "a", lambda _received, _total: None)
    assert (tmp_path / "a").read_bytes() == CONTENT
    assert len(server.requests) < 10


def test_redirections_are_followed(server: FileServer, tmp_path: Path) -> None:
    """As those of Zenodo, Dropbox and Hugging Face."""
    server.add("/real", CONTENT)
    assert fetched(server.add("/a", b"", redirecting("/real")), tmp_path) == CONTENT


@pytest.mark.parametrize(
    ("answer", "says", "requests"),
    [
        (refusing(404), "answers 404: it has no such file", 1),
        (refusing(403), "answers 403: it refuses this file", 1),
        (refusing(503), "answers 503", 3),
        (redirecting("/a"), "redirects in a circle", None),
        (page, "a web page instead of the file", 1),
        (
            lambda handler, _: handler.reply(200, b" <!doctype html><p>Sign in</p>"),
            "a web page instead of the file",
            1,
        ),
        (lambda handler, _: handler.reply(200, b""), "sends an empty file", 1),
        (lambda handler, content: handler.reply(200, content, Content_Encoding="gzip"), "that is damaged", 1),
        (
            lambda handler, content: handler.reply(416, b"", Content_Range=f"bytes */{len(content)}"),
            "go on where it broke off$",
            3,
        ),
        (redirecting("ftp://127.0.0.1/"), "redirects to an address that begins with neither https:// nor http://", 1),
        (redirecting("http://127.0.0.1:1/"), "cannot be reached.*refused", 1),
        (redirecting("http://nowhere.invalid/"), "cannot be reached, because its name is not known", 1),
    ],
)
def test_what_a_server_refuses_is_said_in_words(
    answer: object, says: str, requests: int | None, server: FileServer, tmp_path: Path
) -> None:
    """Only what may be another answer in a moment is asked for again."""
    url = server.add("/a", CONTENT, answer)  # type: ignore[arg-type]
    with pytest.raises(TransferError, match=says) as caught:
        download(url, tmp_path / "a", lambda _received, _total: None)
    assert "object at 0x" not in str(caught.value)
    assert requests in (None, len(server.requests))


def test_a_slow_server_is_waited_for_as_long_as_it_sends(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No limit on the whole, one on silence; what came until then stays for the next attempt."""
    monkeypatch.setattr("omnibench.data.downloads.connection.READ_SECONDS", 0.2)
    silence = threading.Event()

    def slow(handler: Handler, content: bytes) -> None:
        monkeypatch.setattr("omnibench.data.downloads.connection.READ_SECONDS", 60)  # of what asks again
        if "Range" in handler.headers:
            whole_or_range(handler, content)
            return
        handler.reply(200, content[:1000], ETag=etag(content), Content_Length=str(len(content)))
        handler.wfile.flush()
        silence.wait(5)

    assert fetched(server.add("/a", CONTENT, slow), tmp_path) == CONTENT
    silence.set()
    assert (ranges(server)[0], ranges(server)[-1]) == ("", "bytes=1000-")


def test_a_disk_without_room_is_said_before_the_download(server: FileServer, tmp_path: Path) -> None:
    """With what is needed and what is there."""
    free = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize
    url = server.add("/a", b"", lambda handler, _: handler.reply(200, b"x", Content_Length=str(free + 10**9)))
    with pytest.raises(TransferError, match=r"has .* GB to send, and the disk of .* has room for"):
        download(url, tmp_path / "a", lambda _received, _total: None)

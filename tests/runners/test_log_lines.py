"""What guests print through pipes: whole lines, in order, all of them, and in time."""

from __future__ import annotations

import select
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from omnibench.runners import log_lines
from omnibench.runners.log_lines import LogPipe


def test_lines_are_whole_and_in_order(tmp_path: Path) -> None:
    """However they were cut into writes; the last one gets its end when the writer has ended."""
    ended, chunks = threading.Event(), list[bytes]()
    pipe = LogPipe(tmp_path / "out.pipe", ended.is_set, chunks.append)
    lines = b"".join(b"line %d of the guest\n" % number for number in range(20_000)) + b"its last word"
    with (tmp_path / "out.pipe").open("wb", buffering=0) as writer:
        for start in range(0, len(lines), 777):
            writer.write(lines[start : start + 777])
    ended.set()
    pipe.join(timeout=60)
    assert b"".join(chunks) == lines + b"\n"
    assert all(chunk.endswith(b"\n") for chunk in chunks)


def test_a_line_without_an_end_is_not_kept_in_memory(tmp_path: Path) -> None:
    """It is passed on in pieces."""
    ended, chunks = threading.Event(), list[bytes]()
    pipe = LogPipe(tmp_path / "out.pipe", ended.is_set, chunks.append)
    (tmp_path / "out.pipe").write_bytes(b"x" * 300_000)
    ended.set()
    pipe.join(timeout=60)
    assert len(chunks) > 3
    assert b"".join(chunks).replace(b"\n", b"") == b"x" * 300_000


def test_what_was_printed_can_be_had_before_the_thread_comes_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A snapshot does not depend on how busy the machine is."""
    ended, looks = threading.Event(), threading.Event()

    def select_when_allowed(*arguments: Any) -> tuple[list[Any], list[Any], list[Any]]:
        looks.wait()
        return select.select(*arguments)

    monkeypatch.setattr(log_lines, "select", SimpleNamespace(select=select_when_allowed))
    chunks = list[bytes]()
    pipe = LogPipe(tmp_path / "out.pipe", ended.is_set, chunks.append)
    with (tmp_path / "out.pipe").open("wb", buffering=0) as writer:
        writer.write(b"step 1\nstep 2\nste")
        pipe.catch_up()
        assert chunks == [b"step 1\nstep 2\n"]
        writer.write(b"p 3\n")
    ended.set()
    looks.set()
    pipe.join(timeout=60)
    pipe.catch_up()  # there is nothing any more, and nobody minds
    assert chunks == [b"step 1\nstep 2\n", b"step 3\n"]

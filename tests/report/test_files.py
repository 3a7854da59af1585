"""Where results may be written, and that they are replaced whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from omnibench.errors import ExportError
from omnibench.report.files import SUFFIXES, check_files, replace


def test_every_ending_is_known(tmp_path: Path) -> None:
    """In any case; a file that is named twice, or by way of a link, is written once."""
    files = [tmp_path / f"results{suffix}" for suffix in (*SUFFIXES, ".MD")]
    (tmp_path / "link.md").symlink_to(tmp_path / "results.md")
    assert check_files([*files, tmp_path / "link.md", files[0]]) == [file.resolve() for file in files]
    assert list(tmp_path.iterdir()) == [tmp_path / "link.md"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("results.docx", "ends with '.docx', but the ending says the format; choose from .md, .tex, .html, .csv"),
        ("results", "has no ending, but the ending says"),
        ("missing/results.md", "there is no directory '.*missing'; make it, or name a file elsewhere"),
        ("folder.md", "is no file; name one to be written"),
        ("pipe.csv", "is no file"),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path: Path, name: str, message: str) -> None:
    """A file that cannot be written is refused in one sentence that says what to do."""
    (tmp_path / "folder.md").mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(ExportError, match=message):
        check_files([tmp_path / "fine.md", tmp_path / name])


def test_a_place_without_permission_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tried out rather than asked for: permissions do not tell of read-only file systems, and root has them all."""

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(
        ExportError, match=r"nothing can be written in '.*' \(Permission denied\); name a file elsewhere"
    ):
        check_files([tmp_path / "results.md"])


def test_a_file_is_replaced_with_its_permissions(tmp_path: Path) -> None:
    """Who has the old one open reads the old one to its end; a new one gets what the user's umask leaves."""
    file = tmp_path / "results.md"
    file.write_text("old")
    file.chmod(0o640)
    with file.open() as opened:
        replace(file, b"new")
        assert opened.read() == "old"
    assert file.read_text() == "new"
    assert file.stat().st_mode & 0o777 == 0o640
    replace(tmp_path / "other.md", b"")
    (tmp_path / "touched").touch()
    assert (tmp_path / "other.md").stat().st_mode == (tmp_path / "touched").stat().st_mode


def test_a_failed_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed write leaves the old file, and nothing half written beside it."""
    file = tmp_path / "results.md"
    file.write_text("old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ExportError, match=r"results.md' could not be written \(No space left on device\)"):
        replace(file, b"new")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("results.md", "old")]

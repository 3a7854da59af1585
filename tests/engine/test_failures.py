"""Which errors are an item's failure: those of its phases, but not what the store, a disk or the machine is to blame for."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from omnibench.engine.failures import phase_errors
from omnibench.errors import (
    ChangedDataError,
    DataError,
    DiskError,
    GuestError,
    LimitReachedError,
    PhaseError,
    StoreError,
)
from omnibench.store.durable_names import sync_directory
from omnibench.store.refusals import out_of_use

ERRORS: dict[str, tuple[Exception, type[Exception], str]] = {
    "the framework raises": (GuestError("no memory", "traceback"), PhaseError, "Fit failed: no memory"),
    "the framework meets a full disk": (
        GuestError("unexpected pos", errno=errno.ENOSPC, disk="there is no room"),
        DiskError,
        "Fit was given up because there is no room: unexpected pos.*; make room, and run again",
    ),
    "the framework meets another error": (GuestError("gone", errno=errno.ENOENT), PhaseError, "Fit failed: gone"),
    "a search says its phase": (PhaseError("Fit", "all failed", "traceback"), PhaseError, "^Fit failed: all failed"),
    "another phase fails in it": (PhaseError("Eval", "no users"), PhaseError, "^Fit failed: Eval failed: no users"),
    "omnibench refuses": (DataError("no test part"), PhaseError, "Fit failed: no test part"),
    "the data changes": (ChangedDataError("it has changed"), StoreError, "Fit was given up: it has changed"),
    "the user's code raises": (ValueError("one"), PhaseError, "Fit failed: ValueError: one"),
    "the user's code lacks a file": (
        FileNotFoundError(errno.ENOENT, "No such file or directory", "weights.json"),
        PhaseError,
        "Fit failed: FileNotFoundError: .*weights.json",
    ),
    "the user's code has no right": (PermissionError(errno.EACCES, "no"), PhaseError, "Fit failed: PermissionError"),
    "the user's code writes where nobody can": (
        OSError(errno.EROFS, "Read-only file system", "/elsewhere/weights.json"),
        PhaseError,
        "Fit failed: OSError",
    ),
    "the store fails": (StoreError("it is gone"), StoreError, "it is gone"),
    "the disk fails": (
        OSError(errno.EIO, "broken"),
        DiskError,
        "has failed .*broken.*; see to the disk, and run again",
    ),
    "there is no room": (OSError(errno.ENOSPC, "full"), DiskError, "too little room on the file system .* make room"),
    "the quota is used up": (OSError(errno.EDQUOT, "quota"), DiskError, "quota is used up .* make room, and run again"),
    "a library says that there is no room": (RuntimeError("database or disk is full"), DiskError, "too little room"),
    "too few files": (OSError(errno.EMFILE, "Too many open files"), LimitReachedError, "RLIMIT_NOFILE"),
    "too few threads": (RuntimeError("can't start new thread"), LimitReachedError, "can't start new thread: "),
    "too little memory": (MemoryError("no room"), PhaseError, "Fit failed: MemoryError: no room"),
}


@pytest.mark.parametrize("trouble", ERRORS)
def test_what_is_the_items_failure_and_what_is_not(trouble: str, tmp_path: Path) -> None:
    """The store, a disk and the machine are not; whether a guest died is passed on."""
    error, expected, message = ERRORS[trouble]
    with pytest.raises(expected, match=message) as caught, phase_errors("Fit", tmp_path):
        raise error
    assert type(caught.value) is expected
    if isinstance(error, GuestError) and isinstance(caught.value, PhaseError):
        assert caught.value.details == error.details


def test_what_ends_a_run_is_no_failure(tmp_path: Path) -> None:
    """Ctrl-C passes, and the death of a guest is told apart."""
    with pytest.raises(KeyboardInterrupt), phase_errors("Fit", tmp_path):
        raise KeyboardInterrupt
    with pytest.raises(PhaseError) as caught, phase_errors("Fit", tmp_path):
        raise GuestError("killed", died=True)
    assert caught.value.died


def test_the_same_error_is_the_stores_where_its_code_or_its_files_are_concerned(tmp_path: Path) -> None:
    """A file that is missing is the item's failure where an item's code wanted it, and the store's where the store did."""
    with pytest.raises(StoreError, match=r"cannot be used .*readable and writable"), phase_errors("Fit", tmp_path):
        sync_directory(tmp_path.with_name("gone"))
    with pytest.raises(StoreError, match="cannot be used"), phase_errors("Fit", tmp_path):
        os.stat(tmp_path / "manifest.json")
    with pytest.raises(PhaseError), phase_errors("Fit", tmp_path):
        os.stat(tmp_path.with_name("gone"))


def test_a_store_out_of_use_says_what_to_do() -> None:
    """Room is asked for where there is none, and nowhere else."""
    full, denied = (out_of_use(Path("/"), OSError(number, "no")) for number in (errno.ENOSPC, errno.EACCES))
    assert type(full) is DiskError
    assert "make room" in str(full)
    assert type(denied) is StoreError
    assert "room" not in str(denied)

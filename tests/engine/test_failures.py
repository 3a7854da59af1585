"""Which errors are an item's failure: those of its phases, but not what the store or the machine is to blame for."""

from __future__ import annotations

import errno

import pytest

from omnibench.engine.failures import phase_errors
from omnibench.errors import DataError, GuestError, PhaseError, StoreError
from omnibench.limits import LimitReachedError

ERRORS: dict[str, tuple[Exception, type[Exception], str]] = {
    "the framework raises": (GuestError("no memory", "traceback"), PhaseError, "Fit failed: no memory"),
    "the framework meets a full disk": (GuestError("full", errno=errno.ENOSPC), OSError, "Fit: full"),
    "the framework meets another error": (GuestError("gone", errno=errno.ENOENT), PhaseError, "Fit failed: gone"),
    "omnibench refuses": (DataError("no test part"), PhaseError, "Fit failed: no test part"),
    "the user's code raises": (ValueError("one"), PhaseError, "Fit failed: ValueError: one"),
    "the store fails": (StoreError("it is gone"), StoreError, "it is gone"),
    "too few files": (OSError(errno.EMFILE, "Too many open files"), LimitReachedError, "RLIMIT_NOFILE"),
    "too few threads": (RuntimeError("can't start new thread"), LimitReachedError, "can't start new thread: "),
    "too little memory": (MemoryError("no room"), PhaseError, "Fit failed: MemoryError: no room"),
    "the disk fails": (OSError(errno.EIO, "broken"), OSError, "broken"),
}


@pytest.mark.parametrize("trouble", ERRORS)
def test_what_is_the_items_failure_and_what_is_not(trouble: str) -> None:
    """The store and the machine are not; whether a guest died is passed on."""
    error, expected, message = ERRORS[trouble]
    with pytest.raises(expected, match=message) as caught, phase_errors("Fit"):
        raise error
    assert type(caught.value) is expected
    if isinstance(error, GuestError) and isinstance(caught.value, PhaseError):
        assert caught.value.details == error.details


def test_what_ends_a_run_is_no_failure() -> None:
    """Ctrl-C passes, and the death of a guest is told apart."""
    with pytest.raises(KeyboardInterrupt), phase_errors("Fit"):
        raise KeyboardInterrupt
    with pytest.raises(PhaseError) as caught, phase_errors("Fit"):
        raise GuestError("killed", died=True)
    assert caught.value.died

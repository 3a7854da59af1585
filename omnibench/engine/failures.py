"""Which errors are an item's failure, and which are trouble of the store or the machine."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from omnibench.errors import (
    ChangedDataError,
    ClusterError,
    DiskError,
    GuestEnvironmentError,
    GuestError,
    LimitReachedError,
    OmnibenchError,
    PhaseError,
    PrunedError,
    StoreError,
)
from omnibench.guest.disk import ERRNOS, advice, disk_errno, explain, probe
from omnibench.limits import limit_error, with_limit
from omnibench.store.refusals import out_of_use

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - looked at, not used
_NO_PAGE = "SIGBUS"
"""The signal that ends a process which writes into memory that is a file, and the file finds no room."""


@contextmanager
def phase_errors(phase: str, root: Path, elsewhere: Sequence[Path] = ()) -> Iterator[None]:
    """Raise the errors of a phase as PhaseError, except for trouble of the store or the machine.

    Args:
        phase: The phase's name.
        root: The store's directory.
        elsewhere: Other directories that are written to: for temporary files, and the user's cache.

    Raises:
        PhaseError: The phase failed.
        StoreError: The store or the machine did, also where only the guest noticed; a DiskError for a disk.
        GuestEnvironmentError: The framework's environment did.
        ClusterError: The cluster did.
        PrunedError: The phase was ended on purpose, which is no failure.
    """
    try:
        yield
    except (StoreError, GuestEnvironmentError, PrunedError, ClusterError):
        raise
    except Exception as error:
        raise classified(error, phase, root, elsewhere) from error


def classified(error: Exception, phase: str, root: Path, elsewhere: Sequence[Path] = ()) -> PhaseError | StoreError:
    """Return a phase's error as what it is: the item's failure, or trouble of a disk, of a limit or of the store.

    Whose it is depends on where it was raised and on what the disks say at that moment; see ``guest.disk``.

    Args:
        error: The error.
        phase: The phase's name.
        root: The store's directory.
        elsewhere: Other directories that are written to.
    """
    directories = [root, *elsewhere]
    number = _guest_errno(error, directories) if isinstance(error, GuestError) else disk_errno(error, directories)
    if number is not None:
        reason = (error.disk if isinstance(error, GuestError) else "") or explain(
            number, [*_met_at(error), *directories]
        )
        return DiskError(
            f"{phase} was given up because {reason}: {error}. What was recorded is safe, and this does not count as "
            f"the item's failure; {advice(number)}, and run again."
        )
    if isinstance(error, GuestError) and error.short:
        return LimitReachedError(
            f"{phase} was given up: {error}. What was recorded is safe, and this does not count as the item's failure; raise "
            "the limit and run again."
        )
    if isinstance(error, GuestError):
        return PhaseError(phase, str(error), error.details, died=error.died, costs=error.costs)
    if limit := limit_error(error):
        return limit
    if isinstance(error, OSError) and _is_stores(error, root):
        return out_of_use(root, error)
    if isinstance(error, ChangedDataError):
        return StoreError(f"{phase} was given up: {error}")
    if isinstance(error, PhaseError):  # which says the phase itself
        words = error.message if error.phase == phase else str(error)
        return PhaseError(phase, words, error.details, died=error.died, costs=error.costs)
    if isinstance(error, OmnibenchError):
        return PhaseError(phase, str(error))
    return PhaseError(phase, f"{type(error).__name__}: {with_limit(error)}", traceback.format_exc())


def _met_at(error: BaseException) -> list[Path]:
    """Return the directory of the file that an error names, or the nearest one above it that is there."""
    path = getattr(error, "filename", None)
    if not isinstance(path, str):
        return []
    return [directory for directory in Path(path).absolute().parents if directory.is_dir()][:1]


def _guest_errno(error: GuestError, directories: Sequence[Path]) -> int | None:
    """Return the number of the disk's error that a guest has met, or that has ended it."""
    if error.errno in ERRNOS:
        return error.errno
    if error.died and _NO_PAGE in str(error):
        return next(filter(None, map(probe, filter(Path.is_dir, [*directories, _SHARED_MEMORY]))), None)
    return None


def _is_stores(error: OSError, root: Path) -> bool:
    """Whether an operating system's error was raised by the store's code, or about a file of the store."""
    if isinstance(error.filename, str) and Path(error.filename).is_relative_to(root):
        return True
    modules = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)]
    ours = [module for module in modules if module.startswith("omnibench.")]
    return bool(ours) and ours[-1].startswith("omnibench.store")

"""Which errors are an item's failure, and which are trouble of the store or the machine."""

from __future__ import annotations

import errno
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from omnibench.errors import GuestError, OmnibenchError, PhaseError, StoreError
from omnibench.limits import limit_error, with_limit

_MACHINE_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS})
"""What an operating system says when it has no room or a broken disk: no failure of the algorithm that met it."""


@contextmanager
def phase_errors(phase: str) -> Iterator[None]:
    """Raise the errors of a phase as PhaseError, except for trouble of the store or the machine.

    Args:
        phase: The phase's name.

    Raises:
        PhaseError: The phase failed.
        StoreError, OSError: The store or the machine did, also where only the guest noticed.
    """
    try:
        yield
    except GuestError as error:
        if error.errno in _MACHINE_ERRORS:
            raise OSError(error.errno, f"{phase}: {error}") from error
        raise PhaseError(phase, str(error), error.details, died=error.died, costs=error.costs) from error
    except StoreError:
        raise
    except OSError as error:
        if limit := limit_error(error):
            raise limit from error
        raise
    except OmnibenchError as error:
        raise PhaseError(phase, str(error)) from error
    except Exception as error:
        if limit := limit_error(error):
            raise limit from error
        raise PhaseError(phase, f"{type(error).__name__}: {with_limit(error)}", traceback.format_exc()) from error

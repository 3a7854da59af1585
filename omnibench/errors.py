"""The errors that omnibench raises on purpose. Each message names the thing, its value and the way out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


class OmnibenchError(Exception):
    """Base of every error that omnibench raises on purpose."""


class DataError(OmnibenchError):
    """A dataset cannot be read, or a step cannot be applied to it."""


class ChangedDataError(DataError):
    """A source has changed since its key was made: no failure of the items that were to be computed from it."""


class PlanError(OmnibenchError):
    """A plan names something that does not exist, or is empty."""


class ArgumentError(PlanError, TypeError):
    """A call has an argument that does not exist, or lacks one; a TypeError as well, as Python has it."""


class EvaluationError(OmnibenchError):
    """A metric does not fit the dataset, or a metric's parameter is impossible."""


class KeyValueError(OmnibenchError):
    """A value cannot be part of a key because it has no canonical form."""


class StatisticsError(OmnibenchError):
    """Values cannot be compared, or there is no test of that name."""


class BaselineError(OmnibenchError):
    """A baseline cannot be written or read."""


class ExportError(OmnibenchError):
    """A file of results cannot be written."""


class SharingError(OmnibenchError):
    """What another store has, or a published one, cannot be read, or is not what it says."""


class StoreError(OmnibenchError):
    """The checkpoint store cannot be used in its present state."""


class DiskError(StoreError):
    """A disk has no room, or cannot be written or read: neither the store nor an item is to blame."""


class LimitReachedError(StoreError):
    """This process, its user or its container may have no more files, processes, threads or memory: no item's failure."""


class GuestEnvironmentError(OmnibenchError):
    """A framework's environment cannot be built or used."""


class ClusterError(OmnibenchError):
    """A cluster cannot be used, or has lost what computed an item: no item's failure.

    Args:
        message: What happened, and what to do.
        ends_run: Whether no other item can be computed there either.
    """

    def __init__(self, message: str, *, ends_run: bool = False) -> None:
        super().__init__(message)
        self.ends_run = ends_run


class LostGuestError(OmnibenchError):
    """The machine on which a guest computed is gone, or does not answer; another may compute it."""


class CutOffError(LostGuestError):
    """A guest elsewhere is lost because this process was cut off from the scheduler of its cluster: no machine's fault."""


class GuestError(OmnibenchError):
    """A framework failed, died, or returned something that breaks its contract.

    Args:
        message: What happened, in one sentence.
        details: The guest's traceback, or the last lines of its stderr.
        died: Whether the guest's process ended, so that trying again may help, and may kill it again.
        errno: The number of the disk's error that caused it, if one did; see ``guest.disk``.
        disk: What the guest found wrong with which disk.
        costs: What the request has cost until then, as far as that is known; see ``guest.meter.Meter``.
        unusable: Whether its process could not even begin, because something is missing in its environment.
        short: Whether a limit on files, processes or threads is to blame, and not what the framework has taken itself.
        for_memory: Whether the kernel has ended the process for want of memory, as far as it tells.
    """

    def __init__(
        self,
        message: str,
        details: str = "",
        *,
        died: bool = False,
        errno: int | None = None,
        disk: str = "",
        costs: Mapping[str, object] | None = None,
        unusable: bool = False,
        short: bool = False,
        for_memory: bool = False,
    ) -> None:
        from omnibench.masking import masked  # every pytest session imports this module, and few have an error

        super().__init__(masked(str(message)))
        self.for_memory = for_memory
        self.details = masked(details or "")
        self.died = died
        self.unusable = unusable
        self.short = short
        self.errno = errno
        self.disk = disk
        self.costs = costs


class PrunedError(OmnibenchError):
    """A Fit was ended because the values of its epochs on validation promised too little: no failure of anything.

    Args:
        epoch: The epoch after which it was ended, counted from 1.
        value: The value of that epoch.
        history: The epochs that validation has judged, and the value of each; the last of them is that one.
        costs: What the Fit has cost until then; see ``guest.meter.Meter``.
    """

    def __init__(
        self,
        epoch: int,
        value: float,
        history: Iterable[tuple[int, float]] = (),
        *,
        costs: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(f"pruned after epoch {epoch}, whose value on validation was {value:g}")
        self.epoch = epoch
        self.value = value
        self.history = tuple(history)
        self.costs = costs


class SnapshotError(OmnibenchError):
    """A Fit cannot go on from a snapshot; from another one, or from the beginning, it may.

    Args:
        message: Why.
        anew: Whether it can go on from no other one either.
    """

    def __init__(self, message: str, *, anew: bool = False) -> None:
        super().__init__(message)
        self.anew = anew


class PhaseError(OmnibenchError):
    """A phase of an item failed.

    Args:
        phase: Fit, Predict or Eval; or Prepare when the dataset could not be made.
        message: What happened, in one sentence.
        details: Traceback and the guest's last lines.
        died: Whether the guest's process died of it.
        costs: What the guest has measured until then, or None.

    Attributes:
        prospect: What the next run does about it, as a sentence for people; empty where that goes without saying.
    """

    def __init__(
        self,
        phase: str,
        message: str,
        details: str = "",
        *,
        died: bool = False,
        costs: Mapping[str, object] | None = None,
    ) -> None:
        from omnibench.masking import masked  # as above

        self.phase = phase
        # Before anybody keeps it: records, logs, reports, a terminal that CI records. An exception may have no words.
        self.message = masked(str(message)).rstrip().removesuffix(":")
        self.details = masked(details or "")
        super().__init__(f"{phase} failed: {self.message}")
        self.died = died
        self.costs = costs
        self.prospect = ""

    @classmethod
    def recorded(cls, error: Mapping[str, str]) -> PhaseError:
        """Rebuild the error from an item's record."""
        return cls(error["phase"], error["message"], error["details"])


def nearest(name: object, names: Iterable[str]) -> str:
    """Return ``"; did you mean 'X'?"`` for the nearest valid name, or nothing when none is near."""
    import difflib  # every pytest session imports this module, and few have an error

    by_folded = {candidate.casefold(): candidate for candidate in names}
    matches = difflib.get_close_matches(str(name).casefold(), by_folded, n=1, cutoff=0.5)
    return f"; did you mean {by_folded[matches[0]]!r}?" if matches else ""

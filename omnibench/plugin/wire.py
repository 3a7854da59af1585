"""The messages between controller and workers: what a run is, and how an item ended.

Both go through execnet, which sends plain data only. The names under which they travel stand here and nowhere else.
Every pytest session imports this module: a named tuple is made in a tenth of the time that a dataclass takes.
"""

from __future__ import annotations

import marshal
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:  # every pytest session imports this module, and few have results
    from omnibench.results import Result

from omnibench.plugin.sent_paths import received_path, sendable_path

_INPUT = "omnibench"
"""The entry in xdist's ``workerinput``."""

_VERSION = 4
"""Of ``marshal``: what every Python reads that omnibench runs in, since an interpreter of another version may be a worker."""

_DIGITS = 16
"""Of the digest that stands for a node id."""


_RESULT = (
    *("dataset", "algorithm", "configuration", "fold", "fit_key"),
    *("dataset_label", "label", "user_label", "seed", "module", "deterministic"),
    *("seedless_key", "seeds", "as_seed", "refit", "tuned", "search"),
)
"""The members of a result that travel as they are."""


_latest: list[tuple[Any, ItemMessage]] = []
"""What was read last, and the message: several plugins ask the same report."""

_PACKED = "omnibench.packed"
"""The member under which a report travels as one piece."""


def pack(data: dict[str, Any]) -> dict[str, Any]:
    """Return a report, as pytest serializes it, in one piece: execnet takes its time, in Python, for each member."""
    try:
        return {_PACKED: marshal.dumps(data, _VERSION)}
    except ValueError:  # a subclass of a text or number, which execnet may carry all the same
        return data


def unpack(data: dict[str, Any]) -> None:
    """Put the members of a report back that travelled as one piece, beside those that xdist has added."""
    packed = data.pop(_PACKED, None)
    if packed is not None:
        data.update(marshal.loads(packed))  # noqa: S302 - of our own worker, whose code this process has chosen


class RunMessage(NamedTuple):
    """The message that a worker gets from the controller when it starts.

    Attributes:
        run_id: The run that the worker takes part in.
        directory: The checkpoint directory.
        done: The digests of the node ids of items that were done when the run began; see ``digest``.
    """

    run_id: str
    directory: str
    done: frozenset[str] = frozenset()

    def send(self, workerinput: dict[str, Any]) -> None:
        """Put the message among what xdist tells a worker."""
        workerinput[_INPUT] = {
            "run_id": self.run_id,
            "directory": sendable_path(self.directory),
            "done": "".join(self.done),
        }

    @classmethod
    def received(cls, config: Any) -> RunMessage | None:
        """Return what the controller told this process, or None where it is no worker or the run has no benchmarks."""
        fields = getattr(config, "workerinput", {}).get(_INPUT)
        if fields is None:
            return None
        digests = fields["done"]
        done = frozenset(digests[start : start + _DIGITS] for start in range(0, len(digests), _DIGITS))
        return cls(fields["run_id"], received_path(fields["directory"]), done)


def digest(nodeid: str) -> str:
    """Return the 16 hex digits that stand for a long node id in the message to workers."""
    import hashlib

    return hashlib.sha256(nodeid.encode()).hexdigest()[:_DIGITS]


class ItemMessage(NamedTuple):
    """The message that the report of a benchmark item carries beside pytest's outcome.

    Attributes:
        status: How the item ended: ``done``, ``cached``, ``failed`` or ``skipped``.
        result: The item's labels, its key and its metrics (none when it failed).
        seconds: Wall time of each phase that ran, and of waiting for a process to start; see ``Progress.seconds``.
        replayed: Whether the failure is an earlier run's, and nothing was tried now.
        lower_is_better: The labels of the metrics of which the smallest value is the best.
        trials: How many trials Tune had, where it ran, e.g. ``8 trials, 2 failed``.
    """

    status: str
    result: Result
    seconds: Mapping[str, float]
    replayed: bool
    lower_is_better: tuple[str, ...]
    trials: str = ""

    def attach(self, report: Any) -> None:
        """Let a report carry the message."""
        from omnibench.guest.messages import sendable

        result = self.result
        report.omnibench = {
            "status": self.status,
            "dataset": result.dataset,
            "algorithm": result.algorithm,
            "configuration": result.configuration,
            "fold": result.fold,
            "fit_key": result.fit_key,
            "dataset_label": result.dataset_label,
            "label": result.label,
            "user_label": result.user_label,
            "parameters": sendable(dict(result.parameters)),
            "seed": result.seed,
            "module": result.module,
            "deterministic": result.deterministic,
            "seedless_key": result.seedless_key,
            "seeds": result.seeds,
            "as_seed": result.as_seed,
            "refit": result.refit,
            "tuned": result.tuned,
            "search": result.search,
            "metrics": dict(result.metrics),
            "seconds": dict(self.seconds),
            "replayed": self.replayed,
            "lower_is_better": list(self.lower_is_better),
            "trials": self.trials,
        }

    @property
    def taken_over(self) -> bool:
        """Whether the item was not fitted, because another seed has made equal predictions."""
        return self.result.as_seed is not None and "Fit" not in self.seconds and "Predict" in self.seconds

    @classmethod
    def carried(cls, report: Any) -> ItemMessage | None:
        """Return the message that a report carries, or None, as of items that are no benchmarks."""
        fields = getattr(report, "omnibench", None)
        if fields is None:
            return None
        if not _latest or _latest[0][0] is not fields:
            _latest[:] = [(fields, cls._read(fields))]
        return _latest[0][1]

    @classmethod
    def _read(cls, fields: Mapping[str, Any]) -> ItemMessage:
        from omnibench.guest.messages import received
        from omnibench.results import Result

        members = {name: fields[name] for name in _RESULT}
        result = Result(**members, parameters=received(fields["parameters"]), metrics=dict(fields["metrics"]))
        lower_is_better = tuple(fields["lower_is_better"])
        return cls(
            fields["status"], result, fields["seconds"], fields["replayed"], lower_is_better, fields.get("trials", "")
        )

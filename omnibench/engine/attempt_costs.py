"""What a Fit has cost that went on from snapshots: the costs of all its attempts, each and together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from omnibench.store.schema import COSTS, Phase, Record

_SUMMED = ("seconds", "cpu_seconds")
"""The costs that add up; of the others, which are peaks, the highest counts."""


def attempts_before(resumed: Record, ended: Iterable[Record]) -> list[Record]:
    """Return the attempts before the one that goes on from a snapshot, each with all that it has cost, also behind its last one.

    Those that went on from the snapshot and were stopped before they took another are among them.

    Args:
        resumed: The snapshot's record.
        ended: What the item's record has of attempts that have failed or were stopped.
    """
    stopped = {
        (attempt.get("run"), attempt.get("worker")): attempt for attempt in ended if attempt["phase"] == Phase.FIT
    }
    attempts = []
    for attempt in resumed["attempts"]:
        whole = stopped.pop((attempt.get("run"), attempt.get("worker")), {})
        is_longer = (whole.get("seconds") or 0) > attempt["seconds"]
        costs = {name: whole[name] for name in COSTS if whole.get(name) is not None} if is_longer else {}
        attempts.append({**attempt, **costs})
    span = {"from": int(resumed["iteration"]), "to": int(resumed["iteration"])}
    for (run, worker), attempt in stopped.items():
        if attempt["finished"] >= resumed["finished"] and attempt.get("seconds") is not None:
            costs = {name: attempt.get(name) for name in COSTS}
            attempts.append({**costs, **span, "run": run, "worker": worker})
    return attempts


def costs_together(attempts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what attempts have cost together, by the names of ``COSTS``; None for what was measured of none.

    Args:
        attempts: The attempts: seconds are summed, of bytes the highest peak counts.
    """
    costs: dict[str, Any] = {}
    for name in COSTS:
        values = [attempt[name] for attempt in attempts if attempt.get(name) is not None]
        combined = sum(values) if name in _SUMMED else max(values, default=None)
        costs[name] = combined if values else None
    return costs

"""What a Fit has cost in all of its attempts, when it goes on from a snapshot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from omnibench.store.schema import COSTS, Record


def earlier_attempts(resumed: Record | None, previous: Mapping[str, Any]) -> list[Record]:
    """Return the attempts before this one, each with all that it has cost, also behind its last snapshot.

    Those that went on from the snapshot and were stopped before they took another are among them.

    Args:
        resumed: The record of the snapshot that the Fit goes on from; None where it begins anew.
        previous: The record of the item.
    """
    if resumed is None:
        return []
    stopped = {
        (attempt.get("run"), attempt.get("worker")): attempt
        for attempt in previous.get("attempts", ())
        if attempt["phase"] == "Fit"
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


def own_attempt(
    resumed: Record | None, costs: Mapping[str, Any], iteration: int | None, run: str, worker: str
) -> Record:
    """Return what an attempt has cost, up to now.

    Args:
        resumed: The record of the snapshot that the Fit goes on from; None where it begins anew.
        costs: The costs of this attempt.
        iteration: How far it has come.
        run: Its run.
        worker: Its worker.
    """
    begun_at = 0 if resumed is None else int(resumed["iteration"])
    return {
        **{name: costs.get(name) for name in COSTS},
        "from": begun_at,
        "to": iteration,
        "run": run,
        "worker": worker,
    }


def total_costs(attempts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what attempts have cost together: seconds in sum, memory at its peak; None what none of them has measured.

    Args:
        attempts: As records of Fits have them.
    """
    costs: dict[str, Any] = {}
    for name in COSTS:
        values = [attempt[name] for attempt in attempts if attempt.get(name) is not None]
        combined = sum(values) if name in ("seconds", "cpu_seconds") else max(values, default=None)
        costs[name] = combined if values else None
    return costs

"""progress.json and results.json: readable copies of the records, never read back."""

from __future__ import annotations

import json
import time
from typing import Any

from omnibench.errors import StoreError
from omnibench.metrics.base import split_label
from omnibench.store.checkpoints import CheckpointStore
from omnibench.store.sealing import Record

_PATIENCE = 60.0
"""Seconds to wait after a failure before trying again."""


class Exports:
    """Keeps the two files fresh without letting them cost more than a small share of the time."""

    _SHARE = 0.05
    """Of the time since the last export, at most this much may go into the next."""

    def __init__(self, store: CheckpointStore) -> None:
        self.store = store
        self._next = 0.0

    def refresh(self, *, now: bool = False) -> str:
        """Write both files if it is time, or in any case with ``now``.

        Returns:
            Why that was not possible, or nothing. The copies are a convenience: no result depends on them.
        """
        if time.monotonic() < self._next and not now:
            return ""
        try:
            self._write()
        except (OSError, StoreError) as error:
            self._next = time.monotonic() + _PATIENCE
            return f"progress.json and results.json could not be written: {error}"
        return ""

    def _write(self) -> None:
        started = time.monotonic()
        snapshot = self.store.snapshot()
        self.store.replace_text("progress.json", _text({"items": progress(snapshot)}))
        self.store.replace_text("results.json", _text({"results": results(snapshot)}))
        took = time.monotonic() - started
        self._next = time.monotonic() + max(1.0, took / self._SHARE)


def progress(snapshot: dict[str, Record]) -> dict[str, Any]:
    """Return ``{item: {status, phase, ...}}`` for every item that the records know, by name."""
    items: dict[str, Any] = {}
    for phase in ("Fit", "Predict"):
        for key, record in snapshot.items():
            if key.startswith(f"{phase.lower()}/"):
                items[record["item"]] = {"status": "incomplete", "phase": phase, "fit_key": record["fit_key"]}
    for key, record in snapshot.items():
        if key.startswith("item/"):
            items[record["item"]] = {
                "status": record["status"],
                "phase": record["phase"],
                "fit_key": key.removeprefix("item/"),
                "finished": record["finished"],
                **({"error": record["error"]["message"]} if record.get("error") else {}),
            }
    return dict(sorted(items.items()))


def results(snapshot: dict[str, Record]) -> list[dict[str, Any]]:
    """Return one row per item and metric of everything that is done."""
    rows = []
    for key, record in sorted(snapshot.items(), key=lambda pair: str(pair[1].get("item"))):
        if key.startswith("item/") and record["status"] == "done":
            for label, metric in record["metrics"].items():
                name, k = split_label(label)
                rows.append(
                    {
                        "dataset": record["dataset"],
                        "algorithm": record["algorithm"],
                        "parameters": record["parameters"],
                        "fold": record["fold"],
                        "metric": name,
                        "k": k,
                        "value": metric["value"],
                    }
                )
    return rows


def _text(content: Any) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False)

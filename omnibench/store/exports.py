"""progress.json and results.json: readable copies of the records, never read back."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import Any, Protocol

from omnibench.errors import StoreError
from omnibench.metrics.labels import split_label
from omnibench.store.checkpoints import CheckpointStore
from omnibench.store.schema import Record

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
        items, rows = self.store.read(lambda reader: (progress(reader), results(reader)))
        self.store.replace_text("progress.json", _mapping("items", items))
        self.store.replace_text("results.json", _listing("results", rows))
        took = time.monotonic() - started
        self._next = time.monotonic() + max(1.0, took / self._SHARE)


class Records(Protocol):
    """Where records are read, one at a time: there may be a million."""

    def records(self, prefix: str = "", /) -> Iterable[tuple[str, Record]]:
        """Return every sound record whose key begins with a prefix."""


def progress(reader: Records) -> dict[str, Any]:
    """Return ``{item: {status, phase, ...}}`` for every item that the records know, by name."""
    items: dict[str, Any] = {}
    known: set[str] = set()
    for key, record in reader.records("item/"):
        fit_key = key.removeprefix("item/")
        known.add(fit_key)
        items[record["item"]] = {
            "status": record["status"],
            "phase": record["phase"],
            "fit_key": fit_key,
            "finished": record["finished"],
            **({"error": record["error"]["message"]} if record.get("error") else {}),
        }
    for phase in ("Fit", "Predict"):
        for _, record in reader.records(f"{phase.lower()}/"):
            if record["fit_key"] not in known:
                items[record["item"]] = {"status": "incomplete", "phase": phase, "fit_key": record["fit_key"]}
    return dict(sorted(items.items()))


def results(reader: Records) -> list[dict[str, Any]]:
    """Return one row per item and metric of everything that is done, by the items' names."""
    found: list[tuple[str, list[dict[str, Any]]]] = []
    for _, record in reader.records("item/"):
        if record["status"] == "done":
            labels = [(*split_label(label), metric["value"]) for label, metric in record["metrics"].items()]
            shared = {name: record[name] for name in ("dataset", "algorithm", "parameters", "fold")}
            rows = [{**shared, "metric": metric, "k": k, "value": value} for metric, k, value in labels]
            found.append((str(record["item"]), rows))
    return [row for _, rows in sorted(found, key=lambda pair: pair[0]) for row in rows]


def _mapping(name: str, entries: dict[str, Any]) -> str:
    """Return JSON with an entry a line, which is readable and, unlike an indented one, fast."""
    lines = (f" {_line(key)}: {_line(value)}" for key, value in entries.items())
    return f"{{{_line(name)}: {{\n" + ",\n".join(lines) + "\n}}\n"


def _listing(name: str, entries: Iterable[Any]) -> str:
    return f"{{{_line(name)}: [\n" + ",\n".join(f" {_line(entry)}" for entry in entries) + "\n]}\n"


_line = json.JSONEncoder(ensure_ascii=False).encode

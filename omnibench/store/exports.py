"""progress.json and results.json: readable copies of the records, never read back."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from omnibench.errors import StoreError
from omnibench.keys import encode_of
from omnibench.metrics.labels import group_of, split_label
from omnibench.store.checkpoints import CheckpointStore
from omnibench.store.copies import are_current, with_header
from omnibench.store.reader import Reader
from omnibench.store.reading import read
from omnibench.store.resumption import newest_members, open_snapshots, snapshot_of
from omnibench.store.schema import SEARCHED, Phase, Record, RecordType, Status
from omnibench.store.states import RecordSource, Sighting, StateSource, item_states, sightings
from omnibench.store.trials import trials_of
from omnibench.store.tuned_items import tuned_item

_PATIENCE = 60.0
"""Seconds to wait after a failure before trying again."""

_FEW_ITEMS = 100
"""Up to so many items an export takes milliseconds, and waits for nothing but its share of the time."""

_QUICK = 0.1
"""Seconds of the processor that such an export takes at most; a few tuned items may have thousands of trials."""

_MOST_TRIES = 3
"""How often copies are written at the end of a run, while other processes write theirs."""

_Texts = tuple[str, int, dict[str, str]]
"""The revision of the records, the number of items that are done, and the texts of the copies by name."""

_writing = threading.Lock()
"""Held while records are read and written out: what is read later must not be overwritten by what was read before."""


class Exports:
    """Keeps the two files fresh without letting those of a larger store cost more than a small share of the time.

    Args:
        store: The store.
        share: Of the time since the last export, at most this much may go into the next.
    """

    def __init__(self, store: CheckpointStore, share: float = 0.03) -> None:
        self.store = store
        self.share = share
        self._items = self._done = 0
        self._next = self._pause = 0.0
        # Which end of an item is the latest, and which one the results were written after; assigned, so that no thread's is lost.
        self._latest_end = self._written_end = object()

    @property
    def is_behind(self) -> bool:
        """Whether an item has ended whose results are not written yet."""
        return self._latest_end is not self._written_end

    @property
    def due(self) -> bool:
        """Whether enough time has passed since the last export."""
        return time.monotonic() >= self._next

    def refresh(self, *, immediately: bool = False) -> str:
        """Write both files if they are due.

        Args:
            immediately: Whether to write them even if they are not due.

        Returns:
            Why that was not possible, or nothing. The copies are a convenience: no result depends on them.
        """
        try:
            with self._writing_in_time("results.json", immediately=immediately) as is_due:
                self._latest_end = object()
                for _ in range(_MOST_TRIES if immediately else int(is_due)):
                    revision = self._write(self.store.read, with_results=True)
                    # Another process may have read before, and written behind this one.
                    if not immediately or are_current(self.store.root, revision):
                        break
        except (OSError, StoreError) as error:
            return f"progress.json and results.json could not be written: {error}"
        return ""

    def refresh_progress(self) -> bool:
        """Write progress.json, if it is due, while items are computed; errors are ignored, and nothing is repaired.

        Where items have ended, of this process or of another, results.json is written with it: the next item may take hours.

        Returns:
            Whether it was written.
        """
        with suppress(OSError, StoreError), self._writing_in_time("progress.json") as is_due:
            if is_due:
                self._write(partial(read, self.store.root / "store"), with_results=self.is_behind)
                return True
        return False

    def _write(self, read_records: Callable[[Callable[[Reader], _Texts]], _Texts], *, with_results: bool) -> str:
        """Write the copies, and return the revision of the records that they were made of.

        Args:
            read_records: Calls what it is given with a reader of the records, and returns what that returns.
            with_results: Whether results.json is written; it is, too, where other items are done than when it was.
        """
        latest_end = self._latest_end  # before anything is read: an item may end meanwhile

        def texts_of(reader: Reader) -> _Texts:
            results, texts = Results(), dict[str, str]()
            revision = reader.revision
            items = self._progress(reader, results.add) if with_results else self._progress(reader)
            done = sum(item["status"] == Status.DONE for item in items.values())
            if not with_results and done != self._done:  # by other processes
                results.add_all(reader)
            if with_results or done != self._done:
                texts["results.json"] = with_header(revision, _listing("results", results.rows()))
            texts["progress.json"] = with_header(revision, _mapping("items", items))
            return revision, done, texts

        revision, done, texts = read_records(texts_of)
        # The results first: no item is done in progress.json whose results are missing, also when this is killed between both.
        for name, text in texts.items():
            self.store.replace_text(name, text)
        if "results.json" in texts:
            self._written_end, self._done = latest_end, done
        return revision

    @contextmanager
    def _writing_in_time(self, name: str, *, immediately: bool = False) -> Iterator[bool]:
        """Yield whether an export is due, while no other thread writes one, and set when the next one is due.

        Of a thousand threads that come to a phase while one writes, all but one find here that it has been written. What
        another process of a run has written a moment ago is not written again, either.

        Args:
            name: The file that is written.
            immediately: Whether it is written even if it is not due.
        """
        if not self.due and not immediately:
            yield False
            return
        with _writing:
            if not self.due and not immediately:
                yield False
                return
            left = 0.0 if immediately else self._pause - self._age_of(name)
            if left > 0:
                self._next = time.monotonic() + left
                yield False
                return
            started, used = time.monotonic(), time.thread_time()
            self._next = started + _PATIENCE
            yield True
            took = time.monotonic() - started
            # Whether others keep the machine busy does not count.
            quick = time.thread_time() - used
            is_quick = self._items <= _FEW_ITEMS and quick < _QUICK
            self._pause = quick / self.share if is_quick else max(1.0, took / self.share)
            self._next = time.monotonic() + self._pause

    def _age_of(self, name: str) -> float:
        """Return the seconds since a file was written; infinite where nobody knows."""
        try:
            age = time.time() - (self.store.root / name).stat().st_mtime
        except OSError:
            return math.inf
        return age if age >= 0 else math.inf

    def _progress(self, reader: Reader, note_done: Callable[[Record], None] = lambda _: None) -> dict[str, Any]:
        seen = sightings(self.store.root, (record for _, record in reader.records(RecordType.WORKER.prefix)))

        def holder_of(item: Record) -> str | None:
            return self.store.holder(item["fit_key"]) if item["item"] in seen else None

        items = progress(reader, seen, holder_of, note_done)
        self._items = len(items)
        return items


def refresh_copies(root: Path, notify: Callable[[str], None] = lambda _: None) -> str:
    """Bring the copies of a store up to date that no run has open, unless they are.

    Args:
        root: The store's directory.
        notify: Called with a sentence when the store had to be repaired or waited for.

    Returns:
        Why that was not possible, or nothing.
    """
    try:
        if are_current(root, read(root / "store", lambda reader: reader.revision)):
            return ""
        with closing(CheckpointStore(root, allow_network_fs=True, notify=notify)) as store:
            return Exports(store).refresh(immediately=True)
    except (OSError, StoreError) as error:
        return f"progress.json and results.json could not be written: {error}"


def progress(
    records: StateSource,
    seen: Mapping[str, Sighting],
    holder_of: Callable[[Record], str | None] = lambda _: None,
    note_done: Callable[[Record], None] = lambda _: None,
) -> dict[str, Any]:
    """Return ``{item: {status, phase, ...}}`` for every item that the records know, by name.

    A file cannot tell whether the process that computes an item still lives when it is read, so such an item counts as
    interrupted, as in the SQL view, with ``computed_by`` beside it: after a kill the file is right as it lies there. The
    ``snapshot`` that the next attempt at an item goes on from stands there, too.

    Args:
        records: All records.
        seen: What workers are doing; see ``states.sightings``.
        holder_of: The process that computes the item of a record right now, or None.
        note_done: Called with the record of each item that is done: to read them takes most of the time.
    """
    items: dict[str, Any] = {}
    in_search: list[Record] = []
    snapshots = open_snapshots(records)
    for record, state in item_states(records, seen, lambda _: False):
        if state.status is Status.DONE:
            note_done(record)
        item = {
            "status": state.status.value,
            "phase": state.phase,
            "fit_key": record["fit_key"],
            "finished": record["finished"],
        }
        if record.get("error"):
            item["error"] = record["error"]["message"]
        holder = holder_of(record) if state.status is not Status.DONE else None
        if holder is not None:
            item["computed_by"] = holder
        snapshot = snapshot_of(records, record, snapshots) if state.status is not Status.DONE else None
        if snapshot is not None:
            item["snapshot"] = newest_members(snapshot)
        if state.phase == Phase.TUNE and record.get(SEARCHED):
            in_search.append(record)
        items[record["item"]] = item
    for record in in_search:
        items[record["item"]]["trials"] = _trials(records, record)
    return dict(sorted(items.items()))


def _trials(records: RecordSource, item: Record) -> dict[str, Any]:
    """Return how far the search of an item is: the number of finished trials, of how many, and the best value."""
    key = item[SEARCHED]
    search = dict(records.records(RecordType.SEARCH.key(key))).get(RecordType.SEARCH.key(key), {})
    tuned = tuned_item(item, search, trials_of(records, key))
    return {"finished": len(tuned.finished), "of": tuned.limit, "metric": tuned.metric, "best": tuned.value}


class Results:
    """One row per item and metric of what is done, gathered while the records are read for something else, or on their own."""

    def __init__(self) -> None:
        self._rows_by_item: list[tuple[str, list[dict[str, Any]]]] = []

    def add(self, record: Record) -> None:
        """Add the rows of the record of an item that is done."""
        item_fields = {name: record[name] for name in ("dataset", "algorithm", "parameters", "fold")}
        rows = [
            {**item_fields, **_column(label), "value": metric["value"]} for label, metric in record["metrics"].items()
        ]
        self._rows_by_item.append((str(record["item"]), rows))

    def add_all(self, records: RecordSource) -> None:
        """Add the rows of all items that are done."""
        for _, record in records.records(RecordType.ITEM.prefix):
            if record["status"] == Status.DONE:
                self.add(record)

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows, by the items' names."""
        return [row for _, rows in sorted(self._rows_by_item, key=lambda pair: pair[0]) for row in rows]


def _column(label: str) -> dict[str, Any]:
    """Return the members that say what a value is of: metric, k, and the group where it is of one."""
    (metric, k), group = split_label(label), group_of(label)
    return {"metric": metric, "k": k, **({"group": group} if group else {})}


def _mapping(name: str, entries: dict[str, Any]) -> str:
    """Return JSON with one entry per line: readable and, unlike indented JSON, fast."""
    lines = (f" {_line(key)}: {_line(value)}" for key, value in entries.items())
    return f"{{{_line(name)}: {{\n" + ",\n".join(lines) + "\n}}\n"


def _listing(name: str, entries: Iterable[Any]) -> str:
    return f"{{{_line(name)}: [\n" + ",\n".join(f" {_line(entry)}" for entry in entries) + "\n]}\n"


_encode = encode_of(json.JSONEncoder(ensure_ascii=False, allow_nan=False))


def _line(data: Any) -> str:
    try:
        return _encode(data)
    except ValueError:  # a hyperparameter is infinite, for which JSON has no number
        return _encode(_finite(data))


def _finite(data: Any) -> Any:
    """Return data with texts such as ``inf`` in the place of numbers that JSON does not have."""
    if isinstance(data, float) and not math.isfinite(data):
        return str(data)
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    return [_finite(value) for value in data] if isinstance(data, list | tuple) else data

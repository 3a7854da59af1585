"""The records that tell how far a store is, without what takes the memory: those of phases that ended are only added up.

A store of a hundred thousand items has half a million records, of which most are of phases that are done. They are read one at a
time; what they cost is counted, and only those are kept that say how far an unfinished item is.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omnibench.store.checks import is_cost
from omnibench.store.frames import phase_rows
from omnibench.store.plans import PlannedLabels
from omnibench.store.reading import Reader, read
from omnibench.store.schema import SEARCHED, Record, RecordType, Status

_LEFT_OUT = (RecordType.OLD, RecordType.SERIES, RecordType.SCORE, RecordType.MARKS, RecordType.DATA, RecordType.RECIPE)
"""Types of records of which nothing is said."""

PHASE_TYPES = (RecordType.FIT, RecordType.PREDICT, RecordType.EVAL)
"""Types of records of phases, of which there are the most."""

_HEAVY = ("metrics", "node", "predicted", "test", "token", "predict_key", "data_key", "finished", "run", "worker")
"""Members of a done item's record that nobody needs who wants to know how far a store is."""


@dataclass(slots=True)
class Costs:
    """What the phases took that are done, in seconds.

    Attributes:
        seconds: Of all.
        starting: Of waiting for frameworks' processes.
        by_item: Of each item, by its name.
    """

    seconds: list[float] = field(default_factory=list)
    starting: list[float] = field(default_factory=list)
    by_item: dict[str, float] = field(default_factory=dict)

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add rows as ``frames.phase_rows`` returns them; those of phases that are not done belong to no item."""
        for row in rows:
            seconds = row.get("seconds") or 0.0
            self.seconds.append(seconds)
            self.starting.append(row.get("start_seconds") or 0.0)
            if row["status"] == Status.DONE:
                self.by_item[row["item"]] = self.by_item.get(row["item"], 0.0) + seconds


@dataclass(frozen=True, slots=True)
class LightRecords:
    """The records of a store that tell how far it is.

    Attributes:
        records: By key; those of items that are done lack what is heavy, those of their phases are left out.
        costs: What all phases have taken.
    """

    records: dict[str, Record]
    costs: Costs

    @property
    def elapsed(self) -> float:
        """Wall seconds of all phases."""
        return math.fsum(self.costs.seconds)

    @property
    def starting(self) -> float:
        """Seconds of waiting for frameworks' processes to start."""
        return math.fsum(self.costs.starting)


def light_records(root: Path) -> LightRecords:
    """Read the records of a store that tell how far it is; items are called as in the last plan.

    Args:
        root: The store's directory.

    Raises:
        StoreError: The records cannot be read.
    """
    return read(root / "store", _light)


def _light(reader: Reader) -> LightRecords:
    plan = PlannedLabels(reader.records(RecordType.PLAN.prefix, in_order=True))
    records: dict[str, Record] = {}
    finished: dict[str, str] = {}
    shared: dict[str, Any] = {}
    for key, item in reader.records(RecordType.ITEM.prefix, in_order=True):
        labelled = plan.labelled(item)
        is_done = item["status"] == Status.DONE
        records[key] = _without_weight(labelled, shared) if is_done else labelled
        if is_done and not item.get("attempts"):  # which may be parts of its Fit
            finished[records[key]["fit_key"]] = records[key]["item"]
    costs = Costs()
    records |= _phases(reader, finished, costs)
    for record_type in RecordType:
        if record_type not in (*_LEFT_OUT, *PHASE_TYPES, RecordType.ITEM):
            records |= reader.records(record_type.prefix, in_order=True)
    costs.add(phase_rows(records))
    return LightRecords(records, costs)


def _phases(reader: Reader, finished: Mapping[str, str], costs: Costs) -> Iterator[tuple[str, Record]]:
    """Yield the records of phases that are not those of finished items, of which the costs are added.

    Args:
        reader: Reads the records.
        finished: The names of the finished items, by key.
        costs: What theirs are added to.
    """
    for record_type in PHASE_TYPES:
        batches: set[int] = set()
        for key, members in reader.unformed(record_type.prefix):
            fit_key = members.get("fit_key")
            is_trial = record_type is RecordType.FIT and members.get(SEARCHED)
            if type(fit_key) is not str or fit_key not in finished or is_trial:
                record = reader.get(key)
                if record is not None:
                    yield key, record
                continue
            batch = hash((fit_key, str(members.get("batch") or key)))
            if batch not in batches and all(is_cost(members.get(name)) for name in ("seconds", "start_seconds")):
                costs.add([{**members, "item": finished[fit_key], "status": Status.DONE.value}])
            if members.get("batch"):
                batches.add(batch)  # the metrics that one Eval computed share its costs


def _without_weight(item: Record, shared: dict[str, Any]) -> Record:
    """Return the record of a done item without what is heavy; what others have alike is shared with them.

    Args:
        item: The record.
        shared: The configurations and texts that were met already.
    """
    light = {name: value for name, value in item.items() if name not in _HEAVY}
    for name, value in light.items():
        if isinstance(value, str):
            light[name] = sys.intern(value)
    identity = light.get("identity")
    if identity:
        name = f"{item['algorithm']} {item['dataset']}"
        form, members = identity
        configuration = shared.setdefault(name, members["configuration"])
        if configuration == members["configuration"]:
            light["identity"] = [sys.intern(form), {**members, "configuration": configuration}]
    return light

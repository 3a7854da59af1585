"""The records that tell how far a store is, without what takes the memory: those of phases that ended are only added up.

A store of a hundred thousand items has half a million records, of which most are of phases that are done. They are read one at a
time; what they cost is counted, and only those are kept that say how far an unfinished item is.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from omnibench.store.checks import is_cost
from omnibench.store.formats import SEALED_SINCE
from omnibench.store.frames import phase_rows
from omnibench.store.phase_costs import TYPES as PHASE_TYPES
from omnibench.store.phase_texts import CostsText, costs_in
from omnibench.store.plain_items import PlainItems, PlainItemsReader
from omnibench.store.plans import PlannedLabels
from omnibench.store.reader import Reader
from omnibench.store.reading import read
from omnibench.store.schema import SEARCHED, Record, RecordType, Status
from omnibench.store.shared_parts import SharedParts
from omnibench.store.summed_costs import Costs, rows_beside

_LEFT_OUT = (RecordType.OLD, RecordType.SERIES, RecordType.SCORE, RecordType.MARKS, RecordType.DATA, RecordType.RECIPE)
"""Types of records of which nothing is said."""

_HEAVY = ("metrics", "node", "predicted", "test", "token", "predict_key", "run", "worker")
"""Members of a done item's record that nobody needs who wants to know how far a store is."""


@dataclass(frozen=True, slots=True)
class LightRecords:
    """The records of a store that tell how far it is.

    Attributes:
        records: By key; those of items that are done lack what is heavy, those of their phases are left out.
        costs: What all phases have taken.
        plain: Items that are done, where they were to be kept by configuration; their records are not among ``records`` then.
    """

    records: dict[str, Record]
    costs: Costs
    plain: Sequence[PlainItems] = ()

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
    return read(root / "store", light_records_in)


def light_records_in(
    reader: Reader,
    *,
    with_costs: bool = True,
    with_nodes: bool = False,
    with_metrics: bool = False,
    takes_plain: bool = False,
) -> LightRecords:
    """Return what ``light_records`` does, as a reader finds it.

    Args:
        reader: Reads the records.
        with_costs: Whether anybody asks for costs, for which the records of all phases are read.
        with_nodes: Whether the records of done items have their node ids, by which somebody may name them.
        with_metrics: Whether most of those have their metrics, packed, and the key of their predictions; the others have neither.
        takes_plain: Whether items whose records are plain are kept by configuration, with their metrics, instead of their records. Those
            of evaluations, which say nothing of how far an item is, need not be among the records then.

    Raises:
        ValueError: Costs are asked for where plain items are kept by configuration, which have no names to tell costs by.
    """
    if takes_plain and with_costs:
        raise ValueError(
            "plain items have no names that costs could be told by; give with_costs=False with takes_plain=True."
        )
    plans = dict(reader.records(RecordType.PLAN.prefix, in_order=True))  # read once: they name every item
    plan = PlannedLabels(plans.items())
    with_snapshots = {snapshot["fit_key"] for _, snapshot in reader.records(RecordType.SNAPSHOT.prefix)}
    records: dict[str, Record] = {}
    finished: dict[str, str] = {}
    whole_items: dict[str, Record] = {}  # of others, nothing but their phases has costs
    shared = SharedParts()
    heavy = tuple(member for member in _HEAVY if not (with_nodes and member == "node"))
    plain = PlainItemsReader(plan.known_key, with_snapshots)
    options = {"is_taken": plain.take} if takes_plain else {}
    for key, item, is_light in reader.light_items(with_nodes=with_nodes, with_metrics=with_metrics, **options):
        if is_light:
            fit_key = item["fit_key"] = plan.known_key(item["fit_key"])
            records[key] = labelled = plan.labelled(item)
            if fit_key not in with_snapshots:
                finished[fit_key] = labelled["item"]
            continue
        labelled = plan.labelled(item)
        is_done = item["status"] == Status.DONE
        is_whole = not is_done or item.get(SEARCHED)  # of tuned ones, searches are told of, and they are few
        records[key] = whole_items[key] = labelled if is_whole else shared.item_without(heavy, labelled)
        # Attempts may be parts of its Fit, a trial may be its Fit, and without that a snapshot would be of a Fit that goes on.
        is_simple = not item.get("attempts") and not item.get(SEARCHED) and item["fit_key"] not in with_snapshots
        if is_done and is_simple:
            finished[records[key]["fit_key"]] = records[key]["item"]
    finished.update(dict.fromkeys(plain.fit_keys, ""))
    items = len(records)
    costs = Costs()
    phase_costs = reader.phase_costs() if with_costs else None
    if phase_costs is None:
        rows = reader.rows_of_other_phases(finished, with_evaluations=not takes_plain)
    else:
        rows = rows_beside(phase_costs, finished, costs)
    records |= _phases(reader, finished, costs) if rows is None else reader.in_rows(rows)
    records |= _records_apart(reader, plans)
    if with_costs:
        costs.add_rows(phase_rows(whole_items | dict(islice(records.items(), items, None))))
    return LightRecords(records, costs, [part for group in plain.groups for part in _labelled(group, plan)])


def _records_apart(reader: Reader, plans: Mapping[str, Record]) -> Iterator[tuple[str, Record]]:
    """Yield the records that are neither of items nor of their phases, and tell how far a store is.

    Args:
        reader: Reads the records.
        plans: Those of plans, which have been read already.
    """
    for record_type in RecordType:
        if record_type is RecordType.PLAN:
            yield from plans.items()
        elif record_type not in (*_LEFT_OUT, *PHASE_TYPES, RecordType.ITEM):
            yield from reader.records(record_type.prefix, in_order=True)


def _labelled(group: PlainItems, plan: PlannedLabels) -> Iterator[PlainItems]:
    """Yield items as the plan calls them, those together that it calls alike."""
    parts = plan.called_alike(group.fit_keys)
    for numbers in parts:
        example = plan.labelled({**group.example, "fit_key": group.fit_keys[numbers[0]]})
        if len(parts) > 1:
            yield group.part(numbers, example)
        else:
            group.example = example
            yield group


def _phases(reader: Reader, finished: Mapping[str, str], costs: Costs) -> Iterator[tuple[str, Record]]:
    """Yield the records of phases that are not those of finished items, of which the costs are added.

    Args:
        reader: Reads the records.
        finished: The names of the finished items, by key.
        costs: What theirs are added to.
    """
    for record_type in PHASE_TYPES:
        batches: set[int] = set()
        for key, phase in _phase_costs(reader, record_type):
            item = None if phase is None else finished.get(phase.fit_key)
            if phase is None or item is None:
                record = reader.get(key)
                if record is not None:
                    yield key, record
                continue
            batch = hash((phase.fit_key, phase.batch)) if phase.batch else 0
            if (not batch or batch not in batches) and is_cost(phase.seconds) and is_cost(phase.start_seconds):
                costs.add(phase.seconds, phase.start_seconds, item)
            if batch:
                batches.add(batch)  # the metrics that one Eval computed share its costs


def _phase_costs(reader: Reader, record_type: RecordType) -> Iterator[tuple[str, CostsText | None]]:
    """Yield the key of every phase of a type with its costs; without them where its whole record has to be looked at."""
    if reader.version < SEALED_SINCE:
        for key, members in reader.unformed(record_type.prefix, in_order=True):
            yield key, _costs_of(members)
        return
    for key, text in reader.sound_texts(record_type.prefix, in_order=True):
        is_trial = record_type is RecordType.FIT and _TRIAL in text
        costs = None if is_trial else costs_in(text)
        yield key, costs if costs or is_trial else _costs_of(_members(text))


_TRIAL = f', "{SEARCHED}": "'


def _members(text: str) -> Any:
    """Return what a text holds, as JSON; nothing where it is none, which the checksum has not said."""
    with suppress(ValueError, RecursionError):
        return json.loads(text)
    return None


def _costs_of(members: Any) -> CostsText | None:
    """Return the costs in the members of a phase's record; None of a trial, and where they are not what they should be."""
    if not isinstance(members, dict) or members.get(SEARCHED) or type(members.get("fit_key")) is not str:
        return None
    costs = (members.get("seconds"), members.get("peak_rss"), members.get("start_seconds"))
    return CostsText(members["fit_key"], *costs, str(members.get("batch") or "")) if all(map(is_cost, costs)) else None

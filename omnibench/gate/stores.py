"""The gate over a store, for scripts and for the command line."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from omnibench.arguments import checked_call
from omnibench.errors import BaselineError
from omnibench.gate.baseline import Baseline, write
from omnibench.gate.entries import Entry, newest
from omnibench.gate.judgement import Judge
from omnibench.gate.measurements import Measurements
from omnibench.gate.scope import Scope
from omnibench.gate.series import Series
from omnibench.gate.verdicts import Gate
from omnibench.provenance import git_of
from omnibench.store.evaluations import Evaluations
from omnibench.store.plans import INTERACTIVE, Planned, file_of, plan_of
from omnibench.store.queries import Store, open_store
from omnibench.store.reading import Answer
from omnibench.store.schema import Record, Status

StoreOrPath = Store | str | os.PathLike[str]

MISSING = ("fail", "ok")
"""What becomes of what the baseline has and the plan lacks."""


class JudgedStore(NamedTuple):
    """What of a store is judged, or written into a baseline.

    Attributes:
        source: Its measurements.
        entries: The entries to take.
        left_out: The names of those that are not taken, and when each was finished.
        plan: Its plan; empty where none is recorded, or all items were asked for.
        failed: The items of the plan that failed, by name.
    """

    source: Measurements
    entries: list[Entry]
    left_out: dict[str, str]
    plan: list[Planned]
    failed: list[str]


@checked_call
def write_baseline(store: StoreOrPath, path: str | os.PathLike[str], *, all_items: bool = False) -> Baseline:
    """Write what a store has measured into one file, to compare later measurements with.

    It takes the items of the last plan: what bench files and scripts declared when they ran last. Where no plan is
    recorded, or with ``all_items``, it takes every item that is done: of each dataset and algorithm with its
    hyperparameters those that were finished last, whatever code or version of a framework that was.

    Args:
        store: A store, or its directory.
        path: The file, Parquet; a baseline that is there is replaced.
        all_items: Also what is not in the last plan.

    Raises:
        BaselineError: Nothing is done, or the file cannot be written, or is there and is something else.
        StoreError: There is no store, or it cannot be read.
        StatisticsError: Values per user are missing or damaged.
    """
    return with_judged(
        store,
        lambda judged: write(path, judged.source, judged.entries, git_of(Path.cwd())),
        all_items=all_items,
    )


@checked_call
def compare_with_baseline(
    store: StoreOrPath,
    baseline: str | os.PathLike[str] | Baseline,
    *,
    tolerance: float = 0.0,
    alpha: float = 0.05,
    metrics: Collection[str] = (),
    missing: str = "fail",
    all_items: bool = False,
) -> Gate:
    """Judge what a store has measured by a baseline: whether anything is worse, by more than chance, or gone.

    Judged are the items of the last plan, as a run of pytest over all bench files would. Where no plan is recorded, or
    with ``all_items``, it is what was finished last of each dataset and algorithm with its hyperparameters; a dataset
    that was measured after all those of its name that the baseline knows takes their place: its data or its split has
    changed. What a fit or a prediction costs is not compared.

    Args:
        store: A store, or its directory.
        baseline: A file that ``write_baseline`` or pytest wrote, or what was read of it.
        tolerance: The relative loss that is accepted, e.g. 0.01: only what is significantly worse than the baseline
            less this share fails.
        alpha: The probability that anything fails although nothing is worse by more than that.
        metrics: The labels to compare, e.g. ``["NDCG@10"]``; all by default.
        missing: ``fail`` or ``ok``: what becomes of what the baseline has and the plan lacks.
        all_items: Also what is not in the last plan.

    Raises:
        BaselineError: The baseline cannot be read, or a value is impossible.
        StoreError: There is no store, or it cannot be read.
    """
    if missing not in MISSING:
        raise BaselineError(f"missing is {missing!r}; choose from {', '.join(MISSING)}.")
    opened = store if isinstance(store, Store) else open_store(store)
    reference = baseline if isinstance(baseline, Baseline) else Baseline(baseline)
    judge = Judge(reference, tolerance, alpha, metrics)

    def judge_all(judged: JudgedStore) -> Gate:
        if judged.plan:
            entries = [*judged.entries, *judged.source.without_results]
        else:
            entries = _current_entries(judged.entries, reference)

        def covered(series: Series) -> list[bool]:
            return [_is_covered(source, judged.plan) for source in series.sources] if judged.plan else []

        scope = Scope(
            covers=lambda series: any(covered(series)) or not covered(series),
            covers_metrics=lambda series: all(covered(series)),
            failed=judged.failed,
            missing_ok=missing == "ok",
            basis=_basis(judged.plan, all_items=all_items),
        )
        return judge.judge(judged.source, entries, scope)

    return with_judged(opened, judge_all, all_items=all_items)


def with_judged(store: StoreOrPath, use: Callable[[JudgedStore], Answer], *, all_items: bool = False) -> Answer:
    """Return what somebody makes of what of a store is judged: its last plan, or what was finished last of each configuration.

    Args:
        store: A store, or its directory.
        use: Called while the store is open, so that values of users are looked up as of one moment; again where reading failed
            half way.
        all_items: Whether the plan does not count.

    Raises:
        StoreError: There is no store, or it cannot be read.
        BaselineError: It was written by a version of omnibench that did not note what is needed.
    """
    opened = store if isinstance(store, Store) else open_store(store)

    def take(records: dict[str, Record], items: Iterator[tuple[str, Record]], evaluations: Evaluations) -> Answer:
        return use(_judged(opened.root, records, (item for _, item in items), evaluations, all_items=all_items))

    return opened.compared_in_turn(take)


def _judged(
    root: Path, records: Mapping[str, Record], items: Iterable[Record], evaluations: Evaluations, *, all_items: bool
) -> JudgedStore:
    """Return what of a store is judged; see ``with_judged``.

    Args:
        root: The store's directory.
        records: Those of its plans and datasets.
        items: Those of its items.
        evaluations: Its evaluations.
        all_items: Whether the plan does not count.
    """
    plan = [] if all_items else plan_of(records.items())
    if not plan:
        source = Measurements(root, records.get, items, evaluations=evaluations)
        entries, older = newest(source.entries)
        return JudgedStore(source, entries, {entry.name: entry.finished for entry in older}, plan, [])
    declared = _Declared(plan)
    planned = _PlannedItems(items, declared.sources)
    source = Measurements(
        root, records.get, planned, declared.directions, sources=declared.sources, evaluations=evaluations
    )
    # A file declares one version of a class; a notebook goes on declaring what its cells were before.
    _, older = newest([entry for entry in source.entries if entry.sources == (INTERACTIVE,)])
    older_ids = {id(entry) for entry in older}
    entries = [entry for entry in source.entries if id(entry) not in older_ids]
    left_out = planned.left_out | {entry.name: entry.finished for entry in older}
    return JudgedStore(source, entries, left_out, plan, planned.failed)


class _Declared:
    """What a plan declares, by the fit keys of its items: those of one bench function share it.

    Args:
        plan: The plan.

    Attributes:
        sources: The bench functions and scripts that declare each item.
        directions: The metrics to take of each item, and whether larger values are better.
    """

    def __init__(self, plan: Sequence[Planned]) -> None:
        parts: dict[str, tuple[int, ...]] = {}
        alike: dict[tuple[int, ...], tuple[int, ...]] = {}
        for number, part in enumerate(plan):
            for fit_key in part.items:
                numbers = (*parts.get(fit_key, ()), number)
                parts[fit_key] = alike.setdefault(numbers, numbers)
        sources = {numbers: [plan[number].source for number in numbers] for numbers in alike}
        directions = {
            numbers: {label: higher for number in numbers for label, higher in plan[number].columns.items()}
            for numbers in alike
        }
        self.sources = {fit_key: sources[numbers] for fit_key, numbers in parts.items()}
        self.directions = {fit_key: directions[numbers] for fit_key, numbers in parts.items()}


class _PlannedItems:
    """The items that a plan names, of all that are gone through once.

    Args:
        items: The records of all items.
        fit_keys: The keys of those that the plan names.

    Attributes:
        failed: Those of them that failed, by name, once all were gone through.
        left_out: The names of configurations of which other items are done, and when the last of these was.
    """

    def __init__(self, items: Iterable[Record], fit_keys: Collection[str]) -> None:
        self._items = items
        self._fit_keys = fit_keys
        self.failed: list[str] = []
        self.left_out: dict[str, str] = {}

    def __iter__(self) -> Iterator[Record]:
        for item in self._items:
            if item["fit_key"] in self._fit_keys:
                if item["status"] == Status.FAILED:
                    self.failed.append(item["item"])
                yield item
            elif item["status"] == Status.DONE:
                name = f"{item['dataset']}/{item['algorithm']}"
                self.left_out[name] = max(self.left_out.get(name, ""), item["finished"])


def _basis(plan: list[Planned], *, all_items: bool) -> str:
    """Return the sentence about what is judged, where it is not a plan."""
    if plan:
        return ""
    if all_items:
        return "judged is what was finished last of each configuration, whatever the last plan names"
    return (
        "this store remembers no plan, so judged is what was finished last of each configuration, and what the bench files "
        "do not name any more is not missed; the next run of pytest notes the plan, and `pytest --omnirec-readonly "
        "--omnirec-gate=FILE` knows it"
    )


def _is_covered(source: str, plan: list[Planned]) -> bool:
    """Whether the plan would have a bench function if it were still there: not if its file is, and was never collected."""
    file = file_of(source)
    if any(part.file == file for part in plan):
        return True
    return not any((Path(part.root) / file).exists() for part in plan)


def measurements(store: StoreOrPath) -> Measurements:
    """Return the entries of a store, whatever its plan.

    Args:
        store: A store, or its directory.

    Raises:
        StoreError: There is no store, or it cannot be read.
        BaselineError: It was written by a version of omnibench that did not note what is needed.
    """
    opened = store if isinstance(store, Store) else open_store(store)

    def take(records: dict[str, Record], items: Iterator[tuple[str, Record]], evaluations: Evaluations) -> Measurements:
        return Measurements(opened.root, records.get, (item for _, item in items), evaluations=evaluations)

    return opened.compared_in_turn(take)


def _current_entries(entries: list[Entry], baseline: Baseline) -> list[Entry]:
    """Return the entries without those of datasets of the baseline that a newer one of the same name has replaced."""
    baseline_keys = {entry.dataset.key for entry in baseline.entries}
    latest: dict[tuple[str, bool], str] = {}
    for entry in entries:
        group = (entry.dataset.name, entry.dataset.key in baseline_keys)
        latest[group] = max(latest.get(group, ""), entry.finished)
    return [
        entry
        for entry in entries
        if entry.dataset.key not in baseline_keys
        or latest.get((entry.dataset.name, False), "") <= latest[entry.dataset.name, True]
    ]

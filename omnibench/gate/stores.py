"""The gate over a store, for scripts and for the command line."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from omnibench.gate.baseline import Baseline, write
from omnibench.gate.entries import Entry, Measurements, newest
from omnibench.gate.judgement import Judge
from omnibench.gate.verdicts import Gate
from omnibench.provenance import git_of
from omnibench.store.queries import Store, open_store
from omnibench.store.schema import RecordType

StoreOrPath = Store | str | os.PathLike[str]


def write_baseline(store: StoreOrPath, path: str | os.PathLike[str]) -> Baseline:
    """Write what a store has measured into one file, to compare later measurements with.

    A store knows no plan, so this takes every item that is done: of each dataset and algorithm with its hyperparameters
    those that were finished last, whatever code or version of a framework that was. Run pytest with
    ``--omnirec-baseline=FILE`` to have exactly the items of that run.

    Args:
        store: A store, or its directory.
        path: The file, Parquet; a baseline that is there is replaced.

    Raises:
        BaselineError: Nothing is done, or the file cannot be written, or is there and is something else.
        StoreError: There is no store, or it cannot be read.
        StatisticsError: Values per user are missing or damaged.
    """
    source = measurements(store)
    entries, _ = newest(source)
    return write(path, source, entries, git_of(Path.cwd()))


def compare_with_baseline(
    store: StoreOrPath,
    baseline: str | os.PathLike[str] | Baseline,
    *,
    tolerance: float = 0.0,
    alpha: float = 0.05,
    metrics: Collection[str] = (),
) -> Gate:
    """Judge what a store has measured by a baseline: whether anything is worse, by more than chance.

    Of each dataset and algorithm with its hyperparameters what was finished last is compared; see ``write_baseline``. A
    dataset that was measured after all those of its name that the baseline knows takes their place: its data or its split
    has changed. What a fit or a prediction costs is not compared.

    Args:
        store: A store, or its directory.
        baseline: A file that ``write_baseline`` or pytest wrote, or what was read of it.
        tolerance: The relative loss that is accepted, e.g. 0.01: only what is significantly worse than the baseline less
            this share fails.
        alpha: The probability that anything fails although nothing is worse by more than that.
        metrics: The labels to compare, e.g. ``["NDCG@10"]``; all by default.

    Raises:
        BaselineError: The baseline cannot be read, or a value is impossible.
        StoreError: There is no store, or it cannot be read.
    """
    reference = baseline if isinstance(baseline, Baseline) else Baseline(baseline)
    judge = Judge(reference, tolerance, alpha, metrics)
    source = measurements(store)
    entries, _ = newest(source)
    return judge.judge(source, _current_entries(entries, reference))


def measurements(store: StoreOrPath) -> Measurements:
    """Return the entries of a store.

    Raises:
        StoreError: There is no store, or it cannot be read.
        BaselineError: It was written by a version of omnibench that did not note what is needed.
    """
    opened = store if isinstance(store, Store) else open_store(store)
    records = opened.records()
    items = (record for key, record in records.items() if RecordType.ITEM.has(key))
    return Measurements(opened.root, records.get, items)


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

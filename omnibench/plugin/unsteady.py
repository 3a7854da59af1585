"""Data whose content differs from process to process: it is named and refused, as no result is found again.

Keys are made of content. Where a frame is drawn without a seed, or depends on the order of a set, each of xdist's workers
has items of its own, which the overseeing process does not know; and each run computes everything again.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from omnibench.data.file_source import StoredSource
from omnibench.engine.collected import FILE_VARIABLE, Collected
from omnibench.errors import StoreError
from omnibench.plugin.lines import usage_error
from omnibench.plugin.plan import planned_of
from omnibench.store.plans import STEADY_DATA, Planned, differing_labels, plan_of
from omnibench.store.reading import read
from omnibench.store.schema import RecordType

if TYPE_CHECKING:  # half a second of imports, which runs without benchmarks save
    from omnibench.plugin.session import BenchSession


def refuse_strange_items(session: BenchSession, worker: str, nodeids: Iterable[str]) -> None:
    """Refuse what a worker has collected when its items are not those of this process.

    Args:
        session: The benchmarks of the overseeing process.
        worker: What xdist calls the worker.
        nodeids: What it has collected.

    Raises:
        pytest.UsageError: It has benchmark items that this process does not have; it names what they are made of.
    """
    expected = {item.nodeid for item in session.items}
    strange = [(nodeid, _source_of(nodeid, session)) for nodeid in nodeids if nodeid not in expected]
    benchmarks = [(nodeid, source) for nodeid, source in strange if source is not None]
    # Once for each benchmark: there may be thousands of items.
    datasets = {
        source: dict.fromkeys(_dataset_of(item.nodeid, source) for item in session.planned[source])
        for source in dict.fromkeys(source for _, source in benchmarks)
    }
    redrawn: dict[tuple[str, str], str] = {}
    for nodeid, source in benchmarks:
        dataset, own_datasets = _dataset_of(nodeid, source), datasets[source]
        if dataset not in own_datasets:
            label = dataset.rpartition("-")[0]
            own_name = next((name for name in own_datasets if name.startswith(f"{label}-")), next(iter(own_datasets)))
            redrawn[label, source] = f"{own_name} in this one and {dataset} in worker {worker}"
    if redrawn:
        for part in planned_of(session):
            _note_unsteady(session, part, [label for label, source in redrawn if source == part.source])
        raise usage_error(
            f"the data {_listed(redrawn)} differs from process to process: it is {', '.join(redrawn.values())}. {STEADY_DATA}"
        )
    if benchmarks:  # the others are no benchmarks; xdist says itself what is wrong
        nodeid, source = benchmarks[0]
        configuration = nodeid.removeprefix(f"{source}::{_dataset_of(nodeid, source)}/").partition("/")[0]
        raise usage_error(
            f"{configuration} of {source} exists only in worker {worker}: a hyperparameter, a class's code "
            "or the seed differs from process to process, so that its results could not be found again. Give a seed to what "
            "draws at random, and sort what comes out of a set."
        )


def _source_of(nodeid: str, session: BenchSession) -> str | None:
    """Return the benchmark that an item belongs to, if any does."""
    return next((source for source in session.planned if nodeid.startswith(f"{source}::")), None)


def _listed(datasets: Iterable[tuple[str, str]]) -> str:
    """Name datasets by their labels and who declares them."""
    return ", ".join(f"{label} of {source}" for label, source in datasets)


def _dataset_of(nodeid: str, source: str) -> str:
    """Return the name of a dataset in the node id of an item."""
    return nodeid.removeprefix(f"{source}::").partition("/")[0]


def refuse_redrawn_data(session: BenchSession) -> None:
    """Refuse data that is another than in the last run and another once more in a fresh process.

    Only data in memory whose bench file has not been changed since is made once more.

    Args:
        session: The benchmarks of the overseeing process, some of which are pending.

    Raises:
        pytest.UsageError: There is such data; it names it.
    """
    config = session.config
    if session.looks_only or session.policy.resume == "never" or config.pluginmanager.has_plugin("dsession"):
        return  # workers make it once more anyway
    with suppress(StoreError, OSError):  # whoever needs the records says so
        recorded = read(session.directory / "store", lambda reader: list(reader.records(RecordType.PLAN.prefix)))
        noted = {record["source"]: str(record["noted"]) for _, record in recorded}
        earlier = {part.source: part for part in plan_of(recorded)}
        suspects = {
            (label, part.source): key
            for part in planned_of(session)
            for label, key in _suspects(session, part, differing_labels(earlier.get(part.source), part), noted)
        }
        if suspects:
            _refuse_what_differs_again(session, earlier, suspects)


def _suspects(
    session: BenchSession, part: Planned, labels: Sequence[str], noted: dict[str, str]
) -> Iterator[tuple[str, str]]:
    """Yield labels and keys of data that is in memory and made by a file that is older than the recorded plan."""
    items = session.planned[part.source] if labels else []
    if items and items[0].path.stat().st_mtime > datetime.fromisoformat(noted[part.source]).timestamp():
        return
    for item in items:
        dataset = item.experiment.dataset
        label = item.experiment.dataset_label or dataset.name
        if label in labels and not isinstance(dataset.source, StoredSource):
            yield label, dataset.key


def _refuse_what_differs_again(
    session: BenchSession, earlier: Mapping[str, Planned], suspects: Mapping[tuple[str, str], str]
) -> None:
    """Make suspicious data once more, and refuse what has a third content.

    Args:
        session: The benchmarks.
        earlier: The plan of the last run, by source.
        suspects: The keys of the data by label and source.
    """
    session.notify(
        f"{_listed(suspects)} has another content than in the last run, although the file is as it was; it is made once more in "
        "another process, to see whether that differs, too"
    )
    recollected = _collected_again(session.config)
    unsteady = [names for names, key in suspects.items() if recollected is not None and key not in recollected.datasets]
    if unsteady:
        for source in dict.fromkeys(source for _, source in unsteady):
            _note_unsteady(session, earlier[source], [label for label, file in unsteady if file == source])
        raise usage_error(
            f"the data {_listed(unsteady)} differs from process to process: it had one content in the last run, has another in "
            f"this, and a third in a process that only made it again. {STEADY_DATA}"
        )


def _collected_again(config: pytest.Config) -> Collected | None:
    """Return what the same command collects in a process of its own, or None where that cannot be known."""
    if config.invocation_params.plugins:  # which a process of its own would not have
        return None
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "collected.json"
        options = ["--collect-only", "-q", "-p", "omnibench.plugin.planned"]
        command = [sys.executable, "-m", "pytest", *map(str, config.invocation_params.args), *options]
        subprocess.run(
            command,
            check=False,
            capture_output=True,
            cwd=config.invocation_params.dir,
            env={**os.environ, FILE_VARIABLE: str(file)},
        )
        try:
            collected = Collected.read(file)
        except (OSError, ValueError):
            return None
    return None if collected.trouble else collected


def _note_unsteady(session: BenchSession, part: Planned, labels: Sequence[str]) -> None:
    """Let the store remember it, so that ``omnibench status`` says it as well."""
    if labels and not session.looks_only and session.policy.resume != "never":
        session.remember({part.key: replace(part, unsteady=tuple(labels)).record})

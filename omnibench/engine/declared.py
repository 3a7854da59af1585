"""What a script or a notebook declares: its part of the store's plan."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import datetime
from pathlib import Path

from omnibench.engine.items import column_directions
from omnibench.errors import StoreError
from omnibench.experiment.experiment import Experiment
from omnibench.metrics.base import Columns
from omnibench.store import CheckpointStore
from omnibench.store.plans import INTERACTIVE, STEADY_DATA, Planned, differing_labels, plan_changes, plan_of
from omnibench.store.schema import RecordType

_declared: dict[tuple[Path, str], Planned] = {}
"""What this process has declared so far, by store and source: a script may run several plans."""

_origin: ContextVar[str] = ContextVar("origin", default="")
"""What stands for the script in the plan."""


def note_declared(
    store: CheckpointStore,
    experiments: Sequence[Experiment],
    columns: Columns,
    notify: Callable[[str], None] = lambda _: None,
) -> None:
    """Have a store remember what this script has declared, where that has changed.

    A script's plan is what its process has run; what an earlier process of the same script ran gives way. A notebook,
    or a prompt, begins anew whenever it is restarted and goes on with a part, so nothing gives way there.

    Args:
        store: The store.
        experiments: The experiments of a run.
        columns: The metrics and labels that it measures.
        notify: Called with a sentence about data that is another than in the last run, although the script is not.
    """
    if not experiments:
        return
    measured = column_directions(experiments[0], columns)
    source, root = _source()
    with suppress(StoreError, OSError):  # whoever needs the records says so
        records = store.read(lambda reader: list(reader.records(RecordType.PLAN.prefix)))
        recorded = plan_of(records)
        earlier = _declared.get((store.root, source))
        if earlier is None and source == INTERACTIVE:
            earlier = next((part for part in recorded if part.source == source), None)
        part = Planned(
            source,
            root,
            {**(earlier.columns if earlier else {}), **measured},
            frozenset([experiment.fit_key for experiment in experiments]) | (earlier.items if earlier else frozenset()),
            {**(earlier.datasets if earlier else {}), **dataset_names(experiments)},
            {**(earlier.configurations if earlier else {}), **configuration_names(experiments)},
            {**(earlier.seeds if earlier else {}), **numbers_of_seeds(experiments)},
            (earlier.fitted_once if earlier else frozenset()) | fitted_once(experiments),
        )
        if earlier is None:
            last = next((part for part in recorded if part.source == source), None)
            noted = next((str(record["noted"]) for _, record in records if record["source"] == source), "")
            labels = differing_labels(last, part)
            if labels and _is_unchanged(Path(root) / source, noted):
                notify(
                    f"{', '.join(labels)} has another content than in the last run of {source}, which has not been changed since: "
                    f"nothing of that run is of use. If the data is not new, {STEADY_DATA[0].lower()}{STEADY_DATA[1:]}"
                )
        _declared[store.root, source] = part
        changed, _ = plan_changes(recorded, [part], lambda _: False)
        if changed:
            store.records.commit(changed)


def _is_unchanged(script: Path, noted: str) -> bool:
    """Whether a script is older than what was noted of it."""
    try:
        return script.stat().st_mtime <= datetime.fromisoformat(noted).timestamp()
    except (OSError, ValueError):  # no file, or nothing noted
        return False


def dataset_names(experiments: Iterable[Experiment]) -> dict[str, str]:
    """Return what people call the datasets of experiments, by display name."""
    examples = {id(experiment.dataset): experiment for experiment in experiments}
    return {example.dataset_name: example.dataset_label or example.dataset.name for example in examples.values()}


def configuration_names(experiments: Iterable[Experiment]) -> dict[str, str]:
    """Return what the user calls the configurations of experiments, by display name; without those that have no label."""
    examples = {
        (id(experiment.configuration), experiment.seed, experiment.refit): experiment
        for experiment in experiments
        if experiment.configuration.user_label
    }
    return {example.algorithm_name: example.configuration.user_label for example in examples.values()}


def numbers_of_seeds(experiments: Iterable[Experiment]) -> dict[str, int]:
    """Return how many seeds are asked for, by the display name of each configuration of which that is more than one."""
    return {example.algorithm_name: len(example.seeds) for example in _with_several_seeds(experiments)}


def fitted_once(experiments: Iterable[Experiment]) -> frozenset[str]:
    """Return the display names of the configurations that are fitted with the first of several seeds only."""
    examples = _with_several_seeds(experiments)
    return frozenset(example.algorithm_name for example in examples if not example.names_seed)


def _with_several_seeds(experiments: Iterable[Experiment]) -> Collection[Experiment]:
    """Return an experiment of every configuration and seed of which several seeds are asked for."""
    several = (experiment for experiment in experiments if experiment.seeds)
    return {
        (id(experiment.configuration), experiment.seed, experiment.refit): experiment for experiment in several
    }.values()


@contextmanager
def declared_from(origin: str) -> Iterator[None]:
    """Have what runs meanwhile stand in the plan by where it was taken from, and not by the script that runs.

    Args:
        origin: What is taken over; of the same origin, what was declared earlier gives way.
    """
    token = _origin.set(f"<{origin}>")  # no file, so nothing gives way because there is none
    try:
        yield
    finally:
        _origin.reset(token)


def _source() -> tuple[str, str]:
    """Return what declares: the script's path, relative to the working directory where it lies below, and that directory."""
    directory = Path.cwd()
    if _origin.get():
        return _origin.get(), str(directory)
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    if not script:
        return INTERACTIVE, str(directory)
    path = Path(os.path.abspath(script))
    return (path.relative_to(directory) if path.is_relative_to(directory) else path).as_posix(), str(directory)

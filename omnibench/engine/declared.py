"""What a script or a notebook declares: its part of the store's plan."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from omnibench.engine.items import Columns, column_directions
from omnibench.errors import StoreError
from omnibench.experiment.experiment import Experiment
from omnibench.store import CheckpointStore
from omnibench.store.plans import INTERACTIVE, Planned, plan_changes, plan_of
from omnibench.store.schema import RecordType

_declared: dict[tuple[Path, str], Planned] = {}
"""What this process has declared so far, by store and source: a script may run several plans."""

_origin: ContextVar[str] = ContextVar("origin", default="")
"""What stands for the script in the plan."""


def note_declared(store: CheckpointStore, experiments: Sequence[Experiment], columns: Columns) -> None:
    """Have a store remember what this script has declared, where that has changed.

    A script's plan is what its process has run; what an earlier process of the same script ran gives way. A notebook,
    or a prompt, begins anew whenever it is restarted and goes on with a part, so nothing gives way there.

    Args:
        store: The store.
        experiments: The experiments of a run.
        columns: The metrics and labels that it measures.
    """
    if not experiments:
        return
    measured = column_directions(experiments[0], columns)
    source, root = _source()
    with suppress(StoreError, OSError):  # whoever needs the records says so
        recorded = store.read(lambda reader: plan_of(reader.records(RecordType.PLAN.prefix)))
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
        )
        _declared[store.root, source] = part
        changed, _ = plan_changes(recorded, [part], lambda _: False)
        if changed:
            store.records.commit(changed)


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

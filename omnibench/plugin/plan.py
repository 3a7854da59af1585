"""The plan of a run: all items that its bench functions declare, and the part of it that the store remembers."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from omnibench.engine.declared import configuration_names, dataset_names, fitted_once, numbers_of_seeds
from omnibench.errors import StoreError
from omnibench.plugin.items import ExperimentItem
from omnibench.plugin.state import collected_files_key
from omnibench.store.plans import Planned, file_of, plan_changes, plan_of
from omnibench.store.reading import read
from omnibench.store.schema import Record, RecordType

if TYPE_CHECKING:  # half a second of imports, which runs without benchmarks save
    from omnibench.plugin.session import BenchSession


def planned_of(session: BenchSession) -> list[Planned]:
    """Return what the bench functions that were collected declare, whatever was deselected afterwards."""
    root = str(session.config.rootpath)
    return [
        Planned(
            source,
            root,
            {} if not items else columns_of(items[0]),
            frozenset([item.experiment.fit_key for item in items]),
            dataset_names(item.experiment for item in items),
            configuration_names(item.experiment for item in items),
            numbers_of_seeds(item.experiment for item in items),
            fitted_once(item.experiment for item in items),
        )
        for source, items in session.planned.items()
    ]


def columns_of(item: ExperimentItem) -> Mapping[str, bool]:
    """Return the columns of an item, and whether larger values are better; without what a fit costs."""
    from omnibench.engine.items import column_directions

    return column_directions(item.experiment, item.evaluator.columns)


def note_plan(session: BenchSession) -> None:
    """Have the store remember the plan, where it has changed; a run that only looks, or keeps nothing, writes nothing."""
    if session.looks_only or session.policy.resume == "never":
        return
    with suppress(StoreError, OSError):  # whoever needs the records says so
        changed, forgotten = changes_of_plan(session)
        if changed or forgotten:
            session.remember(changed, forgotten)


def changes_of_plan(session: BenchSession) -> tuple[dict[str, Record], list[str]]:
    """Return the records by which the plan differs from the one that the store remembers, and the keys of those that are gone.

    Raises:
        StoreError: The store cannot be read.
    """
    recorded = read(session.directory / "store", lambda reader: plan_of(reader.records(RecordType.PLAN.prefix)))
    scope = CollectedFiles(session)
    return plan_changes(recorded, planned_of(session), lambda part: scope.lacks(part.source, part.root))


class CollectedFiles:
    """The files that a run has collected, to tell a bench function that is gone from one that was not asked for.

    Args:
        session: This process's benchmarks.
    """

    def __init__(self, session: BenchSession) -> None:
        config: pytest.Config = session.config
        self._root = config.rootpath
        self._sources = session.planned.keys()
        # With a node id pytest collects a part of a file only.
        self.whole = not any("::" in argument for argument in config.args)
        files = {file_of(source): True for source in self._sources}
        self._files = files | config.stash.get(collected_files_key, {})

    def lacks(self, source: str, root: str = "") -> bool:
        """Whether a bench function that was not collected does not exist any more.

        Args:
            source: Its node id.
            root: What that is relative to; this run's rootdir by default.
        """
        file, directory = file_of(source), Path(root or self._root)
        if file.startswith("<"):
            return False
        if directory == self._root and self.whole and self._files.get(file, False):
            return source not in self._sources
        return not (directory / file).exists()

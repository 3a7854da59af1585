"""What predictions are judged by: the test part, and where they are there training and validation."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from omnibench.data.dataset import RecSysDataSet
from omnibench.data.features.sources import FeatureSource
from omnibench.errors import EvaluationError
from omnibench.metrics.joint_ids import IdColumn
from omnibench.scoring.tables import NamedTable, interactions_table


class JudgingParts(NamedTuple):
    """The tables that predictions are judged by.

    Attributes:
        test: The test part.
        train: The training part; None where it was not given.
        validation: What else users have seen; likewise.
        items: All items of the dataset in their order there, where a dataset was given.
        repeats: Whether users may have in test what they had before.
        features: What a given dataset knows about ``users`` and ``items``.
        sessions: By the ids of a given dataset's users the sessions that they are positions of; empty where they are none.
    """

    test: NamedTable
    train: NamedTable | None
    validation: NamedTable | None
    items: IdColumn | None = None
    repeats: bool = False
    features: Mapping[str, FeatureSource] = MappingProxyType({})
    sessions: Mapping[Hashable, Hashable] = MappingProxyType({})

    @property
    def notes(self) -> list[str]:
        """The sentences on how the tables are read."""
        return [note for part in (self.test, self.train, self.validation) if part is not None for note in part.notes]


def judging_parts(
    test: Any, train: Any, validation: Any, fold: int | None, columns: Mapping[str, str] | None
) -> JudgingParts:
    """Return the tables of a test part and of what comes with it.

    Args:
        test: The test part, or a dataset with a split.
        train: The training part.
        validation: What else users have seen.
        fold: The fold of a dataset that has several.
        columns: What their columns are, where their names do not say it.

    Raises:
        EvaluationError: They do not fit each other.
    """
    if isinstance(test, RecSysDataSet) and test.split is not None:
        if train is not None or validation is not None:
            raise EvaluationError(
                f"{test.name} is a dataset with a split, which has its own train and validation; leave these out."
            )
        return _of_dataset(test, fold)
    if fold is not None:
        raise EvaluationError(f"fold is {fold!r}, but the test part has no folds; leave it out.")
    if validation is not None and train is None:
        raise EvaluationError("there is a validation part, but no training part; give train, too.")
    return JudgingParts(
        interactions_table(test, "test", columns),
        None if train is None else interactions_table(train, "train", columns),
        None if validation is None else interactions_table(validation, "validation", columns),
    )


def _of_dataset(dataset: RecSysDataSet, fold: int | None) -> JudgingParts:
    """Return the parts of a fold, in the order in which a run has them."""
    if dataset.folds is None and fold is not None:
        raise EvaluationError(f"fold is {fold!r}, but {dataset.name} has a single split; leave it out.")
    if dataset.folds is not None and fold not in range(dataset.folds):
        raise EvaluationError(
            f"{dataset.name} has {dataset.folds} folds, and fold is {fold!r}; say which one is meant, fold=0 to "
            f"fold={dataset.folds - 1}."
        )
    rows = dataset.tested_rows(dataset.interactions())
    parts = dataset.parts(rows)[fold or 0]
    frames = [rows.frame(part) for part in parts]
    if dataset.split is not None and dataset.split.folds_in:
        import pandas as pd

        frames[1] = pd.concat([frames[1], rows.frame(dataset.split.history_rows(rows, parts))], ignore_index=True)
    train, seen, test = (
        NamedTable(interactions_table(frame, source).table, dataset.name, [])
        for frame, source in zip(frames, ("train", "validation", "test"), strict=True)
    )
    items = IdColumn(list(rows.item_ids), "item", dataset.name)
    sessions = dict(zip(rows.user_ids, rows.session_ids, strict=True)) if rows.session_ids else {}
    return JudgingParts(
        test, train, seen if len(frames[1]) else None, items, dataset.keeps_repeats, dataset.features, sessions
    )

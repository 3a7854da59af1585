"""Seeds that change nothing: an item takes over the predictions of the first seed where the second made equal ones.

Of many algorithms nobody says whether the seed matters. Those of which two seeds have made the same predictions, on the
same part of the same data, are not fitted with further seeds; and the record of an item says which other seed has made
the same, in whatever order they were computed, so that they count once.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, NamedTuple

from omnibench.engine.items import Item
from omnibench.experiment.experiment import Experiment
from omnibench.store.artifacts import sha256_of
from omnibench.store.beneath import LinkedFileError, open_file
from omnibench.store.schema import COSTS, GUEST_MEMBERS, Artifact, Record, RecordLookup, RecordType

_TRIED = 2
"""So many seeds are fitted before the others take over what they have made."""


class EqualSeed(NamedTuple):
    """The predictions of the first seed, which the second has made as well.

    Attributes:
        seed: The first seed.
        record: The record of its predictions.
    """

    seed: int
    record: Record

    @property
    def predictions(self) -> Artifact:
        """The predictions' file."""
        artifact: Artifact = self.record["predictions"]
        return artifact

    @property
    def answer(self) -> dict[str, Any]:
        """What stands for a guest's answer: nothing was predicted, so nothing was measured of that."""
        return {**dict.fromkeys((*COSTS, *GUEST_MEMBERS)), "rows": self.record["rows"]}

    def copy(self, root: Path, target: Path) -> bool:
        """Copy the predictions, and return whether the copy is what was recorded.

        Another process may reset the first seed meanwhile, so the copy decides, not the file that was there.

        Args:
            root: The store's directory.
            target: The file to write.
        """
        try:
            with os.fdopen(open_file(root, self.predictions["path"]), "rb") as source, target.open("wb") as copy:
                shutil.copyfileobj(source, copy)
            return sha256_of(target) == self.predictions["sha256"]
        except (OSError, LinkedFileError):
            return False


def alike_seed(get: RecordLookup, item: Item) -> int | None:
    """Return another seed with which predictions are recorded that are equal to an item's own; None where none is.

    Of configurations of which it is known whether the seed matters, nobody looks.

    Args:
        get: From a record's key to the record, or None.
        item: The item.
    """
    experiment = item.experiment
    own = get(item.predict_record_key) if experiment.seeds and not experiment.configuration.determinism_known else None
    if own is None:
        return None
    for seed in experiment.seeds:
        record = get(_predict_key(item, seed)) if seed != experiment.seed else None
        if record is not None and record["predictions"]["sha256"] == own["predictions"]["sha256"]:
            return seed
    return None


def _predict_key(item: Item, seed: int) -> str:
    """Return the key of the record of predictions with another seed."""
    return RecordType.PREDICT.key(item.experiment.with_seed(seed).predict_key(item.list_length))


def may_take_over(experiment: Experiment) -> bool:
    """Whether an item may take over predictions: with a later seed, and nothing is known of whether the seed matters."""
    if not experiment.seeds or experiment.configuration.determinism_known:
        return False
    return experiment.seed not in experiment.seeds[:_TRIED]


def urgency(experiment: Experiment, seconds: float) -> float:
    """Return by what an item is ordered that takes some seconds: what may be taken over comes behind all that may not."""
    return seconds * 1e-6 if may_take_over(experiment) else seconds


def equal_seed(get: RecordLookup, item: Item) -> EqualSeed | None:
    """Return the predictions that an item may take over, or None where it has to be fitted.

    Args:
        get: From a record's key to the record, or None.
        item: The item.
    """
    experiment = item.experiment
    if not may_take_over(experiment):
        return None
    seeds = experiment.seeds[:_TRIED]
    tried = [get(_predict_key(item, seed)) for seed in seeds]
    first, *further = tried
    if first is None or "as_seed" in first:
        return None
    sha256 = first["predictions"]["sha256"]
    if all(
        record is not None and "as_seed" not in record and record["predictions"]["sha256"] == sha256
        for record in further
    ):
        return EqualSeed(seeds[0], first)
    return None

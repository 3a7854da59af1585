"""Save and load datasets as ``.rsds`` files, in a format of choice."""

from __future__ import annotations

import os
from typing import Any

from omnibench.compat.omnirec.archive import LATEST
from omnibench.compat.omnirec.recsys_data_set import RecSysDataSet

LATEST_SCHEMA_VERSION = LATEST


def load_dataset(file: str | os.PathLike[str]) -> RecSysDataSet[Any]:
    """Return the dataset of a file; see ``RecSysDataSet.load``."""
    return RecSysDataSet.load(file)


def save_dataset(
    dataset: RecSysDataSet[Any], file: str | os.PathLike[str], schema_version: int = LATEST_SCHEMA_VERSION
) -> None:
    """Write a dataset into a file.

    Args:
        dataset: The dataset.
        file: The file.
        schema_version: 1 or 2; format 1 has no lineage.
    """
    dataset.write(file, schema_version)

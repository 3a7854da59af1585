"""What can be said of features without their values: of which type each is, and how many users or items have one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from omnibench.data.features.sources import FeatureSource
from omnibench.guest.feature_types import BOOLEAN, NO_TEXT, NUMBER, TEXT
from omnibench.keys import digest
from omnibench.paths import cache_directory, remember

if TYPE_CHECKING:
    import numpy as np

    from omnibench.data.features.columns import FeatureColumn
else:
    from omnibench.lazy import np

_VERSION = 1
"""To be raised when the facts of the same features change."""


class FeatureFacts(NamedTuple):
    """The facts of a feature.

    Attributes:
        type: ``number``, ``boolean``, ``text`` or ``texts``.
        values: How many users or items have a value; a list without members is none.
    """

    type: str
    values: int


def facts_of(source: FeatureSource) -> Mapping[str, FeatureFacts]:
    """Return the facts of all features by name, remembered so that a file is read once on this machine.

    Args:
        source: Where the features come from.
    """
    memory = cache_directory() / "features" / f"{digest(['facts', _VERSION, source.digest])[:32]}.json"
    try:
        remembered = json.loads(memory.read_text(encoding="utf-8"))
        return {name: FeatureFacts(str(type_name), int(values)) for name, (type_name, values) in remembered.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        pass  # nothing remembered, or nothing readable
    facts = {name: FeatureFacts(column.type, _values(column)) for name, column in source.read().columns.items()}
    remember(memory, json.dumps(facts))
    return facts


def _values(column: FeatureColumn) -> int:
    if column.type in (NUMBER, BOOLEAN):
        return int(np.count_nonzero(~np.isnan(column.content)))
    if column.type == TEXT:
        return int(np.count_nonzero(column.content.positions != NO_TEXT))
    is_text = column.content.members.positions != NO_TEXT
    owner = np.repeat(np.arange(len(column.content.first) - 1), np.diff(column.content.first))
    return len(np.unique(owner[is_text]))

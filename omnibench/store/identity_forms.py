"""The forms of what keys are digests of: the identities of items, and the recipes of datasets."""

from __future__ import annotations

import re
from typing import Any

from omnibench.store.checks import (
    Check,
    is_count,
    is_name,
    is_natural,
    list_of,
    mapping_of,
    matching,
    object_of,
    of_type,
    optional,
)

DIGEST = re.compile(r"[0-9a-f]{64}")
"""Keys of items and datasets, and digests of files: sha256 as hex digits."""

_is_configuration = object_of(
    {"runner": is_name, "algorithm": is_name, "parameters": of_type(dict)},
    {"seed": optional(is_count), "refit": is_name, "version": optional(is_name), "code": optional(is_name)},
)


def _is_tagged(value: Any, check: Check) -> bool:
    """Whether a value is a form's name with its members, as identities are made of."""
    return type(value) is list and len(value) == 2 and type(value[0]) is str and check(value[1])  # noqa: PLR2004


def is_tagged_configuration(value: Any) -> bool:
    """Whether a value is the configuration in what the key of an item is the digest of."""
    return _is_tagged(value, _is_configuration)


_identity_members = object_of(
    {
        "data": matching(DIGEST),
        "fold": optional(is_natural),
        "configuration": is_tagged_configuration,
    }
)
_recipe_members = object_of(
    {"source": of_type(list), "steps": of_type(list), "seed": optional(is_count)}, {"features": of_type(dict)}
)

_feature_size = object_of(
    {"type": is_name, "values": is_natural, "longest": is_natural},
    dict.fromkeys(("vocabulary", "words"), is_natural),
)
are_feature_sizes = mapping_of(mapping_of(_feature_size))
"""Whether a value is how large the features of a dataset are, by their subject and name."""

OF_SPLITS: dict[str, Check] = {
    "cold": object_of(
        {
            "ranked": of_type(bool),
            "folds": list_of(
                object_of(dict.fromkeys(("cold_users", "test_users", "cold_items", "test_items"), is_natural))
            ),
        }
    ),
    "leakage": object_of(
        {
            "folds": list_of(
                object_of(
                    {"test_interactions": is_natural},
                    dict.fromkeys(("before_training_end", "seen_pairs"), is_natural),
                )
            )
        }
    ),
}
"""The form of what the record of a dataset repeats of the counts of its folds; see ``data.leakage.SplitCounts``."""


def is_identity(value: Any) -> bool:
    """Whether a value is what the key of an item is the digest of, or None where that is not recorded."""
    return value is None or _is_tagged(value, _identity_members)


def is_recipe(value: Any) -> bool:
    """Whether a value is the recipe of a dataset, of which people can be told."""
    if not _is_tagged(value, _recipe_members):
        return False
    from omnibench.data.words import recipe_words, source_words  # few records have one, and few sessions read them

    try:
        return isinstance(recipe_words(value[1]) + source_words(value[1]["source"]), str)
    except Exception:
        return False

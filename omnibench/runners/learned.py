"""What an algorithm learns from and with: its hyperparameters whichever way they are spelled, and the features that they name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omnibench.data.data_size import DataSize
from omnibench.guest.feature_types import ALL_TYPES

_EXPONENT = "embedding_size_exp"
"""LensKit's other spelling of ``embedding_size``: the power of two that it is."""

_MOST_EXPONENT = 60
"""No machine holds vectors of more numbers than two to this."""


def spelled(described: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return hyperparameters by the names of the fields that they set; LensKit has several names for some.

    Args:
        described: What the catalogue says of the algorithm; its ``aliases`` are the fields by their other names.
        parameters: The hyperparameters that were given.
    """
    aliases = described.get("aliases") or {}
    fields = {aliases.get(name, name): value for name, value in parameters.items() if name != _EXPONENT}
    exponent = parameters.get(_EXPONENT)
    if isinstance(exponent, int) and exponent >= 0:
        fields[aliases.get(_EXPONENT, "embedding_size")] = 2 ** min(exponent, _MOST_EXPONENT)
    return fields


def learned_from(size: DataSize, described: Mapping[str, Any], parameters: Mapping[str, Any]) -> DataSize:
    """Return the size of data without the features that an algorithm does not learn from.

    Args:
        size: The size of the data.
        described: What the catalogue says of the algorithm.
        parameters: Its hyperparameters, with their defaults.
    """
    readable = described.get("feature_types") or ALL_TYPES
    usual = described.get("usual_feature_types") or readable
    chosen: set[tuple[str, str]] = set()
    for parameter, subject in (described.get("features") or {}).items():
        listed = parameters.get(parameter)
        chosen |= {
            (feature.subject, feature.name)
            for feature in size.features
            if feature.subject == subject
            and (
                feature.type in usual if listed is None else isinstance(listed, list | tuple) and feature.name in listed
            )
        }
    single = parameters.get(described.get("item_feature") or "")
    chosen |= {("items", single)} if isinstance(single, str) else set()
    return size._replace(
        features=tuple(feature for feature in size.features if (feature.subject, feature.name) in chosen)
    )

"""What an algorithm learns from and with: its hyperparameters whichever way they are spelled, and the features that they name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from omnibench.data.data_size import DataSize
from omnibench.guest.feature_types import ALL_TYPES
from omnibench.runners.evaluated_texts import evaluated

_EXPONENT = "embedding_size_exp"
"""LensKit's other spelling of ``embedding_size``: the power of two that it is."""

_MOST_EXPONENT = 60
"""No machine holds vectors of more numbers than two to this."""

_DIGITS = re.compile(r"\s*\+?([0-9]{1,18}(?:_[0-9]{1,18})*)(?:\.0*)?\s*")
"""A text that LensKit and RecTools take as the whole number that it says: Pydantic reads it."""


def spelled(described: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return hyperparameters by the names of the fields that they set, and what is made of texts that say numbers or lists.

    LensKit has several names for some. It and RecTools take texts that are whole numbers, RecBole evaluates all texts.

    Args:
        described: What the catalogue says of the algorithm; its ``aliases`` are the fields by their other names.
        parameters: The hyperparameters that were given.
    """
    aliases = described.get("aliases") or {}
    given = {aliases.get(name, name): value for name, value in parameters.items() if name != _EXPONENT}
    if described.get("evaluates_texts"):
        of_features = {*(described.get("features") or {}), described.get("item_feature")}  # which the adapter reads
        return {name: value if name in of_features else evaluated(value) for name, value in given.items()}
    defaults = described.get("parameters") or {}
    fields = {
        name: value if isinstance(defaults.get(name), str) else _number_of(value) for name, value in given.items()
    }
    exponent = parameters.get(_EXPONENT)
    if isinstance(exponent, int | float) and exponent >= 0 and exponent % 1 == 0:
        fields[aliases.get(_EXPONENT, "embedding_size")] = 2 ** int(min(exponent, _MOST_EXPONENT))
    return fields


def _number_of(value: Any) -> Any:
    """Return the whole number that a text says in digits; anything else as it is."""
    digits = _DIGITS.fullmatch(value) if isinstance(value, str) else None
    return int(digits[1]) if digits else value


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

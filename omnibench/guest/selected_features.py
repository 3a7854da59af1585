"""Which features of users and items a model learns from: those that its hyperparameters name."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from . import folds
from .feature_types import ALL_TYPES


def selected(
    fold: folds.Fold,
    subjects: Mapping[str, str],
    parameters: Mapping[str, Any],
    *,
    readable: Collection[str] = ALL_TYPES,
    usual: Collection[str] = ALL_TYPES,
) -> dict[str, list[str]]:
    """Return the names of the features that a model learns from, by hyperparameter.

    Args:
        fold: The fold.
        subjects: The hyperparameters that name features, and whose they are.
        parameters: The hyperparameters of the model; one that is None, or not there, stands for all that the dataset has.
        readable: The types that the model can read.
        usual: Those of them that None stands for.

    Raises:
        ValueError: The dataset has no such feature, or the model cannot read its type.
    """
    names = {}
    for parameter, subject in subjects.items():
        table = fold.features(subject)
        types = {} if table is None else table.types
        listed = parameters.get(parameter)
        names[parameter] = [name for name in types if types[name] in usual] if listed is None else list(listed)
        for name in names[parameter]:
            if name not in types:
                raise ValueError(
                    f"the {subject} have no feature {name!r}; they have {', '.join(types) or 'none'}. Add it to the dataset, or "
                    f"name others with {parameter}=."
                )
            if types[name] not in readable:
                fitting = [column for column in types if types[column] in readable]
                raise ValueError(
                    f"the feature {name!r} of {subject} is of type {types[name]}, and the model reads {', '.join(readable)}: of "
                    f"these the dataset has {', '.join(fitting) or 'none'}. Name others with {parameter}=, or turn numbers into texts."
                )
    return names

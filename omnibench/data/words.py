"""Recorded recipes of datasets as people write them: ``MakeImplicit(3), CorePruning(5), UserCrossValidation(5)``."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

STEPS = {
    "at_most": ("AtMost",),
    "preprocess": ("CorePruning", "MakeImplicit", "RatingFilter", "Subsample", "TimeFilter"),
    "repeats": ("Deduplicate", "KeepRepeats"),
    "rolling": ("RollingWindows",),
    "session_split": ("SessionSplit",),
    "sessions": ("Sessions",),
    "split": ("RandomCrossValidation", "RandomHoldout", "UserCrossValidation", "UserHoldout"),
    "strong": ("StrongGeneralization",),
    "temporal": ("LeaveLastOut", "LeaveNOut", "TimeBasedHoldout", "UserTimeBasedHoldout"),
}
"""The modules of steps with their steps; saying what was done imports the module of that alone."""
_SHOWN_DIGITS = 12
"""Of the digest of a source."""


def step_words(steps: Sequence[Any]) -> str:
    """Return the steps of a recorded recipe as a user writes them, without what is as it always is.

    Args:
        steps: The steps as the identity of a dataset has them: name, version and parameters of each.
    """
    return ", ".join(_call(str(name), parameters) for name, _, parameters in steps)


def recipe_words(recipe: Mapping[str, Any]) -> str:
    """Return the steps of a recorded recipe as a user writes them, and at their end the split and the features that it has.

    Args:
        recipe: The source, the steps and the features as the identity of a dataset has them.
    """
    parts, source = [step_words(recipe["steps"])], recipe["source"]
    if isinstance(source, list) and source[0] == "split":
        folds = source[1]["folds"]
        parts.append("published split" if folds is None else f"published split of {folds} folds")
    if "features" in recipe:
        parts.append(f"features of {' and '.join(recipe['features'])}")
    return ", ".join(filter(None, parts))


def source_words(fingerprint: Any) -> str:
    """Return what a dataset was read from, e.g. ``a csv file with the digest 2c26b46b68ff``.

    Args:
        fingerprint: The source as the identity of a dataset has it.
    """
    parts = [part for part in fingerprint if isinstance(part, str)] if isinstance(fingerprint, list) else []
    if len(parts) < 2:  # noqa: PLR2004 - a word and a digest
        return ""
    origin = parts[0].split("/")[0]
    names = {
        "table": "a table",
        "split": "a published split",
        "file": f"a {parts[1]} file",
        "files": f"{parts[1]} files",
    }
    medium = names.get(origin, parts[0])
    return f"{medium} with the digest {parts[-1][:_SHOWN_DIGITS]}"


def _call(name: str, parameters: Mapping[str, Any]) -> str:
    if name == "Apply":
        return _joined(name, [parameters["function"]], parameters["parameters"])
    signature = _signature(name)
    if signature is None:  # of another version of omnibench
        return _joined(name, [], parameters)
    ordered = sorted(parameters, key=lambda parameter: _position(signature, parameter))
    usual = {parameter for parameter in ordered if _is_usual(signature, parameter, parameters[parameter])}
    keywords = {parameter: parameters[parameter] for parameter in ordered if parameter not in usual}
    first = next(iter(signature.parameters), None)
    if first in keywords and _goes_first(signature):
        return _joined(name, [_text(keywords.pop(first))], keywords)
    return _joined(name, [], keywords)


def _joined(name: str, positional: Sequence[str], keywords: Mapping[str, Any]) -> str:
    arguments = [*positional, *(f"{parameter}={_text(value)}" for parameter, value in keywords.items())]
    return f"{name}({', '.join(arguments)})"


def _text(value: Any) -> str:
    if isinstance(value, dict) and value.get("$") == "float":  # a canonical form of what JSON has no number for
        return str(value["value"])
    return repr(value)


def _signature(name: str) -> inspect.Signature | None:
    import importlib

    module = next((module for module, names in STEPS.items() if name in names), None)
    if module is None:
        return None
    return inspect.signature(getattr(importlib.import_module(f"omnibench.data.{module}"), name))


def _position(signature: inspect.Signature, parameter: str) -> int:
    names = list(signature.parameters)
    return names.index(parameter) if parameter in names else len(names)


def _is_usual(signature: inspect.Signature, parameter: str, value: Any) -> bool:
    """Whether a parameter says that something is not done, as it is not by default."""
    declared = signature.parameters.get(parameter)
    return declared is not None and not value and declared.default == value


def _goes_first(signature: inspect.Signature) -> bool:
    """Whether people write the first argument without its name: it is a threshold, a core, or the number of folds."""
    first, *behind = signature.parameters.values()
    alone = all(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in behind)
    return first.default is inspect.Parameter.empty or type(first.default) is int or alone

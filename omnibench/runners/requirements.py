"""How much memory a Fit needs: by the formula of its algorithm, which earlier Fits of the algorithm correct.

A formula is a sum of terms, e.g. ``{"items*items": 86.0}``: bytes per product of what is counted in the data and of
hyperparameters. It stands beside the algorithm in its framework's catalogue; ``benchmarks/scale/memory.py`` measures it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from omnibench.data.data_size import COUNTS, DataSize
from omnibench.runners.formula_factors import (
    ATTENDED_HISTORIES,
    BATCH_USERS,
    BATCHES,
    BOUNDS,
    CANDIDATES,
    COMPARED,
    CONVOLVED,
    CONVOLVED_PAIRS,
    CORRELATED,
    CORRELATED_IN_PIECES,
    FIRST_STEPS,
    ITEM_PAIRS,
    JUDGED_USERS,
    JUDGED_VECTORS,
    KEPT_HISTORIES,
    LONGEST_ITEM,
    LONGEST_USER,
    MOST_BYTES,
    OF_FIRST_STEPS,
    READ_HISTORIES,
    SCORED_ITEMS,
    SCORED_PAIRS,
    SCORES_IN_PIECES,
    SPLIT_ITEMS,
    USER_PAIRS,
    VALIDATED_USERS,
    WORDS_FOR,
    compared,
    factor,
    hyperparameter_of,
    is_amount,
    most_rows,
    of_features,
    sampled,
)
from omnibench.runners.info import RunnerInfo

GUEST = "guest"
"""The term for what a framework's process has before it sees any data."""

USUAL_FORMULA = {GUEST: 150e6, "interactions": 45.0}
"""Of a class of the user's own, and of a framework that says nothing: its data, as frames."""

_SCORES = {"items", SCORED_ITEMS, CANDIDATES}
"""Factors of arrays so large that the system takes each of them back at once."""

_OF_LAYERS = {"embedding_size", "hidden_size", "inner_size", "n_factors", "n_heads"}
"""Hyperparameters that say how much a layer returns for each row of a batch. Terms without any of these are of what else is made of a batch:
numbers for each value of features, matrices of rows by rows."""

_REPEATED = {"n_layers"}
"""Hyperparameters that say how many such layers there are, each with arrays of its own."""

_EPOCHS = "epochs"

_BY_FORMULA = "by the formula of the algorithm"

_REMEDIES = (
    (SPLIT_ITEMS, ("split_to", "split_to=10")),
    (VALIDATED_USERS, ("validation_sample_size", "validation_sample_size=1000")),
    (JUDGED_USERS, ("eval_batch_size", "a smaller eval_batch_size")),
    *((name, ("train_batch_size", "a smaller train_batch_size")) for name in (CORRELATED, CORRELATED_IN_PIECES)),
    *((name, (name, f"a smaller {name}")) for name in BATCHES),
    *((users, (name, f"a smaller {name}")) for users in (BATCH_USERS, SCORES_IN_PIECES) for name in BATCHES),
)
"""By factors, the hyperparameters that say how much of the data is there at once, and what to say of them."""

_COUNTED_AS = {
    **dict.fromkeys((ITEM_PAIRS, JUDGED_VECTORS, SPLIT_ITEMS), "items"),
    **dict.fromkeys((USER_PAIRS, JUDGED_USERS, BATCH_USERS, VALIDATED_USERS), "users"),
    **dict.fromkeys((SCORED_PAIRS, CORRELATED, CORRELATED_IN_PIECES, SCORES_IN_PIECES), "users*items"),
    **dict.fromkeys((READ_HISTORIES, ATTENDED_HISTORIES), "train_batch_size*history_len"),
    KEPT_HISTORIES: "users*history_len",
    CONVOLVED_PAIRS: "train_batch_size*eval_batch_size",
    CONVOLVED: "embedding_size*cnn_channels",
    CANDIDATES: "n_negatives",
}
"""By factors, what they are counted of: users, items, or hyperparameters."""

_DISTINCT = 1.5
"""So much larger than the smallest of earlier Fits the largest has to be, for them to tell what grows with the data."""

_ALIKE = 0.02
"""Fits of which the formula says the same, up to this share, are alike: other folds, other weights of the same sizes."""

_NOISE = 64e6
"""Bytes by which what Fits need differs for no reason of theirs."""

_SIGNIFICANT = 4 * _NOISE
"""What a measured formula says has to be larger, for what was needed to correct it."""

_MOST_CORRECTION = 3.0
"""A measured formula is corrected by at most this factor: earlier Fits may have been far smaller."""


class EarlierFit(NamedTuple):
    """What an earlier Fit of the same algorithm needed.

    Attributes:
        size: The size of its data, with the features that it learns from; see ``runners.learned``.
        parameters: All of its hyperparameters.
        peak: The largest resident memory of its process, in bytes.
    """

    size: DataSize
    parameters: Mapping[str, Any]
    peak: int


class Requirement(NamedTuple):
    """How much memory a Fit needs.

    Attributes:
        size: Bytes, in all.
        reason: What of the data makes most of it, e.g. ``164,288 items``.
        basis: What the estimate is made of.
        is_measured: Whether Fits with as much to do were measured to need it.
        hyperparameters: Those that make most of it; none where the data does.
        remedy: What makes it less where the data makes most of it, e.g. ``a smaller train_batch_size``; else nothing.
    """

    size: int
    reason: str
    basis: str
    is_measured: bool = False
    hyperparameters: tuple[str, ...] = ()
    remedy: str = ""


def formula_of(runner: RunnerInfo, algorithm: str) -> Mapping[str, float]:
    """Return the terms of an algorithm, with those that all of its framework have.

    Args:
        runner: The framework.
        algorithm: The algorithm's name in it.
    """
    described = runner.catalogue["algorithms"].get(algorithm, {}) if runner.distribution else {}
    of_framework = runner.catalogue.get("memory") if runner.distribution else None
    return {**USUAL_FORMULA, **(of_framework or {}), **described.get("memory", {})}


def required(
    formula: Mapping[str, float], size: DataSize, parameters: Mapping[str, Any], earlier: Iterable[EarlierFit] = ()
) -> Requirement:
    """Return how much memory a Fit needs.

    Where earlier Fits had as much to do, that is the most of what they needed; where they had data of clearly different
    sizes, a line through what they needed, over what the formula
    says for each; else the formula, shifted to what they needed.

    Args:
        formula: The terms of its algorithm; see ``formula_of``.
        size: The size of its data, with the features that it learns from; see ``runners.learned``.
        parameters: Its hyperparameters by the names of their fields, of which those that are left out count as 1.
        earlier: Fits of the same algorithm.
    """
    guest = formula.get(GUEST, 0.0)
    grown = grown_bytes(formula, size, parameters)
    points = [(grown_bytes(formula, fit.size, fit.parameters), float(fit.peak)) for fit in earlier]
    largest = _largest(formula, size, parameters)
    reason, most = _reason(largest, size, parameters)
    estimate = Requirement(
        int(guest + grown), reason, _BY_FORMULA, False, most, "" if most else _remedy(largest, parameters)
    )
    if not points:
        return estimate
    count = f"{len(points)} earlier Fit{'s' if len(points) > 1 else ''}"
    alike = [peak for formula_size, peak in points if abs(formula_size - grown) <= _ALIKE * grown]
    if alike:
        return estimate._replace(size=int(max(alike)), basis=f"by {count} of the algorithm", is_measured=True)
    at_zero, slope = _line(points, guest, is_measured=formula.keys() - USUAL_FORMULA.keys() != set())
    return estimate._replace(size=int(max(0.0, at_zero) + slope * grown), basis=f"by {count} of the algorithm")


def grown_bytes(formula: Mapping[str, float], size: DataSize, parameters: Mapping[str, Any]) -> float:
    """Return how many bytes a formula says beside those of the process itself."""
    grown = sum(per_unit * _units(term, size, parameters) for term, per_unit in formula.items() if term != GUEST)
    return min(grown, MOST_BYTES)


def _line(points: list[tuple[float, float]], guest: float, *, is_measured: bool) -> tuple[float, float]:
    """Return where a line through what earlier Fits needed begins, and its slope over what the formula says."""
    formulas, peaks = zip(*points, strict=True)
    mean_formula, mean_peak = math.fsum(formulas) / len(points), math.fsum(peaks) / len(points)
    telling = max(formulas) - min(formulas) > _SIGNIFICANT if is_measured else max(peaks) - min(peaks) > _NOISE
    spread = math.fsum((formula - mean_formula) ** 2 for formula in formulas)
    if telling and spread and max(formulas) >= _DISTINCT * min(formulas):
        slope = math.fsum((formula - mean_formula) * (peak - mean_peak) for formula, peak in points) / spread
    else:
        slope = (mean_peak - guest) / mean_formula if mean_formula > max(guest, _SIGNIFICANT) else 1.0
    bounds = (1 / _MOST_CORRECTION, _MOST_CORRECTION) if is_measured else (0.0, math.inf)
    slope = min(max(slope, bounds[0]), bounds[1])
    return mean_peak - slope * mean_formula, slope


def _units(term: str, size: DataSize, parameters: Mapping[str, Any]) -> float:
    names = term.split("*")
    units = math.prod(factor(name, size, parameters) for name in names)
    most = [BOUNDS[name] for name in names if name in BOUNDS]
    if most:
        layers = math.prod(factor(name, size, parameters) for name in names if name in _REPEATED)
        units = min(units, layers * min(most))
    names = _hyperparameters_in(term)
    batch = next((name for name in names if name in BATCHES), None)
    if batch is None or _OF_LAYERS.isdisjoint(names) or not _SCORES.isdisjoint(names):
        return units
    return units * (OF_FIRST_STEPS if _steps(batch, size, parameters) <= FIRST_STEPS else 1.0)


def _hyperparameters_in(term: str) -> list[str]:
    """Return the factors of a term, those of lists of layers by the names of their hyperparameters."""
    return [hyperparameter_of(name) for name in term.split("*")]


def _steps(batch: str, size: DataSize, parameters: Mapping[str, Any]) -> float:
    """Return about how many batches a network learns from in all."""
    epochs: Any = parameters.get(_EPOCHS)
    per_epoch = math.ceil(most_rows(size, parameters) / max(factor(batch, size, parameters), 1.0))
    return per_epoch * (epochs if is_amount(epochs) else math.inf)


def _largest(formula: Mapping[str, float], size: DataSize, parameters: Mapping[str, Any]) -> str:
    """Return the term that makes most of what a formula says."""
    terms = [term for term in formula if term != GUEST]
    return max(terms, key=lambda term: formula[term] * _units(term, size, parameters), default="interactions")


def _remedy(term: str, parameters: Mapping[str, Any]) -> str:
    """Return what of the hyperparameters makes a term less, where one says how much of the data is there at once; else nothing."""
    names = _hyperparameters_in(term)
    for name, (hyperparameter, remedy) in _REMEDIES:
        if name in names and hyperparameter in parameters:
            return remedy
    return ""


def _reason(largest: str, size: DataSize, parameters: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """Return what makes most of what a formula says, in words; and the hyperparameters, where nothing of the data does."""
    counted = {
        **_COUNTED_AS,
        COMPARED: compared(parameters),
        SCORED_ITEMS: "items" if sampled(parameters) is None else "n_negatives",
    }
    factors = "*".join(counted.get(name, name) for name in _hyperparameters_in(largest)).split("*")
    counts = [name for name in COUNTS if name in factors]
    values = [name for name in WORDS_FOR if name in factors]
    most = () if counts or values else tuple(dict.fromkeys(name for name in factors if name in parameters))
    histories = [
        f"{factor(name, size, parameters):,.0f} interactions of one {name.removeprefix('longest_')}"
        for name in (LONGEST_USER, LONGEST_ITEM)
        if name in factors
    ]
    if most:
        return " and ".join([", ".join(f"{name}={parameters[name]}" for name in most), *histories]), most
    amounts = [f"{getattr(size, name):,} {name}" for name in counts or ([] if values else ["interactions"])]
    amounts += [f"{of_features(name, size):,} {WORDS_FOR[name]}" for name in values]
    amounts += histories
    return " and ".join(amounts), ()

"""How much memory a Fit needs: by the formula of its algorithm, which earlier Fits of the algorithm correct.

A formula is a sum of terms, e.g. ``{"items*items": 86.0}``: bytes per product of what is counted in the data and of
hyperparameters. It stands beside the algorithm in its framework's catalogue; ``benchmarks/scale/memory.py`` measures it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from omnibench.data.data_size import COUNTS, DataSize
from omnibench.runners.info import RunnerInfo

ITEM_PAIRS = "item_pairs"
"""The factor for the entries of a sparse matrix of items by items: few of those that a shop has meet in a basket."""

USER_PAIRS = "user_pairs"
"""The factor for the entries of a sparse matrix of users by users who share an item."""

_POPULAR = 2.0
"""So many times as many pairs of users share an item as if all items were as popular, in data whose items are not."""

SCORED_PAIRS = "scored_pairs"
"""The factor for the entries of a sparse matrix of users by items of what the ``k`` neighbours of users' items score."""

COMPARED = "compared"
"""The factor for what Surprise's neighbour models compare: users, or items where ``sim_options`` says so."""

SCORED_ITEMS = "scored_items"
"""The factor for how many items a network scores for each of what it learns from: all, unless its loss needs a sample of them."""

CANDIDATES = "candidates"
"""The factor for the items whose vectors RecTools copies for each of what it learns from: none where it scores all items."""

USER_VALUES, ITEM_VALUES = "user_values", "item_values"
"""The factors for how many different values the features have, of users and of items, that an algorithm learns from."""

FEATURES_READ = "features_read"
"""The factor for how many features those are, of both."""

ITEM_ENTRIES = "item_entries"
"""The factor for how many values of its features an item has at most."""

FIELDS = "context_fields"
"""The factor for what a context-aware model reads of an interaction: its user, its item, and their features."""

JUDGED_USERS = "judged_users"
"""The factor for the users of the validation part whom RecBole's models of sequences score all items for at once."""

BATCH_USERS = "batch_users"
"""The factor for how many users a batch of RecBole's has that is of users."""

_OF_FEATURES = {
    USER_VALUES: ("users", "values"),
    ITEM_VALUES: ("items", "values"),
    ITEM_ENTRIES: ("items", "longest"),
}
"""Whose features these factors count, and what of them."""

FACTORS = (
    *(*COUNTS, ITEM_PAIRS, USER_PAIRS, SCORED_PAIRS, COMPARED, SCORED_ITEMS, CANDIDATES),
    *(*_OF_FEATURES, FEATURES_READ, FIELDS, JUDGED_USERS, BATCH_USERS),
)
"""What the terms of a formula are products of, beside hyperparameters."""

GUEST = "guest"
"""The term for what a framework's process has before it sees any data."""

USUAL_FORMULA = {GUEST: 150e6, "interactions": 45.0}
"""Of a class of the user's own, and of a framework that says nothing: its data, as frames."""

_SAMPLED_LOSSES = ("BCE", "gBCE", "sampled_softmax")
"""RecTools' losses of the next item and ``n_negatives`` others."""

_BATCHES = ("train_batch_size", "batch_size")
"""No batch has more rows than the data."""

_SCORES = {"items", SCORED_ITEMS, CANDIDATES}
"""Factors of arrays so large that the system takes each of them back at once."""

_OF_LAYERS = {"embedding_size", "hidden_size", "inner_size", "n_factors", "n_heads"}
"""Hyperparameters that say how much a layer returns for each row of a batch. Terms without any of these are of what else is made of a batch:
numbers for each value of features, matrices of rows by rows."""

_EPOCHS = "epochs"

_FIRST_STEPS, _OF_FIRST_STEPS = 2, 0.75
"""What the layers of a network return needs this share in the first batches: later ones find what earlier ones have left in pieces. With ten
epochs in the place of one, where one is one batch, SASRec needed 1.2 to 1.35 times as much for it, GRU4Rec 1.3, and STAMP twice as much."""

_SESSION_LENGTH = "session_max_len"
"""Of RecTools' networks, whose batches are of users."""

_LIST_LENGTH = "MAX_ITEM_LIST_LENGTH"
"""Of RecBole's networks of sequences, which learn nothing from the first item of a user."""

_IDS = 2
"""Users and items are fields of their own."""

_MOST = 2.0**60
"""An exabyte: no machine has more, whatever hyperparameters say, and records have numbers below 2**63."""

_EMBEDDING_SIZE = "embedding_size"
"""Of LensKit's NMFScorer None, which is as many as there are items."""

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
    """

    size: int
    reason: str
    basis: str
    is_measured: bool = False
    hyperparameters: tuple[str, ...] = ()


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
    reason, most = _reason(formula, size, parameters)
    if not points:
        return Requirement(int(guest + grown), reason, "by the formula of the algorithm", hyperparameters=most)
    count = f"{len(points)} earlier Fit{'s' if len(points) > 1 else ''}"
    alike = [peak for formula_size, peak in points if abs(formula_size - grown) <= _ALIKE * grown]
    if alike:
        return Requirement(int(max(alike)), reason, f"by {count} of the algorithm", True, most)
    at_zero, slope = _line(points, guest, is_measured=formula.keys() - USUAL_FORMULA.keys() != set())
    return Requirement(
        int(max(0.0, at_zero) + slope * grown), reason, f"by {count} of the algorithm", hyperparameters=most
    )


def grown_bytes(formula: Mapping[str, float], size: DataSize, parameters: Mapping[str, Any]) -> float:
    """Return how many bytes a formula says beside those of the process itself."""
    grown = sum(per_unit * _units(term, size, parameters) for term, per_unit in formula.items() if term != GUEST)
    return min(grown, _MOST)


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
    units = math.prod(_factor(name, size, parameters) for name in names)
    batch = next((name for name in names if name in _BATCHES), None)
    if batch is None or _OF_LAYERS.isdisjoint(names) or not _SCORES.isdisjoint(names):
        return units
    return units * (_OF_FIRST_STEPS if _steps(batch, size, parameters) <= _FIRST_STEPS else 1.0)


def _steps(batch: str, size: DataSize, parameters: Mapping[str, Any]) -> float:
    """Return about how many batches a network learns from in all."""
    epochs: Any = parameters.get(_EPOCHS)
    per_epoch = math.ceil(_most_rows(size, parameters) / max(_factor(batch, size, parameters), 1.0))
    return per_epoch * (epochs if _is_amount(epochs) else math.inf)


def _factor(name: str, size: DataSize, parameters: Mapping[str, Any]) -> float:
    if name in COUNTS:
        return float(getattr(size, name))
    if name in _DERIVED:
        return float(_DERIVED[name](size, parameters))
    if name in _OF_FEATURES:
        return float(_of_features(name, size))
    value = parameters.get(name, 1.0)
    if name == _EMBEDDING_SIZE and value is None:
        value = size.items
    if isinstance(value, list | tuple):  # the sizes of layers
        value = max((entry for entry in value if _is_amount(entry)), default=1.0)
    amount = float(min(value, _MOST)) if _is_amount(value) else 1.0
    return min(amount, _most_rows(size, parameters)) if name in _BATCHES else amount


def _of_features(name: str, size: DataSize) -> int:
    subject, count = _OF_FEATURES[name]
    return sum(getattr(feature, count) for feature in size.features if feature.subject == subject)


def _is_amount(value: Any) -> bool:
    """Whether a hyperparameter says how many of anything there are: a network refuses what else it gets."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0 < value < math.inf


def _most_rows(size: DataSize, parameters: Mapping[str, Any]) -> float:
    """Return how many rows a batch has at most: RecTools has one of each user, RecBole's sequences have what precedes an item."""
    if _SESSION_LENGTH in parameters:
        return float(size.users)
    return float(max(size.interactions - size.users, 1) if _LIST_LENGTH in parameters else size.interactions)


def _sampled(parameters: Mapping[str, Any]) -> int | None:
    """Return how many items a loss of RecTools or RecBole compares; None where it compares all."""
    if parameters.get("loss_type") == "BPR":  # an item and another one
        return 2
    if parameters.get("loss") in _SAMPLED_LOSSES:
        negatives = parameters.get("n_negatives", 1)
        return 1 + int(min(negatives, _MOST) if _is_amount(negatives) else 1)
    return None


def _scored_items(size: DataSize, parameters: Mapping[str, Any]) -> int:
    sampled = _sampled(parameters)
    return size.items if sampled is None else sampled


def _compared(parameters: Mapping[str, Any]) -> str:
    """Return the count of what Surprise compares: it compares users unless it is told not to."""
    options = parameters.get("sim_options")
    return "items" if isinstance(options, Mapping) and not options.get("user_based", True) else "users"


def _item_pairs(size: DataSize) -> float:
    """Return about how many pairs of items some user has both of; what popular items share is not counted again."""
    return _occupied(size.interactions**2 / max(size.users, 1), size.items**2)


def _user_pairs(size: DataSize) -> float:
    """Return about how many pairs of users share an item."""
    return _occupied(_POPULAR * size.interactions**2 / max(size.items, 1), size.users**2)


def _scored_pairs(size: DataSize, parameters: Mapping[str, Any]) -> float:
    """Return about how many pairs of users and items what the ``k`` neighbours of users' items score has."""
    return _occupied(size.interactions * _factor("k", size, parameters), size.users * size.items)


def _occupied(entries: float, cells: int) -> float:
    """Return about how many cells of a matrix have an entry, of which some meet in the same cell."""
    return entries / (1.0 + entries / max(cells, 1))


_DERIVED: Mapping[str, Callable[[DataSize, Mapping[str, Any]], float]] = {
    ITEM_PAIRS: lambda size, _: _item_pairs(size),
    USER_PAIRS: lambda size, _: _user_pairs(size),
    SCORED_PAIRS: _scored_pairs,
    COMPARED: lambda size, parameters: getattr(size, _compared(parameters)),
    SCORED_ITEMS: _scored_items,
    CANDIDATES: lambda _, parameters: _sampled(parameters) or 0,
    FEATURES_READ: lambda size, _: len(size.features),
    FIELDS: lambda size, _: _IDS + len(size.features),
    BATCH_USERS: lambda size, parameters: min(size.users, _factor("train_batch_size", size, parameters)),
    JUDGED_USERS: lambda size, parameters: min(size.validated, _factor("eval_batch_size", size, parameters)),
}
"""Factors that are computed of what is counted and of hyperparameters."""


def _reason(formula: Mapping[str, float], size: DataSize, parameters: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """Return what makes most of what a formula says, in words; and the hyperparameters, where nothing of the data does."""
    terms = [term for term in formula if term != GUEST]
    largest = max(terms, key=lambda term: formula[term] * _units(term, size, parameters), default="interactions")
    compares_all = _sampled(parameters) is None
    counted = {ITEM_PAIRS: "items", USER_PAIRS: "users", SCORED_PAIRS: "users*items", COMPARED: _compared(parameters)}
    counted |= {
        SCORED_ITEMS: "items" if compares_all else "n_negatives",
        CANDIDATES: "n_negatives",
        **dict.fromkeys((JUDGED_USERS, BATCH_USERS), "users"),
    }
    factors = "*".join(counted.get(name, name) for name in largest.split("*")).split("*")
    counts = [name for name in COUNTS if name in factors]
    values = [name for name in (USER_VALUES, ITEM_VALUES) if name in factors]
    most = () if counts or values else tuple(dict.fromkeys(name for name in factors if name in parameters))
    if most:
        return ", ".join(f"{name}={parameters[name]}" for name in most), most
    amounts = [f"{getattr(size, name):,} {name}" for name in counts or ([] if values else ["interactions"])]
    amounts += [f"{_of_features(name, size):,} values of features of {_OF_FEATURES[name][0]}" for name in values]
    return " and ".join(amounts), ()

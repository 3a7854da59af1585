"""What has changed of a tuned algorithm since the baseline: its search space, its budget, and what was chosen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from omnibench.gate.series import Series
from omnibench.keys import canonical
from omnibench.naming import value_text
from omnibench.tuning.budget import Tuning
from omnibench.tuning.space import Space

_MOST_FOLDS = 3
"""Folds whose choices a sentence lists."""

_BUDGET = "budget"
_DEFAULT = "the default"


def search_sentence(current: Series, baseline: Series) -> str:
    """Return what differs between a tuned algorithm and that of the baseline, as a sentence; empty where nothing does.

    Args:
        current: The series that is measured now.
        baseline: The baseline's.

    Returns:
        Such as ``shop/RecPack.EASE (tuned): budget 30 -> 60 trials; l2 log 1 to 10000 -> log 1 to 100000``.
    """
    changes = [*_changes(current.configuration, baseline.configuration), *_choices(current, baseline)]
    if current.user_label != baseline.user_label:
        changes.append(f"compared with {baseline}")
    return f"{current}: {'; '.join(changes)}" if changes else ""


def has_other_search(current: Series, baseline: Series) -> bool:
    """Whether the space, the budget or what else a choice depends on has changed; what was chosen is a result."""
    return any(_changes(current.configuration, baseline.configuration))


def _changes(current: Mapping[str, Any], baseline: Mapping[str, Any]) -> Iterator[str]:
    """Yield what has changed in the space, the budget, and whatever else a choice depends on."""
    words, earlier_words = search_words(current), search_words(baseline)
    names = [name for name in dict.fromkeys([*words, *earlier_words]) if words.get(name) != earlier_words.get(name)]
    for name in names:
        text, earlier = words.get(name, ""), earlier_words.get(name, "")
        if not earlier:
            yield f"{name} {text}, which was not there"
        elif not text:
            yield f"{name} {earlier} no more"
        else:
            yield f"{name} {_without_unit(earlier, text)} -> {text}"
    if not names and canonical(current.get("search")) != canonical(baseline.get("search")):
        yield "the search has changed"


def search_words(configuration: Mapping[str, Any]) -> dict[str, str]:
    """Return all that the choice of a tuned configuration depends on in words, by what it is called.

    Args:
        configuration: The fields of its key. A baseline's may be anybody's, or of a later omnibench: what cannot be read
            is left out.

    Returns:
        Such as ``{"budget": "30 trials", "l2": "log 1 to 10000", "epochs": "50", "metric": "NDCG@10", ...}``.
    """
    search = configuration.get("search") or {}
    words: dict[str, str] = {}
    parameters: dict[str, str] = {}
    with suppress(Exception):  # whatever an identity that is none leads to
        parameters = {name: str(text) for name, text in Space.from_identity(search["space"]).plain.items()}
    fixed = configuration.get("parameters") or {}
    parameters |= {str(name): value_text(value) for name, value in fixed.items()}
    settings: dict[str, Any] = {"list length": search.get("length"), "seed": search.get("seed")}
    if search.get("candidates"):
        settings["candidates"] = canonical(search["candidates"])
    with suppress(Exception):
        tuning = Tuning.from_identity(search["tuning"])
        words = {_BUDGET: tuning.budget_words}
        settings |= {
            "metric": str(tuning.proposing["metric"]["label"]),
            "sampler": tuning.sampler_words,
            "pruner": tuning.pruner_words or "none",
            "trials proposed together": tuning.round_size or "any number",
            "seed of the sampler": tuning.seed,
            "a search per fold": "yes" if tuning.per_fold else "no",
        }
    settings["refit"] = configuration.get("refit") or "train"
    further = {name: str(setting) for name, setting in settings.items() if setting is not None}
    return {**words, **parameters, **{name: text for name, text in further.items() if name not in parameters}}


def _without_unit(earlier: str, text: str) -> str:
    """Return an earlier number without its unit where the later one has the same: ``30 -> 60 trials``."""
    (*number, unit), (*_, later_unit) = earlier.split(" "), text.split(" ")
    return number[0] if len(number) == 1 and unit == later_unit and number[0].isdecimal() else earlier


def _choices(current: Series, baseline: Series) -> Iterator[str]:
    """Yield in which folds other values were chosen; where values are chosen that say the same, nothing."""
    chosen, earlier = _searched(current), _searched(baseline)
    folds = sorted(chosen.keys() & earlier.keys())
    different = [fold for fold in folds if canonical(chosen[fold]) != canonical(earlier[fold])]
    if not different:
        return
    has_folds = {*chosen, *earlier} != {0}
    listed = [
        f"{f'in fold {fold}: ' if has_folds else ''}{_chosen_change(chosen[fold], earlier[fold])}"
        for fold in different[:_MOST_FOLDS]
    ]
    more = len(different) - _MOST_FOLDS
    rest = f"; and in {more} more fold{'' if more == 1 else 's'}" if more > 0 else ""
    yield f"chosen {'; '.join(listed)}{rest}"


def _searched(series: Series) -> dict[int, dict[str, Any]]:
    """Return what was searched for and chosen in each fold, without what the plan gives."""
    fixed = series.configuration.get("parameters") or {}
    return {
        fold: {name: value for name, value in values.items() if name not in fixed}
        for fold, values in series.chosen.items()
    }


def _chosen_change(current: Mapping[str, Any], baseline: Mapping[str, Any]) -> str:
    """Return which values are others now, e.g. ``l2 512.3 -> 800``."""
    changes = []
    for name in dict.fromkeys([*baseline, *current]):
        if (name in current) == (name in baseline) and canonical(current.get(name)) == canonical(baseline.get(name)):
            continue
        texts = [_short(values[name]) if name in values else _DEFAULT for values in (baseline, current)]
        if texts[0] == texts[1]:
            texts = [value_text(values[name]) for values in (baseline, current)]
        changes.append(f"{name} {texts[0]} -> {texts[1]}")
    return ", ".join(changes)


def _short(value: Any) -> str:
    """Return a value with the digits that people read."""
    return f"{value:.4g}" if isinstance(value, float) else value_text(value)

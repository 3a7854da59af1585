"""Folds as nested JSON, written value by value: of items of which all is recorded as runs record it, which most are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from json.encoder import encode_basestring

from omnibench.report.folds import Folds
from omnibench.report.item_facts import PlainFacts
from omnibench.report.plain_blocks import cost_texts_of

_MEMBERS = "\n" + " " * 7
_METRICS = "\n" + " " * 8
_VALUES = "\n" + " " * 9
"""What members of a fold, its metrics, and their members begin with."""


def fold_texts(block: Sequence[Folds], facts: PlainFacts) -> Iterator[str]:
    """Yield the JSON of each fold, as it stands inside of its configuration; what it has to be equal to is ``frames.nested``.

    Args:
        block: The results.
        facts: The facts about their items.
    """
    spreads, costs = iter(facts.spreads.rows), cost_texts_of(facts)
    for folds in block:
        labels = folds.labels
        for fold, fit_key, values in zip(folds.folds, folds.fit_keys, folds.value_texts(repr), strict=True):
            fit, predict, start, peak = next(costs)
            # Labels come first, and end it: behind them `spreads` would have lost the first row of the next fold.
            of_fold = [
                _metric(label, value, *spread.split(","))
                for label, value, spread in zip(labels, values, spreads, strict=False)
            ]
            listed = f"{{{_METRICS}{f',{_METRICS}'.join(of_fold)}{_MEMBERS}}}" if of_fold else "{}"
            yield (
                f'      {{{_MEMBERS}"fold": {_null_or(fold)},{_MEMBERS}"fit_key": {encode_basestring(fit_key)},'
                f'{_MEMBERS}"fit_seconds": {fit or _NULL},{_MEMBERS}"predict_seconds": {predict or _NULL},{_MEMBERS}"start_seconds": '
                f'{start or _NULL},{_MEMBERS}"peak_memory": {peak or _NULL},{_MEMBERS}"metrics": {listed}\n      }}'
            )


def _metric(label: str, value: str, stderr: str, low: str, high: str, users: str) -> str:
    """Return the JSON of a metric, of numbers as texts, which are empty for null."""
    return (
        f'{_begin_of(label)}{value or _NULL},{_VALUES}"stderr": {stderr or _NULL},{_VALUES}"low": {low or _NULL},'
        f'{_VALUES}"high": {high or _NULL},{_VALUES}"users": {users or _NULL}{_METRICS}}}'
    )


@lru_cache(maxsize=1024)
def _begin_of(label: str) -> str:
    """Return what a metric begins with; there are few labels."""
    return f'{encode_basestring(label)}: {{{_VALUES}"value": '


_NULL = "null"


def _null_or(number: int | None) -> str:
    return _NULL if number is None else repr(number)

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

_FOLD = f'      {{{_MEMBERS}"fold": '
_FIT_KEY, _FIT_SECONDS, _PREDICT_SECONDS, _START_SECONDS, _PEAK_MEMORY, _LISTED = (
    f',{_MEMBERS}"{name}": '
    for name in ("fit_key", "fit_seconds", "predict_seconds", "start_seconds", "peak_memory", "metrics")
)
_STDERR, _LOW, _HIGH, _USERS = (f',{_VALUES}"{name}": ' for name in ("stderr", "low", "high", "users"))
_END, _NEXT_METRIC = f"{_METRICS}}}", f",{_METRICS}"
"""What stands before the numbers of a fold and of a metric, and behind these: to put these together for each takes a third of the time."""


def fold_texts(block: Sequence[Folds], facts: PlainFacts) -> Iterator[str]:
    """Yield the JSON of each fold, as it stands inside of its configuration; what it has to be equal to is ``frames.nested``.

    Args:
        block: The results.
        facts: The facts about their items.
    """
    spreads, costs = iter(facts.spreads.rows), cost_texts_of(facts)
    for folds in block:
        begins = list(map(_begin_of, folds.labels))
        for fold, fit_key, values in zip(folds.folds, folds.fit_keys, folds.value_texts(repr), strict=True):
            fit, predict, start, peak = next(costs)
            # Labels come first, and end it: behind them `spreads` would have lost the first row of the next fold.
            of_fold = [
                _metric(begin, value, *spread.split(","))
                for begin, value, spread in zip(begins, values, spreads, strict=False)
            ]
            listed = f"{{{_METRICS}{_NEXT_METRIC.join(of_fold)}{_MEMBERS}}}" if of_fold else "{}"
            yield (
                f"{_FOLD}{_null_or(fold)}{_FIT_KEY}{encode_basestring(fit_key)}{_FIT_SECONDS}{fit or _NULL}{_PREDICT_SECONDS}"
                f"{predict or _NULL}{_START_SECONDS}{start or _NULL}{_PEAK_MEMORY}{peak or _NULL}{_LISTED}{listed}\n      }}"
            )


def _metric(begin: str, value: str, stderr: str, low: str, high: str, users: str) -> str:
    """Return the JSON of a metric, of numbers as texts, which are empty for null."""
    return f"{begin}{value or _NULL}{_STDERR}{stderr or _NULL}{_LOW}{low or _NULL}{_HIGH}{high or _NULL}{_USERS}{users or _NULL}{_END}"


@lru_cache(maxsize=1024)
def _begin_of(label: str) -> str:
    """Return what a metric begins with; there are few labels."""
    return f'{encode_basestring(label)}: {{{_VALUES}"value": '


_NULL = "null"


def _null_or(number: int | None) -> str:
    return _NULL if number is None else repr(number)

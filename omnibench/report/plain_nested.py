"""Folds as nested JSON, written value by value: of items of which all is recorded as runs record it, which most are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any

from omnibench.report.item_facts import PlainFacts
from omnibench.report.plain_blocks import costs_of, values_of
from omnibench.results import Result

_MEMBERS = "\n" + " " * 7
_METRICS = "\n" + " " * 8
_VALUES = "\n" + " " * 9
"""What members of a fold, its metrics, and their members begin with."""


def fold_texts(results: Sequence[Result], facts: PlainFacts) -> Iterator[str]:
    """Yield the JSON of each fold, as it stands inside of its configuration; what it has to be equal to is ``frames.nested``.

    Args:
        results: The results.
        facts: The facts about their items.
    """
    metrics = (
        f'{_begin_of(label)}{_text(value)},{_VALUES}"stderr": {_text(stderr)},{_VALUES}"low": {_text(low)},{_VALUES}"high": '
        f'{_text(high)},{_VALUES}"users": {_text(users)}{_METRICS}}}'
        for label, value, stderr, low, high, users in zip(*values_of(results, facts), strict=True)
    )
    for result, fit, predict, start, peak in zip(results, *costs_of(facts), strict=True):
        of_fold = [next(metrics) for _ in result.metrics]
        listed = f"{{{_METRICS}{f',{_METRICS}'.join(of_fold)}{_MEMBERS}}}" if of_fold else "{}"
        yield (
            f'      {{{_MEMBERS}"fold": {_text(result.fold)},{_MEMBERS}"fit_key": {encode_basestring(result.fit_key)},'
            f'{_MEMBERS}"fit_seconds": {_text(fit)},{_MEMBERS}"predict_seconds": {_text(predict)},{_MEMBERS}"start_seconds": '
            f'{_text(start)},{_MEMBERS}"peak_memory": {_text(peak)},{_MEMBERS}"metrics": {listed}\n      }}'
        )


@lru_cache(maxsize=1024)
def _begin_of(label: str) -> str:
    """Return what a metric begins with; there are few labels."""
    return f'{encode_basestring(label)}: {{{_VALUES}"value": '


def _text(number: Any) -> str:
    """Return a number that is finite, or None, as JSON."""
    return "null" if number is None else repr(number)

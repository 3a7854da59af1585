"""What searches have chosen, for results that a run has put together without looking into the records of their items."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from omnibench.errors import StoreError
from omnibench.results import Result
from omnibench.store.item_records import choice_of
from omnibench.store.reading import read
from omnibench.store.schema import RecordLookup, RecordType


def with_choices(results: Iterable[Result], lookup: RecordLookup) -> list[Result]:
    """Return results, those of tuned items with what was chosen.

    Args:
        results: The results; of most, nothing is looked up.
        lookup: Finds records by their keys.
    """
    return [_with_choice(result, lookup) if result.tuned and result.chosen is None else result for result in results]


def _with_choice(result: Result, lookup: RecordLookup) -> Result:
    item = lookup(RecordType.ITEM.key(result.fit_key)) or {}
    return replace(result, chosen=choice_of(item))


def with_recorded_choices(results: list[Result], root: Path) -> list[Result]:
    """Return results as ``with_choices`` does, from the records of a store; as they are where it cannot be read.

    Args:
        results: The results.
        root: The store's directory.
    """
    if any(result.tuned and result.chosen is None for result in results):
        with suppress(StoreError, OSError):
            return read(root / "store", lambda reader: with_choices(results, reader.get))
    return results

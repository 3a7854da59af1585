"""What hangs on searches: their trials, and the models and values of these that nobody else needs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from omnibench.store.schema import SEARCHED, Record, RecordLookup, RecordType, current_key
from omnibench.store.stored_records import of_type

_OF_SEARCHES = (RecordType.SEARCH, RecordType.TRIAL, RecordType.FIT, RecordType.SERIES)


def searches_in(items: Iterable[Record]) -> set[str]:
    """Return the keys of the searches that choose the configurations of items."""
    return {str(item[SEARCHED]) for item in items if item.get(SEARCHED)}


def fit_keys_of(item: Record) -> list[str]:
    """Return the keys that the fit of an item may be recorded under: its own, and that of the trial that was chosen."""
    chosen = (item.get("chosen") or {}).get("fit_key")
    return [item["fit_key"], *([chosen] if chosen else [])]


def fit_of(item: Record, lookup: RecordLookup) -> Record | None:
    """Return the record of the fit that an item's numbers are of, or None where there is none.

    Args:
        item: The item's record.
        lookup: Finds records by their keys.
    """
    fits = (lookup(RecordType.FIT.key(fit_key)) for fit_key in fit_keys_of(item))
    return next((fit for fit in fits if fit is not None), None)


def belongings(searches: Collection[str], records: Mapping[str, Record]) -> dict[str, Record]:
    """Return the records of searches and of what belongs to them alone.

    That is their trials, and the models, snapshots and scores of these, and what was reset of all that. What is also an item's, or
    a trial's of another search, belongs to that as well.

    Args:
        searches: The searches' keys.
        records: All records.
    """
    if not searches:
        return {}
    own: dict[str, Record] = {}
    judged: set[str] = set()
    shared: set[str] = set()
    for key, record in records.items():
        record_type, is_own = RecordType.of(key), record.get(SEARCHED) in searches
        if is_own and RecordType.of(current_key(key)) in (RecordType.SEARCH, RecordType.TRIAL):
            own[key] = record
        if record_type in (RecordType.ITEM, RecordType.TRIAL):
            users = judged if record_type is RecordType.TRIAL and is_own else shared
            users.add(record["fit_key"])
    for key, record in records.items():
        of_fit = RecordType.of(current_key(key)) in (RecordType.FIT, RecordType.SERIES)
        is_model = of_fit and record.get(SEARCHED) in searches
        is_judged = RecordType.of(key) in (RecordType.SCORE, RecordType.SNAPSHOT) and record["fit_key"] in judged
        if (is_model or is_judged) and record["fit_key"] not in shared:
            own[key] = record
    return own


def unused(records: Mapping[str, Record]) -> dict[str, Record]:
    """Return the records of searches whose items are gone, with their belongings, and scores of nobody.

    Args:
        records: All records.
    """
    searches = set(_searches_named(records))
    if searches:
        searches -= searches_in(item for _, item in of_type(records, RecordType.ITEM))
    garbage = belongings(searches, records)
    scores = dict(of_type(records, RecordType.SCORE))
    if not scores:
        return garbage
    users = {record["fit_key"] for _, record in of_type(records, RecordType.ITEM)}
    users |= {record["fit_key"] for key, record in of_type(records, RecordType.TRIAL) if key not in garbage}
    return garbage | {key: record for key, record in scores.items() if record["fit_key"] not in users}


def _searches_named(records: Mapping[str, Record]) -> Iterator[str]:
    """Yield the keys of the searches that there is anything of."""
    for record_type in _OF_SEARCHES:
        for _, record in of_type(records, record_type):
            if record.get(SEARCHED):
                yield record[SEARCHED]

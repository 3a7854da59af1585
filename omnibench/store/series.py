"""The series of a Fit: the losses and validation values that it has reported, by epoch, each epoch once over all attempts.

It is recorded with the Fit. While there is none, the newest snapshot of the Fit has it, as far as it goes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from omnibench.store.builders import ItemLabels, Origin
from omnibench.store.checks import is_natural, is_number
from omnibench.store.reader import Reader
from omnibench.store.resumption import open_snapshots
from omnibench.store.schema import SEARCHED, Phase, Record, RecordLookup, RecordType
from omnibench.store.states import RecordsInMemory

if TYPE_CHECKING:
    import pandas as pd

LOSS, VALIDATION = "loss", "validation"
"""The numbers of an epoch that have columns and charts, by the names under which guests report them."""

MOST_EPOCHS = 1000
"""How many epochs of a longer series are recorded, about: those of an own class may be batches."""

REPORTED = "reported."
"""What the names of the columns of all other numbers begin with."""

_MOST_NAMED = 3
"""Numbers of an epoch that a line for people has."""

_LABELS = ("item", "dataset", "algorithm", "fold")


class Epoch(NamedTuple):
    """An epoch of a series.

    Attributes:
        number: Its number, as it was reported.
        numbers: What was reported of it, by name.
    """

    number: int
    numbers: Mapping[str, float]


def series_record(
    labels: ItemLabels, origin: Origin, series: Iterable[Sequence[Any]], *, search: str = ""
) -> Record | None:
    """Return the record of a series, or None where nothing was reported.

    Args:
        labels: The item of the Fit.
        origin: The run and worker that have fitted it.
        series: Pairs of an epoch and its numbers by name, as guests answer.
        search: The key of the search one of whose trials it is; empty where the Fit belongs to an item.
    """
    sound = _sound(series)
    if not sound:
        return None
    return {
        **labels.common_members,
        **origin.members(Phase.FIT.value),
        "epochs": len(sound),
        "series": thinned(sound, MOST_EPOCHS),
        **({SEARCHED: search} if search else {}),
    }


def bounded(series: Iterable[Sequence[Any]]) -> list[Epoch]:
    """Return a series as records keep it: what can be recorded of it, and of a long one about ``MOST_EPOCHS`` epochs."""
    return thinned(_sound(series), MOST_EPOCHS)


def _sound(series: Iterable[Sequence[Any]]) -> list[Epoch]:
    """Return what can be recorded of a series: a class may report any number."""
    epochs = [
        Epoch(number, {name: value for name, value in values.items() if is_number(value) and math.isfinite(value)})
        for number, values in series
        if is_natural(number)
    ]
    return [epoch for epoch in epochs if epoch.numbers]


def thinned(series: Sequence[Epoch], most: int) -> list[Epoch]:
    """Return a series with about so many epochs at most, spread evenly.

    The first, the last, and those with the highest and the lowest value on the validation part always stay. Where only some
    have such a value, half of those that stay are of these.

    Args:
        series: The series.
        most: How many epochs.
    """
    if len(series) <= most:
        return list(series)
    judged = [epoch for epoch in series if VALIDATION in epoch.numbers]
    staying = {series[0].number, series[-1].number}
    parts = (series, judged) if 0 < len(judged) < len(series) else (series,)
    for epochs in parts:
        step = max(1, math.ceil(len(parts) * len(epochs) / most))
        staying.update(epoch.number for epoch in epochs[::step])
    if judged:
        by_value = sorted(judged, key=lambda epoch: epoch.numbers[VALIDATION])
        staying |= {by_value[0].number, by_value[-1].number}
    return [epoch for epoch in series if epoch.number in staying]


def series_of(fit_key: str, lookup: RecordLookup) -> list[Epoch]:
    """Return the series that is recorded with a Fit; empty where there is none.

    Args:
        fit_key: The Fit's key.
        lookup: Finds records by their keys.
    """
    record = lookup(RecordType.SERIES.key(fit_key)) or {}
    return [Epoch(*pair) for pair in record.get("series", ())]


def records_with_series(reader: Reader) -> dict[str, Record]:
    """Return the records that ``series_records`` looks at.

    Args:
        reader: Reads the records.
    """
    records = dict(reader.records(RecordType.SERIES.prefix, in_order=True))
    snapshots = dict(reader.records(RecordType.SNAPSHOT.prefix, in_order=True))
    fit_keys = dict.fromkeys(snapshot["fit_key"] for snapshot in snapshots.values())
    keys = (record_type.key(fit_key) for fit_key in fit_keys for record_type in (RecordType.FIT, RecordType.ITEM))
    return {**records, **snapshots, **{key: record for key in keys if (record := reader.get(key)) is not None}}


def series_records(records: Mapping[str, Record]) -> dict[str, Record]:
    """Return the records that items' series stand in, by fit key: of Fits, else of the newest snapshots.

    Args:
        records: All records, by key.
    """
    newest = open_snapshots(RecordsInMemory(records))
    by_fit = {fit_key: record for fit_key, record in newest.items() if RecordType.ITEM.key(fit_key) in records}
    return by_fit | {
        record["fit_key"]: record
        for key, record in records.items()
        if RecordType.SERIES.has(key) and not record.get(SEARCHED)
    }


def epoch_rows(records: Mapping[str, Record]) -> list[dict[str, Any]]:
    """Return a row per epoch of every item that has reported any: its labels, ``epoch``, and the numbers by name.

    Args:
        records: All records, by key.
    """
    return [
        {
            **{name: record[name] for name in _LABELS},
            "epoch": number,
            **{name if name in (LOSS, VALIDATION) else f"{REPORTED}{name}": value for name, value in values.items()},
        }
        for record in series_records(records).values()
        for number, values in record.get("series", ())
    ]


def epoch_frame(records: Mapping[str, Record]) -> pd.DataFrame:
    """Return a row per epoch that the Fits of items have reported, by item and epoch.

    Columns: item, dataset, algorithm, fold, epoch, loss, validation (the value on the validation part), and every other
    number that was reported as ``reported.<name>``; what an epoch has not is missing.

    Args:
        records: All records, by key.
    """
    import pandas as pd

    rows = epoch_rows(records)
    columns = [*_LABELS, "epoch", LOSS, VALIDATION]
    further = sorted({name for row in rows for name in row} - {*columns})
    frame = pd.DataFrame(rows, columns=[*columns, *further])
    types = {"fold": "Int64", "epoch": "Int64", **dict.fromkeys([LOSS, VALIDATION, *further], "float64")}
    return frame.astype(types).sort_values(["item", "epoch"], ignore_index=True)


def number_names(series: Iterable[Epoch]) -> list[str]:
    """Return the names of the numbers of a series: loss and validation value, then all others in alphabetical order."""
    names = {name for epoch in series for name in epoch.numbers}
    return sorted(names, key=lambda name: (name not in (LOSS, VALIDATION), name))


def series_facts(series: Sequence[Epoch]) -> dict[str, Any] | None:
    """Return the numbers of a series in short.

    Args:
        series: The series.

    Returns:
        ``last_epoch``, and in ``numbers``, by name, ``first``, ``last``, ``lowest`` and ``highest``, each as a pair of the
        epoch and the number; None where there is no number.
    """
    facts: dict[str, Any] = {}
    for name in number_names(series):
        pairs = [(epoch.number, epoch.numbers[name]) for epoch in series if name in epoch.numbers]
        facts[name] = {
            "first": pairs[0],
            "last": pairs[-1],
            "lowest": min(pairs, key=lambda pair: pair[1]),
            "highest": max(pairs, key=lambda pair: pair[1]),
        }
    return {"last_epoch": series[-1].number, "numbers": facts} if facts else None


def series_words(facts: Mapping[str, Any]) -> str:
    """Return a series in a line, e.g. ``loss 0.6931 (epoch 1) to 0.1042 (epoch 50), validation ...``.

    Args:
        facts: As ``series_facts`` returns them.
    """
    numbers, words = facts["numbers"], []
    for name in list(numbers)[:_MOST_NAMED]:
        (first, value), (last, end) = numbers[name]["first"], numbers[name]["last"]
        text = f"{name} {value:.4g} in epoch {first}" + (f", {end:.4g} in epoch {last}" if last != first else "")
        (lowest, low), (highest, high) = numbers[name]["lowest"], numbers[name]["highest"]
        extremes = f" (lowest {low:.4g} in {lowest}, highest {high:.4g} in {highest})"
        words.append(text + (extremes if name == VALIDATION and lowest != highest else ""))
    more = len(numbers) - _MOST_NAMED
    return "; ".join(words) + (f"; and {more} more" if more > 0 else "")

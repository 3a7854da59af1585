"""``omnibench data describe``: what is in a data set, and which sets of the catalogue are like it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from omnibench.commands.data_targets import datasets_of, modules_put_back
from omnibench.commands.data_words import LABEL_COLUMNS, exact, figure, labelled, percent
from omnibench.commands.parsing import say, say_text, warnings_said
from omnibench.data.catalogue.names import definitions
from omnibench.data.catalogue.neighbours import Neighbour, neighbours
from omnibench.data.cold import cold_counts
from omnibench.data.dataset import RecSysDataSet
from omnibench.data.describe import QUANTILES, Description, RatingFigures, Side, TimeFigures, describe
from omnibench.data.interactions import Interactions
from omnibench.data.leakage import leak_counts
from omnibench.data.positions import n_positions
from omnibench.errors import DataError
from omnibench.report.comparisons import aligned

_LEAKING = "leaking"
_FOLD_HEADER = {
    "train": "train",
    "validation": "validation",
    "test": "test",
    "cold_users": "cold users",
    "cold_items": "cold items",
    "before_training_end": _LEAKING,
    "seen_pairs": "also in train",
}
"""What is said of a fold, and its header."""

_SPANS = (("days", 1), ("hours", 24), ("minutes", 1440), ("seconds", 86_400))
"""Units of time spans with how many of each a day has."""


@modules_put_back()
def data_describe(arguments: argparse.Namespace) -> int:
    """Describe a data set or file: sizes, density, activity, Gini, ratings, times, doubtful values, what it is like."""
    with warnings_said():
        datasets = datasets_of(arguments.target, arguments.read, arguments.pipe)
    described = []
    for number, dataset in enumerate(datasets):
        with warnings_said():
            rows = _rows(dataset)
            description = describe(rows)
            tested = dataset.tested_rows(rows)
            positions = 0 if tested.session_ids is None else n_positions(tested)
            folds = list(_folds(dataset, tested))
        nearest = _neighbours(description, dataset.name)
        if arguments.json:
            described.append(_plain(dataset, description, positions, folds, nearest))
            continue
        if number:
            say()
        for line in _lines(dataset, description, positions, folds, nearest):
            say(line)
    if arguments.json:
        say_text(json.dumps(described, indent=1))
    return 0


def _rows(dataset: RecSysDataSet) -> Interactions:
    """Return the interactions as they are in the source, or as the steps before the split leave them.

    Raises:
        DataError: There are none.
    """
    is_raw = not dataset.steps and dataset.split is None
    rows = dataset.source.load() if is_raw else dataset.interactions()
    if len(rows) == 0:
        raise DataError(f"{dataset.name} has no interactions.")
    return rows


def _folds(dataset: RecSysDataSet, rows: Interactions) -> Iterator[dict[str, int]]:
    """Yield the sizes of each fold's parts, who and what of the test part is unknown in training, and what leaks."""
    for parts in dataset.parts(rows) if dataset.split is not None else ():
        sizes = {name: len(part) for name, part in parts._asdict().items()}
        yield {**sizes, **cold_counts(rows, parts), **leak_counts(rows, parts)}


def _neighbours(description: Description, name: str) -> list[Neighbour]:
    candidates = (entry for entry in definitions().values() if entry.name != name)
    return neighbours(candidates, description.users.count, description.items.count, description.interactions)


def _plain(
    dataset: RecSysDataSet, description: Description, positions: int, folds: Sequence[Any], nearest: Iterable[Neighbour]
) -> dict[str, Any]:
    """Return all that the command says, for programs."""
    return {
        "name": dataset.name,
        "steps": [str(step) for step in dataset.steps],
        **asdict(description),
        "pairs": description.pairs,
        "density": description.density,
        **({"positions": positions} if positions else {}),
        "folds": list(folds),
        "nearest": [
            {
                "name": neighbour.definition.name,
                "users": neighbour.definition.counts.users,
                "items": neighbour.definition.counts.items,
                "interactions": neighbour.interactions,
                "density": neighbour.density,
                "distance": neighbour.distance,
            }
            for neighbour in nearest
        ],
    }


def _lines(
    dataset: RecSysDataSet,
    description: Description,
    positions: int,
    folds: Sequence[dict[str, int]],
    nearest: Sequence[Neighbour],
) -> Iterator[str]:
    yield dataset.name
    repeated = (
        f"{exact(description.repeated)} of them repeat a pair of a user and an item" if description.repeated else ""
    )
    facts = {
        "steps": " | ".join(str(step) for step in dataset.steps),
        "split": str(dataset.split) if dataset.split is not None and dataset.split not in dataset.steps else "",
        "interactions": exact(description.interactions) + (f", {repeated}" if repeated else ", no pair repeated"),
        "users": exact(description.users.count),
        "items": exact(description.items.count),
        "positions": f"{exact(positions)} of validation and test, each a user of its own in the split"
        if positions
        else "",
        "density": percent(description.density),
        "ratings": _rating_words(description.ratings),
        "times": _time_words(description.times),
    }
    for label, text in facts.items():
        if text:
            yield from labelled(label, text)
    yield ""
    yield from _activity(description)
    if description.doubts:
        yield ""
        for number, doubt in enumerate(description.doubts):
            rows = f"{exact(doubt.rows)} row{'' if doubt.rows == 1 else 's'}"
            share = percent(doubt.rows / description.interactions)
            yield from labelled(
                "" if number else "doubtful", f"{doubt.column} {doubt.value_text} in {rows} ({share}) {doubt.reason}"
            )
    if folds:
        yield ""
        yield from _fold_lines(folds)
    yield ""
    yield from _nearest_lines(nearest)


def _rating_words(ratings: RatingFigures | None) -> str:
    """Return the shares of the values; of many values their quantiles."""
    if ratings is None:
        return "none"
    total = sum(ratings.frequencies.values())
    if ratings.frequencies:
        shares = "  ".join(f"{value:g}: {percent(count / total)}" for value, count in ratings.frequencies.items())
        return (
            f"{shares}  (mean {figure(ratings.spread.mean)})"
            if len(ratings.frequencies) > 1
            else f"all {min(ratings.frequencies):g}"
        )
    spread = ratings.spread
    return (
        f"{figure(spread.least)} to {figure(spread.most)}, mean {figure(spread.mean)}, "
        f"median {figure(spread.quantiles[0.5])}, {QUANTILES[-1]:.0%} at most {figure(spread.quantiles[QUANTILES[-1]])}"
    )


def _time_words(times: TimeFigures | None) -> str:
    if times is None:
        return "none"
    span = next((f"{figure(times.days * count)} {unit}" for unit, count in _SPANS if times.days * count >= 2), "0 days")  # noqa: PLR2004
    unit = f", in {times.unit}" if times.unit != "seconds" else ""
    return f"{times.date(times.first)} to {times.date(times.last)} ({span}), {exact(times.moments)} different moments{unit}"


def _activity(description: Description) -> Iterator[str]:
    """Yield the table of how many interactions users and items have."""
    header = ["least", *(f"{share:.0%}" for share in QUANTILES), "most", "mean", "Gini", "one only"]
    header[header.index("50%")] = "median"
    rows = [["interactions", *header]]
    for label, side in (("per user", description.users), ("per item", description.items)):
        rows.append([label, *_side_cells(side)])
    yield from _aligned(rows)


def _side_cells(side: Side) -> list[str]:
    spread = side.spread
    numbers = [spread.least, *spread.quantiles.values(), spread.most]
    return [*(exact(int(number)) for number in numbers), figure(spread.mean), f"{side.gini:.3f}", exact(side.single)]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table of numbers, whose labels stand below those of facts."""
    return aligned([[row[0].ljust(LABEL_COLUMNS - 2), *row[1:], ""] for row in rows])


def _fold_lines(folds: Sequence[dict[str, int]]) -> Iterator[str]:
    """Yield the table of the folds' parts."""
    names = [name for name in _FOLD_HEADER if any(name in fold for fold in folds)]
    rows = [["fold", *(_FOLD_HEADER[name] for name in names)]]
    for number, fold in enumerate(folds):
        cells = [f"{exact(fold[name])}{_of_all(name, fold)}" if name in fold else "" for name in names]
        rows.append([str(number) if len(folds) > 1 else "", *cells])
    yield from _aligned(rows)
    if "before_training_end" in names:
        yield f"  {_LEAKING}: test interactions before the end of the training data"


def _of_all(name: str, fold: dict[str, int]) -> str:
    """Return of how many a number is."""
    if name.startswith("cold_"):
        return f" of {exact(fold[name.replace('cold_', 'test_')])}"
    return (
        f" ({percent(fold[name] / fold['test'])})"
        if name in ("before_training_end", "seen_pairs") and fold["test"]
        else ""
    )


def _nearest_lines(nearest: Sequence[Neighbour]) -> Iterator[str]:
    """Yield the table of the sets of the catalogue that are nearest."""
    rows = [["like it are", "users", "items", "interactions", "density"]]
    for neighbour in nearest:
        counts = neighbour.definition.counts
        name = f"{neighbour.definition.name}{' (same counts)' if neighbour.distance == 0 else ''}"
        rows.append(
            [
                name,
                exact(counts.users or 0),
                exact(counts.items or 0),
                exact(neighbour.interactions),
                percent(neighbour.density),
            ]
        )
    yield from _aligned(rows)


def add_parsers(actions: Any) -> None:
    """Declare the action to argparse."""
    description = (data_describe.__doc__ or "").splitlines()[0]
    parser = actions.add_parser("describe", help=description, description=description)
    parser.set_defaults(run=data_describe)
    parser.add_argument(
        "target",
        metavar="DATASET|FILE",
        help="a data set by name, a file of interactions, or a bench file with its datasets",
    )
    parser.add_argument(
        "--read",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="how the file is read: an argument of from_file, e.g. separator=:: (may be repeated)",
    )
    parser.add_argument(
        "--pipe",
        action="append",
        default=[],
        metavar="STEP",
        help="a step or split to apply before, e.g. 'CorePruning(5)' or 'UserHoldout(test_size=0.2)' (may be repeated)",
    )
    parser.add_argument("--json", action="store_true", help="for programs: all of it")

"""The rows of files: one for every value, made of cells that several rows share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

from omnibench.comparison.variance import COMPONENTS
from omnibench.keys import recorded_text
from omnibench.report.contents import Contents
from omnibench.report.folds import Folds, folds_of
from omnibench.report.item_facts import PlainFacts
from omnibench.report.numbers import finite
from omnibench.report.parts import Part
from omnibench.report.plain_blocks import PlainBlocks, configuration_cells, plain_facts_of
from omnibench.report.summaries import Summaries, WithSeeds, with_all_seeds
from omnibench.results import Result
from omnibench.store.phase_facts import Uncertainty
from omnibench.store.taken import Origin
from omnibench.tables.names import DisplayNames, display_names

ROWS_AT_HAND = 5000
"""How many rows are made at a time, unless a single item has more."""

COLUMN_TYPES = {
    "dataset": "string",
    "dataset_label": "string",
    "dataset_key": "string",
    "algorithm": "string",
    "configuration": "string",
    "label": "string",
    "configuration_key": "string",
    "parameters": "string",
    "seed": "Int64",
    "refit": "string",
    "framework": "string",
    "framework_version": "string",
    "fold": "Int64",
    "metric": "string",
    "value": "float64",
    "stderr": "float64",
    "low": "float64",
    "high": "float64",
    "users": "Int64",
    "cold_users": "Int64",
    "cold_items": "Int64",
    "before_training_end": "Int64",
    "fit_seconds": "float64",
    "predict_seconds": "float64",
    "start_seconds": "float64",
    "peak_memory": "Int64",
    "fit_key": "string",
    "seeds": "Int64",
    "mean": "float64",
    "std": "float64",
    **{f"{component}_variance": "float64" for component in COMPONENTS},
    "chosen": "string",
    "tuning_metric": "string",
    "tuning_value": "float64",
    "tuning_trials": "Int64",
    "tuning_pruned": "Int64",
    "tuning_failed": "Int64",
    "tuning_seconds": "float64",
    "tuning_budget": "string",
    "tuning_override": "boolean",
    "tuning_per_fold": "boolean",
    "taken_from": "string",
    "taken_by": "string",
    "taken_time": "string",
    "taken_sha256": "string",
}
"""The columns of a row for every value, with their types in pandas."""


WIDTHS = (12, 1, 6, 9, 2 + len(COMPONENTS), 10, 4)
"""How many columns each part of a row has; see ``blocks_of``."""


_NOT_TUNED, _NOT_TAKEN = ((None,) * width for width in WIDTHS[-2:])
_NO_MORE = "," * sum(WIDTHS[-2:])
"""Both as CSV, behind other cells."""


def rows_of(contents: Contents) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of ``frames.frame``, each with the values of ``COLUMN_TYPES``."""
    for parts in blocks_of(contents):
        of_parts = (map(part.cells.__getitem__, part.positions) for part in parts)
        yield from (tuple(chain.from_iterable(row)) for row in zip(*of_parts, strict=True))


def blocks_of(contents: Contents) -> Iterator[list[Part]]:
    """Yield the same rows by thousands: of a hundred thousand items, all of them together would take a gigabyte.

    A block is made of parts: the configuration, the fold, the value, the costs of the item, its configuration with all seeds, its
    search, the value's origin. None is empty: where no item has a value, there is no block.
    """
    return (block.make_parts() for block in _blocks(contents))


def lines_of(contents: Contents, line_of: Callable[[list[Part]], Iterable[str]]) -> Iterator[Iterable[str]]:
    """Yield the same rows as CSV, by thousands.

    Args:
        contents: The contents of the file.
        line_of: Writes the rows of parts.
    """
    for block in _blocks(contents):
        yield line_of(block.make_parts()) if block.make_lines is None else block.make_lines()


class _Block(NamedTuple):
    """Some rows, which are made when they are asked for.

    Attributes:
        make_parts: Makes their parts.
        make_lines: Makes the same as CSV; None where the parts have to be written.
    """

    make_parts: Callable[[], list[Part]]
    make_lines: Callable[[], Iterable[str]] | None = None


def _blocks(contents: Contents) -> Iterator[_Block]:
    all_folds = folds_of(contents.results)
    names = display_names(folds.alike for folds in all_folds)
    with_seeds = with_all_seeds(all_folds)
    summaries = Summaries(contents, with_seeds.values())
    plain = PlainBlocks(contents, names, with_seeds, summaries)
    for block in _by_rows(all_folds):
        facts = plain_facts_of(contents, block)
        if facts is None:
            yield _Block(partial(_parts_of, contents, block, names, with_seeds, summaries))
        else:
            yield _Block(partial(_plain_parts, plain, block, facts), partial(plain.lines_of, block, facts, _NO_MORE))


def _plain_parts(plain: PlainBlocks, block: Sequence[Folds], facts: PlainFacts) -> list[Part]:
    parts = plain.parts_of(block, facts)
    rows = len(parts[0].positions)
    return [*parts, *(_alike(cells, rows) for cells in (_NOT_TUNED, _NOT_TAKEN))]


def _parts_of(
    contents: Contents,
    block: Iterable[Folds],
    names: DisplayNames,
    with_seeds: Mapping[tuple[str, str], WithSeeds],
    summaries_by_label: Summaries,
) -> list[Part]:
    """Return the parts of a block of rows, made item by item; what is made by column has to be equal."""
    parts = [Part() for _ in WIDTHS]
    configurations, folds, values, costs, summaries, searches, origins = parts
    for result in (result for of_block in block for result in of_block.results):
        configuration = with_seeds[result.dataset, result.algorithm]
        summary_cells = summaries_by_label.cells_of(configuration)
        facts, rows = contents.facts_of(result), len(result.metrics)
        made_of = (facts.configuration_key, facts.parameters, facts.framework, facts.version)
        configurations.add_shared(configuration_cells(result, names, facts.dataset_key, made_of), rows)
        folds.add_shared((result.fold,), rows)
        counts = contents.split_counts(result)
        costs.add(
            (
                counts.get("cold_users"),
                counts.get("cold_items"),
                counts.get("before_training_end"),
                facts.fit_seconds,
                facts.predict_seconds,
                facts.start_seconds,
                facts.peak_memory,
                result.fit_key,
                len(configuration.seeds),
            ),
            rows,
        )
        if result.chosen is None:
            searches.add_shared(_NOT_TUNED, rows)
        else:
            searches.add(tuple(tuning_facts(result).values()), rows)
        for label, value in result.metrics.items():
            stderr, low, high, users = facts.uncertainties.get(label, _UNCERTAIN)
            values.add((label, finite(value), finite(stderr), finite(low), finite(high), users))
            summaries.add_shared(summary_cells[label], key=(configuration, label))
            origin = facts.origin_of(label) if facts.origins else None
            if origin is None:
                origins.add_shared(_NOT_TAKEN)
            else:
                origins.add(tuple(origin_facts(origin).values()))
    return parts


def _alike(cells: tuple[Any, ...], rows: int) -> Part:
    """Return a part of which all rows have the same cells."""
    part = Part()
    part.add_shared(cells, rows)
    return part


def _by_rows(all_folds: Iterable[Folds]) -> Iterator[list[Folds]]:
    """Yield the results that have values, as many at a time as make ``ROWS_AT_HAND`` rows at most, but at least one."""
    block: list[Folds] = []
    rows = 0
    for folds in all_folds:
        begin, width = 0, len(folds.labels)
        while width and begin < len(folds):  # without a label, e.g. items that lack the chosen metrics
            fitting = (ROWS_AT_HAND - rows) // width
            if fitting <= 0 and block:
                yield block
                block, rows = [], 0
                continue
            part = folds.part(begin, begin + max(1, fitting))
            block.append(part)
            begin += len(part)
            rows += width * len(part)
    if block:
        yield block


_UNCERTAIN = Uncertainty()


def tuning_facts(result: Result) -> dict[str, Any]:
    """Return what was chosen for a tuned result, and with which effort; None of others."""
    chosen = result.chosen
    if chosen is None:
        names = ("metric", "value", "trials", "pruned", "failed", "seconds", "budget", "override", "per_fold")
        return dict.fromkeys(("chosen", *names))
    return {
        "chosen": recorded_text(chosen["parameters"]),
        "metric": chosen.get("metric"),
        "value": finite(chosen.get("value")),
        **{name: chosen.get(name) for name in ("trials", "pruned", "failed")},
        "seconds": chosen.get("seconds"),
        "budget": recorded_text(chosen.get("budget") or {}),
        "override": chosen.get("override"),
        "per_fold": chosen.get("per_fold"),
    }


def origin_facts(origin: Origin | None) -> dict[str, str | None]:
    """Return where a metric was taken over from; None of others."""
    if origin is None:
        return dict.fromkeys(("from", "by", "time", "sha256"))
    return {"from": origin.source, "by": origin.by or None, "time": origin.time, "sha256": origin.sha256}

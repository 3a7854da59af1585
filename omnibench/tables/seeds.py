"""Configurations with several seeds: which results are of one, and which seeds changed nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from omnibench.results import Result

T = TypeVar("T")

ONCE = "once"
"""Stands for the seed of what is deterministic, and fitted once."""


def seed_groups(results: Iterable[Result]) -> dict[str, str]:
    """Return the configurations that differ from another one by the seed alone, and that with the lowest seed.

    Args:
        results: The results that are shown together.

    Returns:
        From display name to display name, of configurations with several seeds only.
    """
    examples = {result.algorithm: result for result in results}
    if len({result.seed for result in examples.values()}) < 2:  # noqa: PLR2004 - the usual case, which costs nothing
        return {}
    names_by_key: dict[str, list[tuple[int, str]]] = {}
    for name, result in examples.items():
        if result.seedless_key:
            names_by_key.setdefault(result.seedless_key, []).append((result.seed or 0, name))
    return {name: min(names)[1] for names in names_by_key.values() if len(names) > 1 for _, name in sorted(names)}


def with_seeds_together(results: Iterable[Result]) -> list[Result]:
    """Return results in their order, but those of a configuration with several seeds together, by seed.

    Args:
        results: The results that are shown together.
    """
    return rows_with_seeds_together(results, lambda result: result)


def rows_with_seeds_together(rows: Iterable[T], result_of: Callable[[T], Result]) -> list[T]:
    """Return what stands for results in the order of ``with_seeds_together``.

    Args:
        rows: What is shown together.
        result_of: Returns a result that says the dataset, the configuration and the seed of a row.
    """
    all_rows = list(rows)
    groups = seed_groups(map(result_of, all_rows))
    if not groups:
        return all_rows
    by_configuration: dict[tuple[str, str], list[T]] = {}
    for row in all_rows:
        result = result_of(row)
        by_configuration.setdefault((result.dataset, groups.get(result.algorithm, result.algorithm)), []).append(row)
    for key, of_configuration in by_configuration.items():
        if key[1] in groups:
            of_configuration.sort(key=lambda row: result_of(row).seed or 0)
    return [row for of_configuration in by_configuration.values() for row in of_configuration]


def distinct(rows: Sequence[Result]) -> list[Result]:
    """Return the results of a configuration without those of seeds that changed nothing.

    Where all seeds have equal predictions in every fold, they count once; else each counts.

    Args:
        rows: Its results, by fold and seed.
    """
    if not any(row.as_seed is not None for row in rows):
        return list(rows)
    folds: dict[int | None, list[Result]] = {}
    for row in rows:
        folds.setdefault(row.fold, []).append(row)
    return [fold[0] for fold in folds.values()] if all(map(_all_alike, folds.values())) else list(rows)


def _all_alike(fold: Sequence[Result]) -> bool:
    """Whether all results of a fold have equal predictions, by what each says of one other."""
    alike = {fold[0].seed}
    for _ in fold:
        alike |= {row.as_seed for row in fold if row.seed in alike} - {None}
        alike |= {row.seed for row in fold if row.as_seed in alike}
    return all(row.seed in alike for row in fold)


def seeds_of(rows: Iterable[Result]) -> list[int]:
    """Return the seeds of results, ascending."""
    return sorted({row.seed for row in rows if row.seed is not None})


def is_fitted_once(rows: Sequence[Result]) -> bool:
    """Whether a configuration is deterministic, and was fitted with one seed although several are asked for."""
    return any(row.deterministic and row.seeds > 1 for row in rows)


def with_seeds(label: str, count: int) -> str:
    """Return what people call a configuration, with the number of its seeds where it has several.

    Args:
        label: What they call it without.
        count: How many seeds there are; 0 where all make the same model.
    """
    if not count:
        return f"{label} (deterministic)"
    return f"{label} ({count} seeds)" if count > 1 else label


def seed_notes(counted: Mapping[str, Sequence[Result]], all_rows: Mapping[str, Sequence[Result]]) -> list[str]:
    """Return which configurations were not fitted with every seed, a line each reason.

    Args:
        counted: By label, the results that count.
        all_rows: By label, all results.
    """
    once = [label for label, rows in counted.items() if is_fitted_once(rows)]
    equal = [label for label, rows in all_rows.items() if len(counted[label]) < len(rows)]
    notes = [f"deterministic: fitted once ({', '.join(once)})"] if once else []
    if equal:
        notes.append(f"deterministic: seeds made equal predictions, which count once ({', '.join(equal)})")
    return notes

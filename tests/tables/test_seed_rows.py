"""Configurations with several seeds in tables: which results are of one, and which seeds count once."""

from __future__ import annotations

import pytest

from omnibench.results import Result
from omnibench.tables.layout import Layout, tables
from omnibench.tables.seeds import distinct, seed_groups, with_seeds_together
from omnibench.tables.terminal import render


def result(name: str, seed: int, value: float = 0.5, *, fold: int | None = 0, as_seed: int | None = None) -> Result:
    """Return the result of a configuration with one of three seeds; names of one letter are of one configuration."""
    return Result(
        "tiny",
        f"{name}-{seed}",
        f"{name}()",
        fold,
        {"NDCG@10": value},
        seed=seed,
        seedless_key=name,
        seeds=3,
        as_seed=as_seed,
    )


def test_only_several_seeds_make_a_group() -> None:
    """The group has the name with the lowest seed; what has one seed, or no recorded key, is in none."""
    rows = [result("A", 9), result("A", 10), result("B", 9)]
    assert seed_groups(rows) == {"A-9": "A-9", "A-10": "A-9"}
    assert seed_groups(rows[1:]) == {}
    assert seed_groups([Result("tiny", f"old-{seed}", "old()", 0, {}, seed=seed) for seed in (1, 2)]) == {}


def test_seeds_of_a_configuration_stand_together() -> None:
    """By seed, where the configuration stood first; what has one seed keeps its order."""
    rows = [result("A", 10), result("B", 9, fold=1), result("A", 9), result("B", 9, fold=0)]
    assert with_seeds_together(rows) == [rows[2], rows[0], rows[1], rows[3]]
    assert with_seeds_together(rows[:2]) == rows[:2]


@pytest.mark.parametrize(
    ("alike", "counted"),
    [
        ((None, 1, 1), 1),  # all as the first
        ((2, 3, None), 1),  # in a chain, in whatever order they were computed
        ((2, 1, None), 3),  # the third is another
        ((None, None, None), 3),
    ],
)
def test_seeds_count_once_where_all_are_alike(alike: tuple[int | None, ...], counted: int) -> None:
    """Of seeds of which one differs, each counts; and the table says which it is."""
    rows = [result("A", seed, as_seed=as_seed) for seed, as_seed in zip((1, 2, 3), alike, strict=True)]
    assert len(distinct(rows)) == counted
    (text,) = (render(table, colour=False) for table in tables(rows, Layout()))
    assert ("once" in text) == (counted == 1)
    assert ("deterministic: seeds made equal predictions, which count once (A)" in text) == (counted == 1)
    assert ("std" in text) == (counted == 3)


def test_folds_have_to_agree() -> None:
    """Where the seed changes something in one fold, every seed of every fold counts."""
    rows = [
        result("A", seed, fold=fold, as_seed=1 if (seed, fold) == (2, 0) else None)
        for fold in (0, 1)
        for seed in (1, 2)
    ]
    assert distinct(rows) == rows
    settled = [result("A", seed, fold=fold, as_seed=1 if seed == 2 else None) for fold in (0, 1) for seed in (1, 2)]
    assert distinct(settled) == [settled[0], settled[2]]

"""The page of levels: it says what was simulated, the simulations still say that, and the levels are what they should be."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

DIRECTORY = Path(__file__).parents[2] / "benchmarks" / "statistics"


@pytest.fixture
def levels(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script that simulates."""
    monkeypatch.syspath_prepend(DIRECTORY)
    return importlib.import_module("levels")


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script that writes the page."""
    monkeypatch.syspath_prepend(DIRECTORY)
    return importlib.import_module("levels_page")


def test_the_page_is_what_the_script_writes(page: ModuleType) -> None:
    """Nobody edits a number by hand."""
    assert page.PAGE.read_text(encoding="utf-8") == page.page(page.read())


def test_all_parts_are_complete(levels: ModuleType, page: ModuleType) -> None:
    """Every row and column that is simulated stands in the numbers."""
    numbers = page.read()
    assert list(numbers) == list(levels.PARTS)
    for name, (_, rows, columns, _) in levels.PARTS.items():
        assert {row: tuple(cells) for row, cells in numbers[name]["rows"].items()} == dict.fromkeys(rows, columns)


@pytest.mark.parametrize(
    ("part", "row", "column", "tolerance"),
    [
        ("intervals", "MRR, 29 % without a hit", "5", 0.002),
        ("intervals", "errors: exponential", "10", 0.002),
        ("margins", "HR: 1 or -1", "60", 0.004),
        ("movielens", "RecBole.BPR, NDCG@10", "5 and 5", 0.004),
    ],
)
def test_the_simulations_still_say_so(
    levels: ModuleType, page: ModuleType, part: str, row: str, column: str, tolerance: float
) -> None:
    """A test or interval that changes needs its numbers simulated again: a few cheap cells would differ."""
    numbers = page.read()[part]
    assert levels.cell((part, row, column, numbers["count"])) == pytest.approx(
        numbers["rows"][row][column], abs=tolerance
    )


def test_the_default_keeps_its_level(page: ModuleType) -> None:
    """Between 3 and 6 %, and what the number of samples leaves to chance; where few users differ, never above 6 %."""
    part = page.read()["levels"]
    chance = 2 * (0.05 * 0.95 / part["count"]) ** 0.5
    shares = page.two_sided(part["rows"])
    assert min(shares) >= 0.03 - chance
    assert max(shares) <= 0.06 + chance
    few = [
        cell["bootstrap"][0] for cells in part["rows"].values() for number, cell in cells.items() if int(number) < 28
    ]
    assert max(few) <= 0.06 + chance


def test_seeds_of_real_algorithms_are_rarely_different(page: ModuleType) -> None:
    """At most 6 % of comparisons of an algorithm with itself, of five seeds each; a test of one fit each fails that."""
    numbers = page.read()
    for cells in numbers["movielens"]["rows"].values():
        assert cells["5 and 5"] <= 0.06
        assert cells["1 and 1, t"] > cells["5 and 5"]
    chance = 2 * (0.05 * 0.95 / numbers["resampled"]["count"]) ** 0.5
    for cells in numbers["resampled"]["rows"].values():
        assert max(cells[design] for design in ("3 3", "5 5", "1 3", "1 5")) <= 0.06 + chance


def test_intervals_cover_what_they_say(page: ModuleType) -> None:
    """At 5, 10 and 20 users, of all metrics from 0 to 1, 95 % and what is left to chance."""
    rows = page.read()["intervals"]["rows"]
    for name, cells in rows.items():
        if name != "errors: exponential":
            assert min(cells[users] for users in ("5", "10", "20")) >= 0.93, name

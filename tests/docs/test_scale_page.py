"""The page about large data is written from what was measured, and says which sizes were run."""

from __future__ import annotations

import itertools
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support.file_modules import module_of

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def scale_page() -> ModuleType:
    """What writes the page."""
    return module_of(ROOT / "benchmarks" / "scale" / "eight_page.py")


def _measured(fit: float, bare_fit: float) -> dict[str, Any]:
    return {
        "omnibench": {
            "seconds": {"fit": fit, "predict": 2.0, "check": 0.0, "evaluate": 1.0, "publish": 1.0, "rest": 1.0},
            "peak": 500.0,
            "bytes": 2_500_000,
        },
        "bare": {"seconds": {"fit": bare_fit, "predict": 2.0}, "peak": 400.0},
        "least": {"predict": 0.5, "check": 0.001, "evaluate": 0.25, "publish": 0.5},
    }


def _size(rows: int, **algorithms: dict[str, Any]) -> dict[str, Any]:
    return {"rows": rows, "users": 10, "items": 5, "prepare": 0.5, "bytes": 7_000_000, "algorithms": algorithms}


def test_the_page_is_not_stale(scale_page: ModuleType) -> None:
    """Whoever measures again writes the page anew."""
    written = scale_page.PAGE.read_text(encoding="utf-8")
    assert written == scale_page.page(scale_page.read()), "run `python benchmarks/scale/eight_page.py`"


def test_the_page_has_all_eight_algorithms_at_three_sizes(scale_page: ModuleType) -> None:
    """What the page shows is complete at three sizes or more; beyond them, what takes hours may be missing."""
    complete = [size for size in scale_page.read() if set(size["algorithms"]) == set(scale_page.ALGORITHMS)]
    assert len(complete) >= 3
    assert complete[-1]["rows"] > 10 * complete[0]["rows"]


def test_what_is_missing_of_a_size_is_estimated_with_its_reason(scale_page: ModuleType) -> None:
    """Of each algorithm of each size both ways are measured, or estimated, and what the estimate exceeds is below the table."""
    sizes = scale_page.read()
    for size in sizes:
        reasons = (
            scale_page.page(sizes).partition(f"### {size['rows']:,} rows")[2].partition("\n##")[0].rpartition("|")[2]
        )
        for name, way in itertools.product(scale_page.ALGORITHMS, scale_page.WAYS):
            if way in size["algorithms"].get(name, {}):
                continue
            assert scale_page.eight_estimates.estimated(sizes, size["rows"], name, way), (size["rows"], name, way)
            assert re.search(rf"\b{name} (\([^)]*{way}|needs about)", reasons), (size["rows"], name, way)


def test_a_fit_grows_as_that_of_the_way_which_was_run_at_larger_sizes(scale_page: ModuleType) -> None:
    """By the square of the rows, beyond sizes at which either was run as well: the work is the framework's."""

    def fit(seconds: float) -> dict[str, Any]:
        return {"seconds": {"fit": seconds}}

    sizes = [
        _size(100, Pop={"omnibench": fit(10.0), "bare": fit(12.0)}),
        _size(400, Pop={"omnibench": fit(20.0), "bare": fit(24.0)}),
        _size(1600, Pop={"omnibench": fit(320.0)}),
    ]
    estimated = scale_page.eight_estimates.estimated
    assert estimated(sizes, 1600, "Pop", "bare")["fit"] == pytest.approx(384.0)
    assert estimated(sizes, 6400, "Pop", "omnibench")["fit"] == pytest.approx(5120.0)
    assert estimated(sizes, 6400, "Pop", "bare")["fit"] == pytest.approx(6144.0)


def test_the_reason_is_what_the_estimate_exceeds(scale_page: ModuleType) -> None:
    """Minutes, memory, or neither."""
    missing = {("Pop", "bare"): 361.0, ("SVD", "bare"): 359.0, ("BPR", "omnibench"): 0.0, ("EASE", "omnibench"): 1.0}
    assert scale_page.eight_estimates.reasons({**_size(1_000), "items": 30_000}, missing) == (
        "~: not run, but extrapolated by the growth between the two largest sizes that were; a Fit by that of the other way where "
        "that was run at larger sizes, since the work is the framework's. More than the 6 minutes that most runs had: Pop (bare). "
        "Not run, though it may fit into them: SVD (bare), BPR (omnibench). "
        "EASE needs about 78 GB of memory, and 24 were there."
    )


def test_the_page_and_the_bare_scripts_have_the_same_algorithms(
    scale_page: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An algorithm that is measured has a row."""
    monkeypatch.setitem(sys.modules, "eight_page", scale_page)
    scripts = module_of(ROOT / "benchmarks" / "scale" / "eight_bare.py").SCRIPTS
    assert list(scripts) == list(scale_page.ALGORITHMS)


def test_growth_is_the_power_of_the_rows(scale_page: ModuleType) -> None:
    """Four times the rows in eight times the seconds grow by a power of 1.5; a step that did not run has none."""
    sizes = [_size(100, BPR=_measured(1.0, 3.0)), _size(400, BPR=_measured(8.0, 3.0))]
    assert scale_page.exponent(sizes, "BPR", "omnibench", "fit") == pytest.approx(1.5)
    assert scale_page.exponent(sizes, "BPR", "bare", "fit") == pytest.approx(0.0)
    assert scale_page.exponent(sizes, "BPR", "bare", "publish") is None
    assert scale_page.exponent(sizes, "EASE", "omnibench", "fit") is None


def test_ratios_are_of_all_steps_together(scale_page: ModuleType) -> None:
    """What omnibench does beside the framework counts, and what was not run is said."""
    page = scale_page.page([_size(1_000, Pop=_measured(4.0, 1.0))])
    assert "| Pop (LensKit.PopScorer) | 4.00 / 1.00 | 2.00 / 2.00 |" in page
    assert "| 9.00 / 3.00 | 3.00x | 500 / 400 |" in page
    assert "| EASE (RecPack) | - / - | - / - |" in page
    assert (
        "| Pop (LensKit.PopScorer) | 1,000 | 1.00 (4.0x) | 0.50 (4.0x) | 0.0010 (0.0x) | 0.25 (4.0x) | 0.50 (2.0x) |"
        in page
    )


def test_what_was_not_run_is_extrapolated(scale_page: ModuleType) -> None:
    """By the growth between the two largest sizes, a Fit by that of the other way; with a mark and the reason, or dashes."""
    alone = {part: value for part, value in _measured(400.0, 1.0).items() if part != "bare"}
    sizes = [_size(100, BPR=_measured(1.0, 3.0)), _size(1_000, BPR=_measured(20.0, 6.0))]
    page = scale_page.page([*sizes, _size(10_000, BPR=alone, Pop=_measured(1.0, 1.0))])
    assert "| BPR (RecBole, 1 epoch) | 400 / ~120 | 2.00 / ~2.00 | 0.00 / - | 1.00 / - | 1.00 / - | 1.00 |" in page
    assert "| 405 / ~122 | ~3.32x | 500 / - |" in page
    assert page.count("~: not run, but extrapolated") == 3
    whole = scale_page.page([*sizes, _size(10_000)])
    assert "| BPR (RecBole, 1 epoch) | ~400 / ~12.0 |" in whole
    assert "~: not run" not in scale_page.page([_size(10, **dict.fromkeys(scale_page.ALGORITHMS, _measured(1.0, 1.0)))])


def test_what_does_not_fit_into_memory_says_so(scale_page: ModuleType) -> None:
    """By the formula that estimates the Fit: EASE of a shop's catalogue is a matrix of all pairs of items."""
    page = scale_page.page([{**_size(1_000), "items": 30_000}])
    assert "EASE needs about 78 GB of memory, and 24 were there." in page


def test_measuring_an_algorithm_again_replaces_its_numbers_only(
    scale_page: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A long measurement may be made in parts, also by ways, and sizes stay in order."""
    monkeypatch.setattr(scale_page, "NUMBERS", tmp_path / "numbers.json")
    scale_page.add(_size(400, Pop=_measured(1.0, 1.0), BPR=_measured(1.0, 1.0)))
    scale_page.add(_size(100, Pop=_measured(1.0, 1.0)))
    scale_page.add(_size(400, Pop=_measured(2.123456, 1.0)))
    small, large = scale_page.read()
    assert (small["rows"], large["rows"]) == (100, 400)
    assert large["algorithms"]["Pop"]["omnibench"]["seconds"]["fit"] == 2.123
    assert large["algorithms"]["BPR"]["omnibench"]["seconds"]["fit"] == 1.0
    bare = {"bare": {"seconds": {"fit": 7.0}, "peak": 1.0}}
    scale_page.add(_size(400, Pop=bare))
    pop = scale_page.read()[-1]["algorithms"]["Pop"]
    assert (pop["omnibench"]["seconds"]["fit"], pop["bare"]["seconds"]["fit"]) == (2.123, 7.0)

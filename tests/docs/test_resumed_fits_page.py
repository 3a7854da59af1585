"""The page of Fits that were killed is written from what was measured, and has all that train in steps."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.file_modules import module_of

from omnibench.runners.info import learns_from_features
from omnibench.runners.registry import runners

ROOT = Path(__file__).parent.parent.parent


def test_the_page_is_not_stale() -> None:
    """Whoever measures again writes the page anew."""
    generator = module_of(ROOT / "docs" / "resumed_fits.py")
    written = (ROOT / "docs" / "resumed-fits.md").read_text(encoding="utf-8")
    assert written == generator.page(), "docs/resumed-fits.md is stale; run `python docs/resumed_fits.py`"


@pytest.mark.parametrize("framework", ["LensKit", "RecBole", "RecPack", "Implicit", "Cornac", "RecTools"])
def test_each_algorithm_that_trains_in_steps_has_its_rows(framework: str) -> None:
    """An algorithm with epochs that a framework gets must be checked, and nothing is listed that it does not have.

    Beside those with epochs there are those that compute in other steps, which the script knows; of the sequential ones
    and those with features, which share a trainer, it tries some.
    """
    results = module_of(ROOT / "docs" / "resumed_fits.py").results()
    script = module_of(ROOT / "benchmarks" / "snapshots" / "resumed_fits.py")
    (runner,) = (runner for runner in runners() if runner.name == framework)
    offered = runner.catalogue["algorithms"].items()
    with_epochs = {
        name
        for name, info in offered
        if "epochs" in info
        and "not_resumable" not in info
        and (
            not (info.get("sequential") or learns_from_features(info))
            or name in (*script.SEQUENTIAL, *script.OF_FEATURES)
        )
    }
    measured = {name.partition(".")[2] for name in results if name.startswith(f"{framework}.")}
    assert with_epochs <= measured, "python benchmarks/snapshots/resumed_fits.py FRAMEWORK NAME ... --write"
    assert measured == set(script.iterative(framework))


def test_every_row_is_exact_at_three_places() -> None:
    """With and without validation; what could not be exact would have to be said in the documentation of snapshots."""
    results = module_of(ROOT / "docs" / "resumed_fits.py").results()
    assert results
    for name, entries in results.items():
        assert [entry["data"] for entry in entries] == ["without validation", "with validation"], name
        for entry in entries:
            assert entry["errors"] == [], name
            assert len(set(entry["killed"])) == len(entry["killed"]) == 3, name
            assert all(all(values) and len(values) == 3 for values in entry["equal"].values()), name

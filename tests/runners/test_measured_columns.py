"""What was measured of the algorithms: that it is there, and that it goes with what the frameworks say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.file_modules import module_of

from omnibench.runners.info import RunnerInfo, algorithm_info
from omnibench.runners.registry import register_runner, runners

FRAMEWORKS = [runner for runner in runners() if runner.measured_file is not None]


@pytest.mark.parametrize("runner", FRAMEWORKS, ids=lambda runner: runner.name)
def test_every_algorithm_was_measured_in_the_version_of_the_catalogue(runner: RunnerInfo) -> None:
    """Who changes the version of a framework measures again: benchmarks/catalogue says how."""
    assert runner.measured_file is not None
    measured = json.loads(runner.measured_file.read_text(encoding="utf-8"))
    assert measured["version"] == runner.catalogue["version"]
    assert measured["algorithms"].keys() == runner.catalogue["algorithms"].keys()
    for name in measured["algorithms"]:
        info = algorithm_info(runner, name)
        assert (type(info["deterministic"]), type(info["threads"])) == (bool, bool)
        for spread in info.get("seed_spread", {}).values():
            assert not info["deterministic"]
            assert spread["sd"] >= 0
            assert spread["seeds"] > 2
            assert spread["data"]


def test_what_differed_between_threads_is_known() -> None:
    """Those that an independent measurement has found to differ, metrics of EASE among them."""
    found = {
        "LensKit": ["EASEScorer", "ImplicitMFScorer"],
        "RecBole": ["ADMMSLIM", "GCMC", "LightGCN", "NGCF", "NNCF", "RecVAE", "SGL", "SpectralCF"],
        "RecPack": ["NMF", "RecVAE"],
    }
    assert all(algorithm_info(runner, name)["threads"] for runner in FRAMEWORKS for name in found.get(runner.name, []))


def columns(sample: dict[str, dict[str, str]], whole: dict[str, dict[str, str]]) -> dict[str, bool]:
    """What benchmarks/catalogue/columns.py makes of an algorithm's predictions, of some users and of all."""
    path = Path(__file__).parent.parent.parent / "benchmarks" / "catalogue" / "columns.py"
    parts = [{"A": {"ranking": part}} if part else {} for part in (sample, whole)]
    stated: dict[str, bool] = module_of(path).columns(parts, parts[1], "A")
    return stated


ONE, OTHER, LATE = {"sha256": "1"}, {"sha256": "2"}, {"error": "TimeoutError: took more than 90 s"}


def test_only_what_was_shown_on_all_of_the_data_is_independent_of_threads() -> None:
    """What was not measured, took too long, or differed anywhere depends."""
    equal = {"reference": ONE, "seed": ONE, "2 threads": ONE, "4 threads": ONE}
    independent, dependent = {"deterministic": True, "threads": False}, {"deterministic": True, "threads": True}
    assert columns(equal, equal) == independent
    assert columns(equal, {}) == dependent
    assert columns(equal, {"reference": LATE}) == dependent
    assert columns(equal, equal | {"4 threads": OTHER}) == dependent
    assert columns(equal, equal | {"4 threads": LATE}) == dependent
    assert columns(equal | {"2 threads": OTHER}, equal) == dependent
    assert columns({}, {}) == columns({"reference": LATE}, {}) == {"deterministic": False, "threads": True}


def test_only_what_two_seeds_made_alike_wherever_both_were_tried_is_deterministic() -> None:
    """Of some users or of all; where no other seed was tried, nobody knows, and it counts as stochastic."""
    equal = {"reference": ONE, "seed": ONE, "2 threads": ONE, "4 threads": ONE}
    unseeded = {label: run for label, run in equal.items() if label != "seed"}
    deterministic, stochastic = {"deterministic": True, "threads": False}, {"deterministic": False, "threads": False}
    assert columns(equal, unseeded) == deterministic
    assert columns(equal | {"seed": OTHER}, equal) == columns(equal, equal | {"seed": OTHER}) == stochastic
    assert columns(equal, equal | {"seed": LATE}) == columns(unseeded, unseeded) == stochastic


def test_a_registered_framework_says_it_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What its algorithms say of threads and seeds counts; where they say nothing, nothing is known."""
    (tmp_path / "quiet_adapter.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("omnibench.runners.registry._RUNNERS", {})
    algorithms = {"Sums": {"threads": True, "deterministic": True}, "Counts": {"threads": False}, "Silent": {}}
    register_runner(RunnerInfo("Quiet", "numpy", "quiet_adapter", 1, algorithms=algorithms))
    (runner,) = runners()
    stated = {name: (info["threads"], info["deterministic"]) for name, info in runner.catalogue["algorithms"].items()}
    assert stated == {"Sums": (True, True), "Counts": (False, None), "Silent": (None, None)}

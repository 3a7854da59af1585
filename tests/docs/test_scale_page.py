"""The page about large data is written from what was measured, and says which sizes were run."""

from __future__ import annotations

import importlib
import itertools
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from support.file_modules import module_of

ROOT = Path(__file__).parent.parent.parent
COMMAND = re.compile(r"`(python benchmarks/scale/[^`]+)`")
SMALL = {
    "eight_algorithms.py": ["--rows", "20000", "--sizes", "16", "--only", "own class"],
    "eight_disk.py": ["--rows", "20000", "--sizes", "16", "--only", "own class"],
    "eight_page.py": [],
    "predicting.py": ["--users", "500", "--items", "300", "--rows", "20", "--only", "own class"],
    "drawing.py": ["--users", "64"],
    "folds.py": ["--interactions", "20000"],
    "stores.py": ["--items", "160", "--only", "show", "why, failed"],
}
"""Options with which what the page's commands do takes seconds."""


@pytest.fixture(scope="module")
def scale_page() -> ModuleType:
    """What writes the page."""
    return module_of(ROOT / "benchmarks" / "scale" / "eight_page.py")


def _measured(fit: float, bare_fit: float) -> dict[str, Any]:
    return {
        "omnibench": {
            "seconds": {"fit": fit, "predict": 2.0, "check": 0.0, "evaluate": 1.0, "publish": 1.0, "rest": 1.0},
            "peak": 500.0,
            "metrics": {"HR@10": 0.5},
            "bytes": 2_500_000,
        },
        "bare": {"seconds": {"fit": bare_fit, "predict": 2.0}, "peak": 400.0, "metrics": {"HR@10": 0.25}},
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
    missing = {("Pop", "bare"): 2701.0, ("SVD", "bare"): 2699.0, ("BPR", "omnibench"): 0.0, ("EASE", "omnibench"): 1.0}
    assert scale_page.eight_estimates.reasons({**_size(1_000), "items": 30_000}, missing) == (
        "~: not run, but extrapolated by the growth between the two largest sizes that were; a Fit by that of the other way where "
        "that was run at larger sizes, since the work is the framework's. More than the 45 minutes that most runs had: Pop (bare). "
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


def test_the_bare_script_of_recpack_predicts_from_the_users_of_a_block_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Entries of other users that are stored as zeros would be multiplied as well, for every block: work that nobody needs."""
    bare = module_of(ROOT / "benchmarks" / "scale" / "eight_bare.py")
    predicted: list[csr_matrix] = []

    class Popular:
        """Has the same scores for everybody of whom something is known."""

        def fit(self, matrix: csr_matrix) -> None:
            self.scores = np.asarray(matrix.sum(axis=0)).ravel()

        def predict(self, histories: csr_matrix) -> csr_matrix:
            predicted.append(histories)
            return csr_matrix((np.diff(histories.indptr) > 0)[:, None] * self.scores)

    def ranks(scores: csr_matrix, k: int) -> csr_matrix:
        order = np.argsort(np.argsort(-scores.toarray(), axis=1), axis=1) + 1
        return csr_matrix(np.where((scores.toarray() > 0) & (order <= k), order, 0))

    monkeypatch.setitem(sys.modules, "recpack.algorithms", SimpleNamespace(Popular=Popular))
    monkeypatch.setitem(sys.modules, "recpack.util", SimpleNamespace(get_top_K_ranks=ranks))
    monkeypatch.setattr(bare, "BLOCK", 2)
    monkeypatch.chdir(tmp_path)
    # Users 0 and 5 are not asked for; each of the others has seen two items, and has a third in the test part.
    train = {0: [0, 1, 2], 1: [0, 1], 2: [0, 3], 3: [0, 1], 4: [0, 1], 5: [2]}
    pairs = [(user, item) for user, items in train.items() for item in items]
    for name, column in zip(("train_user", "train_item"), zip(*pairs, strict=True), strict=True):
        np.save(tmp_path / f"{name}.npy", np.array(column))
    np.save(tmp_path / "test_user.npy", np.array([1, 2, 3, 4]))
    np.save(tmp_path / "test_item.npy", np.array([2, 1, 2, 3]))
    values = bare.recpack("Popular", {}, bare.Split(tmp_path))
    assert [histories.nnz for histories in predicted] == [4, 4]
    assert [np.flatnonzero(np.diff(histories.indptr)).tolist() for histories in predicted] == [[1, 2], [3, 4]]
    assert np.load("lists.npy")[:, :3].tolist() == [[2, 3, -1], [1, 2, -1], [2, 3, -1], [2, 3, -1]]
    assert values["HR@10"] == 1.0
    assert values["NDCG@10"] == pytest.approx((3 + 1 / np.log2(3)) / 4)


def test_growth_is_the_power_of_the_rows(scale_page: ModuleType) -> None:
    """Four times the rows in eight times the seconds grow by a power of 1.5; a step that did not run has none."""
    sizes = [_size(100, BPR=_measured(1.0, 3.0)), _size(400, BPR=_measured(8.0, 3.0))]
    assert scale_page.exponent(sizes, "BPR", "omnibench", "fit") == pytest.approx(1.5)
    assert scale_page.exponent(sizes, "BPR", "bare", "fit") == pytest.approx(0.0)
    assert scale_page.exponent(sizes, "BPR", "bare", "publish") is None
    assert scale_page.exponent(sizes, "EASE", "omnibench", "fit") is None


def test_late_growth_is_that_between_the_two_largest_sizes(scale_page: ModuleType) -> None:
    """What starting costs hides the growth of small data: four times the rows take 1.1 times as long, then sixteen times."""
    sizes = [_size(rows, BPR=_measured(fit, 1.0)) for rows, fit in ((100, 1.0), (400, 1.1), (1600, 17.6))]
    assert scale_page.exponent(sizes, "BPR", "omnibench", "fit", late=True) == pytest.approx(2.0)
    assert scale_page.exponent(sizes[:1], "BPR", "omnibench", "fit", late=True) is None


def test_the_bare_work_is_that_of_the_largest_size_that_both_ways_ran(scale_page: ModuleType) -> None:
    """Beyond it there is no Fit to compare with; what no bare script ran has its largest size, without one."""
    alone = {part: value for part, value in _measured(90.0, 1.0).items() if part != "bare"}
    page = scale_page.page([_size(1_000, BPR=_measured(4.0, 1.0)), _size(4_000, BPR=alone, SVD=alone)])
    assert "| BPR (RecBole, 1 epoch) | 1,000 | 1.00 (4.0x) |" in page
    assert "| SVD (RecPack, d=64) | 4,000 | - | 0.50 (4.0x) |" in page


def test_rates_are_the_bare_work_by_its_seconds(scale_page: ModuleType) -> None:
    """A multiplication and an addition for each of 64 factors and each of 10 x 5 scores in half a second, and so on."""
    size = {**_size(100_000_000, SVD=_measured(1.0, 1.0)), "users": 1_000_000, "items": 2_000}
    page = scale_page.page([size])
    assert "at 100,000,000 rows: BLAS did 512 GFLOP per second for 2.0 thousand million scores" in page
    assert "read at 720.0 GB" in page
    assert "and 0.0 GB" in page
    assert "draw 1,000 million users" in page
    assert "takes 1.0 ns for each" in page


def test_the_ratios_of_all_sizes_stand_in_one_table(scale_page: ModuleType) -> None:
    """The first thing that a reader sees: a row for each algorithm, a column for each size, estimates with their mark."""
    alone = {part: value for part, value in _measured(4.0, 1.0).items() if part != "bare"}
    sizes = [_size(rows, Pop=_measured(4.0, 1.0)) for rows in (100, 1_000)]
    short = scale_page.page([*sizes, _size(10_000, Pop=alone)]).partition("## Step by step")[0]
    assert "| omnibench / bare, by rows | 100 | 1,000 | 10,000 |" in short
    assert "| Pop (LensKit.PopScorer) | 3.00x | 3.00x | ~3.00x |" in short
    assert "| EASE (RecPack) | - | - | - |" in short


def test_stores_before_stand_beside_those_of_now(
    scale_page: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of the sizes that both have; a dash where one of them was not measured."""
    before = [{"rows": rows, "prepared": 9_000_000, "items": {"Pop": 3_000_000}} for rows in (100, 200)]
    monkeypatch.setattr(scale_page, "BEFORE", tmp_path / "before.json")
    scale_page.BEFORE.write_text(json.dumps(before))
    page = scale_page.page([_size(100, Pop=_measured(1.0, 1.0), SVD=_measured(1.0, 1.0))])
    assert "| 100 | 9.0 / 7.0 | 3.0 / 2.5 | - / - | - / - | - / - | - / - | - / - | - / 2.5 | - / - |" in page
    assert "| 200 |" not in page


def test_ratios_are_of_all_steps_together(scale_page: ModuleType) -> None:
    """What omnibench does beside the framework counts, and what was not run is said."""
    page = scale_page.page([_size(1_000, Pop=_measured(4.0, 1.0))])
    assert "| Pop (LensKit.PopScorer) | 4.00 / 1.00 | 2.00 / 2.00 |" in page
    assert "| 9.00 / 3.00 | 3.00x | 500 / 400 | 0.5000 / 0.2500 |" in page
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
    assert "| 405 / ~122 | ~3.32x | 500 / - | 0.5000 / - |" in page
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


@pytest.mark.guests
def test_the_benchmark_measures_every_step(tmp_path: Path) -> None:
    """With the functions of omnibench that each step is made of, as they are called now, and with the bare script beside it."""
    script = ROOT / "benchmarks" / "scale" / "eight_algorithms.py"
    command = [sys.executable, str(script), "--rows", "20000", "--sizes", "16", "--only", "own class"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    steps = {step: (float(ours), float(bare)) for step, ours, bare in re.findall(r"(\w+) (\S+) \((\S+)\)", done.stdout)}
    assert list(steps) == ["fit", "predict", "check", "evaluate", "publish"]
    assert all(ours > 0 for ours, _ in steps.values()), done.stdout
    assert {step for step, (_, bare) in steps.items() if bare > 0} == {"fit", "predict", "evaluate", "publish"}
    ours, bare = re.findall(r"(?:omnibench|bare): (\S+)", done.stdout)
    assert ours == bare


def test_what_needs_more_memory_than_there_is_is_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """EASE of 20 million rows would end the measuring of all others; what it needs is said instead."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks" / "scale")
    benchmark = importlib.import_module("eight_algorithms")
    monkeypatch.setattr(benchmark, "memory_capacity", lambda: 10**6)
    assert list(benchmark.measure(20_000, ["EASE"], tmp_path, ["omnibench", "bare"])) == []
    assert re.search(r"EASE +left out: it needs about \d+ GB of memory, and 0 are here", capsys.readouterr().out)


def test_the_benchmark_starts_anew_where_blas_may_have_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that wait for others would count as seconds of evaluating; BLAS reads its variables when numpy is imported."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks" / "scale")
    benchmark = importlib.import_module("eight_algorithms")
    monkeypatch.setattr(sys, "argv", ["eight_algorithms.py", "--sizes", "1"])
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    started: list[tuple[list[str], dict[str, str]]] = []

    def execve(_: str, arguments: list[str], environment: dict[str, str]) -> None:
        started.append((arguments, environment))
        raise SystemExit

    monkeypatch.setattr(benchmark.os, "execve", execve)
    with pytest.raises(SystemExit):
        benchmark.main()
    ((arguments, environment),) = started
    assert arguments == [sys.executable, "eight_algorithms.py", "--sizes", "1"]
    assert {environment[name] for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")} == {"1"}


def test_the_page_names_commands_that_are_tried(scale_page: ModuleType) -> None:
    """A command that is new on the page gets options for the test below."""
    commands = {Path(words[1]).name for words in map(shlex.split, COMMAND.findall(scale_page.page(scale_page.read())))}
    assert commands == set(SMALL)


@pytest.mark.slow
@pytest.mark.guests
@pytest.mark.parametrize("name", SMALL)
def test_the_commands_of_the_page_run(scale_page: ModuleType, name: str, tmp_path: Path) -> None:
    """As they are written, but for small data, and for a copy of the pages, which they may write."""
    shutil.copytree(ROOT / "benchmarks", tmp_path / "benchmarks")
    (tmp_path / "docs").mkdir()
    written = next(
        words for words in map(shlex.split, COMMAND.findall(scale_page.page(scale_page.read()))) if name in words[1]
    )
    command = [sys.executable, *written[1:], *SMALL[name]]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "docs" / "scale.md").exists() == (name == "eight_page.py" or "--write" in written)

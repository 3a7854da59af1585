"""A run of pytest that gates: what it reads, prints, writes, and how it ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from projects import OWN_ALGORITHMS, Project

from omnibench.gate.baseline import Baseline

RECOMMEND = "return {user: self.items[:k] for user in users}"
WORSE = "return {user: self.items[6:k + 6] for user in users}"
REFACTORED = "found = {}\n        for user in users:\n            found[user] = self.items[:k]\n        return found"
ARGUMENTS = ("--omnirec-table=none", "--omnirec-gate=baseline.parquet")


def rewrite(project: Project, recommend: str) -> None:
    """Change what the algorithm recommends, or only its code."""
    assert RECOMMEND in OWN_ALGORITHMS
    project.pytester.makepyfile(own_algorithms=OWN_ALGORITHMS.replace(RECOMMEND, recommend))


@pytest.fixture
def based(project: Project) -> Project:
    """A project with a baseline."""
    result = project.run("--omnirec-baseline=baseline.parquet", "--omnirec-table=none")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        ["omnibench: */baseline.parquet: the baseline has 1 dataset, 1 configuration, 3 metrics*"]
    )
    return project


def test_a_change_for_the_worse_fails_the_run(based: Project) -> None:
    """Though every item passes; with workers, and once more when all is cached; a refactored algorithm passes."""
    rewrite(based, WORSE)
    before = (based.pytester.path / "baseline.parquet").read_bytes()
    for arguments, outcome in ((("-n", "2"), "2 passed"), (("--omnirec-baseline=baseline.parquet",), "2 cached")):
        result = based.run(*ARGUMENTS, *arguments)
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        result.stdout.fnmatch_lines(
            [
                "*= regression gate =*",
                "worse:",
                "  tiny-*/Popular-* (was Popular-*)",
                "    NDCG@10  0.* -> 0.*  -* %  (-* to -*)  30 users  p *",
                "gate failed (baseline of 20*)",
                f"*{outcome}*",
            ]
        )
        assert "Evaluation Results" not in result.stdout.str()
    result.stdout.fnmatch_lines(["omnibench: *no baseline was written, because this run has not passed"])
    assert (based.pytester.path / "baseline.parquet").read_bytes() == before
    result = based.run(*ARGUMENTS, "--omnirec-resume=never", "-n", "2", "-q")  # judged before it is thrown away
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert result.stdout.lines[result.stdout.lines.index("worse:") - 1].strip("= ") == "regression gate"
    assert "gate failed" in result.stdout.lines[-2]
    rewrite(based, REFACTORED)
    result = based.run(*ARGUMENTS)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["3 comparisons: 3 same", "gate passed (baseline of 20*)", "*2 passed*"])


def test_what_is_there_is_judged(based: Project) -> None:
    """What was not selected is not missed; what a read-only store lacks is; a run that was not finished is not judged."""
    result = based.run(*ARGUMENTS, "-k", "fold_1")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*has fewer folds than in the baseline*", "3 comparisons: 3 same"])
    rewrite(based, WORSE)
    result = based.run(*ARGUMENTS, "--omnirec-readonly")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["nothing of this run is in the baseline (0 configurations here, 1 there)*", "gate failed*"]
    )

    based.bench(body="assert result.fold")
    result = based.run(*ARGUMENTS)
    assert result.ret == pytest.ExitCode.TESTS_FAILED  # the run's own, of an item
    result.stdout.fnmatch_lines(["gate failed*", "*1 failed, 1 passed*"])
    based.bench(body="raise KeyboardInterrupt")
    result = based.run(*ARGUMENTS)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["omnibench: the run was not finished, so nothing was compared, nor written"])
    assert "gate" not in based.run(*ARGUMENTS, "--omnirec-plan").stdout.str()


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_what_cannot_be_a_baseline_ends_the_run_before_anything_runs(
    project: Project, workers: tuple[str, ...]
) -> None:
    """Exit status 4, one sentence; the ini file's is relative to the rootdir."""
    path = project.pytester.path / "baseline.parquet"
    path.write_text("something else")
    project.pytester.makeini(
        "[pytest]\naddopts = -p no:cacheprovider\npythonpath = .\nomnirec_gate = baseline.parquet\n"
    )
    result = project.run(*workers)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: '{path}' is no baseline of omnibench's; restore it*"])
    assert project.count_fits() == 0


def test_where_there_are_no_benchmarks_nothing_is_read(project: Project) -> None:
    """An ini file serves all tests of a project."""
    project.pytester.makepyfile(test_other="def test_passes(): pass")
    result = project.run("test_other.py", "--omnirec-gate=none.parquet", "--omnirec-baseline=none.parquet")
    assert result.ret == pytest.ExitCode.OK
    assert "gate" not in result.stdout.str()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--omnirec-gate=none.parquet",), "*there is no baseline */none.parquet'; write it first*"),
        (("--omnirec-gate-tolerance=much",), "*--omnirec-gate-tolerance: 'much' is no share; write e.g. 0.01 or 1%."),
        (
            ("--omnirec-baseline=nowhere/b.parquet",),
            "*nowhere' is no directory, so 'b.parquet' cannot be written there*",
        ),
    ],
)
def test_impossible_options_are_refused(project: Project, arguments: tuple[str, ...], message: str) -> None:
    """Before anything runs."""
    result = project.run(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])
    assert project.count_fits() == 0


def test_metrics_of_ones_own_have_their_direction(project: Project) -> None:
    """The plan says which; omnibench's own table of metrics does not know them."""
    project.pytester.makepyfile(own_metrics="def misses(hits, relevant):\n    return 1.0 - hits[:, :5].mean(axis=1)\n")
    project.bench(
        plan="from own_metrics import misses\nplan.add_algorithm(Popular)",
        metrics="HitMetric(misses, 5, higher_is_better=False)",
    )
    assert project.run("--omnirec-baseline=b.parquet").ret == pytest.ExitCode.OK
    (entry,) = Baseline(Path(project.pytester.path, "b.parquet")).entries
    assert [score.higher_is_better for score in entry.scores.values()] == [False]
    rewrite(project, WORSE)
    result = project.run("--omnirec-gate=b.parquet")
    result.stdout.fnmatch_lines(["worse:", "    misses@5  0.* -> *  +* users  p *", "gate failed*"])

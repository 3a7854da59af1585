"""A run of pytest that gates: what it reads, prints, writes, and how it ends."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from support.projects import OWN_ALGORITHMS, Project

from omnibench import (
    HR,
    NDCG,
    Evaluator,
    ExperimentPlan,
    FitTime,
    HitMetric,
    RecPack,
    UserHoldout,
    from_frame,
)
from omnibench.experiment.experiment import experiments
from omnibench.plugin.gate import RegressionGate, directions_of
from omnibench.plugin.options import GATE_ALPHA, GATE_TOLERANCE, Option
from omnibench.plugin.settings import share_of
from omnibench.plugin.wire import ItemMessage
from omnibench.results import Result

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
    for arguments, outcome in (((), "2 passed"), (("--omnirec-baseline=baseline.parquet",), "2 cached")):
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
    based.bench(body="raise KeyboardInterrupt")
    result = based.run(*ARGUMENTS)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["omnibench: the run was not finished, so nothing was compared, nor written"])
    assert "gate" not in based.run(*ARGUMENTS, "--omnirec-plan").stdout.str()


def test_what_cannot_be_a_baseline_ends_the_run_before_anything_runs(project: Project) -> None:
    """Exit status 4, one sentence, with workers and without; the ini file's is relative to the rootdir."""
    path = project.pytester.path / "baseline.parquet"
    path.write_text("something else")
    result = project.run("--omnirec-baseline=nowhere/b.parquet")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *nowhere' is no directory, so 'b.parquet' cannot be written there; make it."])
    project.pytester.makeini(
        "[pytest]\naddopts = -p no:cacheprovider\npythonpath = .\nomnirec_gate = baseline.parquet\n"
    )
    result = project.run("-n", "2")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: '{path}' is no baseline of omnibench's; restore it*"])
    assert project.count_fits() == 0


def test_where_there_are_no_benchmarks_nothing_is_read(project: Project) -> None:
    """An ini file serves all tests of a project."""
    project.pytester.makepyfile(test_other="def test_passes(): pass")
    result = project.run("test_other.py", "--omnirec-gate=none.parquet", "--omnirec-baseline=none.parquet")
    assert result.ret == pytest.ExitCode.OK
    assert "gate" not in result.stdout.str()


def given(value: str) -> Any:
    """A configuration in which every option has a value on the command line."""
    return SimpleNamespace(getoption=lambda _: value)


@pytest.mark.parametrize("option", [GATE_TOLERANCE, GATE_ALPHA], ids=lambda option: option.flag)
def test_a_share_is_a_number_or_percent(option: Option) -> None:
    """Anything else is refused with the option's name."""
    assert (share_of(option, given("0.02")), share_of(option, given("2%"))) == (0.02, 0.02)
    with pytest.raises(pytest.UsageError, match=f"^{option.flag}: 'much' is no share; write e.g. 0.01 or 1%"):
        share_of(option, given("much"))


def test_benchmarks_that_only_workers_saw_are_no_silent_pass() -> None:
    """The overseeing process has looked at no records of them, so it has nothing to compare."""
    config: Any = SimpleNamespace(args=["tests"], stash=pytest.Stash(), getoption=lambda _: None)
    session: Any = SimpleNamespace(exitstatus=pytest.ExitCode.OK)
    gate = RegressionGate(config)
    plain, of_benchmark = SimpleNamespace(), SimpleNamespace()
    ItemMessage("done", Result("D", "A", "A()", None), {}, replayed=False, lower_is_better=()).attach(of_benchmark)
    for report, expected in ((plain, 0), (of_benchmark, 1)):
        gate.pytest_runtest_logreport(report)
        gate.pytest_sessionfinish(session, 0)
        assert session.exitstatus == expected


def misses(hits: Any, relevant: Any) -> Any:  # noqa: ARG001 - what every such metric is given
    """A metric of which less is better."""
    return 1.0 - hits.mean(axis=1)


def test_the_plan_says_what_is_wanted_and_which_direction_is_good() -> None:
    """The plan gives columns and directions, also of own metrics and under qualified names, but not of costs."""
    data = from_frame(pd.DataFrame({"user": [1, 2], "item": [1, 2]}), "few").pipe(UserHoldout())
    plan = ExperimentPlan()
    plan.add_algorithm(RecPack.EASE)
    (item,) = experiments(data, plan, [HR(5)], versions=lambda _: "1", seed=1)
    evaluators = [
        Evaluator(HR(5), HitMetric(misses, 5, higher_is_better=False), FitTime()),
        Evaluator(NDCG(10), convention="lenskit"),
    ]
    items: Any = [SimpleNamespace(experiment=item, evaluator=one) for one in evaluators]
    assert directions_of(items) == {item.fit_key: {"HR@5": True, "misses@5": False, "NDCG[lenskit]@10": True}}

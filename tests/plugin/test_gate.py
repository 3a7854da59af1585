"""A run of pytest that gates: what it reads, prints, writes, and how it ends."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree as ET

import pandas as pd
import pytest
from support.projects import OWN_ALGORITHMS, Project

from omnibench import (
    HR,
    NDCG,
    Baseline,
    Evaluator,
    ExperimentPlan,
    FitTime,
    HitMetric,
    RecPack,
    UserHoldout,
    compare_with_baseline,
    from_frame,
)
from omnibench.experiment.planning import experiments
from omnibench.plugin.gate import RegressionGate, directions_of
from omnibench.plugin.option import Option
from omnibench.plugin.options import GATE_ALPHA, GATE_TOLERANCE
from omnibench.plugin.settings import share_of
from omnibench.plugin.wire import ItemMessage
from omnibench.results import Result
from omnibench.store.records import Records

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
                "  tiny/Popular",
                "    NDCG@10  0.* -> 0.*  -* %  (-* to -*)  30 users  p *",
                "gate failed (baseline of 20*)",
                f"*{outcome}*",
            ]
        )
        assert "Evaluation Results" not in result.stdout.str()
    result.stdout.fnmatch_lines(["omnibench: *no baseline was written, because this run has not passed"])
    assert (based.pytester.path / "baseline.parquet").read_bytes() == before
    result = based.run(*ARGUMENTS, "--omnirec-resume=never", "-n", "1", "-q")  # judged before it is thrown away
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


REVERSED = (
    OWN_ALGORITHMS.replace("class Popular:", "class Renamed:")
    .replace("(Popular)", "(Renamed)")
    .replace(RECOMMEND, "return {user: self.items[::-1][:k] for user in users}")
)
"""The class has another name and recommends the least popular first."""

MISSING = r"tiny/Popular\S*: in the baseline, but not in the plan any more"


def told(result: pytest.RunResult) -> str:
    """Return what a run has printed, without the breaks of lines."""
    return " ".join(result.stdout.str().split())


def rename(project: Project) -> None:
    """Give the class of the plan another name, and have it recommend what nobody wants."""
    project.pytester.makepyfile(own_algorithms=REVERSED)
    project.bench(plan="plan.add_algorithm(Renamed)")


def test_a_renamed_class_fails(based: Project) -> None:
    """A renamed class fails also with -q and when all is cached, unless accepted; so says `omnibench gate`."""
    rename(based)
    for arguments in ((), ("-q",), ("-q", "-n", "1")):
        result = based.run(*ARGUMENTS, *arguments)
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        assert re.search(MISSING, told(result))
        assert "--omnirec-gate-missing=ok" in told(result)
        assert "gate failed" in told(result)
        assert "gate passed" not in told(result)
    accepted = based.run(*ARGUMENTS, "-q", "--omnirec-gate-missing=ok")
    assert re.search(MISSING, told(accepted))
    # With nothing left to compare even that does not pass.
    assert accepted.ret == pytest.ExitCode.TESTS_FAILED
    assert "nothing of this run is in the baseline" in told(accepted)
    based.bench(plan="plan.add_algorithm(Renamed)")
    gate = compare_with_baseline(based.pytester.path / "checkpoints", based.pytester.path / "baseline.parquet")
    assert not gate.passed
    assert re.fullmatch(MISSING, gate.missing[0])
    assert not gate.basis


def test_what_is_said_to_be_all_right_passes(project: Project) -> None:
    """An algorithm that was taken out is said, and passes, by option, environment or ini file; other words are refused."""
    project.bench(plan='plan.add_algorithm(Popular, {"noise": Grid([0, 1])})')
    project.run("--omnirec-baseline=baseline.parquet", "--omnirec-table=none")
    project.bench(plan='plan.add_algorithm(Popular, {"noise": Grid([0])})')
    assert project.run(*ARGUMENTS).ret == pytest.ExitCode.TESTS_FAILED
    ini = (project.pytester.path / "tox.ini").read_text()
    for arguments, added in ((("--omnirec-gate-missing=ok",), ""), ((), "\nomnirec_gate_missing = ok\n")):
        (project.pytester.path / "tox.ini").write_text(ini + added)
        result = project.run(*ARGUMENTS, "-q", *arguments)
        assert result.ret == pytest.ExitCode.OK
        assert re.search(MISSING, told(result))
        assert "gate passed" in told(result)
    assert project.run(*ARGUMENTS, "--omnirec-gate-missing=yes").ret == pytest.ExitCode.USAGE_ERROR


def test_nothing_passes_beside_a_failed_item(project: Project) -> None:
    """Beside an item that fails in Fit, or in its body, or another test, nothing passes; junit has that."""
    project.bench(plan="plan.add_algorithm(Popular)\nplan.add_algorithm(Broken, {'unless': 'mended'})")
    (project.pytester.path / "mended").touch()
    assert project.run("--omnirec-baseline=baseline.parquet").ret == pytest.ExitCode.OK
    assert project.run(*ARGUMENTS, "--junitxml=passed.xml").ret == pytest.ExitCode.OK
    passed = gate_case(project.pytester.path / "passed.xml")
    assert passed.find("failure") is None
    assert properties_of(passed)["omnibench.gate"] == "passed"
    (project.pytester.path / "mended").unlink()
    result = project.run(
        *ARGUMENTS, "--omnirec-reset=all", "--omnirec-yes", "--junitxml=failed.xml", "-k", "Broken or fold_1"
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "2 items failed, so nothing passes: bench_tiny.py::bench_tiny::tiny-" in told(result)
    assert "gate passed" not in told(result)
    failed = gate_case(project.pytester.path / "failed.xml")
    failure = failed.find("failure")
    assert failure is not None
    assert failure.get("message", "").startswith("gate failed")
    assert properties_of(failed)["omnibench.gate.failed_items"] == "2"
    assert not compare_with_baseline(
        project.pytester.path / "checkpoints", project.pytester.path / "baseline.parquet"
    ).passed
    project.bench(body="assert result['NDCG@10'] > 2")
    assert "2 items failed, so nothing passes" in told(project.run(*ARGUMENTS, "--omnirec-gate-missing=ok"))
    project.bench()
    project.pytester.makepyfile(test_other="def test_fails(): assert False")
    other = project.run(*ARGUMENTS, "--omnirec-gate-missing=ok", "bench_tiny.py", "test_other.py")
    assert "1 item failed, so nothing passes: test_other.py::test_fails" in told(other)
    assert "gate passed" not in told(other)


def gate_case(file: Path) -> ET.Element:
    """Return the test case of the gate in a JUnit file."""
    (case,) = (case for case in ET.parse(file).iter("testcase") if case.get("name") == "regression gate")
    return case


def properties_of(case: ET.Element) -> dict[str, str]:
    """Return the properties of a test case."""
    return {entry.attrib["name"]: entry.attrib["value"] for entry in case.iter("property")}


def test_the_verdicts_reach_junit(based: Project) -> None:
    """What is worse is a failed case with the numbers, and properties by comparison."""
    rewrite(based, WORSE)
    based.run(*ARGUMENTS, "--junitxml=junit.xml", "-q")
    case = gate_case(based.pytester.path / "junit.xml")
    failure = case.find("failure")
    assert failure is not None
    assert "NDCG@10" in str(failure.text)
    properties = properties_of(case)
    assert int(properties["omnibench.gate.worse"]) >= 1
    assert next(text for name, text in properties.items() if name.endswith("NDCG@10")).startswith("worse: 0.")
    based.run(*ARGUMENTS, "--junitxml=again.xml", "--omnirec-plan")  # nothing is judged


def test_a_part_of_the_plan_misses_nothing_of_the_rest(project: Project) -> None:
    """-k, -m, a node id, --deselect and one of two bench files: what was not asked for does not fail, what is gone does."""
    project.bench(plan='plan.add_algorithm(Popular, {"noise": Grid([0, 1])})')
    bench = project.pytester.path / "bench_tiny.py"
    other = project.pytester.path / "bench_other.py"
    other.write_text(bench.read_text().replace("bench_tiny", "bench_other").replace("[0, 1]", "[2, 3]"))
    written = project.run("--omnirec-baseline=baseline.parquet", "--omnirec-table=none")
    assert "1 dataset, 4 configurations" in told(written)
    nodeid = next(iter(project.run("--collect-only", "-q", "bench_tiny.py").outlines))
    parts: list[tuple[str, ...]] = [
        ("-k", "fold_1"),
        ("-k", "bench_other"),
        ("-m", "not benchmark and fast", "bench_tiny.py::bench_tiny"),
        ("bench_tiny.py::bench_tiny",),
        (nodeid,),
        ("--deselect", "bench_tiny.py"),
        ("bench_tiny.py",),
        ("bench_other.py",),
        ("--ignore=bench_other.py",),
    ]
    for arguments in parts:
        result = project.run(*ARGUMENTS, *arguments)
        assert result.ret in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED), arguments
        assert "gate failed" not in told(result), arguments
    assert "from a bench file that this run did not look at" in told(project.run(*ARGUMENTS, "bench_tiny.py"))
    bench.write_text(bench.read_text().replace("[0, 1]", "[1]"))
    for arguments in (*parts[:1], ("bench_tiny.py",), ("bench_tiny.py::bench_tiny",), ()):
        result = project.run(*ARGUMENTS, *arguments)
        assert result.ret == pytest.ExitCode.TESTS_FAILED, arguments
        assert re.search(MISSING, told(result)), arguments
    assert project.run(*ARGUMENTS, "bench_other.py").ret == pytest.ExitCode.OK
    bench.write_text(bench.read_text().replace("[1]", "[0, 1]"))
    assert project.run(*ARGUMENTS).ret == pytest.ExitCode.OK
    other.write_text("# nothing is declared here any more\n")
    assert project.run(*ARGUMENTS).ret == pytest.ExitCode.TESTS_FAILED
    other.unlink()
    assert project.run(*ARGUMENTS, "bench_tiny.py").ret == pytest.ExitCode.TESTS_FAILED


def test_the_command_says_what_pytest_says(based: Project) -> None:
    """After a return to earlier code, a changed hyperparameter, a removed one; a store without a plan says that it cannot."""
    store, file = based.pytester.path / "checkpoints", based.pytester.path / "baseline.parquet"
    rewrite(based, WORSE)
    assert based.run(*ARGUMENTS).ret == pytest.ExitCode.TESTS_FAILED
    assert not compare_with_baseline(store, file).passed
    rewrite(based, RECOMMEND)
    assert based.run(*ARGUMENTS).ret == pytest.ExitCode.OK  # all cached: nothing is finished later than the bad version
    assert compare_with_baseline(store, file).passed
    based.bench(plan='plan.add_algorithm(Popular, {"noise": 3})')
    assert based.run(*ARGUMENTS).ret == pytest.ExitCode.OK
    gate = compare_with_baseline(store, file)
    assert (gate.passed, gate.basis) == (True, "")
    assert "hyperparameters have changed" in gate.notes[0]
    forget_plan(store)
    gate = compare_with_baseline(store, file)
    assert gate.basis.startswith("this store remembers no plan")


def forget_plan(store: Path) -> None:
    """Take the record of the plan out of a store."""
    records = Records(store / "store")
    records.commit({}, [key for key in records.all() if key.startswith("plan/")])
    records.close()


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
    result = project.run("-n", "1")
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
    config: Any = SimpleNamespace(stash=pytest.Stash(), getoption=lambda _: None)
    session: Any = SimpleNamespace(exitstatus=pytest.ExitCode.OK)
    gate = RegressionGate(config)
    plain, of_benchmark = SimpleNamespace(failed=False), SimpleNamespace(failed=False)
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
    (item,) = experiments(data, plan, [HR(5)], versions=lambda _: "1", seeds=[1])
    evaluators = [
        Evaluator(HR(5), HitMetric(misses, 5, higher_is_better=False), FitTime()),
        Evaluator(NDCG(10), convention="lenskit"),
    ]
    items: Any = [SimpleNamespace(experiment=item, evaluator=one) for one in evaluators]
    assert directions_of(items) == {item.fit_key: {"HR@5": True, "misses@5": False, "NDCG[lenskit]@10": True}}


def test_a_metric_of_a_function_that_was_deselected_is_not_missed(project: Project) -> None:
    """Two functions may measure the same experiments in two ways, and -k may select one of them."""
    bench = project.pytester.path / "bench_tiny.py"
    text = bench.read_text()
    more = (
        text[text.index("@benchmark") :].replace("NDCG([5, 10]), HR(10)", "HR(3)").replace("bench_tiny", "bench_more")
    )
    bench.write_text(f"{text}\n\n{more}")
    assert "4 metrics" in told(project.run("--omnirec-baseline=baseline.parquet", "--omnirec-table=none"))
    for arguments in ((), ("-k", "bench_more"), ("-k", "bench_tiny"), ("bench_tiny.py::bench_more",)):
        result = project.run(*ARGUMENTS, *arguments)
        assert result.ret == pytest.ExitCode.OK, told(result)
    bench.write_text(text)
    result = project.run(*ARGUMENTS)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "HR@3 is in the baseline, but was not measured now of 1 configuration" in told(result)


TUNED = """
data = from_file("tiny.csv").pipe(MakeImplicit(2), CorePruning(4), UserHoldout(validation_size=0.2, test_size=0.2))
plan = ExperimentPlan("tuned", tuning=Tuning("NDCG@10", trials={trials}, sampler="random"))
plan.tune(Popular, {{"noise": Int(0, {high})}})
"""


def test_a_tuned_algorithm_is_one_thing_whatever_its_search(project: Project) -> None:
    """More trials in a wider space: compared with the tuned one of the baseline, and said; untuned it is another thing."""
    project.bench(TUNED.format(trials=2, high=9))
    assert project.run("--omnirec-baseline=baseline.parquet", "--omnirec-table=none").ret == pytest.ExitCode.OK
    project.bench(TUNED.format(trials=3, high=90))
    result = project.run(*ARGUMENTS)
    assert result.ret == pytest.ExitCode.OK
    printed = " ".join(" ".join(result.outlines).split())
    assert "tiny/Popular (tuned): budget 2 -> 3 trials; noise 0 to 9 (whole) -> 0 to 90 (whole)" in printed
    assert "3 comparisons: 3 same" in printed
    (note,) = (note for note in compare_with_baseline("checkpoints", "baseline.parquet").notes if "budget" in note)
    assert note.startswith("tiny/Popular (tuned): budget 2 -> 3 trials; noise 0 to 9 (whole) -> 0 to 90 (whole)")
    assert Baseline("baseline.parquet").entries[0].chosen[0].keys() <= {"noise"}
    project.bench(f"{TUNED.format(trials=2, high=9)}\nplan = ExperimentPlan('untuned')\nplan.add_algorithm(Popular)")
    result = project.run(*ARGUMENTS)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["tiny/Popular (tuned): in the baseline, but not in the plan any more"])

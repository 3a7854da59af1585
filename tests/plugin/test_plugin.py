"""Whole runs of pytest with the plugin, on algorithms that run in real processes."""

from __future__ import annotations

import json
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from support.projects import IN_A_FRAME, Project


def lines(result: pytest.RunResult, pattern: str) -> list[str]:
    """The lines of a run's output that match a pattern."""
    return [line for line in result.stdout.lines if re.search(pattern, line)]


def summary(result: pytest.RunResult) -> dict[str, int]:
    """What the last line of a run counts."""
    return result.parse_summary_nouns(result.stdout.lines)


@pytest.mark.parametrize("workers", [pytest.param("0", marks=pytest.mark.slow), "2"])
def test_computes_once_then_everything_is_cached(project: Project, workers: str) -> None:
    """The first run computes every item and prints the table; the second computes nothing and prints the same."""
    first = project.run_started("-n", workers)
    first.assert_outcomes(passed=2)
    first.stdout.fnmatch_lines(["*2 items: 0 done, 0 failed, 2 pending*", "tiny: Evaluation Results*"])
    assert project.count_fits() == 2
    second = project.run_started("-n", workers)
    assert summary(second) == {"cached": 2}
    assert second.ret == 0
    second.stdout.fnmatch_lines(["*2 items: 2 done, 0 failed, 0 pending*"])
    assert project.count_fits() == 2
    table = r"Popular|mean|std|Algorithm"
    assert lines(first, table) == lines(second, table) != []


def test_ids_name_dataset_configuration_and_fold(project: Project) -> None:
    """A node id is bench function, dataset, configuration and fold, and selects exactly that item."""
    listed = project.run("--collect-only", "-q")
    ids = lines(listed, r"^bench_tiny\.py::")
    assert len(ids) == 2
    assert all(
        re.fullmatch(r"bench_tiny\.py::bench_tiny::tiny-[0-9a-f]{8}/Popular-[0-9a-f]{8}/fold_[01]", i) for i in ids
    )
    project.run(ids[1]).assert_outcomes(passed=1)
    selected = project.run("-k", "fold_0 and Popular")
    selected.assert_outcomes(passed=1, deselected=1)
    assert summary(project.run("-k", "fold_0")) == {"cached": 1, "deselected": 1}


def test_collect_only_touches_no_store(project: Project) -> None:
    """Collecting neither creates a checkpoint directory nor fits anything."""
    project.run("--collect-only", "-n", "1")
    assert not (project.pytester.path / "checkpoints").exists()
    assert project.count_fits() == 0


def test_new_metric_evaluates_only(project: Project) -> None:
    """A metric added later is computed from the stored predictions; nothing is fitted or predicted again."""
    project.first_run().assert_outcomes(passed=2)
    project.bench(metrics="NDCG([5, 10]), HR(10), Recall(5)")
    again = project.run("-v")
    again.assert_outcomes(passed=2)
    assert project.count_fits() == 2
    assert any("Recall@5" in line for line in again.stdout.lines)


def test_longer_lists_predict_from_the_saved_model(project: Project) -> None:
    """A metric with a larger k predicts longer lists from the stored model, and does not fit."""
    project.first_run().assert_outcomes(passed=2)
    project.bench(metrics="NDCG(30)")
    project.run().assert_outcomes(passed=2)
    assert project.count_fits() == 2
    project.bench()
    assert "2 cached" in project.run().stdout.str()


def test_new_configuration_computes_only_itself(project: Project) -> None:
    """A hyperparameter added later makes a new item and leaves the finished ones alone."""
    project.first_run().assert_outcomes(passed=2)
    project.bench(plan='plan.add_algorithm(Popular, {"noise": Grid([0, 1])})')
    project.run().assert_outcomes(passed=4)
    project.bench(plan='plan.add_algorithm(Popular, {"noise": Grid([0, 1, 2])})')
    result = project.run()
    assert summary(result) == {"passed": 2, "cached": 4}
    assert project.count_fits() == 2 + 4 + 2


def test_body_judges_cached_results_too(project: Project) -> None:
    """An assertion in the bench function fails its item, also when the result comes from the store."""
    project.bench(body='assert result["NDCG@10"] > 2, "worse than possible"')
    project.run().assert_outcomes(failed=2)
    again = project.run("-n", "1")
    again.assert_outcomes(failed=2)
    assert project.count_fits() == 2
    again.stdout.fnmatch_lines(["*worse than possible*"])


@pytest.mark.parametrize("workers", ["0", pytest.param("1", marks=pytest.mark.slow)])
def test_failure_names_phase_and_is_retried(project: Project, workers: str) -> None:
    """A failed item shows its phase and the traceback, is recorded, skipped on request, and tried again by default."""
    flag = project.pytester.path / "repaired"
    project.bench(plan=f'plan.add_algorithm(Broken, {{"unless": {str(flag)!r}}}); plan.add_algorithm(Popular)')
    first = project.run("-n", workers)
    first.assert_outcomes(failed=2, passed=2)
    first.stdout.fnmatch_lines(["*Fit failed: RuntimeError: the algorithm is broken*"])
    first.stdout.fnmatch_lines(["*in fit*", "*Run only this item: pytest *bench_tiny.py::bench_tiny::tiny-*"])
    assert first.ret == 1
    skipping = project.run("-n", workers, "--omnirec-failed=skip", "-rs")
    assert summary(skipping) == {"skipped": 2, "cached": 2}
    skipping.stdout.fnmatch_lines(["*4 items: 2 done, 2 failed, 0 pending*"])
    skipping.stdout.fnmatch_lines(["*SKIPPED*Fit failed: RuntimeError: the algorithm is broken*"])
    flag.touch()
    retried = project.run("-n", workers)
    assert summary(retried) == {"passed": 2, "cached": 2}


@pytest.mark.parametrize(("how", "said"), [("segfault", "was killed by SIGSEGV"), ("exit", "exit status 3")])
def test_dead_guest_fails_its_item_only(project: Project, how: str, said: str) -> None:
    """A guest that dies fails its item with how it died and its last words; the next item gets a fresh one."""
    project.bench(plan=f'plan.add_algorithm(Dying, {{"how": {how!r}}}); plan.add_algorithm(Popular)')
    result = project.run()
    result.assert_outcomes(failed=2, passed=2)
    result.stdout.fnmatch_lines([f"*Fit failed: the Own process * {said}*", "*last words*"])


def test_broken_contract_is_named(project: Project) -> None:
    """An algorithm that recommends an item twice fails in Predict with that reason."""
    project.bench(plan="plan.add_algorithm(Cheating)")
    result = project.run("-k", "fold_0")
    result.assert_outcomes(failed=1, deselected=1)
    result.stdout.fnmatch_lines(["*Predict failed:*twice*"])


def test_reset_computes_selected_items_anew(project: Project) -> None:
    """--omnirec-reset forgets exactly what is selected, also with workers, and only once."""
    project.first_run().assert_outcomes(passed=2)
    project.run("--omnirec-reset", "-k", "fold_1", "-n", "1").assert_outcomes(passed=1, deselected=1)
    assert project.count_fits() == 3
    assert "2 cached" in project.run().stdout.str()


def test_reset_of_a_broken_collection_forgets_nothing(project: Project) -> None:
    """When collection fails, --omnirec-reset has touched nothing."""
    project.first_run().assert_outcomes(passed=2)
    project.pytester.makepyfile(bench_broken="1 / 0")
    assert project.run("--omnirec-reset").ret == 2
    assert project.run("--omnirec-reset", "-n", "1").ret == 2
    (project.pytester.path / "bench_broken.py").unlink()
    assert "2 cached" in project.run().stdout.str()


def test_last_failed_and_exitfirst(project: Project) -> None:
    """--lf selects what failed, -x stops at the first failure, with and without workers."""
    project.pytester.makeini("[pytest]\npythonpath = .\n")
    project.bench(plan="plan.add_algorithm(Broken); plan.add_algorithm(Popular)")
    first = project.run("-x")
    first.assert_outcomes(failed=1)
    first.stdout.fnmatch_lines(["*stopping after 1 failures*"])
    project.run()
    again = project.run("--lf", "-n", "1")
    again.assert_outcomes(failed=2, deselected=2)
    assert "Popular" not in "".join(lines(again, "FAILED"))


def test_junit_carries_metrics_once(project: Project) -> None:
    """The JUnit file has each item once, with its metrics as properties."""
    project.run("--junitxml=report.xml", "-n", "1").assert_outcomes(passed=2)
    cases = list(ET.parse(project.pytester.path / "report.xml").iter("testcase"))
    assert len(cases) == 2
    properties = {one.get("name"): one.get("value") for one in cases[0].iter("property")}
    assert 0 <= float(properties["NDCG@10"] or "nan") <= 1
    assert properties["omnibench.status"] == "done"
    project.run("--junitxml=report.xml").assert_outcomes()
    assert len(list(ET.parse(project.pytester.path / "report.xml").iter("testcase"))) == 2


def test_files_of_the_store(project: Project) -> None:
    """The checkpoint directory holds predictions with the user's ids, readable exports and the logs."""
    project.first_run().assert_outcomes(passed=2)
    root = project.pytester.path / "checkpoints"
    (export,) = root.glob("tiny-*/Popular-*/fold_0/predictions.json")
    columns = json.loads(export.read_text())
    assert list(columns) == ["user", "item", "score", "rank"]
    assert columns["rank"][:3] == [1, 2, 3]
    progress = json.loads((root / "progress.json").read_text())["items"]
    assert sorted(entry["status"] for entry in progress.values()) == ["done", "done"]
    rows = json.loads((root / "results.json").read_text())["results"]
    assert {(row["metric"], row["k"]) for row in rows} == {("NDCG", 5), ("NDCG", 10), ("HR", 10)}
    assert "/Popular-" in (root / "out.log").read_text()
    assert "fitting Popular on" in (root / "out.log").read_text()
    assert list((root / "tmp").iterdir()) == []


def test_checkpoint_dir_by_flag_variable_and_ini(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line beats the environment, which beats the ini file."""
    project.pytester.makeini("[pytest]\npythonpath = .\nomnirec_checkpoint_dir = from_ini\n")
    project.run("-k", "fold_0")
    monkeypatch.setenv("OMNIREC_CHECKPOINT_DIR", "from_variable")
    project.run("-k", "fold_0")
    project.run("-k", "fold_0", "--omnirec-checkpoint-dir=from_flag")
    made = {path.name for path in project.pytester.path.glob("from_*")}
    assert made == {"from_ini", "from_variable", "from_flag"}


def test_a_store_below_a_file_is_refused_at_the_start(project: Project) -> None:
    """A checkpoint directory that cannot be made is an error before anything runs, with the way out."""
    (project.pytester.path / "file").touch()
    result = project.run("--omnirec-checkpoint-dir=file/below")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: *below' cannot be a checkpoint directory, because *file' is no directory. Give *"]
    )
    assert project.count_fits() == 0


REFUSED_BENCH = """
from omnibench import *
from bench_tiny import *
evaluator = Evaluator(NDCG(10))
plan = ExperimentPlan(); plan.add_algorithm(Popular)
{statement}

@benchmark(data, plan, evaluator)
def bench_refused(result): ...
del bench_tiny
"""
REFUSED = {
    "empty plan": ("plan = ExperimentPlan('nothing')", "the plan 'nothing' is empty"),
    "raw data": ("data = from_frame(frame, 'tiny').pipe(MakeImplicit(2))", "raw data without a split"),
    "ranking on explicit": (
        "data = from_frame(frame, 'tiny').pipe(UserHoldout())",
        "Popular predicts no ratings, but*explicit ratings",
    ),
    "rating on implicit": ("evaluator = Evaluator(RMSE())", "RMSE judges predicted ratings"),
    "unknown algorithm": ("plan.add_algorithm('LensKit.ItemKNNScore')", "did you mean 'ItemKNNScorer'?"),
    "unknown framework": ("plan.add_algorithm('Lenskit.PopScorer')", "did you mean 'LensKit'?"),
    "unknown hyperparameter": ("plan.add_algorithm(RecBole.BPR, {'epoch': 3})", "did you mean 'epochs'?"),
    "missing column": ("from_frame(frame.rename(columns={'item': 'movie'}))", "has no column 'item'"),
    "missing file": ("from_file('nowhere.csv')", "there is no file*nowhere.csv"),
    "wrong threshold": ("data.pipe(MakeImplicit('3'))", "MakeImplicit: the threshold is '3'"),
    "k below one": ("NDCG(0)", "NDCG: k is 0"),
    "few interactions": (
        "data = from_frame(frame, 'tiny').pipe(MakeImplicit(2), UserCrossValidation(40))",
        "users have too few interactions*Choose fewer folds",
    ),
}


@pytest.mark.parametrize("workers", ["0", pytest.param("1", marks=pytest.mark.slow)])
def test_bad_input_fails_its_item_before_any_fit(project: Project, workers: str) -> None:
    """What cannot work is an error of that benchmark with the way out; the others of the run are computed."""
    project.bench(data=IN_A_FRAME)
    files = {f"bench_{case.replace(' ', '_')}": given for case, given in REFUSED.items()}
    for name, (statement, _) in files.items():
        (project.pytester.path / f"{name}.py").write_text(REFUSED_BENCH.format(statement=statement))
    result = project.run("-n", workers)
    outcomes = result.parseoutcomes()
    assert outcomes["passed"] == 2
    assert "errors" not in outcomes
    assert result.ret == 1
    assert outcomes["failed"] == len(lines(result, "FAILED "))
    for name, (_, message) in files.items():
        assert lines(result, f"FAILED {name}.py::"), name
        result.stdout.fnmatch_lines([f"*{message}*"])
    assert project.count_fits() == 2


def test_ordinary_tests_run_beside_benchmarks(project: Project) -> None:
    """Tests and benchmarks share a distributed run; cached benchmarks do not keep tests from running."""
    project.pytester.makepyfile(test_plain="def test_one(): ...\ndef test_two(): assert 0")
    for expected in ({"passed": 3, "failed": 1}, {"passed": 1, "failed": 1, "cached": 2}):
        result = project.run("-n", "2", "-rf", "--tb=line", "--junitxml=report.xml")
        assert summary(result) == expected
        result.stdout.re_match_lines([r"2 workers \[\d items\]"])  # on a line of its own, not behind the letters


def test_benchmark_in_a_test_file(project: Project) -> None:
    """A function under @benchmark is collected from test files too, with workers as well."""
    (project.pytester.path / "bench_tiny.py").rename(project.pytester.path / "test_tiny.py")
    project.run("-n", "1").assert_outcomes(passed=2)
    assert project.run().ret == 0
    assert project.count_fits() == 2


def test_silent_without_benchmarks(pytester: pytest.Pytester) -> None:
    """In a project without benchmarks the plugin prints nothing and imports none of its machinery."""
    pytester.makepyfile(
        test_plain="""
        import sys
        def test_imports():
            heavy = {"pandas", "numpy", "diskcache", "rich", "omnibench.engine.coordinator"}
            assert sorted(heavy & set(sys.modules)) == []
        """
    )
    result = pytester.runpytest_subprocess(
        *(f"-pno:{one}" for one in ("xdist", "hypothesispytest", "randomly", "pytest_cov"))
    )
    result.assert_outcomes(passed=1)
    assert "omni" not in result.stdout.str().split("plugins:")[1].partition("\n")[2]


def test_default_random_state_in_every_file(project: Project) -> None:
    """set_random_state in one bench file does not change the keys of the next."""
    (project.pytester.path / "bench_a_first.py").write_text(
        "from omnibench import set_random_state\nset_random_state(1)\n"
    )
    together = lines(project.run("--collect-only", "-q"), "fold_0")
    alone = lines(project.run("--collect-only", "-q", "bench_tiny.py"), "fold_0")
    assert together == alone != []


def test_skip_and_xfail_marks_count(project: Project) -> None:
    """pytest.mark.skip and xfail on a bench function do what they do on a test."""
    path = project.pytester.path / "bench_tiny.py"
    path.write_text("import pytest\n" + path.read_text().replace("@benchmark", "@pytest.mark.skip\n@benchmark"))
    project.run().assert_outcomes(skipped=2)
    assert project.count_fits() == 0


def test_script_and_plugin_share_the_store(project: Project) -> None:
    """What run_omnirec computed the plugin finds, and the other way round."""
    project.pytester.makepyfile(
        script="""
        from bench_tiny import Evaluator, HR, NDCG, data, plan
        from omnibench import run_omnirec
        evaluator = run_omnirec(data, plan, Evaluator(NDCG([5, 10]), HR(10)))
        print(evaluator.to_frame().groupby("metric")["value"].mean().to_dict())
        print(len(evaluator.get_tables()))
        """
    )
    run = project.pytester.run(sys.executable, "script.py")
    assert run.ret == 0
    assert "2 items: 0 done, 0 failed, 2 pending" in run.stderr.str()
    assert "2 cached" in project.run().stdout.str()
    assert project.count_fits() == 2
    assert Path(project.pytester.path / "checkpoints").is_dir()


def test_equal_predictions_do_not_share_records(project: Project) -> None:
    """Two configurations with equal predictions are two items: a metric added for one is not recorded for the other."""
    plan = 'plan.add_algorithm(Popular, {"noise": Grid([0, 1])})'
    project.bench(plan=plan)
    project.first_run().assert_outcomes(passed=4)
    project.bench(plan=plan, metrics="NDCG([5, 10]), HR(10), MAP(3)")
    first = lines(project.run("--collect-only", "-q"), "fold_0")[0]
    project.run(first).assert_outcomes(passed=1)
    rows = json.loads((project.pytester.path / "checkpoints" / "results.json").read_text())["results"]
    assert sum(row["metric"] == "MAP" for row in rows) == 1
    result = project.run()
    assert summary(result) == {"passed": 3, "cached": 1}


def test_reset_in_a_test_file_with_workers(project: Project) -> None:
    """--omnirec-reset counts for @benchmark in test files in a distributed run too, which says what is done."""
    (project.pytester.path / "bench_tiny.py").rename(project.pytester.path / "test_tiny.py")
    project.first_run().assert_outcomes(passed=2)
    again = project.run("-n", "1", "--omnirec-reset")
    again.assert_outcomes(passed=2)
    again.stdout.fnmatch_lines(["*2 items: 0 done, 0 failed, 2 pending after the reset*"])
    assert project.count_fits() == 4


@pytest.mark.parametrize("workers", ["0", "1"])
def test_cached_items_carry_metrics_in_junit_too(project: Project, workers: str) -> None:
    """The JUnit file of a fully cached run has the metrics as properties, once."""
    project.first_run().assert_outcomes(passed=2)
    result = project.run("-n", workers, "--junitxml=report.xml")
    for case in ET.parse(project.pytester.path / "report.xml").iter("testcase"):
        names = [one.get("name") for one in case.iter("property")]
        assert names.count("NDCG@10") == 1
    result.stdout.re_match_lines([r".*cc +\[100%\]"])


def test_awkward_dataset_names_keep_ids_usable(project: Project) -> None:
    """A name with colons, blanks and brackets gives ids that select their item and survive --lf."""
    project.bench(data=IN_A_FRAME)
    path = project.pytester.path / "bench_tiny.py"
    path.write_text(path.read_text().replace('"tiny"', '"my data::v2 [x]"').replace("Popular)", "Broken)"))
    project.pytester.makeini("[pytest]\npythonpath = .\n")
    project.run().assert_outcomes(failed=2)
    (name, _) = lines(project.run("--collect-only", "-q"), r"^bench_tiny\.py::")
    assert re.search(r"my_data__v2__x_-[0-9a-f]{8}/", name)
    project.run(name).assert_outcomes(failed=1)
    project.run("--lf").assert_outcomes(failed=2)


def test_checkpoint_dir_with_dots(project: Project) -> None:
    """A checkpoint directory given with `..` works and is found again."""
    inner = project.pytester.mkdir("inner")
    project.run(f"--omnirec-checkpoint-dir={inner}/../elsewhere").assert_outcomes(passed=2)
    assert "2 cached" in project.run("--omnirec-checkpoint-dir=elsewhere").stdout.str()


def test_impossible_option_values_are_usage_errors(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that is no choice ends the run before collection, wherever it was set; so does an unknown framework."""
    monkeypatch.setenv("OMNIREC_FAILED", "bogus")
    result = project.run()
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*--omnirec-failed is 'bogus'; choose from retry, skip, replay.*"])
    monkeypatch.delenv("OMNIREC_FAILED")
    named = project.run("--omnirec-environments=Lenskit=current")
    named.stdout.fnmatch_lines(["*there is no framework named 'Lenskit'*did you mean 'LensKit'?*"])
    assert named.ret == 1


@pytest.mark.parametrize("kind", ["async def bench_tiny(result): assert 0", "def bench_tiny(result): yield"])
def test_bodies_that_would_not_run_are_refused(project: Project, kind: str) -> None:
    """A coroutine or generator as a bench function is refused instead of passing without being run."""
    path = project.pytester.path / "bench_tiny.py"
    path.write_text(path.read_text().replace("def bench_tiny(result):\n    ...", kind))
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*whose body would check nothing*"])


def test_random_state_of_a_conftest_counts_for_every_file(project: Project) -> None:
    """A conftest that sets the random state changes the keys of all bench files."""
    before = lines(project.run("--collect-only", "-q"), "fold_0")
    project.pytester.makeconftest("from omnibench import set_random_state\nset_random_state(7)\n")
    after = lines(project.run("--collect-only", "-q"), "fold_0")
    assert before != after


def test_impossible_dataset_in_a_script_is_refused_before_any_fit(project: Project) -> None:
    """run_omnirec prepares all datasets first: nothing is fitted when one of them is impossible."""
    project.bench(data=IN_A_FRAME)
    project.pytester.makepyfile(
        script="""
        from bench_tiny import *
        from omnibench import run_omnirec
        short = from_frame(frame, "short").pipe(MakeImplicit(2), UserCrossValidation(40))
        run_omnirec([data, short], plan, Evaluator(NDCG(10)))
        """
    )
    run = project.pytester.run(sys.executable, "script.py")
    assert run.ret == 1
    assert "users have too few interactions" in run.stderr.str()
    assert project.count_fits() == 0


def test_loader_that_raises_fails_items_with_its_traceback(project: Project) -> None:
    """An exception in a registered dataset's loader is a failure in Prepare with the traceback."""
    project.pytester.makepyfile(
        bench_tiny="""
        from omnibench import *
        from own_algorithms import Popular
        class Source:
            columns = ("user", "item")
            fingerprint = "constant"
            def load(self): return {}["absent"]
        register_dataset("Mine", lambda path: Source())
        plan = ExperimentPlan(); plan.add_algorithm(Popular)
        @benchmark(load_dataset("Mine").pipe(UserHoldout()), plan, Evaluator(NDCG(10)))
        def bench_tiny(result): ...
        """
    )
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*Prepare failed: KeyError: 'absent'*", "*in load*"])


def test_export_keeps_the_longest_lists(project: Project) -> None:
    """Shorter lists wanted after longer ones do not shorten predictions.json."""
    project.bench(metrics="NDCG(30)")
    project.first_run().assert_outcomes(passed=2)
    (export,) = (project.pytester.path / "checkpoints").glob("tiny-*/Popular-*/fold_0/predictions.json")
    before = export.read_text()
    project.bench()
    project.run().assert_outcomes(passed=2)
    assert export.read_text() == before
    assert max(json.loads(before)["rank"]) > 20

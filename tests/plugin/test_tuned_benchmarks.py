"""Tuned algorithms in runs of pytest: chosen on validation, each trial computed once, resumed, and the same with workers."""

from __future__ import annotations

import re
import signal
from typing import Any

import pandas as pd
import pytest
from support.projects import Project
from support.runs import PATIENCE, output_of, started, wait_until
from support.tuned_benches import TUNE, chosen_in, store_of, trials_in, tuned_bench

from omnibench import ExperimentPlan
from omnibench.commands.main import main
from omnibench.store.tuned_items import tuned_items
from omnibench.tables.names import recorded_names

COLUMNS = ("number", "status", "parameters", "value", "epochs")


def compared(project: Project) -> list[tuple[Any, ...]]:
    """What two searches have to have in common."""
    return [tuple(trial[column] for column in COLUMNS) for trial in trials_in(project)]


def results_of(project: Project) -> pd.DataFrame:
    """The values of all items."""
    return store_of(project).results()[["algorithm", "fold", "metric", "value"]].reset_index(drop=True)


def test_the_best_trial_of_the_validation_part_is_tested_without_another_fit(project: Project) -> None:
    """One row: the defaults are trial 0, the value of the best is chosen, and its model is the model of the test."""
    tuned_bench(project)
    result = project.run("-v")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*Weighted (tuned)*"])
    trials = trials_in(project)
    assert [trial["number"] for trial in trials] == list(range(6))
    assert trials[0]["parameters"] == {}
    assert all(1 <= trial["parameters"]["depth"] <= 90 for trial in trials[1:])
    assert project.count_fits() == 6
    (chosen,) = chosen_in(project).values()
    best = max(trials, key=lambda trial: trial["value"])
    assert (chosen["number"], chosen["parameters"], chosen["value"]) == (
        best["number"],
        best["parameters"],
        best["value"],
    )
    assert chosen["trials"] == 6
    result.stdout.re_match_lines([r"    Tune +[\d.]+ s  \(6 trials\)$"])


@pytest.mark.parametrize("refit", [None, "train+validation"])
def test_a_fit_that_was_a_trial_is_counted_once(project: Project, refit: str | None) -> None:
    """The seconds of all phases are those of each trial, and what came after: the model that was taken over cost nothing more."""
    tuned_bench(project, tuning=f'"NDCG@10", trials=3, refit={refit!r}')
    project.run().assert_outcomes(passed=1)
    store = store_of(project)
    phases = store.phases()
    after = phases.loc[phases["phase"].isin(["Predict", "Eval", *(["Fit"] if refit else [])]), "seconds"].sum()
    trials = sum(trial["seconds"] for trial in trials_in(project))
    assert project.count_fits() == 3 + bool(refit)
    assert phases["seconds"].sum() == pytest.approx(trials + after)
    summary = store.summary()
    assert (summary["elapsed"], summary["average"]) == pytest.approx((trials + after, trials + after))


def test_hyperparameters_that_are_searched_select_items(project: Project) -> None:
    """``-k depth`` finds the item whose depth is searched, as it finds one whose depth is in its name."""
    tuned_bench(project)
    project.run("--collect-only", "-q", "-k", "depth").stdout.fnmatch_lines(["*Weighted_(tuned)*"])
    project.run("--collect-only", "-q", "-k", "not depth").stdout.fnmatch_lines(["*1 deselected*"])


def test_a_cached_search_computes_nothing(project: Project) -> None:
    """The second run finds the item done; a new metric is evaluated without a trial."""
    tuned_bench(project)
    project.run().assert_outcomes(passed=1)
    project.run().stdout.fnmatch_lines(["*1 cached*"])
    tuned_bench(project, metrics="NDCG([5, 10]), HR(10)")
    project.run().assert_outcomes(passed=1)
    assert project.count_fits() == 6
    assert len(trials_in(project)) == 6


def test_more_trials_go_on_with_those_that_there_are(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """A larger budget is another item, whose first trials are known; those who compare both are told."""
    tuned_bench(project)
    project.run()
    before = compared(project)
    tuned_bench(project, tuning='"NDCG@10", trials=9, sampler="random"')
    project.run().assert_outcomes(passed=1)
    assert compared(project)[:6] == before
    assert len(before) + 3 == len(trials_in(project))
    assert project.count_fits() <= 6 + 3 + 1  # the model of an earlier winner may have gone to its item
    capsys.readouterr()
    assert main(["compare", "--all", "--store", str(project.pytester.path / "checkpoints")]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Budgets differ: ")]
    assert "6 trials" in line
    assert "9 trials" in line


@pytest.mark.parametrize(
    "sampler", ["random", *(pytest.param(name, marks=pytest.mark.slow) for name in ("tpe", "sobol"))]
)
def test_workers_come_to_the_same_choice(project: Project, sampler: str) -> None:
    """With two workers, which share the trials of one search, values and choice are those of one process."""
    tuned_bench(project, tuning=f'"NDCG@10", trials=9, sampler="{sampler}"')
    project.run("--omnirec-checkpoint-dir=alone").assert_outcomes(passed=1)
    project.run_process("-n", "2").assert_outcomes(passed=1)
    together = compared(project)
    (project.pytester.path / "checkpoints").rename(project.pytester.path / "distributed")
    (project.pytester.path / "alone").rename(project.pytester.path / "checkpoints")
    assert compared(project) == together


def test_a_killed_search_is_resumed_to_the_same_choice(project: Project) -> None:
    """Killed in the midst of its trials, it computes the open ones, and comes to what an uninterrupted one does."""
    gate = project.pytester.path / "gate"
    fixed = {"free": 5, "gate": str(gate)}
    plan = f'plan.tune(Together, {{"tag": Int(1, 90)}}, fixed={fixed})'
    tuned_bench(project, plan=plan, tuning='"NDCG@10", trials=8')
    with started(project) as run:
        wait_until(lambda: project.count_fits("begin-") == 6)
        run.kill()
    finished = [trial for trial in trials_in(project) if trial["status"] == "done"]
    assert len(finished) == 5
    gate.touch()
    project.run().assert_outcomes(passed=1)
    resumed = compared(project)
    assert project.count_fits() <= 8 + 2
    project.run("--omnirec-checkpoint-dir=again").assert_outcomes(passed=1)
    (project.pytester.path / "checkpoints").rename(project.pytester.path / "first")
    (project.pytester.path / "again").rename(project.pytester.path / "checkpoints")
    assert compared(project) == resumed


def test_trials_and_grid_points_are_the_same_experiments(project: Project) -> None:
    """A trial of what a plan has fitted needs no Fit, and the other way round."""
    points = 'plan.add_algorithm(Weighted, {"depth": Grid([10, 20, 30])})'
    tuned_bench(project, plan=points)
    project.run().assert_outcomes(passed=3)
    grid = '"NDCG@10", sampler="grid"'
    tuned_bench(project, plan='plan.tune(Weighted, {"depth": Choice([10, 20, 30])})', tuning=grid)
    project.run().assert_outcomes(passed=1)
    assert project.count_fits() == 3 + 1  # the defaults
    (chosen,) = chosen_in(project).values()
    tuned_bench(project, plan=f"plan.add_algorithm(Weighted, {chosen['parameters']})")
    project.run().assert_outcomes(passed=1)
    assert project.count_fits() == 3 + 1


def test_a_failed_trial_is_a_result(project: Project) -> None:
    """It is recorded with its error and counted; the search goes on, and a later run does not try it again."""
    plan = 'plan.tune(Weighted, {"depth": Choice([10, 20, 30])}, fixed={"unlucky": 20})'
    tuned_bench(project, plan=plan, tuning='"NDCG@10", sampler="grid"')
    result = project.run("-v")
    result.assert_outcomes(passed=1)
    result.stdout.re_match_lines([r" +Tune +\d+\.\d+ s  \(4 trials, 1 failed\)$"])
    states = {trial["parameters"].get("depth"): trial["status"] for trial in trials_in(project)}
    assert states == {None: "done", 10: "done", 20: "failed", 30: "done"}
    (failed,) = (trial for trial in trials_in(project) if trial["status"] == "failed")
    assert failed["error"]["phase"] == "Fit"
    assert "depth=20 is unlucky" in failed["error"]["message"]
    (chosen,) = chosen_in(project).values()
    assert (chosen["trials"], chosen["failed"]) == (4, 1)
    assert chosen.get("defaults") == (None if chosen["number"] else {"depth": 5})


def test_all_trials_failed_fails_the_item(project: Project) -> None:
    """The item's failure is of the phase Tune and gives the reasons; it is not done."""
    tuned_bench(project, plan='plan.tune(Broken, {"unless": Choice(["a", "b"])})', tuning='"NDCG@10", sampler="grid"')
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "Tune failed: all 3 trials failed: Fit: *the algorithm is broken*",
            "`omnibench tuning */Broken-*` lists its trials; `omnibench reset */Broken-* --what Tune` has the next run *",
            "Traceback*",
        ]
    )
    assert {trial["status"] for trial in trials_in(project)} == {"failed"}
    (item,) = store_of(project).items()
    (search,) = tuned_items(store_of(project).records(), store_of(project).items())
    assert search.statements == [
        "no trial has a value: 3 trials (3 failed)",
        f"`omnibench reset {item} --what Tune` has the next run compute them again",
    ]
    store_of(project).reset([item], "Tune")
    assert trials_in(project) == []


def test_the_log_has_a_line_per_trial(project: Project) -> None:
    """Hyperparameters have the digits that people read, and a failure its message; the record has the traceback."""
    plan = 'plan.tune(Weighted, {"unlucky": Float(0.1, 0.9)})'
    tuned_bench(project, plan=plan, tuning='"NDCG@10", sampler="random", trials=2')
    project.run().assert_outcomes(passed=1)
    plan = 'plan.tune(Weighted, {"depth": Choice([20])}, fixed={"unlucky": 20})'
    tuned_bench(project, plan=plan, tuning='"NDCG@10", sampler="grid"')
    project.run().assert_outcomes(passed=1)
    messages = [entry["message"] for entry in store_of(project).logs(limit=-1)]
    trials = [message for message in messages if message.startswith("trial ")]
    assert re.fullmatch(r"trial 0 \(the defaults\): NDCG@10 0\.\d{4}", trials[0])
    assert re.fullmatch(r"trial 1 \(unlucky=0\.\d{1,4}\): NDCG@10 0\.\d{4}", trials[1])
    assert trials[-1] == "trial 1 (depth=20): failed in Fit: ValueError: depth=20 is unlucky"


def test_a_trial_that_kills_its_process_is_a_failed_trial(project: Project) -> None:
    """A segfault in a Fit is that trial's; the next one gets another process."""
    plan = """
class Deadly(Weighted):
    def fit(self, train):
        if self.depth == 20:
            import ctypes
            ctypes.string_at(0)
        super().fit(train)
plan.tune(Deadly, {"depth": Choice([10, 20, 30])})
"""
    tuned_bench(project, plan=plan, tuning='"NDCG@10", sampler="grid"')
    project.run().assert_outcomes(passed=1)
    (failed,) = (trial for trial in trials_in(project) if trial["status"] == "failed")
    assert failed["parameters"] == {"depth": 20}
    assert "SIGSEGV" in failed["error"]["message"]


def test_each_fold_has_its_own_search(project: Project) -> None:
    """Folds choose by their own validation parts."""
    tuned_bench(project, split="UserCrossValidation(2, validation_size=0.2)")
    project.run().assert_outcomes(passed=2)
    assert len({trial["search"] for trial in trials_in(project)}) == 2
    assert project.count_fits() == 12


def test_one_search_for_all_folds(project: Project) -> None:
    """With per_fold=False the first fold's choice is fitted on the others."""
    tuned_bench(
        project,
        split="UserCrossValidation(3, validation_size=0.2)",
        tuning='"NDCG@10", trials=5, sampler="random", per_fold=False',
    )
    project.run("-p", "no:cacheprovider", "-k", "fold_2").assert_outcomes(passed=1, deselected=2)
    project.run().assert_outcomes(passed=2)
    assert len({trial["search"] for trial in trials_in(project)}) == 1
    (search,) = (record for key, record in store_of(project).records().items() if key.startswith("search/"))
    assert search["fold"] == 0  # whose validation part judges, whichever item has begun it
    assert project.count_fits() == 5 + 2
    assert len({str(chosen["parameters"]) for chosen in chosen_in(project).values()}) == 1


def test_several_seeds_share_a_search(project: Project) -> None:
    """Seeds repeat the chosen configuration, not the search; the first takes the trial's model."""
    plan = """
class Drawn(Weighted):
    def __init__(self, depth=5, seed=0):
        super().__init__(depth)
        self.seed = seed

    def fit(self, train):
        super().fit(train)
        np.random.default_rng(self.seed).shuffle(self.items)

plan.tune(Drawn, {"depth": Int(1, 90)})
"""
    tuned_bench(project, plan=plan, options=", seeds=3")
    project.run().assert_outcomes(passed=3)
    assert len({trial["search"] for trial in trials_in(project)}) == 1
    assert project.count_fits() == 6 + 2


def test_the_choice_can_be_fitted_on_both_parts(project: Project) -> None:
    """refit="train+validation" fits once more, on more rows."""
    tuned_bench(project, tuning='"NDCG@10", trials=4, sampler="random", refit="train+validation"')
    project.run().assert_outcomes(passed=1)
    assert project.count_fits() == 4 + 1
    lines = (project.pytester.path / "checkpoints" / "out.log").read_text().splitlines()
    rows = [int(line.rpartition(" ")[2]) for line in lines if "fitting Popular" in line]
    assert rows[-1] > rows[0]
    assert len(set(rows)) == 2


def test_the_last_fit_is_trained_as_long_as_validation_found(project: Project) -> None:
    """Fitted on both parts there is nothing to stop by: the number of epochs is that of the chosen trial's best epoch."""
    plan = 'plan.tune(Staged, {"depth": Int(40, 60)})'
    tuned_bench(project, plan=plan, tuning='"NDCG@10", trials=3, sampler="random", refit="train+validation"')
    project.run().assert_outcomes(passed=1)
    assert {trial["epochs"] for trial in trials_in(project)} == {3}
    (chosen,) = chosen_in(project).values()
    assert chosen["parameters"]["epochs"] == 3
    lines = (project.pytester.path / "checkpoints" / "out.log").read_text().splitlines()
    fits = [line.partition("Staged: ")[2] for line in lines if " rows, " in line]
    assert len(fits) == 4
    assert fits[-1].startswith("3 epochs")
    assert fits[-1].endswith(" 0 to validate")


@pytest.mark.parametrize("pruner", ["median", "halving"])
def test_a_pruned_trial_is_recorded_with_the_epoch_and_the_value_that_decided(project: Project, pruner: str) -> None:
    """Trials that look bad end early and are never chosen; the values of their epochs are kept."""
    plan = 'plan.tune(Staged, {"depth": Choice([90, 80, 70, 60, 10, 20, 30, 40, 35])})'
    tuned_bench(project, plan=plan, tuning=f'"NDCG@10", trials=10, sampler="random", pruner="{pruner}", seed=3')
    project.run().assert_outcomes(passed=1)
    pruned = [trial for trial in trials_in(project) if trial["status"] == "pruned"]
    assert pruned
    assert all(trial["number"] >= 4 for trial in pruned), "the first round has nobody to be compared with"
    for trial in pruned:
        assert trial["value"] is None
        epoch, value = trial["history"][-1]
        assert (trial["pruned"]["epoch"], trial["pruned"]["value"]) == (epoch, value)
        assert epoch < 10
        assert trial["pruned"]["reason"]
    (chosen,) = chosen_in(project).values()
    assert chosen["pruned"] == len(pruned)
    again = compared(project)
    project.run("--omnirec-checkpoint-dir=again")
    (project.pytester.path / "checkpoints").rename(project.pytester.path / "first")
    (project.pytester.path / "again").rename(project.pytester.path / "checkpoints")
    assert compared(project) == again


def test_a_budget_of_seconds_counts_what_trials_have_cost(project: Project) -> None:
    """Trials are begun until they have cost so much together; the same ones count in a later run."""
    plan = 'plan.tune(Slow, {"tag": Int(1, 90)}, fixed={"seconds": 0.3})'
    tuned_bench(project, plan=plan, tuning='"NDCG@10", seconds=0.8')
    project.run().assert_outcomes(passed=1)
    (chosen,) = chosen_in(project).values()
    *before, last = (trial["seconds"] for trial in trials_in(project) if trial["status"] == "done")
    assert chosen["trials"] == len(before) + 1
    assert sum(before) < 0.8 <= sum(before) + last
    assert chosen["seconds"] == pytest.approx(sum(before) + last)
    project.run().stdout.fnmatch_lines(["*1 cached*"])


def test_models_of_trials_that_were_not_chosen_are_dropped(project: Project) -> None:
    """Behind the search there is the model of the item alone, unless all are to be kept."""
    tuned_bench(project)
    project.run()
    checkpoints = project.pytester.path / "checkpoints"
    assert len({path.stat().st_ino for path in checkpoints.rglob("model.*")}) == 1
    tuned_bench(project, tuning='"NDCG@10", trials=6, sampler="random", keep_trials=True, seed=1')
    project.run("--omnirec-checkpoint-dir=kept").assert_outcomes(passed=1)
    assert len(list((project.pytester.path / "kept").rglob("model.*"))) > 3


def test_the_choice_at_the_edge_of_a_range_is_recorded(project: Project) -> None:
    """Whoever has chosen the largest value there is may want a wider range."""
    tuned_bench(
        project, plan='plan.tune(Weighted, {"depth": Choice([10, 20, 30])})', tuning='"NDCG@10", sampler="grid"'
    )
    project.run()
    (chosen,) = chosen_in(project).values()
    assert chosen["edges"] == ([["depth", 30, "high"]] if chosen["parameters"] == {"depth": 30} else chosen["edges"])


def test_a_class_without_defaults_begins_in_the_middle(project: Project) -> None:
    """What has no default cannot have its defaults tried: trial 0 has the middle of the ranges."""
    tuned_bench(project, plan='plan.tune(Needy, {"depth": Int(1, 89)})')
    project.run().assert_outcomes(passed=1)
    assert trials_in(project)[0]["parameters"] == {"depth": 45}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"split": "UserHoldout(validation_size=0, test_size=0.2)"},
            "*no validation part to choose on*validation_size=0.1*",
        ),
        ({"plan": 'plan.tune(Weighted, {"deep": Int(1, 9)})'}, "*no hyperparameter 'deep'*did you mean*depth*"),
        ({"plan": "plan.tune(Weighted)"}, "*has no search space*a class of your own*"),
        (
            {"plan": 'plan.tune(Weighted, {"depth": Int(1, 9)}, fixed={"depth": 3})'},
            "*depth is in fixed and in the search space*",
        ),
        ({"plan": 'plan.tune(Needy, {"nothing": Int(1, 9)})'}, "*no hyperparameter 'nothing'*"),
        ({"tuning": '"RMSE", trials=3'}, "*RMSE judges predicted ratings*"),
    ],
)
def test_what_cannot_be_tuned_is_refused(project: Project, changes: dict[str, str], message: str) -> None:
    """Nothing is computed, and the sentence says what to write instead."""
    tuned_bench(project, **changes)
    result = project.run()
    result.assert_outcomes(failed=1) if "failed" in result.parseoutcomes() else result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([message])
    assert project.count_fits() == 0


def test_a_plan_without_a_budget_is_told_how_to_get_one() -> None:
    """All tuned algorithms of a plan have the same budget, so the plan has to have one."""
    with pytest.raises(Exception, match=re.escape("ExperimentPlan(..., tuning=Tuning('NDCG@10', trials=30))")):
        ExperimentPlan("plan").tune("RecPack.EASE", {"l2": 3})


def test_the_plan_says_what_is_tuned(project: Project) -> None:
    """Labels and node ids tell a tuned algorithm from the same one with its defaults."""
    tuned_bench(project, plan=f"{TUNE}\nplan.add_algorithm(Weighted)")
    result = project.run("--collect-only", "-q")
    result.stdout.fnmatch_lines(["*Weighted_(tuned)-*", "*Weighted-*"])


def test_outputs_call_two_searches_of_an_algorithm_the_same(project: Project) -> None:
    """The table of a run and the commands have one name for each search, which commands take."""
    tuned_bench(project, tuning='"NDCG@10", trials=1', plan=f'{TUNE}\nplan.tune(Weighted, {{"depth": Int(2, 3)}})')
    output = project.run().stdout.str()
    names = sorted(set(re.findall(r"Weighted \(tuned, search=[0-9a-f]{8}\)", output)))
    assert len(names) == 2
    listed = recorded_names(store_of(project).items().values())
    assert sorted(listed.configurations.values()) == names
    assert len({item for name in names for item in store_of(project).select(name)}) == 2


def test_logs_say_which_trial_a_line_is_of(project: Project) -> None:
    """What a trial prints has its number behind the item's name, and what the item itself prints has none."""
    plan = 'plan.tune(Staged, {"depth": Int(1, 9)}, fixed={"epochs": 4})'
    tuned_bench(project, plan=plan, tuning='"NDCG@10", sampler="random", trials=2, refit="train+validation"')
    project.run().assert_outcomes(passed=1)
    (item,) = store_of(project).items()
    lines = (store_of(project).root / "out.log").read_text().splitlines()
    printed = [line.partition("] Staged")[0] for line in lines if " epochs on " in line]
    assert printed == [f"[{item}#0", f"[{item}#1", f"[{item}"]
    entries = [entry for entry in store_of(project).logs(item=item, limit=-1) if " epochs on " in entry["message"]]
    assert [entry["logger"] for entry in entries] == ["guest.stdout#0", "guest.stdout#1", "guest.stdout"]


def test_a_plan_says_how_many_trials_are_known(project: Project) -> None:
    """What is not tuned yet runs from Tune, and says how far its search is; with all trials, from Fit."""
    tuned_bench(project, tuning='"NDCG@10", trials=2, sampler="random"')
    project.run("--omnirec-plan").stdout.fnmatch_lines(
        [
            "*from Tune *Weighted (tuned)*(nothing is recorded under its key; 0 of 2 trials known)",
            "*would run 1 items (1 from Tune)*",
        ]
    )
    project.run().assert_outcomes(passed=1)
    (item,) = store_of(project).items()
    tuned_bench(project, tuning='"NDCG@10", trials=3, sampler="random"')
    plan = project.run("--omnirec-plan", "-v").stdout
    plan.fnmatch_lines(["*from Tune *(nothing is recorded under its key; 2 of 3 trials known)"])
    plan.fnmatch_lines([f"*The nearest item that was fitted is {item}*", "*tuning*trials* 2 -> 3"])
    tuned_bench(project, tuning='"NDCG@10", trials=2, sampler="random"')
    store_of(project).reset([item], "Fit")
    project.run("--omnirec-plan").stdout.fnmatch_lines(["*from Fit *2 of 2 trials known*"])
    store_of(project).reset([item])
    project.run("--omnirec-plan").stdout.fnmatch_lines(["*from Tune *(it was reset; 0 of 2 trials known)"])


@pytest.mark.slow
def test_a_stop_within_a_search_says_that_the_next_run_goes_on(project: Project) -> None:
    """Pytest's last lines say it, and the next run keeps the trials that are finished."""
    plan = """
import time

class Tired(Weighted):
    def fit(self, train):
        super().fit(train)
        time.sleep(0.3)

plan.tune(Tired, {"depth": Int(1, 90)})
"""
    tuned_bench(project, plan=plan, tuning='"NDCG@10", trials=200, sampler="random"')
    with started(project) as run:
        wait_until(lambda: project.count_fits() >= 2)
        run.send_signal(signal.SIGINT)
        assert run.wait(timeout=PATIENCE) == 2
    assert "stopped by SIGINT; the next run goes on from there" in output_of(project)
    known = sum(trial["status"] == "done" for trial in trials_in(project))
    assert known >= 1
    project.run("--omnirec-plan").stdout.fnmatch_lines([f"*from Tune *{known} of 200 trials known*"])

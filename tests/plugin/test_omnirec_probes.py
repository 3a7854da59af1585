"""What OmniRec 1.1.0 did under these probes (research/omnirec.md, section 4), each with the right outcome here."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from pathlib import Path

import pytest
from support.projects import IN_A_FRAME, Project
from support.runs import PATIENCE, guests_of, nobody_left, output_of, started, wait_until

from omnibench import open_store
from omnibench.store import CheckpointStore

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")


def counts(result: pytest.RunResult) -> dict[str, int]:
    return result.parse_summary_nouns(result.stdout.lines)


def table(result: pytest.RunResult) -> list[str]:
    """The printed results, line by line."""
    return [line for line in result.stdout.lines if re.match(r"^ .*\d\.\d{4}", line)]


def checkpoints(project: Project) -> Path:
    return project.pytester.path / "checkpoints"


def test_p2_a_metric_added_later_is_computed_from_the_predictions(project: Project) -> None:
    """P2: the peer skipped everything and returned the old metric alone."""
    project.bench(metrics="NDCG(10)")
    project.first_run().assert_outcomes(passed=2)
    project.bench(metrics="NDCG([10, 20]), HR(10), Recall(10)")
    again = project.run()
    assert counts(again) == {"passed": 2}
    assert project.count_fits() == 2
    assert {"NDCG@20", "HR@10", "Recall@10"} <= set(open_store(checkpoints(project)).results()["metric"])


def test_p3_other_content_of_the_same_size_is_another_dataset(project: Project) -> None:
    """P3: the peer returned the old number for permuted items, because its key was the row count."""
    project.bench(data=IN_A_FRAME)
    project.first_run().assert_outcomes(passed=2)
    path = project.pytester.path / "bench_tiny.py"
    before = path.read_text()
    path.write_text(before.replace("data = from_frame", 'frame["item"] = (frame["item"] * 7) % 61\ndata = from_frame'))
    changed = project.run()
    assert counts(changed) == {"passed": 2}
    assert table(changed) == table(project.run("--omnirec-resume=never"))


def test_p4_an_algorithm_that_raises_fails_the_run_and_nothing_else(project: Project) -> None:
    """P4, P5: the peer ended with status 0, also when everything had failed."""
    project.bench(plan="plan.add_algorithm(Broken); plan.add_algorithm(Popular)")
    result = project.run()
    assert (counts(result), result.ret) == ({"failed": 2, "passed": 2}, 1)
    assert len([line for line in table(result) if "Popular" in line]) == 1
    project.bench(plan="plan.add_algorithm(Broken)")
    assert project.run().ret == 1


def test_p6_a_list_is_a_value_and_a_grid_is_a_grid(project: Project) -> None:
    """P6: the peer passed a grid on as one value; here a list where a number belongs is refused, with a word about Grid."""
    project.bench(plan='plan.add_algorithm(RecBole.NeuMF, {"mlp_hidden_size": [64, 32]})')
    assert counts(project.run("--collect-only")) == {"tests": 2}
    project.bench(plan='plan.add_algorithm(Popular, {"noise": [20, 40]})')
    refused = project.run()
    assert counts(refused) == {"failed": 1}
    refused.stdout.fnmatch_lines(["*For one configuration per value write Grid([[]20, 40[]])*"])
    project.bench(plan='plan.add_algorithm(Popular, {"noise": Grid([20, 40])})')
    assert counts(project.run()) == {"passed": 4}


def test_p7_a_name_that_does_not_exist_is_refused_before_anything_runs(project: Project) -> None:
    """P7: the peer noticed a typo in the second algorithm after the first, whose results were lost for good."""
    project.bench(plan="plan.add_algorithm(Popular); plan.add_algorithm('LensKit.ItemKNNScorerr')")
    refused = project.run()
    refused.stdout.fnmatch_lines(["*did you mean*ItemKNNScorer*"])
    assert project.count_fits() == 0
    project.bench()
    assert counts(project.run()) == {"passed": 2}


@linux
def test_p8_kill_9_in_a_fit_leaves_no_orphan_and_p9_loses_nothing(project: Project) -> None:
    """P8: the peer's runner lived on and finished the fit; P9: results of the first algorithm were gone for good."""
    project.bench(plan='plan.add_algorithm(Popular); plan.add_algorithm(Slow, {"seconds": 600.0})')
    with started(project) as run:
        wait_until(lambda: project.count_fits("begin-") == 1)
        # What a worker is at is told beside its work, a moment later.
        wait_until(lambda: any("Slow" in (one["item"] or "") for one in open_store(checkpoints(project)).workers()))
        run.kill()
        wait_until(lambda: nobody_left(project))
    store = open_store(checkpoints(project))
    assert len(store.completed) == 2
    assert len(store.interrupted) == 1
    project.bench(plan="plan.add_algorithm(Popular)")
    again = project.run()
    assert counts(again) == {"cached": 2}
    assert len(table(again)) == 4


@linux
def test_p10_a_killed_runner_is_noticed_at_once(project: Project) -> None:
    """P10a, P10b: the peer noticed by a time limit of 63 s, and the whole plan was given up."""
    project.bench(plan='plan.add_algorithm(Slow, {"seconds": 600.0}); plan.add_algorithm(Popular)')
    with started(project, "-k", "fold_0") as run:
        wait_until(lambda: project.count_fits("begin-") == 1)
        (guest,) = guests_of(project)
        os.kill(guest, signal.SIGKILL)
        wait_until(lambda: run.poll() is not None)
    assert run.returncode == 1
    assert "was killed by SIGKILL" in output_of(project)
    assert "1 failed, 1 passed" in output_of(project)


@pytest.mark.parametrize(
    ("name", "content"), [("progress.json", '{"items": {"tin'), ("progress.json", None), ("results.json", "")]
)
def test_p11_readable_copies_may_be_damaged_or_gone(project: Project, name: str, content: str | None) -> None:
    """P11, P11b, P13: the peer could not start, ran nothing, or saved duplicate rows; here nothing reads them back."""
    project.first_run().assert_outcomes(passed=2)
    path = checkpoints(project) / name
    whole = path.read_text()
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    assert counts(project.run()) == {"cached": 2}
    project.bench(metrics="NDCG([5, 10]), HR(10), MRR(10)")
    assert counts(project.run()) == {"passed": 2}
    if name == "progress.json":
        statuses = [one["status"] for one in json.loads(path.read_text())["items"].values()]
        assert statuses == ["done", "done"] == [one["status"] for one in json.loads(whole)["items"].values()]
    else:
        rows = [(row["fold"], row["metric"], row["k"]) for row in json.loads(path.read_text())["results"]]
        assert len(rows) == len(set(rows)) == 8


def test_p12_deleted_predictions_come_back(project: Project) -> None:
    """P12: the peer was stuck until its state file was edited by hand."""
    project.first_run().assert_outcomes(passed=2)
    for path in checkpoints(project).rglob("predictions*"):
        path.unlink()
    assert counts(project.run()) == {"cached": 2}
    project.bench(metrics="NDCG([5, 10]), HR(10), MRR(10)")
    result = project.run()
    assert counts(result)["passed"] == 2
    assert project.count_fits() == 2, "the models were there"
    assert len(list(checkpoints(project).glob("tiny-*/Popular-*/fold_*/predictions.json"))) == 2
    assert table(result) == table(project.run("--omnirec-resume=never"))


def test_p14_two_runs_with_different_algorithms_share_a_store(project: Project) -> None:
    """P14: the loser's rows vanished from both files of the peer."""
    project.bench(plan='plan.add_algorithm(Popular); plan.add_algorithm(Slow, {"seconds": 1.0})')
    with started(project, "-k", "Slow") as other:
        project.run("-k", "Popular").assert_outcomes(passed=2, deselected=2)
        assert other.wait(timeout=PATIENCE) == 0
    assert counts(project.run()) == {"cached": 4}
    rows = json.loads((checkpoints(project) / "results.json").read_text())["results"]
    assert {row["algorithm"].partition("-")[0] for row in rows} == {"Popular", "Slow"}


def test_p15_a_failing_fold_stops_no_other_fold(project: Project) -> None:
    """P15: the peer skipped the folds after it and printed a table of those before without a word."""
    path = project.pytester.path / "own_algorithms.py"
    path.write_text(
        path.read_text()
        + """

class Odd(Popular):
    def __init__(self, total):
        self.total = total
    def fit(self, train):
        if train["item"].sum() == self.total and not os.path.exists("repaired"):
            raise ValueError("not this fold")
        super().fit(train)
"""
    )
    project.bench(plan='plan.add_algorithm(Odd, {"total": int(data.data.folds[0].train["item"].sum())})')
    broken = project.run()
    assert (counts(broken), broken.ret) == ({"failed": 1, "passed": 1}, 1)
    broken.stdout.fnmatch_lines(["*Fit failed: ValueError: not this fold*"])
    (project.pytester.path / "repaired").touch()
    repaired = project.run()
    assert counts(repaired) == {"passed": 1, "cached": 1}
    assert len([line for line in table(repaired) if not re.search(" std| mean", line)]) == 2


def test_p16_no_state_skips_a_fold(project: Project) -> None:
    """P16: a crash between two writes of the peer made it skip a fold; here each fold's phases stand for themselves.

    Whatever subset of an item's records is there, the run ends with every fold in the table.
    """
    first = project.first_run()
    whole = table(first)
    store = open_store(checkpoints(project))
    fit_key = store.find(store.completed[1])["fit_key"]
    for prefixes in (("item/",), ("eval/", "item/"), ("predict/", "fit/")):
        opened = CheckpointStore(store.root)
        gone = {
            key: record
            for key, record in opened.snapshot().items()
            if record.get("fit_key") == fit_key and key.startswith(prefixes)
        }
        opened.records.commit({}, gone)
        opened.close()
        result = project.run()
        assert table(result) == whole, prefixes


def test_p18_a_run_that_stopped_after_fit_goes_on_in_another_process(project: Project) -> None:
    """P18: the peer's Predict wanted the temporary folder of the process that had fitted."""
    gate = project.pytester.path / "gate"
    project.bench(plan=f'plan.add_algorithm(Gated, {{"gate": {str(gate)!r}}})')
    with started(project, "-k", "fold_0") as run:
        wait_until(lambda: project.count_fits("begin-") == 1)
        run.send_signal(signal.SIGINT)
        wait_until(lambda: "SIGINT: stopping" in output_of(project))
        gate.touch()
        assert run.wait(timeout=PATIENCE) == 2
    assert [key for key in open_store(checkpoints(project)).records() if key.startswith("fit/")]
    project.run("-k", "fold_0").assert_outcomes(passed=1, deselected=1)
    assert project.count_fits("begin-") == 1


@linux
def test_p21_no_port_is_opened(project: Project) -> None:
    """P21: the peer's runner listened on every interface and let anybody in."""
    project.bench(plan='plan.add_algorithm(Slow, {"seconds": 600.0})')
    with started(project, "-n", "1") as run:
        wait_until(lambda: project.count_fits("begin-") == 1)
        pids = [run.pid, *guests_of(project)]
        sockets = {
            os.readlink(descriptor)
            for pid in pids
            for descriptor in Path(f"/proc/{pid}/fd").iterdir()
            if descriptor.is_symlink() and os.path.lexists(descriptor)
        }
    inodes = {re.sub(r"\D", "", name) for name in sockets if name.startswith("socket:")}
    listening = [
        line.split()[9]
        for table_of in ("tcp", "tcp6", "udp", "udp6")
        for line in Path(f"/proc/net/{table_of}").read_text().splitlines()[1:]
    ]
    assert not inodes & set(listening)


def test_p22_the_same_algorithm_twice_is_all_of_its_configurations(project: Project) -> None:
    """P22: the peer ended with the name of a method that does not exist; here two grids of an algorithm are their union."""
    project.bench(plan='plan.add_algorithm(Popular); plan.add_algorithm(Popular, {"noise": Grid([0, 1])})')
    result = project.run("-v")
    result.assert_outcomes(passed=6)
    labels = set(re.findall(r"/(Popular\S*)-\w{8}/", result.stdout.str()))
    assert labels == {"Popular", "Popular(noise=0)", "Popular(noise=1)"}
    assert project.count_fits() == 6

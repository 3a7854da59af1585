"""Runs and qrels of a store: trec_eval's own numbers of them are those of the store."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import pytrec_eval
from support.projects import IN_A_FRAME, Project

from omnibench import NDCG, open_store, score
from omnibench.commands.main import main
from omnibench.errors import ExportError
from omnibench.scoring.run_files import write_run_files


def trec_eval(run: Path, qrels: Path, measure: str) -> dict[str, float]:
    with qrels.open() as qrels_file, run.open() as run_file:
        evaluator = pytrec_eval.RelevanceEvaluator(pytrec_eval.parse_qrel(qrels_file), {measure})
        values = evaluator.evaluate(pytrec_eval.parse_run(run_file))
    return {user: value for user, of_user in values.items() for value in of_user.values()}


def items_of(store: Path) -> list[dict[str, Any]]:
    opened = open_store(store)
    return [item for item in opened.items_in(opened.records()).values() if item["status"] == "done"]


def test_trec_eval_has_the_numbers_of_the_store(measured_store: Path, tmp_path: Path) -> None:
    """Of every item and fold, also where scores tie, and so does omnibench.score, to the last bit."""
    written = write_run_files(open_store(measured_store), tmp_path / "runs")
    items = items_of(measured_store)
    assert len([file for file in written.files if file.suffix == ".run"]) == len(items)
    for item in items:
        fold = "" if item["fold"] is None else f"fold_{item['fold']}"
        directory = tmp_path / "runs" / item["dataset"] / fold
        run, qrels = directory / f"{item['algorithm']}.run", directory / "test.qrels"
        scores = score(run, qrels, "HR@10", "HR@3")
        values = trec_eval(run, qrels, "success.3,10")
        assert {label: scores[label] for label in ("HR@10", "HR@3")} == {
            label: item["metrics"][label]["value"] for label in ("HR@10", "HR@3")
        }
        assert values
        assert {str(user) for user in scores.users} >= set(values)


def test_the_command_says_what_it_wrote(
    measured_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line per file; datasets and algorithms can be chosen, and other files written beside."""
    monkeypatch.chdir(tmp_path)
    store = ["--store", str(measured_store)]
    assert main(["export", "results.csv", "--run-files", "runs", "--dataset", "held", *store]) == 0
    out = capsys.readouterr().out.splitlines()
    files = sorted(path.relative_to(tmp_path) for path in (tmp_path / "runs").rglob("*.*"))
    assert {Path(line.partition(":")[0]) for line in out} == {*files, Path("results.csv")}
    assert {file.parts[1].partition("-")[0] for file in files} == {"held"}
    assert len([file for file in files if file.suffix == ".qrels"]) == 1


def test_a_blank_in_an_id_is_escaped(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in addresses, in runs and qrels alike, so that their numbers stay; and ties keep their order."""
    project.bench("plan.add_algorithm(Tied)", data=IN_A_FRAME)
    own = project.pytester.path / "own_algorithms.py"
    own.write_text(
        own.read_text()
        + "\n\nclass Tied(Popular):\n    def recommend(self, users, k):\n"
        + "        return {user: [(item, 0.5) for item in self.items[:k]] for user in users}\n"
    )
    bench = project.pytester.path / "bench_tiny.py"
    text = bench.read_text().replace(
        'data = from_frame(frame, "tiny")',
        'frame["item"] = [f"no {i} %" for i in frame["item"]]\ndata = from_frame(frame, "tiny")',
    )
    bench.write_text(text)
    project.run().assert_outcomes(passed=2)
    monkeypatch.chdir(project.pytester.path)
    written = write_run_files(open_store(), Path("runs"))
    assert any("ids of items have blanks" in note and "%20" in note for note in written.notes)
    assert any(note.startswith("the scores of 2 runs are made of the ranks") for note in written.notes)
    runs = [file for file in written.files if file.suffix == ".run"]
    assert len(runs) == 2
    items = {item["fold"]: item for item in items_of(Path("checkpoints"))}
    for number, run in enumerate(sorted(runs)):
        assert run.read_text().split()[2].startswith("no%20")
        assert run.read_text().splitlines()[0].endswith(" Tied")
        recorded = items[number]["metrics"]["NDCG@10"]["value"]
        assert score(run, run.parent / "test.qrels", NDCG(10))["NDCG@10"] == recorded
        values = trec_eval(run, run.parent / "test.qrels", "ndcg_cut.10")
        assert sum(values.values()) / len(values) == pytest.approx(recorded, abs=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"datasets": ["nowhere"]}, "there is no dataset 'nowhere'"),
        ({"algorithms": ["Nobody"]}, "no item 'Nobody'|Nobody"),
    ],
)
def test_what_is_not_there_is_refused(
    options: dict[str, Any], message: str, measured_store: Path, tmp_path: Path
) -> None:
    """With what there is instead, and nothing is written."""
    with pytest.raises(ExportError, match=message):
        write_run_files(open_store(measured_store), tmp_path / "runs", **options)
    assert not (tmp_path / "runs").exists()


def test_a_store_without_its_datasets_says_what_makes_them(measured_store: Path, tmp_path: Path) -> None:
    """What is relevant stands in the prepared dataset."""
    store = Path(shutil.copytree(measured_store, tmp_path / "store"))
    shutil.rmtree(store / "datasets")
    with pytest.raises(ExportError, match="run its benchmark again, and it is made anew"):
        write_run_files(open_store(store), tmp_path / "runs")


def test_predicted_ratings_have_no_runs(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is nothing else, that is an error with the way out."""
    project.bench("plan.add_algorithm(Rater)", "RMSE()")
    bench = project.pytester.path / "bench_tiny.py"
    bench.write_text(bench.read_text().replace("MakeImplicit(2), ", ""))
    project.run().assert_outcomes(passed=2)
    monkeypatch.chdir(project.pytester.path)
    with pytest.raises(ExportError, match="has lists; runs are of rankings, so measure a metric of them"):
        write_run_files(open_store(), Path("runs"))


def test_nowhere_to_write_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """The command names both ways."""
    assert main(["export"]) == 2
    assert "name a file that ends in .md, .tex" in capsys.readouterr().err


def test_ids_are_those_of_the_data(measured_store: Path, tmp_path: Path) -> None:
    """A run has the user's own ids, and its ranks count from 1."""
    written = write_run_files(open_store(measured_store), tmp_path)
    run = next(file for file in written.files if file.suffix == ".run")
    fields = pd.read_csv(run, sep=r"\s+", header=None, names=["user", "q0", "item", "rank", "score", "tag"])
    assert (fields["q0"] == "Q0").all()
    assert fields.groupby("user")["rank"].min().eq(1).all()
    assert (
        fields.groupby("user")["score"].apply(lambda scores: scores.is_monotonic_decreasing and scores.is_unique).all()
    )

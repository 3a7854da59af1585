"""Runners that are scripts: what they get, what is kept between fit and predict, what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import omnibench.compat.omnirec as moved
from omnibench.compat.omnirec.runner import registry
from omnibench.engine.run import ItemsFailedError
from omnibench.errors import PlanError
from omnibench.experiment.circumstances import Circumstances

SCRIPT = """
import pandas as pd
from omnibench.compat.omnirec_runner.runner import Runner


class Popular(Runner):
    def fit(self):
        train = pd.read_csv(self.train_file)
        assert len(pd.read_csv(self.val_file)) and self.dataset_name == "mine"
        counts = train["item"].value_counts()
        (self.checkpoint_dir / "model").mkdir()
        counts.to_csv(self.checkpoint_dir / "model" / "counts.csv")
        self.mean = train["rating"].mean() if "rating" in train else None

    def predict(self):
        test = pd.read_csv(self.test_file)
        if self.mean is not None:
            return {**test[["user", "item"]].to_dict(orient="list"), "rating": [self.mean] * len(test)}
        counts = pd.read_csv(self.checkpoint_dir / "model" / "counts.csv")
        assert self.recommendation_n >= 20
        order = -1 if self.algorithm_name == "Unpopular" else 1
        items = counts.sort_values(["count", "item"], ascending=[order < 0, True])["item"].tolist()
        users = sorted(set(test["user"]))
        rows = [(user, item, 0.5, rank) for user in users for rank, item in enumerate(items, start=1)]
        return pd.DataFrame(rows, columns=["user", "item", "score", "rank"]).to_dict(orient="list")


if __name__ == "__main__":
    Popular.main()
"""


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A script with a runner of two algorithms, registered as Mine."""
    path = tmp_path / "my_runner.py"
    path.write_text(SCRIPT)
    monkeypatch.setattr(registry, "_RUNNER_REGISTRY", {})
    monkeypatch.chdir(tmp_path)
    moved.register_runner("Mine", moved.RunnerInfo(Path("my_runner.py"), ["Popular", "Unpopular"], "3.11", ["pandas"]))
    return path


def data() -> moved.RecSysDataSet[moved.RawData]:
    """Return 30 users with 12 of 40 items each, the first of which are popular."""
    generator = np.random.default_rng(1)
    weights = np.arange(40, 0, -1) / sum(range(1, 41))
    pairs = [(user, item) for user in range(30) for item in generator.choice(40, 12, replace=False, p=weights).tolist()]
    columns = {"user": [user for user, _ in pairs], "item": [item for _, item in pairs]}
    frame = pd.DataFrame({**columns, "rating": [float((user + item) % 5 + 1) for user, item in pairs]})
    return moved.RecSysDataSet(moved.RawData(frame), moved.DatasetMeta(name="mine"))


def implicit() -> moved.RecSysDataSet[moved.SplitData]:
    """Return the same without ratings, split."""
    return moved.UserHoldout(1, 3).process(moved.MakeImplicit(1).process(data()))


@pytest.mark.guests
def test_a_script_ranks_by_its_ranks_and_keeps_its_files(script: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What fit has set and written is there at predict, also in another process; ranks decide where scores are equal."""
    plan = moved.ExperimentPlan()
    plan.add_algorithm("Mine.Popular", {"any": moved.Grid([1])})
    plan.add_algorithm("Mine.Unpopular")
    evaluator = moved.Evaluator(moved.NDCG(5))
    assert moved.Coordinator("there").run(implicit(), config=plan, evaluator=evaluator) is evaluator
    ((name, frame),) = evaluator.get_results().items()
    assert name.startswith("mine-")
    labels = [configuration.label for configuration in plan.configurations()]
    assert labels == ["Mine.Popular", "Mine.Unpopular"]
    popular, unpopular = frame["value"]
    assert popular > 2 * unpopular
    assert [algorithm.partition("-")[0] for algorithm in frame["algorithm"]] == ["Mine.Popular", "Mine.Unpopular"]
    capfd.readouterr()
    moved.run_omnirec(implicit(), plan, moved.Evaluator(moved.NDCG(30)), checkpoint_dir="there")
    printed = capfd.readouterr()
    assert "Fit" not in printed.err  # longer lists come from the model that was kept, in a new process
    assert printed.err.count("Predict") == 2
    assert "NDCG@30" in printed.out


@pytest.mark.guests
def test_nothing_of_the_data_stays_behind(script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A guest is killed at the end of a run; its copies of the folds are removed all the same."""
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    plan = moved.ExperimentPlan()
    plan.add_algorithm("Mine.Popular")
    moved.Coordinator("there").run(implicit(), config=plan, evaluator=moved.Evaluator(moved.NDCG(5)))
    assert list((tmp_path / "temporary").iterdir()) == []
    assert list((tmp_path / "there").rglob("train.csv")) == []


@pytest.mark.guests
def test_a_script_predicts_ratings(script: Path) -> None:
    """On explicit data, RMSE is of the ratings that predict returns: here of the mean of training."""
    dataset = moved.RandomHoldout(10, 60).process(data())
    plan = moved.ExperimentPlan()
    plan.add_algorithm("Mine.Popular")
    evaluator = moved.Coordinator().run([dataset], plan, moved.Evaluator(moved.RMSE()))
    (frame,) = evaluator.get_results().values()
    mean = dataset._data.train["rating"].mean()
    assert frame["value"][0] == pytest.approx(((dataset._data.test["rating"] - mean) ** 2).mean() ** 0.5, rel=1e-5)
    assert frame["k"][0] is None


@pytest.mark.guests
def test_a_script_that_returns_something_else_fails_by_name(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The error says what is missing; the other algorithm's result is there, in the evaluator and on the screen."""
    script.write_text(SCRIPT.replace('order = -1 if self.algorithm_name == "Unpopular" else 1', (
        'if self.algorithm_name == "Unpopular":\n            return {"user": [1], "item": [2]}\n        order = 1'
    )))  # fmt: skip
    plan = moved.ExperimentPlan()
    plan.add_algorithm("Mine.Popular")
    plan.add_algorithm("Mine.Unpopular")
    evaluator = moved.Evaluator(moved.HR(5))
    with pytest.raises(ItemsFailedError, match=r"1 of 2 items failed.*Mine\.Unpopular.*without \['rank'\]"):
        moved.run_omnirec(implicit(), plan, evaluator)
    (frame,) = evaluator.get_results().values()
    assert len(frame) == 1
    assert "Mine.Popular" in capsys.readouterr().out


WRONG: dict[str, tuple[str, str]] = {
    "text ids": ("rows = [(str(user), item, score, rank) for user, item, score, rank in rows]", "answered for user '0' .str., who is "),
    "strangers": ("rows += [(999, items[0], 0.5, 1)]", "answered for user 999 .int., who is not in the dataset"),
    "nobody": ("rows = []", "recommended nothing to any of the 30 users"),
    "NaN": ("rows = [(user, item, float('nan'), rank) for user, item, score, rank in rows]", "with the score nan"),
    "a contradiction": ("rows = [(user, item, rank, rank) for user, item, score, rank in rows]", "predict.. contradicts itself"),
}  # fmt: skip


@pytest.mark.guests
@pytest.mark.parametrize("wrong", WRONG)
def test_predictions_of_a_script_are_read_without_a_guess(wrong: str, script: Path) -> None:
    """Ids of another type, NaN, and scores against ranks are errors that say what came, and never a table of zeros."""
    line, message = WRONG[wrong]
    script.write_text(
        SCRIPT.replace("        return pd.DataFrame(rows", f"        {line}\n        return pd.DataFrame(rows")
    )
    plan = moved.ExperimentPlan()
    plan.add_algorithm("Mine.Popular")
    with pytest.raises(ItemsFailedError, match=f"(?s)1 of 1 items failed.*{message}"):
        moved.run_omnirec(implicit(), plan, moved.Evaluator(moved.HR(5)))


def test_the_key_is_the_code_and_what_it_imports(script: Path) -> None:
    """Another code is another configuration, of the script or of a module beside it; a comment changes nothing."""

    def code() -> object:
        (configuration,) = plan.configurations()
        return configuration.identity(Circumstances("", 1))

    plan = moved.ExperimentPlan()
    plan.add_algorithm("Mine.Popular")
    before = code()
    script.write_text(SCRIPT + "\n# a comment\n")
    assert code() == before
    script.write_text(SCRIPT.replace("0.5", "0.6"))
    assert code() != before
    script.write_text(f"import helper\n{SCRIPT}")
    codes = []
    for content in ("A = 1", "A = 2"):
        (script.parent / "helper.py").write_text(content)
        codes.append(code())
    assert codes[0] != codes[1]


def test_what_is_not_there_is_refused_before_anything_runs(script: Path) -> None:
    """An algorithm that the script does not list, a name that is taken, and a missing script are errors at once."""
    plan = moved.ExperimentPlan()
    with pytest.raises(PlanError, match="did you mean 'Popular'"):
        plan.add_algorithm("Mine.Popula")
    with pytest.raises(PlanError, match="'LensKit' already"):
        moved.register_runner("LensKit", moved.RunnerInfo(script, ["A"], "3.11", []))
    moved.register_runner("Mine", moved.RunnerInfo(script, ["Popular", "Unpopular"], "3.11", ["pandas"]))  # the same
    plan.add_algorithm("Mine.Popular")
    with pytest.raises(PlanError, match=r"has Mine.Popular already"):
        plan.add_algorithm("Mine.Popular")
    os.remove(script)
    with pytest.raises(PlanError, match="the script of Mine is not there"):
        moved.ExperimentPlan().add_algorithm("Mine.Popular")

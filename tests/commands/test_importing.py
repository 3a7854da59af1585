"""OmniRec's checkpoints: predictions that fit their split are evaluated anew, and nothing else is believed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from omnibench import open_store
from omnibench.commands.main import main

K = 5
JOB = ("tiny-0a1b2c3d", "LensKit.PopScorer-4e5f6071-42")
Import = Callable[..., str]


def _split(seed: int) -> dict[str, pd.DataFrame]:
    """Return the parts of a fold as OmniRec writes them; the same interactions with every seed."""
    rng = np.random.default_rng(7)
    rows = pd.DataFrame({"user": rng.integers(1, 20, 400), "item": rng.integers(100, 130, 400), "rating": 1})
    rows = rows.drop_duplicates(["user", "item"], ignore_index=True)
    part = np.random.default_rng(seed).choice(3, len(rows), p=[0.7, 0.1, 0.2])
    return {name: rows[part == number] for number, name in enumerate(("train", "val", "test"))}


def _lists(parts: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return what a popularity model recommends that leaves out what is in training, as OmniRec's runners do."""
    order = parts["train"]["item"].value_counts().sort_index().sort_values(ascending=False, kind="stable").index
    rows = []
    for user in sorted(parts["test"]["user"].unique().tolist()):
        seen = set(parts["train"].loc[parts["train"]["user"] == user, "item"])
        fresh = [item for item in order if item not in seen][:K]
        rows += [(user, item, float(-rank), rank) for rank, item in enumerate(fresh, start=1)]
    return pd.DataFrame(rows, columns=["user", "item", "score", "rank"])


def _write(directory: Path, *, folds: int = 0, job: tuple[str, str] = JOB, shape: str = "list", seed: int = 0) -> None:
    """Write an experiment as OmniRec leaves it: progress and predictions in one directory, its splits in another."""
    root, splits = directory / "theirs", directory / "tmp"
    names = [f"fold_{number}" for number in range(folds)] or ["."]
    for number, name in enumerate(names):
        parts = _split(seed + number)
        for where in (root, splits):
            where.joinpath(*job, name).mkdir(parents=True, exist_ok=True)
        for part, frame in parts.items():
            frame.to_csv(splits.joinpath(*job, name, f"{part}.csv"), index=False)
        columns = _lists(parts).to_dict(shape)  # type: ignore[call-overload]
        root.joinpath(*job, name, "predictions.json").write_text(json.dumps(columns))
    progress = root / "progress.json"
    jobs = json.loads(progress.read_text())["jobs"] if progress.exists() else {}
    state = {"next_phase": 0, "next_fold": folds} if folds else {"next_phase": 3, "next_fold": None}
    jobs["|".join(job)] = {**state, "config": {"damping": 5}}
    progress.write_text(json.dumps({"jobs": jobs}))
    rows = [
        {"algorithm": job[1], "fold": None, "name": name, "k": 3, "value": 0.9} for name in ("NDCG", "HR", "Recall")
    ]
    (root / "results.json").write_text(json.dumps({job[0]: rows}))


def _ndcg(parts: dict[str, pd.DataFrame], k: int) -> float:
    """Return the mean NDCG@k of the lists without validation items: the definition, written down once more."""
    lists, values = _lists(parts), []
    for user, test in parts["test"].groupby("user")["item"]:
        held_out = set(parts["val"].loc[parts["val"]["user"] == user, "item"])
        ranked = [item for item in lists.loc[lists["user"] == user, "item"] if item not in held_out][:k]
        gains = sum(1 / np.log2(rank + 2) for rank, item in enumerate(ranked) if item in set(test))
        values.append(gains / sum(1 / np.log2(rank + 2) for rank in range(min(k, len(test)))))
    return float(np.mean(values))


@pytest.fixture
def take_over(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Import:
    """Run the command beside what was written, expect how it ends, and return what it said."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OMNIREC_CHECKPOINT_DIR", raising=False)

    def run(*arguments: str, ends: int = 0) -> str:
        assert main(["import-omnirec", *arguments]) == ends
        out, err = capsys.readouterr()
        return err if ends == 2 else out

    return run


@pytest.mark.guests
@pytest.mark.parametrize(("folds", "shape"), [(0, "list"), (0, "dict"), (0, "records"), (2, "list")])
def test_predictions_that_fit_their_split_are_evaluated_anew(
    folds: int, shape: str, take_over: Import, tmp_path: Path
) -> None:
    """The numbers are those of the lists by omnibench's definitions, not what OmniRec has written down."""
    _write(tmp_path, folds=folds, shape=shape)
    before = {path: path.read_bytes() for path in (tmp_path / "theirs").rglob("*.json")}
    told = take_over("theirs", "--splits", "tmp")
    assert told.splitlines()[0].split() == ["taken", "over", f"{'/'.join(JOB)}:", "lists", "of", "up", "to", str(K)]
    assert "recommendations are interactions of the validation part" in told
    assert told.splitlines()[-1] == "1 experiments were taken over into checkpoints, 0 were refused."
    results = open_store(tmp_path / "checkpoints").results()
    assert set(results["metric"]) == {"NDCG@3", "HR@3", "RecallCapped@3"}
    values = results[results["metric"] == "NDCG@3"].sort_values("item")["value"].tolist()
    assert values == pytest.approx([_ndcg(_split(seed), 3) for seed in range(max(1, folds))])
    assert {path: path.read_bytes() for path in (tmp_path / "theirs").rglob("*.json")} == before
    item = next(iter(open_store(tmp_path / "checkpoints").items().values()))
    assert item["parameters"]["algorithm"] == "LensKit.PopScorer"
    assert item["parameters"]["configuration"] == {"damping": 5}
    again = take_over("theirs", "--splits", "tmp", "--metric", "NDCG@3", "--metric", "MRR@3")
    assert again.splitlines()[-1].startswith("1 experiments were taken over")
    assert "MRR@3" in set(open_store(tmp_path / "checkpoints").results()["metric"])


def test_a_dry_run_writes_nothing(take_over: Import, tmp_path: Path) -> None:
    """It says what could be taken over."""
    _write(tmp_path)
    assert "1 experiments can be taken over, 0 cannot; nothing was written." in take_over(
        "theirs", "--splits", "tmp", "--dry-run"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["theirs", "tmp"]


def _edit(**members: object) -> Callable[[Path], None]:
    def edit(directory: Path) -> None:
        progress = directory / "theirs" / "progress.json"
        jobs = json.loads(progress.read_text())["jobs"]
        jobs["|".join(JOB)] |= members
        progress.write_text(json.dumps({"jobs": jobs}))

    return edit


def _change(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Path], None]:
    def edit(directory: Path) -> None:
        file = directory.joinpath("theirs", *JOB, "predictions.json")
        file.write_text(json.dumps(change(pd.DataFrame(json.loads(file.read_text()))).to_dict("list")))

    return edit


def _other_split(directory: Path) -> None:
    for part, frame in _split(99).items():
        frame.to_csv(directory.joinpath("tmp", *JOB, f"{part}.csv"), index=False)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_edit(next_phase=1), "it has no complete predictions: Predict had not ended."),
        (_edit(next_fold=0), "its folds are not all there."),
        (_other_split, "recommendations are in the user's training part, so the predictions were made on another split"),
        (_change(lambda frame: pd.concat([frame, frame[:1]])), "a list has an item, or a rank, twice"),
        (_change(lambda frame: frame.drop(columns="rank")), "its predictions lack the columns rank"),
        (_change(lambda frame: frame.assign(score=None)), "a recommendation has no rank or no score"),
        (_change(lambda frame: frame[:0]), "its predictions are empty"),
        (_change(lambda frame: frame.assign(item=frame["item"].astype(str))), "items of its predictions are not in its split"),
        (lambda directory: directory.joinpath("theirs", *JOB, "predictions.json").write_text("{"), "cannot be read"),
        (lambda directory: directory.joinpath("theirs", *JOB, "predictions.json").unlink(), "cannot be read"),
        (lambda directory: directory.joinpath("tmp", *JOB, "val.csv").unlink(), "its split cannot be read"),
    ],
)  # fmt: skip
def test_what_cannot_be_trusted_is_refused_by_name(
    spoil: Callable[[Path], object], reason: str, take_over: Import, tmp_path: Path
) -> None:
    """With the reason; what else there is is taken over all the same."""
    _write(tmp_path)
    spoil(tmp_path)
    told = take_over("theirs", "--splits", "tmp", ends=1)
    assert told.splitlines()[0].split(maxsplit=2)[:2] == ["refused", f"{'/'.join(JOB)}:"]
    assert reason in told
    assert told.splitlines()[-1] == "0 experiments can be taken over, 1 cannot; nothing was written."
    assert not (tmp_path / "checkpoints").exists()
    _write(tmp_path, job=(JOB[0], "RecBole.Pop-00112233-42"), seed=3)
    assert "1 experiments can be taken over, 1 cannot" in take_over("theirs", "--splits", "tmp", "--dry-run")


def test_without_the_splits_nothing_can_be_evaluated(take_over: Import, tmp_path: Path) -> None:
    """OmniRec keeps them only where it was told to; that is said with the way on."""
    _write(tmp_path)
    told = take_over("theirs", ends=1)
    assert (
        "OmniRec keeps it only in a directory that it was given as tmp_dir. If you have that, name it with --splits."
        in told
    )
    assert "holds no checkpoints of OmniRec" in take_over("tmp", ends=2)
    assert "there is no metric 'NDGC'; did you mean 'NDCG'?" in take_over(
        "theirs", "--splits", "tmp", "--metric", "NDGC@3", ends=2
    )
    assert "NDCG@6 needs longer lists than there are" in take_over(
        "theirs", "--splits", "tmp", "--metric", "NDCG@6", ends=2
    )
    assert "is OmniRec's own directory" in take_over("theirs", "--splits", "tmp", "--store", "theirs", ends=2)
    assert not (tmp_path / "checkpoints").exists()


@pytest.mark.guests
def test_one_name_for_two_splits_makes_two_datasets(take_over: Import, tmp_path: Path) -> None:
    """OmniRec's hash is of the number of rows; what is in them decides here."""
    _write(tmp_path)
    _write(tmp_path, job=(JOB[0], "RecBole.Pop-00112233-42"), seed=3)
    take_over("theirs", "--splits", "tmp")
    items = open_store(tmp_path / "checkpoints").items().values()
    assert len({item["dataset"] for item in items}) == 2

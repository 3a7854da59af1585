"""OmniRec's checkpoints: predictions that fit their split are evaluated anew, and nothing else is believed."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from omnibench import open_store
from omnibench.commands.main import main
from omnibench.engine import declared

K = 5
JOB = ("tiny-0a1b2c3d", "LensKit.PopScorer-4e5f6071-42")
Import = Callable[..., str]


def _split(seed: int, fold: int = 0, folds: int = 5) -> dict[str, pd.DataFrame]:
    """Return the parts of a fold as OmniRec writes them; the same interactions with every seed."""
    rng = np.random.default_rng(7)
    rows = pd.DataFrame({"user": rng.integers(1, 20, 400), "item": rng.integers(100, 130, 400), "timestamp": 1})
    rows = rows.drop_duplicates(["user", "item"], ignore_index=True)
    rng = np.random.default_rng(seed)
    number = rng.integers(0, folds, len(rows))
    part = np.where(number == fold, 2, np.where(rng.random(len(rows)) < 0.15, 1, 0))
    return {name: rows[part == index] for index, name in enumerate(("train", "val", "test"))}


def _lists(parts: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return what a popularity model recommends that leaves out what is in training, as OmniRec's runners do."""
    order = parts["train"]["item"].value_counts().sort_index().sort_values(ascending=False, kind="stable").index
    rows = []
    for user in sorted(parts["test"]["user"].unique().tolist()):
        seen = set(parts["train"].loc[parts["train"]["user"] == user, "item"])
        fresh = [item for item in order if item not in seen][:K]
        rows += [(user, item, float(-rank), rank) for rank, item in enumerate(fresh, start=1)]
    return pd.DataFrame(rows, columns=["user", "item", "score", "rank"])


def _of_omnirec(parts: dict[str, pd.DataFrame], k: int) -> dict[str, float]:
    """Return OmniRec's metrics of the lists, which it does not rid of validation items."""
    lists = _lists(parts)
    values: dict[str, list[float]] = {"NDCG": [], "HR": [], "Recall": [], "Precision": []}
    for user, test in parts["test"].groupby("user")["item"]:
        relevant = set(test)
        hits = [item in relevant for item in lists.loc[lists["user"] == user, "item"]][:k]
        ideal = sum(1 / np.log2(rank + 2) for rank in range(min(k, len(relevant))))
        values["NDCG"].append(sum(1 / np.log2(rank + 2) for rank, hit in enumerate(hits) if hit) / ideal)
        values["HR"].append(float(any(hits)))
        values["Recall"].append(sum(hits) / min(k, len(relevant)))
        values["Precision"].append(sum(hits) / k)
    return {name: float(np.mean(shares)) for name, shares in values.items()}


def _write(
    directory: Path,
    *,
    folds: int = 0,
    job: tuple[str, str] = JOB,
    shape: str = "list",
    seed: int = 0,
    damping: int = 5,
) -> None:
    """Write an experiment as OmniRec 1.1.0 leaves it: everything in one directory, and its splits in another."""
    root, splits = directory / "theirs", directory / "tmp"
    results = root / "results.json"
    rows = json.loads(results.read_text()) if results.exists() else {}
    for number in range(max(1, folds)):
        name = f"fold_{number}" if folds else "."
        parts = _split(seed, number, folds or 5)
        for parent in (root, splits):
            parent.joinpath(*job, name).mkdir(parents=True, exist_ok=True)
        for part, frame in parts.items():
            frame.to_csv(splits.joinpath(*job, name, f"{part}.csv"), index=False)
        columns = _lists(parts).to_dict(shape)  # type: ignore[call-overload]
        root.joinpath(*job, name, "predictions.json").write_text(json.dumps(columns))
        root.joinpath(*job, name, "model.bpk").write_bytes(b"a model")
        rows.setdefault(job[0], []).extend(
            {"algorithm": job[1], "fold": number if folds else None, "name": metric, "k": k, "value": value}
            for k in (2, 3)
            for metric, value in _of_omnirec(parts, k).items()
            if metric != "Precision" or k == 2
        )
    results.write_text(json.dumps(rows))
    progress = root / "progress.json"
    jobs = json.loads(progress.read_text())["jobs"] if progress.exists() else {}
    state = {"next_phase": 0, "next_fold": folds} if folds else {"next_phase": 3, "next_fold": None}
    jobs["|".join(job)] = {**state, "config": {"damping": damping}}
    progress.write_text(json.dumps({"jobs": jobs}, indent=4))
    for name in ("out.log", "err.log"):
        (root / name).touch()


def _ndcg(parts: dict[str, pd.DataFrame], k: int) -> float:
    """Return the mean NDCG@k of the lists without validation items: the definition, written down once more."""
    lists, values = _lists(parts), []
    for user, test in parts["test"].groupby("user")["item"]:
        held_out = set(parts["val"].loc[parts["val"]["user"] == user, "item"])
        ranked = [item for item in lists.loc[lists["user"] == user, "item"] if item not in held_out][:k]
        gains = sum(1 / np.log2(rank + 2) for rank, item in enumerate(ranked) if item in set(test))
        values.append(gains / sum(1 / np.log2(rank + 2) for rank in range(min(k, len(test)))))
    return float(np.mean(values))


def _held_out(parts: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the recommendations that are in the validation part."""
    return _lists(parts).merge(parts["val"][["user", "item"]], on=["user", "item"])


def _files(directory: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


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
@pytest.mark.parametrize(
    ("folds", "shape"),
    [
        (0, "list"),
        pytest.param(0, "dict", marks=pytest.mark.slow),
        pytest.param(0, "records", marks=pytest.mark.slow),
        (3, "list"),
    ],
)
def test_predictions_that_fit_their_split_are_evaluated_anew(
    folds: int, shape: str, take_over: Import, tmp_path: Path
) -> None:
    """The numbers are those of the lists by omnibench's definitions, not what OmniRec has written down."""
    _write(tmp_path, folds=folds, shape=shape)
    before = _files(tmp_path / "theirs")
    told = take_over("theirs", "--splits", "tmp")
    assert told.splitlines()[0].split() == ["taken", "over", f"{'/'.join(JOB)}:", "lists", "of", "up", "to", str(K)]
    parts = [_split(0, number, folds or 5) for number in range(max(1, folds))]
    assert "recommendations are interactions of the validation part" in told
    assert f"{sum(_held_out(fold)['user'].nunique() for fold in parts)} of " in told
    assert "results.json says" not in told
    assert told.splitlines()[-1] == "1 experiment taken over into checkpoints, 0 refused."
    results = open_store(tmp_path / "checkpoints").results()
    assert set(results["metric"]) == {
        "Precision@2",
        *(f"{name}@{k}" for name in ("NDCG", "HR", "RecallCapped") for k in (2, 3)),
    }
    values = results[results["metric"] == "NDCG@3"].sort_values("item")["value"].tolist()
    assert values == pytest.approx([_ndcg(fold, 3) for fold in parts])
    assert _files(tmp_path / "theirs") == before
    item = next(iter(open_store(tmp_path / "checkpoints").items().values()))
    assert item["parameters"]["algorithm"] == "LensKit.PopScorer"
    assert item["parameters"]["configuration"] == {"damping": 5}
    again = take_over("theirs", "--splits", "tmp", "--metric", "NDCG@3", "--metric", "MRR@3")
    assert again.splitlines()[-1].startswith("1 experiment taken over")
    assert "MRR@3" in set(open_store(tmp_path / "checkpoints").results()["metric"])


def test_a_dry_run_writes_nothing(take_over: Import, tmp_path: Path) -> None:
    """It says what could be taken over."""
    _write(tmp_path)
    assert "1 experiment can be taken over, 0 cannot; nothing was written." in take_over(
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
        (_change(lambda frame: frame.assign(score=-frame["score"])), "its ranks and scores contradict each other: user"),
        (_change(lambda frame: frame[:0]), "its predictions are empty"),
        (_change(lambda frame: frame.assign(item=frame["item"].astype(str))), "items of its predictions are not in its split"),
        (lambda directory: directory.joinpath("theirs", *JOB, "predictions.json").write_text("{"), "cannot be read"),
        (lambda directory: directory.joinpath("theirs", *JOB, "predictions.json").unlink(), "cannot be read"),
        (lambda directory: directory.joinpath("tmp", *JOB, "val.csv").unlink(), "its split is not there"),
        (lambda directory: directory.joinpath("tmp", *JOB, "val.csv").write_text(""), "its split cannot be read"),
    ],
)  # fmt: skip
def test_what_cannot_be_trusted_is_refused_by_name(
    spoil: Callable[[Path], object], reason: str, take_over: Import, tmp_path: Path
) -> None:
    """What cannot be trusted is refused with the reason; what else there is is taken over all the same."""
    _write(tmp_path)
    spoil(tmp_path)
    told = take_over("theirs", "--splits", "tmp", ends=1)
    assert told.splitlines()[0].split(maxsplit=2)[:2] == ["refused", f"{'/'.join(JOB)}:"]
    assert reason in told
    assert told.splitlines()[-1] == "0 experiments can be taken over, 1 cannot; nothing was written."
    assert not (tmp_path / "checkpoints").exists()
    _write(tmp_path, job=(JOB[0], "RecBole.Pop-00112233-42"), seed=3)
    assert "1 experiment can be taken over, 1 cannot" in take_over("theirs", "--splits", "tmp", "--dry-run")


def test_without_the_splits_nothing_can_be_evaluated(take_over: Import, tmp_path: Path) -> None:
    """OmniRec keeps them only where it was told to; that is said with the way on."""
    _write(tmp_path)
    _write(tmp_path, job=(JOB[0], "RecPack.SVD-00112233-42"))
    told = take_over("theirs", ends=1).splitlines()
    assert "it only in a directory that it was given as tmp_dir. If you have that, name it with --splits." in told[0]
    assert "run your script once more with tmp_dir='splits'" in told[0]
    assert told[1].endswith("RecPack.SVD-00112233-42: likewise.")
    assert "holds no checkpoints of OmniRec" in take_over("tmp", ends=2)
    assert "there is no 'nowhere'; --splits takes" in take_over("theirs", "--splits", "nowhere", ends=2)
    file = "theirs/results.json"
    assert "cannot be read as a .rsds file" in take_over("theirs", "--splits", file, ends=2)
    assert "there is no metric 'NDGC'; did you mean 'NDCG'?" in take_over(
        "theirs", "--splits", "tmp", "--metric", "NDGC@3", ends=2
    )
    assert "NDCG@6 needs longer lists than there are" in take_over(
        "theirs", "--splits", "tmp", "--metric", "NDCG@6", ends=2
    )
    assert "is OmniRec's own directory" in take_over("theirs", "--splits", "tmp", "--store", "theirs", ends=2)
    assert not (tmp_path / "checkpoints").exists()


@pytest.mark.slow
@pytest.mark.guests
def test_the_rank_is_the_order_however_close_the_scores(take_over: Import, tmp_path: Path) -> None:
    """Scores that 32 bits cannot tell apart, or that tie, leave the lists as OmniRec has ranked them."""
    _write(tmp_path)
    take_over("theirs", "--splits", "tmp", "--metric", "NDCG@3", "--store", "apart")
    _change(lambda frame: frame.assign(score=1 + frame["score"] * 1e-12).sample(frac=1, random_state=1))(tmp_path)
    take_over("theirs", "--splits", "tmp", "--metric", "NDCG@3", "--store", "close")
    _change(lambda frame: frame.assign(score=0.5))(tmp_path)
    take_over("theirs", "--splits", "tmp", "--metric", "NDCG@3", "--store", "tied")
    values = {name: open_store(tmp_path / name).results()["value"].tolist() for name in ("apart", "close", "tied")}
    assert values["close"] == values["tied"] == values["apart"] == pytest.approx([_ndcg(_split(0), 3)])


@pytest.mark.guests
def test_one_name_for_two_splits_makes_two_datasets(take_over: Import, tmp_path: Path) -> None:
    """OmniRec's hash is of the number of rows; what is in them decides here."""
    _write(tmp_path)
    _write(tmp_path, job=(JOB[0], "RecBole.Pop-00112233-42"), seed=3)
    take_over("theirs", "--splits", "tmp")
    items = open_store(tmp_path / "checkpoints").items().values()
    assert len({item["dataset"] for item in items}) == 2


@pytest.mark.guests
def test_a_saved_split_will_do(take_over: Import, tmp_path: Path) -> None:
    """Who kept no ``tmp_dir`` saves the split once more: a .rsds file has the parts by fold."""
    _write(tmp_path, folds=3)
    told = take_over("theirs", ends=1)
    assert "dataset.save('split.rsds') in your script" in told
    with zipfile.ZipFile(tmp_path / "split.rsds", "w") as archive:
        for number in range(3):
            for part, frame in _split(0, number, 3).items():
                archive.writestr(f"{number}/{part}.csv", frame.to_csv(index=False))
    take_over("theirs", "--splits", "split.rsds", "--metric", "NDCG@3")
    values = open_store(tmp_path / "checkpoints").results().sort_values("item")["value"]
    assert values.tolist() == pytest.approx([_ndcg(_split(0, number, 3), 3) for number in range(3)])
    _write(tmp_path)
    assert "its split is not there (" in take_over("theirs", "--splits", "split.rsds", "--dry-run", ends=1)


@pytest.mark.parametrize(
    ("next_fold", "next_phase", "begun", "reason"),
    [
        (0, 0, 1, "only 0 of the 1 folds that had begun"),
        (0, 2, 1, "its 1 folds test "),
        (1, 0, 1, "its 1 folds test "),
        (1, 1, 2, "only 1 of the 2 folds that had begun"),
        (1, 3, 2, "its 2 folds test "),
        (2, 0, 2, "its 2 folds test "),
        (2, 1, 3, "only 2 of the 3 folds that had begun"),
        (2, 2, 3, ""),
        (3, 0, 3, ""),
    ],
)
def test_a_cross_validation_that_was_stopped_is_refused(
    next_fold: int, next_phase: int, begun: int, reason: str, take_over: Import, tmp_path: Path
) -> None:
    """Wherever it was stopped: OmniRec makes one fold after the other and writes down nowhere how many there are."""
    _write(tmp_path, folds=3)
    for number in range(begun, 3):
        for parent in ("theirs", "tmp"):
            shutil.rmtree(tmp_path.joinpath(parent, *JOB, f"fold_{number}"))
    _edit(next_fold=next_fold, next_phase=next_phase)(tmp_path)
    told = take_over("theirs", "--splits", "tmp", "--dry-run", ends=int(bool(reason)))
    assert reason in told
    assert told.splitlines()[-1].startswith("0 experiments can be" if reason else "1 experiment can be")


def test_results_of_another_run_are_pointed_out(take_over: Import, tmp_path: Path) -> None:
    """A number that the lists do not have on their split shows that the files are not all of one run."""
    _write(tmp_path)
    results = tmp_path / "theirs" / "results.json"
    rows = json.loads(results.read_text())
    rows[JOB[0]] += [{**row, "value": row["value"] + 0.01} for row in rows[JOB[0]]]  # appended by a second run
    results.write_text(json.dumps(rows))
    assert "results.json says" not in take_over("theirs", "--splits", "tmp", "--dry-run")
    rows[JOB[0]] = rows[JOB[0]][len(rows[JOB[0]]) // 2 :]
    results.write_text(json.dumps(rows))
    value = _of_omnirec(_split(0), 2)["NDCG"]
    told = take_over("theirs", "--splits", "tmp", "--dry-run")
    assert f"results.json says NDCG@2 {value + 0.01:.4f} and not {value:.4f}, which these lists have" in told


@pytest.mark.guests
def test_experiments_are_called_as_in_omnirec(take_over: Import, tmp_path: Path) -> None:
    """One table per dataset names the algorithm that made the lists, and the hyperparameters in which it differs."""
    _write(tmp_path)
    _write(tmp_path, job=(JOB[0], "LensKit.PopScorer-00112233-42"), damping=7)
    _write(tmp_path, job=(JOB[0], "RecPack.SVD-00112233-42"))
    told = take_over("theirs", "--splits", "tmp", "--metric", "HR@2")
    for label in ("LensKit.PopScorer(damping=5)", "LensKit.PopScorer(damping=7)", "RecPack.SVD"):
        assert re.search(rf"^ {re.escape(label)} +[*~]?0\.\d", told, re.MULTILINE), label


@pytest.mark.guests
def test_short_lists_keep_the_metrics_that_they_were_made_for(take_over: Import, tmp_path: Path) -> None:
    """OmniRec asks for its largest k, but few candidates, or what a mask has ruled out, leave lists shorter."""
    _write(tmp_path)

    def short(frame: pd.DataFrame) -> pd.DataFrame:
        train = _split(0)["train"].groupby("user")["item"].first()  # RecBole fills up with what it has ruled out
        ruled_out = pd.DataFrame({"user": train.index, "item": train.to_numpy(), "score": float("-inf"), "rank": 3})
        return pd.concat([frame[frame["rank"] <= 2], ruled_out[ruled_out["user"].isin(frame["user"])]])

    _change(short)(tmp_path)
    take_over("theirs", "--splits", "tmp")
    results = open_store(tmp_path / "checkpoints").results().set_index("metric")["value"]
    assert "NDCG@3" in results
    assert results["Precision@2"] > 0


@pytest.mark.slow
@pytest.mark.guests
def test_configurations_are_the_same_on_all_datasets(
    take_over: Import, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As they were in OmniRec, so that ranks over datasets work; and a second import leaves the first in the plan."""
    _write(tmp_path)
    _write(tmp_path, job=("other-8899aabb", JOB[1]), folds=3)
    for dataset, folds in ((JOB[0], 0), ("other-8899aabb", 3)):
        _write(tmp_path, job=(dataset, "LensKit.PopScorer-00112233-42"), damping=7, folds=folds)
    take_over("theirs", "--splits", "tmp", "--metric", "HR@2")
    capsys.readouterr()
    assert main(["compare", "--metric", "HR@2", "--store", "checkpoints"]) == 0
    assert "HR@2: average ranks over 2 datasets" in capsys.readouterr().out
    monkeypatch.setattr(declared, "_declared", {})  # another process
    _write(tmp_path / "second", seed=5, job=("third-00001111", "RecPack.SVD-00112233-42"))
    take_over("second/theirs", "--splits", "second/tmp", "--metric", "HR@2")
    assert main(["compare", "--metric", "HR@2", "--store", "checkpoints"]) == 0
    out, err = capsys.readouterr()
    assert "RecPack.SVD" in out
    assert "left out" not in err

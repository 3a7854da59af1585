"""What predictions and test parts may come in: every form has the same scores."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from omnibench import NDCG, UserHoldout, from_file, from_frame, score

SIZE, ITEMS = 40, 30


def made(seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return lists of ten items, and three test items for every user."""
    rng = np.random.default_rng(seed)
    lists = [(user, item) for user in range(SIZE) for item in rng.permutation(ITEMS)[:10].tolist()]
    test = [(user, item) for user in range(SIZE) for item in rng.permutation(ITEMS)[:3].tolist()]
    frame = pd.DataFrame(lists, columns=["user", "item"])
    frame["rank"] = frame.groupby("user").cumcount() + 1
    frame["score"] = 1 / frame["rank"] + 0.001 * frame["user"]
    ratings = rng.integers(1, 6, len(test)).astype(float)
    return frame.sample(frac=1, random_state=seed), pd.DataFrame(test, columns=["user", "item"]).assign(rating=ratings)


LISTS, TEST = made(3)
EXPECTED = score(LISTS, TEST, NDCG(5, gains="rating"), "Recall@10")


def lines(columns: list[str], separator: str, frame: pd.DataFrame = LISTS, *, header: bool = True) -> str:
    return frame[columns].to_csv(sep=separator, index=False, header=header)


def run_lines(frame: pd.DataFrame = LISTS) -> str:
    return "".join(
        f"{row.user} Q0 {row.item}\t{row.rank} {row.score!r} mine\n" for row in frame.itertuples(index=False)
    )


FILES: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "csv with ranks": ("l.csv", lambda path: path.write_text(lines(["user", "item", "rank"], ","))),
    "csv with scores": ("l.csv", lambda path: path.write_text(lines(["item", "score", "user"], ","))),
    "csv with both and more": ("l.csv", lambda path: LISTS.assign(x="1").to_csv(path)),
    "usual names": ("l.csv", lambda path: LISTS.rename(columns={"user": "userId", "item": "movieId"}).to_csv(path)),
    "tsv": ("l.tsv", lambda path: path.write_text(lines(["user", "item", "score"], "\t"))),
    "compressed": (
        "l.csv.gz",
        lambda path: path.write_bytes(gzip.compress(lines(["user", "item", "rank"], ",").encode())),
    ),
    "parquet": ("l.parquet", LISTS.to_parquet),
    "columns in json": ("predictions.json", lambda path: path.write_text(json.dumps(LISTS.to_dict("list")))),
    "rows in json": ("l.json", lambda path: path.write_text(json.dumps(LISTS.to_dict("records")))),
    "lines of json": ("l.jsonl", lambda path: path.write_text("\n".join(map(json.dumps, LISTS.to_dict("records"))))),
    "lists in json": ("l.json", lambda path: path.write_text(json.dumps(lists_of_users()))),
    "run by its suffix": ("l.run", lambda path: path.write_text(run_lines())),
    "run by its lines": ("results.txt", lambda path: path.write_text("\n" + run_lines())),
    "compressed run": ("l.run.gz", lambda path: path.write_bytes(gzip.compress(run_lines().encode()))),
}


def lists_of_users() -> dict[Any, list[int]]:
    ordered = LISTS.sort_values(["user", "rank"])
    return {user: rows["item"].tolist() for user, rows in ordered.groupby("user")}


def assert_as_expected(predictions: Any, test: Any = TEST, **options: Any) -> None:
    scores = score(predictions, test, NDCG(5, gains="rating"), "Recall@10", **options)
    assert dict(scores.values) == pytest.approx(dict(EXPECTED.values), abs=1e-15)


@pytest.mark.parametrize("form", FILES)
def test_every_form_of_file_has_the_same_scores(form: str, tmp_path: Path) -> None:
    """Whatever lists are written in: names, columns, order of rows and compression do not matter."""
    name, write = FILES[form]
    write(tmp_path / name)
    assert_as_expected(tmp_path / name)
    assert_as_expected(str(tmp_path / name))


def test_columns_may_be_called_anything(tmp_path: Path) -> None:
    """A mapping says what they are, and a list what those of a file without a header are."""
    renamed = LISTS.rename(columns={"user": "who", "item": "what", "rank": "place"}).drop(columns="score")
    columns = {"who": "user", "what": "item", "place": "rank"}
    assert_as_expected(renamed, columns=columns)
    renamed.to_csv(tmp_path / "l.csv", index=False)
    assert_as_expected(tmp_path / "l.csv", columns=columns)
    (tmp_path / "bare.csv").write_text(lines(["user", "item", "score"], ",", header=False))
    assert_as_expected(tmp_path / "bare.csv", columns=["user", "item", "score"])
    test = TEST.rename(columns={"user": "who", "rating": "stars"})
    assert_as_expected(LISTS, test, test_columns={"who": "user", "stars": "rating"})


def test_what_only_from_file_reads_is_given_as_a_dataset(tmp_path: Path) -> None:
    """Such as another encoding or separator: its ratings are the scores."""
    text = LISTS.assign(item="caf\xe9 " + LISTS["item"].astype(str))[["user", "item", "score"]]
    (tmp_path / "l.csv").write_bytes(text.to_csv(index=False, sep=";").encode("latin-1"))
    data = from_file(tmp_path / "l.csv", encoding="latin-1", separator=";", columns={"score": "rating"})
    test = TEST.assign(item="caf\xe9 " + TEST["item"].astype(str))
    assert_as_expected(data, test)
    assert "l: the ratings are taken for scores, too" in score(data, test, "NDCG@5").notes


def test_ranks_and_scores_are_told_whatever_their_letters() -> None:
    """Rank and SCORE are guessed, and said."""
    scores = score(LISTS.rename(columns={"rank": "Rank", "score": "SCORE"}), TEST, "NDCG@5")
    assert scores["NDCG@5"] == score(LISTS, TEST, "NDCG@5")["NDCG@5"]
    assert "predictions: the column 'Rank' is taken for the rank, by its name" in scores.notes


def test_guessed_columns_are_said() -> None:
    """What is taken for scores is no secret."""
    scores = score(LISTS.drop(columns="rank").rename(columns={"score": "prediction", "user": "uid"}), TEST, NDCG(5))
    assert scores["NDCG@5"] == pytest.approx(score(LISTS, TEST, NDCG(5))["NDCG@5"])
    assert "predictions: the column 'uid' is taken for the user, by its name" in scores.notes
    assert "predictions: the column 'prediction' is taken for the score, by its name" in scores.notes


def test_frames_of_others_and_mappings_do_as_well() -> None:
    """Arrow's, polars' and DuckDB's tables, lists of each user, and the dictionaries that pytrec_eval takes."""
    table = pa.Table.from_pandas(LISTS, preserve_index=False)
    assert_as_expected(table)
    assert_as_expected(pl.from_arrow(table), pl.from_pandas(TEST).lazy())
    assert_as_expected(duckdb.from_arrow(table).order("item"), duckdb.from_arrow(pa.Table.from_pandas(TEST)))
    assert_as_expected(lists_of_users())
    by_item = {
        str(user): dict(zip(rows["item"].astype(str), rows["score"], strict=True))
        for user, rows in LISTS.groupby("user")
    }
    levels = {
        str(user): dict(zip(rows["item"].astype(str), rows["rating"].astype(int), strict=True))
        for user, rows in TEST.groupby("user", sort=False)
    }
    assert_as_expected(by_item, levels)


def test_every_form_of_test_part_has_the_same_scores(tmp_path: Path) -> None:
    """A frame, files, qrels, and datasets of frames or files."""
    TEST.to_csv(tmp_path / "t.csv", index=False)
    TEST.to_parquet(tmp_path / "t.parquet")
    TEST[:50].to_csv(tmp_path / "t1.csv", index=False)
    TEST[50:].to_csv(tmp_path / "t2.csv", index=False)
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.write(tmp_path / "t.csv", "t.csv")
    (tmp_path / "t.txt").write_text("".join(f"{row.user} 0 {row.item} {row.rating:.0f}\n" for row in TEST.itertuples()))
    for test in (
        tmp_path / "t.csv",
        tmp_path / "t.parquet",
        tmp_path / "t.txt",
        [tmp_path / "t1.csv", tmp_path / "t2.csv"],
        tmp_path / "t[12].csv",
        tmp_path / "t.zip",
        from_frame(TEST),
        from_file(tmp_path / "t.csv"),
        TEST.to_dict("list"),
    ):
        assert_as_expected(LISTS, test)
    assert "NDCG takes every level" in "".join(score(LISTS, tmp_path / "t.txt", "NDCG@5").notes)


def test_levels_below_one_are_not_relevant(tmp_path: Path) -> None:
    """A user of whom nothing is left does not count."""
    (tmp_path / "t.qrels").write_text("0 0 5 1\n0 0 6 0\n1 0 7 -1\n")
    scores = score({0: [6, 5], 1: [7]}, tmp_path / "t.qrels", "MRR@2")
    assert scores.users == [0]
    assert scores["MRR@2"] == 0.5
    assert "t.qrels: 2 items have a level below 1, so that they are not relevant" in scores.notes


def test_a_dataset_with_a_split_brings_its_training_part() -> None:
    """So that metrics of it need nothing else, and it says which fold is meant where it has several."""
    rows = pd.DataFrame({"user": np.repeat(range(SIZE), ITEMS), "item": np.tile(range(ITEMS), SIZE)})
    data = from_frame(rows, "full").pipe(UserHoldout(validation_size=0.1, test_size=0.2))
    scores = score(LISTS, data, "ItemCoverage@10", "NDCG@10")
    assert scores.test == "full"
    assert scores["ItemCoverage@10"] == 1
    assert any("recommended items the user has in train or validation" in note for note in scores.notes)


def test_a_run_is_read_as_trec_eval_reads_it(tmp_path: Path) -> None:
    """By score, whatever its ranks say; that they say something else is told, and order='rank' follows them."""
    path = tmp_path / "l.run"
    path.write_text("1 Q0 a 1 0.5 x\n1 Q0 b 2 0.5 x\n1 Q0 c 3 0.7 x\n")
    scores = score(path, {1: ["b"]}, "MRR@3")
    assert scores["MRR@3"] == 1 / 2
    assert any("in 1 list the ranks say something else than the scores" in note for note in scores.notes)
    assert score(path, {1: ["a"]}, "MRR@3", order="rank")["MRR@3"] == 1

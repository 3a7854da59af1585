"""What cannot be scored: each a sentence that names the thing, its value and the way out, before anything is computed."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from omnibench import NDCG, RMSE, UserCrossValidation, from_frame, score
from omnibench.errors import OmnibenchError

LISTS = pd.DataFrame({"user": [1, 1, 2], "item": [5, 6, 5], "score": [0.9, 0.8, 0.7]})
TEST = pd.DataFrame({"user": [1, 2], "item": [6, 5]})
RATED = TEST.assign(rating=[3.0, 4.0])


def folds() -> Any:
    rows = pd.DataFrame({"user": [1] * 6 + [2] * 6, "item": [*range(6)] * 2})
    return from_frame(rows, "small").pipe(UserCrossValidation(2))


CASES: dict[str, tuple[Any, Any, tuple[Any, ...], dict[str, Any], str]] = {
    "no metric": (LISTS, TEST, (), {}, "no metric says what is to be measured; give some, such as NDCG([10, 20])"),
    "unknown metric": (LISTS, TEST, ("NDGC@10",), {}, "omnibench has no metric 'NDGC'; did you mean 'NDCG'?"),
    "cost": (LISTS, TEST, ("FitTime",), {}, "what a fit or a prediction costs, which no list tells"),
    "no train": (
        LISTS,
        TEST,
        ("Novelty@5", "ItemCoverage@5"),
        {},
        "Novelty, ItemCoverage are made of what is known in training",
    ),
    "no train to drop by": (LISTS, TEST, ("HR@5",), {"repeats": False}, "repeats=False asks for the training part"),
    "lists without an order": ({1: {5, 6}}, TEST, ("HR@5",), {}, "user 1 has {5, 6}; give every user a list of items"),
    "a number beyond all floats": (
        LISTS.assign(score=pd.Series([10**400, 1, 2], dtype=object)),
        TEST,
        ("HR@5",),
        {},
        "column 'score' has 1 values that are no finite number, or too large a one (the first is 10000",
    ),
    "no column": (
        LISTS.rename(columns={"item": "x"}),
        TEST,
        ("HR@5",),
        {},
        "predictions has no column 'item'; it has 'user', 'x', 'score'. Say which it is, e.g. columns={'user': 'item'}",
    ),
    "wrong mapping": (
        LISTS,
        TEST,
        ("HR@5",),
        {"columns": {"itme": "item"}},
        "predictions has no column 'itme'; did you mean 'item'?",
    ),
    "unknown role": (
        LISTS,
        TEST,
        ("HR@5",),
        {"columns": {"score": "scores"}},
        "the column 'score' is to be 'scores'; did you mean 'score'?",
    ),
    "column twice": (
        pd.concat([LISTS, LISTS[["user"]]], axis=1),
        TEST,
        ("HR@5",),
        {},
        "predictions has the column 'user' twice; it has ['user', 'item', 'score', 'user']",
    ),
    "no rows": (LISTS[:0], TEST, ("HR@5",), {}, "predictions has no rows"),
    "no frame": (7, TEST, ("HR@5",), {}, "score (predictions) got int, which is no frame"),
    "item twice": (
        pd.concat([LISTS, LISTS[:1]]),
        TEST,
        ("HR@5",),
        {},
        "predictions recommends 1 items twice, the first of them 5 to user 1",
    ),
    "rank twice": (
        LISTS.assign(rank=1).drop(columns="score"),
        TEST,
        ("HR@5",),
        {},
        "1 items have the rank of another one of the same user: 5 and 6 of user 1 both have 1",
    ),
    "missing score": (
        LISTS.assign(score=[0.9, float("nan"), 0.7]),
        TEST,
        ("HR@5",),
        {},
        "column 'score' has 1 values that are no finite number",
    ),
    "missing id": (
        LISTS.assign(item=[5, float("nan"), 5]),
        TEST,
        ("HR@5",),
        {},
        "column 'item' has 1 missing values (the first in row 1)",
    ),
    "other users": (
        LISTS.assign(user=["u", "v", "w"]),
        TEST,
        ("HR@5",),
        {},
        "predictions and test have no user in common: 'u' (str) is in the first, 1 (int) in the second",
    ),
    "other items": (
        LISTS.assign(item=["a", "b", "a"]),
        TEST,
        ("HR@5",),
        {},
        "predictions and test have no item in common: 'a' (str) is in the first, 6 (int)",
    ),
    "overlap": (
        LISTS,
        TEST,
        ("HR@5",),
        {"train": TEST[:1]},
        "1 of the 2 pairs of test are in train, too, the first of them user 1, item 6",
    ),
    "validation alone": (
        LISTS,
        TEST,
        ("HR@5",),
        {"validation": TEST},
        "there is a validation part, but no training part",
    ),
    "no order": (RATED, TEST, ("HR@5",), {}, "has predicted ratings, but nothing that says in which order"),
    "wrong order": (LISTS, TEST, ("HR@5",), {"order": "rank"}, "order is 'rank', but there is no column rank"),
    "strange order": (LISTS, TEST, ("HR@5",), {"order": "item"}, "order is 'item'; give 'rank' or 'score'"),
    "no predicted ratings": (
        LISTS,
        RATED,
        (RMSE(),),
        {},
        "has no predicted ratings, which metrics such as RMSE judge; name their column rating",
    ),
    "no true ratings": (RATED, TEST, (RMSE(),), {}, "test has no ratings to compare predicted ones with"),
    "pair without rating": (
        RATED[:1],
        RATED,
        (RMSE(),),
        {},
        "no rating for 1 of the 2 test pairs, the first of them user 2, item 5",
    ),
    "no relevance": (
        LISTS,
        TEST,
        (NDCG(5),),
        {"relevant": 4},
        "ratings say what is relevant, or what it gains, and the test part has none",
    ),
    "fold of none": (LISTS, TEST, (NDCG(5),), {"fold": 1}, "fold is 1, but the test part has no folds"),
    "which fold": (
        LISTS,
        folds(),
        (NDCG(5),),
        {},
        "small has 2 folds, and fold is None; say which one is meant, fold=0 to fold=1",
    ),
    "train twice": (
        LISTS,
        folds(),
        (NDCG(5),),
        {"train": TEST},
        "small is a dataset with a split, which has its own train",
    ),
    "odd mapping": ({1: [5], 2: "56"}, TEST, (NDCG(5),), {}, "user 2 has '56'; give every user a list of items"),
    "no relevant item": (LISTS, {1: {6: 0}}, (NDCG(5),), {}, "test has no relevant item: no level is 1 or more"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_does_not_fit_is_a_sentence(case: str) -> None:
    """Of every mistake, with what is there and what to do."""
    predictions, test, metrics, options, message = CASES[case]
    with pytest.raises(OmnibenchError, match=re.escape(message)):
        score(predictions, test, *metrics, **options)


RUN = "1 Q0 5 1 0.9 x\n1 Q0 6 2 0.8 x\n"
FILES: dict[str, tuple[str, bytes, str]] = {
    "fields missing": (
        "l.run",
        (RUN + "\n1 Q0 7 3\n").encode(),
        r"l\.run: line 4 has 4 fields, '1 Q0 7 3', instead of 6: user Q0 item",
    ),
    "fields too many": ("l.run", (RUN + "1 Q0 the item 3 0.7 x\n").encode(), r"l\.run: line 3 has 7 fields"),
    "no number": (
        "l.run",
        (RUN + "1 Q0 7 3 high x\n").encode(),
        r"column 'score' has 1 values that are no finite number.*'high' in line 3",
    ),
    "empty run": ("l.run", b"", "l.run has no rows"),
    "empty csv": ("l.csv", b"", "is empty"),
    "cut off": ("l.csv.gz", gzip.compress(b"user,item\n" + b"1,5\n" * 1000)[:-20], "is cut off"),
    "cut off run": ("l.run.gz", gzip.compress(RUN.encode() * 100)[:-20], "is cut off"),
    "broken json": ("l.json", b'{"user": [1', "cannot be read as .json"),
    "uneven json": (
        "l.json",
        b'{"user": [1, 2], "item": [5]}',
        "its columns have different lengths, {'user': 2, 'item': 1}",
    ),
    "uneven rows": (
        "l.json",
        b'[{"user": 1, "item": 5}, {"user": 2}]',
        "row 1 has the names ['user'], and the first has",
    ),
    "other json": ("l.json", b"[1, 2]", "holds list; predictions in JSON are a list per column"),
    "unknown ending": ("l.xyz", b"1,5\n", "l.xyz ends in '.xyz'; predictions are .csv, .tsv, .parquet, .json"),
    "bad line": ("l.csv", b"user,item,score\n1,5,0.5\n1,6\n", "l.csv"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_file_that_cannot_be_read_is_named(case: str, tmp_path: Path) -> None:
    """With its line and value where there is one."""
    name, content, message = FILES[case]
    (tmp_path / name).write_bytes(content)
    pattern = message if "\\" in message or ".*" in message else re.escape(message)
    with pytest.raises(OmnibenchError, match=pattern):
        score(tmp_path / name, TEST, NDCG(5))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Of predictions and of the test part."""
    for predictions, test in ((tmp_path / "no.csv", TEST), (LISTS, tmp_path / "no.csv")):
        with pytest.raises(OmnibenchError, match=r"there is no file .*no\.csv"):
            score(predictions, test, NDCG(5))


def test_following_the_advice_leads_to_success() -> None:
    """Pairs that are in train, too, are allowed where somebody says so."""
    assert score(LISTS, TEST, NDCG(5), train=TEST[:1], allow_overlap=True)["NDCG@5"] > 0
    assert score(RATED, TEST, "HR@5", columns={"rating": "score"})["HR@5"] == 1

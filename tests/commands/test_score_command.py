"""`omnibench score`: what it prints, what it writes, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from omnibench import NDCG, score
from omnibench.commands.main import main

TEST = pd.DataFrame({"uid": [*range(30)] * 2, "iid": [1] * 30 + [2] * 30, "stars": [5.0] * 30 + [3.0] * 30})
GOOD = pd.DataFrame({"uid": [*range(28)] * 2, "iid": [1] * 28 + [9] * 28, "place": [1] * 28 + [2] * 28})
BAD = GOOD.assign(place=[2] * 28 + [1] * 28)
COLUMNS = ["--columns", "uid=user,iid=item,place=rank", "--test-columns", "uid=user,iid=item,stars=rating"]


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists that are good and bad, a test part and a training part."""
    monkeypatch.chdir(tmp_path)
    GOOD.to_csv("good.csv", index=False)
    BAD.to_parquet("bad.parquet")
    TEST.to_csv("test.csv", index=False)
    pd.DataFrame({"uid": [1, 2], "iid": [7, 9], "stars": [1.0, 2.0]}).to_csv("train.csv", index=False)


def test_a_file_has_a_line_per_metric_and_notes(capsys: pytest.CaptureFixture[str]) -> None:
    """Value, interval, error and users, and what a reader has to know."""
    metrics = ["--metric", "NDCG@1,2", "--metric", "HR[relevant=4]@1"]
    assert main(["score", "--predictions", "good.csv", "--test", "test.csv", *metrics, *COLUMNS]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0] == "good.csv, scored on test.csv: 30 test users"
    assert lines[1].split() == ["value", "95", "%", "interval", "stderr", "users"]
    assert [line.split()[:2] for line in lines[2:5]] == [
        ["NDCG@1", "0.9333"],
        ["NDCG@2", "0.5723"],
        ["HR[relevant=4]@1", "0.9333"],
    ]
    assert lines[5] == "  2 of 30 test users have no list; they count as zero"
    assert not err


def test_two_files_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    """With difference, interval, p and a verdict, as of configurations."""
    files = ["--predictions", "good.csv", "bad.parquet", "--test", "test.csv"]  # as a shell expands a pattern
    assert main(["score", *files, "--metric", "NDCG@1", "MRR@2", *COLUMNS, "--paired-test", "t"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "bad.parquet, scored on test.csv: 30 test users" in lines
    start = lines.index("good.csv minus bad.parquet: paired over 30 users")
    assert [line.split()[0] for line in lines[start + 2 : start + 4]] == ["NDCG@1", "MRR@2"]
    assert all(line.endswith("the first is better") for line in lines[start + 2 : start + 4])
    assert lines[start + 4].startswith("Paired t test; p (Holm) is corrected over 2 comparisons")


def test_json_and_values_per_user_are_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """Every digit, null where nothing is defined, and a row per file and user."""
    files = ["--predictions", "good.csv", "--predictions", "bad.parquet", "--test", "test.csv", "--train", "train.csv"]
    metrics = ["--metric", "NDCG@2", "--metric", "ItemCoverage@2", "--metric", "Novelty@1"]
    assert main(["score", *files, *metrics, *COLUMNS, "--json", "--per-user", "users.csv", "--no-repeats"]) == 0
    report = json.loads(capsys.readouterr().out)
    expected = score(
        GOOD, TEST, NDCG(2), columns={"uid": "user", "iid": "item", "place": "rank"}, test_columns={"uid": "user"}
    )
    assert [of_file["predictions"] for of_file in report["scores"]] == ["good.csv", "bad.parquet"]
    assert report["scores"][0]["metrics"]["NDCG@2"]["value"] == pytest.approx(expected["NDCG@2"])
    assert report["scores"][0]["metrics"]["ItemCoverage@2"]["interval"] is None
    assert {row["metric"] for row in report["comparisons"]} == {"NDCG@2", "Novelty@1"}
    frame = pd.read_csv("users.csv")
    assert list(frame.columns) == ["predictions", "user", "NDCG@2", "Novelty@1"]
    assert len(frame) == 60
    assert frame[frame["predictions"] == "good.csv"]["NDCG@2"].mean() == pytest.approx(
        report["scores"][0]["metrics"]["NDCG@2"]["value"], rel=1e-14
    )
    assert main(["score", *files, *metrics, *COLUMNS, "--per-user", "users.parquet"]) == 0
    assert len(pd.read_parquet("users.parquet")) == 60


def test_a_file_without_a_header_has_the_names_of_all_its_columns(capsys: pytest.CaptureFixture[str]) -> None:
    """As they are listed."""
    GOOD.to_csv("bare.csv", index=False, header=False)
    arguments = ["--predictions", "bare.csv", "--test", "test.csv", "--metric", "NDCG@1"]
    test_columns = COLUMNS[2:]
    assert main(["score", *arguments, "--columns", "user,item,rank", *test_columns]) == 0
    assert "0.9333" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--test", "no.csv"], "there is no file"),
        (["--metric", "Novelty@1"], "give the training part, train=... (--train FILE)"),
        (["--metric", "NGCD@1"], "omnibench has no metric 'NGCD'; did you mean 'NDCG'?"),
        (["--columns", "uid=user,iid"], "--columns is 'uid=user,iid'; write NAME=ROLE for each column"),
        (["--per-user", "users.txt"], "the ending says the format; choose from .csv, .parquet"),
        (
            ["--per-user", "./test.csv"],
            "--per-user './test.csv' is a file that is read, and would be lost; name another",
        ),
        (["--per-user", "no/users.csv"], "--per-user: there is no directory"),
        (["--alpha", "2"], "alpha is 2.0; give a level between 0 and 1"),
        (["--train", "test.csv"], "60 of the 60 pairs of test.csv are in test.csv, too"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the status says so; nothing is written."""
    usual = ["score", "--predictions", "good.csv", "--test", "test.csv", "--metric", "NDCG@1", *COLUMNS]
    assert main([*usual, *arguments]) == 2
    out, err = capsys.readouterr()
    assert message in err
    assert not out

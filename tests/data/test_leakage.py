"""What leaks: counted once of each fold, said in the run's summary and in exports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.projects import IN_A_FRAME, Project

from omnibench import (
    LeaveLastOut,
    RandomCrossValidation,
    RecSysDataSet,
    RollingWindows,
    StrongGeneralization,
    TimeBasedHoldout,
    UserCrossValidation,
    UserHoldout,
    from_frame,
    from_split,
)
from omnibench.commands.main import main
from omnibench.data.leakage import SplitCounts, leak_sentence, read_split_counts, split_sentence
from omnibench.data.prepare import prepare
from omnibench.store.builders import data_record
from omnibench.store.forms import record_of
from omnibench.store.schema import COSTS, RecordType
from omnibench.store.sealing import DamagedRecordError, seal

TIMED = pd.DataFrame({"user": np.arange(120) // 15, "item": np.arange(120) % 23, "timestamp": np.arange(120) * 3600})
"""One user after the other, an interaction an hour."""


def counts_of(dataset: RecSysDataSet, directory: Path) -> list[dict[str, int]]:
    """Prepare a dataset and return what its manifest counts of each fold."""
    directory.mkdir()
    manifest = prepare(dataset, directory)
    leakage = read_split_counts(directory, {}).leakage
    assert leakage == manifest["leakage"]
    folds: list[dict[str, int]] = manifest["leakage"]["folds"]
    return folds


@pytest.mark.parametrize(
    "split",
    [
        UserHoldout(0.1, 0.2),
        RandomCrossValidation(3, 0.1),
        UserCrossValidation(3),
        LeaveLastOut(),
        StrongGeneralization(1, 2, 0.3),
        TimeBasedHoldout(0.1, 0.2),
        RollingWindows(3, "1d", "6h"),
    ],
    ids=lambda split: type(split).__name__,
)
def test_every_split_is_counted_as_a_loop_counts_it(split: Any, tmp_path: Path) -> None:
    """Of each fold, how many test interactions have something in training that is later; by time alone there are none."""
    data = from_frame(TIMED).pipe(split)
    rows = data.interactions()
    assert rows.timestamp is not None
    times: list[int] = rows.timestamp.tolist()
    counts = counts_of(data, tmp_path / "data")
    for parts, fold in zip(data.parts(rows), counts, strict=True):
        early = [row for row in parts.test.tolist() if any(times[other] > times[row] for other in parts.train.tolist())]
        assert fold == {"test_interactions": len(parts.test), "before_training_end": len(early)}
        assert bool(early) != isinstance(split, TimeBasedHoldout | RollingWindows)


def test_without_times_nobody_knows(tmp_path: Path) -> None:
    """Data without timestamps has no count of what is early, and nothing is said."""
    counts = counts_of(from_frame(TIMED.drop(columns="timestamp")).pipe(UserHoldout(0, 0.2)), tmp_path / "data")
    assert "before_training_end" not in counts[0]
    assert leak_sentence({"folds": counts}) == ""


def test_the_sentence_says_what_leaks() -> None:
    """How many of how many, of the folds that ran; nothing where nothing leaks, or where it was not counted."""
    folds = [{"test_interactions": 1000, "before_training_end": number, "seen_pairs": 0} for number in (0, 1, 1200)]
    leakage = {"folds": folds}
    assert leak_sentence(leakage, [0]) == leak_sentence(None) == leak_sentence({"folds": []}) == ""
    assert leak_sentence(leakage, {1}) == "1 of 1,000 test interactions lies before the end of the training data"
    assert leak_sentence(leakage) == (
        "1,201 of 3,000 test interactions (3 folds together) lie before the end of the training data"
    )
    overlap = {"folds": [{"test_interactions": 9, "before_training_end": 2, "seen_pairs": 3}]}
    assert leak_sentence(overlap) == (
        "2 of 9 test interactions lie before the end of the training data, and 3 of 9 test interactions are in training or "
        "validation as well"
    )


def test_what_was_seen_is_not_recommended_unless_it_may_be() -> None:
    """Where lists are judged, a test interaction that the user has had cannot be found, unless what was seen is ranked."""
    cold = {"ranked": True, "folds": [{"cold_users": 0, "test_users": 9, "cold_items": 0, "test_items": 9}]}
    leakage = {"folds": [{"test_interactions": 9, "seen_pairs": 1}]}
    seen = "1 of 9 test interactions is in training or validation as well"
    assert split_sentence(SplitCounts(cold, leakage)) == f"{seen} and cannot be recommended"
    assert split_sentence(SplitCounts(cold, leakage), seen_ranked=True) == seen
    assert split_sentence(SplitCounts({**cold, "ranked": False}, leakage)) == seen


def test_both_kinds_of_counts_are_one_sentence() -> None:
    """Who is cold comes first, what leaks second, and either alone without a word of the other."""
    cold = {"ranked": True, "folds": [{"cold_users": 2, "test_users": 9, "cold_items": 0, "test_items": 9}]}
    leakage = {"folds": [{"test_interactions": 7, "before_training_end": 5}]}
    who, what = (
        "2 of 9 test users are unknown in training and count 0",
        "5 of 7 test interactions lie before the end of the training data",
    )
    assert split_sentence(SplitCounts(cold, leakage)) == f"{who}; {what}"
    assert split_sentence(SplitCounts(cold, None)) == who
    assert split_sentence(SplitCounts(None, leakage)) == what
    assert split_sentence(SplitCounts()) == ""


def test_a_published_split_is_counted(tmp_path: Path) -> None:
    """Its test rows before the end of training, and the pairs that it has in both."""
    train, test = TIMED[:60], pd.concat([TIMED[50:55], TIMED[70:]])
    (fold,) = counts_of(from_split(train, test, allow_overlap=True), tmp_path / "data")
    assert fold == {"test_interactions": len(test), "before_training_end": 5, "seen_pairs": 5}


@pytest.fixture
def timed_project(project: Project) -> Project:
    """A project whose interactions have times."""
    project.bench(data=IN_A_FRAME)
    bench = project.pytester.path / "bench_tiny.py"
    text = bench.read_text()
    begin = text.index("data = ")
    timed = "frame.assign(timestamp=range(len(frame)))"
    split = f"data = from_frame({timed}, 'tiny').pipe(MakeImplicit(2), UserHoldout(0, 0.3))"
    bench.write_text(f"{text[:begin]}{split}\n{text[text.index('plan = ') :]}")
    return project


LINE = "lie before the end of the training data"


def test_a_run_and_its_exports_say_it(timed_project: Project) -> None:
    """Below the tables, also when all is cached; in documents, and as numbers in JSON and CSV."""
    for arguments in ((), ("--omnirec-readonly",)):
        exports = [f"--omnirec-export=results.{suffix}" for suffix in ("md", "json", "csv")]
        result = timed_project.run(*exports, *arguments)
        assert result.ret == pytest.ExitCode.OK
        result.stdout.fnmatch_lines([f"tiny: * of * test interactions {LINE}"])
        directory = timed_project.pytester.path
        assert LINE in (directory / "results.md").read_text()
        (dataset,) = json.loads((directory / "results.json").read_text())["datasets"]
        (counts,) = dataset["leakage"]
        assert 0 < counts["before_training_end"] <= counts["test_interactions"]
        assert set(pd.read_csv(directory / "results.csv")["before_training_end"]) == {counts["before_training_end"]}
    assert LINE not in timed_project.run("--omnirec-table=none").stdout.str()


def test_a_run_whose_items_were_all_taken_over_says_it(
    timed_project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """Word for word what the run that computed them says: the files of its data never were in this store."""
    root = timed_project.pytester.path
    computed = timed_project.run("--omnirec-export=computed.json")
    (said,) = [line for line in computed.outlines if LINE in line]
    assert main(["publish", str(root / "table"), "--store", str(root / "checkpoints")]) == 0
    assert main(["merge", str(root / "checkpoints"), "--into", str(root / "merged")]) == 0
    (root / "checkpoints").rename(root / "away")
    for arguments in (("--omnirec-from=table",), ("--omnirec-checkpoint-dir=merged",)):
        before = timed_project.count_fits()
        taken = timed_project.run(*arguments, "--omnirec-export=taken.json")
        assert [line for line in taken.outlines if LINE in line] == [said]
        assert timed_project.count_fits() == before
        ((dataset,), (same,)) = (
            json.loads((root / name).read_text())["datasets"] for name in ("computed.json", "taken.json")
        )
        assert same["leakage"] == dataset["leakage"]
    capsys.readouterr()


@pytest.mark.parametrize(
    "counts",
    [
        {"leakage": {"folds": [{"before_training_end": 3}]}},
        {"leakage": {"folds": [{"test_interactions": "9"}]}},
        {"leakage": {"folds": [{"test_interactions": 9, "seen_pairs": -1}]}},
        {"leakage": {"folds": {}}},
        {"cold": {"ranked": True, "folds": [{"cold_users": 1}]}},
        {"cold": {"folds": []}},
    ],
)
def test_counts_that_no_run_records_are_refused(tmp_path: Path, counts: dict[str, Any]) -> None:
    """They come from whoever has published a dataset, and a sentence is made of them."""
    dataset = from_frame(TIMED.drop(columns="timestamp"), "tiny")
    manifest = prepare(dataset.pipe(UserHoldout(0, 0.5)), tmp_path)
    record = {**data_record(manifest, dict.fromkeys(COSTS), f"datasets/tiny-{'d' * 8}", [])}
    key = RecordType.DATA.key("d" * 64)
    record["finished"] = "2026-11-28T15:00:00Z"
    record |= {name: json.loads(json.dumps(record[name])) for name in ("identity",)}
    assert record_of(key, seal(key, record)) == record
    with pytest.raises(DamagedRecordError):
        record_of(key, seal(key, {**record, **counts}))

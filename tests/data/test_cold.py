"""Test users and items that are unknown in training: counted once, said in the run's summary and in exports."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.projects import IN_A_FRAME, Project
from support.scripted_items import interactions, plan_of

from omnibench import (
    NDCG,
    Evaluator,
    MakeImplicit,
    RandomCrossValidation,
    RandomHoldout,
    RecSysDataSet,
    StrongGeneralization,
    TimeBasedHoldout,
    UserHoldout,
    export_results,
    from_frame,
    run_omnirec,
)
from omnibench.data.cold import cold_sentence
from omnibench.data.prepare import prepare
from omnibench.store.queries import open_store

LATE = pd.DataFrame(
    {
        "user": [1, 1, 1, 2, 2, 3, 3, 4, 2],
        "item": ["a", "b", "c", "a", "b", "a", "d", "e", "c"],
        "rating": 5,
        "timestamp": range(9),
    }
)
"""With the last third as test: users 3 (known), 4 (cold) and 2; items d and e are cold, c is not."""


def manifest_of(dataset: RecSysDataSet, directory: Path) -> dict[str, Any]:
    """Prepare a dataset and return its manifest, which stands in its file as well."""
    directory.mkdir()
    manifest = prepare(dataset, directory)
    assert json.loads((directory / "manifest.json").read_text()).get("cold") == manifest.get("cold")
    return manifest


def test_what_is_cold_is_counted(tmp_path: Path) -> None:
    """A split by time has test users and items without a row in training; these and all are counted."""
    data = from_frame(LATE, "late").pipe(MakeImplicit(2), TimeBasedHoldout(0, 1 / 3))
    cold = manifest_of(data, tmp_path / "late")["cold"]
    assert cold == {
        "ranked": True,
        "folds": [{"cold_users": 1, "test_users": 3, "cold_items": 2, "test_items": 3}],
    }
    assert cold_sentence(cold) == (
        "1 of 3 test users is unknown in training and counts 0, and 2 of 3 test items are unknown in training and cannot be "
        "recommended"
    )


def test_every_fold_is_counted_as_sets_count_it(tmp_path: Path) -> None:
    """The counts of each fold are those of Python's own sets of the parts' users and items."""
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"user": rng.integers(0, 40, 90), "item": rng.integers(0, 50, 90)}).drop_duplicates()
    data = from_frame(frame, "sparse").pipe(RandomCrossValidation(3))
    cold = manifest_of(data, tmp_path / "sparse")["cold"]
    rows = data.interactions()
    for parts, counts in zip(data.parts(rows), cold["folds"], strict=True):
        for noun, codes in (("users", rows.user), ("items", rows.item)):
            tested, trained = {*codes[parts.test].tolist()}, {*codes[parts.train].tolist()}
            assert counts[f"cold_{noun}"] == len(tested - trained)
            assert counts[f"test_{noun}"] == len(tested)
    assert "(3 folds together)" in cold_sentence(cold)


def test_where_nobody_is_cold_nothing_is_said(tmp_path: Path) -> None:
    """Nothing is said where nobody is cold, where that was not counted, and where test users are unknown by design."""
    frame = pd.DataFrame({"user": np.repeat(np.arange(8), 4), "item": np.tile(np.arange(4), 8)})
    held = manifest_of(from_frame(frame, "held").pipe(UserHoldout(0, 0.25)), tmp_path / "held")
    assert held["cold"]["folds"][0]["cold_users"] == 0
    strong = manifest_of(from_frame(frame, "strong").pipe(StrongGeneralization(0.2, 0.2)), tmp_path / "strong")
    assert "cold" not in strong
    for cold in (held["cold"], strong.get("cold"), None):
        assert not cold_sentence(cold)


def test_ratings_are_predicted_also_for_whom_is_cold() -> None:
    """Where ratings are predicted a cold user does not count 0, so only the number is said."""
    cold = {"ranked": False, "folds": [{"cold_users": 2, "test_users": 1000, "cold_items": 0, "test_items": 9}]}
    assert cold_sentence(cold) == "2 of 1,000 test users are unknown in training"


@pytest.fixture
def cold_project(project: Project) -> Project:
    """A project whose test users are not all in training."""
    project.bench(data=IN_A_FRAME)
    bench = project.pytester.path / "bench_tiny.py"
    split = "from_frame(frame[:90], 'tiny').pipe(MakeImplicit(2), RandomHoldout(0, 0.3))"
    text = bench.read_text()
    begin = text.index("data = ")
    bench.write_text(f"{text[:begin]}data = {split}\n{text[text.index('plan = ') :]}")
    return project


def test_a_run_and_its_exports_say_it(cold_project: Project) -> None:
    """Below the tables, also when all is cached, with workers, read-only; in documents, and as numbers in JSON."""
    line = "tiny: * of * test users are unknown in training and count 0, and * of * test items *cannot be recommended"
    for arguments in ((), ("-n", "1"), ("--omnirec-readonly",)):
        exports = [f"--omnirec-export=results.{suffix}" for suffix in ("md", "json", "csv")]
        result = cold_project.run(*exports, *arguments)
        assert result.ret == pytest.ExitCode.OK
        result.stdout.fnmatch_lines([line])
        directory = cold_project.pytester.path
        assert "are unknown in training and count 0" in (directory / "results.md").read_text()
        (dataset,) = json.loads((directory / "results.json").read_text())["datasets"]
        (counts,) = dataset["unknown_in_training"]
        assert 0 < counts["cold_users"] < counts["test_users"]
        rows = pd.read_csv(directory / "results.csv")
        assert set(zip(rows["cold_users"], rows["cold_items"], strict=True)) == {
            (counts["cold_users"], counts["cold_items"])
        }
    assert "unknown in training" not in cold_project.run("--omnirec-table=none").stdout.str()


@pytest.mark.guests
def test_a_script_says_it_below_its_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A script says it as pytest does, also when all is cached; quiet says nothing."""
    data = from_frame(interactions(), "tiny").pipe(MakeImplicit(2), RandomHoldout(0, 0.8))
    arguments: Any = (data, plan_of(tmp_path / "script"), Evaluator(NDCG(5)), tmp_path / "store")
    for _ in range(2):
        run_omnirec(*arguments)
        *_, last = capsys.readouterr().out.splitlines()
        assert re.fullmatch(r"tiny: \d+ of \d+ test (users|items) .*unknown in training and .*", last)
    run_omnirec(*arguments, quiet=True)
    assert capsys.readouterr().out == ""


def test_only_the_folds_that_ran_count() -> None:
    """The middle one of three folds alone has its own counts, and no word of several folds."""
    folds = [{"cold_users": n, "test_users": 10, "cold_items": 0, "test_items": 9} for n in (0, 2, 4)]
    cold = {"ranked": True, "folds": folds}
    assert cold_sentence(cold, [1]) == "2 of 10 test users are unknown in training and count 0"
    assert cold_sentence(cold, {0}) == ""
    assert cold_sentence(cold).startswith("6 of 30 test users (3 folds together)")


def test_a_dataset_that_was_prepared_before_says_nothing(
    cold_project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its record and its manifest have no counts: neither the run nor an export stumbles over that."""
    monkeypatch.setattr("omnibench.store.builders._OF_FOLDS", ())
    cold_project.first_run()
    store = cold_project.pytester.path / "checkpoints"
    (file,) = store.glob("datasets/*/manifest.json")
    manifest = json.loads(file.read_text())
    del manifest["cold"], manifest["leakage"]
    file.write_text(json.dumps(manifest))
    result = cold_project.run()
    assert result.ret == pytest.ExitCode.OK
    assert "unknown in training" not in result.stdout.str()
    assert export_results(open_store(store), tmp_path / "results.html", tmp_path / "results.json") == []
    results = (tmp_path / "results.json").read_text()
    assert [name for name in ("unknown_in_training", "leakage") if name in results] == []

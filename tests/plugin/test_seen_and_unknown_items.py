"""Ranking what users have seen, and what nobody has in training: in whole runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.projects import Project

from omnibench import AllItems, KeepRepeats, UserHoldout, from_frame, open_store
from omnibench.data.prepare import prepare
from omnibench.data.stored_ids import read_ids
from omnibench.guest.folds import Fold

BENCH = """
import numpy as np
import pandas as pd
from omnibench import *
from own_algorithms import *

class Again:
    '''Recommends what the user has had most often, then the rest.'''
    def fit(self, train, items):
        self.counts = train.groupby("user")["item"].value_counts()
        self.rest = sorted(items["item"])
    def recommend(self, users, k):
        own = {{user: self.counts[user].sort_index().sort_values(ascending=False, kind="stable").index.tolist() for user in users}}
        return {{user: (had + [item for item in self.rest if item not in had])[:k] for user, had in own.items()}}

class Newest:
    '''Recommends the items with the largest ids, whoever has them.'''
    def fit(self, items): self.items = sorted(items["item"], reverse=True)
    def recommend(self, users, k): return {{user: self.items[:k] for user in users}}

rng = np.random.default_rng(3)
taste = rng.integers(0, 40, (25, 6))
rows = [(user, int(taste[user, rng.integers(0, 6)]) if rng.random() < 0.7 else int(rng.integers(0, 40))) for user in range(25) for _ in range(40)]
frame = pd.DataFrame(rows, columns=["user", "item"])
frame["timestamp"] = frame.groupby("user").cumcount() + np.where(frame["item"] >= 38, 1000, 0)
data = from_frame(frame, "plays").pipe({steps})
plan = ExperimentPlan("tests")
for algorithm in ({algorithms},):
    plan.add_algorithm(algorithm)

@benchmark(data, plan, Evaluator(HR(3), NDCG(10){candidates}))
def bench_plays(result): ...
"""
BY_TIME = "Deduplicate(), TimeBasedHoldout(0.0, 0.15)"
REPEATS = "KeepRepeats(), UserTimeBasedHoldout(0.1, 0.2)"


def write(project: Project, steps: str, algorithms: str, candidates: str) -> None:
    text = BENCH.format(steps=steps, algorithms=algorithms, candidates=candidates)
    (project.pytester.path / "bench_tiny.py").write_text(text)


def lists(project: Project, algorithm: str) -> pd.DataFrame:
    paths = list((project.pytester.path / "checkpoints").glob(f"plays-*/{algorithm}-*/predictions.json"))
    return pd.DataFrame(json.loads(max(paths, key=lambda path: path.stat().st_mtime_ns).read_text()))


def test_what_users_have_had_is_found_again(project: Project) -> None:
    """It is ranked, and relevant where test has it as well; the columns say so."""
    write(project, REPEATS, "Again, Popular", ", candidates=AllItems(repeats=True)")
    project.run().assert_outcomes(passed=2)
    results = open_store(project.pytester.path / "checkpoints").results()
    assert set(results["metric"]) == {"HR[repeats]@3", "NDCG[repeats]@10"}
    found = results[results["metric"] == "HR[repeats]@3"].set_index("algorithm")["value"]
    assert found.filter(like="Again").item() > found.filter(like="Popular").item()
    (directory,) = (project.pytester.path / "checkpoints" / "datasets").iterdir()
    fold, recommended = Fold(directory, 0), lists(project, "Again")
    user_ids, item_ids = (read_ids(directory, name) for name in ("users", "items"))
    seen = {(user_ids[user], item_ids[item]) for user, item in zip(fold.train.user, fold.train.item, strict=True)}
    best = recommended[recommended["rank"] == 1]
    assert all(pair in seen for pair in zip(best["user"], best["item"], strict=True))
    # NDCG by hand: each pair of the test part once.
    test: dict[Any, set[Any]] = {}
    for user, item in zip(fold.test.user, fold.test.item, strict=True):
        test.setdefault(user_ids[user], set()).add(item_ids[item])
    assert len(fold.test) > sum(len(items) for items in test.values())
    values = []
    for user, relevant in test.items():
        rows = recommended[(recommended["user"] == user) & (recommended["rank"] <= 10)]
        gain = sum(
            1 / np.log2(rank + 1) for rank, item in zip(rows["rank"], rows["item"], strict=True) if item in relevant
        )
        values.append(gain / sum(1 / np.log2(rank + 2) for rank in range(min(10, len(relevant)))))
    ndcg = results[results["metric"] == "NDCG[repeats]@10"].set_index("algorithm")["value"].filter(like="Again").item()
    assert ndcg == pytest.approx(np.mean(values), abs=1e-12)


def test_data_with_repeats_is_not_ranked_without_what_users_have_seen(project: Project) -> None:
    """What they have again could not be found; with AllItems() nothing is otherwise than by default."""
    for candidates in ("", ", candidates=AllItems()", ", candidates=AllItems(unknown=True)"):
        write(project, REPEATS, "Popular", candidates)
        project.run().stdout.fnmatch_lines(
            ["*plays keeps repeated interactions, but*AllItems(repeats=True), or leave out*"]
        )
    assert project.count_fits() == 0


def test_seen_items_take_up_places_where_no_repeats_are_kept(project: Project) -> None:
    """The same model gives other lists, under another name, beside those without what users have seen."""
    steps = "Deduplicate(), UserHoldout(0.0, 0.2)"
    write(project, steps, "Popular", "")
    project.run().assert_outcomes(passed=1)
    write(project, steps, "Popular", ", candidates=AllItems()")
    assert "1 cached" in project.run().stdout.str()
    write(project, steps, "Popular", ", candidates=AllItems(repeats=True)")
    project.run().assert_outcomes(passed=1)
    results = open_store(project.pytester.path / "checkpoints").results().set_index("metric")["value"]
    assert 0 < results["NDCG[repeats]@10"] < results["NDCG@10"]
    recommended = lists(project, "Popular")
    assert len(set(recommended.groupby("user")["item"].agg(tuple))) == 1  # the most popular ones for everybody


@pytest.mark.parametrize("unknown", [True, False])
def test_items_that_nobody_has_in_training_are_ranked_where_that_is_asked_for(project: Project, unknown: bool) -> None:
    """A class may know them by something else; by default they are taken out of its lists."""
    write(project, BY_TIME, "Newest", f", candidates=AllItems(repeats=True, unknown={unknown})")
    project.run().assert_outcomes(passed=1)
    (directory,) = (project.pytester.path / "checkpoints" / "datasets").iterdir()
    item_ids: list[Any] = list(read_ids(directory, "items"))
    is_known = Fold(directory, 0).candidates
    known = [item for item, in_training in zip(item_ids, is_known, strict=True) if in_training]
    assert max(known) < max(item_ids)
    recommended = lists(project, "Newest")
    assert set(recommended[recommended["rank"] == 1]["item"]) == {max(item_ids if unknown else known)}


def test_given_candidates_may_be_seen_or_unknown(project: Project) -> None:
    """What is given is ranked, the seen and the unknown ones if they are allowed."""
    for allowed, expected in (("", False), (", repeats=True, unknown=True", True)):
        everything = "{user: list(range(30, 40)) for user in range(25)}"
        write(project, BY_TIME, "Newest", f", candidates=GivenCandidates({everything}{allowed})")
        project.run().assert_outcomes(passed=1)
        sizes = lists(project, "Newest").groupby("user").size()
        assert (sizes == 10).all() == expected


def test_repeats_stay_in_every_part(tmp_path: Path) -> None:
    """Training, history and test have all rows; what metrics are told of training has each pair once."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {"user": rng.integers(0, 8, 300), "item": rng.integers(0, 10, 300), "rating": rng.integers(1, 6, 300)}
    )
    prepare(from_frame(frame, "plays").pipe(KeepRepeats(), UserHoldout(0.1, 0.2)), tmp_path)
    fold = Fold(tmp_path, 0)
    assert fold.keeps_repeats
    assert len(fold.train) + len(fold.validation) + len(fold.test) == 300
    pairs = {(int(user), int(item)) for user, item in zip(fold.train.user, fold.train.item, strict=True)}
    assert len(pairs) < len(fold.train)
    (user, item), _ = fold.interactions_before()
    assert sorted(zip(user.tolist(), item.tolist(), strict=True)) == sorted(pairs)


def test_what_is_allowed_is_part_of_the_key() -> None:
    """By content; what allows nothing is the default."""
    identities = [
        AllItems(repeats=repeats, unknown=unknown).identity for repeats in (True, False) for unknown in (True, False)
    ]
    assert identities == [
        ["all/1", {"repeats": True, "unknown": True}],
        ["all/1", {"repeats": True}],
        ["all/1", {"unknown": True}],
        "unseen",
    ]
    assert repr(AllItems(repeats=True, unknown=True)) == "AllItems(repeats=True, unknown=True)"
    assert AllItems(unknown=True).note == "unknown"

"""Scores of runs and qrels against trec_eval itself, as pytrec_eval wraps it: graded levels, ties, users without lists."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytrec_eval

from omnibench import score

MEASURES = {
    "NDCG[gains=rating]@10": "ndcg_cut_10",
    "NDCG[gains=rating]@5": "ndcg_cut_5",
    "Recall@10": "recall_10",
    "Precision@5": "P_5",
    "HR@1": "success_1",
    "MAP[trec]@10": "map_cut_10",
    "MRR@100": "recip_rank",
    "RPrecision@100": "Rprec",
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with many ties, some of them behind seven digits, and qrels with levels from -1 to 3."""
    directory = tmp_path_factory.mktemp("trec")
    rng = np.random.default_rng(11)
    run, qrels = [], []
    for user in range(80):
        items = rng.permutation(60)
        scores = np.round(rng.normal(size=25), 1) + (rng.random(25) < 0.3) * 1e-9
        if user % 10:
            run += [
                f"u{user} Q0 item{i} {n} {s!r} r"
                for n, (i, s) in enumerate(zip(items[:25], scores.tolist(), strict=True))
            ]
        if user % 7:
            judged = rng.permutation(60)[:12]
            qrels += [f"u{user} 0 item{i} {rng.integers(-1, 4)}" for i in judged]
    qrels += ["u1000 0 item1 0", "u1000 0 item2 -1"]
    run.append("u1000 Q0 item1 1 0.5 r")
    qrels.append("u3 0 item3 3" if "u3 0 item3" not in "\n".join(qrels) else "u3 0 item99 3")
    rng.shuffle(run)
    (directory / "lists.run").write_text("\n".join(run) + "\n")
    (directory / "test.qrels").write_text("\n".join(qrels) + "\n")
    return directory


def trec_eval(directory: Path) -> dict[str, dict[str, float]]:
    """Return trec_eval's values of each user."""
    with (directory / "test.qrels").open() as file:
        qrels = pytrec_eval.parse_qrel(file)
    with (directory / "lists.run").open() as file:
        run = pytrec_eval.parse_run(file)
    evaluator = pytrec_eval.RelevanceEvaluator(qrels, {*pytrec_eval.supported_measures})
    values: dict[str, dict[str, float]] = evaluator.evaluate(run)
    return values


@pytest.mark.parametrize("convention", ["omnibench", "trec"])
def test_every_user_has_trec_evals_value(files: Path, convention: str) -> None:
    """Of all users whom trec_eval evaluates and who have a relevant item; those without a list count as zero."""
    expected = trec_eval(files)
    scores = score(files / "lists.run", files / "test.qrels", *MEASURES)
    per_user = scores.per_user
    assert len(per_user) > 60
    evaluated = [user for user in per_user.index if user in expected]
    assert set(per_user.index) - set(evaluated)
    irrelevant = expected.keys() - set(per_user.index)  # nothing is relevant for them, so they do not count
    assert {expected[user][measure] for user in irrelevant for measure in MEASURES.values()} <= {0.0}
    for label, measure in MEASURES.items():
        values = per_user[label]
        assert values[evaluated].tolist() == pytest.approx([expected[user][measure] for user in evaluated], abs=1e-12)
        assert (values.drop(evaluated) == 0).all()
    again = score(files / "lists.run", files / "test.qrels", "NDCG[gains=rating]@10", convention=convention)
    assert next(iter(again.values.values())) == scores["NDCG[gains=rating]@10"]


def test_dictionaries_are_those_of_pytrec_eval(files: Path) -> None:
    """What is given to pytrec_eval can be given to score, with its sorting under its convention."""
    with (files / "test.qrels").open() as qrels_file, (files / "lists.run").open() as run_file:
        qrels: Any = pytrec_eval.parse_qrel(qrels_file)
        run: Any = pytrec_eval.parse_run(run_file)
    labels = ["NDCG[gains=rating]@10", "Recall@10", "Precision@5", "MAP@10"]
    scores = score(run, qrels, *labels, convention="trec")
    from_files = score(files / "lists.run", files / "test.qrels", *labels, convention="trec")
    assert {user: row.tolist() for user, row in scores.per_user.iterrows()} == {
        user: row.tolist() for user, row in from_files.per_user.iterrows()
    }

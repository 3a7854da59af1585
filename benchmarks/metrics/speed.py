"""Every ranking metric at 5, 10 and 20, beside the packages that compute them: ``tox run -e speed-metrics``.

50,000 users with 20 recommendations each are judged by 1,000,000 test interactions (``-- --users 5000`` for fewer). All
packages get the same lists, in the form that each reads without converting; what each says is compared with ours.
Packages that are not installed are left out: ``python benchmarks/metrics/speed.py`` runs with what there is. Told are
CPU seconds (user and system, all threads), the least of several runs, and the most memory that ours allocates: of the
metrics from what is in memory, and of all of Eval, from the prepared files to values per user, standard errors and
intervals.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from omnibench import (
    AUC,
    F1,
    HR,
    MAP,
    MRR,
    NDCG,
    AveragePopularity,
    Gini,
    IntraListDiversity,
    ItemCoverage,
    Novelty,
    PopularityStratifiedRecall,
    Precision,
    Recall,
    RPrecision,
    Serendipity,
    ShannonEntropy,
    UserCoverage,
)
from omnibench.engine.evaluation import evaluate
from omnibench.guest.folds import recommendation_dtype
from omnibench.guest.parts import save_columns
from omnibench.metrics.hits import Truth, mark_hits
from omnibench.metrics.ranking_metric import RankingMetric
from omnibench.metrics.spread import mean_intervals, standard_errors
from omnibench.metrics.training import Training

LENGTH, ITEMS = 20, 10_000
TESTED = 20
"""Test interactions per user."""
KS = (5, 10, 20)
METRICS = [metric(KS) for metric in (NDCG, Recall, Precision, HR, MRR, MAP, F1, RPrecision)]
BEYOND = [
    kind(KS)
    for kind in (AUC, ItemCoverage, UserCoverage, Gini, ShannonEntropy, Novelty, AveragePopularity, Serendipity,
                 PopularityStratifiedRecall)
]  # fmt: skip
TAGS = {item: {item % 7, 7 + item % 11} for item in range(ITEMS)}
Ints = npt.NDArray[np.int32]
Columns = dict[str, tuple[float, npt.NDArray[np.float64]]]


@dataclass(frozen=True)
class Case:
    """Test pairs (sorted by user, in no order within) and the list of each user."""

    user: Ints
    item: Ints
    lists: Ints

    @property
    def users(self) -> Ints:
        """Codes of the users, who all have a list."""
        return np.arange(len(self.lists), dtype=np.int32)

    @property
    def size(self) -> int:
        """Bytes of the lists and the test pairs."""
        return self.user.nbytes + self.item.nbytes + self.lists.nbytes + self.users.nbytes

    @property
    def listed(self) -> pd.DataFrame:
        """The lists as a frame: user, item, rank, score."""
        rank = np.tile(np.arange(1, LENGTH + 1), len(self.lists))
        users = np.repeat(np.arange(len(self.lists)), LENGTH)
        return pd.DataFrame({"user": users, "item": self.lists.ravel(), "rank": rank, "score": 1.0 / rank})

    def write(self, directory: Path) -> Path:
        """Write a prepared dataset (whose training part is one row) and the predictions; return the predictions."""
        columns = {"user": np.append(self.user, np.int32(0)), "item": np.append(self.item, np.int32(0))}
        (directory / "fold_0").mkdir()
        test = np.arange(len(self.user))
        for name, rows in {"train": test[-1:] + 1, "validation": test[:0], "test": test}.items():
            save_columns(directory / "fold_0" / f"{name}.npy", columns, rows)
        manifest = {"users": len(self.lists), "items": ITEMS, "feedback": "implicit", "columns": list(columns)}
        (directory / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        predictions: Any = np.zeros(len(self.lists), dtype=recommendation_dtype(LENGTH))
        predictions["user"], predictions["item"], predictions["score"] = (
            self.users,
            self.lists,
            1.0 / np.arange(1, LENGTH + 1),
        )
        np.save(directory / "predictions.npy", predictions)
        return directory / "predictions.npy"


def make_case(users: int, seed: int = 1) -> Case:
    """Draw items by a power law; about one recommendation in six is relevant."""
    n_test = users * TESTED
    rng = np.random.default_rng(seed)
    share = 1.0 / np.arange(1, ITEMS + 1) ** 0.8
    drawn = rng.choice(ITEMS, size=(users, 3 * LENGTH), p=share / share.sum())
    lists = np.empty((users, LENGTH), dtype=np.int32)
    for row, items in enumerate(drawn):
        found = items[np.sort(np.unique(items, return_index=True)[1])][:LENGTH]
        rest = np.setdiff1d(np.arange(3 * LENGTH), found)[: LENGTH - len(found)]
        lists[row] = np.concatenate([found, rest])
    hit = np.argwhere(rng.random(lists.shape) < 1 / 6)
    code = hit[:, 0] * ITEMS + lists[hit[:, 0], hit[:, 1]]
    others = rng.integers(0, users, 2 * n_test) * ITEMS + rng.choice(ITEMS, 2 * n_test, p=share / share.sum())
    others = np.setdiff1d(others, np.repeat(np.arange(users), LENGTH) * ITEMS + lists.ravel())
    code = np.concatenate([np.unique(code), rng.permutation(others)])[:n_test]
    code = code[np.lexsort((rng.random(len(code)), code // ITEMS))]
    return Case((code // ITEMS).astype(np.int32), (code % ITEMS).astype(np.int32), lists)


def ours(case: Case, metrics: Sequence[RankingMetric] = METRICS, train: Case | None = None) -> Columns:
    """What Eval does, from the codes in memory: the value and the values per user of every column.

    Args:
        case: The lists and the test pairs.
        metrics: What to compute.
        train: Whose test pairs are the training pairs, for metrics that need some.
    """
    truth = Truth.of(case.user, case.item, ITEMS)
    training = None
    if train is not None:
        none = np.zeros(0, dtype=np.int32)
        pairs, empty = (train.user, train.item), (none, none)
        training = Training(lambda: (pairs, [pairs, empty]), len(case.lists), ITEMS, lambda: range(ITEMS))
    hits = mark_hits(truth, case.users, case.lists, training)
    columns = [(metric, k) for metric in metrics for k in KS]
    per_user = np.full((len(columns), len(truth.users)), np.nan)
    for place, block in hits.blocks():
        for row, (metric, k) in zip(per_user, columns, strict=True):
            values = metric.per_user(block, k)
            if values is not None:
                row[place] = values
    found = zip(columns, per_user, strict=True)
    return {f"{metric.name}@{k}": (metric.value(hits, k, row), row) for (metric, k), row in found}


def rectools(case: Case) -> Callable[[], dict[str, float]]:
    """RecTools has no list-wise F1 of our kind but the same columns else."""
    from rectools import metrics as m

    kinds = {"NDCG": m.NDCG, "Recall": m.Recall, "Precision": m.Precision, "HR": m.HitRate, "MRR": m.MRR, "MAP": m.MAP}
    wanted = {}
    for name, kind in kinds.items():
        for k in KS:
            options = {"NDCG": {"divide_by_achievable": True}}.get(name, {})
            wanted[f"{name}@{k}"] = kind(k=k, **options)
    wanted |= {f"F1@{k}": m.F1Beta(k=k) for k in KS}
    reco = case.listed.rename(columns={"user": "user_id", "item": "item_id"})
    test = pd.DataFrame({"user_id": case.user, "item_id": case.item})
    return lambda: m.calc_metrics(wanted, reco=reco, interactions=test)


def pytrec_eval(case: Case) -> Callable[[], dict[str, float]]:
    """pytrec_eval from dictionaries that are there already."""
    import pytrec_eval as package

    truth: dict[str, dict[str, int]] = {}
    for user, item in zip(case.user.tolist(), case.item.tolist(), strict=True):
        truth.setdefault(str(user), {})[str(item)] = 1
    runs = {
        str(user): {str(item): float(-rank) for rank, item in enumerate(items)}
        for user, items in enumerate(case.lists.tolist())
    }
    cuts = ",".join(map(str, KS))
    names = {"NDCG": "ndcg_cut", "Recall": "recall", "Precision": "P", "HR": "success"}

    def run() -> dict[str, float]:
        judge = package.RelevanceEvaluator(truth, {f"{name}.{cuts}" for name in names.values()})
        values = list(judge.evaluate(runs).values())
        return {
            f"{ours_}@{k}": float(np.mean([one[f"{name}_{k}"] for one in values]))
            for ours_, name in names.items()
            for k in KS
        }

    return run


def ranx(case: Case) -> Callable[[], dict[str, float]]:
    """Ranx, compiled beforehand, from its own objects."""
    from ranx import Qrels, Run, evaluate

    listed = case.listed.astype({"user": str, "item": str})
    test = pd.DataFrame({"user": case.user.astype(str), "item": case.item.astype(str), "gain": 1})
    qrels = Qrels.from_df(test, q_id_col="user", doc_id_col="item", score_col="gain")
    run_ = Run.from_df(listed, q_id_col="user", doc_id_col="item", score_col="score")
    names = {"NDCG": "ndcg", "Recall": "recall", "Precision": "precision", "HR": "hit_rate", "MRR": "mrr", "F1": "f1"}
    wanted = {f"{name}@{k}": f"{theirs}@{k}" for name, theirs in names.items() for k in KS}

    def run() -> dict[str, float]:
        found = evaluate(qrels, run_, list(wanted.values()), make_comparable=True)
        return {label: float(found[theirs]) for label, theirs in wanted.items()}

    run()
    return run


def least(run: Callable[[], Any], times: int) -> float:
    """Return the least CPU seconds of several runs."""
    best = float("inf")
    for _ in range(times):
        started = time.process_time()
        run()
        best = min(best, time.process_time() - started)
    return best


def peak(run: Callable[[], Any]) -> int:
    """Return the most bytes that are allocated at once; files that are mapped are none of them."""
    tracemalloc.start()
    run()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=50_000)
    users = parser.parse_args().users
    case = make_case(users)
    mine = {label: value for label, (value, _) in ours(case).items()}
    took = least(lambda: ours(case), 15)
    with tempfile.TemporaryDirectory() as directory:
        predictions = case.write(Path(directory))
        wanted = [(metric, label) for metric in METRICS for label in metric.labels]
        memory = [peak(lambda: ours(case)), peak(lambda: evaluate(Path(directory), 0, predictions, wanted))]
    times = " and ".join(f"{most / case.size:.2f}" for most in memory)
    codes = np.concatenate([case.user, case.item, case.lists.ravel()])
    reading = least(codes.sum, 9)
    print(f"{users} users x {LENGTH}, {len(case.user)} test pairs, {len(mine)} columns; least CPU seconds")
    print(f"  omnibench    {took:8.4f}")
    print(f"  allocated at most, by the metrics and by all of Eval: {times} times the input's {case.size / 1e6:.1f} MB")
    print(f"  reading the input once {reading:.4f} (1/{took / reading:.0f}); NDCG@20 is {mine['NDCG@20']:.4f}")
    per_user = np.array([row for _, row in ours(case).values()])
    spread = least(lambda: (standard_errors(per_user), mean_intervals(per_user)), 2)
    print(f"  standard errors and 1000 bootstrap replicates of all columns: {spread:.3f} more")
    train = make_case(users, 2)
    beyond = least(lambda: ours(case, BEYOND, train), 3)
    diversity = least(lambda: ours(case, [IntraListDiversity(TAGS, KS)], train), 3)
    print(f"  AUC and what is beyond accuracy: {beyond:.3f}, the diversity of 18 tags: {diversity:.3f}")
    fastest = float("inf")
    for peer in (rectools, pytrec_eval, ranx):
        if importlib.util.find_spec(peer.__name__) is None:
            print(f"  {peer.__name__:<12} is not installed")
            continue
        run = peer(case)
        said = run()
        wrong = [label for label, value in said.items() if label in mine and abs(value - mine[label]) > 1e-9]
        # Ours and theirs alternate, so that what else the machine does is in both.
        cost, again = least(run, 3), least(lambda: ours(case), 15)
        fastest = min(fastest, cost / again)
        told = f"; other conventions or rounding: {', '.join(wrong)}" if wrong else ""
        print(f"  {peer.__name__:<12} {cost:8.4f}   {cost / again:.0f} times ours, {len(said)} columns{told}")
    print(f"the fastest of these takes {fastest:.0f} times as long")


if __name__ == "__main__":
    main()

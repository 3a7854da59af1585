"""The conventions of other packages against those packages' own evaluation code, run on the same lists."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import pytrec_eval
import uv
from support.cases import LENGTH, Case, ranking_case, rating_case, tags_of_items
from support.markers import made_once

from omnibench import (
    AUC,
    F1,
    HR,
    MAE,
    MAP,
    MRR,
    NDCG,
    R2,
    RMSE,
    AveragePopularity,
    Evaluator,
    Gini,
    IntraListDiversity,
    ItemCoverage,
    Novelty,
    Precision,
    Recall,
    RecallCapped,
    RPrecision,
    ShannonEntropy,
)
from omnibench.errors import EvaluationError
from omnibench.guest.folds import LIST_SCORE, recommendation_dtype
from omnibench.metrics.base import Metric
from omnibench.paths import cache_directory

PEERS = Path(__file__).parent / "peers"
KS = [1, 5, 10, 20]
OMNIREC = "omnirec==1.1.0"


@pytest.fixture(scope="module")
@made_once
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    """Lists of full length for everybody; short and missing lists, ties, unknown users and items; predicted ratings."""
    full, ragged, ratings, graded = (tmp_path_factory.mktemp(name) for name in ("full", "ragged", "ratings", "graded"))
    return {
        "graded": ranking_case(graded, full=False, rated=True),
        "full": ranking_case(full, full=True),
        "ragged": ranking_case(ragged, full=False),
        "ratings": rating_case(ratings),
    }


def run(
    python: Path | str, script: str, cases: dict[str, Case], scratch: Path, *more: object
) -> dict[str, dict[str, float]]:
    """What a package says of the cases, in a process of its own."""
    given, output = scratch / "cases.json", scratch / "values.json"
    given.write_text(json.dumps({name: case.described(KS) for name, case in cases.items()}))
    command = [str(python), str(PEERS / script), str(given), str(output), *map(str, more)]
    single = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=single)
    assert done.returncode == 0, done.stderr[-3000:]
    values: dict[str, dict[str, float]] = json.loads(output.read_text())
    return values


Said = dict[str, dict[str, float]]


@pytest.fixture(scope="module")
def lenskit(
    cases: dict[str, Case], environment_python: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Said:
    """What LensKit says."""
    return run(environment_python("LensKit"), "lenskit_metrics.py", cases, tmp_path_factory.mktemp("lenskit"))


@pytest.fixture(scope="module")
def recpack(
    cases: dict[str, Case], environment_python: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Said:
    """What RecPack says; it rates nothing."""
    lists = {name: cases[name] for name in ("full", "ragged")}
    return run(environment_python("RecPack"), "recpack_metrics.py", lists, tmp_path_factory.mktemp("recpack"))


@pytest.fixture(scope="module")
def omnirec(cases: dict[str, Case], tmp_path_factory: pytest.TempPathFactory) -> Said:
    """What OmniRec says: its package without what it depends on, whatever Python it says that it needs."""
    final = cache_directory() / "peers" / OMNIREC
    if not final.is_dir():
        partial = final.with_name(f"{OMNIREC}.partial-{os.getpid()}")
        where = ["--python-version", "3.12", "--python", sys.executable, "--target", str(partial)]
        subprocess.run([uv.find_uv_bin(), "pip", "install", "--quiet", "--no-deps", *where, OMNIREC], check=True)
        with contextlib.suppress(OSError):  # another process was faster
            partial.rename(final)
    return run(sys.executable, "omnirec_metrics.py", cases, tmp_path_factory.mktemp("omnirec"), final)


def ours(case: Case, convention: str, *metrics: Metric) -> dict[str, float]:
    """What omnibench says of it under a convention."""
    return case.evaluate(*Evaluator(*metrics, convention=convention).metrics).values


def agree(found: dict[str, float], peer: dict[str, float]) -> None:
    """Every column to 1e-9, and the case is none where all agree by being trivial."""
    assert set(found) <= set(peer)
    assert found == pytest.approx({label: peer[label] for label in found}, abs=1e-9, rel=0)
    assert len(set(found.values())) > len(found) / 2


LISTS = pytest.mark.parametrize("lists", ["full", "ragged"])


@pytest.mark.guests
@LISTS
def test_lenskit_is_reproduced(lists: str, cases: dict[str, Case], lenskit: Said) -> None:
    """Its discount, its denominators, and its silence about users without a list."""
    metrics = (NDCG(KS), Recall(KS), Precision(KS), HR(KS), MRR(KS), MAP(KS), Gini(KS))
    agree(ours(cases[lists], "lenskit", *metrics), lenskit[lists])
    other = ours(cases[lists], "omnibench", *metrics)
    assert other["NDCG@10"] != pytest.approx(lenskit[lists]["NDCG@10"], abs=1e-4)


@pytest.mark.guests
def test_lenskits_gains_are_reproduced(cases: dict[str, Case], lenskit: Said) -> None:
    """Its NDCG with gain="rating", and its discounts."""
    agree(ours(cases["graded"], "lenskit", NDCG(KS, gains="rating")), lenskit["graded"])


@pytest.mark.guests
def test_lenskit_rates_per_user(cases: dict[str, Case], lenskit: Said) -> None:
    """Its summary of lists is the mean over users of each user's error."""
    agree(ours(cases["ratings"], "lenskit", RMSE(), MAE()), lenskit["ratings"])


@pytest.mark.guests
def test_recbole_is_reproduced(
    cases: dict[str, Case], environment_python: Callable[[str], Path], tmp_path: Path
) -> None:
    """Also the denominators of its coverage and Gini index, which count [PAD], and its entropy per item."""
    only = {"full": cases["full"]}  # it fills short lists up with items that it did not rank
    peer = run(environment_python("RecBole"), "recbole_metrics.py", only, tmp_path)["full"]
    accuracy = (NDCG(KS), Recall(KS), Precision(KS), HR(KS), MRR(KS), MAP(KS))
    beyond = (ItemCoverage(KS), Gini(KS), ShannonEntropy(KS), AveragePopularity(KS))
    agree(ours(cases["full"], "recbole", *accuracy, *beyond), peer)


@pytest.mark.guests
@LISTS
def test_omnirec_is_reproduced(lists: str, cases: dict[str, Case], omnirec: Said) -> None:
    """Its capped Recall, and its silence about users without a list."""
    agree(ours(cases[lists], "omnirec", NDCG(KS), HR(KS), Recall(KS), Precision(KS)), omnirec[lists])


@pytest.mark.guests
def test_omnirec_rates_over_all_pairs(cases: dict[str, Case], omnirec: Said) -> None:
    """OmniRec's rating errors are over all pairs, as omnibench's are by default."""
    agree(ours(cases["ratings"], "omnirec", RMSE(), MAE()), omnirec["ratings"])
    agree(ours(cases["ratings"], "omnibench", RMSE(), MAE()), omnirec["ratings"])


@pytest.mark.guests
@LISTS
def test_recpack_computes_what_omnibench_does_by_default(lists: str, cases: dict[str, Case], recpack: Said) -> None:
    """Its ranking metrics, the diversity of tags, and its coverage but for the catalogue that it divides by."""
    case, peer = cases[lists], recpack[lists]
    metrics = (NDCG(KS), Recall(KS), RecallCapped(KS), Precision(KS), MRR(KS), IntraListDiversity(tags_of_items(), KS))
    agree(ours(case, "omnibench", *metrics), peer)
    covered = ours(case, "omnibench", ItemCoverage(KS))
    known = int(case.fold.candidates.sum())
    for k in KS:
        assert covered[f"ItemCoverage@{k}"] * known == pytest.approx(peer[f"covered@{k}"] * case.fold.n_items)


def test_scores_that_32_bits_cannot_tell_apart_tie_in_trec_eval(cases: dict[str, Case], tmp_path: Path) -> None:
    """So they do under its convention, whatever their rank; other conventions go by the rank."""
    case = cases["full"]
    rows = case.rows.astype(recommendation_dtype(LENGTH, LIST_SCORE))
    rows["score"] = 1 - np.arange(LENGTH) * 1e-9
    close = Case(Path(shutil.copytree(case.directory, tmp_path / "close")))
    np.save(close.directory / "predictions.npy", rows)
    truth: dict[str, dict[str, int]] = {}
    for user, item in zip(close.fold.test.user.tolist(), close.fold.test.item.tolist(), strict=True):
        truth.setdefault(str(user), {})[str(item)] = 1
    columns = zip(rows["user"].tolist(), rows["item"].tolist(), rows["score"].tolist(), strict=True)
    runs = {str(user): dict(zip(map(str, items), scores, strict=True)) for user, items, scores in columns}
    evaluated = pytrec_eval.RelevanceEvaluator(truth, {"recip_rank"}).evaluate(runs)
    expected = np.mean([values["recip_rank"] for values in evaluated.values()])
    assert ours(close, "trec", MRR(LENGTH))[f"MRR@{LENGTH}"] == pytest.approx(expected)
    assert ours(close, "omnibench", MRR(LENGTH)) == ours(case, "omnibench", MRR(LENGTH))
    assert ours(case, "omnibench", MRR(LENGTH))[f"MRR@{LENGTH}"] != pytest.approx(expected)


@LISTS
def test_trec_eval_is_reproduced(lists: str, cases: dict[str, Case]) -> None:
    """With its order of tied scores, for all test users (its option -c)."""
    case = cases[lists]
    told = case.described(KS)
    truth: dict[str, dict[str, int]] = {}
    for one in told["test"]:
        truth.setdefault(str(one["user"]), {})[str(one["item"])] = 1
    runs: dict[int, dict[str, dict[str, float]]] = {k: {} for k in KS}
    for one in told["lists"]:
        runs[KS[-1]].setdefault(str(one["user"]), {})[str(one["item"])] = one["score"]
    for k in KS[:-1]:  # trec_eval has no cut-off for these two, so its own order is cut before
        for user, run in runs[KS[-1]].items():
            best = sorted(run, key=lambda item: (run[item], item.encode()), reverse=True)[:k]
            runs[k][user] = {item: run[item] for item in best}

    def mean(measure: str, name: str, k: int = KS[-1]) -> float:
        values = pytrec_eval.RelevanceEvaluator(truth, {measure}).evaluate(runs[k])
        return sum(values.get(user, {}).get(name, 0.0) for user in truth) / len(truth)

    peer = {
        f"{metric}@{k}": mean(f"{name}.{k}", f"{name}_{k}")
        for metric, name in (
            ("NDCG", "ndcg_cut"), ("Recall", "recall"), ("Precision", "P"), ("HR", "success"), ("MAP", "map_cut")
        )
        for k in KS
    }  # fmt: skip
    peer |= {f"MRR@{k}": mean("recip_rank", "recip_rank", k) for k in KS}
    peer |= {f"RPrecision@{k}": mean("Rprec", "Rprec", k) for k in KS}
    metrics = (NDCG(KS), Recall(KS), Precision(KS), HR(KS), MRR(KS), MAP(KS), RPrecision(KS))
    agree(ours(case, "trec", *metrics), peer)
    if lists == "ragged":
        assert ours(case, "omnibench", NDCG(10))["NDCG@10"] != pytest.approx(peer["NDCG@10"], abs=1e-6)


@pytest.mark.parametrize(
    ("convention", "metric"),
    [("omnirec", MRR(10)), ("recbole", F1(10)), ("lenskit", R2()), ("trec", RMSE()), ("trec", Novelty(5)), ("recbole", AUC(5))],
)  # fmt: skip
def test_what_a_package_does_not_have_is_refused(convention: str, metric: Metric) -> None:
    """There is nothing to reproduce; the error names package and metric."""
    with pytest.raises(EvaluationError, match=f"has no {metric.name}, so there is no convention"):
        Evaluator(metric, convention=convention)


def test_an_unknown_convention_is_refused() -> None:
    """The error lists those that there are."""
    with pytest.raises(EvaluationError, match="no convention 'elliot'; there are omnibench, omnirec, recbole"):
        Evaluator(NDCG(10), convention="elliot")


def test_a_convention_is_part_of_the_key_and_the_default_is_not() -> None:
    """The same metric under two conventions is two evaluations; what is recorded stays."""
    (plain,), (theirs,) = (Evaluator(NDCG(10), convention=one).metrics for one in ("omnibench", "lenskit"))
    assert plain.identity("NDCG@10") == ["NDCG", {"k": 10}, 1]
    assert theirs.identity("NDCG@10") == ["NDCG", {"k": 10}, 1, "lenskit"]
    assert NDCG(10).under("lenskit").under("omnibench").identity("NDCG@10") == plain.identity("NDCG@10")


def test_costs_and_own_metrics_have_no_convention() -> None:
    """An evaluator that follows a package takes them as they are."""
    from omnibench import FitTime

    evaluator = Evaluator(NDCG(10), FitTime(), convention="trec")
    assert [metric.convention for metric in evaluator.metrics] == ["trec", "omnibench"]
    assert evaluator.costs == ["FitTime"]

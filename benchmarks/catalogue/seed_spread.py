"""How much NDCG@10 varies with the seed: ``python benchmarks/catalogue/seed_spread.py --raw spread.json``.

Fits each algorithm with several seeds on one holdout of MovieLens-100K (ratings of 4 and more, a fifth for the test), and
writes the standard deviation over seeds of the mean over users, and that relative to the mean over seeds. With ``--directory``
an interrupted measurement goes on; that of ``benchmarks/statistics/seeded_fits.py`` has the fits of three algorithms already.
``columns.py`` puts it into the catalogue.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

from omnibench import (
    NDCG,
    CorePruning,
    Evaluator,
    ExperimentPlan,
    MakeImplicit,
    UserHoldout,
    load_dataset,
    run_omnirec,
    set_random_state,
)

QUICK: dict[str, dict[str, Any]] = {
    "LensKit.ImplicitMFScorer": {"embedding_size": 50},
    "LensKit.FlexMFImplicitScorer": {},
    "RecPack.Random": {},
    "RecPack.SVD": {},
    "RecPack.NMF": {},
    "RecPack.SVDItemToItem": {},
    "RecPack.NMFItemToItem": {},
    "RecPack.BPRMF": {},
    "RecBole.Random": {},
    "RecBole.NCEPLRec": {},
    "RecBole.BPR": {"epochs": 10},
    "RecBole.LightGCN": {"epochs": 10},
    "RecBole.MultiVAE": {"epochs": 15},
    "RecBole.MultiDAE": {"epochs": 15},
}
"""What is fitted in seconds, with how many epochs where the framework's own number would take minutes."""

DATA = "MovieLens-100K, one holdout"


def text_of(parameters: dict[str, Any]) -> str:
    """Say what was fitted on what."""
    settings = [f"{value} {name}" if name == "epochs" else f"{name} {value}" for name, value in parameters.items()]
    return ", ".join([DATA, *(settings or ["default hyperparameters"])])


def main() -> None:
    """Measure, and write after each algorithm."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--raw", type=Path, required=True, help="the file that is written; what it has already is kept")
    parser.add_argument("--directory", help="where checkpoints are kept (default: nowhere)")
    parser.add_argument("--only", nargs="*", default=list(QUICK), choices=QUICK)
    given = parser.parse_args()
    found = json.loads(given.raw.read_text()) if given.raw.exists() else {}
    set_random_state(42)
    dataset = load_dataset("MovieLens100K").pipe(MakeImplicit(4), CorePruning(5), UserHoldout(0, 0.2))
    with tempfile.TemporaryDirectory() as scratch:
        for algorithm in given.only:
            plan = ExperimentPlan("spread")
            plan.add_algorithm(algorithm, QUICK[algorithm])
            values = []
            for seed in range(1, given.seeds + 1):
                set_random_state(seed)
                results = run_omnirec(dataset, plan, Evaluator(NDCG(10)), given.directory or scratch, quiet=True)
                values.append(float(results.to_frame()["value"].item()))
            mean, deviation = statistics.mean(values), statistics.stdev(values)
            print(f"{algorithm}: {mean:.4f} ±{deviation:.4f}", flush=True)
            found[algorithm] = {
                "NDCG@10": {
                    "sd": round(deviation, 6),
                    "relative_sd": round(deviation / mean, 5),
                    "seeds": given.seeds,
                    "data": text_of(QUICK[algorithm]),
                }
            }
            given.raw.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()

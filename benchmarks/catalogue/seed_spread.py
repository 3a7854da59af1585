"""How much NDCG@10 varies with the seed: ``python benchmarks/catalogue/seed_spread.py --raw spread.json``.

Fits each algorithm with several seeds and its framework's hyperparameters on one holdout of MovieLens-100K (ratings of 3 and
more, a tenth for validation, a fifth for the test), and writes the mean over users of each seed, their standard deviation, and
that relative to their mean. With ``--directory`` an interrupted measurement goes on. ``columns.py`` puts it into the catalogue.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path

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

QUICK = (
    *("LensKit.ImplicitMFScorer", "LensKit.FlexMFImplicitScorer"),
    *("RecPack.Random", "RecPack.SVD", "RecPack.NMF", "RecPack.SVDItemToItem", "RecPack.NMFItemToItem"),
    *("RecPack.BPRMF", "RecPack.MultVAE", "RecBole.BPR", "RecBole.MultiVAE", "RecBole.MultiDAE", "RecBole.NeuMF"),
)
"""What is fitted in a minute or two."""

DATA = "MovieLens-100K, one holdout, default hyperparameters"


def main() -> None:
    """Measure, and write after each algorithm."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--raw", type=Path, required=True, help="the file that is written; what it has already is kept")
    parser.add_argument("--directory", help="where checkpoints are kept (default: nowhere)")
    parser.add_argument("--only", nargs="*", default=QUICK)
    given = parser.parse_args()
    found = json.loads(given.raw.read_text()) if given.raw.exists() else {}
    dataset = load_dataset("MovieLens100K").pipe(MakeImplicit(3), CorePruning(5), UserHoldout(0.1, 0.2))
    with tempfile.TemporaryDirectory() as scratch:
        for algorithm in given.only:
            plan = ExperimentPlan("spread")
            plan.add_algorithm(algorithm)
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
                    "data": DATA,
                }
            }
            given.raw.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()

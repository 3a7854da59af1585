"""RecBole's own evaluation of given predictions: python recbole_metrics.py CASES OUTPUT."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from recbole.evaluator import Collector, Evaluator

vars(np).update(float=float, bool=bool)  # RecBole 1.2.1 uses these names, which numpy has dropped

OURS = {
    "ndcg": "NDCG",
    "recall": "Recall",
    "precision": "Precision",
    "hit": "HR",
    "mrr": "MRR",
    "map": "MAP",
    "itemcoverage": "ItemCoverage",
    "giniindex": "Gini",
    "shannonentropy": "ShannonEntropy",
    "averagepopularity": "AveragePopularity",
}


def values_of(case: dict[str, Any]) -> dict[str, float]:
    """Return every metric, by label."""
    padded = case["n_items"] + 1  # item 0 is [PAD]
    config = {
        "metrics": ["NDCG", "Recall", "Precision", "Hit", "MRR", "MAP", "ItemCoverage", "GiniIndex", "ShannonEntropy"],
        "topk": case["k"],
        "eval_args": {"mode": "full"},
        "device": torch.device("cpu"),
        "metric_decimal_place": 15,
    }
    config["metrics"].append("AveragePopularity")
    users = sorted({one["user"] for one in case["test"]})
    row = {user: number for number, user in enumerate(users)}
    scores = torch.full((len(users), padded), -torch.inf)
    for one in case["lists"]:
        scores[row[one["user"]], one["item"] + 1] = -float(one["rank"])
    positive_u = torch.tensor([row[one["user"]] for one in case["test"]])
    positive_i = torch.tensor([one["item"] + 1 for one in case["test"]])
    collector = Collector(config)
    collector.data_struct.set("data.num_items", padded)
    collector.data_struct.set("data.count_items", Counter(item + 1 for item in case["train_items"]))
    collector.eval_batch_collect(scores, None, positive_u, positive_i)
    values = Evaluator(config).evaluate(collector.data_struct)
    named = {}
    for label, value in values.items():
        name, _, k = label.partition("@")
        named[f"{OURS[name]}@{k}"] = float(value)
    return named


def main(cases: str, output: str) -> None:
    """Write the values of each case, by its name."""
    found = {name: values_of(case) for name, case in json.loads(Path(cases).read_text()).items()}
    Path(output).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])

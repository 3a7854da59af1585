"""LensKit's own evaluation of given predictions: python lenskit_metrics.py CASES OUTPUT."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd
from lenskit.data import ItemListCollection
from lenskit.metrics import MAE, NDCG, RMSE, Hit, ListGini, Precision, Recall, RecipRank, RunAnalysis
from lenskit.metrics.ranking import AveragePrecision

OURS = {"RecipRank": "MRR", "AveragePrecision": "MAP", "Hit": "HR", "ListGini": "Gini"}


def collection(rows: list[dict[str, object]]) -> ItemListCollection:
    """Make the collection that LensKit reads from a frame."""
    frame = pd.DataFrame(rows).rename(columns={"user": "user_id", "item": "item_id"})
    return ItemListCollection.from_df(frame, ["user_id"])


def values_of(case: dict[str, Any]) -> dict[str, float]:
    """Return every metric, by label."""
    values = {}
    if "ratings" in case:
        analysis = RunAnalysis(RMSE(), MAE())
        predicted = [{"user": one["user"], "item": one["item"], "score": one["predicted"]} for one in case["ratings"]]
        truth = [{"user": one["user"], "item": one["item"], "rating": one["rating"]} for one in case["ratings"]]
        summary = analysis.measure(collection(predicted), collection(truth)).list_summary()
        values = summary["mean"].to_dict()
    else:
        lists, test = collection(case["lists"]), collection(case["test"])
        for k in case["k"]:
            measured = [metric(k) for metric in (NDCG, Recall, Precision, Hit, RecipRank, AveragePrecision)]
            result = RunAnalysis(*measured, ListGini(k, items=case["catalogue"])).measure(lists, test)
            found = {**result.list_summary()["mean"].to_dict(), **result.global_metrics().to_dict()}
            for label, value in found.items():
                name = label.partition("@")[0]
                values[f"{OURS.get(name, name)}@{k}"] = value
            if "rating" in case["test"][0]:
                graded = RunAnalysis(NDCG(k, gain="rating")).measure(lists, test).list_summary()
                values[f"NDCG[gains=rating]@{k}"] = float(graded["mean"].iloc[0])
    return values


def main(cases: str, output: str) -> None:
    """Write the values of each case, by its name."""
    found = {name: values_of(case) for name, case in json.loads(Path(cases).read_text()).items()}
    Path(output).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])

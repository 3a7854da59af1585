"""RecPack's own evaluation of given predictions: python recpack_metrics.py CASES OUTPUT."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from recpack.metrics import (
    NDCGK,
    CalibratedRecallK,
    CoverageK,
    IntraListDiversityK,
    PrecisionK,
    RecallK,
    ReciprocalRankK,
)
from scipy.sparse import csr_matrix

OURS = {
    "NDCG": NDCGK,
    "Recall": RecallK,
    "RecallCapped": CalibratedRecallK,
    "Precision": PrecisionK,
    "MRR": ReciprocalRankK,
    "covered": CoverageK,
    "IntraListDiversity": IntraListDiversityK,
}


def values_of(case: dict[str, Any]) -> dict[str, float]:
    """Return every metric, by label."""
    shape = (1 + max(one["user"] for one in case["test"]), case["n_items"])

    def matrix(rows: list[dict[str, float]], value: str | None) -> csr_matrix:
        values = np.array([1.0 / one[value] if value else 1.0 for one in rows])
        return csr_matrix((values, ([one["user"] for one in rows], [one["item"] for one in rows])), shape=shape)

    truth, lists = matrix(case["test"], None), matrix(case["lists"], "rank")
    tags = sorted({tag for several in case["tags"].values() for tag in several})
    features = np.array([[tag in case["tags"][str(item)] for tag in tags] for item in range(case["n_items"])])
    values = {}
    for k in case["k"]:
        for name, metric in OURS.items():
            measured = metric(k)
            if name == "IntraListDiversity":
                measured.fit(csr_matrix(features))
            measured.calculate(truth, lists)
            values[f"{name}@{k}"] = float(measured.value)
    return values


def main(cases: str, output: str) -> None:
    """Write the values of each case, by its name."""
    found = {name: values_of(case) for name, case in json.loads(Path(cases).read_text()).items()}
    Path(output).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""OmniRec's own evaluation of given predictions: python omnirec_metrics.py CASES OUTPUT PACKAGE.

PACKAGE is where OmniRec lies without what it depends on; its package is not imported as a whole, only its metrics.
"""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path
from typing import Any

import pandas as pd


def values_of(case: dict[str, Any]) -> dict[str, float]:
    """Return every metric, by label."""
    from omnirec.metrics.prediction import MAE, RMSE
    from omnirec.metrics.ranking import HR, NDCG, Precision, Recall

    values: dict[str, float] = {}
    if "ratings" in case:
        rows = pd.DataFrame(case["ratings"])
        predicted = rows[["user", "item"]].assign(rating=rows["predicted"])
        for metric in (RMSE(), MAE()):
            found = metric.calculate(predicted, rows[["user", "item", "rating"]])
            values[found.name] = float(found.result)
    else:
        lists, test = pd.DataFrame(case["lists"]), pd.DataFrame(case["test"])
        for metric in (NDCG(case["k"]), HR(case["k"]), Recall(case["k"]), Precision(case["k"])):
            found = metric.calculate(lists, test)
            values |= {f"{found.name}@{k}": float(value) for k, value in found.result.items()}
    return values


def main(cases: str, output: str, package: str) -> None:
    """Write the values of each case, by its name."""
    bare = types.ModuleType("omnirec")
    bare.__path__ = [str(Path(package) / "omnirec")]
    sys.modules["omnirec"] = bare
    found = {name: values_of(case) for name, case in json.loads(Path(cases).read_text()).items()}
    Path(output).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])

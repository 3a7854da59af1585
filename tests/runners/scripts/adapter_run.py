"""Fit and predict through omnibench's adapter; what it notes, and all hyperparameters, go into JSON files.

python adapter_run.py GUEST_DIRECTORY MODULE DATASET FOLD SEED LENGTH ALGORITHM PARAMETERS_JSON OUTPUT ...

Algorithm, parameters and output may be repeated: importing a framework takes longer than small experiments.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from guest_package import asked, open_session


def main(guest: str, module: str, dataset: str, fold: str, seed: str, k: str, *experiments: str) -> None:
    """Write the recommendation file of each experiment."""
    session = open_session(guest, module)
    for algorithm, parameters, output in zip(experiments[::3], experiments[1::3], experiments[2::3], strict=True):
        with tempfile.TemporaryDirectory() as directory:
            request: dict[str, Any] = {
                "op": "fit",
                "algorithm": algorithm,
                "parameters": json.loads(parameters),
                "seed": int(seed),
                "device": "cpu",
                "threads": 1,
                "dataset": dataset,
                "fold": int(fold),
                "output": directory,
                "fit_key": algorithm,
            }
            fitted = asked(session, request)
            Path(f"{output}.notes").write_text(json.dumps(fitted["notes"]), encoding="utf-8")
            Path(f"{output}.effective").write_text(json.dumps(fitted["effective"]), encoding="utf-8")
            model = f"{directory}/{fitted['file']}"
            asked(session, request | {"op": "predict", "k": int(k), "model": model, "output": output})


if __name__ == "__main__":
    main(*sys.argv[1:])

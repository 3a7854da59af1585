"""Fit and predict through omnibench's adapter.

python adapter_run.py GUEST_DIRECTORY MODULE DATASET FOLD ALGORITHM PARAMETERS_JSON SEED LENGTH OUTPUT
"""

from __future__ import annotations

import json
import sys
import tempfile
from typing import Any

from guest_package import asked, open_session


def main(
    guest: str, module: str, dataset: str, fold: str, algorithm: str, parameters: str, seed: str, k: str, output: str
) -> None:
    """Write the recommendation file of one experiment."""
    session = open_session(guest, module)
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
            "fit_key": "one",
        }
        model = f"{directory}/{asked(session, request)['file']}"
        asked(session, request | {"op": "predict", "k": int(k), "model": model, "output": output})


if __name__ == "__main__":
    main(*sys.argv[1:])

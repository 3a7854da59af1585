"""Fits of many algorithms in one process of a framework's environment, each told by the sha256 of its predictions.

``python fits.py GUEST_DIRECTORY MODULE THREADS SEED LIMIT`` reads ``[[algorithm, parameters, dataset], ...]`` as JSON from
stdin and prints a line of JSON for each. ``repeatability.py`` runs it; the number of threads is in the environment, too,
and so is the path of ``guest_package``, by which the tests of the frameworks open omnibench's adapters as well.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

LENGTH = 20
"""Recommendations per user."""


def use_threads(threads: int) -> None:
    """Give OpenBLAS its threads, which takes no more than there are cores from the environment."""
    threadpoolctl: Any = importlib.import_module("threadpoolctl")  # every framework has it
    threadpoolctl.threadpool_limits(threads, user_api="blas")


def digest_of(session: Any, request: dict[str, Any], threads: int) -> str:
    """Fit and predict; return the sha256 of the predictions."""
    with tempfile.TemporaryDirectory() as directory:
        fitted = session.answer({**request, "op": "fit", "output": directory})
        use_threads(threads)  # a framework may have loaded another library by now
        if not fitted["ok"]:
            raise RuntimeError(fitted["error"])
        model, output = f"{directory}/{fitted['file']}", f"{directory}/predictions.npy"
        predicted = session.answer({**request, "op": "predict", "k": LENGTH, "model": model, "output": output})
        if not predicted["ok"]:
            raise RuntimeError(predicted["error"])
        return hashlib.sha256(Path(output).read_bytes()).hexdigest()


def main(directory: str, module: str, threads: str, seed: str, limit: str) -> None:
    """Fit one algorithm after the other."""

    def end(*_: object) -> None:
        raise TimeoutError(f"took more than {limit} s")

    signal.signal(signal.SIGALRM, end)
    out = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115 - stays open
    sys.stdout = sys.stderr  # frameworks print
    guest_package: Any = importlib.import_module("guest_package")
    session = guest_package.open_session(directory, module)
    use_threads(int(threads))
    for algorithm, parameters, dataset in json.load(sys.stdin):
        request = {
            "algorithm": algorithm,
            "parameters": parameters,
            "seed": int(seed),
            "device": "cpu",
            "threads": int(threads),
            "dataset": dataset,
            "fold": 0,
            "fit_key": f"{algorithm} on {dataset}",
        }
        started = time.perf_counter()
        told: dict[str, Any] = {"algorithm": algorithm, "dataset": Path(dataset).name}
        signal.alarm(int(limit))
        try:
            told["sha256"] = digest_of(session, request, int(threads))
        except (RuntimeError, TimeoutError) as error:
            told["error"] = str(error)
        finally:
            signal.alarm(0)
        print(json.dumps({**told, "seconds": round(time.perf_counter() - started, 2)}), file=out)


if __name__ == "__main__":
    main(*sys.argv[1:])

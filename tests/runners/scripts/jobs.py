"""What the frameworks' own scripts share: a list of algorithms to run one after the other.

It knows nothing of omnibench, so that a script stays an independent witness.
"""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass
class Job:
    """An algorithm to run.

    Attributes:
        algorithm: Its name in the framework.
        settings: Hyperparameters that are not the framework's defaults.
        changes: What else is done otherwise than by default, by name; each script says what it knows.
        output: The ``.npy`` file for the lists, or the ratings of the test part.
    """

    algorithm: str
    settings: dict[str, Any]
    changes: list[str]
    output: str


def run_jobs(file: str, run: Callable[[Job], np.ndarray], defaults: Callable[[str], dict[str, Any]]) -> None:
    """Run what a JSON file lists; write each result, or its traceback beside it, and each algorithm's defaults."""
    for job in [Job(**members) for members in json.loads(Path(file).read_text(encoding="utf-8"))]:
        start = time.perf_counter()
        try:
            np.save(job.output, run(job))
        except Exception:
            Path(f"{job.output}.error").write_text(traceback.format_exc(), encoding="utf-8")
        Path(f"{job.output}.defaults").write_text(json.dumps(defaults(job.algorithm), default=str), encoding="utf-8")
        print(job.algorithm, f"{time.perf_counter() - start:.1f} s", flush=True)

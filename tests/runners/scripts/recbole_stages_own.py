"""RecBole's models that take several runs, as its documentation runs them: a script for each, which reads the file of the one before.

python recbole_stages_own.py DATASET FOLD SEED JOBS      (the working directory may have items.tsv and users.tsv)

A job's settings have ``runs``, those of each run, and ``source``, the setting that names the file.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from fold_files import FoldFiles
from jobs import Job
from recbole_features_own import main as trained
from recbole_lists import run_lists

SAVED = Path("saved")
"""Where RecBole's runs save their models."""


def main(files: FoldFiles, seed: int, job: Job) -> np.ndarray:
    """Return the top-20 lists of the last run with scores, shape (users, 20)."""
    shared = {name: value for name, value in job.settings.items() if name not in ("runs", "source")}
    before = set(SAVED.glob("*"))
    for own in job.settings["runs"]:
        lists = trained(files, seed, replace(job, settings={**shared, **own}))
        latest = max(set(SAVED.glob("*")) - before, key=lambda path: path.stat().st_mtime_ns)
        shared[job.settings["source"]] = str(latest)
    return lists


if __name__ == "__main__":
    run_lists(main)

"""What RecBole's own scripts whose lists alone are compared share: the command line, and a single thread."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import torch
from fold_files import FoldFiles
from jobs import Job, run_jobs


def run_lists(main: Callable[[FoldFiles, int, Job], np.ndarray]) -> None:
    """Run the jobs of the command line: the dataset, the fold, the seed, and the file of the jobs.

    Args:
        main: Returns the lists of a job.
    """
    dataset, fold, seed, jobs = sys.argv[1:]
    files = FoldFiles(dataset, fold)
    torch.set_num_threads(1)
    sys.argv = sys.argv[:1]  # Config would take the command line for settings
    run_jobs(jobs, lambda job: main(files, int(seed), job), lambda _: {})

"""What does not depend on a process: its order of sets, above all."""

from __future__ import annotations

import subprocess
import sys


def run_with_hash_seeds(code: str) -> list[subprocess.CompletedProcess[str]]:
    """Run Python code in two processes with different hash seeds, all warnings shown; return how they ended."""
    return [
        subprocess.run(
            [sys.executable, "-W", "always", "-c", code],
            check=True,
            capture_output=True,
            text=True,
            env={"PYTHONHASHSEED": seed},
        )
        for seed in ("1", "2")
    ]

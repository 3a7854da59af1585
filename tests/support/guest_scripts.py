"""Scripts that run inside a framework's isolated environment."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import omnibench

SCRIPTS = Path(__file__).parents[1] / "runners" / "scripts"
GUEST = Path(omnibench.__path__[0]) / "guest"


def run(python: Path, script: str, *arguments: object, cwd: Path) -> None:
    """Run a script inside a framework's environment, single-threaded; fail with its last words."""
    single = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "MKL", "OPENBLAS", "NUMBA", "RAYON")}
    variables = {**os.environ, **single}
    variables.pop("PYTHONSAFEPATH", None)  # the scripts import their neighbours
    command = [str(python), str(SCRIPTS / script), *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]

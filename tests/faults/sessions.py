"""Real sessions of pytest over stores from strangers: cached ones, and ones that compute, under the judge."""

from __future__ import annotations

import os
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support.inner import import_everything, run_inside
from support.projects import BENCH, IN_A_FRAME, OWN_ALGORITHMS, imports_of

from faults.children import Child, Ended
from faults.hostile import Judge, Stranger

_PATIENCE = 180.0
_MEASURED = "NDCG([5, 10]), HR(10)"
METRICS = {"cached": _MEASURED, "a new metric": f"{_MEASURED}, MRR(10)", "longer lists": f"{_MEASURED}, HR(30)"}
"""What is asked for: what is there, what needs Eval, and what needs Predict with the recorded model."""

_ALLOWED = (pytest.ExitCode.OK, pytest.ExitCode.USAGE_ERROR)


class HostileSessions:
    """A finished store of a real session, copies of which are changed by strangers.

    The bench file lies beside the project, so that pytest has nothing to read there but the store.

    Args:
        directory: An empty directory of its own.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._benches, self._clean, self._project = directory / "benches", directory / "clean", directory / "project"
        self._root = self._project / "checkpoints"
        self._benches.mkdir(parents=True)
        (self._benches / "own_algorithms.py").write_text(OWN_ALGORITHMS)
        (self._benches / "pytest.ini").write_text("[pytest]\naddopts = -p no:cacheprovider -p no:hypothesispytest\n")
        import_everything()
        ended = self._session(_MEASURED, self._clean)
        assert ended.outcome == {"wrong": []}, (ended, ended.outcome, ended.error)

    def point(self, seed: int, metrics: str) -> tuple[str, list[str]]:
        """Let a stranger change the store, and run pytest over it; return what he did, and what is wrong then."""
        shutil.rmtree(self._project, ignore_errors=True)
        shutil.copytree(self._clean, self._root)
        (self._project / "secrets.json").write_text('{"token": "theirs"}')
        stranger = Stranger(seed, self._project)
        stranger.change(self._root)
        ended = self._session(METRICS[metrics], self._root)
        wrong = list(ended.outcome["wrong"]) if ended.outcome else [f"it ended with {ended}: {ended.error}"]
        if {path.name for path in self._project.iterdir()} != {"secrets.json", "checkpoints"}:
            wrong.append("there is something new beside the store")
        return f"stranger {seed}, {metrics} ({'; '.join(stranger.said)})", wrong

    def _session(self, metrics: str, root: Path) -> Ended:
        plan = "plan.add_algorithm(Popular)"
        imports = imports_of(f"{plan} {metrics}")
        bench = BENCH.format(imports=imports, data=IN_A_FRAME, plan=plan, metrics=metrics, body="...")
        (self._benches / "bench_tiny.py").write_text(bench)
        return Child(
            partial(_watched_session, self._benches, root, self._directory / "log"), self._directory / "log"
        ).wait(_PATIENCE)


def _watched_session(benches: Path, root: Path, log: Path) -> dict[str, Any]:
    """Run pytest in this process, which is a child; an exit status may say that something was refused, nothing else."""
    os.chdir(benches)
    os.environ["COUNT_FITS_IN"] = str(benches)
    judge = Judge(root, [benches, log], root.parent)
    result = run_inside(benches, "-q", f"--omnirec-checkpoint-dir={root}")
    output = "\n".join((*result.outlines, *result.errlines))
    wrong = list(dict.fromkeys(judge.touched))
    if result.ret not in _ALLOWED or "INTERNALERROR" in output or "Traceback" in output:
        wrong.append(f"exit status {result.ret}: {output[-4000:]}")
    return {"wrong": wrong}

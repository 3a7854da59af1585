"""``pytest -f`` runs once per change of a source, not because of what a run has written."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from support.projects import IN_A_FRAME, Project
from support.runs import output_of, started, wait_until

from omnibench.plugin.looponfail import watch_sources_only, written_paths

looponfail = pytest.importorskip("xdist.looponfail")

START = "import os, sys, pytest; os.chdir('shop'); sys.exit(pytest.main(sys.argv[1:]))"


def runs(project: Project) -> int:
    """How many runs have ended so far."""
    return len(re.findall("# waiting for changes #", output_of(project)))


@pytest.mark.slow
def test_once_per_change(project: Project) -> None:
    """A run computes, and waits; a change of the bench file is one more run, with everything cached."""
    project.bench(data=IN_A_FRAME)
    shop = project.pytester.mkdir("shop")  # beside the output and the marks of this test
    bench = (project.pytester.path / "bench_tiny.py").rename(shop / "bench_tiny.py")
    (shop / "pytest.ini").write_text("[pytest]\naddopts = -p no:cacheprovider -p no:hypothesispytest\n")
    program = ["-u", "-c", START, "-f", "--omnirec-export=results.md"]
    with started(project, program=program) as run:
        wait_until(lambda: runs(project) == 1)
        time.sleep(5)  # more than twice the time between xdist's looks
        assert output_of(project).count("test session starts") == 1
        bench.write_text(bench.read_text() + "# changed\n")
        wait_until(lambda: runs(project) == 2)
        time.sleep(5)
        assert output_of(project).count("test session starts") == 2
        assert run.poll() is None
    assert (shop / "results.md").exists()
    assert (shop / "checkpoints").exists()
    assert "2 passed" in output_of(project)
    assert "2 cached" in output_of(project)
    assert project.count_fits() == 2


def test_what_is_passed_over(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store, wherever it is, the frameworks' directories, exports and the new baseline; nothing that is like them."""
    root = pytester.path
    config = pytester.parseconfig(
        "--omnirec-checkpoint-dir=results/store",
        "--omnirec-tmp-dir=scratch",
        "--omnirec-export=report.md",
        "--omnirec-baseline=baseline.json",
    )
    written = {root / "results" / "store", root / "scratch", root / "report.md", root / "baseline.json"}
    assert written_paths(config) == {path.resolve() for path in written}
    monkeypatch.setattr(looponfail, "StatRecorder", looponfail.StatRecorder)
    watch_sources_only(config)
    recorder = looponfail.StatRecorder([root])

    def change(path: Path) -> bool:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.read_text() + "more" if path.exists() else "new")
        return bool(recorder.check())

    for name in ("results/store/store/cache.db", "scratch/guest/model.bin", "report.md", "baseline.json"):
        assert not change(root / name), name
    for name in ("results/mine.txt", "bench_a.py", "data/report.md", "data/store/rows.csv"):
        assert change(root / name), name
        assert not recorder.check()

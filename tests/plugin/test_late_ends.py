"""What does not end by itself when a run is asked to stop is ended, a little after the grace period."""

from __future__ import annotations

import random
import re
import signal
import sys
import time
from pathlib import Path

import pytest
from support.projects import Project
from support.runs import PATIENCE, nobody_left, output_of, started, wait_until

from omnibench import open_store

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")

SOON = """
from omnibench.engine import stopping

stopping._ENDING_SECONDS = 0.5  # tests do not wait for what they make hang
"""

WAITING = """
import time
from pathlib import Path

def wait(mark):
    Path(mark).touch()
    while not Path("gate").exists():
        time.sleep(0.01)
"""

HUNG_METRIC = """
import os, own_waiting

class Hanging:
    def calculate(self, predictions, test):
        if os.listdir("fits"):  # before, it is only tried
            own_waiting.wait("hangs")
        return 1.0
"""


@pytest.fixture
def hanging(project: Project) -> Project:
    """A project whose files may wait for a gate, and that is ended soon after its grace period."""
    project.pytester.makepyfile(own_waiting=WAITING)
    project.pytester.makeconftest(SOON)
    return project


def statuses(project: Project) -> list[str]:
    store = open_store(project.pytester.path / "checkpoints")
    return sorted(record["status"] for record in store.items().values())


def handles_sigterm(pid: int) -> bool:
    """Whether a process has a handler of its own for SIGTERM; a worker may be at work before its controller has."""
    caught = re.search(r"^SigCgt:\s*([0-9a-f]+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return caught is not None and bool(int(caught[1], 16) >> (signal.SIGTERM - 1) & 1)


def stopped(project: Project, *arguments: str, once: str = "hangs", printed: str = "") -> str:
    """Start a run, signal it once when it has made a file and printed a text, and return what it printed in all."""
    with started(project, "--omnirec-grace=0.5s", *arguments) as run:
        wait_until(lambda: (project.pytester.path / once).exists() and printed in output_of(project))
        wait_until(lambda: handles_sigterm(run.pid))
        run.send_signal(signal.SIGTERM)
        wait_until(lambda: run.poll() is not None)
        assert run.returncode == 2
        wait_until(lambda: nobody_left(project))
    return output_of(project)


@pytest.mark.parametrize("distribution", ["load", pytest.param("loadgroup", marks=pytest.mark.slow)])
def test_a_body_that_hangs_is_ended_with_its_worker(hanging: Project, distribution: str) -> None:
    """One signal is enough; one line says what was ended, the table shows what has passed, the next run goes on."""
    hanging.bench(body="import own_waiting; result.fold == 1 and own_waiting.wait('hangs')")
    output = stopped(hanging, "-n", "2", f"--dist={distribution}", printed="PASSED")
    (line,) = re.findall("omnibench: .* killed .*", output)
    assert re.fullmatch(
        r"omnibench: worker gw\d had not ended and was killed in the middle of tiny/Popular/fold_1; what was recorded before "
        "is safe, and the next run goes on with it",
        line,
    )
    assert re.search(r"Popular .*0\.\d", output), output
    assert output.rstrip().splitlines()[-2].strip("! ").endswith("stopped by SIGTERM")
    (hanging.pytester.path / "gate").touch()
    again = hanging.run()
    assert again.parse_summary_nouns(again.stdout.lines) == {"cached": 2}


@pytest.mark.slow
def test_other_tests_that_hang_are_ended_too(hanging: Project) -> None:
    """A test that is no benchmark is ended with its worker; one that has nothing to do does not hold up the end."""
    hanging.bench()
    hanging.pytester.makepyfile(test_other="import own_waiting\ndef test_other(): own_waiting.wait('hangs')")
    output = stopped(hanging, "-n", "3", "--dist=loadgroup", printed="PASSED")
    assert "had not ended and was killed in the middle of test_other.py::test_other; what" in output
    assert "bench_tiny" in output


@pytest.mark.parametrize("workers", ["0", pytest.param("1", marks=pytest.mark.slow)])
def test_a_metric_that_hangs_is_an_interruption(hanging: Project, workers: str) -> None:
    """Code of the user's own that runs in our process is ended a little after the grace period, and its item goes on later."""
    hanging.pytester.makepyfile(own_hanging=HUNG_METRIC)
    hanging.bench(plan="from own_hanging import Hanging\nplan.add_algorithm(Popular)", metrics="NDCG(5), Hanging()")
    stopped(hanging, "-n", workers, "-k", "fold_0")
    assert statuses(hanging) == ["interrupted"]
    (hanging.pytester.path / "gate").touch()
    hanging.run("-k", "fold_0").assert_outcomes(passed=1, deselected=1)


@pytest.mark.slow
def test_workers_that_are_still_starting_are_not_replaced(hanging: Project) -> None:
    """A signal while workers collect ends the run: none starts in the place of another, and nothing is begun."""
    hanging.bench()
    hanging.pytester.makeconftest(
        f"{SOON}\nimport os, own_waiting\nif os.environ.get('PYTEST_XDIST_WORKER'): own_waiting.wait('hangs')"
    )
    output = stopped(hanging, "-n", "2")
    assert "workers gw0, gw1 had not ended and were killed; what was recorded before is safe" in output
    assert "replacing" not in output
    assert hanging.count_fits() == 0


@pytest.mark.slow
def test_a_signal_while_workers_end_leaves_the_table(hanging: Project) -> None:
    """The first signal counts as such until the last worker is gone: the table follows, and the exit status is 2."""
    hanging.bench()
    hanging.pytester.makeconftest(
        """
        import os, own_waiting

        def pytest_unconfigure():
            if os.environ.get("PYTEST_XDIST_WORKER"):
                own_waiting.wait("hangs")
        """
    )
    with started(hanging, "-n", "1") as run:
        wait_until((hanging.pytester.path / "hangs").exists)
        run.send_signal(signal.SIGTERM)
        wait_until(lambda: "SIGTERM: stopping" in output_of(hanging))
        (hanging.pytester.path / "gate").touch()
        assert run.wait(timeout=PATIENCE) == 2
    assert re.search(r"Popular .*0\.\d", output_of(hanging)), output_of(hanging)
    assert statuses(hanging) == ["done", "done"]


def test_workers_end_where_there_is_no_thread_to_wait_with(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are waited for one by one; the limit is named, the table shown, and the exit status that of the items."""
    execnet = pytest.importorskip("execnet.multi")

    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(execnet, "safe_terminate", refuse)
        run = project.run("-n", "1")
    run.assert_outcomes(passed=2)
    assert run.ret == 0
    run.stdout.fnmatch_lines(["*waited for one by one: can't start new thread: *", "*Popular *"])
    assert nobody_left(project)


def test_workers_that_find_no_thread_to_start_with(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pytest's traceback is followed by the limit that it comes from."""
    manager = pytest.importorskip("xdist.workermanage")

    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(manager.NodeManager, "setup_node", refuse)
    run = project.run("-n", "1")
    run.stdout.fnmatch_lines(["*can't start new thread: *What was recorded is safe, *raise the limit and run again."])
    assert run.ret == pytest.ExitCode.INTERNAL_ERROR


@pytest.mark.faults
@pytest.mark.parametrize("seed", range(12))
def test_one_signal_at_any_moment_ends_a_run(hanging: Project, seed: int) -> None:
    """While workers start, collect, compute, hang or end: exit status 2, nobody is left, and the next run goes on."""
    moment = random.Random(seed)
    hanging.bench(
        plan='plan.add_algorithm(Popular, {"noise": Grid([0, 1])})',
        body="import own_waiting; result.fold == 1 and own_waiting.wait('hangs')",
    )
    distribution = moment.choice(["load", "loadgroup", "worksteal", "loadscope"])
    with started(hanging, "-n", "2", f"--dist={distribution}", "--omnirec-grace=0.5s") as run:
        wait_until(
            lambda: "pending" in output_of(hanging)
        )  # before, this process alone is there, and its exit is pytest's
        time.sleep(moment.uniform(0, 8))
        run.send_signal(moment.choice([signal.SIGINT, signal.SIGTERM]))
        wait_until(lambda: run.poll() is not None)
        assert run.returncode in (2, -signal.SIGTERM)  # the latter before there are workers
        assert (run.returncode == 2) or "workers [" not in output_of(hanging)
        wait_until(lambda: nobody_left(hanging))
    assert "INTERNALERROR" not in output_of(hanging)
    assert "crashed while running" not in output_of(hanging)
    (hanging.pytester.path / "gate").touch()
    again = hanging.run()
    assert again.ret == 0
    assert statuses(hanging) == ["done"] * 4

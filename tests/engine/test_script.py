"""run_omnirec: what a script shows, several workers, how it ends on request, and what a notebook shows."""

from __future__ import annotations

import re
import signal
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import pexpect
import pyte
import pytest
from support.own_environments import WALKS
from support.projects import Project
from support.runs import PATIENCE, nobody_left, output_of, started, wait_until
from support.scripted_items import DATA, METRICS, interactions, plan_of

from omnibench import (
    NDCG,
    Evaluator,
    ItemsFailedError,
    MakeImplicit,
    UserCrossValidation,
    from_frame,
    open_store,
    run_omnirec,
)
from omnibench.errors import GuestEnvironmentError, OmnibenchError

FOLDED = from_frame(interactions(), "tiny").pipe(MakeImplicit(2), UserCrossValidation(2))


@pytest.mark.guests
def test_two_workers_compute_what_one_computes(tmp_path: Path) -> None:
    """Results, their order, and what is recorded do not depend on the number of workers; both workers compute."""
    scripts = [tmp_path / name for name in ("first", "second", "third")]
    plan = plan_of(*scripts)
    runs = {
        workers: run_omnirec(FOLDED, plan, Evaluator(NDCG(5)), tmp_path / str(workers), workers=workers, quiet=True)
        for workers in (1, 2)
    }
    assert runs[1].results == runs[2].results
    first, second = (open_store(tmp_path / str(workers)) for workers in (1, 2))
    assert {key: item["metrics"] for key, item in first.items().items()} == {
        key: item["metrics"] for key, item in second.items().items()
    }
    completed = {
        record["id"].split(".")[1]: record["completed"]
        for key, record in second.records().items()
        if key.startswith("worker/")
    }
    assert completed["main"] == 0
    assert completed["gw0"] + completed["gw1"] == 6
    assert min(completed["gw0"], completed["gw1"]) > 0


@pytest.mark.guests
def test_workers_compute_at_the_same_time(tmp_path: Path) -> None:
    """Two Fits that each wait until both have begun come to their end."""
    scripts = [tmp_path / name for name in ("first", "second")]
    both_wait = threading.Event()
    for script in scripts:
        script.write_text("fit wait")

    def let_go() -> None:
        deadline = time.monotonic() + PATIENCE
        while not both_wait.is_set() and time.monotonic() < deadline:
            time.sleep(0.02)
            if all(script.with_suffix(".waiting").exists() for script in scripts):
                both_wait.set()
        for script in scripts:
            script.unlink()

    thread = threading.Thread(target=let_go)
    thread.start()
    evaluator = run_omnirec(DATA, plan_of(*scripts), Evaluator(*METRICS), tmp_path / "store", workers=2, quiet=True)
    thread.join()
    assert both_wait.is_set()
    assert len(evaluator.results) == 2


@pytest.mark.guests
def test_failures_of_several_workers(tmp_path: Path) -> None:
    """The others are done, in the order of the plan, and each failure is raised and has a line with its reason."""
    scripts = [tmp_path / name for name in ("one", "fails", "two", "dies")]
    scripts[1].write_text("fit raise")
    scripts[3].write_text("recommend die")
    with pytest.raises(ItemsFailedError) as caught:
        run_omnirec(DATA, plan_of(*scripts), Evaluator(*METRICS), tmp_path / "store", workers=2)
    assert len(caught.value.failures) == 2
    assert [result.configuration for result in caught.value.evaluator.results] == [
        f"Scripted(script={str(script)!r})" for script in (scripts[0], scripts[2])
    ]


@pytest.mark.guests
def test_off_a_terminal_plain_lines_and_the_tables_at_the_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lines go to stderr, tables to stdout, marked as pytest's are; when all is cached only the count is left."""
    arguments: Any = (FOLDED, plan_of(tmp_path / "a", tmp_path / "b"), Evaluator(NDCG(5)), tmp_path / "store")
    run_omnirec(*arguments)
    shown = capsys.readouterr()
    count, *lines = shown.err.splitlines()
    assert count == f"4 items: 0 done, 0 failed, 4 pending ({tmp_path / 'store'})"
    assert [line.split()[0] for line in lines] == ["[1/4]", "[2/4]", "[3/4]", "[4/4]"]
    assert all(
        re.search(r"\] done .*fold_\d \((Start .* s, )?Fit .* s, Predict .* s, Eval .* s\)$", line) for line in lines
    )
    assert "Evaluation Results\n\n Algorithm" in shown.out
    assert "* best of its column" in shown.out
    assert "~ not significantly worse" in shown.out
    assert "\x1b" not in shown.out + shown.err
    run_omnirec(*arguments)
    again = capsys.readouterr()
    assert again.out == shown.out
    assert again.err == f"4 items: 4 done, 0 failed, 0 pending ({tmp_path / 'store'})\n"
    run_omnirec(*arguments, quiet=True)
    assert capsys.readouterr() == ("", "")


@pytest.mark.guests
def test_a_failure_is_said_with_its_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its line has the phase and the first line of the error, and there is a table of what is done all the same."""
    (tmp_path / "fails").write_text("fit raise")
    with pytest.raises(ItemsFailedError):
        run_omnirec(DATA, plan_of(tmp_path / "fails", tmp_path / "works"), Evaluator(*METRICS), tmp_path / "store")
    shown = capsys.readouterr()
    assert "Fit failed: RuntimeError: told to fail in fit" in shown.err.splitlines()[1]
    assert "Evaluation Results" in shown.out


def test_what_cannot_be_is_refused_before_there_is_a_store(tmp_path: Path) -> None:
    """Contradicting volumes, impossible numbers of workers, and environments that do not exist."""
    arguments: Any = (DATA, plan_of(tmp_path / "script"), Evaluator(*METRICS), tmp_path / "store")
    with pytest.raises(OmnibenchError, match="quiet and verbose are both asked for"):
        run_omnirec(*arguments, quiet=True, verbose=True)
    with pytest.raises(OmnibenchError, match="workers is 0"):
        run_omnirec(*arguments, workers=0)
    with pytest.raises(GuestEnvironmentError, match="'sometimes' is neither 'isolated' nor 'current'"):
        run_omnirec(*arguments, environments="sometimes")
    with pytest.raises(GuestEnvironmentError, match="no framework named 'LensKitt'"):
        run_omnirec(*arguments, environments="LensKitt=current")
    assert not (tmp_path / "store").exists()


SCRIPT = """
from bench_tiny import *
from omnibench import Policy, run_omnirec
print("imported", __name__)
evaluator = run_omnirec(data, plan, Evaluator(NDCG(10)), workers={workers}, policy=Policy(grace=3600.0))
print("ended with", len(evaluator.results))
"""


def test_a_script_without_a_guard_runs_once(project: Project) -> None:
    """Two workers import no script again, so that one without `if __name__ == "__main__"` is no fork bomb."""
    project.bench(plan='plan.add_algorithm(Slow, {"seconds": 0.5, "tag": Grid([1, 2])})')
    (project.pytester.path / "script.py").write_text(SCRIPT.format(workers=2))
    with started(project, program=["-u", "script.py"]) as run:
        wait_until(lambda: run.poll() is not None)
    output = output_of(project)
    assert output.count("imported") == 1
    assert "ended with 4" in output
    assert project.count_fits("begin-") == 4


def test_a_script_may_have_any_name(project: Project) -> None:
    """A class in an executable file without `.py` is imported by the process that fits it."""
    (project.pytester.path / "mybench").write_text(
        "from own_algorithms import Popular\n"
        "from bench_tiny import *\n"
        "from omnibench import run_omnirec\n"
        "class Mine(Popular): pass\n"
        'if __name__ == "__main__":\n'
        '    plan = ExperimentPlan("named")\n'
        "    plan.add_algorithm(Mine)\n"
        '    print("ended with", len(run_omnirec(data, plan, Evaluator(NDCG(10))).results))\n'
    )
    project.bench()
    with started(project, program=["-u", "mybench"]) as run:
        wait_until(lambda: run.poll() is not None)
    assert "ended with 2" in output_of(project)


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize(
    ("workers", "number"),
    [
        (1, signal.SIGINT),
        (2, signal.SIGTERM),
        pytest.param(1, signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param(2, signal.SIGINT, marks=pytest.mark.slow),
    ],
)
def test_a_script_ends_in_one_sentence(project: Project, workers: int, number: signal.Signals) -> None:
    """What is done and how to go on; no traceback, the shell's exit status, nobody left; the next run goes on."""
    let_go = project.bench_gated()
    (project.pytester.path / "script.py").write_text(SCRIPT.format(workers=workers))
    with started(project, program=["-u", "script.py"]) as run:
        wait_until(lambda: project.count_fits("begin-") >= workers)
        run.send_signal(number)
        wait_until(lambda: f"{number.name}: stopping; " in output_of(project))
        let_go()
        wait_until(lambda: run.poll() is not None)
        wait_until(lambda: nobody_left(project))
    assert run.returncode == 128 + number
    *_, last = output_of(project).splitlines()
    assert re.fullmatch(
        rf"stopped by {number.name}: \d of 4 items are done and recorded; run it again to go on from there\.", last
    )
    assert "Traceback" not in output_of(project)
    fits = project.count_fits("begin-")
    assert sum(key.startswith("fit/") for key in open_store(project.pytester.path / "checkpoints").records()) == fits
    with started(project, program=["-u", "script.py"]) as run:
        wait_until(lambda: run.poll() is not None)
    assert "ended with 4" in output_of(project)
    assert project.count_fits("begin-") == 4


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_second_signal_ends_a_script_at_once(project: Project, workers: int) -> None:
    """The Fits in progress are given up; their items are recorded as interrupted."""
    project.bench(plan='plan.add_algorithm(Slow, {"seconds": 600.0, "tag": Grid([1, 2])})')
    (project.pytester.path / "script.py").write_text(SCRIPT.format(workers=workers))
    with started(project, program=["-u", "script.py"]) as run:
        wait_until(lambda: project.count_fits("begin-") >= workers)
        run.send_signal(signal.SIGINT)
        wait_until(lambda: "SIGINT: stopping; " in output_of(project))
        run.send_signal(signal.SIGINT)
        wait_until(lambda: run.poll() is not None)
        wait_until(lambda: nobody_left(project))
    assert run.returncode == 130
    assert "Traceback" not in output_of(project)
    items = open_store(project.pytester.path / "checkpoints").items().values()
    assert [item["status"] for item in items].count("interrupted") == workers


@pytest.mark.parametrize("prompt", [["-i", "-q"], ["-m", "code", "-q"]], ids=["python", "code"])
def test_at_pythons_prompt_the_tables_stand_once(
    project: Project, monkeypatch: pytest.MonkeyPatch, prompt: list[str]
) -> None:
    """The value of the statement that has printed them is a line; asked for by a later statement, it is the tables."""
    project.bench()
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("PYTHON_BASIC_REPL", "1")  # from 3.13 on, the other prompt redraws what it has read
    imports = "from bench_tiny import *; from omnibench import run_omnirec"
    statements = [imports, "run_omnirec(data, plan, Evaluator(NDCG(10)))", "_", "exit()"]
    shown = []
    path = project.pytester.path
    with pexpect.spawn(sys.executable, prompt, cwd=path, dimensions=(60, 120), timeout=300, encoding="utf-8") as child:
        child.expect_exact(">>> ")
        for statement in statements[:-1]:
            child.sendline(statement)
            child.expect_exact(">>> ")
            shown.append(child.before)
        child.sendline(statements[-1])
        child.expect(pexpect.EOF)
    assert [text.count("Evaluation Results") for text in shown] == [0, 1, 1]
    assert [text.count("<Evaluator NDCG@10; 2 results>") for text in shown] == [0, 1, 0]


class Terminal:
    """A script on a terminal of 100 x 30, watched through an emulator."""

    def __init__(self, project: Project, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
        monkeypatch.delenv("CI", raising=False)
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.setenv("COUNT_FITS_IN", str(project.fits))
        path = project.pytester.path
        (path / "script.py").write_text(script)
        self.child = pexpect.spawn(sys.executable, ["script.py"], cwd=path, dimensions=(30, 100), timeout=300)
        self._screen = pyte.HistoryScreen(100, 30, history=10_000)
        self._stream = pyte.ByteStream(self._screen)
        self.seen: list[str] = []

    def watch(self) -> str:
        """Go on to the end; return what is on the screen then, noting every state in between."""
        while True:
            try:
                self._stream.feed(self.child.read_nonblocking(65536, timeout=300))
            except pexpect.EOF:
                break
            self.seen += [line.rstrip() for line in self._screen.display]
        self.child.close()
        return "\n".join(line.rstrip() for line in self._screen.display)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_script_on_a_terminal(project: Project, monkeypatch: pytest.MonkeyPatch, workers: int) -> None:
    """The block shows counts, times, and what each worker does; when the run is over, the tables stand in its place."""
    project.bench(plan='plan.add_algorithm(Slow, {"seconds": 1.2, "tag": Grid([0, 1])})')
    terminal = Terminal(project, monkeypatch, SCRIPT.format(workers=workers))
    end = terminal.watch()
    assert any(re.fullmatch(r"omnibench \d/4 items: .*\d pending; \d+s elapsed, .*", line) for line in terminal.seen)
    for name in ("gw0", "gw1") if workers == 2 else ("main",):
        doing = rf"  {name}: Fit, \d+s: .*fold_\d"
        assert any(re.fullmatch(doing, line) for line in terminal.seen), name
    assert "pending; " not in end
    assert "Evaluation Results" in end
    assert "] done" not in end, "a line per item is for files and for verbose"
    assert "ended with 4" in end


def test_what_is_printed_stays_above_the_block(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a metric of the user's own prints, and lines per item, which verbose asks for."""
    project.bench(plan='plan.add_algorithm(Slow, {"seconds": 1.2})')
    script = """
    from bench_tiny import *
    from omnibench import run_omnirec
    class Noisy:
        version = "1"
        def calculate(self, predictions, test):
            print("calculating")
            return 1.0
    run_omnirec(data, plan, Evaluator(NDCG(10), Noisy()), verbose=True)
    """
    end = Terminal(project, monkeypatch, textwrap.dedent(script)).watch()
    calculated = re.findall("^calculating$", end, re.MULTILINE)  # twice for items; before them on an example
    assert len(calculated) == end.count("calculating") >= 2
    assert len(re.findall(r"^\[\d/2\] done ", end, re.MULTILINE)) == 2
    assert "pending; " not in end


def test_results_go_to_a_file_and_the_block_to_the_terminal(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """With stdout in a file, the file has the tables and what the script prints, and nothing of the block."""
    project.bench(plan='plan.add_algorithm(Slow, {"seconds": 1.2})')
    redirected = "import sys\nsys.stdout = open('out.txt', 'w', encoding='utf-8')\n"
    terminal = Terminal(project, monkeypatch, redirected + SCRIPT.format(workers=1))
    end = terminal.watch()
    written = (project.pytester.path / "out.txt").read_text(encoding="utf-8")
    assert any("pending; " in line for line in terminal.seen)
    assert "Evaluation Results" in written
    assert "\x1b" not in written
    assert "pending; " not in written
    assert "Evaluation Results" not in end


CELLS = [
    "from bench_tiny import *; from omnibench import run_omnirec",
    "evaluator = run_omnirec(data, plan, Evaluator(NDCG(10)), workers=2)",
    "evaluator",
    "run_omnirec(data, plan, Evaluator(NDCG(10)))",
    "plan",
    "data",
]


class Notebook:
    """A notebook that a real kernel runs, with what its outputs showed in between."""

    def __init__(self, project: Project, monkeypatch: pytest.MonkeyPatch, cells: list[str]) -> None:
        nbformat = pytest.importorskip("nbformat")
        nbclient = pytest.importorskip("nbclient")
        pytest.importorskip("ipykernel")
        monkeypatch.setenv("COUNT_FITS_IN", str(project.fits))
        monkeypatch.chdir(project.pytester.path)
        self.shown: list[str] = []
        self.book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        self.client = nbclient.NotebookClient(self.book, timeout=120, allow_errors=True)
        process_message = self.client.process_message

        def watch(message: Any, *arguments: Any) -> Any:
            if message["msg_type"] == "update_display_data":
                self.shown.append(message["content"]["data"]["text/plain"])
            return process_message(message, *arguments)

        monkeypatch.setattr(self.client, "process_message", watch)

    def run(self) -> list[list[Any]]:
        """Run all cells and return their outputs."""
        self.client.execute()
        return [cell.outputs for cell in self.book.cells]


@pytest.mark.filterwarnings("ignore")  # of jupyter's own
def test_a_notebook_shows_the_run_and_its_results(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A block that changes while the cell runs, tables below it, and reprs; nothing twice, nothing as an alarm."""
    project.bench(plan='plan.add_algorithm(Slow, {"seconds": 0.8, "tag": Grid([1, 2])})')
    notebook = Notebook(project, monkeypatch, CELLS)
    imported, ran, evaluator, again, plan, data = notebook.run()
    assert imported == []
    assert any("  gw0: Fit, " in text and "  gw1: Fit, " in text for text in notebook.shown)
    assert notebook.shown[-1] == "", "the block is gone when the run is over"
    kinds = [(output["output_type"], output.get("name")) for output in ran]
    assert kinds == [("stream", "stdout"), ("display_data", None), ("display_data", None)]
    assert ran[0]["text"].startswith("4 items: 0 done")
    (table,) = [
        output["data"]["text/html"] for output in ran if "<table>" in output.get("data", {}).get("text/html", "")
    ]
    assert "Evaluation Results" in table
    assert "<table>" in evaluator[0]["data"]["text/html"]
    assert "Evaluation Results" in evaluator[0]["data"]["text/plain"]
    tables = [output for output in again if "<table>" in output.get("data", {}).get("text/html", "")]
    assert len(tables) == 1, "the run has shown it, so that the cell's value need not"
    assert again[-1]["data"]["text/plain"] == "<Evaluator NDCG@10; 4 results>"
    assert "<li>Slow(seconds=0.8, tag=2)</li>" in plan[0]["data"]["text/html"]
    assert "MakeImplicit" in data[0]["data"]["text/html"]


@pytest.mark.filterwarnings("ignore")  # of jupyter's own
def test_a_notebooks_cell_stops_in_one_sentence(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its later cells do not run as if it had ended, and the kernel lives; the cell runs again from there."""
    project.bench(plan='plan.add_algorithm(Slow, {"seconds": 1.0, "tag": Grid([1, 2])})')
    run = "evaluator = run_omnirec(data, plan, Evaluator(NDCG(10)), workers=2)"
    signalling = """
    import os, pathlib, signal, threading, time
    def interrupt():
        while not list(pathlib.Path(os.environ["COUNT_FITS_IN"]).glob("begin-*")):
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)
    threading.Thread(target=interrupt).start()
    """
    cells = [CELLS[0], textwrap.dedent(signalling), run, "print('after')", run, "print(len(evaluator.results))"]
    _, _, stopped, _, _, printed = Notebook(project, monkeypatch, cells).run()
    error = stopped[-1]
    assert error["ename"] == "StoppedError"
    assert len(error["traceback"]) == 1
    assert re.fullmatch(
        r"stopped by SIGINT: \d of 4 items are done and recorded; run it again to go on from there\.",
        error["traceback"][0],
    )
    assert printed[0]["text"] == "4\n"
    assert project.count_fits("begin-") == 4


WALKING = """
walking = ExperimentPlan("walking")
walking.add_algorithm(PageRank)
evaluator = run_omnirec(data, walking, Evaluator(NDCG(10)))
print(evaluator.to_frame()["value"].between(0.05, 1).tolist())
"""


@pytest.mark.guests
@pytest.mark.filterwarnings("ignore")  # of jupyter's own
def test_a_notebooks_class_has_packages_of_its_own(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A class of a cell with ``requirements`` is locked once, and computes with what the kernel does not have."""
    project.bench()
    cells = ["from bench_tiny import *\nfrom omnibench import *", WALKS, WALKING, WALKING]
    _, defined, first, again = Notebook(project, monkeypatch, cells).run()
    assert defined == []
    printed = ["".join(output.get("text", "") for output in outputs) for outputs in (first, again)]
    assert [text.splitlines()[-1] for text in printed] == ["[True, True]"] * 2
    assert "2 done" in printed[1]
    assert (project.pytester.path / "checkpoints" / "out.log").read_text().count("igraph 1.") == 2

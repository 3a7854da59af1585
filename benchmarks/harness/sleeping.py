"""Projects whose Fits sleep, so that what a run takes says nothing of the machine's cores; and what a command costs."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_BECOME_SUBREAPER = 36  # <linux/prctl.h>

OWN = """
import os, time

class Sleeper:
    def __init__(self, seconds=1.0, number=0):
        self.seconds = seconds

    def fit(self, train):
        self.items = sorted(set(train["item"]))
        begin = time.time()
        time.sleep(self.seconds)
        with open({spans!r}, "a") as file:
            file.write(f"{{begin}} {{time.time()}} {{os.getpid()}}\\n")

    def recommend(self, users, k):
        return dict.fromkeys(users, self.items)
"""
BENCH = """
from omnibench import *
from sleeper import Sleeper

data = from_file("tiny.csv").pipe({split})
plan = ExperimentPlan()
{plan}

@benchmark(data, plan, Evaluator(NDCG(10)))
def bench_sleepers(result): ...
"""


def write_sleepers(directory: Path, plan: str, split: str = "UserHoldout(test_size=0.2)") -> None:
    """Write a project.

    Args:
        directory: An empty directory.
        plan: The lines that add to ``plan``; ``Sleeper`` takes ``seconds``, and a ``number`` that makes an item another one.
        split: How its 300 interactions are split.
    """
    (directory / "sleeper.py").write_text(OWN.format(spans=str(directory / "spans")))
    (directory / "bench_sleepers.py").write_text(BENCH.format(split=split, plan=plan))
    (directory / "pytest.ini").write_text("[pytest]\npythonpath = .\naddopts = -p no:cacheprovider\n")
    pairs = [(user, (user * 7 + number * number) % 25) for user in range(30) for number in range(10)]
    (directory / "tiny.csv").write_text("user,item\n" + "".join(f"{user},{item}\n" for user, item in pairs))


@dataclass(frozen=True)
class Span:
    """When a Fit began and ended.

    Attributes:
        begin: Seconds of the system's clock.
        end: Likewise.
        guest: The process that it was computed in.
    """

    begin: float
    end: float
    guest: int


@dataclass(frozen=True)
class Cost:
    """What a command has taken.

    Attributes:
        wall: Seconds.
        cpu: Seconds of all its processes, also of those that have outlived it.
        peak: The resident megabytes of its largest process.
        spans: When its Fits began and ended, in the order of their begins.
    """

    wall: float
    cpu: float
    peak: float
    spans: Sequence[Span] = ()

    @property
    def fits(self) -> int:
        """How many Fits there were."""
        return len(self.spans)

    @property
    def makespan(self) -> float:
        """Seconds from the first Fit's begin to the last one's end; 0 without Fits."""
        return max(span.end for span in self.spans) - self.spans[0].begin if self.spans else 0.0

    def of_guests(self) -> list[list[Span]]:
        """Return the Fits of each process, in the order of their begins."""
        return [[span for span in self.spans if span.guest == guest] for guest in {span.guest for span in self.spans}]


def cost_of_run(directory: Path, *options: str, store: str = "") -> Cost:
    """Run ``pytest`` in a project, and return what it took.

    Args:
        directory: The project.
        options: What pytest is told.
        store: The directory below it for results; a new one by default.

    Raises:
        SystemExit: The run fails.
    """
    ctypes.CDLL(None).prctl(_BECOME_SUBREAPER, 1)  # so that the CPU seconds of orphans are counted here
    spans, others = directory / "spans", _children()
    spans.unlink(missing_ok=True)
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    process = _begun(directory, options, store)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    if status:
        raise SystemExit((directory / "output.txt").read_text()[-3000:])
    while orphans := _children() - others:
        for orphan in orphans:
            os.waitpid(orphan, 0)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall, cpu, usage.ru_maxrss / 1024, _spans(spans))


def _begun(directory: Path, options: Sequence[str], store: str = "") -> subprocess.Popen[bytes]:
    results = f"--omnirec-checkpoint-dir={store or f'checkpoints-{time.time_ns()}'}"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", results, *options]
    with (directory / "output.txt").open("wb") as output:
        return subprocess.Popen(command, cwd=directory, stdout=output, stderr=subprocess.STDOUT)


def peak_of_beginning(directory: Path, fits: int, *options: str) -> float:
    """Run ``pytest`` until some Fits have ended, and return the most resident megabytes of its own process until then.

    Args:
        directory: The project.
        fits: How many Fits.
        options: What pytest is told.

    Raises:
        SystemExit: The run ends before that.
    """
    spans = directory / "spans"
    spans.unlink(missing_ok=True)
    process = _begun(directory, options)
    peak = 0.0
    while len(_spans(spans)) < fits:
        if process.poll() is not None:
            raise SystemExit((directory / "output.txt").read_text()[-3000:])
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
        peak = max([peak, *(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))])
        time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    process.wait()
    return peak


def _children() -> set[int]:
    texts = (path.read_text() for path in Path("/proc/self/task").glob("*/children"))
    return {int(pid) for text in texts for pid in text.split()}


def _spans(path: Path) -> Sequence[Span]:
    lines = path.read_text().splitlines() if path.exists() else []
    spans = (Span(float(begin), float(end), int(guest)) for begin, end, guest in map(str.split, lines))
    return sorted(spans, key=lambda span: span.begin)

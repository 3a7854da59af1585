"""Algorithms and metrics that start processes of every sort: what a run leaves behind when it is killed, and who holds what."""

FAMILIES = '''
"""An algorithm and a metric that start processes, which would live on for ten minutes."""

import ctypes
import multiprocessing
import os
import signal
import subprocess
import time
from pathlib import Path

from own_algorithms import Popular

SECONDS = 600


def wait(_):
    time.sleep(SECONDS)


def start_pool():
    """A pool whose workers wait, and which nobody closes."""
    pool = multiprocessing.get_context("fork").Pool(2)
    pool.map_async(wait, range(2))
    return pool


def start_below_python():
    """A child that foreign code has forked: Python's hooks know nothing of it."""
    if ctypes.PyDLL(None).fork() == 0:
        ctypes.CDLL(None).sleep(SECONDS)
        os._exit(0)


def start_daemon():
    """A grandchild in a session of its own, whose parent has ended."""
    child = os.fork()
    if child == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(SECONDS)
        os._exit(0)
    os.waitpid(child, 0)


def start_programs():
    """A program in the same session, and one in its own, with a child of its own."""
    subprocess.Popen(["sleep", str(SECONDS)])
    subprocess.Popen(["sh", "-c", f"sleep {SECONDS} & sleep {SECONDS}"], start_new_session=True)


def mark(name):
    """Tell the test that something has begun."""
    Path(os.environ["COUNT_FITS_IN"], f"{name}-{time.time_ns()}-{os.getpid()}").touch()


class Family(Popular):
    """Starts processes of every sort, then goes on, waits, dies or is stopped."""

    def __init__(self, then="wait", seconds=0.0):
        self.then = then
        self.seconds = seconds

    def fit(self, train):
        pool = start_pool()
        start_below_python()
        start_daemon()
        start_programs()
        mark("begin")
        time.sleep(self.seconds)
        if self.then == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.then == "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        if self.then == "wait":
            time.sleep(SECONDS)
        super().fit(train)


def start_in_step(frame):
    """A data step that starts processes and waits."""
    start_programs()
    start_daemon()
    pool = start_pool()
    mark("step")
    time.sleep(SECONDS)
    return frame


class Forking:
    """A metric that starts a pool and waits, as long as a file says so; not where it is only rehearsed, before any Fit."""

    def calculate(self, predictions, test):
        marks = Path(os.environ["COUNT_FITS_IN"])
        if (marks / "fork").exists() and any(marks.glob("fit-*")):
            start_pool()
            start_below_python()
            mark("metric")
            time.sleep(SECONDS)
        return 1.0


def nap(seconds):
    time.sleep(seconds)
    return seconds


class Fanning:
    """A metric that shares its work with two processes; they take their time where a file says so."""

    def __init__(self, how):
        self.how = how

    def calculate(self, predictions, test):
        marks = Path(os.environ["COUNT_FITS_IN"])
        is_slow = (marks / "fork").exists() and any(marks.glob("fit-*"))
        seconds = SECONDS if is_slow else 0.01
        if is_slow:
            mark("metric")
        if self.how == "pool":
            with multiprocessing.Pool(2) as pool:
                slept = pool.map(nap, [seconds] * 2)
        elif self.how == "loky":
            from joblib import Parallel, delayed
            slept = Parallel(n_jobs=2)(delayed(nap)(seconds) for _ in range(2))
        else:
            from concurrent.futures import ProcessPoolExecutor
            with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(self.how)) as executor:
                slept = list(executor.map(nap, [seconds] * 2))
        return float(len(slept))
'''

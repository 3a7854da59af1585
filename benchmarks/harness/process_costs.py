"""A plugin of pytest that writes down what its process, and the guests that it has ended, have used: ``-p process_costs``.

Each process of a run writes a line of JSON into the file that ``PROCESS_COSTS`` names. With ``PROCESS_COUNTS`` set, it counts
what else costs as well, by hooks that cost something themselves: seconds of such a run say nothing. With ``PROCESS_PROFILES``,
a directory, it writes a profile of its main thread there.
"""

from __future__ import annotations

import cProfile
import json
import os
import resource
import sqlite3
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Generator
from pathlib import Path
from typing import Any

import execnet.gateway_base as wire
import pytest

COUNTS: Counter[str] = Counter()
APART: defaultdict[str, float] = defaultdict(float)
_MADE = {"os.mkdir": "directories", "os.rename": "renames", "os.link": "links"}


def _count_events(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _MADE:
        COUNTS[_MADE[event]] += 1
    elif event == "open":
        COUNTS["opened files"] += 1
        if isinstance(arguments[2], int) and arguments[2] & os.O_CREAT and arguments[2] & os.O_ACCMODE:
            COUNTS["opened files to write"] += 1


def _count() -> None:
    """Count events of the interpreter, statements of SQLite, and messages between processes."""
    sys.addaudithook(_count_events)
    connect, send = sqlite3.connect, wire.BaseGateway._send  # noqa: SLF001 - execnet offers no hook

    def connect_and_trace(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **options)
        connection.set_trace_callback(lambda statement: COUNTS.update([f"SQL {statement.split(None, 1)[0].upper()}"]))
        return connection

    def send_and_count(gateway: Any, code: int, channel: int = 0, data: bytes = b"") -> None:
        receiver = "the controller" if type(gateway).__name__ == "WorkerGateway" else "workers or guests"
        COUNTS[f"messages to {receiver}"] += 1
        COUNTS[f"bytes to {receiver}"] += len(data)
        send(gateway, code, channel, data)

    setattr(sqlite3, "connect", connect_and_trace)  # noqa: B010 - mypy allows no assignment
    setattr(wire.BaseGateway, "_send", send_and_count)  # noqa: B010 - likewise


def _measure_apart(part: str, owner: type, name: str) -> None:
    """Have the seconds that a method takes counted apart: it runs as often as time allows, not once per item."""
    method = getattr(owner, name)

    def measured(*arguments: Any, **options: Any) -> Any:
        began = time.thread_time()
        try:
            return method(*arguments, **options)
        finally:
            APART[part] += time.thread_time() - began

    setattr(owner, name, measured)


def pytest_configure() -> None:
    """Begin to measure what runs by the clock: a busy machine makes more of it per item."""
    from omnibench.engine.live import LiveView
    from omnibench.store.exports import Exports

    _measure_apart("copies", Exports, "refresh")
    _measure_apart("copies", Exports, "refresh_progress")
    _measure_apart("display", LiveView, "_look")


if os.environ.get("PROCESS_COUNTS"):
    _count()


def _seconds(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def _role(config: pytest.Config) -> str:
    if hasattr(config, "workerinput"):
        return "worker"
    return "controller" if getattr(config.option, "tx", None) else "main"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Profile the main thread while items run."""
    directory = os.environ.get("PROCESS_PROFILES")
    if not directory:
        return (yield)
    with cProfile.Profile(time.thread_time) as profile:  # not by the clock: other processes have the cores as well
        ended = yield
    profile.dump_stats(Path(directory, f"{_role(session.config)}-{os.getpid()}.prof"))
    return ended


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_unconfigure(config: pytest.Config) -> Generator[None, object, object]:
    """Write the line, when the guests have ended."""
    ended = yield
    role = _role(config)
    own = _seconds(resource.RUSAGE_SELF) - sum(APART.values())
    line: dict[str, Any] = {"role": role, "seconds": own, "apart": APART, "counts": COUNTS}
    if role != "controller":  # whose children are the workers
        line["guests"] = _seconds(resource.RUSAGE_CHILDREN)
    with open(os.environ["PROCESS_COSTS"], "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    return ended

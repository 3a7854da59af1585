"""Runs of pytest, and workers of xdist, forked from an interpreter that has imported what they need: a CPU second less each.

Such a run finds what one finds that is started: its environment, its arguments and paths, its streams, its parent. It has
imported more than that. Tests of what is imported, and when, or of a start, start theirs.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import os
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import pytest
import xdist.plugin
from execnet import gateway_io

from support import forked_guests, syncs
from support.distributions import known_distributions
from support.forked_guests import (
    CAN_FORK,
    ForkedProcess,
    ForkingIO,
    Interpreter,
    guest_of,
    variables_at_the_start,
)

PLAIN = "--assert=plain"
"""Keeps pytest from looking at every module that a process imports, for asserts to rewrite: a quarter of what a run costs.

A run that looks at them would warn of those that its interpreter has imported already, and is started.
"""

_HASH_SEED = "PYTHONHASHSEED"
_FREE = ("PYTHONPATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE")
"""Variables that are read at the start, and whose effect a fork can be given."""
_NEVER_GIVEN = "PYTHONSAFEPATH"
"""A variable that tox sets, and that no test hands on."""
_REFUSED = ("OMNIREC_DATA_PATH",)
"""What a module reads when it is imported."""
_PYTEST = '__import__("runpy")._run_module_as_main("pytest")'

_interpreters: list[Interpreter] = []
"""At most one: that which forks runs and workers. In such a run, and in its workers, it forks their guests as well."""

_for_good = contextlib.ExitStack()
"""What a run that was forked does otherwise, to its end."""

os.register_at_fork(after_in_child=_interpreters.clear)


def _at_the_start(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a fork could not be given."""
    return {name: value for name, value in variables_at_the_start(environment).items() if name not in _FREE}


_USUAL = {_HASH_SEED: "0", **_at_the_start({**os.environ, _NEVER_GIVEN: ""})}
"""What these tests run with; a test that sets something else starts its runs."""
del _USUAL[_NEVER_GIVEN]


def _interpreter(environment: Mapping[str, str]) -> Interpreter | None:
    """Return what can fork a run with these variables, started if there is none; None where a run has to be started."""
    if not CAN_FORK or any(name in environment for name in _REFUSED):
        return None
    if {_HASH_SEED: "0", **_at_the_start(environment)} != _USUAL:
        return None
    if _interpreters and _interpreters[0].has_ended:
        _interpreters.clear()
    if not _interpreters:
        if threading.current_thread() is not threading.main_thread():  # with which its children would have to end
            return None
        _interpreters.append(Interpreter(_USUAL, str(Path(__file__).parents[1])))
    return _interpreters[0]


def forked_worker(arguments: list[str]) -> ForkedProcess | None:
    """Return a worker of xdist; None where the arguments start something else, or in a rare environment."""
    worker = [sys.executable, "-u", "-c", gateway_io.popen_bootstrapline]
    if [word for word in arguments if word != "-B"] != worker:
        return None
    interpreter = _interpreter(os.environ)
    if interpreter is None:
        return None
    return interpreter.fork(dict(os.environ), arguments[-1], [], session=False, syncs=syncs.are_made())


def forked_pytest(
    arguments: list[str],
    environment: dict[str, str],
    output: IO[Any],
    errors: IO[Any],
    *,
    directory: Path | None = None,
    session: bool = False,
) -> ForkedProcess | None:
    """Fork ``python -m pytest``, with nothing to read.

    Args:
        arguments: pytest's arguments.
        environment: All of its variables.
        output: Where it prints.
        errors: Where it prints what goes wrong.
        directory: Where it runs, if not in this directory.
        session: Whether it leads a session of its own.

    Returns:
        The process; None where it has to be started.
    """
    interpreter = _interpreter(environment) if PLAIN in arguments else None
    if interpreter is None:
        return None
    sys.audit("subprocess.Popen", sys.executable, [sys.executable, "-m", "pytest", *arguments], None, environment)
    request: dict[str, Any] = {
        "environment": environment,
        "arguments": ["-m", *arguments],
        "program": _PYTEST,
        "session": session,
    }
    request |= {"directory": str(directory or Path.cwd()), "syncs": syncs.are_made()}
    with open(os.devnull) as nothing:
        streams = [nothing.fileno(), output.fileno(), errors.fileno()]
        try:
            return ForkedProcess(interpreter.ask(request, streams))
        except OSError:  # it has ended: the run is started
            return None


class _ForkingWorkers(ForkingIO):
    """As its base; workers of xdist are forked as well."""

    @staticmethod
    def forked(arguments: list[str]) -> ForkedProcess | None:
        return forked_worker(arguments) or forked_guests.forked_process(arguments)


@contextlib.contextmanager
def forked_workers() -> Iterator[None]:
    """Let workers of xdist be forked that this process starts meanwhile, beside guests of users' classes."""
    with pytest.MonkeyPatch.context() as patch:
        if CAN_FORK:
            patch.setattr(gateway_io, "Popen2IOMaster", _ForkingWorkers)
        yield


class _OfARun(ForkingIO):
    """The pipes of a run, or a worker, that was forked itself: its guests are forked by its interpreter too."""

    @staticmethod
    def forked(arguments: list[str]) -> ForkedProcess | None:
        guest = guest_of(arguments)
        if guest is None:
            return forked_worker(arguments)
        is_usual = _without_threads(_at_the_start(guest[0])) == _without_threads(_USUAL)
        return _interpreters[0].fork(*guest) if is_usual and _interpreters else None


def _without_threads(variables: dict[str, str]) -> dict[str, str]:
    """Leave out how many threads libraries may have: in an interpreter that forks they have one."""
    from omnibench.runners.thread_variables import thread_variables

    return {name: value for name, value in variables.items() if name not in thread_variables(1)}


def prepare() -> None:
    """Import what runs import, and look up what is installed."""
    from support.inner import import_everything

    import_everything()
    importlib.import_module("xdist.remote")
    with known_distributions():
        for distribution in importlib.metadata.distributions():
            _ = distribution.entry_points


def begin(requests: socket.socket, request: dict[str, Any]) -> None:
    """Make a process that was forked a run, or a worker, whose guests and workers an interpreter of its own forks.

    Args:
        requests: The end of the interpreter's socket.
        request: What it was forked for.
    """
    environment: dict[str, str] = request["environment"]
    module = request["arguments"][0] == "-m"
    sys.path[0] = os.getcwd() if module else ""
    sys.path[1:1] = [os.path.abspath(path) for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    xdist.plugin._sys_path[:] = sys.path  # as it was when that was imported, which workers get
    sys.dont_write_bytecode = bool(environment.get("PYTHONDONTWRITEBYTECODE"))
    if module and not environment.get("PYTHONUNBUFFERED"):
        sys.stdout = open(  # noqa: SIM115 - to its end
            1, "w", encoding=sys.stdout.encoding, errors=sys.stdout.errors, closefd=False
        )
    for name in [name for name in sys.modules if name.startswith("omnibench.compat")]:
        del sys.modules[name]  # it reads variables when it is imported
    _USUAL.clear()  # the interpreter's own has other numbers of threads
    _USUAL.update({_HASH_SEED: "0", **_at_the_start(environment)})
    _interpreters.append(Interpreter(_USUAL, requests=requests))
    gateway_io.Popen2IOMaster = _OfARun  # type: ignore[misc]
    if not request["syncs"]:
        _for_good.enter_context(syncs.without_syncs())
    _for_good.enter_context(known_distributions())

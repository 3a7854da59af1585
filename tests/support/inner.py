"""Runs of pytest inside of a test's own process: as good as in another one, without its start and its imports."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import pkgutil
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest.pytester import SysModulesSnapshot

from support.distributions import known_distributions
from support.forked_guests import forked_guests
from support.forked_runs import PLAIN, forked_workers

CHECKOUT = Path(__file__).resolve().parents[2]

PACKAGES = tuple(
    f"{directory}{os.sep}"
    for directory in (
        *(Path(prefix).resolve() for prefix in (sys.prefix, sys.base_prefix)),
        *(CHECKOUT / name for name in ("omnibench", "tests", "benchmarks", "docs")),
    )
)
"""Where modules lie that are the same for every test; all others are of a test's own directory."""

IMPORTED_LATE = (
    "numpy.fft",
    "pyarrow.ipc",
    "pyarrow.parquet",
    "requests",
    "rich.progress",
    "rich.table",
    "scipy.special",
    "scipy.stats",
)
"""What omnibench imports where it needs it: imported before the first test, so that none has to wait for it."""

_SELDOM_IMPORTED = ("omnibench.guest.", "omnibench.data.loops.")
"""What no inner run imports: it is for other processes, or compiled with numba, which is worth it for large files."""

INTERPRETER_FILTERS = (
    ("default", DeprecationWarning, "__main__"),
    ("ignore", DeprecationWarning, ""),
    ("ignore", PendingDeprecationWarning, ""),
    ("ignore", ImportWarning, ""),
    ("ignore", ResourceWarning, ""),
)
"""What a fresh interpreter does about warnings; the test itself runs with warnings as errors."""


def import_everything() -> None:
    """Import what runs import, so that no test is measured by it, whichever is the first."""
    import omnibench

    for module in pkgutil.walk_packages(omnibench.__path__, "omnibench."):
        if not module.name.startswith(_SELDOM_IMPORTED) and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in IMPORTED_LATE:
        importlib.import_module(name)


def modules_before() -> SysModulesSnapshot:
    """Return what forgets, when restored, the modules of tests' directories that were imported since.

    Modules of packages stay, whoever imports them first, because numpy, pandas and others cannot be imported twice.
    """
    return _ModulesBefore()


class _ModulesBefore(SysModulesSnapshot):
    """As pytest's, which looks at each of the three thousand modules; most of them are those from before."""

    def __init__(self) -> None:
        self._before = dict(sys.modules)

    def restore(self) -> None:
        for name, module in list(sys.modules.items()):
            if self._before.get(name) is not module and not _is_of_a_package(name):
                del sys.modules[name]
        for name, module in self._before.items():
            sys.modules.setdefault(name, module)


def _is_of_a_package(name: str) -> bool:
    """Whether a module lies in a package, or nowhere, rather than in the directory of a test."""
    module = sys.modules[name]
    file = getattr(module, "__file__", None)
    try:
        places = [file] if isinstance(file, str) else list(getattr(module, "__path__", []))
    except KeyError:  # a namespace package whose parent has been forgotten a moment ago
        return False
    return all(f"{place}{os.sep}".startswith(PACKAGES) for place in places)


def run_inside(directory: Path, *arguments: str) -> pytest.RunResult:
    """Run pytest in this process as a fresh process would, and leave the process as it was.

    What it has imported is forgotten afterwards as :func:`modules_before` says.

    Args:
        directory: The project's directory, which is the current one.
        arguments: Arguments of pytest.

    Returns:
        Exit status and output, as of a run in a process of its own.
    """
    printed, complained = io.StringIO(), io.StringIO()
    started = time.monotonic()
    workers = forked_workers() if PLAIN in arguments else contextlib.nullcontext()
    with _restored(["pytest"]), workers, contextlib.redirect_stdout(printed), contextlib.redirect_stderr(complained):
        status = _status_of(lambda: pytest.main([f"--basetemp={directory / 'runpytest'}", *arguments]))
    for text, stream in ((printed, sys.stdout), (complained, sys.stderr)):
        stream.write(text.getvalue())  # what a failed test shows
    seconds = time.monotonic() - started
    return pytest.RunResult(status, printed.getvalue().splitlines(), complained.getvalue().splitlines(), seconds)


def print_of(arguments: list[str]) -> str:
    """Return what ``pytest`` or ``omnibench`` prints to both of its streams, run in this process as a fresh one would.

    Args:
        arguments: The command, and its arguments.

    Returns:
        The text in the order in which it was printed.
    """
    from omnibench.commands.main import main

    printed = io.StringIO()
    programs: dict[str, Callable[[], object]] = {"pytest": lambda: pytest.main(arguments[1:]), "omnibench": main}
    with _restored(arguments), contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        for name in {name for name in sys.modules if not _is_of_a_package(name)} - {"__main__"}:
            del sys.modules[name]  # they come back with the others
        _status_of(programs[arguments[0]])
    return printed.getvalue()


def _status_of(program: Callable[[], Any]) -> int:
    try:
        return int(program())
    except SystemExit as stopped:
        return int(stopped.code or 0)


@contextlib.contextmanager
def _restored(command: list[str]) -> Iterator[None]:
    """Give a run the state of a fresh interpreter, and take back afterwards what it has changed."""
    from omnibench.data import loaders
    from omnibench.runners import registry
    from omnibench.seed import DEFAULT_RANDOM_STATE, get_random_state, set_random_state

    random_state, runners, datasets = get_random_state(), dict(registry._RUNNERS), dict(loaders._LOADERS)
    modules, path, hooks = modules_before(), list(sys.path), list(sys.meta_path)
    environment, arguments = dict(os.environ), list(sys.argv)
    importlib.invalidate_caches()
    sys.argv[:] = command
    set_random_state(DEFAULT_RANDOM_STATE)
    try:
        with warnings.catch_warnings(), forked_guests(), known_distributions():
            warnings.resetwarnings()
            for action, category, module in reversed(INTERPRETER_FILTERS):
                warnings.filterwarnings(action, category=category, module=module)  # type: ignore[arg-type]
            yield
    finally:
        set_random_state(random_state)
        modules.restore()
        sys.path[:], sys.meta_path[:], sys.argv[:] = path, hooks, arguments
        registry._RUNNERS.clear()
        registry._RUNNERS.update(runners)
        loaders._LOADERS.clear()
        loaders._LOADERS.update(datasets)
        os.environ.clear()
        os.environ.update(environment)

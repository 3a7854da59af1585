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
from collections.abc import Iterator
from pathlib import Path

import pytest

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
"""What omnibench imports where it needs it, and what cannot be imported again after it was forgotten."""

INTERPRETER_FILTERS = (
    ("default", DeprecationWarning, "__main__"),
    ("ignore", DeprecationWarning, ""),
    ("ignore", PendingDeprecationWarning, ""),
    ("ignore", ImportWarning, ""),
    ("ignore", ResourceWarning, ""),
)
"""What a fresh interpreter does about warnings; the test itself runs with warnings as errors."""


def import_everything() -> None:
    """Import what runs import, because pytester forgets at the end of a test what was imported during it."""
    import omnibench

    for module in pkgutil.walk_packages(omnibench.__path__, "omnibench."):
        if not module.name.startswith("omnibench.guest.") and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in IMPORTED_LATE:
        importlib.import_module(name)


def run_inside(directory: Path, *arguments: str) -> pytest.RunResult:
    """Run pytest in this process as a fresh process would, and leave the process as it was.

    Modules of the directory are forgotten afterwards; those of installed packages stay, because numpy and others cannot
    be imported twice.

    Args:
        directory: The project's directory, which is the current one.
        arguments: Arguments of pytest.

    Returns:
        Exit status and output, as of a run in a process of its own.
    """
    printed, complained = io.StringIO(), io.StringIO()
    started = time.monotonic()
    with _restored(directory), contextlib.redirect_stdout(printed), contextlib.redirect_stderr(complained):
        try:
            status = int(pytest.main([f"--basetemp={directory / 'runpytest'}", *arguments]))
        except SystemExit as stopped:
            status = int(stopped.code or 0)
    for text, stream in ((printed, sys.stdout), (complained, sys.stderr)):
        stream.write(text.getvalue())  # what a failed test shows
    seconds = time.monotonic() - started
    return pytest.RunResult(status, printed.getvalue().splitlines(), complained.getvalue().splitlines(), seconds)


@contextlib.contextmanager
def _restored(directory: Path) -> Iterator[None]:
    """Give a run the state of a fresh interpreter, and take back afterwards what it has changed."""
    from omnibench.data import loaders
    from omnibench.runners import registry
    from omnibench.seed import DEFAULT_RANDOM_STATE, get_random_state, set_random_state

    random_state, runners, datasets = get_random_state(), dict(registry._RUNNERS), dict(loaders._LOADERS)
    modules, path, hooks = dict(sys.modules), list(sys.path), list(sys.meta_path)
    environment, arguments = dict(os.environ), list(sys.argv)
    importlib.invalidate_caches()
    sys.argv[:] = ["pytest"]
    set_random_state(DEFAULT_RANDOM_STATE)
    try:
        with warnings.catch_warnings():
            warnings.resetwarnings()
            for action, category, module in reversed(INTERPRETER_FILTERS):
                warnings.filterwarnings(action, category=category, module=module)  # type: ignore[arg-type]
            yield
    finally:
        set_random_state(random_state)
        beneath = f"{directory}{os.sep}"
        for name in [name for name, module in sys.modules.items() if _file_of(module).startswith(beneath)]:
            del sys.modules[name]
        sys.modules.update({name: module for name, module in modules.items() if name not in sys.modules})
        sys.path[:], sys.meta_path[:], sys.argv[:] = path, hooks, arguments
        registry._RUNNERS.clear()
        registry._RUNNERS.update(runners)
        loaders._LOADERS.clear()
        loaders._LOADERS.update(datasets)
        os.environ.clear()
        os.environ.update(environment)


def _file_of(module: object) -> str:
    file = getattr(module, "__file__", None)
    return file if isinstance(file, str) else ""

"""``omnibench envs new``, ``lock`` and ``check``: frameworks that are files of the project."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from omnibench.commands.parsing import say, say_text, taking_empty
from omnibench.commands.skeletons import adapter_text, contract_text
from omnibench.data.project_files import RUNNERS, project_files
from omnibench.errors import PlanError
from omnibench.runners.adapter_file import OLDEST_PYTHON, AdapterFile, checked_python
from omnibench.runners.adapters import adapter_names, find_adapter, unmatched_patterns
from omnibench.runners.environments import environment_of
from omnibench.runners.lock_file import LockRequest, distribution_of, is_requirement
from omnibench.runners.locking import make_lock
from omnibench.runners.own_locks import class_requests, names_class, project_classes
from omnibench.runners.program_file import ProgramFile
from omnibench.runners.registry import get_runner, runner_names

_OR_CLASS = ", or a class that needs packages, as file.py::Class"
_FOLDER = "adapters"
_PYTHON = ".".join(map(str, OLDEST_PYTHON))


def envs_new(arguments: argparse.Namespace) -> int:
    """Begin an adapter: a file that runs as it is, with comments where a framework comes in, and its test."""
    name, requirements = arguments.name, arguments.requirement
    if not name.isidentifier():
        raise PlanError(f"a framework cannot be named {name!r}; give a name as Python has them, e.g. mylib.")
    if name in runner_names(is_complete=False):
        raise PlanError(f"there is a framework named {name!r} already; choose another name.")
    for requirement in requirements:
        if not is_requirement(requirement):
            raise PlanError(
                f"--requirement is {requirement!r}; give the name of a package, possibly with a version, e.g. 'lightfm==1.17'."
            )
    python = checked_python("--python", arguments.python)
    folder = Path(arguments.folder)
    path, test = folder / f"{name}.py", folder / f"test_{name}.py"
    for file in (path, test):
        if file.exists():
            raise PlanError(f"{file} is there already; remove it, or give another name or --folder.")
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(adapter_text(requirements, python), encoding="utf-8")
    test.write_text(contract_text(name), encoding="utf-8")
    say(f"{path}: an adapter of {distribution_of(requirements[0])} to fill in, and its test, {test.name}")
    for line in _next_steps(path):
        say(f"  {line}")
    return 0


def _next_steps(path: Path) -> Iterable[str]:
    name, project = path.stem, project_files(RUNNERS)
    if project is None:
        yield f'add to pyproject.toml: [tool.omnibench] runners = ["{path.as_posix()}"]'
    elif not project.has(path.absolute()):
        relative = Path(os.path.relpath(path, project.settings.parent)).as_posix()
        yield f'add to [tool.omnibench] runners in {project.settings}: "{relative}"'
    yield f"then: `omnibench envs lock {name}`, `omnibench envs check {name}`, and framework({name!r}) in a bench file"


def envs_lock(arguments: argparse.Namespace) -> int:
    """Pin all that frameworks or classes of the project need, with hashes, in a lock beside the adapter or the class."""
    for name in arguments.frameworks or [*adapter_names(), *project_classes()]:
        for title, request in _lock_requests(name):
            changes = make_lock(request)
            say(f"{title}: {'as before' if not changes else request.lock}")
            for change in changes:
                say(f"  {change}")
    return 0


def _lock_requests(name: str) -> list[tuple[str, LockRequest]]:
    """Return what is to be locked under a name, each with what it is called."""
    if names_class(name):
        return [(request.owner, request) for request in class_requests(name)]
    adapter = _adapter(name)
    if isinstance(adapter, ProgramFile):
        say(f"{name}: a program, of which nothing is installed")
        return []
    return [(name, adapter.lock_request)]


def envs_check(arguments: argparse.Namespace) -> int:
    """Run the contract tests of a framework of the project: the test beside its adapter, or all algorithms with their defaults."""
    status = 0
    for name in arguments.frameworks or adapter_names():
        adapter = _adapter(name)
        runner = adapter.runner()
        if runner.has_environment:
            say(f"{name}: {environment_of(runner).ensure(say_text)}")
        status = max(status, _run_tests(adapter))
    return status


def _run_tests(adapter: AdapterFile | ProgramFile) -> int:
    own = adapter.path.with_name(f"test_{adapter.path.stem}.py")
    if own.is_file():
        return _pytest(own)
    with tempfile.TemporaryDirectory() as folder:
        test = Path(folder, f"test_{adapter.name}.py")
        test.write_text(contract_text(adapter.name, adapter.algorithms), encoding="utf-8")
        return _pytest(test)


def _pytest(test: Path) -> int:
    # In a process of its own: what the tests import and set is nothing to this one.
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", str(test)]
    return subprocess.run(command, check=False).returncode


def _adapter(name: str) -> AdapterFile | ProgramFile:
    """Return a framework that is a file.

    Raises:
        PlanError: There is none, or it is no file.
    """
    adapter = find_adapter(name)
    if adapter is not None:
        return adapter
    if name in runner_names():
        get_runner(name)
        raise PlanError(f"{name} is no file of the project; omnibench or a conftest.py brings it with its lock.")
    raise PlanError(
        f"there is no framework {name!r} in [tool.omnibench] runners.{unmatched_patterns()} {_beginning(name)}"
    )


def _beginning(name: str) -> str:
    """Return how a framework begins: a file of its name may be there already, and the project does not name it."""
    for path in (Path(_FOLDER, f"{name}.py"), Path(_FOLDER, f"{name}.toml"), Path(f"{name}.py"), Path(f"{name}.toml")):
        if name.isidentifier() and path.is_file():
            return f'{path} is there: add it to pyproject.toml, [tool.omnibench] runners = ["{path.as_posix()}"].'
    return f"`omnibench envs new {name} --requirement ...` begins one."


def add_parsers(actions: Any) -> None:
    """Declare the actions to argparse."""
    new = actions.add_parser("new", help=_first_line(envs_new), description=_first_line(envs_new))
    new.add_argument("name", metavar="NAME", help="what plans call the framework; its file is NAME.py")
    requirement = new.add_argument(
        "--requirement",
        action="append",
        required=True,
        metavar="TEXT",
        help="what pip is to install, the framework first",
    )
    taking_empty(requirement)  # which is refused as other texts that are no package
    new.add_argument(
        "--python", default=_PYTHON, metavar="VERSION", help=f"the Python of its environment (default: {_PYTHON})"
    )
    new.add_argument("--folder", default=_FOLDER, metavar="PATH", help=f"where the files go (default: {_FOLDER})")
    new.set_defaults(run=envs_new)
    for name, action in (("lock", envs_lock), ("check", envs_check)):
        parser = actions.add_parser(name, help=_first_line(action), description=_first_line(action))
        parser.add_argument(
            "frameworks",
            nargs="*",
            metavar="FRAMEWORK",
            help=f"a framework that is a file of the project{_OR_CLASS if action is envs_lock else ''} (default: all)",
        )
        parser.set_defaults(run=action)


def _first_line(action: Any) -> str:
    return str(action.__doc__ or "").splitlines()[0]

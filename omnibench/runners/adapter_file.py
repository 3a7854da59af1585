"""A framework that is a file of the user's own: what its adapter says of itself, read without importing it.

Beside ``adapters/mylib.py`` lies its lock, ``adapters/mylib.lock``. What the file says are plain values, because the framework
that it imports is installed in its isolated environment only.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omnibench.code.parsed import ParsedModule, parsed
from omnibench.errors import PlanError, nearest
from omnibench.runners.described import check_algorithms
from omnibench.runners.info import DEFAULTS, RunnerInfo
from omnibench.runners.lock_file import LockRequest, checked_requirements, distribution_of

OLDEST_PYTHON = (3, 11)
"""The first Python that a guest's side of omnibench runs with."""

_VERSION = 1
_ALWAYS = {
    "version": "version()",
    "fit": "fit(task, fold)",
    "save": "save(model, directory)",
    "load": "load(path, task, fold)",
}
"""The functions that every adapter has, with their arguments."""

_PREDICTING = {
    "score": "score(model, task, fold)",
    "lists": "lists(model, task, fold)",
    "rate": "rate(model, task, fold)",
}
"""Those by which it predicts, of which it has one at least."""

_DECLARED = ("requirements", "python", "algorithms")


@dataclass(frozen=True, slots=True)
class AdapterFile:
    """What the file of an adapter says.

    Attributes:
        path: The file.
        name: What plans call the framework: the file's name, or that of the plugin's entry point.
        requirements: What is installed in its environment; the framework itself is the first.
        python: The Python of its environment, e.g. ``3.11``.
        algorithms: Its algorithms; see ``RunnerInfo.algorithms``.
        remark: What errors of its lock say in the end: with which installed package it comes; nothing of the project's own.
    """

    path: Path
    name: str
    requirements: tuple[str, ...]
    python: str
    algorithms: Mapping[str, Mapping[str, Any]]
    remark: str = ""

    @property
    def distribution(self) -> str:
        """The name under which the framework is installed, whose version is part of every key."""
        return distribution_of(self.requirements[0])

    @property
    def lock(self) -> Path:
        """Where its lock lies, or will."""
        return self.path.with_suffix(".lock")

    @property
    def is_locked(self) -> bool:
        """Whether it has a lock."""
        return self.lock.is_file()

    @property
    def lock_request(self) -> LockRequest:
        """What its lock is made of."""
        return LockRequest(self.lock, self.requirements, self.python, str(self.path))

    def runner(self) -> RunnerInfo:
        """Return the framework, ready to run.

        Raises:
            PlanError: It has no lock, or one that was made of other requirements.
        """
        advice = f"`omnibench envs lock {self.name}`"
        try:
            heading = self.lock.read_text(encoding="utf-8").partition("\n")[0]
        except FileNotFoundError:
            raise PlanError(f"{self.name} has no lock {str(self.lock)!r}; {advice} makes it.{self.remark}") from None
        if heading != self.lock_request.heading:
            raise PlanError(
                f"{self.lock} was made of other requirements ({heading.removeprefix('# ')}) than those of {self.path.name}; {advice} "
                f"makes it anew.{self.remark}"
            )
        return RunnerInfo(
            name=self.name,
            distribution=self.distribution,
            adapter=str(self.path),
            adapter_version=_VERSION,
            python=self.python,
            lock=self.lock,
            algorithms=self.algorithms,
            adapter_file=self.path,
        )


def is_adapter(path: Path) -> bool:
    """Return whether a file says anything of a framework: a pattern may match tests and helpers that lie beside adapters."""
    try:
        return any(name in parsed(path).definitions for name in _DECLARED)
    except (OSError, SyntaxError, ValueError):
        return True  # whoever reads it as an adapter says what is wrong with it


def read_adapter(path: Path, name: str = "") -> AdapterFile:
    """Read the file of an adapter.

    Args:
        path: The file.
        name: What plans call the framework; by default the file's name without ``.py``.

    Raises:
        PlanError: It cannot be read, or something in it is missing or wrong.
    """
    name, path = name or path.stem, path.absolute()
    if not name.isidentifier():
        raise PlanError(f"a framework cannot be named {name!r}; name its file as Python names things, e.g. my_lib.py.")
    try:
        module = parsed(path)
    except OSError as error:
        raise PlanError(f"the adapter {path} cannot be read ({error.strerror}); check the path.") from error
    except SyntaxError as error:
        raise PlanError(
            f"the adapter {path} is no Python: line {error.lineno}, {error.msg}; correct that line."
        ) from error
    except ValueError as error:
        raise PlanError(f"the adapter {path} is no Python ({error}).") from error
    _refuse_near_names(path, module)
    requirements = checked_requirements(f"{path}: requirements", _literal(path, module, "requirements"))
    python = checked_python(f"{path}: python", _literal(path, module, "python"))
    algorithms = _literal(path, module, "algorithms")
    if not isinstance(algorithms, dict) or not algorithms:
        raise PlanError(
            f"{path}: algorithms is {algorithms!r}; describe them, e.g. "
            'algorithms = {"Popularity": {"parameters": {"k": 20}}}.'
        )
    for algorithm in algorithms:
        if not isinstance(algorithm, str) or not algorithm.isidentifier():
            raise PlanError(
                f"{path}: an algorithm cannot be named {algorithm!r}; give a name as Python has them, e.g. 'ALS'."
            )
    check_algorithms(name, algorithms)
    _check_functions(path, module, algorithms)
    return AdapterFile(path, name, requirements, python, algorithms)


def _refuse_near_names(path: Path, module: ParsedModule) -> None:
    """Refuse ``requirement = ...`` and other names that would be looked for in vain."""
    for declared in _DECLARED:
        if declared in module.definitions:
            continue
        near = [name for name in module.definitions if nearest(name, [declared]) and name not in _DECLARED]
        if near and declared != "python":
            raise PlanError(f"{path} says {near[0]} = ..., but no {declared}; rename it.")


def _literal(path: Path, module: ParsedModule, name: str) -> Any:
    """Return the plain value of a top-level name; None where there is none.

    Raises:
        PlanError: It is computed.
    """
    statements = module.definitions.get(name)
    if not statements:
        return None
    statement = statements[-1]
    try:
        if len(statements) == 1 and isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            return ast.literal_eval(statement.value)
    except ValueError:
        pass
    raise PlanError(
        f"{path}, line {statement.lineno}: {name} is computed; assign it plain values, once, because it is read without "
        "importing the file."
    )


def checked_python(label: str, value: Any) -> str:
    """Return the version of an environment's Python.

    Args:
        label: What says it, as errors begin.
        value: What it says; None for the oldest that there can be.

    Raises:
        PlanError: It is no version, or a guest cannot run with it.
    """
    if value is None:
        return ".".join(map(str, OLDEST_PYTHON))
    match = re.fullmatch(r"(\d+)\.(\d+)(\.\d+)?", value) if isinstance(value, str) else None
    if match is None:
        raise PlanError(f"{label} is {value!r}; give a version as a text, e.g. '3.12'.")
    if (int(match[1]), int(match[2])) < OLDEST_PYTHON:
        raise PlanError(f"{label} is {value!r}; omnibench's side of the process needs 3.11 or a later one.")
    return str(value)


def _check_functions(path: Path, module: ParsedModule, algorithms: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse an adapter without a function that it needs; one that imports all names of a module may have any."""
    if any(statement.name == "*" for statement in module.imports):
        return
    described = [{**DEFAULTS, **entry} for entry in algorithms.values()]
    needed = dict(_ALWAYS)
    if any(entry["ratings"] for entry in described):
        needed["rate"] = _PREDICTING["rate"]
    has = {name for name in (*needed, *_PREDICTING) if module.defines(name) or name in module.bindings}
    missing = [signature for name, signature in needed.items() if name not in has]
    if any(entry["ranking"] for entry in described) and not has & _PREDICTING.keys():
        missing.append(f"{_PREDICTING['score']}, or {_PREDICTING['lists']}")
    if missing:
        raise PlanError(f'{path} has no function {missing[0]}; see the page "Bring your own framework".')
    for name, signature in {**_ALWAYS, **_PREDICTING}.items():
        count = signature.count(",") + 1 if name != "version" else 0
        statements = module.definitions.get(name, [])
        if statements and all(_cannot_take(each, count) for each in statements):  # some may be those of another branch
            statement = statements[-1]
            assert isinstance(statement, ast.FunctionDef)
            raise PlanError(
                f"{path}, line {statement.lineno}: {name}({ast.unparse(statement.args)}) does not take what it is called with; write "
                f"{signature}."
            )


def _cannot_take(statement: ast.stmt, count: int) -> bool:
    """Return whether it is a function that cannot be called with so many arguments; one with a decorator may take others."""
    return isinstance(statement, ast.FunctionDef) and not (statement.decorator_list or _takes(statement.args, count))


def _takes(arguments: ast.arguments, count: int) -> bool:
    """Return whether a function can be called with so many arguments, all by their places."""
    named = [*arguments.posonlyargs, *arguments.args]
    required = len(named) - len(arguments.defaults)
    lacking = any(default is None for default in arguments.kw_defaults)
    return not lacking and required <= count and (count <= len(named) or arguments.vararg is not None)

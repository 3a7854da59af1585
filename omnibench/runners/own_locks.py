"""Classes of the user's own with environments, as the command line names them: read from their files, without importing them."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path

from omnibench.code.parsed import parsed
from omnibench.errors import PlanError, nearest
from omnibench.project import nearest_settings
from omnibench.runners.lock_file import LockRequest
from omnibench.runners.own_environment import PYTHON, REQUIREMENTS, OwnRunner, lock_request, runner_of

_MARK = "::"
_EXAMPLE = f"booster.py{_MARK}Booster"
_FOREIGN = "pyvenv.cfg"
"""What a folder has that is somebody's environment."""


def names_class(name: str) -> bool:
    """Whether a name is a class's, as ``benchmarks/booster.py::Booster``, or a file of classes."""
    return name.partition(_MARK)[0].endswith(".py")


def class_requests(name: str) -> list[LockRequest]:
    """Return what the locks of a class, or of all classes of a file, are made of.

    Args:
        name: The file, and behind ``::`` the class, if it is about one.

    Raises:
        PlanError: There is none that says what it needs, or the file cannot be read.
    """
    return [lock_request(*declared) for declared in _declared(name)]


def class_runners(name: str, *, locks: bool) -> list[OwnRunner]:
    """Return the runners of a class, or of all classes of a file.

    Args:
        name: As above.
        locks: Whether to make a lock that is missing.

    Raises:
        OmnibenchError: As ``class_requests``; or a lock is missing, or nothing satisfies the requirements.
    """
    for request in [] if locks else class_requests(name):
        if not request.is_made:
            raise PlanError(
                f"{request.owner} has no lock of {', '.join(request.requirements)}; `omnibench envs lock {request.owner}` makes it."
            )
    return [runner_of(*declared) for declared in _declared(name)]


def project_classes() -> list[str]:
    """Return the names of the classes of the project whose locks lie beside them."""
    settings = nearest_settings(Path.cwd())
    return list(locked_classes(Path.cwd() if settings is None else settings.path.parent))


def locked_classes(root: Path) -> Iterator[str]:
    """Yield the names of the classes below a folder whose locks lie beside them."""
    for folder, folders, names in os.walk(root):
        folders[:] = [sub for sub in sorted(folders) if sub[0] not in "._" and not Path(folder, sub, _FOREIGN).exists()]
        for lock in sorted(name for name in names if name.endswith(".lock")):
            module, _, algorithm = lock.removesuffix(".lock").partition(".")
            if algorithm and f"{module}.py" in names:
                yield f"{os.path.relpath(Path(folder, module))}.py{_MARK}{algorithm}"


def _declared(name: str) -> Iterator[tuple[str, Path, object, object]]:
    """Yield class name, file, requirements and Python of classes, as ``lock_request`` takes them."""
    path, _, algorithm = name.partition(_MARK)
    file = Path(path).absolute()
    try:
        body = parsed(file).body
    except (OSError, SyntaxError, ValueError) as error:
        raise PlanError(
            f"{file} cannot be read ({error}); give a file, or one of its classes, e.g. {_EXAMPLE}."
        ) from error
    classes = {statement.name: statement for statement in body if isinstance(statement, ast.ClassDef)}
    stated = {title: _stated(file, definition) for title, definition in classes.items()}
    having = {title: values for title, values in stated.items() if REQUIREMENTS in values}
    if algorithm and algorithm not in having:
        hint = nearest(algorithm, having) or (f"; there are {', '.join(having)}" if having else "")
        raise PlanError(f"{file} has no class {algorithm!r} with {REQUIREMENTS} = [...]{hint}.")
    if not having:
        raise PlanError(f"{file} has no class with {REQUIREMENTS} = [...]; classes without need no environment.")
    for title in [algorithm] if algorithm else having:
        yield title, file, having[title][REQUIREMENTS], having[title].get(PYTHON)


def _stated(file: Path, definition: ast.ClassDef) -> dict[str, object]:
    """Return what a class says of its environment."""
    values: dict[str, object] = {}
    for statement in definition.body:
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        for name in (target.id for target in targets if isinstance(target, ast.Name)):
            if name in {REQUIREMENTS, PYTHON}:
                try:
                    values[name] = ast.literal_eval(statement.value)  # type: ignore[attr-defined]
                except ValueError as error:
                    raise PlanError(
                        f"{file}, line {statement.lineno}: {name} is computed; a plan that has the class makes its lock all the same."
                    ) from error
    return values

"""What identifies the code of a user's class or function."""

from __future__ import annotations

import ast
import hashlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from omnibench.errors import PlanError

SEED_NAMES = ("random_state", "seed")
"""A constructor that takes one of these, and is not given it, gets the run's seed."""


HISTORY = "history"
"""A ``recommend`` that takes this argument is given what is known of the users, who may be unknown in training."""


def code_of(algorithm: type | Callable[..., Any]) -> str:
    """Identify the code of a class or function: its ``version`` if it has one, else a digest of its source.

    The source is its own and that of everything at the top level of the same module that it uses, directly or
    not: base classes, functions, constants. Comments and layout do not count; imported modules do not either.

    Raises:
        PlanError: The source cannot be read.
    """
    version = algorithm.__dict__.get("version")
    if isinstance(version, str | int | float):  # a method or property of that name says nothing stable
        return f"version {version}"
    file = inspect.getsourcefile(algorithm)
    try:
        if file is None:
            raise OSError("it has no file")  # noqa: TRY301 - the same way out
        top_level = _definitions(ast.parse(Path(file).read_bytes()))
        if algorithm.__name__ not in top_level:
            raise OSError("it is not defined at the top level of its file")  # noqa: TRY301
    except (OSError, SyntaxError) as error:
        raise PlanError(
            f"the source of {algorithm.__qualname__} cannot be read ({error}); give it a `version` attribute "
            "so that its results can be told apart."
        ) from error
    used, open_names = [], [algorithm.__name__]
    while open_names:
        name = open_names.pop()
        if name in used or name not in top_level:
            continue
        used.append(name)
        inside = (one for node in top_level[name] for one in ast.walk(node))
        open_names += [one.id for one in inside if isinstance(one, ast.Name)]
    # ast.unparse is the same under comments, blank lines and moves (research: stable over 3.10 to 3.13).
    source = "\n".join(ast.unparse(node) for name in sorted(used) for node in top_level[name])
    return "source " + hashlib.sha256(source.encode()).hexdigest()


def _definitions(module: ast.Module) -> dict[str, list[ast.stmt]]:
    """Return the statements of a module that define a name, by name, also those below an ``if`` or ``try``."""
    found: dict[str, list[ast.stmt]] = {}
    statements: list[ast.stmt] = list(module.body)
    while statements:
        one = statements.pop(0)
        if isinstance(one, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names = [one.name]
        elif isinstance(one, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = one.targets if isinstance(one, ast.Assign) else [one.target]
            names = [part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)]
        else:
            names = []
            statements += [part for part in ast.iter_child_nodes(one) if isinstance(part, ast.stmt)]
        for name in names:
            found.setdefault(name, []).append(one)
    return found

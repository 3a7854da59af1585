"""Identify the code of a user's class or function: by its version, or by a digest of its source."""

from __future__ import annotations

import ast
import hashlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from omnibench.errors import PlanError

SEED_NAMES = ("random_state", "seed")
"""Arguments that get the run's seed where a constructor has one of these names and the user sets none."""

HISTORY = "history"
"""The argument of ``recommend`` that gets the users' histories, also those of users who are not in training."""


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
    used_names, pending_names = [], [algorithm.__name__]
    while pending_names:
        name = pending_names.pop()
        if name in used_names or name not in top_level:
            continue
        used_names.append(name)
        nodes = (node for statement in top_level[name] for node in ast.walk(statement))
        pending_names += [node.id for node in nodes if isinstance(node, ast.Name)]
    # ast.unparse is the same under comments, blank lines and moves (research: stable over 3.10 to 3.13).
    source = "\n".join(ast.unparse(statement) for name in sorted(used_names) for statement in top_level[name])
    return "source " + hashlib.sha256(source.encode()).hexdigest()


def _definitions(module: ast.Module) -> dict[str, list[ast.stmt]]:
    """Return the statements that define each top-level name of a module, also those below an ``if`` or ``try``."""
    definitions: dict[str, list[ast.stmt]] = {}
    statements: list[ast.stmt] = list(module.body)
    while statements:
        statement = statements.pop(0)
        if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names = [statement.name]
        elif isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            names = [part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)]
        else:
            names = []
            statements += [part for part in ast.iter_child_nodes(statement) if isinstance(part, ast.stmt)]
        for name in names:
            definitions.setdefault(name, []).append(statement)
    return definitions

"""A user's own algorithm: how it is found again in another process, and what identifies its code."""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omnibench.errors import PlanError

SEED_NAMES = ("random_state", "seed")
"""A constructor that takes one of these, and is not given it, gets the run's seed."""

HISTORY = "history"
"""A ``recommend`` that takes this argument is given what is known of the users, who may be unknown in training."""


@dataclass(frozen=True)
class OwnAlgorithm:
    """A class of the user's own, with ``fit(train)`` and ``recommend(users, k)`` or ``predict(users, items)``.

    Attributes:
        module: The name under which its module is imported.
        file: The module's file.
        name: The class's name in the module.
        code: Its ``version`` if it has one, else a digest of its source without comments and layout, and of
            the source of its bases in the same module.
        parameters: The names its constructor takes, or None when it takes any.
        required: Those of them without a default.
        ranks: Whether it can recommend.
        rates: Whether it can predict ratings.
        gpu: Whether it says (``uses_gpu = True``) that it computes on a GPU when it may.
        folds_in: Whether it can recommend from a history, for users unknown in training.
    """

    module: str
    file: str
    name: str
    code: str
    parameters: tuple[str, ...] | None
    required: tuple[str, ...]
    ranks: bool
    rates: bool
    gpu: bool = False
    folds_in: bool = False

    @classmethod
    def of(cls, algorithm: type) -> OwnAlgorithm:
        """Describe a class.

        Raises:
            PlanError: It lacks a method, or another process could not import it.
        """
        name = algorithm.__qualname__
        ranks, rates = (callable(getattr(algorithm, method, None)) for method in ("recommend", "predict"))
        if not callable(getattr(algorithm, "fit", None)) or not (ranks or rates):
            raise PlanError(
                f"the class {name} is no algorithm: it needs fit(train) and recommend(users, k), or "
                "predict(users, items) for ratings."
            )
        file = getattr(sys.modules.get(algorithm.__module__), "__file__", None)
        if "." in name or file is None or not Path(file).is_file():
            raise PlanError(
                f"the class {name} runs in a process of its own, which has to import it; define it at the top level "
                "of a file (not in a function, a notebook or a prompt)."
            )
        if algorithm.__module__ == "__main__" and _is_guarded(name, file):
            raise PlanError(
                f"the class {name} runs in a process of its own, which imports {Path(file).name} without running what "
                'stands below `if __name__ == "__main__":`; define the class above it.'
            )
        return cls(
            module=algorithm.__module__,
            file=str(Path(file).resolve()),
            name=name,
            code=code_of(algorithm),
            parameters=_parameters(algorithm),
            required=_required(algorithm),
            ranks=ranks,
            rates=rates,
            gpu=bool(getattr(algorithm, "uses_gpu", False)),
            folds_in=ranks and HISTORY in (_named(getattr(algorithm, "recommend", None)) or ()),
        )

    @property
    def locator(self) -> dict[str, object]:
        """What the guest needs to import the class."""
        return {
            "module": self.module,
            "file": self.file,
            "name": self.name,
            "code": self.code,
            "path": list(sys.path),
        }


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


def _is_guarded(name: str, file: str) -> bool:
    """Whether a script defines a name only when it is the main program."""
    body = ast.parse(Path(file).read_bytes()).body
    return not any(isinstance(one, ast.ClassDef) and one.name == name for one in body)


def _signature(algorithm: type) -> list[inspect.Parameter] | None:
    try:
        return list(inspect.signature(algorithm).parameters.values())
    except (TypeError, ValueError):  # a constructor that is not written in Python
        return None


_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def _named(function: Any) -> list[str] | None:
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # not written in Python
        return None


def _parameters(algorithm: type) -> tuple[str, ...] | None:
    signature = _signature(algorithm)
    if signature is None or any(one.kind is one.VAR_KEYWORD for one in signature):
        return None
    return tuple(one.name for one in signature if one.kind in _NAMED)


def _required(algorithm: type) -> tuple[str, ...]:
    """Name what has no default, but for the seed, which every algorithm that asks for one is given."""
    signature = _signature(algorithm) or []
    named = (one for one in signature if one.kind in _NAMED and one.default is one.empty)
    return tuple(one.name for one in named if one.name not in SEED_NAMES)

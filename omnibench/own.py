"""A user's own algorithm: how it is found again in another process, and what identifies its code."""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

from omnibench.errors import PlanError


SEED_NAMES = ("random_state", "seed")
"""A constructor that takes one of these, and is not given it, gets the run's seed."""


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
    """

    module: str
    file: str
    name: str
    code: str
    parameters: tuple[str, ...] | None
    required: tuple[str, ...]
    ranks: bool
    rates: bool

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
        return cls(
            module=algorithm.__module__,
            file=str(Path(file).resolve()),
            name=name,
            code=_code(algorithm),
            parameters=_parameters(algorithm),
            required=_required(algorithm),
            ranks=ranks,
            rates=rates,
        )

    @property
    def locator(self) -> dict[str, object]:
        """What the guest needs to import the class."""
        return {"module": self.module, "file": self.file, "name": self.name, "path": list(sys.path)}


def _code(algorithm: type) -> str:
    version = algorithm.__dict__.get("version")
    if isinstance(version, str | int | float):  # a method or property of that name says nothing stable
        return f"version {version}"
    here = [one for one in algorithm.__mro__ if one.__module__ == algorithm.__module__]
    try:
        source = "\n".join(textwrap.dedent(inspect.getsource(one)) for one in here)
    except (OSError, TypeError) as error:
        raise PlanError(
            f"the source of {algorithm.__qualname__} cannot be read ({error}); give the class a `version` attribute "
            "so that its results can be told apart."
        ) from error
    # ast.unparse is the same under comments, blank lines and moves (research: stable over 3.10 to 3.13).
    return "source " + hashlib.sha256(ast.unparse(ast.parse(source)).encode()).hexdigest()


def _signature(algorithm: type) -> list[inspect.Parameter] | None:
    try:
        return list(inspect.signature(algorithm).parameters.values())
    except (TypeError, ValueError):  # a constructor that is not written in Python
        return None


_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


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

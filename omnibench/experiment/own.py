"""The description of a user's own algorithm: how another process imports it, and what it can do."""

from __future__ import annotations

import ast
import inspect
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnibench.code import HISTORY, SEED_NAMES
from omnibench.errors import PlanError
from omnibench.experiment.stray_lists import annotated_types, scalar_arguments, single_types
from omnibench.keys import overlong_label
from omnibench.runners.own_calls import OPTIONAL, REPORT, TRAIN, VALIDATION, takes, unknown_arguments

if TYPE_CHECKING:
    from omnibench.runners.own_environment import OwnRunner

ANY_NUMBER = 0
"""Stands for any number of threads."""


@dataclass(frozen=True)
class OwnAlgorithm:
    """A class of the user's own, with ``fit(train)`` and ``recommend(users, k)`` or ``predict(users, items)``.

    Attributes:
        module: The name under which its module is imported.
        file: The module's file; empty for a class of a notebook's cells.
        name: The class's name in the module.
        code: Its ``version`` if it has one, else a digest of what its results depend on; see ``code.code_of``.
        parameters: The names its constructor takes, or None when it takes any.
        required: Those of them without a default.
        ranks: Whether it can recommend.
        rates: Whether it can predict ratings.
        gpu: Whether it says (``uses_gpu = True``) that it computes on a GPU when it may.
        folds_in: Whether it can recommend from a history, for users unknown in training.
        other_code: Another digest of the same code: that of earlier releases, where it differs; else empty.
        source: The whole source, which is sent to the guest, where there is no file.
        scalars: The arguments of its constructor that take no list.
        deterministic: Whether it says (``deterministic = True``) that it makes the same model whatever the seed; None
            where it says nothing.
        uses_ratings: Whether it says (``uses_ratings = True``) that it needs the ratings of the training part.
        validates: Whether its ``fit`` takes the validation part.
        threads: The number of threads that it says (``threads = 4``) it computes with; 0 when it says (``threads =
            "any"``) that its numbers do not depend on that; None when it says nothing.
        defaults: The defaults of its constructor that are plain values, by name.
        single_types: The arguments of its constructor that take numbers alone, or texts alone; see ``stray_lists``.
        annotated: The arguments of its constructor that are annotated as plain values; see ``stray_lists``.
        reports: Whether its ``fit`` takes ``report``, by which it may tell of its epochs.
        environment: Its runner, where it says (``requirements = [...]``) that it needs an environment of its own.
        files: The files of the project that it is made of, with their sha256, where it runs in such an environment: digests of
            code are another Python's.
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
    other_code: str = ""
    source: str = ""
    scalars: frozenset[str] = frozenset()
    deterministic: bool | None = None
    uses_ratings: bool = False
    validates: bool = False
    threads: int | None = None
    defaults: tuple[tuple[str, Any], ...] = field(default=(), compare=False)
    single_types: tuple[tuple[str, str], ...] = field(default=(), compare=False)
    annotated: tuple[tuple[str, frozenset[str]], ...] = field(default=(), compare=False)
    reports: bool = field(default=False, compare=False)
    environment: OwnRunner | None = None
    files: tuple[tuple[str, str], ...] = field(default=(), compare=False)

    @classmethod
    def of(cls, algorithm: type) -> OwnAlgorithm:
        """Return the description of a class.

        Raises:
            PlanError: It lacks a method, says something of itself that cannot be, or another process could not import it.
        """
        from omnibench.code.files import content_digest  # not every plan has such classes
        from omnibench.code.identity import identify, source_file, warn_of_unfollowed
        from omnibench.runners.own_environment import own_environment

        name = algorithm.__qualname__
        problem = overlong_label(name)
        if problem:
            raise PlanError(f"the class's name {name[:20]}... {problem}; give it a shorter one.")
        ranks, rates = (callable(getattr(algorithm, method, None)) for method in ("recommend", "predict"))
        if not callable(getattr(algorithm, "fit", None)) or not (ranks or rates):
            raise PlanError(
                f"the class {name} is no algorithm: it needs fit(train) and recommend(users, k), or "
                "predict(users, items) for ratings."
            )
        unknown = unknown_arguments(algorithm)
        if unknown:
            raise PlanError(
                f"fit of the class {name} needs {', '.join(unknown)}, which nobody gives it: it gets {TRAIN} and, if it "
                f"names them, {', '.join(OPTIONAL)}. Hyperparameters are arguments of the constructor."
            )
        if "." in name:
            raise PlanError(
                f"the class {name} runs in a process of its own, which has to import it; define it at the top level "
                "of a file (not in a function or a class)."
            )
        file = source_file(algorithm)
        if file is not None and algorithm.__module__ == "__main__" and _is_guarded(name, file):
            raise PlanError(
                f"the class {name} runs in a process of its own, which imports {file.name} without running what "
                'stands below `if __name__ == "__main__":`; define the class above it.'
            )
        _check_random_states(algorithm)
        environment = own_environment(algorithm)
        identity = identify(algorithm, pins=None if environment is None else environment.pins)
        warn_of_unfollowed(algorithm, identity)
        return cls(
            module=_import_name(algorithm.__module__),
            file="" if file is None else str(file.resolve()),
            name=name,
            code=identity.code,
            parameters=_parameters(algorithm),
            required=_required(algorithm),
            ranks=ranks,
            rates=rates,
            gpu=bool(getattr(algorithm, "uses_gpu", False)),
            folds_in=ranks and HISTORY in (_argument_names(getattr(algorithm, "recommend", None)) or ()),
            other_code=identity.before,
            source=identity.source,
            scalars=scalar_arguments(_signature(algorithm) or []),
            deterministic=_stated(algorithm, "deterministic"),
            uses_ratings=bool(_stated(algorithm, "uses_ratings")),
            validates=takes(algorithm, VALIDATION),
            threads=_threads(algorithm),
            defaults=_defaults(algorithm),
            single_types=single_types(_signature(algorithm) or []),
            annotated=annotated_types(_signature(algorithm) or []),
            reports=takes(algorithm, REPORT),
            environment=environment,
            files=() if environment is None else tuple((str(path), content_digest(path)) for path in identity.files),
        )

    def with_other_code(self) -> OwnAlgorithm:
        """Return the description that goes by the other digest."""
        return replace(self, code=self.other_code, other_code=self.code)

    @property
    def locator(self) -> dict[str, object]:
        """All that a guest needs to import the class."""
        return {
            "module": self.module,
            "file": self.file,
            "name": self.name,
            "code": self.code,
            "other_code": self.other_code,
            **({"source": self.source} if self.source else {}),
            **self._surroundings,
        }

    @property
    def _surroundings(self) -> dict[str, object]:
        """Where its guest looks for modules, and by which files it sees that its code is the code in the key."""
        if self.environment is None:
            return {"path": list(sys.path)}
        from omnibench.runners.own_environment import project_folders  # few classes have one

        return {"path": project_folders(sys.path), "files": dict(self.files)}


def _stated(algorithm: type, name: str) -> bool | None:
    """Return what a class says by an attribute; an instance's or a method of that name says nothing.

    Raises:
        PlanError: It is neither true nor false.
    """
    value = getattr(algorithm, name, None)
    if value is None or isinstance(value, bool):
        return value
    if _is_of_instances(value):
        return None
    raise PlanError(f"{algorithm.__qualname__}.{name} is {value!r}; give True or False, or leave it out.")


def _check_random_states(algorithm: type) -> None:
    """Check the form of what a class names as random states.

    Raises:
        PlanError: It is none.
    """
    if getattr(algorithm, "random_state_of", None) is None:
        return
    from omnibench.runners.own_random_states import named  # hardly any class has some

    try:
        named(algorithm)
    except TypeError as error:
        raise PlanError(str(error)) from error


def _is_of_instances(value: Any) -> bool:
    """Whether a class's attribute is a method, or a property or slot that only instances have a value of."""
    return callable(value) or hasattr(type(value), "__get__")


def _threads(algorithm: type) -> int | None:
    """Return what a class says of its threads; an instance's or a method's ``threads`` says nothing."""
    stated = getattr(algorithm, "threads", None)
    if stated == "any":
        return ANY_NUMBER
    if stated is None or _is_of_instances(stated):
        return None
    if type(stated) is not int or stated < 1:
        raise PlanError(
            f"{algorithm.__qualname__}.threads is {stated!r}; give the number of threads that it computes with, or 'any' "
            "where its numbers do not depend on that."
        )
    return stated


def _import_name(module: str) -> str:
    """Return the name under which another process imports a module: of ``python -m shop.models``, not ``__main__``."""
    main = sys.modules.get(module)
    spec = getattr(main, "__spec__", None)
    is_named = module == "__main__" and spec is not None and spec.origin == getattr(main, "__file__", None)
    return str(spec.name) if is_named and spec is not None else module


def _is_guarded(name: str, file: Path) -> bool:
    """Whether a script defines a name only when it is the main program."""
    body = ast.parse(file.read_bytes()).body
    return not any(isinstance(statement, ast.ClassDef) and statement.name == name for statement in body)


def _signature(algorithm: type) -> list[inspect.Parameter] | None:
    try:
        return list(inspect.signature(algorithm).parameters.values())
    except (TypeError, ValueError):  # a constructor that is not written in Python
        return None


_NAMED_KINDS = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def _argument_names(function: Any) -> list[str] | None:
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # not written in Python
        return None


def _parameters(algorithm: type) -> tuple[str, ...] | None:
    signature = _signature(algorithm)
    if signature is None or any(parameter.kind is parameter.VAR_KEYWORD for parameter in signature):
        return None
    return tuple(parameter.name for parameter in signature if parameter.kind in _NAMED_KINDS)


def _defaults(algorithm: type) -> tuple[tuple[str, Any], ...]:
    """Return the parameters whose defaults are plain values."""
    named = [parameter for parameter in _signature(algorithm) or [] if parameter.kind in _NAMED_KINDS]
    return tuple(
        (parameter.name, parameter.default)
        for parameter in named
        if isinstance(parameter.default, bool | int | float | str | None)
    )


def _required(algorithm: type) -> tuple[str, ...]:
    """Return the parameters without a default; a seed is none of them, because an algorithm that takes one gets it."""
    named = [parameter for parameter in _signature(algorithm) or [] if parameter.kind in _NAMED_KINDS]
    names = (parameter.name for parameter in named if parameter.default is parameter.empty)
    return tuple(name for name in names if name not in SEED_NAMES)

"""What a test class says of its algorithm, and the algorithm in its processes, which all checks of the class share."""

from __future__ import annotations

import difflib
import inspect
import types
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from omnibench.errors import OmnibenchError, PlanError
from omnibench.testing.subject import Subject

if TYPE_CHECKING:
    from omnibench.data.dataset import RecSysDataSet

_NEARLY = 0.8
"""So much alike two names are at least, from 0 to 1, of which one may be meant as the other."""

_SUBJECT = pytest.StashKey[Subject]()


class Declared:
    """What a test class says of its algorithm; see ``AlgorithmContract``."""

    algorithm: ClassVar[str | type]
    parameters: ClassVar[Mapping[str, Any]] = {}
    dataset: ClassVar[RecSysDataSet | None] = None
    seed: ClassVar[int] = 42
    list_length: ClassVar[int] = 10
    fills_lists: ClassVar[bool] = True
    expected_failures: ClassVar[Mapping[str, str]] = {}
    timeout: ClassVar[float] = 60.0
    environments: ClassVar[str | Mapping[str, str]] = "isolated"
    device: ClassVar[str] = "cpu"

    __test__ = False

    def __init_subclass__(cls, **arguments: Any) -> None:
        """Have pytest collect what names an algorithm, whatever its name, and expect the failures that it declares.

        Raises:
            TypeError: What is declared is no check, or an attribute that is nearly one of the contract's.
        """
        super().__init_subclass__(**arguments)
        _refuse_misspelt(cls)
        if "__test__" not in vars(cls):
            cls.__test__ = hasattr(cls, "algorithm") or cls.__name__.startswith("Test")
        for name, reason in cls.expected_failures.items():
            check = getattr(cls, name, None)
            if not name.startswith("test_") or not callable(check):
                checks = ", ".join(check for check in dir(cls) if check.startswith("test_"))
                raise TypeError(
                    f"{cls.__name__}.expected_failures names {name!r}, which is no check; there are {checks}."
                )
            setattr(cls, name, pytest.mark.xfail(reason=reason, strict=True)(_copied(check)))

    @pytest.fixture
    def subject(self, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Subject:
        """The algorithm in its processes, which all checks of a class share."""
        try:
            return self._subject(request, tmp_path_factory)
        except OmnibenchError:
            pytest.skip("no plan takes the algorithm: test_fits says why")

    def _subject(self, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Subject:
        """Return the algorithm in its processes, which end with the last check of the class.

        Raises:
            OmnibenchError: No plan would take it.
        """
        owner: pytest.Class | None = request.node.getparent(pytest.Class)
        assert owner is not None, "checks are methods"
        if _SUBJECT not in owner.stash:
            if not hasattr(type(self), "algorithm"):
                raise PlanError(f"{type(self).__name__} names no algorithm; give it `algorithm = MyRecommender`.")
            subject = Subject(
                type(self).algorithm,
                self.parameters,
                self.dataset,
                tmp_path_factory.mktemp("contract"),
                seed=self.seed,
                list_length=self.list_length,
                timeout=self.timeout,
                environments=self.environments,
                device=self.device,
            )
            owner.stash[_SUBJECT] = subject

            def end() -> None:
                del owner.stash[_SUBJECT]
                subject.close()

            owner.addfinalizer(end)
        return owner.stash[_SUBJECT]


def _refuse_misspelt(declared: type[Declared]) -> None:
    """Refuse an attribute whose name is nearly one that counts, since it would be ignored.

    Raises:
        TypeError: There is one.
    """
    of_contract = (base for base in declared.__mro__ if base.__module__.startswith(__package__))
    names = {name for base in of_contract for name in inspect.get_annotations(base)}
    for name in vars(declared).keys() - names:
        near = difflib.get_close_matches(name, names, 1, _NEARLY)
        if near and near[0] not in vars(declared):
            raise TypeError(f"{declared.__name__} has {name!r}, which no check reads; did you mean {near[0]!r}?")


def _copied(check: Any) -> Any:
    """Return a copy of a function, whose marks are its own."""
    copy = types.FunctionType(check.__code__, check.__globals__, check.__name__, check.__defaults__, check.__closure__)
    copy.__kwdefaults__, copy.__doc__, copy.__qualname__ = check.__kwdefaults__, check.__doc__, check.__qualname__
    copy.__dict__.update(check.__dict__)
    return copy

"""Objects that remember what their methods return are gone as soon as nobody needs them, with what they have in memory."""

from __future__ import annotations

import ast
import gc
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import omnibench
from omnibench.gate.baseline import Baseline
from omnibench.method_caches import cached_method
from omnibench.store.fit_identities import FitIdentity
from omnibench.store.why import _Distances

BASELINES = Path(__file__).parent / "assets" / "baselines"


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Python's garbage collector does not come by."""
    gc.disable()
    yield
    gc.enable()


class Squares:
    """Counts how often it computes."""

    def __init__(self) -> None:
        self.n_computed = 0
        self.of = cached_method(self._of, 2)

    def _of(self, number: int) -> int:
        self.n_computed += 1
        return number**2


@pytest.mark.usefixtures("uncollected")
def test_values_are_remembered_for_each_object() -> None:
    """As many as it says, those that were used last; another object has values of its own, and each is gone when nobody has it."""
    squares, others = Squares(), Squares()
    assert [squares.of(number) for number in (2, 3, 2, 4, 2)] == [4, 9, 4, 16, 4]
    assert squares.n_computed == 3
    assert squares.of(3) == 9
    assert squares.n_computed == 4
    assert others.of(3) == 9
    assert others.n_computed == 1
    left = weakref.ref(squares)
    del squares
    assert left() is None


def distances() -> _Distances:
    """How far models are from one, of which two were asked for."""
    made = _Distances({"algorithm": "A", "runner": "R", "fold": 0, "dataset": "d"}, {})
    near, far = (made.to(FitIdentity("[]", data, 0)) for data in ("d", "e"))
    assert near < far
    return made


def baseline() -> Baseline:
    """A baseline whose values were read."""
    made = Baseline(BASELINES / "format-2.parquet")
    assert all(made.values(entry) for entry in made.entries)
    return made


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize("make", [distances, baseline])
def test_what_was_looked_at_is_gone_at_once(make: Callable[[], Any]) -> None:
    """Without the garbage collector, though values were remembered."""
    left = weakref.ref(make())
    assert left() is None


CACHES = ("cache", "lru_cache")


def held_by_caches(source: str) -> list[int]:
    """The lines of a module in which functools caches a method: bound, as a value, or by a decorator that all objects share."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and is_cache(node.func) and any(map(is_method_of_self, node.args)):
            lines.append(node.lineno)
        if isinstance(node, ast.ClassDef):
            methods = [each for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
            lines += [
                each.lineno
                for each in methods
                if each.args.args and each.args.args[0].arg == "self" and any(map(is_cache, each.decorator_list))
            ]
    return lines


def is_cache(node: ast.expr) -> bool:
    """Whether an expression is one of functools' caches, or what makes one."""
    if isinstance(node, ast.Call):
        return is_cache(node.func)
    return (node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")) in CACHES


def is_method_of_self(node: ast.expr) -> bool:
    """Whether an expression is a method of the object itself, or a function that holds it: a partial of a method, a lambda."""
    if isinstance(node, ast.Call):
        return any(map(is_method_of_self, node.args[:1]))
    if isinstance(node, ast.Lambda):
        return any(isinstance(each, ast.Name) and each.id == "self" for each in ast.walk(node))
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"


@pytest.mark.parametrize(
    ("statement", "holds"),
    [
        ("self.of = lru_cache(maxsize=2)(self._of)", True),
        ("self.of = functools.cache(self._of)", True),
        ("self.of = cache(partial(self._of, 3))", True),
        ("self.of = cache(lambda number: self._of(number))", True),
        ("self.of = cached_method(self._of, 2)", False),
        ("self.of = lru_cache(maxsize=2)(partial(looked_up, self._items))", False),
    ],
)
def test_what_holds_its_object_is_recognised(statement: str, holds: bool) -> None:
    """Bound methods in every dress; what is cached of a function, and what is held weakly, is none of them."""
    assert bool(held_by_caches(f"class Squares:\n    def __init__(self):\n        {statement}")) == holds


@pytest.mark.parametrize("decorator", ["cache", "functools.cache", "lru_cache", "lru_cache(maxsize=2)"])
def test_a_decorated_method_is_recognised(decorator: str) -> None:
    """Its cache is the class's, and holds every object for as long as the process; a class method's holds none."""
    assert held_by_caches(f"class Squares:\n    @{decorator}\n    def of(self, number): ...") == [3]
    assert not held_by_caches(f"class Squares:\n    @classmethod\n    @{decorator}\n    def of(cls, number): ...")


def test_no_cache_holds_the_object_of_a_method() -> None:
    """In all of the package; ruff's B019 knows the decorator alone."""
    root = Path(omnibench.__file__).parent
    sources = {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in root.rglob("*.py")}
    assert {name: lines for name, source in sources.items() if (lines := held_by_caches(source))} == {}
    assert sum("cached_method(" in source for source in sources.values()) > 1

"""What a module registers when it is imported: functions and classes by a decorator, a call, or as subclasses.

Such definitions are used although nobody names them: ``REGISTRY["cosine"]`` is what ``@register def cosine`` has put
there.
"""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from omnibench.code.parsed import ParsedModule
from omnibench.code.references import Chain, chain_of


@dataclass(frozen=True, slots=True)
class Registration:
    """Something that may register a definition.

    Attributes:
        name: The definition; empty where a statement registers what its arguments say.
        registrar: What is called, or the base class.
        is_base: Whether that is a base class.
        statement: The statement, where there is no definition.
    """

    name: str
    registrar: Chain
    is_base: bool = False
    statement: ast.stmt | None = None


@cache
def registrations_of(module: ParsedModule) -> tuple[Registration, ...]:
    """Return the decorators, base classes and plain calls at the top level of a module."""
    return tuple(_registrations(module))


def _registrations(module: ParsedModule) -> Iterator[Registration]:
    for name, statements in module.definitions.items():
        for statement in statements:
            for decorator in getattr(statement, "decorator_list", ()):
                yield Registration(name, _called(decorator))
            for base in statement.bases if isinstance(statement, ast.ClassDef) else ():
                yield Registration(name, _called(base), is_base=True)
    for _, statement in module.calls:
        assert isinstance(statement, ast.Expr)
        yield Registration("", _called(statement.value), statement=statement)


def _called(node: ast.expr) -> Chain:
    """Return the name and attributes of what is called, or of what stands there without a call; nothing for all else."""
    while isinstance(node, ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    return chain_of(node)


@cache
def changed_by(module: ParsedModule, name: str) -> frozenset[Chain]:
    """Return what a function may change beside its own variables, itself or by other functions of its module.

    That is: globals, entries and attributes that it sets, and objects that it calls methods of.
    """
    changed: set[Chain] = set()
    names, pending = {name}, deque([name])
    while pending:
        function = pending.popleft()
        for statement in module.definitions.get(function, ()):
            for node in ast.walk(statement):
                changed.update(_changed(node))
        following = module.references(function).names & module.definitions.keys() - names
        names |= following
        pending += sorted(following)
    return frozenset(changed - {()})


def _changed(node: ast.AST) -> Iterator[Chain]:
    if isinstance(node, ast.Global):
        yield from ((name,) for name in node.names)
    elif isinstance(node, ast.Subscript | ast.Attribute) and not isinstance(node.ctx, ast.Load):
        yield chain_of(node.value)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        yield chain_of(node.func)[:-1]


def hooks_subclasses(module: ParsedModule, name: str) -> bool:
    """Whether a class is told of its subclasses, by ``__init_subclass__`` or a metaclass of its own."""
    classes = [statement for statement in module.definitions.get(name, ()) if isinstance(statement, ast.ClassDef)]
    return any(
        any(isinstance(part, ast.FunctionDef) and part.name == "__init_subclass__" for part in statement.body)
        or any(keyword.arg == "metaclass" and "ABC" not in ast.unparse(keyword.value) for keyword in statement.keywords)
        for statement in classes
    )


def is_object(module: ParsedModule, name: str) -> bool:
    """Whether a name stands for a class or for what an assignment says, and for no function."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return any(not isinstance(statement, functions) for statement in module.definitions.get(name, ()))

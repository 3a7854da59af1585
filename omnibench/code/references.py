"""What a piece of code refers to: names, imports, and what no reader of the source can follow."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

Chain = tuple[str, ...]
"""A name and the attributes that are asked of it: ``np.random.seed`` is ``("np", "random", "seed")``."""

_EVALUATING = ("exec", "eval", "__import__", "globals")
LOADING = ("import_module", "spec_from_file_location", "SourceFileLoader", "run_path", "run_module", "CDLL")
"""Functions that import or run what their arguments say."""


@dataclass(frozen=True, slots=True, order=True)
class Import:
    """A name that an import binds.

    Attributes:
        name: The name; ``*`` for all names of the module.
        module: The module that the statement names, dots of a relative import left out.
        level: The number of those dots.
        attribute: The attribute of the module that the name stands for; empty for the module itself.
        loaded: The module that is loaded beside the one that the name stands for: ``a.b`` by ``import a.b``.
        optional: Whether the code goes on without the module.
    """

    name: str
    module: str
    level: int = 0
    attribute: str = ""
    loaded: str = ""
    optional: bool = False


@dataclass(slots=True)
class References:
    """What statements refer to.

    Attributes:
        names: Every name, whatever it stands for.
        chains: The same names with the attributes that are asked of them.
        imports: What is imported inside.
        unfollowed: What only running the code would tell, as it stands there, with its line.
    """

    names: set[str] = field(default_factory=set)
    chains: set[Chain] = field(default_factory=set)
    imports: list[Import] = field(default_factory=list)
    unfollowed: list[tuple[str, int]] = field(default_factory=list)


def references_of(*nodes: ast.AST) -> References:
    """Return what some nodes refer to."""
    references = References()
    for node in nodes:
        _collect(node, references, optional=False)
    return references


def _collect(node: ast.AST, references: References, *, optional: bool) -> None:
    if isinstance(node, ast.Import | ast.ImportFrom):
        references.imports += imports_of(node, optional=optional)
        return
    if isinstance(node, ast.Name | ast.Attribute):
        chain, base = _chain(node)
        if isinstance(base, ast.Name):
            references.names.add(base.id)
            references.chains.add((base.id, *chain))
        else:
            _collect(base, references, optional=optional)
        return
    if isinstance(node, ast.Call | ast.Subscript):
        _look_at_call(node, references, optional=optional)
    if isinstance(node, ast.If) and is_for_types(node):
        for statement in node.orelse:
            _collect(statement, references, optional=optional)
        return
    if isinstance(node, ast.Try):
        tolerant = optional or survives_missing_module(node)
        for child in ast.iter_child_nodes(node):
            _collect(child, references, optional=tolerant)
        return
    for child in ast.iter_child_nodes(node):
        _collect(child, references, optional=optional)


def chain_of(node: ast.expr) -> Chain:
    """Return a name with its attributes; nothing where the expression is something else."""
    attributes, base = _chain(node)
    return (base.id, *attributes) if isinstance(base, ast.Name) else ()


def _chain(node: ast.expr) -> tuple[Chain, ast.expr]:
    attributes: list[str] = []
    while isinstance(node, ast.Attribute):
        attributes.append(node.attr)
        node = node.value
    return tuple(reversed(attributes)), node


def _look_at_call(call: ast.Call | ast.Subscript, references: References, *, optional: bool) -> None:
    """Note a call that imports or runs what its arguments say, or a look into what is imported."""
    if isinstance(call, ast.Subscript):
        if chain_of(call.value) == ("sys", "modules"):
            references.unfollowed.append(("sys.modules[...]", call.lineno))
        return
    function = call.func
    name = (
        function.id if isinstance(function, ast.Name) else function.attr if isinstance(function, ast.Attribute) else ""
    )
    evaluates = isinstance(function, ast.Name) and name in _EVALUATING  # torch's model.eval() is another matter
    if not evaluates and name not in LOADING:
        return
    argument = call.args[0] if call.args else None
    literal = argument.value if isinstance(argument, ast.Constant) and isinstance(argument.value, str) else None
    if literal is not None and name in ("import_module", "__import__") and not literal.startswith("."):
        references.imports.append(Import("", literal, optional=optional))
    else:
        references.unfollowed.append((f"{ast.unparse(function)}(...)", call.lineno))


def imports_of(statement: ast.Import | ast.ImportFrom, *, optional: bool = False) -> Iterator[Import]:
    """Yield the names that an import statement binds."""
    for alias in statement.names:
        if isinstance(statement, ast.ImportFrom):
            name = alias.asname or alias.name
            yield Import(name, statement.module or "", statement.level, alias.name, optional=optional)
        elif alias.asname:
            yield Import(alias.asname, alias.name, optional=optional)
        else:
            top = alias.name.partition(".")[0]
            yield Import(top, top, loaded=alias.name, optional=optional)


def is_for_types(statement: ast.If) -> bool:
    """Whether the body of an ``if`` is for type checkers only."""
    test = statement.test
    name = test.attr if isinstance(test, ast.Attribute) else test.id if isinstance(test, ast.Name) else ""
    return name == "TYPE_CHECKING"


def is_guard(statement: ast.stmt) -> bool:
    """Whether a statement is ``if __name__ == "__main__":``."""
    return isinstance(statement, ast.If) and "__name__" in {
        node.id for node in ast.walk(statement.test) if isinstance(node, ast.Name)
    }


def survives_missing_module(statement: ast.Try) -> bool:
    """Whether a ``try`` goes on without a module that is not there."""
    names = {
        node.id if isinstance(node, ast.Name) else node.attr
        for handler in statement.handlers
        for node in ast.walk(handler.type or ast.Name("Exception"))
        if isinstance(node, ast.Name | ast.Attribute)
    }
    return bool(names & {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})

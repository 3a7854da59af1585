"""A source file, parsed once: what it defines, imports and does, without docstrings."""

from __future__ import annotations

import ast
import copy
import os
import symtable
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path

from omnibench.code.references import (
    Import,
    References,
    imports_of,
    is_for_types,
    is_guard,
    references_of,
    survives_missing_module,
)

Signature = tuple[int, int, int, int]
"""What tells one state of a file from another: times, size and inode."""


class ParsedModule:
    """A module's source.

    Args:
        source: The text of the module.
    """

    def __init__(self, source: str | bytes) -> None:
        self.body = ast.parse(source).body
        keeps_docstrings = "__doc__" in (source if isinstance(source, str) else source.decode("utf-8", "replace"))
        self._keeps_docstrings = keeps_docstrings
        self._texts: dict[str, str] = {}
        self._full_texts: dict[str, str] = {}
        self._references: dict[str, References] = {}
        self._global_names: dict[str, frozenset[str]] = {}

    @cached_property
    def definitions(self) -> dict[str, list[ast.stmt]]:
        """The statements that define each top-level name, also those below an ``if`` or ``try``."""
        definitions: dict[str, list[ast.stmt]] = {}
        statements: list[ast.stmt] = list(self.body)
        while statements:
            statement = statements.pop(0)
            names = _defined_names(statement)
            if names is None:
                statements += _parts(statement)
            for name in names or ():
                definitions.setdefault(name, []).append(statement)
        return definitions

    @cached_property
    def targets(self) -> dict[str, list[ast.AST]]:
        """What gives a name its value that no definition does: a loop, a ``with``, a ``case``, a ``:=``."""
        targets: dict[str, list[ast.AST]] = {}
        for statement in _executed(self.body):
            for target, nodes in _targets(statement):
                for name in _stored_names(target):
                    targets.setdefault(name, []).extend(nodes)
        return targets

    def defines(self, name: str) -> bool:
        """Whether the module gives a name its value itself, and not by an import."""
        return name in self.definitions or name in self.targets

    def global_names(self, name: str) -> frozenset[str]:
        """Return the names in the statements that define a name which are no local variables there."""
        if name not in self._global_names:
            self._global_names[name] = _global_names(self.full_text(name)) if name in self.definitions else frozenset()
        return self._global_names[name]

    @cached_property
    def imports(self) -> list[Import]:
        """What the module imports when it is imported itself."""
        return list(_module_imports(self.body, optional=False))

    @cached_property
    def bindings(self) -> dict[str, list[Import]]:
        """The imports by the name that they bind, without those of all names of a module."""
        bindings: dict[str, list[Import]] = {}
        for statement in self.imports:
            if statement.name != "*":
                bindings.setdefault(statement.name, []).append(statement)
        return bindings

    @cached_property
    def unused(self) -> list[Import]:
        """The imports whose names nothing in the module uses: they are there for what importing does."""
        names = references_of(*self.body).names | self._exported
        return [
            statement for name, statements in self.bindings.items() if name not in names for statement in statements
        ]

    @cached_property
    def _exported(self) -> set[str]:
        nodes = (node for statement in self.definitions.get("__all__", ()) for node in ast.walk(statement))
        return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}

    @cached_property
    def calls(self) -> list[tuple[str, ast.stmt]]:
        """The calls at the top level, each with the name whose method it calls (empty for a function)."""
        return [
            (_owner(statement.value), statement)
            for statement in _executed(self.body)
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)
        ]

    @cached_property
    def _headers(self) -> dict[str, list[ast.AST]]:
        """The heads of the statements below which names are defined: a loop's range, a condition."""
        headers: dict[str, list[ast.AST]] = {}

        def look(statements: Iterable[ast.stmt], above: tuple[ast.AST, ...]) -> None:
            for statement in statements:
                names = _defined_names(statement)
                if names is None:
                    look(_parts(statement), (*above, *_head(statement)))
                for name in names or ():
                    headers.setdefault(name, []).extend(above)

        look(self.body, ())
        return headers

    def headers(self, name: str) -> list[ast.AST]:
        """Return the heads of the statements below which a name is defined."""
        return self._headers.get(name, [])

    def text(self, name: str) -> str:
        """Return the statements that define a name as text without docstrings, comments and layout."""
        if name not in self._texts:
            self._texts[name] = self.text_of(*self.definitions.get(name, ()), *self.targets.get(name, ()))
        return self._texts[name]

    def text_of(self, *nodes: ast.AST) -> str:
        """Return nodes as text without docstrings, comments and layout."""
        # ast.unparse is the same under comments, blank lines and moves (research: stable over 3.10 to 3.13).
        return "\n".join(ast.unparse(node if self._keeps_docstrings else _without_docstrings(node)) for node in nodes)

    def full_text(self, name: str) -> str:
        """Return the statements that define a name as text with docstrings."""
        if name not in self._full_texts:
            self._full_texts[name] = "\n".join(ast.unparse(statement) for statement in self.definitions[name])
        return self._full_texts[name]

    def references(self, name: str) -> References:
        """Return what the statements that define a name refer to."""
        if name not in self._references:
            definitions, targets = self.definitions.get(name, ()), self.targets.get(name, ())
            self._references[name] = references_of(*definitions, *targets, *self.headers(name))
        return self._references[name]


_parsed: dict[str, tuple[Signature, ParsedModule]] = {}


def parsed(file: Path) -> ParsedModule:
    """Return a source file parsed, again only when it has changed.

    Raises:
        OSError: It cannot be read.
        SyntaxError: It is no Python.
    """
    signature = signature_of(file)
    known_signature, module = _parsed.get(str(file), (None, None))
    if module is None or known_signature != signature:
        module = ParsedModule(file.read_bytes())
        _parsed[str(file)] = signature, module
    return module


def signature_of(file: Path) -> Signature:
    """Return what changes when a file does."""
    status = os.stat(file)
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def _defined_names(statement: ast.stmt) -> list[str] | None:
    """Return the names that a statement defines itself; None where statements below it may."""
    if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return [statement.name]
    if isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return [part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)]
    return None


def _global_names(text: str) -> frozenset[str]:
    names: set[str] = set()
    tables = [symtable.symtable(text, "<definition>", "exec")]
    while tables:
        table = tables.pop()
        for symbol in table.get_symbols():
            if symbol.is_referenced() if table.get_type() == "module" else symbol.is_global():
                names.add(symbol.get_name())
        tables += table.get_children()
    return frozenset(names)


def _targets(statement: ast.stmt) -> Iterator[tuple[ast.AST, list[ast.AST]]]:
    """Yield what a statement gives values to beside assignments, each with the nodes that say which."""
    if isinstance(statement, ast.For):
        yield statement.target, [statement.target, statement.iter]
    elif isinstance(statement, ast.With):
        yield from (
            (item.optional_vars, list[ast.AST]([item])) for item in statement.items if item.optional_vars is not None
        )
    elif isinstance(statement, ast.Match):
        for case in statement.cases:
            yield case.pattern, [statement.subject, case.pattern]
    expressions = (part for part in ast.iter_child_nodes(statement) if isinstance(part, ast.expr))
    for node in (node for expression in expressions for node in ast.walk(expression)):
        if isinstance(node, ast.NamedExpr):
            yield node.target, [node]


def _stored_names(target: ast.AST) -> Iterator[str]:
    for node in ast.walk(target):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.MatchAs | ast.MatchStar) and node.name:
            yield node.name
        elif isinstance(node, ast.MatchMapping) and node.rest:
            yield node.rest


def _parts(statement: ast.stmt) -> list[ast.stmt]:
    """Return the statements directly below a statement: also those of an ``except`` and of a ``case``."""
    parts = [part for part in ast.iter_child_nodes(statement) if isinstance(part, ast.stmt)]
    for branch in [*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())]:
        parts += branch.body
    return parts


def _head(statement: ast.stmt) -> list[ast.AST]:
    if isinstance(statement, ast.If | ast.While):
        return (
            []
            if is_guard(statement) or (isinstance(statement, ast.If) and is_for_types(statement))
            else [statement.test]
        )
    if isinstance(statement, ast.For):
        return [statement.target, statement.iter]
    if isinstance(statement, ast.With):
        return list(statement.items)
    return []


def _executed(statements: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that importing a module runs, those of functions and classes left out."""
    for statement in statements:
        if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or is_guard(statement):
            continue
        yield statement
        if isinstance(statement, ast.If) and is_for_types(statement):
            yield from _executed(statement.orelse)
            continue
        yield from _executed(_parts(statement))


def _module_imports(statements: Iterable[ast.stmt], *, optional: bool) -> Iterator[Import]:
    for statement in statements:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            yield from imports_of(statement, optional=optional)
        elif isinstance(statement, ast.If) and is_for_types(statement):
            yield from _module_imports(statement.orelse, optional=optional)
        elif not isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not is_guard(
            statement
        ):
            tolerant = optional or (isinstance(statement, ast.Try) and survives_missing_module(statement))
            yield from _module_imports(_parts(statement), optional=tolerant)


def _owner(call: ast.expr) -> str:
    """Return the name whose method a call calls, or an empty text."""
    node = call.func if isinstance(call, ast.Call) else call
    if not isinstance(node, ast.Attribute):
        return ""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _without_docstrings(node: ast.AST) -> ast.AST:
    """Return a node without the texts that stand alone in it; the node itself stays as it is."""
    changed = {}
    for name in ("body", "orelse", "finalbody", "handlers", "cases"):
        parts = getattr(node, name, None)
        if isinstance(parts, list) and parts:
            statements = [_without_docstrings(part) for part in parts if not _is_text(part)]
            changed[name] = statements or [ast.Pass()]
    if not changed:
        return node
    node = copy.copy(node)
    for name, parts in changed.items():
        setattr(node, name, parts)
    return node


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)

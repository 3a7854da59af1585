"""The source of what stands in a notebook's cells or was typed at a prompt, as a module of its own.

The cells that define a class may have run in any order and more than once, so what counts is what its names stand for
now: a function's or class's own source (which IPython and newer prompts keep for tracebacks), an import, a plain value.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import os
import symtable
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from types import FunctionType, ModuleType
from typing import Any

from omnibench.code.parsed import ParsedModule
from omnibench.errors import PlanError

_LARGEST_TEXT = 100_000
"""Characters of a value that is sent as source; a larger one belongs into a file."""

_COMPREHENSIONS = ("listcomp", "setcomp", "dictcomp", "genexpr")


class _NoSourceError(Exception):
    """Something cannot be told by source."""


def cell_source(definition: type | Callable[..., Any]) -> str:
    """Return a definition and all that it uses of its notebook as the source of a module.

    Raises:
        PlanError: The source is not kept, or a name that it uses stands for what no source makes.
    """
    name = definition.__qualname__
    sort = "class" if isinstance(definition, type) else "function"
    try:
        if "." in name:
            raise _NoSourceError("it stands inside of something else")  # noqa: TRY301 - the same way out
        return _Cells(_namespace(definition)).source(name, definition)
    except (_NoSourceError, SyntaxError) as error:
        raise PlanError(
            f"the {sort} {name} cannot be taken from a notebook cell or a prompt: {error}. Please define it at the top level "
            f"of a file; in a notebook two lines do that: `%%writefile mymodel.py` as the first line of its cell, and "
            f"`from mymodel import {name}` in the next cell."
        ) from error


def _namespace(definition: type | Callable[..., Any]) -> Mapping[str, Any]:
    for function in _functions(definition):
        return function.__globals__
    module = sys.modules.get(definition.__module__)
    return {} if module is None else vars(module)


def _functions(definition: Any) -> Iterator[FunctionType]:
    """Yield a function, or the functions that the body of a class defines."""
    members = vars(definition).values() if isinstance(definition, type) else [definition]
    for member in members:
        function = getattr(member, "__func__", getattr(member, "fget", member))
        if hasattr(function, "__wrapped__") and isinstance(inspect.unwrap(function), FunctionType):
            function = inspect.unwrap(function)
        if isinstance(function, FunctionType) and (
            not isinstance(definition, type) or function.__module__ == definition.__module__
        ):
            yield function


class _Cells:
    """The cells of a notebook, and the module that is made of them.

    Args:
        namespace: What the notebook's names stand for.
    """

    def __init__(self, namespace: Mapping[str, Any]) -> None:
        self._namespace = namespace
        self._cells: dict[str, ParsedModule] = {}
        self._parts: list[str] = []
        self._names: set[str] = set()
        self._pending: deque[str] = deque()

    def source(self, name: str, definition: Any) -> str:
        """Return the module of a definition."""
        self._names.add(name)
        self._add_definition(name, definition)
        while self._pending:
            self._add(self._pending.popleft())
        return "\n".join(self._parts) + "\n"

    def _add(self, name: str) -> None:
        """Add what a name stands for, after all that it needs."""
        if name in self._names or name not in self._namespace:
            return  # a builtin, or a name that is not there yet
        self._names.add(name)
        value = self._namespace[name]
        if isinstance(value, ModuleType):
            self._parts += self._module_imports(name, value)
            return
        own_name = self._own_name(value)
        if own_name == name:
            self._add_definition(name, value)
            return
        if own_name:
            self._add(own_name)
            if self._namespace.get(own_name) is not value:
                raise _NoSourceError(f"{name}, which it uses, has no name of its own any more")
            self._parts.append(f"{name} = {own_name}")
            return
        statement = self._import_of(name, value)
        if statement is None:
            statement = _literal(value)
            statement = None if statement is None else f"{name} = {statement}"
        if statement is not None:
            self._parts.append(statement)
        else:
            self._add_assignment(name)

    def _own_name(self, value: Any) -> str:
        """Return the name that a class or function of the notebook was defined by; nothing for all else."""
        if isinstance(value, type):
            return value.__name__ if value.__module__ == self._namespace.get("__name__", "__main__") else ""
        functions = [function for function in _functions(value) if function.__globals__ is self._namespace]
        return functions[0].__code__.co_name if functions else ""  # a decorator may have called it otherwise

    def _add_definition(self, name: str, value: Any) -> None:
        self._add_statement(self._statement_of(name, value))

    def _add_statement(self, statement: ast.stmt) -> None:
        text = ast.unparse(statement)
        eager, lazy = _global_names(text)
        for name in eager:
            self._add(name)
        self._parts.append(text)
        self._pending += lazy

    def _statement_of(self, name: str, value: Any) -> ast.stmt:
        """Return the statement that defines a class or function."""
        codes = [function.__code__ for function in _functions(value)]
        files = dict.fromkeys(code.co_filename for code in codes) or dict.fromkeys(reversed(self._cell_files()))
        lines = {code.co_firstlineno for code in codes}
        for file in files:  # of a class without functions, the last cell that defines it
            statements = [
                statement
                for statement in self._cell(file).definitions.get(name, ())
                if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            ]
            for statement in reversed(statements):
                first = min([statement.lineno, *(decorator.lineno for decorator in statement.decorator_list)])
                if not lines or any(first <= line <= (statement.end_lineno or first) for line in lines):
                    return statement
        raise _NoSourceError("the prompt does not keep its source")

    def _cell(self, file: str) -> ParsedModule:
        if file not in self._cells:
            try:
                self._cells[file] = ParsedModule("".join(linecache.getlines(file)))
            except SyntaxError:
                self._cells[file] = ParsedModule("")
        return self._cells[file]

    def _cell_files(self) -> list[str]:
        """Return the names under which the source of cells is kept, in the order in which they ran last.

        A cell that has run again keeps its name, so the order is that of IPython's own list of what has run.
        """
        entries = {file: entry for file, entry in linecache.cache.items() if len(entry) > 1 and entry[1] is None}
        history = self._namespace.get("_ih")
        last_runs = {
            str(text).strip(): number for number, text in enumerate(history if isinstance(history, list) else ())
        }
        files = [file for file in entries if not os.path.isfile(file)]
        return sorted(files, key=lambda file: last_runs.get("".join(linecache.getlines(file)).strip(), -1))

    def _module_imports(self, name: str, module: ModuleType) -> list[str]:
        loaded = {
            statement.loaded
            for file in self._cell_files()
            for statement in self._cell(file).bindings.get(name, ())
            if statement.loaded and sys.modules.get(name) is module
        }
        if loaded:
            return [f"import {full_name}" for full_name in sorted(loaded)]
        return [f"import {module.__name__}" + ("" if module.__name__ == name else f" as {name}")]

    def _import_of(self, name: str, value: Any) -> str | None:
        """Return the import that gave a value its name, or None."""
        imports = [
            (statement.module, statement.attribute)
            for file in self._cell_files()
            for statement in self._cell(file).bindings.get(name, ())
            if statement.attribute and not statement.level
        ]
        home, own_name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
        if isinstance(home, str) and isinstance(own_name, str) and home != self._namespace.get("__name__"):
            imports.append((home, own_name))
        for module, attribute in imports:
            if getattr(sys.modules.get(module), attribute, None) is value:
                return f"from {module} import {attribute}" + ("" if attribute == name else f" as {name}")
        return None

    def _add_assignment(self, name: str) -> None:
        """Add the statement that has set a name whose value is no plain one."""
        cells = [cell for file in self._cell_files() if (cell := self._cell(file)).definitions.get(name)]
        statement = cells[-1].definitions[name][-1] if cells else None
        if not isinstance(statement, ast.Assign) or not any(
            isinstance(target, ast.Name) and target.id == name for target in statement.targets
        ):
            value = type(self._namespace[name]).__name__
            raise _NoSourceError(
                f"{name}, which it uses, is a {value}, and no assignment in a cell says how it was made"
            )
        self._add_statement(statement)


def _literal(value: Any) -> str | None:
    """Return a plain value as source, or None."""
    text = repr(value)
    try:
        same: Any = ast.literal_eval(text) if len(text) <= _LARGEST_TEXT else None
    except (ValueError, SyntaxError):
        return None
    return text if type(same) is type(value) and same == value else None


def _global_names(text: str) -> tuple[list[str], list[str]]:
    """Return the global names that a statement needs when it is run, and those that its functions need when called."""
    eager: set[str] = set()
    lazy: set[str] = set()

    def look(table: symtable.SymbolTable, *, is_called: bool) -> None:
        for symbol in table.get_symbols():
            is_global = symbol.is_referenced() if table.get_type() == "module" else symbol.is_global()
            if is_global:
                (lazy if is_called else eager).add(symbol.get_name())
        for child in table.get_children():
            opens = child.get_type() == "function" and child.get_name() not in _COMPREHENSIONS
            look(child, is_called=is_called or opens)

    look(symtable.symtable(text, "<cell>", "exec"), is_called=False)
    return sorted(eager), sorted(lazy - eager)

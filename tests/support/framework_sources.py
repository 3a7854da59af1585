"""The classes of an installed package, read from its source: nothing is imported, so what lacks another package is found as well."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

_CYTHON_CLASS = re.compile(r"^class (\w+)\(([^)]*)\)", re.MULTILINE)


def subclasses_of(package: Path, roots: Iterable[str]) -> dict[str, str]:
    """Return the public classes that derive from some, by their names, with the files that they are in.

    Args:
        package: The directory of the package; its tests are left out.
        roots: The names of the classes that they derive from, by way of whichever others; these are left out.
    """
    bases, files = _classes(package)
    roots, found = set(roots), set(roots)
    while new := {name for name, of_name in bases.items() if name not in found and of_name & found}:
        found |= new
    return {name: files[name] for name in sorted(found - roots) if not name.startswith("_")}


def names_imported_by(module: Path) -> set[str]:
    """Return the names of classes that the source of a package's ``__init__`` imports for its users."""
    tree = _parsed(module.read_text(encoding="utf-8"))
    imports = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    return {alias.asname or alias.name for node in imports for alias in node.names if alias.name[0].isupper()}


def functions_named_like_classes(package: Path) -> set[str]:
    """Return the functions of a package that are called like what they make, e.g. ``AlternatingLeastSquares``."""
    trees = (_parsed(path.read_text(encoding="utf-8")) for path in package.rglob("*.py"))
    return {
        node.name for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef) if node.name[0].isupper()
    }


def _parsed(source: str) -> ast.Module:
    """Return what a source says; what Python warns of in it is its authors' affair."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source)


def _classes(package: Path) -> tuple[Mapping[str, set[str]], Mapping[str, str]]:
    """Return the bases of all classes by their names, and the files that these are in."""
    bases: dict[str, set[str]] = {}
    files: dict[str, str] = {}
    for path in sorted([*package.rglob("*.py"), *package.rglob("*.pyx")]):
        relative = path.relative_to(package)
        if {"test", "tests"} & {*relative.parts}:
            continue
        source = path.read_text(encoding="utf-8")
        for name, of_name in _cython(source) if path.suffix == ".pyx" else _python(source):
            bases.setdefault(name, set()).update(of_name)
            files.setdefault(name, str(relative))
    return bases, files


def _python(source: str) -> list[tuple[str, set[str]]]:
    nodes = (node for node in ast.walk(_parsed(source)) if isinstance(node, ast.ClassDef))
    return [(node.name, {_name(base) for base in node.bases}) for node in nodes]


def _cython(source: str) -> list[tuple[str, set[str]]]:
    return [
        (name, {base.strip().rpartition(".")[2] for base in of_name.split(",")})
        for name, of_name in _CYTHON_CLASS.findall(source)
    ]


def _name(base: ast.expr) -> str:
    """Return the last name of what a class derives from: ``Component`` of ``pipeline.Component[ItemList]``."""
    if isinstance(base, ast.Subscript):
        base = base.value
    return base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")

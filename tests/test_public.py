"""The public names: lazy at run time, spelled out for type checkers."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import omnibench


def test_stub_and_lazy_table_name_the_same_things() -> None:
    """What type checkers see is exactly what can be imported."""
    stub = ast.parse((Path(omnibench.__path__[0]) / "__init__.pyi").read_text())
    declared = {alias.asname for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    public = set(vars(omnibench)["__all__"])
    assert declared == public
    assert all(getattr(omnibench, name) is not None for name in public)
    assert public <= set(dir(omnibench))


def test_unknown_name_is_an_attribute_error() -> None:
    """A name that omnibench does not have is an ordinary AttributeError."""
    with pytest.raises(AttributeError, match="has no attribute 'Nonsense'"):
        _ = getattr(omnibench, "Nonsense")  # noqa: B009 - mypy knows that it is not there


def test_readme_and_ci_run_the_same_commands() -> None:
    """CI runs the README's two commands letter by letter."""
    root = Path(__file__).parent.parent
    readme, ci = (root / "README.md").read_text(), (root / ".ci" / "run").read_text().splitlines()
    blocks = [part.partition("```")[0].strip() for part in readme.split("```sh\n")[1:]]
    assert len(blocks) == 2
    assert set(blocks) <= set(ci)

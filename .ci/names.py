"""Refuse a package in which too many names say nothing: ``python .ci/names.py DIRECTORY [--limit PERCENT]``.

Counts what the modules below a directory bind (parameters, variables, attributes, functions, classes) and how much of it is
a pronoun, a participle or a filler as a whole name. Well-kept code bases have 0.0 to 0.2 %.
"""

from __future__ import annotations

import argparse
import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

_WORDS = """
one ones found given told known wanted said what where who whom whose kind kinds place places other others
thing things them those these such made asked meant shown read_ got stuff data_ info obj tmp temp foo bar some
any_ every each now then there here again beside around wherever whatever how_ why_ ready known_ seen_ taken
held kept
"""
EMPTY_WORDS = frozenset(_WORDS.split())


def bound_names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield every name that a module binds, with its line."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()) | ast.arg(arg=name):
                yield name, node.lineno
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, node.lineno


def main() -> int:
    """Print each empty name with its position, then the share; fail above the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--limit", type=float, default=100.0, help="the largest share that passes, in percent")
    arguments = parser.parse_args()
    names = 0
    words: Counter[str] = Counter()
    for path in sorted(arguments.directory.rglob("*.py")):
        for name, line in bound_names(ast.parse(path.read_text(encoding="utf-8"))):
            names += 1
            word = name.strip("_").lower()
            if word in EMPTY_WORDS:
                words[word] += 1
                print(f"{path}:{line}: {name}")
    share = 100 * words.total() / max(names, 1)
    print(f"{words.total()} of {names} bound names say nothing ({share:.1f} %)")
    return 1 if share > arguments.limit else 0


if __name__ == "__main__":
    raise SystemExit(main())

"""A module of the project, and what of it a definition uses."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from omnibench.code.parsed import ParsedModule


@dataclass
class Reached:
    """A module of the project, and what of it is reached.

    Attributes:
        parsed: Its source.
        file: Its file; None for what has none.
        names: What is reached.
        lines: What its imports stand for.
        whole: Whether all of it is reached.
        number: Its number in the order in which modules are reached; -1 before that.
        registered: What is reached only because it registers itself, or because of what does.
    """

    parsed: ParsedModule
    file: Path | None
    names: set[str] = field(default_factory=set)
    lines: set[str] = field(default_factory=set)
    whole: bool = False
    number: int = -1
    registered: set[str] = field(default_factory=set)

    def defines(self, name: str) -> bool:
        """Whether the module has a name by a definition or an import of that name."""
        return self.parsed.defines(name) or name in self.parsed.bindings

    def may_define(self, name: str) -> bool:
        """Whether the module has a name, as far as can be said without the modules that it imports all names of."""
        return self.defines(name) or any(statement.name == "*" for statement in self.parsed.imports)

    def full_text(self) -> str:
        """Return what earlier releases took: definitions with docstrings, without what registers itself."""
        names = sorted((self.names - self.registered) & self.parsed.definitions.keys())
        return "\n".join(self.parsed.full_text(name) for name in names)

    def text(self) -> str:
        """Return the definitions that are reached as text, in the order of their names."""
        names = sorted(name for name in self.names if self.parsed.defines(name))
        return "\n".join(self.parsed.text(name) for name in names)

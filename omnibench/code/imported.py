"""The modules of a project that are imported when a definition's module is, used or not."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from omnibench.code.parsed import parsed
from omnibench.code.reached import Reached
from omnibench.code.references import Chain, Import
from omnibench.code.registration import Registration, changed_by, hooks_subclasses
from omnibench.code.resolve import Module, Origin

_LONGEST_WAY = 20
"""How many imports of imports are followed to a definition."""


class ImportedModules:
    """All modules of the project that a module imports, directly or not.

    Args:
        root: That module.
        modules: The modules of which something is reached, by their files.
        find: Returns the module that an import of a module is about.
    """

    def __init__(
        self, root: Reached, modules: Mapping[str, Reached], find: Callable[[Reached, Import], Module]
    ) -> None:
        self._root = root
        self._modules = dict(modules)
        self._find = find

    def all(self) -> list[Reached]:
        """Return the modules, the root first."""
        pending = deque([self._root, *self._modules.values()])
        modules: dict[int, Reached] = {}
        while pending:
            module = pending.popleft()
            if id(module) in modules:
                continue
            modules[id(module)] = module
            for statement in module.parsed.imports:
                target = self._find(module, statement)
                submodule = target.submodule(statement.attribute) if statement.attribute else None
                pending += [other for part in (target, submodule) if (other := self._parsed(part)) is not None]
        return list(modules.values())

    def hand_over(
        self,
        module: Reached,
        registration: Registration,
        objects: Collection[tuple[Path | None, str]],
        *,
        to_all_bases: bool,
    ) -> bool:
        """Whether a decorator, call or base class hands a definition over to one of some objects.

        Args:
            module: The module in which it stands.
            registration: The decorator, call or base class.
            objects: Names with the files that define them.
            to_all_bases: Whether the code asks classes for their subclasses.
        """
        owner, chain = self._definition_of(module, registration.registrar)
        if owner is None:
            return False
        if registration.is_base:
            is_noted = to_all_bases or hooks_subclasses(owner.parsed, chain[0])
            return is_noted and (owner.file, chain[0]) in objects
        changed = {chain[:1]} if len(chain) > 1 else changed_by(owner.parsed, chain[0])
        for name in changed:
            holder, rest = self._definition_of(owner, name)
            if holder is not None and (holder.file, rest[0]) in objects:
                return True
        return False

    def _parsed(self, module: Module | None) -> Reached | None:
        """Return a module of the project without reaching anything of it; None for what is no source of it."""
        if module is None or module.file is None or module.origin is not Origin.PROJECT or not module.has_source:
            return None
        key = os.path.realpath(module.file)
        if key not in self._modules:
            try:
                self._modules[key] = Reached(parsed(module.file), module.file)
            except (OSError, SyntaxError, ValueError):
                return None
        return self._modules[key]

    def _definition_of(self, reached: Reached, chain: Chain, depth: int = 0) -> tuple[Reached | None, Chain]:
        """Return the module that defines a name, and the name there with the attributes that are asked of it."""
        if not chain or depth > _LONGEST_WAY:
            return None, ()
        if reached.parsed.defines(chain[0]):
            return reached, chain
        stars = [statement for statement in reached.parsed.imports if statement.name == "*"]
        for statement in reached.parsed.bindings.get(chain[0], stars):
            target: Module | None = self._find(reached, statement)
            rest = chain if statement.name == "*" else chain[1:]
            rest = (statement.attribute, *rest) if statement.attribute not in ("", "*") else rest
            while rest and target is not None:
                other = self._parsed(target)
                if other is not None and other.may_define(rest[0]):
                    owner, definition = self._definition_of(other, rest, depth + 1)
                    if owner is not None:
                        return owner, definition
                target, rest = target.submodule(rest[0]), rest[1:]
        return None, ()

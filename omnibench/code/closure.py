"""What a definition uses, directly or not: of its own module, of other modules of the project, and of libraries.

Of a module that is imported only what is used counts: definitions that are reached, and what the module calls when it
is imported. Where a module itself is handed on (``getattr(helper, name)``), all of it counts.
"""

from __future__ import annotations

import ast
import os
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from omnibench.code.distributions import distributions_of
from omnibench.code.imported import ImportedModules
from omnibench.code.parsed import ParsedModule, parsed
from omnibench.code.reached import Reached
from omnibench.code.references import LOADING, Chain, Import, References, references_of
from omnibench.code.registration import Registration, is_object, registrations_of
from omnibench.code.resolve import Module, Origin, find_module, folder_module, library_of, package_of, relative_module

CALLS = "()"
"""What stands for the calls of a module when it is imported; no name."""


class Closure:
    """What a definition uses.

    Args:
        module: The source of its module.
        file: That module's file; None for what has none.
        name: The definition; empty for all of the module.
        pins: The versions of libraries, where it runs in another environment than this process; None in this one.
    """

    def __init__(
        self, module: ParsedModule, file: Path | None, name: str, pins: Mapping[str, str] | None = None
    ) -> None:
        self.root = Reached(module, file)
        self._pins = pins
        self.distributions: set[str] = set()
        self.unfollowed: list[str] = []
        self.files: list[Path] = [] if file is None else [file]
        self._modules: dict[str, Reached] = {} if file is None else {os.path.realpath(file): self.root}
        # Of a class that is installed itself, the package that it belongs to is the project.
        self._installed = None if file is None else library_of(file)
        self._file = file
        self._reached: list[Reached] = []
        self._pending: deque[tuple[Reached, str]] = deque()
        self._resolved: dict[tuple[str, int, str], Module] = {}
        self._searched: set[tuple[int, Chain]] = set()
        self._asks_for_subclasses = False
        if name:
            self._reach(self.root, name)
        else:
            self._reach(self.root, CALLS)
            self._reach_all(self.root)
        self._begin(self.root)
        self._look_at_pending()
        names = set(self.root.names)
        while self._reach_registered():
            self._look_at_pending()
        self.root.registered = self.root.names - names

    def _look_at_pending(self) -> None:
        while self._pending:
            self._look_at(*self._pending.popleft())

    @property
    def extras(self) -> list[str]:
        """What is used of the project beyond the definitions of the module itself, as text in an order of its own."""
        lines = []
        for number, reached in enumerate(self._reached):
            if number:
                lines += [f"module {number}", reached.text()]
            lines += sorted(reached.lines)
        return [line for line in lines if line]

    def _begin(self, reached: Reached) -> None:
        """Look at what happens when a module is imported."""
        for statement in sorted(reached.parsed.unused):
            if reached.file is None or reached.file.name != "__init__.py":  # whose imports are for others
                self._follow(reached, statement, ())
        if reached is not self.root and reached.parsed.calls:
            self._reach(reached, CALLS)

    def _reach(self, reached: Reached, name: str) -> None:
        if name in reached.names:
            return
        reached.names.add(name)
        if reached.number < 0:
            reached.number = len(self._reached)
            self._reached.append(reached)
        self._pending.append((reached, name))

    def _reach_all(self, reached: Reached) -> None:
        if reached.whole:
            return
        reached.whole = True
        for name in sorted(reached.parsed.definitions):
            self._reach(reached, name)
        for statement in sorted(reached.parsed.imports):
            if statement.attribute:
                self._follow(reached, statement, ())
        for statement in sorted(reached.parsed.unused):
            self._follow(reached, statement, ())

    def _look_at(self, reached: Reached, name: str) -> None:
        module = reached.parsed
        if name == CALLS:
            for _, statement in module.calls:
                self._add_statement(reached, statement)
            return
        if module.defines(name):
            references = module.references(name)
            reached.lines.update(f"below {module.text_of(header)}" for header in module.headers(name))
            self._use(reached, references, name)
        if reached is self.root:
            for owner, statement in module.calls:
                if owner == name:
                    self._add_statement(reached, statement)

    def _add_statement(self, reached: Reached, statement: ast.stmt) -> None:
        reached.lines.add(f"call {reached.parsed.text_of(statement)}")
        self._use(reached, references_of(statement))

    def _use(self, reached: Reached, references: References, name_of_user: str = "") -> None:
        module = reached.parsed
        in_file = "" if reached.file is None else f" in {reached.file.name}"
        for call, line in references.unfollowed:
            if not module.defines(call.partition("(")[0]):
                self._leave(f"{call}{in_file}, line {line}" if in_file else call)
        for statement in sorted(references.imports):
            self._follow(reached, statement, ())
        for chain in sorted(references.chains):
            name = chain[0]
            for statement in module.bindings.get(name, ()):
                self._follow(reached, statement, chain[1:])
            self._asks_for_subclasses |= "__subclasses__" in chain
            # A loop of a bench file often has a variable that is called like an argument of a method.
            may_be_local = name_of_user in module.definitions and name not in module.definitions
            if may_be_local and name in module.targets and name not in module.global_names(name_of_user):
                continue
            if module.defines(name):
                self._reach(reached, name)
            elif name not in module.bindings:
                self._look_for(reached, chain)
            if reached is self.root and self._is_called_on(name):
                self._reach(reached, name)

    def _is_called_on(self, name: str) -> bool:
        """Whether the module calls a method of a name at its top level, which may change what that stands for."""
        if not any(owner == name for owner, _ in self.root.parsed.calls):
            return False
        origins = {self._find(self.root, statement).origin for statement in self.root.parsed.bindings.get(name, ())}
        return origins != {Origin.STANDARD}

    def _look_for(self, reached: Reached, chain: Chain) -> None:
        """Look for a name that a module does not define in those that it imports all names of."""
        if (id(reached), chain) in self._searched:  # also where they import all names of each other
            return
        self._searched.add((id(reached), chain))
        for statement in reached.parsed.imports:
            if statement.name == "*":
                target = self._find(reached, statement)
                if target.origin is Origin.PROJECT and target.has_source:
                    imported = self._load(target)
                    if imported is not None and imported.may_define(chain[0]):
                        self._follow_into(reached, target, chain, statement)
                elif target.origin is Origin.LIBRARY:
                    self._use_library(reached, statement, target)

    def _folders_of(self, module: str) -> tuple[str, ...]:
        """Return where a module is looked for that is not on the path: beside the file, and where its own package lies."""
        if self._file is None:
            return ()
        folder, package = package_of(self._file)
        own = (str(folder),) if package and module.partition(".")[0] == package.partition(".")[0] else ()
        return (str(self._file.parent), *own)

    def _find(self, reached: Reached, statement: Import) -> Module:
        key = ("" if reached.file is None else str(reached.file), statement.level, statement.module)
        if key not in self._resolved:
            if statement.level == 0:
                self._resolved[key] = self._with_origin(
                    find_module(statement.module, self._folders_of(statement.module))
                )
            elif reached.file is None:
                self._resolved[key] = Module(statement.module, Origin.MISSING)
            else:
                self._resolved[key] = self._with_origin(
                    relative_module(reached.file, statement.level, statement.module)
                )
        return self._resolved[key]

    def _with_origin(self, module: Module) -> Module:
        """Return a module as one of the project where it is installed together with the definition."""
        path = module.file or (Path(module.folders[0]) if module.folders else None)
        is_ours = self._installed is not None and path is not None and library_of(path) == self._installed
        return replace(module, origin=Origin.PROJECT) if is_ours else module

    def _load(self, module: Module) -> Reached | None:
        """Return a module of the project with its source, or None where that cannot be read."""
        assert module.file is not None
        key = os.path.realpath(module.file)
        if key not in self._modules:
            try:
                self._modules[key] = Reached(parsed(module.file), module.file)
            except (OSError, SyntaxError, ValueError) as error:
                self._leave(f"{module.file.name}, which cannot be read ({error})")
                return None
            self.files.append(module.file)
            self._begin_packages(module.file)
            self._begin(self._modules[key])
        return self._modules[key]

    def _begin_packages(self, file: Path) -> None:
        """Look at the packages that are imported before a module of theirs."""
        folder = file.parent
        if (folder / "__init__.py").is_file():
            package = folder / "__init__.py"
            if package != file:
                self._load(folder_module(folder))
            else:
                parent = folder.parent / "__init__.py"
                if parent.is_file():
                    self._load(folder_module(folder.parent))

    def _leave(self, text: str) -> None:
        if text not in self.unfollowed:
            self.unfollowed.append(text)

    def _follow(self, reached: Reached, statement: Import, rest: Chain) -> None:
        """Follow a name that an import binds to what is used of it.

        Args:
            reached: The module with the import.
            statement: The import.
            rest: The attributes that are asked of the name.
        """
        target = self._find(reached, statement)
        chain = (statement.attribute, *rest) if statement.attribute else rest
        if self._pins is not None and target.origin in {Origin.LIBRARY, Origin.MISSING}:
            self._use_pinned(reached, statement, self._pins)
        elif target.origin is Origin.LIBRARY:
            self._use_library(reached, statement, target)
        elif target.origin is Origin.MISSING:
            if not statement.optional:
                self._leave(f"the module {'.' * statement.level}{statement.module}, which cannot be found")
        elif target.origin is Origin.STANDARD:
            if statement.attribute and statement.name != statement.attribute:
                reached.lines.add(f"{statement.name} is {statement.module}.{statement.attribute}")
                if statement.attribute in LOADING:  # whose calls are not seen under another name
                    self._leave(f"{statement.module}.{statement.attribute} as {statement.name}")
        elif statement.name == "*":
            self._follow_into(reached, target, (), statement)
        else:
            self._follow_into(reached, target, chain, statement)
            self._follow_loaded(reached, statement, chain)

    def _follow_loaded(self, reached: Reached, statement: Import, chain: Chain) -> None:
        """Follow what ``import a.b`` loads beside the name that it binds, where that name is handed on."""
        if statement.loaded not in ("", statement.module) and not chain:
            loaded = self._with_origin(find_module(statement.loaded, self._folders_of(statement.loaded)))
            if loaded.origin is Origin.PROJECT:
                self._follow_into(reached, loaded, (), statement)

    def _use_library(self, reached: Reached, statement: Import, target: Module) -> None:
        attribute = f".{statement.attribute}" if statement.attribute else ""
        reached.lines.add(f"{statement.name} is {statement.module}{attribute}")
        module = statement.module if statement.level == 0 else target.name
        if target.folders and statement.attribute and target.submodule(statement.attribute):
            module = f"{module}.{statement.attribute}"  # a part of a namespace has a distribution of its own
        owners = distributions_of(statement.loaded or module)
        if not owners:
            self._leave(f"{module}, which belongs to no installed distribution")
        self.distributions.update(f"distribution {name} {version}" for name, version in owners)

    def _use_pinned(self, reached: Reached, statement: Import, pins: Mapping[str, str]) -> None:
        """Count a library of another environment, by the version there of what is called like the module."""
        attribute = f".{statement.attribute}" if statement.attribute else ""
        reached.lines.add(f"{statement.name} is {statement.module}{attribute}")
        name = statement.module.partition(".")[0].replace("_", "-").lower()
        if name in pins:
            self.distributions.add(f"distribution {name} {pins[name]}")

    def _follow_into(self, reached: Reached, target: Module, chain: Chain, statement: Import) -> None:
        """Follow attributes into a module of the project."""
        if target.file is not None and not target.has_source:
            self._use_compiled(reached, target, statement)
            return
        imported = self._load(target) if target.file is not None else None
        if not chain:
            if imported is not None:
                self._reach_all(imported)
                reached.lines.add(f"{statement.name} is module {imported.number}")
            return
        name = chain[0]
        if imported is not None and imported.defines(name):
            self._reach(imported, name)
            reached.lines.add(f"{statement.name} has {name} of module {imported.number}")
            for inner in imported.parsed.bindings.get(name, ()):
                self._follow(imported, inner, chain[1:])
            return
        submodule = target.submodule(name)
        if submodule is not None:
            submodule = self._with_origin(submodule)
            if submodule.origin is Origin.PROJECT:
                self._follow_into(reached, submodule, chain[1:], statement)
            return
        if imported is None:
            self._leave(f"{target.name}.{name}, which cannot be found")
            return
        before = len(imported.names)
        self._look_for(imported, chain)
        stars = [inner for inner in imported.parsed.imports if inner.name == "*"]
        if not stars and len(imported.names) == before:  # made at run time: a module's own __getattr__, say
            self._reach_all(imported)
            reached.lines.add(f"{statement.name} is module {imported.number}")

    def _use_compiled(self, reached: Reached, target: Module, statement: Import) -> None:
        """Count a module without Python source by the version of its distribution, if it has one."""
        if self._installed is not None:
            self._use_library(reached, statement, target)
        elif target.file is not None:
            self._leave(f"{target.file.name}, which is no Python source")

    def _reach_registered(self) -> bool:
        """Reach what registers itself with something that is reached; return whether there was any."""
        objects = {
            (reached.file, name)
            for reached in self._reached
            for name in reached.names
            if is_object(reached.parsed, name)
        }
        if not objects:
            return False
        has_grown = False
        imported_modules = ImportedModules(self.root, self._modules, self._find)
        for imported in imported_modules.all():
            for registration in registrations_of(imported.parsed):
                is_reached = registration.name in imported.names if registration.name else CALLS in imported.names
                if not is_reached and imported_modules.hand_over(
                    imported, registration, objects, to_all_bases=self._asks_for_subclasses
                ):
                    has_grown |= self._reach_registration(imported, registration)
        return has_grown

    def _reach_registration(self, imported: Reached, registration: Registration) -> bool:
        if imported.file is not None and imported is not self.root:
            loaded = self._load(Module(imported.file.stem, Origin.PROJECT, imported.file))
            assert loaded is not None, "it was parsed before"
            imported = loaded
        if registration.statement is None:
            self._reach(imported, registration.name)
            return True
        lines = len(imported.lines)
        if imported is self.root:
            self._add_statement(imported, registration.statement)
        return len(imported.lines) > lines or imported is not self.root

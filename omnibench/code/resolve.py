"""Where an import would find a module, without importing it: in the project, in a library, or nowhere."""

from __future__ import annotations

import importlib.machinery
import os
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from types import ModuleType

_INSTALLED = {"site-packages", "dist-packages"}


class Origin(Enum):
    """Whose a module is."""

    PROJECT = "project"
    LIBRARY = "library"
    STANDARD = "standard"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Module:
    """A module as an import would find it.

    Attributes:
        name: Its name, as far as it is known.
        origin: Whose it is.
        file: Its file; None for a namespace package, and for what is built in.
        folders: Where its submodules are when it is a package.
    """

    name: str
    origin: Origin
    file: Path | None = None
    folders: tuple[str, ...] = ()

    @property
    def has_source(self) -> bool:
        """Whether its source can be read."""
        return self.file is not None and self.file.suffix == ".py"

    def submodule(self, name: str) -> Module | None:
        """Return a module of this package, or None."""
        module = _search(name, self.folders) if self.folders else None
        return None if module is None else Module(f"{self.name}.{name}", module.origin, module.file, module.folders)


def find_module(name: str, folders: Iterable[str] = ()) -> Module:
    """Return the module that ``import name`` gets: what is loaded under that name, else what the path has.

    Args:
        name: An absolute name, with dots for submodules.
        folders: Where to look when ``sys.path`` does not have it.
    """
    top, *rest = name.split(".")
    module = _loaded(top) or _search(top, None) or _editable(top) or _search(top, list(folders))
    so_far = top
    for part in rest:
        if module is None:
            break
        so_far = f"{so_far}.{part}"
        module = _loaded(so_far) or module.submodule(part) or (module if module.origin is not Origin.PROJECT else None)
    return module or Module(name, Origin.MISSING)


def relative_module(file: Path, level: int, name: str) -> Module:
    """Return the module of a relative import.

    Args:
        file: The file of the importing module.
        level: The number of dots.
        name: What stands behind them; empty for the package itself.
    """
    folder = file.parent
    for _ in range(level - 1):
        folder = folder.parent
    package = folder_module(folder)
    for part in filter(None, name.split(".")):
        package = package.submodule(part) or Module(part, Origin.MISSING)
    return package


def package_of(file: Path) -> tuple[Path, str]:
    """Return the folder that the outermost package of a module lies in, and the full name of the module's own package.

    Args:
        file: The module. The name is empty where no ``__init__.py`` lies beside it, and the folder is its own then.
    """
    folder, names = file.parent, []
    while (folder / "__init__.py").is_file() and folder.name.isidentifier():
        names.append(folder.name)
        folder = folder.parent
    return folder, ".".join(reversed(names))


def folder_module(folder: Path) -> Module:
    """Return the package that a folder is."""
    file = folder / "__init__.py"
    return Module(folder.name, origin_of(folder), file if file.is_file() else None, (str(folder),))


def _loaded(name: str) -> Module | None:
    module = sys.modules.get(name)
    if module is None or not isinstance(module, ModuleType):
        return None
    file, spec = getattr(module, "__file__", None), getattr(module, "__spec__", None)
    folders = tuple(str(folder) for folder in getattr(module, "__path__", ()))
    if file is None:
        if folders:
            return Module(name, origin_of(Path(folders[0])), None, folders)
        return Module(name, Origin.STANDARD) if getattr(spec, "origin", "") in ("built-in", "frozen") else None
    path = Path(file)
    return Module(name, origin_of(path), path, folders) if path.exists() else None


def _search(name: str, folders: Sequence[str] | None) -> Module | None:
    if folders is None and name in sys.builtin_module_names:
        return Module(name, Origin.STANDARD)
    return _described(name, importlib.machinery.PathFinder.find_spec(name, folders))


def _editable(name: str) -> Module | None:
    """Look where the finders of editable installations look that put no folder on the path."""
    for finder in sys.meta_path:
        maker = finder if isinstance(finder, type) else type(finder)
        if maker.__module__.startswith("__editable__"):
            module = _described(name, finder.find_spec(name, None))
            if module is not None:
                return module
    return None


def _described(name: str, spec: importlib.machinery.ModuleSpec | None) -> Module | None:
    if spec is None:
        return None
    folders = tuple(str(folder) for folder in spec.submodule_search_locations or ())
    if spec.origin in ("built-in", "frozen"):
        return Module(name, Origin.STANDARD)
    if spec.origin is None or not spec.has_location:
        return Module(name, origin_of(Path(folders[0])), None, folders) if folders else None
    path = Path(spec.origin)
    return Module(name, origin_of(path), path, folders)


@cache
def origin_of(path: Path) -> Origin:
    """Return whose a file or folder is, by where it lies."""
    text = os.path.abspath(path)
    if _INSTALLED & set(Path(text).parts):
        return Origin.LIBRARY
    for name in {text, os.path.realpath(text)}:
        if any(name.startswith(folder) for folder in _standard_folders()):
            return Origin.STANDARD
    return Origin.PROJECT


def library_of(file: Path) -> Path | None:
    """Return the installed package or module that a file belongs to; None for what is not installed."""
    parts = Path(os.path.abspath(file)).parts
    for number, part in enumerate(parts[:-1]):
        if part in _INSTALLED:
            return Path(*parts[: number + 2])
    return None


@cache
def _standard_folders() -> tuple[str, ...]:
    """Return the folders of the standard library, and of omnibench itself."""
    paths = sysconfig.get_paths()
    folders = {paths["stdlib"], paths["platstdlib"], str(Path(__file__).parents[1])}
    folders |= {os.path.dirname(os.__file__), os.path.dirname(sysconfig.__file__)}
    return tuple(os.path.join(name, "") for folder in folders for name in {folder, os.path.realpath(folder)})

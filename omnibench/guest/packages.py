"""One package, found where the folder that it lies in is not on the path."""

from __future__ import annotations

import importlib.util
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

_PACKAGE_FILE = "__init__.py"


class PackageFinder(MetaPathFinder):
    """Finds one package, and nothing else of the folder that it lies in, which may have all that somebody has installed.

    Args:
        name: The name of the package.
        folder: The folder that it lies in.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self._name, self._package = name, folder / name

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """Return where the package is; None for every other name."""
        if fullname != self._name:
            return None
        file = self._package / _PACKAGE_FILE
        return importlib.util.spec_from_file_location(fullname, file, submodule_search_locations=[str(self._package)])

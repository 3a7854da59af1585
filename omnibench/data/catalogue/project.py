"""Definitions of the user's own: ``[tool.omnibench] data`` in the project's ``pyproject.toml`` says where they are."""

from __future__ import annotations

from dataclasses import dataclass
from glob import has_magic
from pathlib import Path

from omnibench.data.catalogue.tables import Table
from omnibench.errors import DataError
from omnibench.paths import absolute_paths
from omnibench.project import SETTINGS, ProjectSettings, nearest_settings

_KEYS = ("data", "resources")
_SUFFIX = ".toml"
EXAMPLE = 'data = "data/*.toml"'


@dataclass(frozen=True, slots=True)
class ProjectDefinitions:
    """Where a project has its definitions.

    Attributes:
        settings: Its ``pyproject.toml``.
        patterns: What that says: paths and patterns of files, relative to it.
    """

    settings: Path
    patterns: tuple[str, ...]

    @property
    def files(self) -> list[Path]:
        """The files of definitions, in the order of the patterns.

        Raises:
            DataError: One that is named is not there, or is no TOML file.
        """
        files: list[Path] = []
        for pattern in self.patterns:
            matches = self._matches(pattern)
            for path in matches:
                if path.suffix.lower() != _SUFFIX:
                    raise DataError(f"{self._label(pattern)}: {_not_toml(path.name)}")
            files += [path for path in matches if path not in files]
        return files

    @property
    def remark(self) -> str:
        """What to say of a name that is unknown: the patterns that match no file; nothing where all do."""
        empty = [pattern for pattern in self.patterns if not self._matches(pattern)]
        return f" {self._label(empty[0])} matches no file." if empty else ""

    def has(self, path: Path) -> bool:
        """Whether a pattern matches a path, whether it is there or not."""
        folder = self.settings.parent
        return any(path.parent == (folder / pattern).parent and path.match(pattern) for pattern in self.patterns)

    def _matches(self, pattern: str) -> list[Path]:
        folder = self.settings.parent
        path = Path(pattern).expanduser()
        if not has_magic(pattern):
            if not (folder / path).is_file():
                raise DataError(f"{self._label(pattern)}: there is no file {str(folder / path)!r}; check the path.")
            return [folder / path]
        root = Path(path.anchor) if path.is_absolute() else folder
        return sorted(match for match in root.glob(str(path.relative_to(path.anchor))) if match.is_file())

    def _label(self, pattern: str) -> str:
        return f"{self.settings}, [tool.omnibench] data = {pattern!r}"


def project_definitions() -> ProjectDefinitions | None:
    """Return where the project has definitions of its own; None where no ``pyproject.toml`` says that it has some.

    The nearest one with a table ``[tool.omnibench]`` counts, upwards from the bench file that is being imported or
    from the ``conftest.py`` that asks, and then from the working directory.

    Raises:
        DataError: The table has an unknown key, or a value that is neither a path nor a pattern.
    """
    for start in absolute_paths(SETTINGS):
        settings = nearest_settings(start.parent)
        if settings is not None:
            return _definitions(settings)
    return None


def _definitions(settings: ProjectSettings) -> ProjectDefinitions:
    table = Table(settings.values, f"{settings.path}, [tool.omnibench]")
    table.check_keys(_KEYS)
    patterns = table.texts("data")
    for pattern in patterns:
        if not pattern.lower().endswith(_SUFFIX):
            raise table.error(f"data is {pattern!r}; {_not_toml(pattern)}")
    return ProjectDefinitions(settings.path, patterns)


def _not_toml(name: str) -> str:
    if name.lower().endswith((".yaml", ".yml")):
        return f"definitions of data sets are TOML files, not YAML; write them as such, and {EXAMPLE}."
    return f"definitions of data sets are TOML files; give a path or pattern that ends in {_SUFFIX}, such as {EXAMPLE}."

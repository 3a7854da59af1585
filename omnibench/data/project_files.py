"""What a project says of itself: ``[tool.omnibench]`` of its ``pyproject.toml``, with patterns of files of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from glob import has_magic
from pathlib import Path

from omnibench.data.toml_tables import Table
from omnibench.errors import DataError
from omnibench.paths import absolute_paths
from omnibench.project import SETTINGS, ProjectSettings, nearest_settings

DATA, RUNNERS = "data", "runners"
_SUFFIXES: Mapping[str, tuple[str, ...]] = {DATA: (".toml",), RUNNERS: (".py", ".toml")}
"""What the files of each key end with."""
_KEYS = (*_SUFFIXES, "resources", "slurm")

EXAMPLE = 'data = "data/*.toml"'
RUNNERS_EXAMPLE = 'runners = ["adapters/mylib.py"]'


@dataclass(frozen=True, slots=True)
class FilePatterns:
    """Files of a project, as a key of its settings names them.

    Attributes:
        settings: Its ``pyproject.toml``.
        key: The key: ``data`` for definitions of data sets, ``runners`` for adapters of frameworks.
        patterns: What that says: paths and patterns of files, relative to it.
    """

    settings: Path
    key: str
    patterns: tuple[str, ...]

    @property
    def files(self) -> list[Path]:
        """The files, in the order of the patterns.

        Raises:
            DataError: One that is named is not there, or is no file of its kind.
        """
        for pattern in self.patterns:
            if not has_magic(pattern) and not self._matches(pattern):
                path = self.settings.parent / Path(pattern).expanduser()
                raise DataError(f"{self._label(pattern)}: there is no file {str(path)!r}; check the path.")
        return self.existing

    @property
    def existing(self) -> list[Path]:
        """The files that are there, where others are yet to be written; in the order of the patterns.

        Raises:
            DataError: One is no file of its kind.
        """
        files: list[Path] = []
        for pattern in self.patterns:
            matches = self._matches(pattern)
            for path in matches:
                if path.suffix.lower() not in _SUFFIXES[self.key]:
                    raise DataError(f"{self._label(pattern)}: {_WRONG_SUFFIX[self.key](path.name)}")
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
            return [folder / path] if (folder / path).is_file() else []
        root = Path(path.anchor) if path.is_absolute() else folder
        return sorted(match for match in root.glob(str(path.relative_to(path.anchor))) if match.is_file())

    def _label(self, pattern: str) -> str:
        return f"{self.settings}, [tool.omnibench] {self.key} = {pattern!r}"


def project_definitions() -> FilePatterns | None:
    """Return where the project has definitions of data sets; see ``project_files``."""
    return project_files(DATA)


def project_files(key: str) -> FilePatterns | None:
    """Return which files of its own a project names; None where no ``pyproject.toml`` says anything of omnibench.

    The nearest one with a table ``[tool.omnibench]`` counts, upwards from the bench file that is being imported or
    from the ``conftest.py`` that asks, and then from the working directory.

    Args:
        key: ``data`` or ``runners``.

    Raises:
        DataError: The table has an unknown key, or a value that is neither a path nor a pattern.
    """
    for start in absolute_paths(SETTINGS):
        settings = nearest_settings(start.parent)
        if settings is not None:
            return _files(settings, key)
    return None


def _files(settings: ProjectSettings, key: str) -> FilePatterns:
    table = Table(settings.values, f"{settings.path}, [tool.omnibench]")
    table.check_keys(_KEYS)
    patterns = table.texts(key)
    for pattern in patterns:
        if not pattern.lower().endswith(_SUFFIXES[key]):
            raise table.error(f"{key} is {pattern!r}; {_WRONG_SUFFIX[key](pattern)}")
    return FilePatterns(settings.path, key, patterns)


def _not_toml(name: str) -> str:
    if name.lower().endswith((".yaml", ".yml")):
        return f"definitions of data sets are TOML files, not YAML; write them as such, and {EXAMPLE}."
    return f"definitions of data sets are TOML files; give a path or pattern that ends in {_SUFFIXES[DATA][0]}, such as {EXAMPLE}."


def _not_python(_name: str) -> str:
    return (
        f"adapters of frameworks are Python files, and programs are described by TOML files; give a path or pattern that ends in "
        f"{' or '.join(_SUFFIXES[RUNNERS])}, such as {RUNNERS_EXAMPLE}."
    )


_WRONG_SUFFIX = {DATA: _not_toml, RUNNERS: _not_python}

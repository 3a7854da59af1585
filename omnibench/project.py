"""What a project says of omnibench: the table ``[tool.omnibench]`` in its ``pyproject.toml``."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omnibench.errors import DataError

SETTINGS = "pyproject.toml"


@dataclass(frozen=True, slots=True)
class ProjectSettings:
    """A project's table ``[tool.omnibench]``.

    Attributes:
        path: Its ``pyproject.toml``.
        values: What the table says, unchecked.
    """

    path: Path
    values: Mapping[str, Any]


def nearest_settings(folder: Path, key: str = "") -> ProjectSettings | None:
    """Return the nearest table ``[tool.omnibench]``, in a folder or in one above it; None where there is none.

    Args:
        folder: The folder.
        key: A key that the table has to have, where any table will not do.

    Raises:
        DataError: A ``pyproject.toml`` that mentions omnibench is no TOML, or has something else in the table's place.
    """
    for parent in (folder, *folder.parents):
        path = parent / SETTINGS
        try:
            stat = path.stat()
        except OSError:
            continue
        settings = _settings(path, stat.st_mtime_ns, stat.st_size)
        if settings is not None and (not key or key in settings.values):
            return settings
    return None


@functools.lru_cache(maxsize=64)
def _settings(path: Path, _modified: int, _size: int) -> ProjectSettings | None:
    """Read a ``pyproject.toml``; None where it says nothing of omnibench."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    if "omnibench" not in text:  # without parsing the files of every project
        return None
    try:
        values: Any = tomllib.loads(text).get("tool", {}).get("omnibench")
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{path} cannot be read: {error}.") from error
    if values is None:
        return None
    if not isinstance(values, dict):
        raise DataError(
            f'{path}: tool.omnibench is {values!r}; write it as a table [tool.omnibench] with e.g. data = "data/*.toml".'
        )
    return ProjectSettings(path, values)

"""Resources of frameworks: ``[tool.omnibench.resources.RecBole]`` in a project's ``pyproject.toml``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omnibench.errors import PlanError, nearest
from omnibench.experiment.resources import Resources
from omnibench.project import nearest_settings
from omnibench.runners.registry import runner_names

_OWN = "Own"
"""The framework of classes of the user's own."""

_EXAMPLE = "[tool.omnibench.resources.RecBole] with e.g. cores = 4"


def framework_resources(folder: Path) -> Mapping[str, Resources]:
    """Return what the nearest ``pyproject.toml`` says that Fits of frameworks are to have, by the frameworks' names.

    Args:
        folder: Where it is looked for first, and then in the folders above.

    Raises:
        OmnibenchError: The file is no TOML, a framework is unknown, or a value is impossible.
    """
    settings = nearest_settings(folder)
    tables: Any = {} if settings is None else settings.values.get("resources", {})
    if settings is None or tables == {}:
        return {}
    if not isinstance(tables, dict):
        raise PlanError(f"{settings.path}: tool.omnibench.resources is {tables!r}; write {_EXAMPLE}.")
    names = [*runner_names(), _OWN]
    resources: dict[str, Resources] = {}
    for name, values in tables.items():
        label = f"{settings.path}, [tool.omnibench.resources.{name}]"
        if name not in names:
            raise PlanError(
                f"{label}: there is no framework {name!r}{nearest(name, names) or '.'} It is one of {', '.join(names)}."
            )
        if not isinstance(values, dict):
            raise PlanError(f"{label} is {values!r}; write {_EXAMPLE}.")
        try:
            resources[name] = Resources(**values)
        except PlanError as error:
            raise PlanError(f"{label}: {error}") from error
    return resources

"""Which environment variables of the user's shell do not reach a guest, or uv."""

from __future__ import annotations

import os
from collections.abc import Mapping

from omnibench.runners.registry import RunnerInfo

_OF_THE_INTERPRETER = ("PYTHONHOME", "VIRTUAL_ENV")
"""Variables that would have a guest's interpreter take another environment for its own."""

_FOREIGN_PREFIXES = ("PYTHON", "PYTEST_", "COV_CORE_", "COVERAGE_")
"""Beginnings of variables that are about the user's interpreter, pytest or coverage, not about a framework's."""

_HARMLESS = ("PYTHONUTF8", "PYTHONIOENCODING", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "PYTHONFAULTHANDLER")
"""Those of them that mean the same in every environment."""

_FOREIGN = (*_OF_THE_INTERPRETER, "CONDA_PREFIX", "MPLBACKEND")
"""Others: matplotlib's is set by notebooks, to a module that only their environment has."""


_LOCATIONS = ("PYTHONPATH", "PYTHONUSERBASE", "PYTHONNOUSERSITE", "CONDA_PREFIX", "MPLBACKEND")
"""Those that say where the packages of the user's own environment are."""


def foreign_variables(
    runner: RunnerInfo, *, isolated: bool, environment: Mapping[str, str] = os.environ
) -> tuple[str, ...]:
    """Return the variables that a runner's guest is started without.

    A framework gets nothing that was meant for the user's own Python: ``PYTHONWARNINGS=error`` would fail the imports
    of packages that the user has never seen. A class of the user's own is the user's code, in the user's environment,
    and gets what it would get in any other program of theirs.

    Args:
        runner: The framework, or the runner of users' classes.
        isolated: Whether it runs in an environment of its own.
        environment: The variables that there are.
    """
    if not runner.distribution:
        return tuple(name for name in environment if name in _OF_THE_INTERPRETER)
    return tuple(name for name in foreign_to_isolated(environment) if isolated or name not in _LOCATIONS)


def foreign_to_isolated(environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Return the variables that are about the user's own Python, and so concern no isolated environment."""
    return tuple(
        name
        for name in environment
        if name in _FOREIGN or (name.startswith(_FOREIGN_PREFIXES) and name not in _HARMLESS)
    )

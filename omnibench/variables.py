"""Variables of the user's shell that are about the user's own Python, and reach no framework in another one."""

from __future__ import annotations

from collections.abc import Mapping

SCRATCH = "OMNIBENCH_GUEST_SCRATCH"
"""The environment variable that tells a guest its directory for temporary files, which goes with it however it ends."""

_OF_THE_INTERPRETER = ("PYTHONHOME", "VIRTUAL_ENV")
"""Variables that would have an interpreter take another environment for its own."""

_FOREIGN_PREFIXES = ("PYTHON", "PYTEST_", "COV_CORE_", "COVERAGE_")
"""Beginnings of variables that are about the user's own interpreter, pytest or coverage."""

_HARMLESS = ("PYTHONUTF8", "PYTHONIOENCODING", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "PYTHONFAULTHANDLER")
"""Those of them that mean the same in every environment."""

_LOCATIONS = ("PYTHONPATH", "PYTHONUSERBASE", "PYTHONNOUSERSITE", "CONDA_PREFIX", "MPLBACKEND")
"""Variables that say where the packages of the user's own environment are, or name one of its modules."""


def foreign_variables(environment: Mapping[str, str], *, isolated: bool) -> tuple[str, ...]:
    """Return the variables that were meant for the user's own Python, and so for no framework's.

    ``PYTHONWARNINGS=error``, say, would fail the imports of packages that the user has never seen.

    Args:
        environment: The variables that there are.
        isolated: Whether the framework has an environment of its own; one in the user's may be found by ``PYTHONPATH``.
    """
    names = (name for name in environment if name.startswith(_FOREIGN_PREFIXES) and name not in _HARMLESS)
    foreign = {*names, *misleading_variables(environment), *(name for name in _LOCATIONS if name in environment)}
    return tuple(sorted(foreign if isolated else foreign.difference(_LOCATIONS)))


def misleading_variables(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the variables that would have any other interpreter take a wrong environment for its own."""
    return tuple(name for name in _OF_THE_INTERPRETER if name in environment)

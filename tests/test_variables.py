"""Which variables of the user's shell are foreign to frameworks."""

from __future__ import annotations

import pytest

from omnibench.variables import foreign_variables, misleading_variables

SHELL = dict.fromkeys(
    [
        *("PATH", "HOME", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "HTTPS_PROXY", "PYTHONUTF8", "MY_PYTHON"),
        *("PYTHONWARNINGS", "PYTHONSTARTUP", "PYTHONHOME", "VIRTUAL_ENV", "PYTHONOPTIMIZE"),
        *("PYTEST_ADDOPTS", "PYTEST_CURRENT_TEST", "PYTEST_PLUGINS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD"),
        *("PYTEST_XDIST_WORKER", "COV_CORE_SOURCE", "COVERAGE_PROCESS_START", "PYTHONPATH", "MPLBACKEND"),
    ],
    "x",
)
OF_THE_PYTHON = {name for name in SHELL if name.startswith(("PYTHON", "PYTEST", "COV", "VIRT"))} - {"PYTHONUTF8"}


@pytest.mark.parametrize(
    ("isolated", "foreign"),
    [(True, OF_THE_PYTHON | {"MPLBACKEND"}), (False, OF_THE_PYTHON - {"PYTHONPATH"})],
)
def test_what_is_about_the_users_python_is_foreign(isolated: bool, foreign: set[str]) -> None:
    """Warnings, start-up files, pytest and coverage; a framework in the user's environment may need PYTHONPATH."""
    assert set(foreign_variables(SHELL, isolated=isolated)) == foreign


def test_a_users_class_gets_all_but_what_misleads_an_interpreter() -> None:
    """It is the user's own code, in the user's own environment."""
    assert set(misleading_variables(SHELL)) == {"PYTHONHOME", "VIRTUAL_ENV"}
    assert foreign_variables({}, isolated=True) == ()

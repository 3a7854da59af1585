"""What several tests need: environments of the frameworks, and small projects with benchmarks in them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from projects import Project

from omnibench.runners.environments import environment_of
from omnibench.runners.registry import get_runner

@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with a bench file of two items that pass."""
    made = Project(pytester)
    monkeypatch.setenv("COUNT_FITS_IN", str(made.fits))
    for name in ("OMNIREC_CHECKPOINT_DIR", "OMNIREC_FAILED", "PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER"):
        monkeypatch.delenv(name, raising=False)
    made.bench()
    return made


@pytest.fixture(scope="session")
def environment_python() -> Callable[[str], Path]:
    """Return the interpreter of a framework's isolated environment, building it when it is missing."""

    def find(framework: str) -> Path:
        return environment_of(get_runner(framework)).ensure(lambda line: print(line, file=sys.stderr))

    return find

"""Lists that the documentation repeats for its readers name everything that there is."""

from __future__ import annotations

import configparser
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
CONTRIBUTING = (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def rows(page: str) -> set[str]:
    """Return every name that stands in the first column of a table."""
    cells = re.findall(r"^\| (`[^|]+`) \|", page, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def test_every_tox_environment_is_explained() -> None:
    """Contributors find each environment of tox.ini on their page."""
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")
    environments = {section.removeprefix("testenv:") for section in tox.sections() if section.startswith("testenv:")}
    assert {"benchmarks", "docs"} <= environments
    assert environments - rows(CONTRIBUTING) == set(), "add them to docs/contributing.md"


def test_every_marker_is_explained() -> None:
    """Contributors find each marker of the tests on their page."""
    markers = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]["markers"]
    assert {marker.partition(":")[0] for marker in markers} - rows(CONTRIBUTING) == set(), "add to docs/contributing.md"


def test_every_room_is_on_the_map() -> None:
    """The map of the architecture has each package of omnibench."""
    packages = {f"{path.parent.name}/" for path in (ROOT / "omnibench").glob("*/__init__.py")}
    assert len(packages) > 5
    assert packages - rows(ARCHITECTURE) == set(), "add them to docs/architecture.md"

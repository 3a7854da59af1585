"""The page's table of changes of type names tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_change_of_type_has_its_test() -> None:
    """Each row of the table ends in files, or a folder, below tests."""
    page = (ROOT / "docs" / "conventions.md").read_text(encoding="utf-8")
    section = page.partition("## Where numbers change type\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")][2:]
    assert len(rows) > 15
    for row in rows:
        tests = re.findall(r"`([^`]+)`", row.split("|")[-2])
        assert tests, row
        assert all((ROOT / "tests" / test).exists() for test in tests), row

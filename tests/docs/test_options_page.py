"""The page of options is written from the options that the plugin declares."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from support.file_modules import module_of

from omnibench.plugin.options import OPTIONS

DOCS = Path(__file__).parent.parent.parent / "docs"


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    """The script that writes the page."""
    return module_of(DOCS / "generate.py")


def test_the_page_is_not_stale(generator: ModuleType) -> None:
    """Whoever changes an option writes the page anew."""
    written = (DOCS / "options.md").read_text(encoding="utf-8")
    assert written == generator.page(), "docs/options.md is stale; run `python docs/generate.py`"


def test_every_option_is_on_the_page_once(generator: ModuleType) -> None:
    """No option is missing, also none that no group of the page names; none stands there twice."""
    flags = [option.flag for option in OPTIONS]
    page = generator.page()
    assert [flag for flag in flags if page.count(f"### `{flag}`\n") != 1] == []
    assert page.count("### `--omnirec-") == len(generator.declared().options) >= len(flags)


def test_a_group_names_no_option_that_is_gone(generator: ModuleType) -> None:
    """An option that was renamed or removed leaves its group, too."""
    declared = generator.declared().options
    assert [name for names in generator.GROUPS.values() for name in names if f"--omnirec-{name}" not in declared] == []

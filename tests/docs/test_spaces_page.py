"""The page of search spaces is written from the files of the spaces."""

from __future__ import annotations

from pathlib import Path

from support.file_modules import module_of

from omnibench.tuning.shipped import shipped_spaces

DOCS = Path(__file__).parent.parent.parent / "docs"


def test_the_page_is_not_stale_and_has_every_space_with_its_source() -> None:
    """Whoever changes a space, or a default in a catalogue, writes the page anew."""
    generator = module_of(DOCS / "spaces.py")
    written = (DOCS / "search-spaces.md").read_text(encoding="utf-8")
    assert written == generator.page(), "docs/search-spaces.md is stale; run `python docs/spaces.py`"
    for space in shipped_spaces():
        assert f"| `{space.algorithm.partition('.')[2]}` |" in written
        assert space.source.rpartition(" ")[0].rstrip(",") in written

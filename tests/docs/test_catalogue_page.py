"""The pages of what is known of algorithms and of frameworks are written from the catalogues."""

from __future__ import annotations

from pathlib import Path

from support.file_modules import module_of

from omnibench.runners.registry import runners

DOCS = Path(__file__).parent.parent.parent / "docs"


def test_the_page_is_not_stale_and_has_every_algorithm() -> None:
    """Whoever changes a catalogue, or measures again, writes the page anew."""
    generator = module_of(DOCS / "catalogue.py")
    written = (DOCS / "catalogue.md").read_text(encoding="utf-8")
    assert written == generator.page(), "docs/catalogue.md is stale; run `python docs/catalogue.py`"
    for runner in runners():
        for name in runner.catalogue["algorithms"] if runner.measured_file else ():
            assert f"| `{name}` |" in written


def test_the_page_of_frameworks_is_not_stale() -> None:
    """It counts what the catalogues have; costs are those that were measured last."""
    written = (DOCS / "frameworks.md").read_text(encoding="utf-8")
    assert written == module_of(DOCS / "frameworks.py").page(), (
        "docs/frameworks.md is stale; run `python docs/frameworks.py`"
    )

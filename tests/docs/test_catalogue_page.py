"""The page of what is known of algorithms is written from the catalogues."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from omnibench.runners.registry import runners

DOCS = Path(__file__).parent.parent.parent / "docs"


def test_the_page_is_not_stale_and_has_every_algorithm() -> None:
    """Whoever changes a catalogue, or measures again, writes the page anew."""
    spec = importlib.util.spec_from_file_location("write_catalogue_page", DOCS / "catalogue.py")
    assert spec is not None
    assert spec.loader is not None
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    written = (DOCS / "catalogue.md").read_text(encoding="utf-8")
    assert written == generator.page(), "docs/catalogue.md is stale; run `python docs/catalogue.py`"
    for runner in runners():
        for name in runner.catalogue["algorithms"] if runner.measured_file else ():
            assert f"| `{name}` |" in written

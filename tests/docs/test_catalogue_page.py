"""The pages of what is known of algorithms and of frameworks are written from the catalogues."""

from __future__ import annotations

import json
from pathlib import Path

from support.file_modules import module_of

from omnibench.runners.registry import get_runner, runners

DOCS = Path(__file__).parent.parent.parent / "docs"


def test_the_page_is_not_stale_and_has_every_algorithm() -> None:
    """Whoever changes a catalogue, or measures again, writes the page anew."""
    generator = module_of(DOCS / "catalogue.py")
    written = (DOCS / "catalogue.md").read_text(encoding="utf-8")
    assert written == generator.page(), "docs/catalogue.md is stale; run `python docs/catalogue.py`"
    for runner in runners():
        for name in runner.catalogue["algorithms"] if runner.measured_file else ():
            assert f"| `{name}` |" in written


def test_the_size_that_is_said_before_a_build_is_the_one_that_was_measured() -> None:
    """To the two digits with which it is said."""
    costs = json.loads((DOCS.parent / "benchmarks" / "frameworks" / "costs.json").read_text(encoding="utf-8"))[
        "frameworks"
    ]
    for name, measured in costs.items():
        number, unit = get_runner(name).size.split()
        size = float(number) * {"MB": 1e6, "GB": 1e9}[unit]
        assert abs(size - measured["bytes"]) <= 0.05 * {"MB": 1e8, "GB": 1e9}[unit]


def test_the_page_of_frameworks_is_not_stale() -> None:
    """It counts what the catalogues have; costs are those that were measured last."""
    written = (DOCS / "frameworks.md").read_text(encoding="utf-8")
    assert written == module_of(DOCS / "frameworks.py").page(), (
        "docs/frameworks.md is stale; run `python docs/frameworks.py`"
    )

"""What a run records as done is done, whatever happens to the process behind it."""

from __future__ import annotations

import json

import pytest
from support.projects import Project

from omnibench import open_store


@pytest.mark.slow
def test_a_body_that_kills_its_worker_fails_the_test_and_not_the_item(project: Project) -> None:
    """The death is reported as a failure of the test; the item was recorded before, and stays done for everybody."""
    project.bench(body='__import__("os")._exit(9) if result.fold == 0 else None')
    result = project.run_process("-n", "2")
    assert result.parseoutcomes() == {"failed": 1, "passed": 1}
    root = project.pytester.path / "checkpoints"
    assert open_store(root).failed == {}
    assert len(open_store(root).completed) == 2
    rows = json.loads((root / "results.json").read_text(encoding="utf-8"))["results"]
    assert {row["fold"] for row in rows} == {0, 1}
    project.bench()
    assert project.run().parseoutcomes() == {"cached": 2}

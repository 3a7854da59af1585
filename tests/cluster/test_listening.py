"""What listens where while a run is in progress, and who may speak to it; docs/cluster.md has the table."""

from __future__ import annotations

from collections import Counter
from itertools import product
from pathlib import Path

import pytest
from support.clusters import marks, running_pytest, wait_for
from support.listening import answer_to, descendants, listeners, listeners_by_ss
from support.projects import Project
from support.strangers import assert_answers_no_stranger, speaks_http

pytestmark = pytest.mark.slow

WORKERS = 2


def test_what_a_local_cluster_listens_on(project: Project, tmp_path: Path) -> None:
    """Two ports of the scheduler and of each worker, on the loopback alone; no dashboard; nothing to say without the key of the run."""
    gate = project.pytester.path / "gate"
    project.bench(f"plan.add_algorithm(Gated, {{'gate': {str(gate)!r}}})")
    with running_pytest(project.pytester.path, f"--omnirec-cluster=local:{WORKERS}") as run:
        wait_for(lambda: len(marks(project.fits, "begin-")) == WORKERS)
        pids = descendants(run.pid)
        listening = listeners(pids)
        assert listeners_by_ss(pids) == listening
        assert {listener.host for listener in listening} == {"127.0.0.1"}
        assert sorted(Counter(listener.pid for listener in listening).values()) == [2] * (1 + WORKERS)
        assert sum(listener.pid == run.pid for listener in listening) == 2
        http = {listener for listener in listening if speaks_http(listener)}
        assert Counter(listener.pid for listener in http) == dict.fromkeys({each.pid for each in listening}, 1)
        for listener, page in product(http, ("/status", "/info/main/workers.html", "/json/counts.json", "/metrics")):
            assert answer_to(listener, f"GET {page} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()).startswith(
                b"HTTP/1.1 404"
            )
        for listener in listening - http:
            assert_answers_no_stranger(listener, tmp_path / "unpickled")
        gate.touch()
        output, _ = run.communicate(timeout=300)
    assert "2 passed" in output
    assert not (tmp_path / "unpickled").exists()
    assert not listeners({run.pid})

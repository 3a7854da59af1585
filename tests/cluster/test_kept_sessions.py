"""The place of an item on a worker goes to the next item of its thread, and is nobody's while nobody needs it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from faults.algorithms import Shuffled
from support.scripted_items import DATA, METRICS

from omnibench import Evaluator, ExperimentPlan, Grid, run_omnirec
from omnibench.cluster import remote_session
from omnibench.cluster.choice import ClusterChoice
from omnibench.cluster.cluster import Cluster
from omnibench.cluster.connection import Connection
from omnibench.cluster.pool import RemotePool
from omnibench.cluster.remote_session import RemoteSession
from omnibench.cluster.settings import SlurmSettings
from omnibench.runners.environments import Environments


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster of a single worker, with a place for a single item."""
    scratch = tmp_path_factory.mktemp("scratch")
    lines: list[str] = []
    cluster = Cluster(
        ClusterChoice.parse("local:1"), SlurmSettings(), "run", Environments(), scratch, 30.0, lines.append
    )
    yield cluster
    cluster.close()


@pytest.fixture
def pools(cluster: Cluster) -> Iterator[tuple[RemotePool, RemotePool]]:
    """The guests of two threads of a run."""
    first, second = (cluster.pool(lambda *_: None, lambda: None) for _ in range(2))
    yield first, second
    first.close()
    second.close()


def test_the_next_item_has_the_same_place(
    pools: tuple[RemotePool, RemotePool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Items that follow each other at once are computed in one session, unless one asks for something else."""
    monkeypatch.setattr(remote_session, "_KEPT_SECONDS", 3600.0)  # on a slow machine nothing is at once
    pool, _ = pools
    first = pool.session()
    pool.rest()
    assert pool.session() is first
    pool.rest()
    pool.ask_for({"cores": 1}, "an item", lambda _: None)
    assert pool.session() is not first


def test_others_get_a_place_that_was_kept_for_long(
    pools: tuple[RemotePool, RemotePool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On workers that other runs use as well, it is given back when an item has ended and it was had for so long."""
    monkeypatch.setattr(remote_session, "_KEPT_SECONDS", 0.0)
    monkeypatch.setattr(Connection, "has_own_workers", False)
    first, second = pools
    first.session()
    first.rest()
    assert second.session().location.is_shared


def test_a_thread_that_waits_gets_it_at_once(pools: tuple[RemotePool, RemotePool]) -> None:
    """A place is not kept while another thread of the run waits for one."""
    first, second = pools
    session = first.session()
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(second.session)
        while not session.is_due:
            time.sleep(0.01)
        first.rest()
        assert waiting.result(180).location.is_shared


def test_who_waits_keeps_no_place(pools: tuple[RemotePool, RemotePool], monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread without an item to compute gives back what it has kept; in the middle of an item it does not."""
    monkeypatch.setattr(remote_session, "_KEPT_SECONDS", 3600.0)  # nothing else gives it back
    first, second = pools
    session = first.session()
    first.leave()
    assert first.session() is session
    first.rest()
    first.leave()
    assert second.session().location.is_shared


def test_a_run_begins_a_session_for_each_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many items it has: neither their evaluation nor their end gives the place back while nobody waits for it."""
    sessions: list[RemoteSession] = []
    begin = RemoteSession.__init__

    def noted(session: RemoteSession, *arguments: Any) -> None:
        begin(session, *arguments)
        sessions.append(session)

    monkeypatch.setattr(RemoteSession, "__init__", noted)
    plan = ExperimentPlan()
    plan.add_algorithm(Shuffled, {"strength": Grid([1, 2, 3])})
    run_omnirec(DATA, plan, Evaluator(*METRICS), checkpoint_dir=tmp_path, cluster="local:1", quiet=True)
    assert len(sessions) == 1

"""Threads of one process that need the same prepared dataset."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.scripted_items import DATA

from omnibench.engine.datasets import PreparedDatasets
from omnibench.store import CheckpointStore
from omnibench.store.leases import Lease

THREADS = 8


def test_one_thread_waits_for_the_lease_of_a_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others wait for that thread, and get the same directory: a lease is asked for again and again."""
    store = CheckpointStore(tmp_path)
    take: Callable[..., AbstractContextManager[Lease]] = store.lease
    taken: list[str] = []

    @contextmanager
    def lease(key: str, *arguments: Any) -> Iterator[Lease]:
        taken.append(key)
        with take(key, *arguments) as held:
            yield held

    monkeypatch.setattr(store, "lease", lease)
    datasets, ready = PreparedDatasets(store), threading.Barrier(THREADS)

    def get(_: int) -> Path:
        ready.wait(180)
        return datasets.get(DATA)

    with ThreadPoolExecutor(THREADS) as threads:
        directories = set(threads.map(get, range(THREADS)))
    assert len(directories) == 1
    assert taken == [f"data-{DATA.key}"]

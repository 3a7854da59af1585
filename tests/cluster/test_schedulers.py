"""The schedulers that a run starts in its own process."""

from __future__ import annotations

import logging
from contextlib import ExitStack

import dask.config
import distributed
import pytest

from omnibench.cluster.choice import ClusterChoice
from omnibench.cluster.schedulers import scheduler_of
from omnibench.cluster.settings import SlurmSettings

_SETTING = "distributed.scheduler.worker-ttl"


def test_schedulers_end_in_any_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as there is one, Dask's settings are ours and its logs are quiet; after the last one they are what they were."""
    monkeypatch.delenv("DASK_DISTRIBUTED__COMM__SETTINGS__TCP", raising=False)
    logger = logging.getLogger(distributed.__name__)
    before = logger.level, dask.config.get(_SETTING)
    first, last = ExitStack(), ExitStack()
    for stack in (first, last):
        stack.enter_context(scheduler_of(ClusterChoice.parse("local:1"), 0, SlurmSettings(), print))
    with last:
        with first:
            ours = logger.level, dask.config.get(_SETTING)
        assert (logger.level, dask.config.get(_SETTING)) == ours == (logging.CRITICAL, "60s")
    assert (logger.level, dask.config.get(_SETTING)) == before


def test_errors_of_a_client_are_printed() -> None:
    """Where the scheduler is another process, what Dask logs here as an error is of its client, and no loss that the run speaks of."""
    logger = logging.getLogger(distributed.__name__)
    with scheduler_of(ClusterChoice.parse("tcp://127.0.0.1:1"), 0, SlurmSettings(), print):
        assert logger.level == logging.ERROR
        with scheduler_of(ClusterChoice.parse("local:1"), 0, SlurmSettings(), print):
            assert logger.level == logging.CRITICAL
        assert logger.level == logging.ERROR

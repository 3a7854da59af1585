"""GPUs of a machine that are dealt to the sessions of its workers; which there are, ``CUDA_VISIBLE_DEVICES`` says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from omnibench.cluster.worker_gpus import WorkerGpus
from omnibench.errors import ClusterError
from omnibench.runners.machine import gpus


class WaitedError(Exception):
    """A session has had to wait."""


def refuse() -> None:
    """What a session does that must not wait."""
    raise WaitedError


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine with three GPUs."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,GPU-8932f937,2")
    gpus.cache_clear()
    yield
    gpus.cache_clear()


def test_a_gpu_is_one_sessions() -> None:
    """Sessions get different GPUs and keep them; who asks for more than are free waits, without keeping what is."""
    with WorkerGpus(refuse) as first, WorkerGpus(refuse) as second:
        assert first.cards(1) == ("0",)
        assert first.cards(1) == ("0",)
        with pytest.raises(WaitedError):
            second.cards(3)
        assert second.cards(2) == ("GPU-8932f937", "2")
        with WorkerGpus(refuse) as third, pytest.raises(WaitedError):
            third.cards(1)
        assert first.are_held
        assert second.are_held
    with WorkerGpus(refuse) as next_session:
        assert next_session.cards(3) == ("0", "GPU-8932f937", "2")


def test_waiting_ends_with_the_session_that_is_waited_for() -> None:
    """Who waits gets the GPU of a session that has ended."""
    first = WorkerGpus(refuse)
    assert first.cards(3)
    with WorkerGpus(first.__exit__) as second:
        assert second.cards(1) == ("0",)


def test_all_of_a_job() -> None:
    """A job of SLURM has what it sees for itself, and no lock is taken: another node's GPUs have the same numbers."""
    with WorkerGpus(refuse) as first, WorkerGpus(refuse) as second:
        assert first.cards(0) == second.cards(0) == ("0", "GPU-8932f937", "2")
        assert not first.are_held


@pytest.mark.parametrize(
    ("visible", "number", "words"), [("", 0, "sees no NVIDIA GPU"), ("0", 2, "sees 1 GPU .* is to compute on 2 GPUs")]
)
def test_a_worker_without_them(monkeypatch: pytest.MonkeyPatch, visible: str, number: int, words: str) -> None:
    """It is said which machine it is, and what to do; nothing is computed on the CPU in the name of a GPU."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    gpus.cache_clear()
    with WorkerGpus(refuse) as session, pytest.raises(ClusterError, match=words):
        session.cards(number)

"""The GPUs of a machine, dealt to the sessions of its workers: each is one session's until that ends.

Workers are processes that know nothing of each other, so a GPU is held by a lock on a file of the machine's. What a worker
sees is what it was started with: a job of SLURM has the GPUs that were asked for, in ``CUDA_VISIBLE_DEVICES``, all for itself.
"""

from __future__ import annotations

import fcntl
import platform
import re
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import IO, Self

from omnibench.cluster.worker_cache import worker_cache
from omnibench.errors import ClusterError
from omnibench.experiment.resources import gpus_text
from omnibench.runners.machine import gpus

_LOOK_SECONDS = 0.5


class WorkerGpus:
    """The GPUs that one session has. Use it as a context manager.

    Args:
        check: Called while they are waited for; raising gives up.
    """

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._locks = ExitStack()
        self._cards: tuple[str, ...] = ()

    @property
    def are_held(self) -> bool:
        """Whether the session has any that no other one may have."""
        return bool(self._cards)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._locks.close()

    def cards(self, number: int) -> tuple[str, ...]:
        """Return GPUs as ``CUDA_VISIBLE_DEVICES`` names them, once no other session of this machine has them.

        Args:
            number: How many; 0 for all that this worker sees, whoever else uses them.

        Raises:
            ClusterError: The worker does not see as many.
        """
        visible = gpus()
        if len(visible) < max(1, number):
            seen = gpus_text(len(visible)) if visible else "no NVIDIA GPU"
            raise ClusterError(
                f"{platform.node()} sees {seen} (nvidia-smi, CUDA_VISIBLE_DEVICES), and the item is to compute on "
                f"{gpus_text(max(1, number))}. Start workers where there are as many, or give --omnirec-device=cpu."
            )
        if not number:
            return visible
        while len(self._cards) != number:
            self._locks.close()
            self._cards = self._free_cards(visible, number)
            if not self._cards:
                self._check()
                time.sleep(_LOOK_SECONDS)
        return self._cards

    def _free_cards(self, visible: tuple[str, ...], number: int) -> tuple[str, ...]:
        """Take the locks of so many GPUs, or of none while fewer are free."""
        cards: list[str] = []
        with _lock_file("dealing") as dealing:  # two who want all would else take halves, for ever
            fcntl.flock(dealing, fcntl.LOCK_EX)
            for card in visible:
                if len(cards) < number and self._take(card):
                    cards.append(card)
            if len(cards) == number:
                return tuple(cards)
            self._locks.close()
        return ()

    def _take(self, card: str) -> bool:
        file = _lock_file(card)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        self._locks.callback(file.close)
        return True


def _lock_file(name: str) -> IO[bytes]:
    """Open a lock file of this machine's: the directory may be that of all machines."""
    directory = worker_cache() / "gpus" / platform.node()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return (directory / f"{re.sub(r'[^0-9A-Za-z-]', '_', name)}.lock").open("wb")

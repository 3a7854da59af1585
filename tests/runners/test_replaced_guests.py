"""The guests that tests share: one that died is closed when another is started for it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from support.shared_guests import running_guests


@pytest.mark.guests
def test_a_guest_that_died_is_closed_before_another_starts(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Its connection and the threads that read what it prints do not stay until the tests end."""
    with running_guests(lambda _: Path(), tmp_path_factory) as start:
        first = start("Own")
        os.kill(first.guest.pid, signal.SIGKILL)
        while first.guest.alive:
            time.sleep(0.01)
        second = start("Own")
        assert second is not first
        assert start("Own") is second
        assert len(first.guest._group) == 0
        assert len(second.guest._group) == 1

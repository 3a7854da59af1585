"""What Linux tells of the memory of a process."""

from __future__ import annotations

import os
import sys

import pytest

from omnibench.proc import peak_rss_of, rss_of

NOBODY = 2**22 + 1
"""More than the largest process id that Linux gives."""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no /proc")
def test_the_resident_set_is_below_its_peak() -> None:
    """Both are bytes: a Python process has megabytes, and pages that it fills are added."""
    before = rss_of(os.getpid())
    filled = bytearray(os.urandom(1)) * (64 * 2**20)
    after = rss_of(os.getpid())
    assert 2**22 < before < after <= peak_rss_of(os.getpid()) + 2**20
    assert after - before > len(filled) / 2


def test_of_no_process_nothing_is_known() -> None:
    """It may have ended a moment ago."""
    assert rss_of(NOBODY) == peak_rss_of(NOBODY) == 0

"""Reservations of memory that a killed worker has left on a machine that does not say when processes began."""

from __future__ import annotations

import json
from pathlib import Path

from omnibench.store.admission import Needs
from omnibench.store.reservations import COMPUTES, Reservations


def test_a_killed_worker_without_a_start_holds_no_memory(tmp_path: Path) -> None:
    """As on macOS: others would wait for it for ever."""
    with Reservations(tmp_path).changed() as board:
        board.begin("x", Needs(5))
    (path,) = (tmp_path / "leases").iterdir()
    process = {"pid": 2**22 + 1, "host": "laptop"}  # above the largest number that Linux gives
    path.write_text(json.dumps([["gone", COMPUTES, "y", 10**12, 0, process]]))
    with Reservations(tmp_path).changed() as board:
        assert board.of_others == []

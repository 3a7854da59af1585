"""What a command does when its output, or a file that it makes, finds no room."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from faults import plant

FULL = Path("/dev/full")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of items that are done."""
    directory = tmp_path_factory.mktemp("output") / "checkpoints"
    plant.finished_store(directory)
    return directory


@pytest.mark.skipif(not os.access(FULL, os.W_OK), reason="there is no /dev/full")
@pytest.mark.parametrize("command", ["status", "export results.csv"])
def test_a_full_disk_is_one_line_and_an_exit_status(store: Path, command: str, tmp_path: Path) -> None:
    """No traceback, whether a line is written at once or at the interpreter's end, and the exit status is 2."""
    words = [sys.executable, "-m", "omnibench", *command.split(), "--store", str(store)]
    with FULL.open("w") as full:
        ended = subprocess.run(words, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr == (
        "omnibench: the output of this command, or a file that it makes, cannot be written: No space left on device; "
        "make room, and run it again.\n"
    )

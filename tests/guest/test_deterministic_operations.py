"""A guest that is to compute by deterministic operations alone has PyTorch refuse all others."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from omnibench.guest.generators import DETERMINISTIC_MARK

ROOT = Path(__file__).parent.parent.parent

SEEDED = """
import sys
sys.path.insert(0, sys.argv[1])
from omnibench.guest.generators import seed_everything
seed_everything(7)
import torch  # what is imported later is seeded then
print(torch.are_deterministic_algorithms_enabled())
"""


@pytest.mark.guests
@pytest.mark.parametrize("is_asked_for", [True, False])
def test_pytorch_is_told(is_asked_for: bool, environment_python: Callable[[str], Path]) -> None:
    """Where the host has asked for it, and nowhere else: a class of the user's may have switched it on itself."""
    variables = {name: value for name, value in os.environ.items() if name != DETERMINISTIC_MARK}
    marked = {DETERMINISTIC_MARK: "1"} if is_asked_for else {}
    answer = subprocess.run(
        [str(environment_python("RecPack")), "-c", SEEDED, str(ROOT)],
        env={**variables, **marked},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.strip() == str(is_asked_for)

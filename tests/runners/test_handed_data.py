"""Frameworks get a fold as arrays, and make of it what they would make of frames and text files themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.guest_scripts import GUEST, run


@pytest.mark.slow
@pytest.mark.guests
@pytest.mark.parametrize("framework", ["LensKit", "RecBole"])
def test_a_framework_gets_what_it_would_have_made_itself(
    framework: str, tmp_path: Path, environment_python: Callable[[str], Path]
) -> None:
    """The same tables as LensKit's of a frame; the same numbers, batches, negative samples and masks as RecBole's of files."""
    run(environment_python(framework), f"handed_{framework.lower()}.py", GUEST, cwd=tmp_path)

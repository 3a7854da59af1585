"""Frameworks get a fold as arrays, and make of it what they would make of frames and text files themselves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from support.guest_scripts import GUEST, run

import omnibench
from omnibench.data.prepare import prepare


@pytest.mark.slow
@pytest.mark.guests
@pytest.mark.parametrize("framework", ["LensKit", "RecBole", "Cornac"])
def test_a_framework_gets_what_it_would_have_made_itself(
    framework: str, tmp_path: Path, environment_python: Callable[[str], Path]
) -> None:
    """The same tables as LensKit's of a frame; the same numbers, batches, negative samples and masks as RecBole's of files."""
    run(environment_python(framework), f"handed_{framework.lower()}.py", GUEST, cwd=tmp_path)


@pytest.mark.catalogue
@pytest.mark.guests
@pytest.mark.parametrize("framework", ["LensKit", "RecBole"])
def test_no_algorithm_changes_what_is_kept(
    framework: str, tmp_path: Path, environment_python: Callable[[str], Path]
) -> None:
    """The next item on the fold gets what the first one got, whatever is fitted in between."""
    data = tmp_path / "data"
    data.mkdir()
    rated = framework == "LensKit"  # whose rating scorers need ratings; RecBole's models take none
    frame = pd.DataFrame({"user": range(60), "item": 0}).merge(pd.DataFrame({"number": range(12)}), how="cross")
    frame["item"] = (frame["user"] * 7 + frame["number"] * 3) % 50
    frame["rating"] = (frame["user"] + frame["number"]) % 5 + 1
    frame["timestamp"] = 1_000_000_000 + frame["number"]
    steps = () if rated else (omnibench.MakeImplicit(1),)
    prepare(
        omnibench.from_frame(frame.drop(columns="number"), "made").pipe(*steps, omnibench.UserHoldout(0.1, 0.2)), data
    )
    output = tmp_path / "changed.json"
    run(environment_python(framework), "kept_forms.py", GUEST, framework.lower(), data, output, cwd=tmp_path)
    changed = json.loads(output.read_text("utf-8"))
    assert all(algorithm["kept"] for algorithm in changed.values())
    assert not {name for name, algorithm in changed.items() if algorithm["changed"]}

"""The words that hyperparameters take, as they were measured, are those that the frameworks declare themselves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from support.guest_scripts import run

from omnibench.runners.registry import get_runner


@pytest.mark.slow
@pytest.mark.guests
@pytest.mark.parametrize(("framework", "least"), [("LensKit", 8), ("RecPack", 10), ("RecBole", 24)])
def test_measured_words_are_those_of_the_framework(
    framework: str, least: int, tmp_path: Path, environment_python: Callable[[str], Path]
) -> None:
    """Wherever it lists them: annotations of LensKit's configurations, class attributes of RecPack's algorithms, errors of RecBole's models."""
    run(environment_python(framework), "declared_words.py", framework, tmp_path / "words.json", cwd=tmp_path)
    declared = json.loads((tmp_path / "words.json").read_text())
    compared = 0
    for name, described in get_runner(framework).catalogue["algorithms"].items():
        for parameter, words in described.get("words", {}).items():
            own = declared.get(name, {}).get(parameter)
            if own:
                assert sorted(words) == sorted(own), (name, parameter)
                compared += 1
    assert compared >= least

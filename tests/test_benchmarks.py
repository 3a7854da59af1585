"""The benchmarks of this repository: what the main job runs, and what it leaves to those who ask for it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("arguments", "folder", "left_out"),
    [
        (["benchmarks"], "ground_truth", True),
        (["benchmarks"], "frameworks", True),
        ([], "ground_truth", True),
        (["benchmarks/bench_movielens.py"], "ground_truth", True),
        (["benchmarks/ground_truth"], "ground_truth", False),
        (["benchmarks/ground_truth"], "frameworks", True),
        (["benchmarks/ground_truth/bench_ground_truth.py::bench_biases"], "ground_truth", False),
        (["benchmarks/frameworks"], "frameworks", False),
    ],
)
def test_what_takes_minutes_is_run_by_name_only(
    arguments: list[str], folder: str, left_out: bool, pytestconfig: pytest.Config
) -> None:
    """`pytest benchmarks` takes a minute, what others have published or every framework takes many."""
    (hooks,) = [
        one
        for one in pytestconfig.pluginmanager.get_plugins()
        if getattr(one, "__file__", "") == str(ROOT / "conftest.py")
    ]
    assert list((ROOT / "benchmarks" / folder).glob("bench_*.py"))
    asked = SimpleNamespace(args=arguments)
    assert bool(hooks.pytest_ignore_collect(ROOT / "benchmarks" / folder, asked)) == left_out
    assert not hooks.pytest_ignore_collect(ROOT / "benchmarks" / "bench_movielens.py", asked)

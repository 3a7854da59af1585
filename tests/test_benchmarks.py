"""The benchmarks of this repository: what the main job runs, and what it leaves to those who ask for it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("arguments", "left_out"),
    [
        (["benchmarks"], True),
        ([], True),
        (["benchmarks/bench_movielens.py"], True),
        (["benchmarks/ground_truth"], False),
        (["benchmarks/ground_truth/bench_ground_truth.py::bench_biases"], False),
    ],
)
def test_the_ground_truth_is_run_by_name_only(
    arguments: list[str], left_out: bool, pytestconfig: pytest.Config
) -> None:
    """`pytest benchmarks` takes a minute, reproducing what others have published takes many."""
    (hooks,) = [
        one
        for one in pytestconfig.pluginmanager.get_plugins()
        if getattr(one, "__file__", "") == str(ROOT / "conftest.py")
    ]
    assert (ROOT / "benchmarks" / "ground_truth" / "bench_ground_truth.py").is_file()
    asked = SimpleNamespace(args=arguments)
    assert bool(hooks.pytest_ignore_collect(ROOT / "benchmarks" / "ground_truth", asked)) == left_out
    assert not hooks.pytest_ignore_collect(ROOT / "benchmarks" / "bench_movielens.py", asked)

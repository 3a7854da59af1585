"""What a framework has and omnibench does not run is refused by name, with the reason, when a plan asks for it."""

from __future__ import annotations

import re

import pytest

from omnibench import ExperimentPlan
from omnibench.errors import PlanError
from omnibench.runners.info import algorithm_info, refused_algorithms
from omnibench.runners.lock_file import pins_of
from omnibench.runners.registry import get_runner


@pytest.mark.parametrize(("framework", "count"), [("LensKit", 5), ("RecBole", 18), ("RecTools", 2)])
def test_the_reason_is_printed(framework: str, count: int) -> None:
    """And nothing that is refused is among what runs."""
    runner = get_runner(framework)
    refused = refused_algorithms(runner)
    assert len(refused) == count
    assert not refused.keys() & runner.catalogue["algorithms"].keys()
    for name, reason in refused.items():
        with pytest.raises(PlanError) as error:
            ExperimentPlan().add_algorithm(f"{framework}.{name}")
        assert str(error.value) == f"{framework}.{name} does not run: {reason}."


def test_what_lenskit_is_said_to_lack_is_not_in_its_lock() -> None:
    """And what is named in its place runs."""
    runner = get_runner("LensKit")
    assert runner.lock is not None
    for reason in refused_algorithms(runner).values():
        (package,) = re.findall(r"it needs ([\w-]+),", reason)
        assert package not in pins_of(runner.lock)
        for framework, name in re.findall(r"(\w+)\.(\w+) does run", reason):
            assert algorithm_info(get_runner(framework), name)["ranking"]

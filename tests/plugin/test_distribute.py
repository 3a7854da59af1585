"""The controller's decisions: how many workers are worth their start, and who distributes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xdist.remote import Producer

from omnibench import Resources
from omnibench.engine import parallel
from omnibench.engine.estimates import Estimates
from omnibench.engine.parallel import megabytes_per_worker
from omnibench.engine.policy import Policy
from omnibench.plugin import state
from omnibench.plugin.distribute import Distribution
from omnibench.plugin.guest_starts import NO_START
from omnibench.plugin.schedule import LongestFirst
from omnibench.runners.pool import GUEST_MEGABYTES, MOST_GUESTS


class Run:
    """A distribution whose collection is done.

    Args:
        seconds: The recorded seconds of each pending item.
        wished: How many workers were asked for.
        automatic: Whether with ``-n auto``.
        dist: The user's ``--dist``.
    """

    def __init__(self, seconds: list[float], wished: int = 4, *, automatic: bool = True, dist: str = "load") -> None:
        self.said: list[str] = []
        items = [self.item(number) for number in range(len(seconds))]
        session: Any = SimpleNamespace(pending=items, notify=self.said.append, policy=Policy())
        stash = {state.session_key: session, state.automatic_key: automatic}
        tx = ["popen"] * wished
        config: Any = SimpleNamespace(
            stash=stash,
            option=SimpleNamespace(tx=tx),
            getvalue=lambda name: {"dist": dist, "tx": tx}[name],
            getoption=lambda _: None,
        )
        self.config = config
        self.distribution = Distribution(config)
        self.distribution._remaining = len(items)
        self.distribution._estimates = Estimates()
        for item, one in zip(items, seconds, strict=True):
            self.distribution._estimates.learn("D-1", item.experiment.algorithm_name, one)

    @staticmethod
    def item(number: int) -> Any:
        """One of LensKit's algorithms."""
        configuration = SimpleNamespace(
            name=f"LensKit.A{number}", runner=SimpleNamespace(name="LensKit", guest_name="LensKit"), uses_gpu=False
        )
        experiment = SimpleNamespace(
            configuration=configuration,
            guest=(configuration.runner, "cpu", 1),
            dataset_name="D-1",
            algorithm_name=f"LensKit.A{number}-f",
            seeds=(),
            search=None,
            resources=Resources(),
            device="cpu",
        )
        return SimpleNamespace(nodeid=f"item-{number}", experiment=experiment)


EACH = 2**20 * megabytes_per_worker(Estimates(), {"LensKit"})


@given(st.integers(1, 40), st.integers(1, 16), st.floats(0, 1e12) | st.none(), st.booleans())
def test_workers_are_bounded(items: int, wished: int, available: float | None, automatic: bool) -> None:
    """Never more workers than items; with -n auto never more than memory allows, but one; else as many as the user says."""
    run = Run([1.0] * items, wished, automatic=automatic)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parallel, "available_memory", lambda: available)
        most = run.distribution._most_workers()
    assert 1 <= most <= min(items, wished)
    if not automatic or available is None:
        assert most == min(items, wished)
        assert run.said == []
        return
    assert most == 1 or most * EACH <= available
    assert most == min(items, wished) or (most + 1) * EACH > 0.8 * available
    assert len(run.said) == (most < min(items, wished))
    assert all(f"-n {min(items, wished)} starts them all the same" in line for line in run.said)


def test_memory_of_a_worker() -> None:
    """A worker, and the guests that it keeps: the largest ones, as many as it keeps."""
    bare = megabytes_per_worker(Estimates(), set())
    assert bare > 0
    assert megabytes_per_worker(Estimates(), {"LensKit"}) == bare + GUEST_MEGABYTES["LensKit"]
    largest = sorted(GUEST_MEGABYTES.values())[-MOST_GUESTS:]
    assert megabytes_per_worker(Estimates(), set(GUEST_MEGABYTES)) == bare + sum(largest)
    measured = Estimates(peak={"LensKit": 5000 * 2**20})
    assert megabytes_per_worker(measured, {"LensKit"}) == bare + 5000


def test_longest_first_unless_the_user_chose() -> None:
    """By default items go by their recorded duration; --dist=worksteal, loadfile, ... is xdist's business."""
    log = Producer("test", enabled=False)
    for dist in ("worksteal", "loadfile", "loadscope", "loadgroup", "each"):
        run = Run([1.0], dist=dist)
        assert run.distribution.pytest_xdist_make_scheduler(run.config, log) is None
    run = Run([1.0, 9.0, 5.0])
    scheduler = run.distribution.pytest_xdist_make_scheduler(run.config, log)
    assert isinstance(scheduler, LongestFirst)
    assert [scheduler._expected(f"item-{number}") for number in range(3)] == [1.0, 9.0, 5.0]
    assert scheduler._expected("test_plain.py::test_one") == 0.0
    assert [scheduler._start_of(nodeid).guest for nodeid in ("item-0", "item-1")] == ["LensKit cpu 1"] * 2
    assert scheduler._start_of("test_plain.py::test_one") == NO_START
    without = Run([1.0])
    without.distribution._estimates = None
    assert without.distribution.pytest_xdist_make_scheduler(without.config, log) is None


def test_files_without_benchmarks_are_left_to_xdist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a run that may meet a benchmark has its controller collect: bench files, and files that name omnibench."""
    from omnibench.plugin.distribute import _has_bench_files

    (tmp_path / "tests" / "node_modules").mkdir(parents=True)
    (tmp_path / "tests" / "test_plain.py").write_text("def test_one(): ...")
    (tmp_path / "tests" / "node_modules" / "bench_x.py").write_text("")
    ini = {"norecursedirs": ["node_modules"], "python_files": ["test_*.py"]}

    def found(*arguments: str, pyargs: bool = False) -> bool:
        config: Any = SimpleNamespace(
            args=list(arguments),
            getini=ini.__getitem__,
            invocation_params=SimpleNamespace(dir=tmp_path),
            option=SimpleNamespace(pyargs=pyargs),
        )
        return _has_bench_files(config)

    assert not found("tests")
    assert not found("tests/test_plain.py::test_one[a/b]")
    (tmp_path / "tests" / "test_own.py").write_text("from omnibench import benchmark")
    assert found("tests")
    assert found("tests/test_plain.py", "tests/test_own.py::bench_a::D/A/fold_0[x::y]")
    assert not found("tests/test_plain.py")
    (tmp_path / "elsewhere" / "inner").mkdir(parents=True)
    (tmp_path / "elsewhere" / "inner" / "bench_inner.py").touch()
    (tmp_path / "elsewhere" / "bench_alone.py").touch()
    (tmp_path / "elsewhere" / "plain.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(tmp_path / "elsewhere")
    for name, expected in (
        ("elsewhere", True),
        ("elsewhere.inner", True),
        ("elsewhere.inner.bench_inner::bench_a", True),
        ("bench_alone", True),
        ("elsewhere.plain", False),
        ("elsewhere.nothing", False),
        ("no_such_package.tests", False),
        ("json", False),
        ("sys", False),
    ):
        assert found(name, pyargs=True) is expected, name
        assert not found(name.replace("elsewhere", "no")), "without --pyargs a name is a path"

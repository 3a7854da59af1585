"""Logs and series of a Fit that was killed and goes on: one history, everything kept, each epoch once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import walks
from support.markers import starts_guests

from omnibench import Coordinator, Policy, register_runner
from omnibench.engine.attempt import Attempt
from omnibench.engine.items import Item
from omnibench.errors import PhaseError
from omnibench.runners import registry
from omnibench.snapshots.control import Snapshots
from omnibench.store import snapshots as stored
from omnibench.store.artifacts import describe, sha256_of
from omnibench.store.queries import Store
from omnibench.store.superseded import anew_words

Walk = Callable[..., None]


@pytest.fixture
@starts_guests
def coordinator(tmp_path: Path) -> Iterator[Coordinator]:
    """A coordinator whose guests run in processes of their own."""
    before = dict(registry._RUNNERS)
    register_runner(walks.RUNNER)
    with Coordinator(tmp_path / "checkpoints", threads=1, notify=lambda _: None, policy=Policy(grace=5.0)) as opened:
        yield opened
    registry._RUNNERS.clear()
    registry._RUNNERS.update(before)


@pytest.fixture
def walk(coordinator: Coordinator, tmp_path: Path) -> Walk:
    """Make an attempt at an item; with a step, its guest dies after that."""

    def make(item: Item, dies_after: int | None = None) -> None:
        script = tmp_path / "script"
        workbench = coordinator.workbench
        workbench.current = item.experiment.name
        with coordinator.store.lease(item.experiment.fit_key) as lease:
            if dies_after is None:
                Attempt(workbench, item, lease).run()
            else:
                script.write_text(f"die {dies_after}")
                with pytest.raises(PhaseError, match="SIGKILL"):
                    Attempt(workbench, item, lease).run()
        workbench.worker.log.flush()

    return make


def printed(coordinator: Coordinator, **filters: Any) -> list[str]:
    """What guests have printed, as the log has it: with an asterisk where it is superseded."""
    entries = [entry for entry in Store(coordinator.store.root).logs(**filters) if entry["logger"] == "guest.stdout"]
    return [f"{entry['message']}{'' if entry['superseded'] is None else '*'}" for entry in entries]


def steps(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith("step ")]


def test_logs_and_series_of_a_killed_fit_go_on(coordinator: Coordinator, walk: Walk, tmp_path: Path) -> None:
    """Each step once in the history and in the series; what was printed behind the snapshot is marked, in out.log as well."""
    item = walks.item_of(tmp_path / "script", snapshots=Snapshots(every_iterations=3))
    walk(item, dies_after=5)
    store, name = (
        Store(coordinator.store.root),
        stored.snapshots_of(coordinator.store, item.experiment.fit_key)[0]["name"],
    )
    assert store.epochs()["epoch"].tolist() == [1, 2, 3]
    assert store.describe(item.experiment.name)["series"]["last_epoch"] == 3
    walk(item, dies_after=5)
    walk(item)
    assert steps(printed(coordinator)) == [f"step {number}" for number in range(1, 9)]
    everything = printed(coordinator, superseded=True)
    numbers = ["1", "2", "3", "4*", "5*", "4*", "5*", "4", "5", "6", "7", "8"]
    assert steps(everything) == [f"step {number}" for number in numbers]
    assert printed(coordinator).count(f"goes on after step 3 of 8 from snapshot {name}") == 1
    epochs = store.epochs()
    assert epochs["epoch"].tolist() == list(range(1, 9))
    assert set(epochs["item"]) == {item.experiment.name}
    lines = [line.partition("] ")[2] for line in (store.root / "out.log").read_text().splitlines()]
    marks = [position for position, line in enumerate(lines) if line.startswith("omnibench: what stands above")]
    assert len(marks) == 2
    for position in marks:
        assert f"was printed after snapshot {name} (after step 3 of 8) is superseded" in lines[position]
        assert lines[position + 1] == f"goes on after step 3 of 8 from snapshot {name}"
    assert steps(lines) == [f"step {number.rstrip('*')}" for number in numbers]
    assert len((store.root / "err.log").read_text().split("omnibench: what stands above")) == 3


def test_a_fit_without_snapshots_begins_anew(coordinator: Coordinator, walk: Walk, tmp_path: Path) -> None:
    """What the killed attempt has printed is superseded, and the log says that nothing of it could be used."""
    item = walks.item_of(tmp_path / "script")
    walk(item, dies_after=2)
    (coordinator.store.root / "err.log").unlink()  # as where its run was killed, too
    walk(item)
    assert not (coordinator.store.root / "err.log").exists(), "nothing stands there that could be superseded"
    assert steps(printed(coordinator)) == [f"step {number}" for number in range(1, 9)]
    assert steps(printed(coordinator, superseded=True))[:3] == ["step 1*", "step 2*", "step 1"]
    messages = [entry["message"] for entry in Store(coordinator.store.root).logs()]
    assert messages.count(anew_words(None)) == 1
    assert "a Fit that did not end is superseded by what follows" in (coordinator.store.root / "out.log").read_text()


@pytest.mark.slow
def test_a_fit_that_nobody_has_begun_supersedes_nothing(coordinator: Coordinator, walk: Walk, tmp_path: Path) -> None:
    """Neither in the log nor in the texts; nor does one that is fitted again after a reset."""
    item = walks.item_of(tmp_path / "script", snapshots=Snapshots(every_iterations=3))
    walk(item)
    Store(coordinator.store.root).reset()
    walk(item)
    assert all("*" not in line for line in printed(coordinator, superseded=True))
    assert len(steps(printed(coordinator))) == 16
    assert "omnibench: what stands above" not in (coordinator.store.root / "out.log").read_text()


@pytest.mark.slow
def test_a_snapshot_that_cannot_be_used_leaves_one_history(
    coordinator: Coordinator, walk: Walk, tmp_path: Path
) -> None:
    """The newest is damaged inside, so that only the guest finds out: the one before is taken, and the log says so once."""
    item = walks.item_of(tmp_path / "script", snapshots=Snapshots(every_iterations=2))
    walk(item, dies_after=5)
    newest, older = stored.snapshots_of(coordinator.store, item.experiment.fit_key)
    manifest = stored.folder_of(newest, coordinator.store.root) / "snapshot.json"
    text = manifest.read_text()
    manifest.write_text(text.replace('"format": 1', '"format": 9'))
    files = [
        describe(
            coordinator.store.root / file["path"],
            coordinator.store.root,
            sha256_of(coordinator.store.root / file["path"]),
        )
        for file in newest["files"]
    ]
    with coordinator.store.lease(item.experiment.fit_key) as lease:
        coordinator.store.commit(lease, {stored.key_of(newest): {**newest, "files": files}})
    with pytest.warns(UserWarning, match="cannot go on from the snapshot"):
        walk(item)
    lines = printed(coordinator)
    assert steps(lines) == [f"step {number}" for number in range(1, 9)]
    assert [line for line in lines if line.startswith("goes on")] == [
        f"goes on after step 2 of 8 from snapshot {older['name']}"
    ]
    assert Store(coordinator.store.root).epochs()["epoch"].tolist() == list(range(1, 9))


KILLED_AT_ONCE = """
import os, select, signal, sys, threading, time
from pathlib import Path
from types import SimpleNamespace
from support import walks
from omnibench import Coordinator, register_runner
from omnibench.engine.attempt import Attempt
from omnibench.runners import log_lines
from omnibench.snapshots.control import Snapshots


def select_late(*arguments):
    time.sleep(0.3)
    return select.select(*arguments)


log_lines.select = SimpleNamespace(select=select_late)  # as on a busy machine: the threads that read pipes lag behind
register_runner(walks.RUNNER)
script = Path("script").absolute()
item = walks.item_of(script, snapshots=Snapshots(every_iterations=2))


def kill_with_the_guest():
    while script.exists():
        time.sleep(0.0005)
    os.kill(os.getpid(), signal.SIGKILL)


if script.exists():
    threading.Thread(target=kill_with_the_guest, daemon=True).start()
with Coordinator("checkpoints", threads=1, notify=print) as coordinator:
    coordinator.workbench.current = item.experiment.name
    with coordinator.store.lease(item.experiment.fit_key) as lease:
        Attempt(coordinator.workbench, item, lease).run()
"""


@pytest.mark.slow
@pytest.mark.guests
def test_a_run_that_is_killed_loses_no_line_before_a_snapshot(tmp_path: Path) -> None:
    """Killed twice before anything was written in the background: the history has each step once, and out.log has all."""
    environment = {**os.environ, "PYTHONPATH": str(Path(walks.__file__).parents[1])}
    for dies_after in (3, 5, None):
        if dies_after is not None:
            (tmp_path / "script").write_text(f"die {dies_after}")
        subprocess.run([sys.executable, "-c", KILLED_AT_ONCE], cwd=tmp_path, env=environment, check=dies_after is None)
    store = Store(tmp_path / "checkpoints")
    entries = [entry for entry in store.logs() if entry["logger"] == "guest.stdout"]
    shown = [entry["message"] for entry in entries]
    assert steps(shown) == [f"step {number}" for number in range(1, 9)]
    assert store.epochs()["epoch"].tolist() == list(range(1, 9))
    lines = [line.partition("] ")[2] for line in (store.root / "out.log").read_text().splitlines()]
    assert set(steps(lines)) == set(steps(shown))
    assert len([line for line in lines if line.startswith("goes on after")]) == 2

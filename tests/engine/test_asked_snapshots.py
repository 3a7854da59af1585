"""Snapshots by hand, of Fits in processes of their own: omnibench snapshot, CHKPT, and a stop that comes too early."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import walks
from support.markers import starts_guests
from support.runs import wait_until

from omnibench import Coordinator, Policy, open_store, register_runner
from omnibench.commands.main import main
from omnibench.engine import asking, chkpt
from omnibench.engine.attempt import Attempt
from omnibench.engine.items import Item
from omnibench.engine.stopping import StoppedError
from omnibench.runners import registry
from omnibench.snapshots.control import OFF, Snapshots
from omnibench.store import requests
from omnibench.store import snapshots as stored


@pytest.fixture(scope="module")
def sentences() -> list[str]:
    """What the coordinator has said."""
    return []


@pytest.fixture(scope="module")
@starts_guests
def coordinator(tmp_path_factory: pytest.TempPathFactory, sentences: list[str]) -> Iterator[Coordinator]:
    """A coordinator with a working directory of its own, which the tests share."""
    before = dict(registry._RUNNERS)
    register_runner(walks.RUNNER)
    directory = tmp_path_factory.mktemp("walks")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(directory)
        patch.setattr(asking, "_LOOK_SECONDS", 0.05)
        patch.setattr(chkpt, "SETTLE_SECONDS", 0.0)
        policy = Policy(grace=0.5)
        with Coordinator("checkpoints", threads=1, notify=sentences.append, policy=policy) as opened:
            yield opened
    registry._RUNNERS.clear()
    registry._RUNNERS.update(before)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The file that has the walk wait after its first step."""
    (tmp_path / "script").write_text("wait")
    return tmp_path / "script"


def attempt_while(coordinator: Coordinator, item: Item, script: Path, act: Callable[[], Any]) -> None:
    """Make an attempt at an item; once its Fit waits, act, and let it go on."""

    def act_and_end() -> None:
        try:
            wait_until(script.with_suffix(".waiting").exists)
            wait_until(lambda: any(worker["phase"] == "Fit" for worker in open_store(coordinator.store.root).workers()))
            act()
        finally:
            script.unlink(missing_ok=True)

    thread = threading.Thread(target=act_and_end)
    thread.start()
    try:
        with coordinator.store.lease(item.experiment.fit_key) as lease:
            Attempt(coordinator.workbench, item, lease).run()
    finally:
        thread.join()


def test_a_running_fit_takes_a_snapshot_when_it_is_asked(
    coordinator: Coordinator, script: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the middle of a step; what was made is said, by the name of the item as everywhere, and nothing of it is left."""
    item = walks.item_of(script, snapshots=Snapshots())
    attempt_while(coordinator, item, script, lambda: main(["snapshot", item.experiment.name]))
    (record,) = stored.snapshots_of(coordinator.store, item.experiment.fit_key)
    assert (record["reason"], record["iteration"], record["within"]) == ("request", 1, True)
    said = capsys.readouterr().out
    assert said.startswith("tiny")
    assert f": snapshot {record['name']} after step 1 of 8 and a part of the next (" in said
    assert said.count("\n") == 1
    assert not (coordinator.store.root / requests.DIRECTORY).exists()


def test_a_file_in_the_working_directory_asks_for_a_snapshot(
    coordinator: Coordinator, script: Path, sentences: list[str]
) -> None:
    """It is there until the snapshot is recorded, and then gone; what was made is said where the run is watched."""
    item, file = walks.item_of(script, snapshots=Snapshots()), Path("CHKPT")
    seen: list[int] = []

    def ask() -> None:
        file.touch()
        wait_until(lambda: not file.exists())
        seen.append(len(stored.snapshots_of(coordinator.store, item.experiment.fit_key)))

    attempt_while(coordinator, item, script, ask)
    assert seen == [1]
    (line,) = [sentence for sentence in sentences if sentence.startswith("CHKPT")]
    (record,) = stored.snapshots_of(coordinator.store, item.experiment.fit_key)
    assert line.startswith(f"CHKPT: {item.experiment.label}: snapshot {record['name']} after step 1 of 8")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("snapshots", "content", "sentence"),
    [
        (OFF, "wait", "nothing to snapshot: snapshots are off"),
        (Snapshots(), "wait\nfail", "the snapshot has failed: RuntimeError: the walk does not stand still"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*does not stand still")
def test_what_cannot_be_made_is_said_and_the_fit_goes_on(
    coordinator: Coordinator,
    script: Path,
    snapshots: Snapshots,
    content: str,
    sentence: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """To the command, whose exit status says so, and where the run is watched; the file goes, too."""
    script.write_text(content)
    item, file, ends = walks.item_of(script, snapshots=snapshots), Path("CHKPT"), list[int]()

    def ask() -> None:
        ends.append(main(["snapshot"]))
        file.touch()
        wait_until(lambda: not file.exists())

    attempt_while(coordinator, item, script, ask)
    assert ends == [1]
    assert capsys.readouterr().out.endswith(f": {sentence}\n")
    assert coordinator.store.records.get(item.fit_record_key) is not None


@pytest.mark.filterwarnings("ignore:.*does not stand still")
def test_a_stop_without_a_snapshot_says_what_is_lost(
    coordinator: Coordinator, script: Path, sentences: list[str]
) -> None:
    """How the next run begins; and what is asked meanwhile is answered."""
    script.write_text("wait\nfail")
    item, stopping = walks.item_of(script), coordinator.workbench.stopping

    def stop() -> None:
        stopping.ask("SIGTERM")
        wait_until(lambda: any("stopped before" in sentence for sentence in sentences))

    try:
        with pytest.raises(StoppedError, match="stopped by SIGTERM"):
            attempt_while(coordinator, item, script, stop)
    finally:
        stopping.reason = ""
    assert sentences[-1] == (
        f"{item.experiment.label}: stopped before a snapshot could be taken, so the next run begins its Fit anew "
        "(--omnirec-grace gives it more time)"
    )

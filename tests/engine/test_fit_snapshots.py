"""Snapshots of a running Fit: what is recorded and kept, from which of them the next attempt goes on, and what it then has."""

from __future__ import annotations

import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import walks
from support.markers import starts_guests

from omnibench import Coordinator, Policy, register_runner
from omnibench.engine.attempt import Attempt
from omnibench.engine.items import Item
from omnibench.engine.stopping import StoppedError
from omnibench.errors import DiskError, PhaseError
from omnibench.guest.snapshots import MANIFEST
from omnibench.runners import registry
from omnibench.snapshots.control import OFF, Snapshots
from omnibench.store import snapshots as stored
from omnibench.store.artifacts import describe, sha256_of
from omnibench.store.resumption import resume_text
from omnibench.store.schema import MAX_ATTEMPTS, Record

EACH = Snapshots(every_iterations=1)
MakeItem = Callable[..., Item]


@pytest.fixture(scope="module")
@starts_guests
def coordinator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Coordinator]:
    """A coordinator whose guests run in processes of their own; the tests share it, each with items of its own."""
    before = dict(registry._RUNNERS)
    register_runner(walks.RUNNER)
    root = tmp_path_factory.mktemp("walks") / "checkpoints"
    with Coordinator(root, threads=1, notify=lambda _: None, policy=Policy(grace=5.0)) as opened:
        yield opened
    registry._RUNNERS.clear()
    registry._RUNNERS.update(before)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The file that tells the walk what to do."""
    return tmp_path / "script"


@pytest.fixture
def make_item(script: Path) -> MakeItem:
    """Return items of the test's own experiment; the other argument makes them items of another test's."""
    return lambda **members: walks.item_of(script, **members)


def attempt(coordinator: Coordinator, item: Item) -> None:
    """Make an attempt at an item.

    Raises:
        PhaseError: It failed.
    """
    with coordinator.store.lease(item.experiment.fit_key) as lease:
        Attempt(coordinator.workbench, item, lease).run()


def die(coordinator: Coordinator, item: Item, script: Path, step: int) -> None:
    """Make an attempt whose guest dies after a step."""
    script.write_text(f"die {step}")
    with pytest.raises(PhaseError, match="SIGKILL") as caught:
        attempt(coordinator, item)
    resumes = next((resume_text(record) for record in recorded(coordinator, item) if not record.get("passed_over")), "")
    is_given_up = coordinator.store.records.get(item.record_key)["deaths"] >= MAX_ATTEMPTS  # type: ignore[index]
    assert caught.value.prospect == (f"The next run {resumes}." if resumes and not is_given_up else "")


def recorded(coordinator: Coordinator, item: Item) -> list[Record]:
    return stored.snapshots_of(coordinator.store, item.experiment.fit_key)


def folders(coordinator: Coordinator, item: Item) -> list[Path]:
    return [stored.folder_of(record, coordinator.store.root) for record in recorded(coordinator, item)]


def fit_of(coordinator: Coordinator, item: Item) -> Record:
    record = coordinator.store.records.get(item.fit_record_key)
    assert record is not None
    return record


def model_of(coordinator: Coordinator, item: Item) -> bytes:
    path: Path = coordinator.store.root / fit_of(coordinator, item)["model"]["path"]
    return path.read_bytes()


def uninterrupted(coordinator: Coordinator, tmp_path: Path, **members: Any) -> bytes:
    """Return the model of a walk that nothing disturbs."""
    item = walks.item_of(tmp_path / "another", **members)
    attempt(coordinator, item)
    return model_of(coordinator, item)


def test_a_killed_fit_goes_on_and_ends_as_if_nothing_had_happened(
    coordinator: Coordinator, make_item: MakeItem, script: Path, tmp_path: Path
) -> None:
    """After the step of its newest snapshot; model and losses are those of an uninterrupted Fit, costs those of both attempts."""
    item = make_item(snapshots=EACH)
    die(coordinator, item, script, 5)
    assert [record["iteration"] for record in recorded(coordinator, item)] == [5, 4, 3, 2, 1]
    attempt(coordinator, item)
    assert model_of(coordinator, item) == uninterrupted(coordinator, tmp_path)
    first, second = fit_of(coordinator, item)["attempts"]
    assert (first["from"], first["to"], second["from"]) == (0, 5, 5)
    assert fit_of(coordinator, item)["seconds"] == pytest.approx(first["seconds"] + second["seconds"])
    assert fit_of(coordinator, item)["peak_rss"] == max(first["peak_rss"], second["peak_rss"])


def test_an_attempt_that_goes_on_and_takes_no_snapshot_counts_as_well(
    coordinator: Coordinator, make_item: MakeItem, script: Path
) -> None:
    """Time and memory of a Fit are those of all its attempts, also of one that has died before its first own snapshot."""
    item = make_item(snapshots=Snapshots(every_iterations=4))
    die(coordinator, item, script, 5)
    for step in (6, 7):
        with Coordinator(coordinator.store.root, threads=1, notify=lambda _: None) as another:
            die(another, item, script, step)
    with Coordinator(coordinator.store.root, threads=1, notify=lambda _: None) as another:
        attempt(another, item)
    fit = fit_of(coordinator, item)
    assert [(part["from"], part["to"]) for part in fit["attempts"][:3]] == [(0, 4), (4, 4), (4, 4)]
    assert len({part["worker"] for part in fit["attempts"]}) == 4
    assert all(part["seconds"] > 0 for part in fit["attempts"])
    assert fit["seconds"] == pytest.approx(sum(part["seconds"] for part in fit["attempts"]))


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a second file system")
def test_a_full_disk_of_snapshots_is_named_and_not_that_of_the_store(
    coordinator: Coordinator, make_item: MakeItem, script: Path
) -> None:
    """Where snapshots are strict and lie on another disk: whoever makes room must know where."""
    script.write_text("full")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        item = make_item(snapshots=Snapshots(every_iterations=3, strict=True, directory=directory))
        with pytest.raises(DiskError, match=r"too little room on the file system /dev/shm .*make room"):
            attempt(coordinator, item)


def test_snapshots_of_the_default_go_with_the_record_of_their_fit(
    coordinator: Coordinator, make_item: MakeItem, script: Path
) -> None:
    """One stays while the Fit runs; when it is recorded there is neither a record nor a folder left."""
    item = make_item(snapshots=Snapshots(every_iterations=1, keep_past=0))
    die(coordinator, item, script, 5)
    (folder,) = folders(coordinator, item)
    assert folder.is_dir()
    attempt(coordinator, item)
    assert recorded(coordinator, item) == []
    assert not folder.parent.exists()


def test_off_goes_on_from_what_there_is_and_takes_no_more(
    coordinator: Coordinator, make_item: MakeItem, script: Path, tmp_path: Path
) -> None:
    """Who switches snapshots off after a kill has computed for hours: that is not thrown away."""
    item = make_item(snapshots=Snapshots(every_iterations=3))
    die(coordinator, item, script, 4)
    off = make_item(snapshots=OFF)
    attempt(coordinator, off)
    assert [part["from"] for part in fit_of(coordinator, off)["attempts"]] == [0, 3]
    assert recorded(coordinator, off) == []
    assert model_of(coordinator, off) == uninterrupted(coordinator, tmp_path)


def test_a_fit_that_is_short_takes_none(coordinator: Coordinator, make_item: MakeItem) -> None:
    """By default, below five minutes: no record, no folder."""
    item = make_item()
    attempt(coordinator, item)
    assert recorded(coordinator, item) == []
    assert not list(coordinator.store.root.glob(f"*/*{item.experiment.configuration_key[:8]}*/**/{stored.FOLDER}"))


def test_a_damaged_newest_snapshot_is_set_aside_and_the_one_before_is_taken(
    coordinator: Coordinator, make_item: MakeItem, script: Path, tmp_path: Path
) -> None:
    """With a warning; what was damaged stays for whoever wants to look at it, and the result is the same."""
    item = make_item(snapshots=EACH)
    die(coordinator, item, script, 4)
    newest = folders(coordinator, item)[0]
    (newest / "walk.pkl").write_bytes(b"damaged")
    with pytest.warns(UserWarning, match="differs from its record and was set aside as .*; an earlier one is taken"):
        attempt(coordinator, item)
    assert fit_of(coordinator, item)["attempts"][-1]["from"] == 3
    assert list(newest.parent.glob(f"{newest.name}.damaged-*"))
    assert model_of(coordinator, item) == uninterrupted(coordinator, tmp_path)


@pytest.mark.slow
def test_without_a_snapshot_that_can_be_used_the_fit_begins_anew(
    coordinator: Coordinator, make_item: MakeItem, script: Path, tmp_path: Path
) -> None:
    """As after a kill in a Fit that had none."""
    item = make_item(snapshots=Snapshots(every_iterations=3))
    die(coordinator, item, script, 4)
    for folder in folders(coordinator, item):
        (folder / "walk.pkl").unlink()
    with pytest.warns(UserWarning, match="set aside as .*; the Fit begins anew"):
        attempt(coordinator, item)
    assert "attempts" not in fit_of(coordinator, item)
    assert model_of(coordinator, item) == uninterrupted(coordinator, tmp_path)


def test_a_snapshot_of_other_versions_is_passed_over_aloud(
    coordinator: Coordinator, make_item: MakeItem, script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another numpy has pickled may load and go on a little differently: the Fit begins anew, the snapshot stays.

    The terminal says so at that moment, and not only the warnings behind the run: there are hours between the two.
    """
    item = make_item(snapshots=Snapshots(every_iterations=3))
    die(coordinator, item, script, 4)
    (folder,) = folders(coordinator, item)
    manifest = folder / MANIFEST
    manifest.write_text(manifest.read_text().replace('"numpy": "', '"numpy": "0.'))
    (record,) = recorded(coordinator, item)
    described = [file if MANIFEST not in file["path"] else stored_again(coordinator, file) for file in record["files"]]
    with coordinator.store.lease(item.experiment.fit_key) as lease:
        coordinator.store.commit(lease, {stored.key_of(record): {**record, "files": described}})
    lines: list[str] = []
    monkeypatch.setattr(coordinator.workbench, "_notify", lines.append)
    reason = "it was made with numpy 0.*; the Fit begins anew"
    with pytest.warns(UserWarning, match=f"cannot go on from the snapshot .*: {reason}"):
        attempt(coordinator, item)
    begins, ends = lines
    assert "resumes at step 4 of 8" in begins
    assert re.search(f"does not go on from the snapshot {record['name']}: {reason}", ends)
    assert next(old for old in recorded(coordinator, item) if old["number"] == 1)["passed_over"]
    assert model_of(coordinator, item) == uninterrupted(coordinator, tmp_path)


def test_a_snapshot_that_does_not_say_what_it_is_is_passed_over(
    coordinator: Coordinator, make_item: MakeItem, script: Path
) -> None:
    """Whoever has recorded it: the one before is taken."""
    item = make_item(snapshots=Snapshots(every_iterations=2))
    die(coordinator, item, script, 4)
    newest = recorded(coordinator, item)[0]
    (folders(coordinator, item)[0] / MANIFEST).write_text("[]")
    described = [file if MANIFEST not in file["path"] else stored_again(coordinator, file) for file in newest["files"]]
    with coordinator.store.lease(item.experiment.fit_key) as lease:
        coordinator.store.commit(lease, {stored.key_of(newest): {**newest, "files": described}})
    message = r"cannot go on from the snapshot .*: its snapshot.json cannot be read .*; an earlier one is taken"
    with pytest.warns(UserWarning, match=message):
        attempt(coordinator, item)
    assert fit_of(coordinator, item)["attempts"][-1]["from"] == 2


def stored_again(coordinator: Coordinator, file: Any) -> Any:
    """Return the description of a file as it is now."""
    path = coordinator.store.root / file["path"]
    return describe(path, coordinator.store.root, sha256_of(path))


def test_what_cannot_be_gone_on_from_stays_until_there_is_a_model(
    coordinator: Coordinator, make_item: MakeItem, script: Path
) -> None:
    """Retention keeps the newest alone, and not at the cost of a night whose snapshot one broken line could not load."""
    item = make_item(snapshots=Snapshots(every_iterations=3, keep_past=0))
    die(coordinator, item, script, 4)
    (old,) = recorded(coordinator, item)
    folder = stored.folder_of(old, coordinator.store.root)
    with coordinator.store.lease(item.experiment.fit_key) as lease:
        coordinator.store.commit(lease, {stored.key_of(old): {**old, "passed_over": old["finished"]}})
    die(coordinator, item, script, 7)
    assert [record["iteration"] for record in recorded(coordinator, item)] == [6, 3]
    assert folder.is_dir()
    attempt(coordinator, item)
    assert recorded(coordinator, item) == []
    assert not folder.exists()


def test_what_no_fit_can_go_on_from_is_said_at_once(
    coordinator: Coordinator, make_item: MakeItem, script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once per class and run, not when the night is over; nothing promises a resume, and strict snapshots fail."""
    lines: list[str] = []
    monkeypatch.setattr(coordinator.workbench, "_notify", lines.append)
    item = make_item(snapshots=EACH)
    script.write_text("lack\ndie 3")
    with pytest.raises(PhaseError, match="SIGKILL") as caught:
        attempt(coordinator, item)
    assert caught.value.prospect == ""
    assert [line for line in lines if "shoes" in line] == [
        (
            "Walks.Walk: no Fit can go on from its snapshots without shoes, which its class does not make anew: it needs "
            "restore_parts(self, missing)"
        )
    ]
    newest = recorded(coordinator, item)[0]
    assert resume_text(newest) == "cannot resume: its snapshot after step 3 of 8 is without shoes"
    script.write_text("lack")
    strict = make_item(snapshots=Snapshots(every_iterations=2, strict=True), steps=9)
    with pytest.raises(PhaseError, match="has failed, and snapshots are strict: it is without shoes, which its class"):
        attempt(coordinator, strict)
    assert recorded(coordinator, strict) == []


def test_that_there_is_nothing_to_snapshot_is_said_to_who_has_asked_for_snapshots(
    coordinator: Coordinator, make_item: MakeItem, script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once per algorithm; who has asked for none finds it in the log. Strict snapshots do not fail where there are none."""
    lines: list[str] = []
    monkeypatch.setattr(coordinator.workbench, "_notify", lines.append)
    script.write_text("nothing")
    for steps, snapshots in ((2, None), (3, OFF)):
        attempt(coordinator, make_item(steps=steps, snapshots=snapshots))
    assert lines == []
    for steps in (4, 5):
        attempt(coordinator, make_item(steps=steps, snapshots=Snapshots(every_iterations=100, strict=True)))
    assert lines == ["Walks.Walk: nothing to snapshot: this walk leaves no trace"]


@pytest.mark.slow
def test_other_hyperparameters_never_go_on_from_a_snapshot(
    coordinator: Coordinator, make_item: MakeItem, script: Path
) -> None:
    """Two more steps are another Fit."""
    item = make_item(snapshots=EACH)
    die(coordinator, item, script, 5)
    longer = make_item(snapshots=EACH, steps=10)
    attempt(coordinator, longer)
    assert "attempts" not in fit_of(coordinator, longer)


def test_a_snapshot_that_fails_leaves_the_fit_alone(
    coordinator: Coordinator, make_item: MakeItem, script: Path, tmp_path: Path
) -> None:
    """A warning says why; the next one is tried at its time."""
    item = make_item(snapshots=Snapshots(every_iterations=4))
    script.write_text("fail")
    with pytest.warns(UserWarning, match="no snapshot after step 4 of 8: RuntimeError: the walk does not stand still"):
        attempt(coordinator, item)
    assert model_of(coordinator, item) == uninterrupted(coordinator, tmp_path)


@pytest.mark.slow
def test_strict_snapshots_fail_their_item_and_what_there_is_stays(
    coordinator: Coordinator, make_item: MakeItem, script: Path
) -> None:
    """The guest lives on, and the next attempt goes on from the last good one."""
    item = make_item(snapshots=Snapshots(every_iterations=3, strict=True))
    die(coordinator, item, script, 4)
    script.write_text("fail")
    with pytest.raises(PhaseError, match="the snapshot after step 6 of 8 has failed, and snapshots are strict"):
        attempt(coordinator, item)
    guest = coordinator.guests.get(*item.experiment.guest)
    assert [record["iteration"] for record in recorded(coordinator, item)] == [3]
    script.unlink()
    attempt(coordinator, item)
    assert coordinator.guests.get(*item.experiment.guest) is guest
    assert fit_of(coordinator, item)["attempts"][-1]["from"] == 3


@pytest.mark.slow
def test_deaths_in_a_row_are_counted_from_the_last_snapshot_on(
    coordinator: Coordinator, make_item: MakeItem, script: Path
) -> None:
    """A Fit that comes further before each death is tried again, however often that is; one that does not is given up."""
    item = make_item(snapshots=EACH)
    for step, deaths in ((2, 1), (3, 1), (4, 1)):
        die(coordinator, item, script, step)
        assert coordinator.store.records.get(item.record_key)["deaths"] == deaths  # type: ignore[index]
    other = script.with_name("other")
    still = walks.item_of(other, snapshots=OFF)
    for deaths in (1, 2):
        die(coordinator, still, other, 2)
        assert coordinator.store.records.get(still.record_key)["deaths"] == deaths  # type: ignore[index]


@pytest.mark.slow
@pytest.mark.parametrize(("keep_past", "left"), [(-1, [5, 4, 3, 2, 1]), (0, [5]), (2, [5, 4, 3])])
def test_older_snapshots_go_when_the_new_one_is_complete(
    coordinator: Coordinator, make_item: MakeItem, script: Path, keep_past: int, left: list[int]
) -> None:
    """As many stay beside the newest as is said; what does not match the format exactly is left alone."""
    item = make_item(snapshots=Snapshots(every_iterations=1, keep_past=keep_past, naming_format="walk_%(count)"))
    die(coordinator, item, script, 5)
    assert [record["iteration"] for record in recorded(coordinator, item)] == left
    names = {path.name for path in folders(coordinator, item)[0].parent.iterdir()}
    assert names == {f"walk_{step - 1:03}" for step in left}


def test_a_directory_of_the_users_has_a_folder_for_each_item(
    coordinator: Coordinator, make_item: MakeItem, script: Path, tmp_path: Path
) -> None:
    """Nothing of the snapshot lies in the store; a stranger's folder in it is neither read nor removed."""
    directory = tmp_path / "elsewhere"
    item = make_item(snapshots=Snapshots(every_iterations=1, keep_past=0, directory=directory))
    die(coordinator, item, script, 5)
    (folder,) = folders(coordinator, item)
    assert folder.parent == directory.joinpath(*item.experiment.name.split("/"))
    attempt(coordinator, item)
    assert fit_of(coordinator, item)["attempts"][-1]["from"] == 5
    assert not folder.exists()


@pytest.mark.slow
def test_a_folder_outside_that_is_another_is_neither_read_nor_removed(
    coordinator: Coordinator, make_item: MakeItem, script: Path, tmp_path: Path
) -> None:
    """A record says where it lies, and a store may come from anybody."""
    item = make_item(snapshots=Snapshots(every_iterations=3, keep_past=0, directory=tmp_path / "elsewhere"))
    die(coordinator, item, script, 4)
    (folder,) = folders(coordinator, item)
    (folder / "snapshot.key").write_text("another")
    with pytest.warns(UserWarning, match="is not there, or is something else"):
        attempt(coordinator, item)
    assert folder.is_dir()


def test_the_first_signal_takes_a_snapshot_and_ends_the_fit(
    coordinator: Coordinator, make_item: MakeItem, script: Path, tmp_path: Path
) -> None:
    """Within the grace period, in the middle of a step; the next attempt goes on from there and ends alike."""
    item = make_item()
    script.write_text("wait")
    stopping = coordinator.workbench.stopping

    def stop() -> None:
        while not script.with_suffix(".waiting").exists():
            time.sleep(0.01)
        stopping.ask("SIGINT")

    thread = threading.Thread(target=stop)
    thread.start()
    try:
        with pytest.raises(StoppedError, match="stopped by SIGINT"):
            attempt(coordinator, item)
    finally:
        thread.join()
        stopping.reason = ""
    (record,) = recorded(coordinator, item)
    assert (record["iteration"], record["reason"], record["within"]) == (1, "stop", True)
    script.unlink()
    attempt(coordinator, item)
    assert model_of(coordinator, item) == uninterrupted(coordinator, tmp_path)


@pytest.mark.slow
def test_at_init_and_at_end(coordinator: Coordinator, make_item: MakeItem) -> None:
    """Before the first step and after the last; the latter is asked for, so it stays."""
    item = make_item(snapshots=Snapshots(at_init=True, at_end=True))
    attempt(coordinator, item)
    assert [(record["iteration"], record["reason"]) for record in recorded(coordinator, item)] == [
        (8, "end"),
        (0, "init"),
    ]

"""Stores from strangers: no traceback, no failed item, and nothing outside of the store is written or even read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from faults.children import run
from faults.hostile import COMMANDS, LINKED, TARGETS, HostileStores, Judge, Stranger
from faults.lacking import VALUES, lacking, members
from faults.sessions import METRICS, HostileSessions
from faults.sweeps import Tally
from faults.tracing import why_not

_FEW = tuple(command for command in COMMANDS if command[0] in ("status", "reset", "rebuild", "gc"))
_STRANGERS, _SESSIONS, _STRANGERS_AT_ONCE = 400, 40, 10


def test_a_sample_of_strangers(directory: Path) -> None:
    """Records with random fields, sealed rightly: the commands that write, and a run, cope or say what is wrong."""
    tally = HostileStores(directory / "hostile").over((6, 13), _FEW)
    assert tally.tried == 2
    tally.check()


def test_a_sample_of_links(directory: Path) -> None:
    """Links in the places of files that are written: refused with the reason, or replaced, and never followed."""
    stores = HostileStores(directory / "hostile")
    tally = Tally("links in stores")
    for place, target in (("leases/opening.lock", "a file"), ("STORE.json.new", "a file"), ("{item}", "a directory")):
        found, violations = stores.link(place, target, _FEW)
        tally.take(f"{found} leads to {target}", violations)
    tally.check()


@pytest.mark.skipif(bool(why_not()), reason=why_not() or "never")
def test_the_kernel_as_the_judge(directory: Path) -> None:
    """What is opened below Python too, by SQLite and by descriptors of directories, stays in the store."""
    stores = HostileStores(directory / "hostile")
    tally = Tally("commands over hostile stores, by their system calls")
    stores.fresh()
    for seed in range(_STRANGERS_AT_ONCE):
        Stranger(seed, stores.project).change(stores.root)
    tally.take("strangers", stores.traced(_FEW))
    stores.fresh()
    (stores.root / "damaged-records.jsonl").symlink_to(stores.project / "uv.lock")
    tally.take("a link", stores.traced(_FEW))
    tally.check()
    stores.fresh()
    seen = stores.traced([("export", str(stores.project / "export.csv"))])
    assert any("export.csv" in violation for violation in seen), "the judge is awake"


@pytest.mark.guests
@pytest.mark.inner
def test_a_sample_of_sessions(directory: Path) -> None:
    """A real run of pytest, from the records alone and with guests: nothing fails but what is refused in a sentence."""
    sessions = HostileSessions(directory / "hostile")
    tally = Tally("sessions over hostile stores")
    for seed, metrics in ((0, "cached"), (4, "longer lists")):
        tally.take(*sessions.point(seed, metrics))
    tally.check()


def test_the_judge_hears_of_every_way_out(directory: Path) -> None:
    """Reading and writing beside the store, over a link too, is noticed; what happens in the store is not."""
    (directory / "checkpoints").mkdir()
    (directory / "theirs").write_text("theirs")
    (directory / "checkpoints" / "link").symlink_to(directory / "theirs")

    def trespass() -> dict[str, list[str]]:
        judge = Judge(directory / "checkpoints", [directory / "log"], directory)
        (directory / "checkpoints" / "own").write_text("own")
        (directory / "theirs").read_text()
        with (directory / "checkpoints" / "link").open("a"):
            pass
        os.mkdir(directory / "new")
        return {"touched": judge.touched}

    outcome = run(trespass, directory / "log").outcome
    assert outcome is not None
    assert [touched.partition(" ")[0] for touched in outcome["touched"]] == ["open", "open", "os.mkdir"]


@pytest.mark.faults
def test_many_strangers(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every command, and a run, over the stores of some hundred strangers."""
    tally = HostileStores(directory / "hostile").over(range(_STRANGERS))
    with capsys.disabled():
        print(f"\nhostile records, {tally}")
    tally.check()


@pytest.mark.faults
@pytest.mark.guests
@pytest.mark.inner
@pytest.mark.parametrize("metrics", METRICS)
def test_many_sessions(directory: Path, metrics: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Real runs of pytest over the stores of some dozen strangers."""
    sessions = HostileSessions(directory / "hostile")
    tally = Tally("sessions over hostile stores")
    for seed in range(_SESSIONS):
        tally.take(*sessions.point(seed, metrics))
    with capsys.disabled():
        print(f"\n{metrics}: {tally}")
    tally.check()


@pytest.mark.faults
@pytest.mark.parametrize("target", [*TARGETS, "a pipe"])
def test_links_all_over(directory: Path, target: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A link, or a pipe, in the place of every file and directory that a store has."""
    stores = HostileStores(directory / "hostile")
    tally = Tally("links in stores")
    for place in LINKED:
        found, violations = stores.link(place, target)
        tally.take(f"{found} leads to {target}", violations)
    with capsys.disabled():
        print(f"\n{target}: {tally}")
    tally.check()


@pytest.mark.faults
@pytest.mark.parametrize("change", VALUES)
def test_every_member_of_every_record(directory: Path, change: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Records of each type without one of their members, or with nothing or a list in its place."""
    stores = HostileStores(directory / "hostile")
    stores.fresh()
    tally = Tally("members of records")
    for key, member in list(members(stores.root)):
        tally.take(f"{member} of {key} {change}", lacking(stores, key, member, change))
    with capsys.disabled():
        print(f"\n{change}: {tally}")
    tally.check()

"""gc: what no record names goes, while nobody is there; what is not ours stays, whatever it is called."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.stored import assert_sound, compute, files, prepare

from omnibench.errors import StoreError
from omnibench.store import CheckpointStore
from omnibench.store.artifacts import is_intact
from omnibench.store.gc import Collected, collect
from omnibench.store.generations import reset
from omnibench.store.reading import read_all
from omnibench.store.schema import artifacts_of

pytestmark = pytest.mark.usefixtures("made_up_records")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A store with two items and a dataset; nobody has it open."""
    store = CheckpointStore(tmp_path / "checkpoints")
    compute(store, "a")
    compute(store, "b", fold=1)
    prepare(store, "d")
    store.close()
    return store.root


def again(root: Path, *names: str, keep: bool = False) -> None:
    """Reset items and compute them anew."""
    store = CheckpointStore(root)
    for name in names:
        reset(store, [name * 64], keep=keep)
        compute(store, name, fold=1 if name == "b" else None)
    store.close()


def test_where_everything_is_named_nothing_goes(root: Path) -> None:
    """Exports, keys and manifests stay, although no record names them."""
    before, known = files(root), read_all(root / "store")
    assert collect(root, kept=True, planned=True, aside_older_than=0) == Collected()
    assert (files(root), read_all(root / "store")) == (before, known)


def test_files_that_no_record_names_go(root: Path) -> None:
    """Left behind by a kill between publishing and recording; their size is told."""
    left = [
        next(root.glob("D-*/Algorithm-aaaaaaaa")) / "predictions-deadbeef.npy",
        next(root.glob("D-*/Algorithm-bbbbbbbb")) / "fold_1" / "per_user-deadbeef.npy",
        next(root.glob("D-*/Algorithm-aaaaaaaa")) / "generation_3" / "model.pth",
    ]
    before = files(root)
    for path in left:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x" * 1000)
    found = collect(root)
    assert (sorted(found.files), found.size, found.records) == (sorted(left), 3000, [])
    assert str(found) == "0 records and 3 files (0.0 MB)"
    assert files(root) == before
    assert not (next(root.glob("D-*/Algorithm-aaaaaaaa")) / "generation_3").exists()


def test_a_prepared_dataset_that_no_record_names_goes(root: Path) -> None:
    """A prepared dataset that no record names goes with all its files; one that is named stays."""
    store = CheckpointStore(root)
    prepare(store, "e")
    record = store.records.get("data/" + "e" * 64)
    assert record is not None
    store.records.commit({}, ["data/" + "e" * 64])
    store.close()
    assert [path.name for path in collect(root).files] == ["D-eeeeeeee"]
    assert [path.name for path in (root / "datasets").iterdir()] == ["D-dddddddd"]


FOREIGN = (
    "model.bin",
    "notes.txt",
    "mine/predictions-deadbeef.npy",
    "D-1/A-1/predictions-deadbeef.npy",
    "D-dddddddd/Algorithm-aaaaaaaa/notes.txt",
    "D-dddddddd/Algorithm-aaaaaaaa/model.tar.gz",
    "D-dddddddd/Algorithm-aaaaaaaa/predictions-mine.npy",
    "D-dddddddd/Algorithm-aaaaaaaa/predictions-DEADBEEF.npy",
    "D-dddddddd/Algorithm-aaaaaaaa/mine/per_user-deadbeef.npy",
    "D-dddddddd/Algorithm-aaaaaaaa/generation_x/deep/model.bin",
    "datasets/D-0/user.npy",
    "datasets/mine/.key",
    "results.damaged-by-me",
)


def test_what_is_not_ours_stays(root: Path) -> None:
    """Other names, and our names in places that no item claimed."""
    for name in FOREIGN:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("mine")
    before = files(root)
    found = collect(root, kept=True, planned=True, aside_older_than=0)
    assert (found.files, files(root)) == ([], before)


def test_links_are_neither_followed_nor_removed(root: Path, tmp_path: Path) -> None:
    """A file, an item's directory, a dataset's, or a dataset's name in it that leads elsewhere."""
    outside = tmp_path / "outside"
    for place in ("D-1/A-1", "D-2"):
        (outside / place).mkdir(parents=True)
        (outside / place / ".key").write_text("mine")
        (outside / place / "predictions-deadbeef.npy").write_text("mine")
    item = next(root.glob("D-*/Algorithm-aaaaaaaa"))
    (item / "predictions-deadbeef.npy").symlink_to(outside / "D-2" / "predictions-deadbeef.npy")
    (item / "generation_7").symlink_to(outside / "D-2")
    (item.parent / "Algorithm-link").symlink_to(outside / "D-1" / "A-1")
    (root / "D-link").symlink_to(outside / "D-1")
    (root / "datasets" / "D-link").symlink_to(outside / "D-2")
    (root / "link.damaged-20200101T000000-01234567").symlink_to(outside)
    before, theirs = files(root), files(outside)
    collect(root, kept=True, planned=True)
    assert (files(root), files(outside)) == (before, theirs)
    collect(root, aside_older_than=0)
    assert files(outside) == theirs


def test_generations_that_were_reset_go(root: Path) -> None:
    """Generations that were reset go with records and files; newer ones and those that are to be kept stay."""
    again(root, "a")
    again(root, "b", keep=True)
    before = files(root)
    found = collect(root)
    assert {key.rpartition("/")[0] for key in found.records} == {
        f"old/0/{p}" for p in ("fit", "predict", "eval", "item")
    }
    assert all("Algorithm-aaaaaaaa" in path.as_posix() for path in found.files)
    assert before - files(root) == {path.relative_to(root).as_posix() for path in found.files}
    assert {path.name for path in found.files} == {"model.bin", "predictions-0123abcd.npy", "per_user-0123abcd.npy"}
    assert collect(root) == Collected()
    assert len(collect(root, kept=True).records) == 4
    assert not any(key.startswith("old/") for key in read_all(root / "store"))
    assert_sound(root)


def test_a_model_that_two_generations_share_stays(root: Path) -> None:
    """Reset from Predict on: the model is still the item's."""
    store = CheckpointStore(root)
    reset(store, ["a" * 64], "Predict")
    store.close()
    assert {path.name for path in collect(root).files} == {"predictions-0123abcd.npy", "per_user-0123abcd.npy"}
    assert_sound(root)


def test_a_dry_run_removes_nothing(root: Path) -> None:
    """It tells what would be removed, and that is what is removed then."""
    again(root, "a")
    before, known = files(root), read_all(root / "store")
    told = collect(root, dry_run=True)
    assert len(told.files) == 3
    assert (files(root), read_all(root / "store")) == (before, known)
    assert collect(root) == told


@pytest.mark.parametrize("state", ["planned", "reset", "killed after its Fit"])
def test_planned_items_go_when_asked_for(state: str, root: Path) -> None:
    """Only those of which nothing was ever computed."""
    store = CheckpointStore(root)
    record = {"fit_key": "x", "item": "D/x"}
    store.records.commit({"item/x": {**record, "status": "pending", "generation": int(state == "reset")}})
    if "Fit" in state:
        store.records.commit({"fit/x": record})
    store.close()
    assert collect(root).records == []
    assert collect(root, planned=True).records == (["item/x"] if state == "planned" else [])


def test_a_directory_without_a_store_is_refused(tmp_path: Path) -> None:
    """A directory without a store is refused and stays as it is."""
    with pytest.raises(StoreError, match="there are no checkpoints in"):
        collect(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_store_in_use_is_left_alone(root: Path) -> None:
    """A store that this or another process uses is left alone, also by a dry run."""
    store = CheckpointStore(root)
    for dry_run in (False, True):
        with pytest.raises(StoreError, match=r"is in use by a run right now .*`omnibench status`"):
            collect(root, dry_run=dry_run)
    store.close()
    code = "import sys; from omnibench.store import CheckpointStore; s = CheckpointStore(sys.argv[1]); print(); input()"
    command = [sys.executable, "-c", code, str(root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"\n"
        with pytest.raises(StoreError, match="is in use"):
            collect(root)
        other.kill()
    assert collect(root) == Collected()


def test_what_was_set_aside_goes_by_its_age(root: Path) -> None:
    """What was set aside is removed by its age if asked for; a path inside of another one is counted once."""
    aside = ".damaged-20260101T000000-0123abcd"
    old, new = root / f"store{aside}", next(root.glob("D-*/Algorithm-aaaaaaaa")) / f"model.bin{aside}"
    (old / f"inner{aside}").mkdir(parents=True)
    new.write_text("new")
    os.utime(old, (time.time() - 86400, time.time() - 86400))
    assert collect(root) == Collected()
    assert collect(root, aside_older_than=3600).files == [old]
    assert (old.exists(), new.exists()) == (False, True)
    assert collect(root, aside_older_than=0).files == [new]
    assert_sound(root)


@pytest.mark.parametrize("removed", [0, 1, 2])
def test_a_kill_in_between_leaves_files_and_never_records_of_files_that_are_gone(removed: int, root: Path) -> None:
    """Records go first; what a kill left is collected by the next one."""
    again(root, "a")
    code = f"""
import os, signal, sys
from pathlib import Path
from omnibench.store import gc
unlink, left = Path.unlink, [{removed}]
def kill(path, missing_ok=False):
    if path.suffix in (".npy", ".bin") and not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= path.suffix in (".npy", ".bin")
    unlink(path, missing_ok=missing_ok)
Path.unlink = kill
gc.collect(Path(sys.argv[1]))
"""
    assert subprocess.run([sys.executable, "-c", code, str(root)], check=False).returncode == -signal.SIGKILL
    known = read_all(root / "store")
    assert not any(key.startswith("old/") for key in known)
    assert all(is_intact(artifact, root) for record in known.values() for artifact in artifacts_of(record))
    assert len(collect(root).files) == 3 - removed
    assert_sound(root)

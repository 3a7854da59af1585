"""Artifacts: complete or not there, checked before they are used again, and never outside of the store."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omnibench.errors import StoreError
from omnibench.store import artifacts
from omnibench.store.artifacts import (
    is_intact,
    make_directories,
    publish,
    resolve,
    set_aside,
    sha256_of,
    sync_tree,
)
from omnibench.store.durable_names import UnsyncedNames
from omnibench.store.schema import VERIFY, Artifact


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "store").mkdir()
    return tmp_path / "store"


def published(root: Path, content: bytes = b"content", name: str = "a/b/file.npy") -> Artifact:
    partial = root / "partial"
    partial.write_bytes(content)
    unsynced = UnsyncedNames()
    artifact = publish(partial, root / name, root, unsynced)
    unsynced.sync()
    return artifact


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(st.binary(max_size=100))
def test_a_published_file_is_what_its_description_says(root: Path, content: bytes) -> None:
    """Path relative to the store, size, sha256, inode and times; the partial file is gone, what lay there replaced."""
    artifact = published(root, content)
    status = (root / "a/b/file.npy").stat()
    assert artifact == {
        "path": "a/b/file.npy",
        "size": len(content),
        "sha256": sha256_of(root / "a/b/file.npy"),
        "stat": [status.st_ino, status.st_mtime_ns, status.st_ctime_ns],
    }
    assert (root / "a/b/file.npy").read_bytes() == content
    assert not (root / "partial").exists()
    assert is_intact(artifact, root)


def test_directories_are_for_the_users_eyes_only(root: Path) -> None:
    """Whatever the umask, every directory on the way is 0700."""
    before = os.umask(0)
    try:
        published(root)
        make_directories(root / "c/d/e", root, UnsyncedNames())
    finally:
        os.umask(before)
    for name in ("a", "a/b", "c", "c/d", "c/d/e"):
        assert stat.S_IMODE((root / name).stat().st_mode) == 0o700


@pytest.fixture
def acts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Get the syncs and the renamings of a test, in order."""
    acts: list[str] = []
    original_fsync, original_replace, original_link = os.fsync, os.replace, os.link

    def fsync(descriptor: int) -> None:
        acts.append(f"fsync {Path(os.readlink(f'/proc/self/fd/{descriptor}')).name}")
        original_fsync(descriptor)

    def replace(source: Path, target: str, *, dst_dir_fd: int) -> None:
        original_replace(source, target, dst_dir_fd=dst_dir_fd)
        acts.append(f"rename to {target}")

    def link(source: Path, target: str, **options: Any) -> None:
        original_link(source, target, **options)
        acts.append(f"link to {target}")

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    monkeypatch.setattr(os, "link", link)
    return acts


def test_publication_is_durable_before_it_is_described(root: Path, acts: list[str]) -> None:
    """File first, then its name: fsync, rename, and fsync of the directory and those above it."""
    published(root)
    assert acts == ["fsync partial", "rename to file.npy", "fsync store", "fsync a", "fsync b"]


def publish_unrecorded(root: Path, content: bytes, partial: str = "partial") -> Artifact:
    (root / partial).write_bytes(content)
    return publish(root / partial, root / "file.npy", root, UnsyncedNames(), is_unrecorded=True)


def test_a_first_file_gets_its_name_first(root: Path, acts: list[str]) -> None:
    """Where nothing is, the file is synced with its name; where there is something, it is replaced by a synced file alone."""
    for content in (b"first", b"second"):
        artifact = publish_unrecorded(root, content)
        assert (root / "file.npy").read_bytes() == content
        assert is_intact(artifact, root, "stat")
        assert not (root / "partial").exists()
    assert acts == ["link to file.npy", "fsync partial", "fsync partial", "rename to file.npy"]


def test_a_file_system_without_hard_links_gets_a_synced_file(
    root: Path, acts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As exFAT is one: the file is synced, then moved."""

    def link(*_: Any, **__: Any) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    assert is_intact(publish_unrecorded(root, b"content"), root)
    assert acts == ["fsync partial", "rename to file.npy"]


@pytest.mark.parametrize("is_there", [False, True])
def test_a_file_that_cannot_be_synced_is_not_published(
    root: Path, monkeypatch: pytest.MonkeyPatch, is_there: bool
) -> None:
    """The one that was there stays; a new one has no description, and is replaced by a synced one."""
    if is_there:
        (root / "file.npy").write_bytes(b"before")

    def fsync(_: int) -> None:
        raise OSError(errno.EIO, "broken")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fsync)
        with pytest.raises(OSError, match="broken"):
            publish_unrecorded(root, b"content")
    assert not is_there or (root / "file.npy").read_bytes() == b"before"
    (root / "partial").unlink(missing_ok=True)
    n_synced: list[int] = []
    monkeypatch.setattr(os, "fsync", n_synced.append)
    publish_unrecorded(root, b"again")
    assert (root / "file.npy").read_bytes() == b"again"
    assert len(n_synced) == 1


@pytest.mark.parametrize("moment", ["before its name", "while it is synced"])
def test_what_another_process_has_published_is_neither_replaced_by_what_is_not_durable_nor_removed(
    root: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """One that has the lease meanwhile, as where locks are lost: it has put its file there, and recorded it."""
    link, fsync = os.link, os.fsync

    def publish_other() -> None:
        monkeypatch.setattr(os, "link", link)
        monkeypatch.setattr(os, "fsync", fsync)
        publish_unrecorded(root, b"of another process", "other")

    def link_late(*arguments: Any, **options: Any) -> None:
        publish_other()
        monkeypatch.setattr(os, "fsync", refused)
        link(*arguments, **options)

    def fsync_late(descriptor: int) -> None:
        publish_other()
        refused(descriptor)

    def refused(_: int) -> None:
        raise OSError(errno.EIO, "broken")

    if moment == "before its name":
        monkeypatch.setattr(os, "link", link_late)
    else:
        monkeypatch.setattr(os, "fsync", fsync_late)
    with pytest.raises(OSError, match="broken"):
        publish_unrecorded(root, b"late")
    assert (root / "file.npy").read_bytes() == b"of another process"


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[3] ^= 1
    path.write_bytes(content)


def swap_for_a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "damage",
    [
        flip,
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(path.read_bytes() + b"x"),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"\0" * path.stat().st_size),
        swap_for_a_directory,
    ],
    ids=["flipped", "truncated", "extended", "emptied", "zeroed", "directory"],
)
def test_every_damage_is_noticed_and_set_aside(damage: Callable[[Path], object], root: Path) -> None:
    """One flipped bit is enough; the damaged file is renamed, not removed."""
    artifact = published(root)
    damage(root / artifact["path"])
    assert not is_intact(artifact, root)
    aside = set_aside(artifact, root)
    assert aside is not None
    assert aside.name.startswith("file.npy.damaged-")
    assert aside.exists()
    assert not (root / artifact["path"]).exists()


def same_length(path: Path) -> None:
    """Change the content in place, and put the time of modification back."""
    status = path.stat()
    path.write_bytes(b"CONTENT")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def another_file(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"CONTENT")
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.replace(path)


@pytest.mark.parametrize("damage", [same_length, another_file])
def test_every_change_is_noticed_by_its_times(damage: Callable[[Path], object], root: Path) -> None:
    """`stat` looks at the content of whatever was touched; `off` only sees another size."""
    artifact = published(root)
    damage(root / artifact["path"])
    assert [is_intact(artifact, root, verify) for verify in VERIFY] == [False, False, True]
    (root / artifact["path"]).write_bytes(b"longer content")
    assert [is_intact(artifact, root, verify) for verify in VERIFY] == [False, False, False]
    (root / artifact["path"]).unlink()
    assert [is_intact(artifact, root, verify) for verify in VERIFY] == [False, False, False]


def test_a_copied_store_is_intact_whatever_its_times(root: Path) -> None:
    """Files that were copied have other inodes and times: `stat` looks at their content, once more in full."""
    artifact = published(root)
    path = root / artifact["path"]
    path.with_name("copy").write_bytes(path.read_bytes())
    path.with_name("copy").replace(path)
    assert artifact["stat"] != [path.stat().st_ino, path.stat().st_mtime_ns, path.stat().st_ctime_ns]
    assert all(is_intact(artifact, root, verify) for verify in VERIFY)


@pytest.mark.parametrize("size", [0, 1, 2**18, 2**18 + 1, 2**20 + 7])
def test_files_of_any_size_are_described_by_their_sha256(root: Path, size: int) -> None:
    """Small ones are read at once, larger ones piece by piece; a byte at the end that has changed is found in both."""
    content = bytes(number % 251 for number in range(size))
    (root / "partial").write_bytes(content)
    assert artifacts.sha256_of(root / "partial") == hashlib.sha256(content).hexdigest()
    artifact = publish(root / "partial", root / "file.npy", root, UnsyncedNames())
    assert (artifact["size"], artifact["sha256"]) == (size, hashlib.sha256(content).hexdigest())
    assert is_intact(artifact, root)
    if size:
        (root / "file.npy").write_bytes(content[:-1] + b"\xff")
        assert not is_intact(artifact, root)


def test_only_full_reads_a_file_that_nobody_touched(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The point of `stat` and `off` is that gigabytes need not be read."""
    artifact = published(root)
    old: Artifact = {"path": artifact["path"], "size": artifact["size"], "sha256": artifact["sha256"]}
    read: list[Any] = []
    original = artifacts._sha256_in

    def reading(file: FileIO, size: int) -> str:
        read.append(file)
        return original(file, size)

    monkeypatch.setattr(artifacts, "_sha256_in", reading)
    for described, verify, times in (
        (artifact, "off", 0),
        (artifact, "stat", 0),
        (artifact, "full", 1),
        (old, "stat", 1),
    ):
        read.clear()
        assert is_intact(described, root, verify)
        assert len(read) == times


def test_a_missing_file_is_not_intact_and_nothing_to_set_aside(root: Path) -> None:
    """Removing a file by hand makes it a miss, not an error."""
    artifact = published(root)
    (root / artifact["path"]).unlink()
    assert not is_intact(artifact, root)
    assert set_aside(artifact, root) is None


def test_files_damaged_twice_at_once_are_both_kept(root: Path) -> None:
    """Within the same second, the second does not overwrite the first."""
    kept = {set_aside(published(root, content), root) for content in (b"one", b"two", b"three")}
    assert sorted(path.read_bytes() for path in kept if path) == [b"one", b"three", b"two"]


def outward_link(root: Path) -> str:
    (root / "link").symlink_to(root.parent / "outside")
    return "link"


def outward_directory(root: Path) -> str:
    (root / "link").symlink_to(root.parent)
    return "link/outside"


@pytest.mark.parametrize(
    "way",
    [
        lambda _: "../outside",
        lambda _: "a/../../outside",
        lambda root: str(root.parent / "outside"),
        outward_link,
        outward_directory,
    ],
    ids=["dots", "inner dots", "absolute", "link", "link of a directory"],
)
def test_no_recorded_path_leads_out_of_the_store(way: Callable[[Path], str], root: Path) -> None:
    """A record with such a path is no artifact: it is neither read nor renamed."""
    outside = root.parent / "outside"
    outside.write_bytes(b"content")
    path = way(root)
    artifact: Artifact = {"path": path, "size": 7, "sha256": sha256_of(outside)}
    assert resolve(artifact, root) is None
    assert not is_intact(artifact, root)
    assert set_aside(artifact, root) is None
    assert outside.read_bytes() == b"content"


@pytest.mark.parametrize("way", [lambda _: "../outside", lambda _: "a/../../outside", outward_directory])
def test_nothing_is_published_out_of_the_store(way: Callable[[Path], str], root: Path) -> None:
    """A guest that reports a model in `../` does not get it moved there."""
    (root / "partial").write_bytes(b"content")
    with pytest.raises(StoreError, match=r"outside of the checkpoint directory|is a link"):
        publish(root / "partial", root / way(root), root, UnsyncedNames())
    assert not (root.parent / "outside").exists()
    assert (root / "partial").exists()


def test_a_linked_store_is_a_store(root: Path) -> None:
    """The checkpoint directory itself may be a link to a larger disk."""
    link = root.parent / "link"
    link.symlink_to(root)
    assert is_intact(published(link), link)


def test_a_whole_tree_is_made_durable(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file and every directory of a prepared dataset is synchronised."""
    make_directories(root / "d/fold_0", root, UnsyncedNames())
    (root / "d/fold_0/train.npy").write_bytes(b"x")
    (root / "d/user.npy").write_bytes(b"x")
    synced: set[str] = set()
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: synced.add(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)
    )
    sync_tree(root / "d")
    assert synced == {"d", "fold_0", "train.npy", "user.npy"}

"""Files beneath a store's directory: paths_like where they are, and never through a link."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from omnibench.errors import StoreError
from omnibench.store import CheckpointStore, beneath
from omnibench.store.beneath import (
    LinkedFileError,
    has_link,
    open_file,
    paths_like,
    read_bytes,
    refuse_links,
    tree,
    write_new,
)
from omnibench.store.queries import open_store

APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A directory that is itself reached through a link, beside a file of somebody's."""
    (tmp_path / "disk" / "a" / "b").mkdir(parents=True)
    (tmp_path / "disk" / "a" / "b" / "file").write_bytes(b"ours")
    (tmp_path / "theirs").write_bytes(b"theirs")
    (tmp_path / "root").symlink_to(tmp_path / "disk")
    return tmp_path / "root"


def test_a_file_is_opened_where_it_is(root: Path) -> None:
    """To read, to append, to write anew; the directory itself may be a link."""
    assert read_bytes(root, "a/b/file") == b"ours"
    assert read_bytes(root, "a/b/file", 2) == b"ou"
    with os.fdopen(open_file(root, "a/b/file", APPEND), "wb") as file:
        file.write(b" too")
    assert read_bytes(root, "a/b/file") == b"ours too"
    assert write_new(root, "a/b/file", b"new") == root / "a/b/file"
    assert read_bytes(root, "a/b/file") == b"new"
    assert not has_link(root, "a/b/file")
    refuse_links(root, "a/b/file", "a", "nowhere/at/all")
    assert tree(root, "a") == root / "a"
    assert paths_like(root, "a/*/f*") == [root / "a/b/file"]


def outward(root: Path) -> str:
    (root / "a" / "link").symlink_to("../../theirs")
    return "a/link"


def inward(root: Path) -> str:
    (root / "a" / "link").symlink_to("b/file")
    return "a/link"


def dangling(root: Path) -> str:
    (root / "a" / "link").symlink_to("nowhere")
    return "a/link"


def directory(root: Path) -> str:
    (root / "link").symlink_to("a")
    return "link/b/file"


def circle(root: Path) -> str:
    (root / "a" / "link").symlink_to("link")
    return "a/link"


@pytest.mark.parametrize("lay", [outward, inward, dangling, directory, circle])
def test_no_link_is_followed(lay: Callable[[Path], str], root: Path) -> None:
    """Neither one that leads out nor one that stays inside, neither a file nor a directory on the way."""
    path = lay(root)
    assert has_link(root, path)
    for flags in (os.O_RDONLY, APPEND, os.O_RDWR | os.O_CREAT | os.O_TRUNC):
        with pytest.raises(LinkedFileError, match=r"is a link to '.*'\. Links inside of a checkpoint directory"):
            open_file(root, path, flags)
    with pytest.raises(LinkedFileError, match="is a link to"):
        refuse_links(root, path)
    assert (root.parent / "theirs").read_bytes() == b"theirs"
    assert not (root / "a" / "nowhere").exists()
    assert paths_like(root, path) == []


def test_a_new_file_takes_the_place_of_a_link(root: Path) -> None:
    """What the link led to stays as it is."""
    write_new(root, outward(root), b"ours")
    assert (root / "a" / "link").read_bytes() == b"ours"
    assert not (root / "a" / "link").is_symlink()
    assert (root.parent / "theirs").read_bytes() == b"theirs"


@pytest.mark.parametrize("path", ["../theirs", "a/../../theirs", "/etc/hostname", "a\0b"])
def test_no_path_leads_out(path: str, root: Path) -> None:
    """Not by dots, and not from the root of all."""
    for act in (open_file, has_link, refuse_links, partial(write_new, content=b"")):
        with pytest.raises(LinkedFileError, match="leads out"):
            act(root, path)


def test_who_opens_a_pipe_does_not_wait(root: Path) -> None:
    """Nor is a socket or a device taken for a file; a directory in a file's place is an ordinary error."""
    os.mkfifo(root / "a" / "pipe")
    for flags in (os.O_RDONLY, APPEND):
        with pytest.raises(LinkedFileError, match="is no regular file"):
            open_file(root, "a/pipe", flags)
    with pytest.raises(LinkedFileError, match="is no regular file"):
        refuse_links(root, "a/pipe")
    with pytest.raises(IsADirectoryError):
        open_file(root, "a/b", APPEND)


def test_a_directory_that_others_read_by_path_has_no_link_in_it(root: Path) -> None:
    """However deep; what is not there has none."""
    assert tree(root, "nowhere") == root / "nowhere"
    (root / "a" / "b" / "link").symlink_to("file")
    with pytest.raises(LinkedFileError, match="b/link"):
        tree(root, "a")


def test_descriptors_are_closed(root: Path) -> None:
    """Whatever comes of it."""
    before = len(os.listdir("/proc/self/fd"))
    read_bytes(root, "a/b/file")
    for path in ("a/b/nothing", "nothing/at/all", "a/b/file/inner", outward(root)):
        with pytest.raises((OSError, StoreError)):
            open_file(root, path)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_store_may_be_a_link_and_may_have_none(tmp_path: Path) -> None:
    """A directory that is a link is a store as any other; a link in it is refused with the reason, before anything."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "checkpoints").symlink_to(tmp_path / "disk")
    CheckpointStore(tmp_path / "checkpoints").close()
    assert (tmp_path / "disk" / "STORE.json").exists()
    for name in beneath.OF_ALL:
        path = tmp_path / "disk" / name
        if os.path.lexists(path):
            path.rename(tmp_path / "moved")
        path.symlink_to(tmp_path / "moved")
        for opened in (CheckpointStore, open_store) if name != "store/cache.db" else (CheckpointStore,):
            with pytest.raises(StoreError, match=r"is a link to .* Replace it by what it leads to"):
                opened(tmp_path / "checkpoints")
        path.unlink()
        if os.path.lexists(tmp_path / "moved"):
            (tmp_path / "moved").rename(path)


def test_a_link_to_nothing_is_called_one(tmp_path: Path) -> None:
    """Not "File exists": what is there is a link, and what it leads to is not there."""
    (tmp_path / "checkpoints").symlink_to("gone")
    for path in (tmp_path / "checkpoints", tmp_path / "checkpoints" / "inner"):
        with pytest.raises(StoreError, match="checkpoints' is a link to 'gone', which does not exist"):
            CheckpointStore(path)
    (tmp_path / "store").mkdir()
    CheckpointStore(tmp_path / "store").close()
    store = CheckpointStore(tmp_path / "store")
    with pytest.raises(StoreError, match="checkpoints' is a link to 'gone', which does not exist"):
        store.scratch(tmp_path / "checkpoints")
    store.close()

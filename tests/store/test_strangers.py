"""Directories of other users: looked at, not written to, and nothing of theirs is run, unless a group is said to share them."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from omnibench import owners
from omnibench.engine.run import throwaway_workspace
from omnibench.errors import OmnibenchError, StoreError
from omnibench.paths import cache_directory
from omnibench.store import CheckpointStore, gc, leases, permissions, workspaces
from omnibench.store.logbook import LogBook
from omnibench.store.queries import open_store
from omnibench.store.requests import placed_request
from omnibench.store.strangers import refuse_strangers
from omnibench.store.workspaces import Workspace


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A store that this user has made, in a directory that was there before."""
    directory = tmp_path / "checkpoints"
    directory.mkdir(mode=0o755)
    with closing(CheckpointStore(directory)):
        pass
    return directory


@pytest.fixture
def stranger(monkeypatch: pytest.MonkeyPatch) -> int:
    """Be another user, who owns nothing yet."""
    uid = os.geteuid() + 4242
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    return uid


def modes_in(directory: Path) -> dict[str, str]:
    """The modes of all files and directories in a directory, in octal, by their names."""
    return {
        path.relative_to(directory).as_posix(): f"{stat.S_IMODE(path.stat().st_mode):o}"
        for path in directory.rglob("*")
        if not path.name.startswith("cache.db-")  # SQLite's readers make these
    }


def test_another_users_store_is_read_and_not_written(root: Path, stranger: int) -> None:
    """Opening it to write, collecting its garbage, resetting, asking for snapshots: refused with whose it is, who asks, and the ways out."""
    before = modes_in(root)
    refusal = rf"belongs to .*uid {stranger - 4242}\).*and you are uid {stranger}.*--omnirec-readonly.*--omnirec-shared"
    for act in (
        lambda: CheckpointStore(root),
        lambda: gc.collect(root),
        lambda: open_store(root).reset(),
        lambda: open_store(root).delete([]),
        placed_request(root, []).__enter__,
    ):
        with pytest.raises(StoreError, match=refusal):
            act()
    assert open_store(root).summary()["total"] == 0
    assert modes_in(root) == before


@pytest.mark.usefixtures("root", "stranger")
def test_who_says_that_it_is_shared_writes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By argument or by the environment; a word that says nothing is refused."""
    refuse_strangers(root, "yes")
    for word in ("yes", "1", "true", "models"):
        monkeypatch.setenv("OMNIREC_SHARED", word)
        refuse_strangers(root)
    monkeypatch.setenv("OMNIREC_SHARED", "perhaps")
    with pytest.raises(StoreError, match="OMNIREC_SHARED is 'perhaps'; choose from no, yes, models"):
        refuse_strangers(root)


@pytest.mark.usefixtures("root", "stranger")
def test_what_everybody_can_write_is_nobodys(root: Path) -> None:
    """Not even shared: anybody could put a model there. Its owner may use it, and is told."""
    root.chmod(0o777)
    with pytest.raises(StoreError, match=r"everybody can write into it.*chmod o-w"):
        CheckpointStore(root, shared="models")


def test_the_owner_is_told_that_everybody_can_write(root: Path) -> None:
    """And the advice ends it."""
    root.chmod(0o777)
    sentences: list[str] = []
    with closing(CheckpointStore(root, notify=sentences.append)):
        assert "`chmod o-w " in sentences[0]
    root.chmod(0o775)
    with closing(CheckpointStore(root, notify=sentences.append)):
        assert len(sentences) == 1


def test_a_store_is_private_in_whatever_directory(root: Path) -> None:
    """Files and directories are the user's alone, the log, the format and the readable copies too."""
    log = LogBook(root / "logs.db", "run", "main")
    log.add(20, "omnibench", "secret")
    log.flush()
    with closing(CheckpointStore(root)) as store:
        store.replace_text("results.json", "{}")
        store.append_log("out", b"x\n")
        modes = modes_in(root)
    assert not {name: mode for name, mode in modes.items() if "/" not in name and mode not in ("700", "600")}


@pytest.mark.parametrize(
    ("umask", "directory", "file"), [(0o002, "3770", "660"), (0o022, "3750", "640"), (0o077, "1700", "600")]
)
def test_a_shared_store_is_open_to_its_group(tmp_path: Path, umask: int, directory: str, file: str) -> None:
    """As far as the umask allows, which is said where it takes something; everything in it hands its group on."""
    before, sentences = os.umask(umask), list[str]()
    try:
        with closing(CheckpointStore(tmp_path / "made", shared="yes", notify=sentences.append)) as store:
            store.replace_text("results.json", "{}")
            with leases.lease(store.root / "leases" / "item.lock"):
                modes = modes_in(store.root)
    finally:
        os.umask(before)
    names = ("STORE.json", "results.json", "leases/item.lock", "store/cache.db")
    assert [modes[name] for name in names] == [file] * len(names)
    assert modes["tmp"][1:] == directory[1:]
    assert bool(sentences) == (umask != 0o002)


def test_a_store_of_ones_own_becomes_a_groups(root: Path) -> None:
    """All that is in it, but nobody else may change models, which this user would load."""
    (root / "data-1" / "x-2").mkdir(parents=True, mode=0o700)
    (root / "data-1" / "x-2" / "model.pkl").write_bytes(b"x")
    before = os.umask(0o002)
    try:
        with closing(CheckpointStore(root, shared="yes")):
            modes = modes_in(root)
    finally:
        os.umask(before)
    assert {modes[name] for name in ("store", "leases", "data-1", "data-1/x-2")} == {"2770"}
    assert modes["store/cache.db"] == "660"
    assert modes["data-1/x-2/model.pkl"] == "640"


def test_whose_models_are_loaded(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One's own that nobody else can change; in a store of one's own the administrator's; others' on request only."""
    model = root / "model.pkl"
    model.write_bytes(b"x")
    model.chmod(0o644)
    uid = os.geteuid()
    with closing(CheckpointStore(root)) as store:
        assert store.loadable(model)
    with closing(CheckpointStore(root, shared="yes")) as store:
        permissions.keep_to_oneself(model)
        assert store.loadable(model)
        model.chmod(0o664)
        with pytest.warns(UserWarning, match=r"model.pkl belongs to .*fitted again. --omnirec-shared=models loads it"):
            assert not store.loadable(model)
        model.chmod(0o644)
        with monkeypatch.context() as patch:
            patch.setattr(os, "geteuid", lambda: uid + 1)
            with pytest.warns(UserWarning, match="fitted again"):
                assert not store.loadable(model)
    with closing(CheckpointStore(root, shared="models")) as store:
        monkeypatch.setattr(os, "geteuid", lambda: uid + 1)
        assert store.loadable(model)


def test_stores_that_may_not_be_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose they are and what their owner can do, instead of `there are no checkpoints`."""
    may = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.R_OK and may(path, mode))
    with pytest.raises(StoreError, match=r"cannot be read by .*; they belong to .*chmod -R g\+rX"):
        open_store(root).summary()


def test_a_throwaway_store_is_where_nobody_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under a name that nobody knows before, 0700; what others have put beside it is neither used nor removed."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    planted = tmp_path / f"omnibench-{os.getuid()}"
    planted.mkdir(mode=0o777)
    theirs = tmp_path / "omnibench-1.abcd1234"
    theirs.mkdir()
    (theirs / ".lock").touch()
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: os.getuid() + 1)
        first = throwaway_workspace()
        assert theirs.exists()
    assert first.directory.parent == tmp_path
    assert stat.S_IMODE(first.directory.stat().st_mode) == 0o700
    second = throwaway_workspace()
    assert not theirs.exists(), "it is ours after all, and nobody holds its lock"
    assert first.directory.exists(), "its process lives"
    first.remove()
    second.remove()
    assert [path.name for path in tmp_path.iterdir()] == [planted.name]


def test_temporary_directories_without_a_sticky_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody could put another directory in the place of ours: refused, until it has one."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    tmp_path.chmod(0o777)
    with pytest.raises(OmnibenchError, match=r"no sticky bit.*TMPDIR.*chmod \+t"):
        throwaway_workspace()
    tmp_path.chmod(0o1777)
    throwaway_workspace().remove()


@pytest.mark.parametrize("mode", [0o700, 0o1777])
def test_nobody_waits_for_a_lock_on_the_parent(mode: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another user may hold one on /tmp for ever, and a member of the group one on a store's; half-made ones stay then."""
    import fcntl

    monkeypatch.setattr(workspaces, "_PATIENCE_SECONDS", 0.1)
    half_made = tmp_path / "work.1.0123abcd"
    half_made.mkdir()
    tmp_path.chmod(mode)
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        Workspace(tmp_path).remove()
        assert half_made.exists()
    finally:
        os.close(descriptor)
    Workspace(tmp_path).remove()
    assert half_made.exists() == (mode == 0o1777), "nobody else can be making it"


def test_caches_of_others_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs are run from there; that of the administrator is fine, unless everybody can write into it."""
    uid = os.getuid()
    for name in ("theirs", "below/envs", "admins"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.setattr(os, "geteuid", lambda: uid + 1)
    monkeypatch.setattr(owners, "ROOT", uid + 2)
    for name in ("theirs", "below"):
        monkeypatch.setenv("OMNIBENCH_CACHE_DIR", str(tmp_path / name))
        with pytest.raises(OmnibenchError, match=r"belongs to .*Set OMNIBENCH_CACHE_DIR to a directory of yours"):
            cache_directory()
    monkeypatch.setattr(owners, "ROOT", uid)
    monkeypatch.setenv("OMNIBENCH_CACHE_DIR", str(tmp_path / "admins"))
    (tmp_path / "admins").chmod(0o777)
    with pytest.raises(OmnibenchError, match="everybody can write into it"):
        cache_directory()
    (tmp_path / "admins").chmod(0o755)
    assert cache_directory() == tmp_path / "admins"

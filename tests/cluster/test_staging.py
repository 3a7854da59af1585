"""Files of requests: what a guest needs is there, what it writes comes back, by path or by content."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from omnibench.cluster.files import PIECE_BYTES, RequestFiles
from omnibench.cluster.staging import Staging
from omnibench.errors import ClusterError

LARGE = bytes(range(256)) * (PIECE_BYTES // 256) + b"the rest"


class Transfer:
    """A request and its files on both sides, joined by calls in the place of messages.

    Args:
        tmp_path: Where the submitter's files are, and the worker's directory.
        is_shared: Whether the worker sees the submitter's files.
    """

    def __init__(self, tmp_path: Path, *, is_shared: bool) -> None:
        self.dataset, self.output = tmp_path / "dataset", tmp_path / "scratch"
        self.snapshots = tmp_path / "snapshots"
        for folder in (self.dataset / "fold_0", self.dataset / "fold_1", self.output / "validation", self.snapshots):
            folder.mkdir(parents=True)
        for path in ("manifest.json", "fold_0/train.npy", "fold_1/train.npy"):
            (self.dataset / path).write_bytes(path.encode())
        (self.dataset / "user.npy").write_bytes(LARGE)
        (self.output / "validation" / "candidates.npy").write_bytes(b"candidates")
        self.request: dict[str, Any] = {
            "op": "fit",
            "fold": 0,
            "fit_key": "k",
            "dataset": str(self.dataset),
            "output": str(self.output),
            "validate": {"candidates": {"users": str(self.output / "validation" / "candidates.npy")}},
            "snapshots": {"directory": str(self.snapshots), "ask": str(self.snapshots / "ask")},
        }
        self.fetched: list[str] = []
        self.files = RequestFiles(self.request, "abc", is_shared=is_shared)
        self.scratch = tmp_path / "worker"
        self.staging = self.stage(is_shared=is_shared)
        self.there = self.staging.rewritten(self.request)

    def stage(self, *, is_shared: bool) -> Staging:
        """The worker's side of the request."""
        staging = Staging(self.files.roots, "abc", self.scratch, self._fetch, lambda: None, is_shared=is_shared)
        staging.stage(with_model=True)
        return staging

    def _fetch(self, root: str, path: str, offset: int) -> bytes:
        self.fetched.append(path)
        return self.files.piece(root, path, offset)

    def hand_back(self) -> list[dict[str, Any]]:
        """Send everything that was written, and take it."""
        messages: list[dict[str, Any]] = []
        self.staging.hand_back(lambda message, _: messages.append(message))
        for message in messages:
            self.files.take(message)
        return messages


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize("is_shared", [True, False], ids=["path", "content"])
def test_a_guest_finds_its_inputs(tmp_path: Path, *, is_shared: bool) -> None:
    """Under the paths of its request it finds the data set, without other folds where it is sent, and its candidates."""
    transfer = Transfer(tmp_path, is_shared=is_shared)
    dataset = Path(transfer.there["dataset"])
    assert (dataset == transfer.dataset) is is_shared
    assert (dataset / "fold_0" / "train.npy").read_bytes() == b"fold_0/train.npy"
    assert (dataset / "user.npy").read_bytes() == LARGE
    assert (dataset / "fold_1").exists() is is_shared
    assert Path(transfer.there["validate"]["candidates"]["users"]).read_bytes() == b"candidates"


@pytest.mark.parametrize("is_shared", [True, False], ids=["path", "content"])
def test_outputs_come_back(tmp_path: Path, *, is_shared: bool) -> None:
    """What it writes lies in the submitter's directories, also what is larger than a piece, and each change comes once."""
    transfer = Transfer(tmp_path, is_shared=is_shared)
    Path(transfer.there["output"], "model.bin").write_bytes(LARGE)
    snapshot = Path(transfer.there["snapshots"]["directory"], "one")
    snapshot.mkdir(parents=True)
    (snapshot / "state").write_bytes(b"")
    transfer.hand_back()
    assert (transfer.output / "model.bin").read_bytes() == LARGE
    assert (transfer.snapshots / "one" / "state").read_bytes() == b""
    assert transfer.hand_back() == []
    transfer.staging.clear()
    assert not transfer.scratch.exists()


def test_a_file_crosses_once(tmp_path: Path) -> None:
    """A machine that has a file by its content does not ask for it again."""
    transfer = Transfer(tmp_path, is_shared=False)
    assert transfer.fetched.count("user.npy") == 2  # its pieces
    transfer.staging.clear()
    transfer.fetched.clear()
    transfer.stage(is_shared=False)
    assert transfer.fetched == []


def test_what_was_damaged_on_its_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose content is not that of its digest is used by neither side."""

    def other_content(*_: object) -> bytes:
        return b"x" * 8

    monkeypatch.setattr(RequestFiles, "piece", other_content)
    with pytest.raises(ClusterError, match="was damaged on its way to the worker"):
        Transfer(tmp_path, is_shared=False)
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "b").mkdir()
    transfer = Transfer(tmp_path / "b", is_shared=False)
    message = {"root": "output", "path": "model.bin", "offset": 0, "data": b"x", "sha256": "0" * 64}
    with pytest.raises(ClusterError, match=r"model\.bin was damaged on its way from the worker"):
        transfer.files.take(message)


@pytest.mark.parametrize("path", ["../elsewhere", "/etc/elsewhere", "a/../../elsewhere"])
def test_a_worker_writes_where_it_is_to(tmp_path: Path, path: str) -> None:
    """A path that leads out of the directories of the outputs is refused, and so are inputs."""
    transfer = Transfer(tmp_path, is_shared=False)
    message = {"path": path, "offset": 0, "data": b"x", "sha256": ""}
    with pytest.raises(ClusterError, match="outside of what it was to write"):
        transfer.files.take({**message, "root": "output"})
    with pytest.raises(ClusterError, match="outside of what it was to write"):
        transfer.files.take({**message, "root": "dataset", "path": "manifest.json"})


@pytest.mark.parametrize("is_shared", [True, False], ids=["path", "content"])
def test_requests_for_snapshots_are_passed_on(tmp_path: Path, *, is_shared: bool) -> None:
    """What the submitter writes for the guest is where that looks, once."""
    transfer = Transfer(tmp_path, is_shared=is_shared)
    assert transfer.files.take_ask() == ""
    Path(transfer.request["snapshots"]["ask"]).write_text("stop")
    transfer.staging.ask(transfer.files.take_ask())
    assert Path(transfer.there["snapshots"]["ask"]).read_text() == "stop"
    assert transfer.files.take_ask() == ""

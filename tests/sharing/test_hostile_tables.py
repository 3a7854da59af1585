"""A published table that was made by hand to do harm: checksums, digests and sizes are right, what they are of is not."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.shared_items import assert_sound, key_of, lists, record_item

from omnibench.sharing.addresses import location_of
from omnibench.sharing.layout import entry_path, file_path
from omnibench.sharing.publishing import publish
from omnibench.sharing.sources import PublishedSource, StoreSource
from omnibench.sharing.taking import Outcome, take_over
from omnibench.store import CheckpointStore
from omnibench.store.schema import Record
from omnibench.store.sealing import seal

Change = Callable[[str, Record], None]


class Marking:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Two published items, of which A is going to be changed."""
    with closing(CheckpointStore(tmp_path / "eves")) as store:
        record_item(store, "A", metrics={"NDCG@10": 0.25})
        record_item(store, "B", metrics={"NDCG@10": 0.5}, predictions=2)
    source = StoreSource(tmp_path / "eves")
    publish(source, location_of(tmp_path / "table"), source.fit_keys(), "all")
    return tmp_path / "table"


def change(table: Path, alter: Change) -> None:
    """Change records of A in what is published, and seal them again."""
    path = table / entry_path(key_of("A"))
    sealed = []
    for line in path.read_text().splitlines():
        key, _, text = line.partition("\t")
        record = json.loads(text)
        alter(key, record)
        sealed.append(f"{key}\t{seal(key, record)}\n")
    path.write_text("".join(sealed))


def put(table: Path, content: bytes) -> dict[str, Any]:
    """Publish a file, and return what a record says of it but its path."""
    digest = hashlib.sha256(content).hexdigest()
    path = table / file_path(digest)
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_bytes(content)
    return {"sha256": digest, "size": len(content)}


def pull(table: Path, own: Path, *, models: bool = False) -> Outcome:
    with closing(CheckpointStore(own)) as store:
        source = PublishedSource(location_of(table))
        return take_over(store, source, [key_of("A"), key_of("B")], models=models)


def assert_refused(outcome: Outcome, own: Path) -> None:
    """Assert that A left nothing behind, and that B came all the same."""
    assert (len(outcome.refused), len(outcome.gained)) == (1, 1)
    with closing(CheckpointStore(own)) as store:
        assert not [key for key in store.snapshot() if key_of("A") in key]
    assert_sound(own)


def header(shape: str, dtype: str = "<i4") -> bytes:
    """The beginning of a file of an array that claims a shape."""
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}}}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def objects() -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([Marking(Path("/nonexistent"))], dtype=object), allow_pickle=True)
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        header("(1000000000, 1000000000)") + b"\0" * 8,
        header("(99999999999999999999999, 4)") + b"\0" * 8,
        header("(-1, -8)") + b"\0" * 32,
        header("(2,)", "|O") + b"\0" * 16,
        header("__import__('os').getpid()") + b"\0" * 16,
        b"\x93NUMPY\x02\x00" + (2**31).to_bytes(4, "little") + b"{",
        b"PAR1" + b"\0" * 100,
        pickle.dumps(Marking(Path("/nonexistent"))),
        objects(),
        b"",
        lists(1) + b"and more",
    ],
    ids=["huge", "overflowing", "negative", "objects", "code", "long", "cut", "pickle", "pickled", "empty", "longer"],
)
@pytest.mark.parametrize("member", ["predictions", "per_user"])
def test_files_that_are_no_arrays_are_refused(table: Path, tmp_path: Path, member: str, content: bytes) -> None:
    """Though their digests and sizes are those of their records; nothing is unpickled, and no memory is taken for a claim."""
    artifact = put(table, content)

    def alter(key: str, record: Record) -> None:
        if key.startswith({"predictions": "predict/", "per_user": "eval/"}[member]):
            record[member] |= artifact

    change(table, alter)
    assert_refused(pull(table, tmp_path / "own"), tmp_path / "own")


@pytest.mark.parametrize(
    ("size", "path"),
    [
        (10**15, None),
        (-1, None),
        (2**70, None),
        (1, None),
        (None, "../../../outside.npy"),
        (None, "/outside.npy"),
        (None, "D/A/fold_0/../../../../outside.npy"),
        (None, ""),
        (None, "x\0.npy"),
        (None, "."),
    ],
)
def test_claims_of_records_are_not_believed(table: Path, tmp_path: Path, size: int | None, path: str | None) -> None:
    """Sizes that no disk has, or that are not the file's, and paths that lead elsewhere."""

    def alter(key: str, record: Record) -> None:
        if key.startswith("predict/"):
            claimed = {"size": size, "path": path}
            record["predictions"] |= {name: value for name, value in claimed.items() if value is not None}

    change(table, alter)
    assert_refused(pull(table, tmp_path / "own"), tmp_path / "own")
    assert not list(tmp_path.rglob("outside*"))


def test_a_file_that_is_a_link_or_a_pipe_is_refused(table: Path, tmp_path: Path) -> None:
    """What a link leads to is no part of the table, and who opens a pipe would wait for ever."""
    import os

    text = (table / entry_path(key_of("A"))).read_text()
    predictions = next(path for path in table.rglob("files/*/*") if path.read_bytes() == lists(1) and path.name in text)
    content = predictions.read_bytes()
    (tmp_path / "secret").write_bytes(content)
    predictions.unlink()
    predictions.symlink_to(tmp_path / "secret")
    assert_refused(pull(table, tmp_path / "own"), tmp_path / "own")
    predictions.unlink()
    os.mkfifo(predictions)
    assert_refused(pull(table, tmp_path / "again"), tmp_path / "again")


def test_a_model_is_not_loaded_by_who_pulls_it(table: Path, tmp_path: Path) -> None:
    """Unless asked for it stays there; asked for, it is a file like others, which nobody has run so far."""
    trap = put(table, pickle.dumps(Marking(tmp_path / "sprung")))

    def alter(key: str, record: Record) -> None:
        if key.startswith("fit/"):
            record["model"] |= trap

    change(table, alter)
    assert (pull(table, tmp_path / "own").models, list((tmp_path / "own").rglob("*.pkl"))) == (2, [])
    assert len(pull(table, tmp_path / "own", models=True).extended) == 2
    assert_sound(tmp_path / "own")
    assert not (tmp_path / "sprung").exists()

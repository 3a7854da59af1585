"""Published items in a bucket: a real client of s3 and a real server of its protocol, on the loopback interface."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support.projects import Project
from support.shared_items import assert_sound, key_of, record_item

from omnibench.commands.main import main
from omnibench.errors import SharingError
from omnibench.sharing.addresses import location_of
from omnibench.sharing.layout import INDEX, MARKER, entry_path
from omnibench.sharing.publishing import publish
from omnibench.sharing.sources import PublishedSource, StoreSource
from omnibench.sharing.taking import take_over
from omnibench.store import CheckpointStore

s3fs = pytest.importorskip("s3fs", reason="s3 is reached by s3fs, which is not installed")
moto_server = pytest.importorskip("moto.server", reason="moto[server], a server of s3's protocol, is not installed")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """The address of a server that has no bucket yet."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty bucket of this test, reached as its users' variables say."""
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "ann",
        "AWS_SECRET_ACCESS_KEY": "s3cret-word",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    name = f"bucket-{uuid.uuid4().hex}"
    s3fs.S3FileSystem().mkdir(name)
    return name


@pytest.fixture
def anns(tmp_path: Path) -> Path:
    """A store with two items."""
    with closing(CheckpointStore(tmp_path / "anns")) as store:
        record_item(store, "A", metrics={"NDCG@10": 0.25})
        record_item(store, "B", metrics={"NDCG@10": 0.5}, predictions=2)
    return tmp_path / "anns"


def published(store: Path, address: str, extent: str = "results") -> Any:
    source = StoreSource(store)
    return publish(source, location_of(address), source.fit_keys(), extent)


def test_items_go_into_a_bucket_and_come_out_of_it(bucket: str, anns: Path, tmp_path: Path) -> None:
    """Published, published again, completed with lists, pulled; a text that was cut off costs its item alone."""
    address = f"s3://{bucket}/shop"
    assert len(published(anns, address).new) == 2
    assert (published(anns, address).equal, published(anns, address).files) == (2, 0)
    assert len(published(anns, address, "predictions").extended) == 2
    files = s3fs.S3FileSystem()
    assert sorted(path.split("/")[2] for path in files.ls(f"{bucket}/shop")) == sorted(
        ["files", "items", INDEX, MARKER]
    )
    entry = f"{bucket}/shop/{entry_path(key_of('B'))}"
    files.pipe_file(entry, files.cat_file(entry)[:-100])
    source = PublishedSource(location_of(address))
    assert sorted(source.fit_keys() or ()) == sorted(map(key_of, "AB"))
    with closing(CheckpointStore(tmp_path / "own")) as own:
        outcome = take_over(own, source, [key_of(name) for name in "ABC"])
        assert (len(outcome.gained), outcome.absent, list(outcome.refused)) == (1, 1, [key_of("B")])
        assert own.snapshot()[f"taken/{key_of('A')}"]["marks"][0]["from"] == address
    assert_sound(tmp_path / "own")


def test_what_others_have_published_since_is_seen(bucket: str, anns: Path, tmp_path: Path) -> None:
    """In one session: what a bucket had a minute ago is not taken for what it has."""
    address = f"s3://{bucket}/shop"
    published(anns, address)
    assert len(PublishedSource(location_of(address)).fit_keys() or ()) == 2
    with closing(CheckpointStore(tmp_path / "bens")) as store:
        record_item(store, "C", metrics={"NDCG@10": 0.75})
    others = s3fs.S3FileSystem(skip_instance_cache=True)  # as another process has it
    published(tmp_path / "bens", f"s3://{bucket}/bens")
    others.copy(f"{bucket}/bens/{entry_path(key_of('C'))}", f"{bucket}/shop/{entry_path(key_of('C'))}")
    assert len(PublishedSource(location_of(address)).fit_keys() or ()) == 3


def test_a_bucket_that_is_not_there_is_not_made(bucket: str, anns: Path) -> None:
    """A slip of the pen in its name is an error of publishing, as of pulling, and no secret is shown."""
    for address in (f"s3://{bucket}x/shop", f"s3://{bucket}x"):
        with pytest.raises(SharingError, match="bucket does not exist"):
            published(anns, address)
        with pytest.raises(SharingError, match="nothing is published") as raised:
            PublishedSource(location_of(address))
        assert "s3cret" not in str(raised.value)
    assert not s3fs.S3FileSystem(skip_instance_cache=True).exists(f"{bucket}x")


def test_a_run_takes_over_what_is_in_a_bucket(
    bucket: str, project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """``omnibench publish s3://``, then ``--omnirec-from=s3://`` on a machine without a store: nothing is fitted."""
    root = project.pytester.path
    project.bench()
    project.first_run()
    assert main(["publish", f"s3://{bucket}/shop", "--store", str(root / "checkpoints")]) == 0
    assert f"s3://{bucket}/shop: 2 items published" in capsys.readouterr().out
    (root / "checkpoints").rename(root / "anns")
    before = project.count_fits()
    result = project.run(f"--omnirec-from=s3://{bucket}/shop")
    assert result.parse_summary_nouns(result.stdout.lines) == {"cached": 2}
    result.stdout.fnmatch_lines([f"omnibench: 2 of 2 taken over from s3://{bucket}/shop"])
    assert project.count_fits() == before

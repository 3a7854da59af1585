"""Published items in a data set of Hugging Face: the hub's real client, against a server of ours that knows what it asks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support.hubs import Hub, running_hub
from support.shared_items import assert_sound, key_of, record_item, substance

from omnibench.sharing.layout import MARKER, entry_path
from omnibench.store import CheckpointStore

pytest.importorskip("fsspec", reason="hf:// is reached by fsspec, which is not installed")
pytest.importorskip("huggingface_hub", reason="hf:// is reached by huggingface_hub, which is not installed")

TABLE = "hf://datasets/ann/table"


@pytest.fixture
def hub() -> Iterator[Hub]:
    with running_hub("ann/table") as running:
        yield running


def omnibench(hub: Hub, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own: the client reads the address of its hub when it is imported."""
    variables = {**os.environ, "HF_ENDPOINT": hub.url, "HF_TOKEN": "hf_s3cret", "HF_HUB_DISABLE_TELEMETRY": "1"}
    command = [sys.executable, "-m", "omnibench", *map(str, words)]
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False)


def test_items_go_into_a_data_set_by_one_commit_and_come_out_of_it(hub: Hub, tmp_path: Path) -> None:
    """The hub counts commits: texts, files and the marker are one; done again there is none; all of it can be pulled."""
    with closing(CheckpointStore(tmp_path / "anns")) as store:
        record_item(store, "A", metrics={"NDCG@10": 0.25})
        record_item(store, "B", metrics={"NDCG@10": 0.5}, predictions=2)
        expected = substance(store)
    address = f"{TABLE}/shop"
    for printed in ("2 items published, 2 files", "0 items published, 2 there already"):
        ended = omnibench(hub, "publish", address, "--store", tmp_path / "anns")
        assert (ended.returncode, ended.stderr) == (0, "")
        assert printed in ended.stdout
    (commit,) = hub.commits
    assert {f"shop/{MARKER}", f"shop/{entry_path(key_of('A'))}"} < set(commit)
    ended = omnibench(hub, "pull", address, "--all", "--into", tmp_path / "own")
    assert (ended.returncode, "2 items taken over" in ended.stdout) == (0, True), ended
    with closing(CheckpointStore(tmp_path / "own")) as own:
        assert substance(own) == expected
    assert_sound(tmp_path / "own")


def test_a_data_set_that_is_not_there_is_an_error_without_a_token_in_it(hub: Hub, tmp_path: Path) -> None:
    """Neither pulling nor publishing makes one."""
    with closing(CheckpointStore(tmp_path / "anns")) as store:
        record_item(store, "A", metrics={"NDCG@10": 0.25})
    for words in (("publish", f"{TABLE}x", "--store", tmp_path / "anns"), ("pull", f"{TABLE}x", "--all")):
        ended = omnibench(hub, *words)
        assert ended.returncode == 2
        assert f"{TABLE}x" in ended.stderr
        assert "Traceback" not in ended.stderr
        assert "s3cret" not in ended.stdout + ended.stderr
    assert hub.commits == []

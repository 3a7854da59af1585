"""The spellings of --omnirec-cluster, and what is refused before anything is connected."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from omnibench.cluster.choice import ClusterChoice
from omnibench.errors import ClusterError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("local", ClusterChoice("local")),
        ("local:3", ClusterChoice("local", 3)),
        ("slurm", ClusterChoice("slurm")),
        ("slurm:40", ClusterChoice("slurm", 40)),
        ("tcp://127.0.0.1:8786", ClusterChoice("address", target="tcp://127.0.0.1:8786")),
        ("tls://head.cluster:8786", ClusterChoice("address", target="tls://head.cluster:8786")),
        ("file:/shared/scheduler.json", ClusterChoice("file", target="/shared/scheduler.json")),
    ],
)
def test_spellings(text: str, expected: ClusterChoice) -> None:
    """Each documented spelling is read."""
    assert ClusterChoice.parse(text) == expected


@pytest.mark.parametrize(
    "text", ["", "locals", "local:0", "local:x", "slurm:-1", "tcp://host", "http://host:1", "file:"]
)
def test_other_spellings_are_refused(text: str) -> None:
    """Anything else is refused with the text, and what to give."""
    with pytest.raises(ClusterError, match=rf"the cluster is '{text}'; "):
        ClusterChoice.parse(text)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "tcp://localhost:1", "tcp://[::1]:1", "tls://far.away:1"])
def test_encrypted_or_of_this_machine(address: str) -> None:
    """An address is used if it is encrypted, or on the loopback."""
    assert ClusterChoice.parse(address).address() == address


@pytest.mark.parametrize("address", ["tcp://10.0.0.1:8786", "tcp://head.cluster:8786"])
def test_strangers_would_run_code(address: str, tmp_path: Path) -> None:
    """A scheduler off the loopback that does not encrypt is refused as soon as its address is read, also in a file."""
    with pytest.raises(ClusterError, match="whoever reaches that port runs code as you"):
        ClusterChoice.parse(address)
    file = tmp_path / "scheduler.json"
    file.write_text(json.dumps({"address": address}))
    with pytest.raises(ClusterError, match="whoever reaches that port runs code as you"):
        ClusterChoice.parse(f"file:{file}").address()


def test_a_file_that_is_none(tmp_path: Path) -> None:
    """A scheduler file that is not there, or is something else, is named with the command that writes one."""
    file = tmp_path / "scheduler.json"
    for content in (None, "[]", "nothing"):
        if content is not None:
            file.write_text(content)
        with pytest.raises(ClusterError, match=f"{file} is no scheduler file .* `dask scheduler --scheduler-file"):
            ClusterChoice.parse(f"file:{file}").address()

"""OmniRec's documentation, fetched by name, and small data sets under the names that it uses."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from support.markers import made_once

from omnibench.compat.omnirec.data_loaders import registry
from omnibench.compat.omnirec.data_loaders.base import DatasetInfo, Loader
from omnibench.compat.omnirec.settings import set_random_state
from omnibench.data.loaders import load_dataset

ARCHIVE = "omnirec-1.1.0"


@pytest.fixture(scope="session")
@made_once
def distribution(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of OmniRec 1.1.0's source distribution; skips where it cannot be had.

    None of it is in this repository: pip fetches it once, and pytest's cache keeps it.
    """
    cache: pytest.Cache | None = getattr(pytestconfig, "cache", None)  # nothing with -p no:cacheprovider
    folder = cache.mkdir("omnirec") if cache is not None else tmp_path_factory.mktemp("omnirec")
    directory = folder / ARCHIVE
    if directory.is_dir():
        return directory
    with tempfile.TemporaryDirectory(dir=folder) as partial:
        command = [sys.executable, "-m", "pip", "download", "omnirec==1.1.0", "--no-deps", "--no-binary", ":all:"]
        # It wants Python 3.12; only its texts are read.
        command += ["--ignore-requires-python", "--disable-pip-version-check", "--dest", partial]
        try:
            ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        except subprocess.TimeoutExpired:
            pytest.skip("the package index does not answer")
        if not Path(partial, f"{ARCHIVE}.tar.gz").is_file():
            pytest.skip(f"OmniRec's source distribution cannot be had: {ran.stderr.strip()[-200:]}")
        with tarfile.open(Path(partial, f"{ARCHIVE}.tar.gz")) as archive:
            members = [member for member in archive if re.match(r"[^/]+/(docs|tests)/", member.name)]
            archive.extractall(partial, members, filter="data")
        with contextlib.suppress(OSError):  # another worker was faster
            Path(partial, ARCHIVE).rename(directory)
    return directory


@pytest.fixture(scope="session")
def documentation(distribution: Path) -> Path:
    """The directory of the documentation's pages."""
    return distribution / "docs"


class FirstUsers(Loader):
    """MovieLens-100K's first 120 users: real ratings, and few enough for the frameworks to be done in seconds."""

    @staticmethod
    def info(name: str) -> DatasetInfo:
        """Return no address: the ratings are in omnibench's cache."""
        return DatasetInfo()

    @staticmethod
    def load(source_dir: Path, name: str) -> pd.DataFrame:
        """Return the ratings of the users 1 to 120."""
        frame = load_dataset("MovieLens100K").interactions().frame()
        return frame[frame["user"] <= 120].reset_index(drop=True)


class TaggedArtists(Loader):
    """Stands in for HetrecLastFM, which cannot be fetched here: its columns, few rows, times in milliseconds."""

    @staticmethod
    def info(name: str) -> DatasetInfo:
        """Return no address."""
        return DatasetInfo()

    @staticmethod
    def load(source_dir: Path, name: str) -> pd.DataFrame:
        """Return user, item and timestamp of 30 users with 20 artists each."""
        pairs = [(user, (user * 7 + number * 3) % 90) for user in range(30) for number in range(20)]
        columns = {"user": [user for user, _ in pairs], "item": [item for _, item in pairs]}
        return pd.DataFrame({**columns, "timestamp": [1_238_536_800_000 + number for number in range(len(pairs))]})


@pytest.fixture
def small_datasets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small datasets under the names MovieLens100K (real) and HetrecLastFM (a stand-in)."""
    for name, loader in {"MovieLens100K": FirstUsers, "HetrecLastFM": TaggedArtists}.items():
        monkeypatch.setitem(registry._LOADERS, name, loader)


@pytest.fixture(autouse=True)
def default_random_state() -> Iterator[None]:
    """Leave the process-wide random state as it was."""
    set_random_state()
    yield
    set_random_state()

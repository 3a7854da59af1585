"""MovieLens-100K: the real ratings, the same from wherever they come."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from support.servers import file_server

from omnibench import MakeImplicit, RawData, UserCrossValidation, load_dataset
from omnibench.announcements import Audience
from omnibench.data import movielens
from omnibench.data.catalogue import names
from omnibench.errors import DataError

SHA256_OF_U_DATA = "06416e597f82b7342361e41163890c81036900f418ad91315590814211dca490"
"""What GroupLens' u.data has, the file that recommender papers since 1998 are about."""


@pytest.fixture(scope="module")
def recbole_ratings() -> Path:
    """The ratings inside a recbole package."""
    path = movielens._find_in_recbole() or movielens._fetch_from_package_index()
    assert path is not None, "the package index could not be reached"
    return path


@pytest.fixture(scope="module")
def u_data(recbole_ratings: Path) -> bytes:
    """The same ratings as GroupLens distributes them: without recbole's header line."""
    return recbole_ratings.read_bytes().split(b"\n", 1)[1]


def test_the_recbole_package_has_the_original_ratings(u_data: bytes) -> None:
    """Its copy is GroupLens' u.data, byte for byte, but for the header."""
    assert hashlib.sha256(u_data).hexdigest() == SHA256_OF_U_DATA


def test_the_ratings_are_the_known_ones(recbole_ratings: Path) -> None:
    """100,000 ratings of 943 users for 1,682 items, from 1 to 5."""
    data = load_dataset("MovieLens100K", recbole_ratings).data
    assert isinstance(data, RawData)
    assert (len(data.df), data.df["user"].nunique(), data.df["item"].nunique()) == (100_000, 943, 1682)
    assert sorted(data.df["rating"].unique()) == [1, 2, 3, 4, 5]
    assert (data.df["timestamp"].min(), data.df["timestamp"].max()) == (874724710, 893286638)


def as_u_data(ratings: bytes, _: Path, folder: Path) -> Path:
    (folder / "u.data").write_bytes(ratings)
    return folder / "u.data"


def as_inter(_: bytes, inter: Path, folder: Path) -> Path:
    return Path(shutil.copy(inter, folder / "ml-100k.inter"))


def as_zip(ratings: bytes, _: Path, folder: Path) -> Path:
    with zipfile.ZipFile(folder / "ml-100k.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ml-100k/README", "...")
        archive.writestr("ml-100k/u.data", ratings)
    return folder / "ml-100k.zip"


def as_directory(ratings: bytes, inter: Path, folder: Path) -> Path:
    return as_u_data(ratings, inter, folder).parent


def as_outer_directory(ratings: bytes, inter: Path, folder: Path) -> Path:
    (folder / "ml-100k").mkdir()
    as_u_data(ratings, inter, folder / "ml-100k")
    return folder


def as_directory_with_zip(ratings: bytes, inter: Path, folder: Path) -> Path:
    return as_zip(ratings, inter, folder).parent


Shape = Callable[[bytes, Path, Path], Path]
SHAPES: list[Shape] = [as_u_data, as_inter, as_zip, as_directory, as_outer_directory, as_directory_with_zip]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: str(shape.__name__))
def test_every_shape_is_the_same_dataset(shape: Shape, recbole_ratings: Path, u_data: bytes, tmp_path: Path) -> None:
    """Where the ratings come from changes neither key nor frames."""
    from_package = load_dataset("MovieLens100K", recbole_ratings)
    from_shape = load_dataset("MovieLens100K", shape(u_data, recbole_ratings, tmp_path))
    assert from_package.key == from_shape.key == load_dataset("MovieLens100K").key
    assert isinstance(from_package.data, RawData)
    assert isinstance(from_shape.data, RawData)
    pd.testing.assert_frame_equal(from_package.data.df, from_shape.data.df)


def test_the_key_is_known_without_any_ratings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a package nor the network is needed to collect; and the key never changes."""
    monkeypatch.setattr(movielens, "_find_in_recbole", lambda: pytest.fail("looked into recbole"))
    monkeypatch.setattr(movielens, "_download", lambda: pytest.fail("downloaded"))
    dataset = load_dataset("MovieLens100K").pipe(MakeImplicit(3), UserCrossValidation(5))
    assert dataset.key == FROZEN


FROZEN = "45731b4cffeac563ae2640bd900e68fc5dd8dd7a360d6fd2e2c48bffb950d8ac"


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("u.data", lambda ratings: ratings.replace(b"196\t242\t3", b"196\t242\t4", 1), "does not hold the original"),
        ("u.data", lambda ratings: ratings.split(b"\n", 1)[1], "99999 ratings"),
        ("u.data", lambda ratings: ratings + ratings[:20].split(b"\n")[0] + b"\n", "100001 ratings"),
        ("u.data", lambda _: b"", "0 ratings"),
        ("u.data", lambda ratings: b"user\titem\n" + ratings, "no MovieLens-100K ratings file"),
        ("u.data", lambda _: b"1\t2\t3\t4\n1\t2\t3\t4\t5\n", "no MovieLens-100K ratings file"),
        ("u.data", lambda _: b"\xff\xfe\x00", "no MovieLens-100K ratings file"),
        ("ml-100k.zip", lambda _: b"not a zip", "no MovieLens-100K ratings file"),
        ("README", lambda _: b"", "holds neither u.data nor ml-100k.inter nor ml-100k.zip"),
    ],
)
def test_a_changed_copy_is_refused(
    name: str, change: Callable[[bytes], bytes], says: str, u_data: bytes, tmp_path: Path
) -> None:
    """One changed rating is another dataset; the error says what was found."""
    (tmp_path / name).write_bytes(change(u_data))
    with pytest.raises(DataError, match=says):
        _ = load_dataset("MovieLens100K", tmp_path).data


def test_a_zip_without_ratings_is_refused(tmp_path: Path) -> None:
    """A zip of something else is named."""
    with zipfile.ZipFile(tmp_path / "ml-100k.zip", "w") as archive:
        archive.writestr("ml-1m/ratings.dat", "")
    with pytest.raises(DataError, match="no MovieLens-100K ratings file"):
        _ = load_dataset("MovieLens100K", tmp_path / "ml-100k.zip").data


@pytest.fixture
def _without_internet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty cache, and a catalogue whose sources of MovieLens-100K are nowhere; the package index can be reached."""
    monkeypatch.setenv("OMNIBENCH_CACHE_DIR", str(tmp_path))
    serve(monkeypatch, "http://127.0.0.1:1/ml-100k.zip")


def serve(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setattr("omnibench.announcements._audience", Audience())
    entry = names.definition("MovieLens100K")
    sources = tuple(replace(source, url=url) for source in entry.sources[:1])
    monkeypatch.setattr(names, "definition", lambda _: replace(entry, sources=sources))


@pytest.mark.usefixtures("_without_internet")
def test_without_package_and_network_the_ways_out_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the download, why it failed, and what to do."""
    monkeypatch.setattr(movielens, "_find_in_recbole", lambda: None)
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_NO_CACHE", "1")
    with pytest.raises(DataError, match=r"127.0.0.1:1 cannot be reached.*path=.*package index"):
        _ = load_dataset("MovieLens100K").data


@pytest.mark.usefixtures("_without_internet")
def test_where_grouplens_is_out_of_reach_the_package_index_helps(tmp_path: Path) -> None:
    """Without any recbole package and without GroupLens, the package alone is fetched and looked into."""
    data = load_dataset("MovieLens100K").data
    assert isinstance(data, RawData)
    assert len(data.df) == 100_000
    assert movielens._find_in_recbole() == tmp_path / "datasets" / "recbole==1.2.1" / "recbole" / movielens._IN_PACKAGE


def test_the_download_is_checked_against_the_published_digest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is sent instead of the archive is not read."""
    monkeypatch.setenv("OMNIBENCH_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(movielens, "_find_in_recbole", lambda: None)
    monkeypatch.setattr(movielens, "_fetch_from_package_index", lambda: None)
    with file_server() as server:
        serve(monkeypatch, server.add("/ml-100k.zip", b"something else"))
        with pytest.raises(
            DataError, match=r"is not the published one: its sha256 is .*, that one's 50d2a982.*OmniRec 1.1.0"
        ):
            _ = load_dataset("MovieLens100K").data


def test_an_archive_that_an_earlier_omnibench_has_downloaded_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, u_data: bytes, recbole_ratings: Path
) -> None:
    """It lies beside the folders of the data sets."""
    (tmp_path / "datasets").mkdir()
    as_zip(u_data, recbole_ratings, tmp_path / "datasets")
    monkeypatch.setenv("OMNIBENCH_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(movielens, "_find_in_recbole", lambda: None)
    monkeypatch.setattr(movielens, "_download", lambda: pytest.fail("downloaded"))
    data = load_dataset("MovieLens100K").data
    assert isinstance(data, RawData)
    assert len(data.df) == 100_000


def test_loading_imports_no_framework(recbole_ratings: Path) -> None:
    """The ratings are read out of the recbole package without importing it, or torch."""
    code = f"""
import sys
sys.path.append({str(recbole_ratings.parents[3])!r})
from omnibench import load_dataset
assert len(load_dataset("MovieLens100K").data.df) == 100_000
print(sorted(name for name in sys.modules if name.split(".")[0] in ("recbole", "torch")))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

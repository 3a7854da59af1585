"""``load_dataset`` of a catalogue whose sources are a server on this machine: fetched, checked, read once, kept."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import sys
import threading
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from support.catalogues import SHOP, begin_project, define
from support.servers import (
    FileServer,
    Handler,
    breaking_off,
    claiming,
    etag,
    file_server,
    page,
    refusing,
    whole_or_range,
)

from omnibench import CorePruning, UserHoldout, from_file, load_dataset
from omnibench.data.catalogue import source
from omnibench.data.catalogue.fetching import fetch_data
from omnibench.data.catalogue.folders import DataFolder
from omnibench.data.catalogue.names import definition
from omnibench.data.dataset import RawData, SplitData
from omnibench.errors import DataError


@pytest.fixture(scope="module")
def running() -> Iterator[FileServer]:
    with file_server() as server:
        yield server


@pytest.fixture
def server(running: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FileServer:
    """A server without files, an empty cache, and a project that has definitions of its own."""
    begin_project(tmp_path, monkeypatch)
    return running.cleared()


def frame(name: str = "Shop", path: Path | None = None) -> pd.DataFrame:
    data = load_dataset(name, path).data
    assert isinstance(data, RawData)
    return data.df


def folder() -> Path:
    (path,) = (path for path in Path("cache", "datasets").iterdir() if path.name.startswith("Shop"))
    return path


def raw_files() -> list[str]:
    return sorted(path.name for path in folder().iterdir() if not path.name.startswith(("content-", ".", "files.json")))


def zipped(content: bytes, member: str = "shop/ratings.dat") -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("shop/README", "...")
        file.writestr(member, content)
    return archive.getvalue()


def test_a_data_set_is_downloaded_and_read_once(server: FileServer) -> None:
    """Its key is that of the same rows in a file; a second use asks nobody and parses nothing."""
    define(server.add("/shop.zip", zipped(SHOP)), member="shop/ratings.dat")
    dataset = load_dataset("Shop")
    assert server.requests == []
    Path("shop.csv").write_bytes(b"user,item,rating,timestamp\n" + SHOP.replace(b"::", b","))
    local = from_file("shop.csv")
    assert dataset.key == local.key
    assert dataset.pipe(CorePruning(2)).key == local.pipe(CorePruning(2)).key
    pd.testing.assert_frame_equal(frame(), local.data.df)  # type: ignore[union-attr]
    assert len(server.requests) == 1
    assert raw_files() == ["shop.zip"]


def test_what_was_read_is_kept_without_the_raw_file_and_without_a_network(server: FileServer) -> None:
    """Whoever removes a large download to save room loses nothing; another project finds what this one read."""
    define(server.add("/shop.dat", SHOP))
    key = load_dataset("Shop").key
    (folder() / "shop.dat").unlink()
    server.contents.clear()
    assert load_dataset("Shop").key == key
    assert len(frame()) == 5
    assert len(server.requests) == 1


def test_ids_are_those_of_the_file(server: FileServer) -> None:
    """Texts stay texts, with their zeros, through the arrays that are kept; whole columns of integers are integers."""
    define(server.add("/shop.dat", b"007::1::3::1\n7::2::3::1\n"))
    for _ in range(2):
        assert frame()["user"].tolist() == ["007", "7"]
        assert frame()["item"].tolist() == [1, 2]


@pytest.mark.parametrize("bad", [refusing(404), refusing(500), page, claiming(10**6), breaking_off(99, 0)])
def test_the_next_mirror_is_asked_where_one_fails(bad: object, server: FileServer) -> None:
    """Whatever is wrong with it; the file of the second has the name and the reader that it says."""
    first = server.add("/shop.dat", SHOP, bad)  # type: ignore[arg-type]
    second = server.add("/mirror/shop.csv", b"user,item\n" + b"5,x\n6,y\n")
    table = f'[[sources]]\nurl = "{second}"\n[sources.reader]\nformat = "table"\nseparator = ","\nheader = true\n'
    define(first, table + 'columns = { user = "user", item = "item" }\n')
    assert frame()["item"].tolist() == ["x", "y"]
    assert raw_files() == ["shop.csv"]


def test_a_wrong_digest_is_no_file(server: FileServer, capsys: pytest.CaptureFixture[str]) -> None:
    """A mirror that sends something else is left for the next one; where all do, both digests are said, nothing is kept."""
    digest = hashlib.sha256(SHOP).hexdigest()
    bad, good = server.add("/bad/shop.dat", SHOP[:-2]), server.add("/good/shop.dat", SHOP)
    define(bad, good, sha256=digest, evidence="its makers")
    assert len(frame()) == 5
    assert (
        f"sha256 is {hashlib.sha256(SHOP[:-2]).hexdigest()}, that one's {digest} (its makers)"
        in capsys.readouterr().err
    )
    define(bad, name="Shop2", md5="0" * 32, evidence="its makers")
    with pytest.raises(
        DataError, match=r"is not the published one: its md5 is [0-9a-f]{32}, that one's 0{32} \(its makers\)"
    ):
        frame("Shop2")
    assert not list(Path("cache", "datasets").glob("Shop2*/shop.dat*"))


def test_a_published_digest_saves_a_file_whose_length_is_said_wrongly(server: FileServer) -> None:
    """The server promises more than it has, but all is there."""
    define(
        server.add("/shop.dat", SHOP, claiming(len(SHOP) + 7)),
        sha256=hashlib.sha256(SHOP).hexdigest(),
        evidence="its makers",
    )
    assert len(frame()) == 5


def test_a_file_whose_halves_are_of_two_versions_is_fetched_anew(server: FileServer) -> None:
    """Where the server has not noticed itself, the digest does."""
    define(
        server.add("/shop.dat", SHOP, breaking_off(1, 10)),
        sha256=hashlib.sha256(SHOP).hexdigest(),
        evidence="its makers",
    )
    load_dataset("Shop")
    target = Path("cache", "datasets", "x")
    target.parent.mkdir(parents=True)
    own = DataFolder.of(definition("Shop")).path
    own.mkdir()
    (own / "shop.dat.partial").write_bytes(b"something else")
    (own / "shop.dat.partial.version").write_text(json.dumps({"url": f"{server.url}/shop.dat", "validator": "any"}))
    assert len(frame()) == 5


def test_another_file_than_at_the_first_use_is_refused_until_it_is_accepted(server: FileServer) -> None:
    """Nobody has published its digest, so that of the first use counts; the message says how the new one is taken."""
    define(server.add("/shop.dat", SHOP))
    key = load_dataset("Shop").key
    for path in folder().glob("content-*"):
        path.unlink()
    (folder() / "shop.dat").unlink()
    server.contents["/shop.dat"] = SHOP + b"9::z::1::50\n"
    with pytest.raises(DataError, match=r"first used here, on \d{4}-.*`omnibench data fetch Shop --accept-changed`"):
        _ = load_dataset("Shop").key
    fetch_data(definition("Shop"), accept_changed=True)
    assert load_dataset("Shop").key != key
    assert len(frame()) == 6


def test_a_truncated_file_is_not_what_counts_from_then_on(server: FileServer) -> None:
    """Nobody can know its digest before it is read: the message says what to remove, and the whole one is taken."""
    define(server.add("/shop.zip", zipped(SHOP)[:-40]), member="shop/ratings.dat")
    with pytest.raises(DataError, match=r"the download may be to blame: remove .*shop.zip, and run again"):
        frame()
    server.contents["/shop.zip"] = zipped(SHOP)
    (folder() / "shop.zip").unlink()
    assert len(frame()) == 5


def test_a_changed_file_that_is_accepted_is_read(server: FileServer) -> None:
    """Also where what was read of the earlier one is still there."""
    define(server.add("/shop.dat", SHOP))
    key = load_dataset("Shop").key
    (folder() / "shop.dat").write_bytes(SHOP[:24])
    fetch_data(definition("Shop"), accept_changed=True)
    assert load_dataset("Shop").key != key
    assert len(frame()) == 2


def test_a_raw_file_that_somebody_has_changed_is_refused(server: FileServer) -> None:
    """As long as it would have to be read again."""
    define(server.add("/shop.dat", SHOP))
    _ = load_dataset("Shop").key
    (folder() / "shop.dat").write_bytes(SHOP[:12])
    assert len(frame()) == 5
    for path in folder().glob("content-*"):
        path.unlink()
    with pytest.raises(DataError, match=r"shop.dat is not the one that was first used here"):
        frame()


def test_counts_that_differ_are_said_with_both_numbers(server: FileServer) -> None:
    """Once in a process, also where the rows are kept from before; rounded ones may differ in their last digits."""
    counts = "[counts]\nusers = 3\nitems = 4\ninteractions = 6\npairs = 5\nevidence = 'the paper'\n"
    define(server.add("/shop.dat", SHOP), more=counts)
    says = (
        r"Shop is not as large as its definition says: 4 items are expected, and 3 were read; 6 interactions are expected, and "
        r"5 were read \(who counted: the paper\)"
    )
    with pytest.warns(UserWarning, match=says):
        frame()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame()
    source._warned.clear()
    with pytest.warns(UserWarning, match="4 items are expected"):
        _ = load_dataset("Shop").key
    define(server.add("/shop.dat", SHOP), more=counts.replace("6", "10").replace("4", "3") + "rounded = true\n")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame()


def test_terms_are_accepted_once(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first request; the message has the terms and how to accept them; what is accepted is remembered."""
    terms = '[licence]\nname = "No commercial use"\nurl = "https://shop.example/terms"\naccept = true\n'
    define(server.add("/shop.dat", SHOP), more=terms)
    with pytest.raises(DataError, match=r"No commercial use \(https://shop.example/terms\).*--accept-licence.*=Shop"):
        _ = load_dataset("Shop").key
    assert server.requests == []
    monkeypatch.setenv("OMNIBENCH_ACCEPT_LICENCES", "Other,Shop")
    _ = load_dataset("Shop").key
    monkeypatch.delenv("OMNIBENCH_ACCEPT_LICENCES")
    define(server.add("/b/shop.dat", SHOP), name="Shop2", more=terms)
    assert len(frame("Shop2")) == 5


def test_a_data_set_that_people_fetch_says_what_goes_where(server: FileServer) -> None:
    """The page, the file and the folder; and once it is there, it is read, or from wherever the path says."""
    define("https://shop.example/", file="archive.zip", member="shop/ratings.dat", manual="Sign in and press Download.")
    with pytest.raises(DataError, match="can only be fetched by hand") as caught:
        frame()
    for part in (
        "Sign in and press Download.",
        "https://shop.example/",
        "archive.zip",
        str(folder().absolute()),
        "path=",
    ):
        assert part in str(caught.value)
    assert server.requests == []
    Path("elsewhere.zip").write_bytes(zipped(SHOP))
    key = load_dataset("Shop", "elsewhere.zip").key
    (folder() / "archive.zip").write_bytes(zipped(SHOP))
    assert load_dataset("Shop").key == key


@pytest.mark.usefixtures("server")
def test_data_sets_that_are_read_from_one_file_share_it() -> None:
    """Whoever has put it into the folder of one of them has it for all; removing one leaves the others theirs."""
    events = (
        "timestamp,visitorid,event,itemid,transactionid\n1433221332117,7,view,1,\n1433221332118,8,transaction,2,5\n"
    )
    whole = DataFolder.of(definition("RetailRocket")).path
    whole.mkdir(parents=True)
    (whole / "archive.zip").write_bytes(zipped(events.encode(), "events.csv"))
    with pytest.warns(UserWarning, match="RetailRocketViews is not as large"):
        assert frame("RetailRocketViews")["user"].tolist() == [7]
    (whole / "archive.zip").unlink()
    with pytest.warns(UserWarning, match="RetailRocketTransactions is not as large"):
        assert frame("RetailRocketTransactions")["user"].tolist() == [8]


def as_published(path: Path) -> Path:
    (path / "shop.zip").write_bytes(zipped(SHOP))
    return path / "shop.zip"


def as_folder(path: Path) -> Path:
    return as_published(path).parent


def as_member(path: Path) -> Path:
    (path / "ratings.dat").write_bytes(SHOP)
    return path / "ratings.dat"


def as_unpacked(path: Path) -> Path:
    (path / "shop").mkdir()
    return as_member(path / "shop").parents[1]


@pytest.mark.parametrize("form", [as_published, as_folder, as_member, as_unpacked])
def test_a_copy_of_ones_own_has_the_same_key(form: object, server: FileServer, tmp_path: Path) -> None:
    """As it was published, unpacked, or in a folder; nobody is asked for anything."""
    define(f"{server.url}/shop.zip", member="shop/ratings.dat")
    copy = tmp_path / "copy"
    copy.mkdir()
    Path("shop.csv").write_bytes(b"user,item,rating,timestamp\n" + SHOP.replace(b"::", b","))
    assert load_dataset("Shop", form(copy)).key == from_file("shop.csv").key  # type: ignore[operator]
    assert server.requests == []


def test_every_member_of_an_unpacked_archive_is_read(server: FileServer, tmp_path: Path) -> None:
    """As of the archive itself, where a pattern names several."""
    define(f"{server.url}/shop.zip", member="shop/part_*.dat")
    for folder in (tmp_path / "shop", tmp_path / "flat"):
        folder.mkdir()
        (folder / "part_1.dat").write_bytes(SHOP[:24])
        (folder / "part_2.dat").write_bytes(SHOP[24:])
    define(server.add("/whole.dat", SHOP), name="Whole")
    assert load_dataset("Shop", tmp_path).key == load_dataset("Whole").key
    assert load_dataset("Shop", tmp_path / "flat").key == load_dataset("Whole").key


def test_a_published_split_is_the_split_of_the_data_set(server: FileServer) -> None:
    """Its parts are those of its files; a second split is refused, and counts are those of all parts together."""
    reader = '[reader]\nformat = "adjacency"\nuser = "first"\n'
    tables = [
        f'[[sources]]\nurl = "{server.add(f"/{part}.txt", content)}"\npart = "{part}"\n'
        for part, content in (("train", b"1 10 11\n2 10 12\n3 11\n"), ("test", b"1 12\n2 11\n"))
    ]
    counts = "[counts]\nusers = 3\nitems = 3\ninteractions = 7\npairs = 7\nevidence = 'the paper'\n"
    define(*tables, reader=reader, more=counts)
    dataset = load_dataset("Shop")
    assert dataset.source.columns == ("user", "item")
    assert server.requests == []
    data = dataset.data
    assert isinstance(data, SplitData)
    assert data.test.to_numpy().tolist() == [[1, 12], [2, 11]]
    assert len(data.train) == 5
    with pytest.raises(DataError, match="split"):
        dataset.pipe(UserHoldout(validation_size=0.1, test_size=0.2))
    copy = Path("copy")
    copy.mkdir()
    for path in folder().glob("*.txt"):
        path.rename(copy / path.name)
    assert load_dataset("Shop", copy).key == dataset.key
    with pytest.raises(DataError, match=r"of 2 parts \(train, test\).*give the folder that has test.txt, train.txt"):
        _ = load_dataset("Shop", "pyproject.toml").key


def test_a_test_part_that_nobody_has_is_the_validation_part(server: FileServer) -> None:
    """As people use MIND, whose makers keep the test part to themselves."""
    reader = '[reader]\nformat = "adjacency"\nuser = "first"\n'
    tables = [
        f'[[sources]]\nurl = "{server.add(f"/{part}.txt", content)}"\npart = "{part}"\n'
        for part, content in (("train", b"1 10 11\n2 10 12\n"), ("validation", b"1 12\n2 11\n"))
    ]
    define(*tables, reader=reader)
    data = load_dataset("Shop").data
    assert isinstance(data, SplitData)
    assert len(data.test) == 2
    assert len(data.validation) == 0


def test_a_folder_without_the_file_says_what_it_lacks(server: FileServer, tmp_path: Path) -> None:
    """By the names that would do."""
    define(f"{server.url}/shop.zip", member="shop/ratings.dat")
    with pytest.raises(DataError, match=r"has no shop.zip or ratings.dat"):
        _ = load_dataset("Shop", tmp_path / "data").key


def test_without_a_network_that_is_said_at_once(server: FileServer) -> None:
    """With every source and what is wrong with it, and where a file from elsewhere goes."""
    define("http://127.0.0.1:1/shop.dat", "http://nowhere.invalid/shop.dat")
    with pytest.raises(DataError, match=r"127.0.0.1:1 cannot be reached.*; nowhere.invalid .*put shop.dat into"):
        frame()
    assert server.requests == []


def test_a_broken_array_file_is_not_believed(server: FileServer) -> None:
    """It is what results are made of, so its digest is compared."""
    define(server.add("/shop.dat", SHOP))
    _ = load_dataset("Shop").key
    (arrays,) = folder().glob("*.arrow")
    content = bytearray(arrays.read_bytes())
    content[len(content) // 2] ^= 1
    arrays.write_bytes(content)
    with pytest.raises(DataError, match="has changed since omnibench has written it; remove it"):
        frame()
    arrays.unlink()
    assert len(frame()) == 5


def test_a_cache_that_cannot_be_written_is_named(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the variable that names another; what is in it already can be used."""
    define(server.add("/shop.dat", SHOP))
    key = load_dataset("Shop").key

    def refused(path: object, *_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("omnibench.data.downloads.locks.os.open", refused)
    assert load_dataset("Shop").key == key
    define(server.add("/other.dat", SHOP), name="Other")
    with pytest.raises(
        DataError, match=r"Other: .*\.lock cannot be written \(Permission denied\).*OMNIBENCH_CACHE_DIR"
    ):
        _ = load_dataset("Other").key


def test_a_disk_that_is_full_is_said(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the rows cannot be kept; the next attempt needs no download."""
    define(server.add("/shop.dat", SHOP))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "content.arrow")

    with monkeypatch.context() as patch:
        patch.setattr("omnibench.data.catalogue.contents.write_arrays", full)
        with pytest.raises(
            DataError, match=r"Shop: content.arrow cannot be written \(No space left on device\); free some"
        ):
            _ = load_dataset("Shop").key
    assert len(frame()) == 5
    assert len(server.requests) == 1


@pytest.mark.slow
def test_several_processes_download_and_read_once(server: FileServer) -> None:
    """The others wait for the first, and say so."""
    define(server.add("/shop.dat", SHOP))
    code = "from omnibench import load_dataset; print(load_dataset('Shop').key)"
    processes = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    outputs = [process.communicate() for process in processes]
    assert len({out for out, _ in outputs}) == 1
    assert len(server.requests) == 1
    assert sum("this once" in err for _, err in outputs) == 1


@pytest.mark.slow
def test_who_waits_goes_on_where_a_killed_process_was(server: FileServer) -> None:
    """The lock is free when its process ends, however; what it has downloaded is not downloaded again."""
    begun, end = threading.Event(), threading.Event()

    def stalling(handler: Handler, content: bytes) -> None:
        if "Range" in handler.headers:
            whole_or_range(handler, content)
            return
        handler.reply(200, content[:40], ETag=etag(content), Content_Length=str(len(content)))
        begun.set()
        end.wait(60)

    define(server.add("/shop.dat", SHOP, stalling))
    command = [sys.executable, "-c", "from omnibench import load_dataset; print(len(load_dataset('Shop').data.df))"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as killed:
        assert begun.wait(60)
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as waiting:
            assert waiting.stderr is not None
            assert "waiting for another process, which fetches or reads Shop" in waiting.stderr.readline()
            killed.kill()
            output, _ = waiting.communicate()
    end.set()
    assert output == "5\n"
    assert [requested for _, _, requested in server.requests] == ["", "bytes=40-"]


def test_a_compressed_file_is_read_as_it_is(server: FileServer) -> None:
    """Also one that is not, in spite of its name, as Behance's."""
    define(server.add("/shop.dat.gz", gzip.compress(SHOP)))
    assert len(frame()) == 5
    define(server.add("/plain/shop.dat.gz", SHOP), name="Plain")
    assert len(frame("Plain")) == 5


def test_names_that_nobody_has_or_several_are_refused(server: FileServer) -> None:
    """Near names are proposed, variants listed with their sizes, and aliases are what they stand for."""
    with pytest.raises(DataError, match="did you mean 'MovieLens1M'"):
        load_dataset("MovieLens1m")
    with pytest.raises(DataError, match="none named ''"):
        load_dataset("")
    with pytest.raises(DataError, match=r"several data sets.*GowallaCheckins \(6,442,892 interactions\); Gowalla_m1"):
        load_dataset("Gowalla")
    assert load_dataset("ml-1m").name == "MovieLens1M"
    assert load_dataset("ml-100k").key == load_dataset("MovieLens100K").key
    assert server.requests == []

"""``omnibench data fetch`` and ``check``, with a server on this machine."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.catalogues import READER, SHOP, begin_project, define
from support.servers import FileServer, file_server, page, refusing

from omnibench import load_dataset
from omnibench.commands.main import main


@pytest.fixture(scope="module")
def running() -> Iterator[FileServer]:
    with file_server() as server:
        yield server


@pytest.fixture
def server(running: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FileServer:
    """A server without files, an empty cache, and a project that has definitions of its own."""
    begin_project(tmp_path, monkeypatch)
    return running.cleared()


def test_fetch_reads_into_the_cache(server: FileServer, capsys: pytest.CaptureFixture[str]) -> None:
    """It says what was fetched, its digest, and how large the data set is; a run later asks nobody."""
    define(server.add("/shop.dat", SHOP))
    assert main(["data", "fetch", "Shop"]) == 0
    output = capsys.readouterr()
    assert re.search(r"shop.dat, 60 bytes, sha256 [0-9a-f]{16}..., nobody has published a digest", output.out)
    assert "3 users, 3 items, 5 interactions" in output.out
    assert "omnibench: downloading shop.dat from 127.0.0.1" in output.err
    server.contents.clear()
    assert len(load_dataset("Shop").interactions()) == 5


def test_fetch_into_a_directory_keeps_the_raw_file(server: FileServer, capsys: pytest.CaptureFixture[str]) -> None:
    """The line that it prints reads it, without the network and the cache."""
    define(server.add("/shop.dat", SHOP))
    assert main(["data", "fetch", "Shop", "--directory", "raw"]) == 0
    assert Path("raw", "Shop", "shop.dat").read_bytes() == SHOP
    server.contents.clear()
    (call,) = re.findall(r"load_dataset\(.*\)", capsys.readouterr().out)
    assert len(eval(call).interactions()) == 5
    assert main(["data", "fetch", "Shop", "--directory", "raw"]) == 0
    assert len(server.requests) == 1


def test_fetch_goes_on_behind_a_data_set_that_cannot_be_had(
    server: FileServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit status is 1 where some are missing, 2 where all are."""
    define(server.add("/shop.dat", SHOP))
    define(server.url + "/gone.dat", name="Gone")
    assert main(["data", "fetch", "Gone", "Shop"]) == 1
    output = capsys.readouterr()
    assert "Gone is not in the cache, and cannot be downloaded" in output.err
    assert "5 interactions" in output.out
    assert main(["data", "fetch", "Gone"]) == 2


def test_fetch_accepts_terms_and_changed_files_where_it_is_told_to(
    server: FileServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Terms once, and a file that is another one than before."""
    terms = '[licence]\nname = "No sale"\nurl = "https://shop.example/terms"\naccept = true\n'
    define(server.add("/shop.dat", SHOP), more=terms)
    assert main(["data", "fetch", "Shop"]) == 2
    assert "No sale" in capsys.readouterr().err
    assert main(["data", "fetch", "Shop", "--accept-licence"]) == 0
    assert main(["data", "fetch", "Shop"]) == 0
    (folder,) = Path("cache", "datasets").glob("Shop*")
    (folder / "shop.dat").unlink()
    server.contents["/shop.dat"] = SHOP[:24]
    assert main(["data", "fetch", "Shop"]) == 2
    assert "not the one that was first used here" in capsys.readouterr().err
    assert main(["data", "fetch", "Shop", "--accept-changed"]) == 0
    assert "2 interactions" in capsys.readouterr().out


@pytest.mark.parametrize(("answer", "status"), [("y\n", 0), ("Yes\n", 0), ("\n", 2), ("", 2)])
def test_fetch_asks_on_a_terminal(
    answer: str, status: int, server: FileServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the terms and their address; only a yes is one."""
    terms = '[licence]\nname = "No sale"\nurl = "https://shop.example/terms"\naccept = true\n'
    define(server.add("/shop.dat", SHOP), more=terms)

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal(answer))
    monkeypatch.setattr("sys.stderr", Terminal())
    monkeypatch.setenv("TERM", "dumb")
    assert main(["data", "fetch", "Shop"]) == status
    assert isinstance(sys.stderr, Terminal)
    asked = sys.stderr.getvalue()
    assert "Shop has terms: No sale (https://shop.example/terms)" in asked
    assert "do you accept them? [y/N]" in asked
    assert ("5 interactions" in capsys.readouterr().out) is (status == 0)


def test_check_asks_every_source(server: FileServer, capsys: pytest.CaptureFixture[str]) -> None:
    """Which answer, of what size; a data set without a source left ends it with 1."""
    good = server.add("/shop.dat", SHOP)
    define(good, server.add("/old/shop.dat", SHOP, refusing(410)), server.add("/login/shop.dat", SHOP, page))
    assert main(["data", "check", "Shop"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"Shop: shop.dat: 127.0.0.1:\d+ has it, 60 bytes", lines[0])
    assert lines[1].endswith("answers 410: it has removed the file")
    assert lines[2].endswith("answers with a web page instead of the file")
    assert lines[-1].startswith("1 data set; sources with their file: 1 of 3; data sets without one: 0; read here: 0")
    server.contents.clear()
    assert main(["data", "check", "Shop"]) == 1
    assert "Shop: none of its sources has it" in capsys.readouterr().out


def test_check_asks_a_server_that_knows_no_head_for_the_first_bytes(
    server: FileServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """The size is that of the whole file."""

    def get_only(handler: object, content: bytes) -> None:
        from support.servers import Handler, whole_or_range

        assert isinstance(handler, Handler)
        if handler.command == "HEAD":
            handler.reply(405, b"")
        else:
            whole_or_range(handler, content)

    define(server.add("/shop.dat", SHOP, get_only))
    assert main(["data", "check", "Shop"]) == 0
    assert "has it, 60 bytes" in capsys.readouterr().out
    assert server.requests[-1] == ("GET", "/shop.dat", "bytes=0-511")


def test_check_compares_counts_and_sizes_with_what_was_read(
    server: FileServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a first use, or after --read; as JSON for a job that keeps them."""
    counts = "[counts]\nusers = 4\ninteractions = 5\nevidence = 'the paper'\n"
    define(server.add("/shop.dat", SHOP), more=counts)
    assert main(["data", "check", "Shop", "--read"]) == 1
    output = capsys.readouterr()
    assert "omnibench: Shop is not as large as its definition says: 4 users are expected, and 3 were read" in output.err
    assert "Shop: 4 users are expected, and 3 were read" in output.out
    server.contents["/shop.dat"] = SHOP * 2
    assert main(["data", "check", "Shop", "--json"]) == 1
    (record,) = json.loads(capsys.readouterr().out)
    assert record["counts"]["interactions"] == 5
    assert record["sources"][0]["size"] == 120
    assert "has a file of 120 bytes, and the one of" in record["sources"][0]["problem"]


def test_a_server_that_is_down_is_asked_once(server: FileServer, capsys: pytest.CaptureFixture[str]) -> None:
    """Its other files are not asked for, however many it has."""
    define("http://127.0.0.1:1/a", "http://127.0.0.1:1/b", server.add("/shop.dat", SHOP))
    assert main(["data", "check", "Shop"]) == 0
    assert capsys.readouterr().out.count("127.0.0.1:1 cannot be reached (connection refused)") == 2
    define("http://127.0.0.1:1/a", name="Alone")
    assert main(["data", "check", "Alone"]) == 1
    assert "Alone: none of its sources could be asked for it\n" in capsys.readouterr().out


@pytest.mark.usefixtures("server")
def test_a_reason_that_several_servers_share_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    """A machine without a network is so for every mirror."""
    define(*(f"http://127.0.0.1:{port}/a.csv" for port in (1, 2)))
    assert main(["data", "fetch", "Shop"]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert (
        "127.0.0.1:1 cannot be reached (connection refused); 127.0.0.1:2 likewise. A download from elsewhere: put"
        in last
    )


def test_what_is_counted_is_beside_what_is_expected(server: FileServer, capsys: pytest.CaptureFixture[str]) -> None:
    """A definition without counts expects nothing; what missing leaves out is counted, as publishers do."""
    address = server.add("/shop.dat", SHOP)
    define(address, reader=f"{READER}missing = [3]\n")
    assert main(["data", "fetch", "Shop"]) == 0
    assert "3 users, 3 items, 5 interactions, with those that missing leaves out\n" in capsys.readouterr().out
    assert main(["data", "check", "Shop"]) == 0
    assert "Shop: 5 interactions were read, beside which its definition has no [counts]\n" in capsys.readouterr().out
    define(address, more="[counts]\nusers = 3\ninteractions = 5\nevidence = 'the paper'\n")
    assert main(["data", "check", "Shop", "--read"]) == 0
    assert "Shop: 5 interactions were read, as expected\n" in capsys.readouterr().out


@pytest.mark.usefixtures("server")
def test_a_machine_without_a_network_blames_no_source(capsys: pytest.CaptureFixture[str]) -> None:
    """Where nobody can be reached."""
    define(*(f"http://127.0.0.1:{port}/a" for port in (1, 2, 3)))
    assert main(["data", "check", "Shop"]) == 2
    assert "none of 3 servers can be reached: this machine seems to be offline" in capsys.readouterr().err

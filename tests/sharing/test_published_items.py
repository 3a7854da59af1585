"""Published items: what is written where, pulled from directories, web servers and fsspec, and refused where it is not sound."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support.servers import FileServer, breaking_off, claiming, file_server, page, redirecting, refusing
from support.shared_items import RUN, assert_sound, key_of, record_item, substance

from omnibench.commands.main import main
from omnibench.data.downloads import connection
from omnibench.errors import SharingError
from omnibench.sharing import web
from omnibench.sharing.addresses import location_of
from omnibench.sharing.layout import INDEX, MARKER, entry_path
from omnibench.sharing.publishing import Published, publish
from omnibench.sharing.sources import PublishedSource, StoreSource
from omnibench.sharing.taking import Outcome, take_over
from omnibench.store import CheckpointStore
from omnibench.store.sealing import seal

BOB = {**RUN, "id": "20260202T000000Z-4567cdef", "user": "bob", "host": "laptop"}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A directory in which two items are published, with their lists."""
    with closing(CheckpointStore(tmp_path / "anns")) as store:
        record_item(store, "A", metrics={"NDCG@10": 0.25})
        record_item(store, "B", metrics={"NDCG@10": 0.5}, predictions=2)
    published(tmp_path / "anns", tmp_path / "table", "predictions")
    return tmp_path / "table"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[CheckpointStore]:
    with closing(CheckpointStore(tmp_path / "own")) as store:
        yield store


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A web server; who asks it does not wait before asking again."""
    monkeypatch.setattr(web, "_PAUSE", 0.0)
    with file_server() as files:
        yield files


def published(store: Path, target: Path | str, extent: str = "results") -> Published:
    source = StoreSource(store)
    return publish(source, location_of(target), source.fit_keys(), extent)


def pulled(own: CheckpointStore, address: Path | str, *names: str, models: bool = False) -> Outcome:
    keys = [key_of(name) for name in names or ("A", "B")]
    return take_over(own, PublishedSource(location_of(address)), keys, models=models)


def files_of(directory: Path) -> dict[str, bytes]:
    paths = (path for path in sorted(directory.rglob("*")) if path.is_file() and ".git/" not in path.as_posix())
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in paths}


def serve(server: FileServer, table: Path) -> None:
    for path, content in files_of(table).items():
        server.add(f"/table/{path}", content)


def file_paths(table: Path) -> list[str]:
    return [path for path in files_of(table) if path.startswith("files/")]


def rewritten(table: Path, name: str, **changes: Any) -> None:
    """Change members of the item's record in what is published, under a right checksum."""
    path = table / entry_path(key_of(name))
    lines = []
    for line in path.read_text().splitlines():
        key, _, text = line.partition("\t")
        record = json.loads(text)
        if key.startswith("item/"):
            record |= changes
        lines.append(f"{key}\t{seal(key, record)}\n")
    path.write_text("".join(lines))


def test_a_published_item_is_a_text_with_a_line_per_record_and_files_by_digest(table: Path) -> None:
    """It can lie in git: a sorted text for each item, and content that is never written twice."""
    text = (table / entry_path(key_of("A"))).read_text()
    keys = [line.partition("\t")[0] for line in text.splitlines()]
    assert keys == sorted(keys)
    assert {key.partition("/")[0] for key in keys} == {"item", "fit", "predict", "eval", "run", "data"}
    assert json.loads((table / MARKER).read_text()) == {"format": "omnibench.shared/1"}
    assert sorted(path.name for path in table.iterdir()) == sorted(
        [".gitattributes", ".gitignore", "files", "items", INDEX, MARKER]
    )


def test_publishing_again_changes_no_byte(tmp_path: Path, table: Path) -> None:
    """What is there stays as it is, so that git has nothing to commit."""
    before = files_of(table)
    outcome = published(tmp_path / "anns", table, "predictions")
    assert (outcome.equal, outcome.files, files_of(table)) == (2, 0, before)


def test_lists_and_models_can_follow_the_results(tmp_path: Path, table: Path, own: CheckpointStore) -> None:
    """Who publishes more of the same items later completes them; nothing that was there goes."""
    for extent, number in (("results", 2), ("predictions", 4), ("models", 3), ("all", 5)):
        published(tmp_path / "anns", tmp_path / extent, extent)
        assert len(file_paths(tmp_path / extent)) == number  # both made-up models have the same bytes
    outcome = published(tmp_path / "anns", table, "all")
    assert (len(outcome.extended), outcome.files) == (2, 1)
    assert len(pulled(own, table, models=True).gained) == 2
    assert len(list(own.root.rglob("model.pkl"))) == 2


def test_results_alone_are_enough_for_a_table(tmp_path: Path, own: CheckpointStore) -> None:
    """Without lists and models an item is done all the same, and its record says that these files are not there."""
    with closing(CheckpointStore(tmp_path / "anns")) as store:
        record_item(store, "A", metrics={"NDCG@10": 0.25})
        told = substance(store)
    published(tmp_path / "anns", tmp_path / "table")
    assert len(pulled(own, tmp_path / "table", "A").gained) == 1
    assert substance(own) == told
    assert not list(own.root.rglob("predictions*.npy"))
    assert_sound(own.root)


def test_models_are_not_pulled_unless_asked_for(tmp_path: Path, table: Path, own: CheckpointStore) -> None:
    """What was published with all is pulled without what runs when it is loaded."""
    published(tmp_path / "anns", table, "all")
    outcome = pulled(own, table)
    assert (len(outcome.gained), outcome.models, list(own.root.rglob("model*"))) == (2, 2, [])


def test_anonymous_items_name_nobody(tmp_path: Path, own: CheckpointStore) -> None:
    """Neither user nor host, directory, command nor commit; keys and numbers are the same."""
    with closing(CheckpointStore(tmp_path / "anns")) as store:
        record_item(store, "A", metrics={"NDCG@10": 0.25})
    source = StoreSource(tmp_path / "anns")
    publish(
        source, location_of(tmp_path / "table"), source.fit_keys(), "all", hide=lambda text: text.replace("ann", "user")
    )
    texts = b"".join(content for path, content in files_of(tmp_path / "table").items() if path.startswith("items/"))
    assert not any(word in texts for word in (b"workstation", b"/home", b'"ann"', b"pytest", b"c" * 40))
    assert len(pulled(own, tmp_path / "table", "A").gained) == 1
    assert own.snapshot()[f"taken/{key_of('A')}"]["marks"][0]["by"] == ""


def test_what_was_published_with_names_is_counted_when_nobody_is_to_be_named(
    tmp_path: Path, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It stays as it is; who forgot ``--anonymous`` the first time is told, in a place without names nobody is."""
    anonymous = ("--store", str(tmp_path / "anns"), "--anonymous")
    before = files_of(table)
    assert main(["publish", str(table), *anonymous]) == 0
    assert "2 items had been published with names" in capsys.readouterr().out
    assert files_of(table) == before
    for _ in range(2):
        assert main(["publish", str(tmp_path / "nobodys"), *anonymous]) == 0
        assert "names" not in capsys.readouterr().out


def test_who_does_not_ask_to_name_nobody_hears_nothing_of_names(
    tmp_path: Path, table: Path, own: CheckpointStore, capsys: pytest.CaptureFixture[str]
) -> None:
    """Items that were pulled without names, published without ``--anonymous`` into a place that has them with names."""
    assert main(["publish", str(tmp_path / "nobodys"), "--store", str(tmp_path / "anns"), "--anonymous"]) == 0
    assert len(pulled(own, tmp_path / "nobodys").gained) == 2
    capsys.readouterr()
    assert main(["publish", str(table), "--store", str(own.root)]) == 0
    said = capsys.readouterr().out
    assert "2 there already" in said
    assert "names" not in said
    assert main(["publish", str(table), "--store", str(own.root), "--anonymous"]) == 0
    assert "2 items had been published with names" in capsys.readouterr().out


def test_others_numbers_are_never_replaced(tmp_path: Path, table: Path) -> None:
    """Who has other numbers of an item that is published is told, and publishes the rest."""
    with closing(CheckpointStore(tmp_path / "bobs")) as store:
        record_item(store, "A", metrics={"NDCG@10": 0.75}, predictions=2, run=BOB)
        record_item(store, "C", metrics={"NDCG@10": 0.75}, run=BOB)
    before = (table / entry_path(key_of("A"))).read_bytes()
    outcome = published(tmp_path / "bobs", table)
    assert len(outcome.new) == 1
    (conflict,) = outcome.conflicts
    assert ("ann on workstation" in conflict.ours, "bob on laptop" in conflict.theirs) == (True, True)
    assert (table / entry_path(key_of("A"))).read_bytes() == before


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_what_two_people_publish_merges_in_git(tmp_path: Path, table: Path) -> None:
    """Each publishes into a clone; git merges both without a word, and nothing of a lock is in it."""

    def git(directory: Path, *words: str) -> None:
        settings = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "init.defaultBranch=main"]
        subprocess.run(["git", *settings, *words], cwd=directory, check=True, capture_output=True)

    git(table, "init")
    git(table, "add", "-A")
    git(table, "commit", "-m", "ann")
    git(tmp_path, "clone", "table", "clone")
    for name, directory in (("C", table), ("D", tmp_path / "clone")):
        with closing(CheckpointStore(tmp_path / name)) as store:
            record_item(store, name, metrics={"NDCG@10": 0.5}, run=BOB)
        published(tmp_path / name, directory)
        git(directory, "add", "-A")
        git(directory, "commit", "-m", name)
    git(tmp_path / "clone", "pull", "--no-rebase", "--no-edit")
    merged = PublishedSource(location_of(tmp_path / "clone")).fit_keys()
    assert merged is not None
    assert set(merged) == {key_of(name) for name in "ABCD"}
    assert set((tmp_path / "clone" / INDEX).read_text().split()) == set(merged)
    assert not (tmp_path / "clone" / ".partial").exists()


def test_items_come_from_a_web_server_by_their_keys(table: Path, own: CheckpointStore, server: FileServer) -> None:
    """No listing is needed: each item is asked for, and what is not published is told as that."""
    serve(server, table)
    outcome = pulled(own, f"{server.url}/table/", "A", "B", "C")
    assert (len(outcome.gained), outcome.absent, outcome.refused) == (2, 1, {})
    assert own.snapshot()[f"taken/{key_of('A')}"]["marks"][0]["from"] == f"{server.url}/table"
    assert_sound(own.root)


def test_a_web_server_is_asked_for_what_its_index_names(table: Path, own: CheckpointStore, server: FileServer) -> None:
    """Of a plan of many items those alone are asked for that are published, and everything can be had without a plan."""
    serve(server, table)
    source = PublishedSource(location_of(f"{server.url}/table"))
    assert source.fit_keys() == sorted(map(key_of, "AB"))
    server.requests.clear()
    outcome = take_over(own, source, [key_of(name) for name in ("A", "B", *map(str, range(40)))])
    assert (len(outcome.gained), outcome.absent, outcome.refused) == (2, 40, {})
    asked = [path for _, path, _ in server.requests]
    assert sorted(asked) == sorted(
        f"/table/{path}" for path in [INDEX, *file_paths(table), *map(entry_path, map(key_of, "AB"))]
    )
    assert_sound(own.root)


def test_without_a_sound_index_each_item_is_asked_for(table: Path, own: CheckpointStore, server: FileServer) -> None:
    """As earlier omnibenchs published, and where the server does not give it; the next who publishes writes it anew."""
    serve(server, table)
    names = ["A", "B", *map(str, range(40))]
    server.answers[f"/table/{INDEX}"] = refusing(403)
    assert len(pulled(own, f"{server.url}/table", *names).gained) == 2
    del server.answers[f"/table/{INDEX}"], server.contents[f"/table/{INDEX}"]
    outcome = pulled(own, f"{server.url}/table", *names)
    assert (outcome.equal, outcome.absent) == (2, 40)
    assert PublishedSource(location_of(f"{server.url}/table")).fit_keys() is None
    (table / INDEX).write_text(f"<<<<<<< HEAD\n{key_of('A')}\n=======\n")
    published(table.parent / "anns", table)
    assert (table / INDEX).read_text().split() == sorted(map(key_of, "AB"))


def test_an_address_is_marked_without_what_is_secret_in_it(
    table: Path, own: CheckpointStore, server: FileServer
) -> None:
    """A password in an address stands neither in a record nor in a message."""
    serve(server, table)
    address = server.url.replace("://", "://ann:s3cret-word@")
    pulled(own, f"{address}/table", "A")
    assert own.snapshot()[f"taken/{key_of('A')}"]["marks"][0]["from"] == f"{server.url}/table"
    with pytest.raises(SharingError) as raised:
        pulled(own, f"{address}/nothing")
    assert "s3cret" not in str(raised.value)


def test_an_answer_that_breaks_off_is_asked_for_again(table: Path, own: CheckpointStore, server: FileServer) -> None:
    """Twice is no failure; for good it is one of this item, and the other one comes."""
    serve(server, table)
    entries = [f"/table/{entry_path(key_of(name))}" for name in "AB"]
    server.answers[entries[0]] = breaking_off(2, 100, ranges=False)
    server.answers[entries[1]] = breaking_off(99, 100, ranges=False)
    outcome = pulled(own, f"{server.url}/table")
    assert (len(outcome.gained), len(outcome.refused)) == (1, 1)
    assert "broke off" in next(iter(outcome.refused.values()))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda handler, content: handler.reply(200, content[:-1] + b"x"), "differs from its record"),
        (lambda handler, content: handler.reply(200, content + b"x"), "which it cannot have"),
        (claiming(10**12), "which it cannot have"),
        (page, "which it cannot have|has not the"),
        (refusing(404), "is missing"),
        (refusing(500), "answers 500"),
        (refusing(403), "answers 403"),
    ],
)
def test_a_file_that_a_server_does_not_give_as_recorded_is_not_taken_over(
    table: Path, own: CheckpointStore, server: FileServer, answer: Any, reason: str
) -> None:
    """Whatever a server sends in the place of a file, nothing of the item is here; the other item is."""
    serve(server, table)
    text = (table / entry_path(key_of("A"))).read_text()
    path = next(path for path in file_paths(table) if path.rpartition("/")[2] in text)
    server.answers[f"/table/{path}"] = answer
    outcome = pulled(own, f"{server.url}/table")
    assert len(outcome.gained) == 1
    assert re.search(reason, next(iter(outcome.refused.values())))
    assert f"item/{key_of('A')}" not in own.snapshot()
    assert_sound(own.root)


def test_a_server_that_says_nothing_is_given_up(
    table: Path, own: CheckpointStore, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for ever."""
    serve(server, table)
    monkeypatch.setattr(connection, "READ_SECONDS", 0.2)
    ended = threading.Event()

    def silent(*_: object) -> None:
        ended.wait(20)

    server.answers[f"/table/{entry_path(key_of('A'))}"] = silent
    outcome = pulled(own, f"{server.url}/table")
    ended.set()
    assert "has sent nothing" in outcome.refused[key_of("A")]
    assert len(outcome.gained) == 1


def test_nothing_published_is_an_error_that_says_what_is_lacking(
    tmp_path: Path, own: CheckpointStore, server: FileServer
) -> None:
    """A wrong address, a checkpoint directory, a login page and a newer format are told before anything is fetched."""
    (tmp_path / "newer").mkdir()
    (tmp_path / "newer" / MARKER).write_text('{"format": "omnibench.shared/2"}')
    server.add(f"/page/{MARKER}", b"", page)
    server.add(f"/circle/{MARKER}", b"", redirecting(f"/circle/{MARKER}"))
    for address, text in (
        (tmp_path / "none", "nothing is published"),
        (own.root, "omnibench merge"),
        (tmp_path / "newer", "a newer one may read it"),
        (f"{server.url}/none", "nothing is published"),
        (f"{server.url}/page", "is damaged"),
        (f"{server.url}/circle", "redirects in a circle"),
        ("http://127.0.0.1:1/x", "cannot be reached"),
        ("nosuch://x/y", "no place that fsspec knows"),
        ("", "is empty"),
    ):
        with pytest.raises(SharingError, match=text):
            pulled(own, address)


def test_merging_what_is_published_says_how_to_pull_it(table: Path) -> None:
    """A directory of published items is no store, and the command for it is named."""
    with pytest.raises(SharingError, match="`omnibench pull` takes them over"):
        StoreSource(table)


def test_a_web_server_cannot_be_published_to(tmp_path: Path, table: Path, server: FileServer) -> None:
    """The message says where one can publish instead."""
    serve(server, table)
    with closing(CheckpointStore(tmp_path / "bobs")) as store:
        record_item(store, "C", metrics={"NDCG@10": 0.75}, run=BOB)
    with pytest.raises(SharingError, match="clone of its git repository"):
        published(tmp_path / "bobs", f"{server.url}/table")


@pytest.mark.parametrize(
    "changes",
    [
        {"directory": "../../outside"},
        {"directory": "/etc"},
        {"fit_key": "0" * 64},
        {"metrics": {"NDCG@10": {"value": 1e999, "key": 3}}},
        {"metrics": {"NDCG@10": {"value": 0.99, "key": "k"}}, "predict_key": "another"},
        {"metrics": {"NDCG@10": {"value": 0.99, "key": "0" * 64}}},
        {
            "identity": [
                "fit/1",
                {
                    "data": "d" * 64,
                    "fold": 1,
                    "configuration": ["c", {"runner": "x", "algorithm": "y", "parameters": {}}],
                },
            ]
        },
        {"data_key": "f" * 64},
        {"status": "failed"},
        {"search": "a" * 64},
    ],
)
def test_a_record_that_is_not_the_items_is_refused(table: Path, own: CheckpointStore, changes: dict[str, Any]) -> None:
    """A right checksum makes nothing right: names, keys and paths are those that an item of ours can have."""
    rewritten(table, "A", **changes)
    outcome = pulled(own, table)
    assert (list(outcome.refused), len(outcome.gained)) == ([key_of("A")], 1)
    assert f"item/{key_of('A')}" not in own.snapshot()


def test_a_hostile_entry_adds_and_changes_nothing(table: Path, own: CheckpointStore) -> None:
    """Records of other items, plans, deep and endless texts, links and pipes: each is refused, the other item comes."""
    path = table / entry_path(key_of("A"))
    good = path.read_text()
    plan = {"source": "x.py", "root": "/", "columns": {}, "items": [], "noted": "2026-01-01T00:00:00Z"}
    foreign = (table / entry_path(key_of("B"))).read_text()
    deep = "[" * 5000 + "]" * 5000
    texts = [
        f"{good}plan/x\t{seal('plan/x', plan)}\n",
        f"{good}{foreign}",
        f"item/{key_of('A')}\t{deep}\n",
        f"item/{key_of('A')}\t" + '{"a": ' * 200 + "1" + "}" * 200 + "\n",
        "x" * 10_000,
        "\n".join(["a\tb"] * 30_000),
        "",
        good.replace('"value": 0.25', '"value": 0.95'),
        good.replace("model.pkl", "../../../model.pkl"),
    ]
    for text in texts:
        path.write_text(text)
        assert list(pulled(own, table, "A").refused) == [key_of("A")], text[:100]
    path.write_text(" " * (17 * 2**20))
    assert "which it cannot have" in pulled(own, table, "A").refused[key_of("A")]
    path.unlink()
    path.symlink_to("/etc/passwd")
    assert "link" in pulled(own, table, "A").refused[key_of("A")]
    assert not any(key.startswith(("item/", "plan/", "eval/", "taken/")) for key in own.snapshot())
    assert len(pulled(own, table, "B").gained) == 1


def test_a_linked_directory_of_files_is_not_followed(tmp_path: Path, table: Path, own: CheckpointStore) -> None:
    """Neither when it is read nor when it is written to."""
    (table / "files").rename(tmp_path / "aside")
    (table / "files").symlink_to(tmp_path / "aside")
    assert len(pulled(own, table).refused) == 2
    before = files_of(tmp_path / "aside")
    with closing(CheckpointStore(tmp_path / "bobs")) as store:
        record_item(store, "C", metrics={"NDCG@10": 0.75}, run=BOB)
    with pytest.raises(SharingError, match="link"):
        published(tmp_path / "bobs", table, "all")
    assert files_of(tmp_path / "aside") == before


def test_one_process_publishes_at_a_time(tmp_path: Path, table: Path) -> None:
    """A second one is refused, and what a killed one has left half done is removed by the next."""
    from omnibench.sharing.directories import DirectoryLocation

    with DirectoryLocation(table).writing():
        (table / ".partial" / "left").write_bytes(b"half")
        with pytest.raises(SharingError, match="another process is publishing"):
            published(tmp_path / "anns", table)
    (table / ".partial").mkdir()
    (table / ".partial" / "left").write_bytes(b"half")
    published(tmp_path / "anns", table)
    assert not (table / ".partial").exists()


def test_a_server_that_went_away_is_soon_left_alone(
    table: Path, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands of items are not each waited for until a time is over, and each says why it was not taken."""
    serve(server, table)
    source = PublishedSource(location_of(f"{server.url}/table"))
    asked: list[str] = []

    def gone(url: str, **_: Any) -> Any:
        asked.append(url)
        raise connection.TransferError("does not answer", has_answered=False)

    monkeypatch.setattr(web, "answer_of", gone)
    offers = list(source.offers([f"{number:064x}" for number in range(200)]))
    assert len(asked) < 20
    assert all(offer.bundle is None and "does not answer" in offer.trouble for offer in offers)


def test_nothing_is_removed_through_a_link(tmp_path: Path) -> None:
    """A clone may come from anybody: where the directory of partial files is a link, what it leads to is left as it is."""
    from omnibench.sharing.directories import DirectoryLocation

    clone, aside = tmp_path / "clone", tmp_path / "aside"
    clone.mkdir()
    aside.mkdir()
    (aside / "thesis.tex").write_text("years of work")
    (clone / ".partial").symlink_to(aside)
    with pytest.raises(SharingError, match="is a link, which is not followed; remove it"):
        DirectoryLocation(clone).writing().__enter__()
    assert [path.name for path in aside.iterdir()] == ["thesis.tex"]


@pytest.mark.usefixtures("table")
def test_a_checkpoint_directory_is_not_published_into(tmp_path: Path, own: CheckpointStore) -> None:
    """Where records are, nothing else is put."""
    with pytest.raises(SharingError, match="is a checkpoint directory"):
        published(tmp_path / "anns", own.root)


@pytest.mark.usefixtures("table")
def test_fsspec_reaches_whatever_it_knows(tmp_path: Path, own: CheckpointStore) -> None:
    """Published into fsspec's memory, completed there, and pulled from there."""
    fsspec = pytest.importorskip("fsspec")
    files = fsspec.filesystem("memory")
    if files.exists("/shared"):
        files.rm("/shared", recursive=True)
    assert len(published(tmp_path / "anns", "memory://shared/table").new) == 2
    assert published(tmp_path / "anns", "memory://shared/table").equal == 2
    assert len(published(tmp_path / "anns", "memory://shared/table", "predictions").extended) == 2
    source = PublishedSource(location_of("memory://shared/table"))
    assert sorted(source.fit_keys() or ()) == sorted(map(key_of, "AB"))
    entry = f"/shared/table/{entry_path(key_of('B'))}"
    files.pipe_file(entry, files.cat_file(entry)[:-100])
    outcome = pulled(own, "memory://shared/table", "A", "B", "C")
    assert (len(outcome.gained), outcome.absent, list(outcome.refused)) == (1, 1, [key_of("B")])
    assert_sound(own.root)


def test_without_fsspec_its_addresses_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is named; directories and web servers need nothing."""
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(SharingError, match=r"pip install 'omnibench\[sharing\]'"):
        location_of("s3://bucket/path")
    monkeypatch.undo()
    pytest.importorskip("fsspec")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(SharingError, match="huggingface"):
        location_of("hf://datasets/ann/table")


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://huggingface.co/datasets/ann/table", "https://huggingface.co/datasets/ann/table/resolve/main"),
        (
            "https://huggingface.co/datasets/ann/table/tree/v1/a/b",
            "https://huggingface.co/datasets/ann/table/resolve/v1/a/b",
        ),
        ("https://example.org/x/?token=abc", "https://example.org/x"),
    ],
)
def test_pages_of_data_sets_stand_for_their_files(address: str, name: str) -> None:
    """The address that a browser shows is understood."""
    assert location_of(address).name == name

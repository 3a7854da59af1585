"""Manifests: what was recorded once more beside the files, readable whatever happened to a line."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omnibench.errors import StoreError
from omnibench.store import CheckpointStore
from omnibench.store.manifests import NAME, append, read
from omnibench.store.sealing import seal

pytestmark = pytest.mark.usefixtures("made_up_records")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "checkpoints" / "D" / "A").mkdir(parents=True)
    return tmp_path / "checkpoints"


@pytest.fixture
def directory(root: Path) -> Path:
    return root / "D" / "A"


def test_what_is_appended_is_read(directory: Path, root: Path) -> None:
    """Lines are read back in the order of the keys' first lines, from a file for the user's eyes only."""
    append(directory, root, {"fit/a": {"n": 1}, "predict/b": {"n": 2}})
    append(directory, root, {"eval/c": {"text": "ä\n\t\u2028\udcff"}})
    assert read(directory) == {"fit/a": {"n": 1}, "predict/b": {"n": 2}, "eval/c": {"text": "ä\n\t\u2028\udcff"}}
    assert stat.S_IMODE((directory / NAME).stat().st_mode) == 0o600


def test_the_last_line_of_a_key_counts(directory: Path, root: Path) -> None:
    """The last line of a key counts, as a later record replaces an earlier one in the database."""
    for number in range(3):
        append(directory, root, {"fit/a": {"n": number}})
    assert read(directory) == {"fit/a": {"n": 2}}


def test_what_is_forgotten_is_gone_until_it_is_written_again(directory: Path, root: Path) -> None:
    """Unknown keys do no harm; what is forgotten and written at once stays."""
    append(directory, root, {"fit/a": {"n": 1}, "fit/b": {"n": 1}})
    append(directory, root, {"fit/b": {"n": 2}}, forget=["fit/a", "fit/b", "never"])
    assert read(directory) == {"fit/b": {"n": 2}}
    append(directory, root, {"fit/a": {"n": 3}})
    assert read(directory) == {"fit/a": {"n": 3}, "fit/b": {"n": 2}}


actions = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from("abc"), st.integers(0, 9).map(lambda n: {"n": n})),
        st.lists(st.sampled_from("abc")),
    ),
    max_size=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(actions)
def test_a_manifest_says_what_the_database_would(root: Path, steps: list[tuple[dict[str, Any], list[str]]]) -> None:
    """After any sequence of commits: those deleted are gone, and what was written with them is there."""
    directory = root / "D" / "A"
    (directory / NAME).unlink(missing_ok=True)
    expected: dict[str, Any] = {}
    for records, forget in steps:
        append(directory, root, records, forget)
        for key in forget:
            expected.pop(key, None)
        expected |= records
    assert read(directory) == expected


def test_a_line_that_a_crash_has_torn_is_passed_over(directory: Path, root: Path) -> None:
    """Cut anywhere, also inside of a character; what is appended next is on a line of its own."""
    append(directory, root, {"fit/a": {"n": 1}})
    whole = (directory / NAME).read_bytes()
    append(directory, root, {"fit/b": {"text": "é"}})
    torn = (directory / NAME).read_bytes()
    for length in range(len(whole), len(torn) - 1):
        (directory / NAME).write_bytes(torn[:length])
        assert read(directory) == {"fit/a": {"n": 1}}, length
        append(directory, root, {"fit/c": {"n": 3}})
        assert read(directory) == {"fit/a": {"n": 1}, "fit/c": {"n": 3}}, length


def test_what_takes_the_place_of_a_record_stands_before_the_record_goes(directory: Path, root: Path) -> None:
    """Cut anywhere, one of the two is left: a folder outside of the store that neither names would be nobody's."""
    append(directory, root, {"old/a": {"n": 1}})
    before = (directory / NAME).read_bytes()
    append(directory, root, {"snapshot/b": {"n": 2}}, forget=["old/a"])
    after = (directory / NAME).read_bytes()
    for length in range(len(before), len(after)):
        (directory / NAME).write_bytes(after[:length])
        assert read(directory), length
    assert after.count(b"\n") == before.count(b"\n") + 3


@pytest.mark.parametrize(
    "line",
    [
        "",
        "no tab",
        "\t",
        "fit/b\t",
        "fit/b\t{}",
        'forget\t{"keys": ["fit/a"]}',
        "fit/b\t" + seal("fit/other", {}),
        "forget\t" + seal("fit/b", {"keys": ["fit/a"]}),
        "\x00\x00\x00\t\x00",
        "\udcff\t\udcff",
    ],
)
def test_a_damaged_line_in_the_middle_is_passed_over(line: str, directory: Path, root: Path) -> None:
    """What stands before and after it counts; nothing is forgotten on the word of a line without its checksum."""
    append(directory, root, {"fit/a": {"n": 1}})
    with (directory / NAME).open("ab") as file:
        file.write(line.encode(errors="surrogateescape") + b"\n")
    append(directory, root, {"fit/c": {"n": 3}})
    assert read(directory) == {"fit/a": {"n": 1}, "fit/c": {"n": 3}}


def test_a_flipped_bit_costs_one_line_at_most(directory: Path, root: Path) -> None:
    """Wherever it is: the other records are there, and none says something else."""
    records = {f"fit/{number}": {"n": number} for number in range(4)}
    for key, record in records.items():
        append(directory, root, {key: record})
    whole = (directory / NAME).read_bytes()
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1 << place % 8
        (directory / NAME).write_bytes(bytes(changed))
        found = read(directory)
        assert found.items() <= records.items(), place
        assert len(found) >= len(records) - (2 if whole[place : place + 1] == b"\n" else 1), place


def test_where_there_is_nothing_nothing_is_written_or_read(directory: Path, root: Path) -> None:
    """A directory that does not exist gets no manifest, and neither does a commit of nothing."""
    append(root / "nowhere", root, {"fit/a": {}})
    append(directory, root, {})
    append(directory, root, {"fit/a": {}}, forget=())
    assert read(root / "nowhere") == {}
    assert not (root / "nowhere").exists()
    (directory / NAME).unlink()
    append(directory, root, {}, forget=[])
    assert not (directory / NAME).exists()


def test_a_directory_that_cannot_be_looked_at_is_an_error(
    directory: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that was left out in silence would be missed when the records are rebuilt; so it is where a network file system fails."""
    look = os.stat

    def failing(path: Any, *arguments: Any, **options: Any) -> os.stat_result:
        if str(path) == str(directory):
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return look(path, *arguments, **options)

    monkeypatch.setattr(os, "stat", failing)
    with pytest.raises(OSError, match="Input/output error"):
        append(directory, root, {"fit/a": {"n": 1}})


def test_a_manifest_that_is_a_link_is_refused(directory: Path, root: Path, tmp_path: Path) -> None:
    """Somebody's file elsewhere does not get our lines."""
    (tmp_path / "theirs").write_text("theirs")
    (directory / NAME).symlink_to(tmp_path / "theirs")
    with pytest.raises(StoreError, match=r"is a link to .*theirs"):
        append(directory, root, {"fit/a": {}})
    assert (tmp_path / "theirs").read_text() == "theirs"


def test_a_directory_that_leads_out_of_the_store_is_refused(root: Path, tmp_path: Path) -> None:
    """A directory outside of the store (a link, dots) is refused, and the commit whose manifest it would be fails."""
    (tmp_path / "outside").mkdir()
    (root / "leases").mkdir()
    (root / "leases" / "store.lock").touch()  # or the directory is somebody else's
    (root / "link").symlink_to(tmp_path / "outside")
    for place in (root / "link", root / ".." / "outside"):
        with pytest.raises(StoreError, match=r"outside of the checkpoint directory|is a link"):
            append(place, root, {"fit/a": {}})
    store = CheckpointStore(root)
    with store.lease("a") as lease, pytest.raises(StoreError, match=r"outside of the checkpoint directory|is a link"):
        store.commit(lease, {"fit/a": {"directory": "link"}})
    assert store.snapshot() == {}
    store.close()
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_short_write_goes_on_where_it_stopped(directory: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some file systems take less than they were given."""
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, content: write(descriptor, content[:7]))
    append(directory, root, {"fit/a": {"n": 1}, "fit/b": {"n": 2}})
    assert read(directory) == {"fit/a": {"n": 1}, "fit/b": {"n": 2}}


def test_processes_that_append_at_once_do_not_tear_each_others_lines(directory: Path, root: Path) -> None:
    """Each append is one write, of several lines or of long ones."""
    code = """
import sys
from pathlib import Path
from omnibench.store.manifests import append
directory, root, name = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
for number in range(60):
    append(directory, root, {f"{name}/{number}": {"text": name * 5000}, f"{name}/last": {"n": number}})
"""
    command = [sys.executable, "-c", code, str(directory), str(root)]
    writers = [subprocess.Popen([*command, name]) for name in "abc"]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    found = read(directory)
    assert len(found) == 3 * 61
    assert all(found[f"{name}/last"] == {"n": 59} for name in "abc")

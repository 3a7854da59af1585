"""Raw files in folders and archives: which members are read, and which archives are not to be trusted."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import sys
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa
import pytest

from omnibench.data.files.members import OpenArchives, RawFile, members, open_member
from omnibench.errors import DataError

Content = Mapping[str, bytes]

RATINGS = {"ml-1m/README": b"read me", "ml-1m/ratings.dat": b"1::2::3::4\n", "ml-1m/movies.dat": b"2::A::B\n"}


def zipped(content: Content) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in content.items():
            archive.writestr(name, text)
    return stream.getvalue()


def tarred(content: Content, mode: str = "w") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:  # type: ignore[call-overload]  # a mode of several
        for name, text in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))
    return stream.getvalue()


def seven_zipped(content: Content) -> bytes:
    import py7zr

    stream = io.BytesIO()
    with py7zr.SevenZipFile(stream, "w") as archive:
        for name, text in content.items():
            archive.writestr(text, name)
    return stream.getvalue()


ARCHIVES: Mapping[str, Callable[[Content], bytes]] = {
    "a.zip": zipped,
    "a.tar": tarred,
    "a.tar.gz": lambda content: tarred(content, "w:gz"),
    "a.tar.bz2": lambda content: tarred(content, "w:bz2"),
    "a.tar.xz": lambda content: tarred(content, "w:xz"),
    "a.tar.zst": lambda content: pa.compress(tarred(content), "zstd", asbytes=True),
    "a.7z": seven_zipped,
    "data": zipped,
    "data.csv": lambda content: tarred(content, "w:gz"),
}


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, bytes], Path]:
    def written(name: str, content: bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    return written


def content_of(file: RawFile) -> bytes:
    with open_member(file) as stream:
        return stream.read()


def names_of(path: Path, *patterns: str) -> list[str]:
    return [file.member for file in members(path, patterns)]


@pytest.mark.parametrize("name", ARCHIVES)
def test_members_are_read_by_name_and_pattern(name: str, write: Callable[[str, bytes], Path]) -> None:
    """zip, tar and 7z are told by their content, compressed or not; patterns and names without the folder match."""
    path = write(name, ARCHIVES[name](RATINGS))
    assert names_of(path, "ml-1m/ratings.dat") == names_of(path, "ratings.dat") == ["ml-1m/ratings.dat"]
    assert sorted(names_of(path, "ml-1m/*.dat")) == ["ml-1m/movies.dat", "ml-1m/ratings.dat"]
    assert names_of(path, "behaviors.tsv", "*/ratings.dat", "ml-1m/ratings.dat") == ["ml-1m/ratings.dat"]
    (file,) = members(path, ["ratings.dat"])
    assert content_of(file) == RATINGS["ml-1m/ratings.dat"]
    assert file.label == f"{path}!ml-1m/ratings.dat"
    with OpenArchives() as archives:  # in any order, and twice
        for member in [*reversed(RATINGS), *RATINGS]:
            with archives.open(RawFile(path, member)) as stream:
                assert stream.read() == RATINGS[member]
    with pytest.raises(DataError, match=r"has no member 'nothing\.csv'\. It has .*ml-1m/movies\.dat"):
        members(path, ["nothing.csv"])
    with pytest.raises(DataError, match="has 3 members; say which is read"):
        members(path)


@pytest.mark.parametrize(
    "compress",
    [gzip.compress, bz2.compress, lzma.compress, lambda text: pa.compress(text, "zstd", asbytes=True), bytes],
)
@pytest.mark.parametrize("name", ["a.csv", "Behance_appreciate_1M.gz", "a.bz2"])
def test_a_file_is_decompressed_by_its_content(
    name: str, compress: Callable[[bytes], bytes], write: Callable[[str, bytes], Path]
) -> None:
    """Behance's file ends in .gz and is plain: the suffix is no promise, in an archive neither."""
    text = b"BZhang,1\n1 2\n" * 100
    path = write(name, compress(text))
    assert members(path) == [RawFile(path)]
    assert content_of(RawFile(path)) == text
    assert content_of(*members(write("outer.zip", zipped({"inner.csv.gz": compress(text)})))) == text


@pytest.mark.parametrize("outer", [zipped, tarred, ARCHIVES["a.tar.gz"], seven_zipped])
@pytest.mark.parametrize(
    ("inner_name", "inner"),
    [
        ("yelp_dataset.tar", tarred),
        ("dataset.tgz", ARCHIVES["a.tar.gz"]),
        ("inner.zip", zipped),
        ("inner.7z", seven_zipped),
    ],
)
def test_archives_within_archives(
    outer: Callable[[Content], bytes],
    inner_name: str,
    inner: Callable[[Content], bytes],
    write: Callable[[str, bytes], Path],
) -> None:
    """Yelp's reviews are in a tar within a zip; several members of it are read one after the other."""
    path = write("outer", outer({"Yelp JSON/doc.pdf": b"%PDF", f"Yelp JSON/{inner_name}": inner(RATINGS)}))
    prefix = f"Yelp JSON/{inner_name}!"
    assert names_of(path, f"{prefix}ml-1m/ratings.dat") == [f"{prefix}ml-1m/ratings.dat"]
    files = members(path, [f"*{inner_name}!*.dat"])
    assert sorted(file.member for file in files) == [f"{prefix}ml-1m/movies.dat", f"{prefix}ml-1m/ratings.dat"]
    with OpenArchives() as archives:
        contents = []
        for file in files:
            with archives.open(file) as stream:
                contents.append(stream.read())
    assert (
        contents == [content_of(file) for file in files] == [RATINGS[file.member.rpartition("!")[2]] for file in files]
    )
    with pytest.raises(DataError, match="has no member"):
        members(path, [f"{prefix}nothing.csv"])


def test_an_archive_that_was_unpacked_is_a_folder(write: Callable[[str, bytes], Path], tmp_path: Path) -> None:
    """What people have unpacked, wholly or the outer archive alone, is read like the archive."""
    file = write("Yelp/yelp_dataset.tar", tarred(RATINGS))
    pattern = "Yelp JSON/yelp_dataset.tar!ml-1m/ratings.dat"
    assert members(file, [pattern]) == [RawFile(file, "ml-1m/ratings.dat")]
    assert members(tmp_path, ["yelp_dataset.tar!ml-1m/ratings.dat"]) == [RawFile(file, "ml-1m/ratings.dat")]
    plain = write("all/ml-1m/ratings.dat", b"1::2::3::4\n")
    assert members(tmp_path / "all", [pattern]) == members(tmp_path / "all", ["*.dat"]) == [RawFile(plain)]
    assert members(tmp_path / "all") == members(plain, [pattern]) == [RawFile(plain)]
    with pytest.raises(DataError, match=r"has no file 'users\.dat'\. It has 'ml-1m/ratings\.dat'\."):
        members(tmp_path / "all", ["users.dat"])
    with pytest.raises(DataError, match="there is no file"):
        members(tmp_path / "nothing")


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "a/../../b.csv", "C:\\b.csv", "..\\b.csv", "\\b.csv"]
)
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_members_that_lead_out_of_the_folder_are_refused(
    name: str, pack: Callable[[Content], bytes], write: Callable[[str, bytes], Path]
) -> None:
    """Absolute names and those with .. are refused, selected by a pattern, by their name, or as the only member."""
    path = write("a", pack({name: b"root:x:0:0\n"}))
    for patterns in [(name,), ("*",), ()]:
        with pytest.raises(DataError, match="leads out of the archive"):
            members(path, patterns)
    with pytest.raises(DataError, match="leads out of the archive"):
        open_member(RawFile(path, name))


@pytest.mark.parametrize("link", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_in_archives_are_refused(link: bytes, write: Callable[[str, bytes], Path]) -> None:
    """A member that is a link, wherever it leads, or a device is no data."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        member = tarfile.TarInfo("ratings.csv")
        member.type, member.linkname = link, "/etc/passwd"
        archive.addfile(member)
    zip_link = zipfile.ZipInfo("ratings.csv")
    zip_link.external_attr = (stat.S_IFLNK | 0o777) << 16
    zip_stream = io.BytesIO()
    with zipfile.ZipFile(zip_stream, "w") as zip_archive:
        zip_archive.writestr(zip_link, "/etc/passwd")
    for content in (stream.getvalue(), zip_stream.getvalue()):
        path = write("a", content)
        with pytest.raises(DataError, match="is a link or a device"):
            members(path, ["*.csv"])
        with pytest.raises(DataError, match="is a link or a device"):
            open_member(RawFile(path, "ratings.csv"))


@pytest.mark.parametrize("name", [name for name in ARCHIVES if name.startswith("a.")])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.75])
def test_a_truncated_archive_is_refused(name: str, share: float, write: Callable[[str, bytes], Path]) -> None:
    """Whatever is cut off, the error says that the file is to be fetched again; nothing is read from half of it."""
    import random

    noise = random.Random(1).randbytes(20_000)
    content = ARCHIVES[name]({"a.csv": noise, "b.csv": noise[::-1]})
    path = write(name, content[: int(len(content) * share)])
    with pytest.raises(DataError, match="fetch it again"):
        members(path, ["b.csv"])


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.7z"])
def test_a_page_in_the_place_of_an_archive_is_refused(name: str, write: Callable[[str, bytes], Path]) -> None:
    """A host that answers with a page, or with nothing, is found out before it is read as data."""
    with pytest.raises(DataError, match=r"is no archive.*<!DOCTYPE html"):
        members(write(name, b"<!DOCTYPE html><html>Sign in</html>"), ["ratings.csv"])
    with pytest.raises(DataError, match="it is empty"):
        members(write(name, b""))
    with pytest.raises(DataError, match="RAR archive"):
        members(write(name, b"Rar!\x1a\x07\x00"))


def test_what_macos_packs_beside_the_data_is_no_member(write: Callable[[str, bytes], Path]) -> None:
    """The shadow of a member is no member: KuaiRec's pattern *big_matrix.csv would match it."""
    content = {
        "KuaiRec/big_matrix.csv": b"1",
        "__MACOSX/KuaiRec/._big_matrix.csv": b"\0\5\x16\7",
        "KuaiRec/.DS_Store": b"",
    }
    path = write("a.zip", zipped(content))
    assert names_of(path, "*big_matrix.csv") == names_of(path) == ["KuaiRec/big_matrix.csv"]


def test_names_with_the_signs_of_patterns_are_themselves(write: Callable[[str, bytes], Path]) -> None:
    """A member may have brackets or an exclamation mark in its name."""
    path = write("a.zip", zipped({"[final] Jester.csv": b"1", "Yahoo! songs.csv": b"2"}))
    assert names_of(path, "[final] Jester.csv") == names_of(path, "[[]final] Jester.csv") == ["[final] Jester.csv"]
    assert [content_of(file) for file in members(path, ["Yahoo! songs.csv"])] == [b"2"]


def test_an_archive_is_read_once_for_all_of_its_members(
    write: Callable[[str, bytes], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Netflix has 17,770 files in a compressed archive, which is decompressed once to list and once to read them."""
    names = [f"training_set/mv_{number:07}.txt" for number in range(50)]
    text = b"1:\n" + b"6,3,2004-02-01\n" * 100
    path = write("a.tar.gz", tarred(dict.fromkeys(names, text), "w:gz"))
    rewinds: list[int] = []

    class Counted(gzip.GzipFile):
        def rewind(self) -> None:
            rewinds.append(self.tell())
            super().rewind()

    monkeypatch.setattr(gzip, "GzipFile", Counted)
    with OpenArchives() as archives:
        for file in members(path, ["training_set/*"]):
            with archives.open(file) as stream:
                assert stream.read() == text
    assert sum(rewinds) < 10_000


def test_a_zip_with_a_password_says_what_to_do(write: Callable[[str, bytes], Path]) -> None:
    """What cannot be decrypted is to be unpacked by people."""
    content = bytearray(zipped({"a.csv": b"1,2\n"}))
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(header) + flags] |= 1
    path = write("a.zip", bytes(content))
    with pytest.raises(DataError, match=r"password.*Unpack the archive"):
        open_member(members(path)[0])


def test_7z_without_its_package_says_what_to_install(
    write: Callable[[str, bytes], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package is asked for when it is needed."""
    path = write("a.7z", seven_zipped(RATINGS))
    monkeypatch.setitem(sys.modules, "py7zr", None)
    with pytest.raises(DataError, match="pip install py7zr"):
        members(path)

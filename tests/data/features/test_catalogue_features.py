"""Features of catalogue sets: read from their raw files as these are published, wherever those lie, and only once."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from support.servers import FileServer, file_server

from omnibench import load_dataset
from omnibench.data.catalogue.definition import Definition, Features
from omnibench.data.catalogue.features import catalogue_features
from omnibench.data.catalogue.loading import catalogue_source
from omnibench.data.catalogue.names import definition, definitions
from omnibench.data.catalogue.source import CatalogueData, CatalogueSource
from omnibench.data.dataset import RecSysDataSet
from omnibench.data.features.columns import FeatureColumns
from omnibench.data.published import split_source
from omnibench.data.readers.reader import Reader
from omnibench.errors import DataError

ML_1M = {
    "ml-1m/ratings.dat": "1::1193::5::978300760\n2::661::3::978302109\n",
    "ml-1m/movies.dat": "661::James and the Giant Peach (1996)::Animation|Children's|Musical\n1193::Caf\xe9 (1975)::Drama\n",
    "ml-1m/users.dat": "1::F::1::10::48067\n2::M::56::16::02139\n",
}
ML_SMALL = {
    "ml-latest-small/ratings.csv": "userId,movieId,rating,timestamp\n1,1,4.0,964982703\n",
    "ml-latest-small/movies.csv": 'movieId,title,genres\n1,"American President, The (1995)",Comedy|Drama\n2,Ça,(no genres listed)\n',
    "ml-latest-small/tags.csv": "userId,movieId,tag,timestamp\n1,1,funny,9\n2,1,politics,9\n3,1,funny,9\n3,7,dark,9\n",
}


def archive(folder: Path, name: str, members: dict[str, str], encoding: str) -> Path:
    path = folder / name
    with zipfile.ZipFile(path, "w") as file:
        for member, text in members.items():
            file.writestr(member, text.encode(encoding))
    return path


def entry_of(name: str) -> Definition:
    """The definition of a data set, whose files may be others than the published ones."""
    entry = definition(name)
    sources = tuple(replace(source, sha256="", md5="", evidence="") for source in entry.sources)
    return replace(entry, sources=sources)


def entries(features: FeatureColumns) -> dict[str, Any]:
    return {name: list(column.entries) for name, column in features.columns.items()}


@pytest.mark.parametrize("form", ["archive", "folder", "file"])
def test_movielens_1m_has_genres_and_demographics(form: str, tmp_path: Path) -> None:
    """From a copy as it is published, unpacked, or the file of the ratings with the others beside it; codes are words."""
    if form == "archive":
        path = archive(tmp_path, "ml-1m.zip", ML_1M, "latin-1")
    else:
        for member, text in ML_1M.items():
            (tmp_path / member).parent.mkdir(exist_ok=True)
            (tmp_path / member).write_text(text, encoding="latin-1")
        path = tmp_path / "ml-1m" if form == "folder" else tmp_path / "ml-1m" / "ratings.dat"
    features = catalogue_features(entry_of("MovieLens1M"), path)
    items, users = features["items"].read(), features["users"].read()
    assert items.ids == [661, 1193]
    assert entries(items) == {
        "genres": [["Animation", "Children's", "Musical"], ["Drama"]],
        "title": ["James and the Giant Peach (1996)", "Caf\xe9 (1975)"],
    }
    assert entries(users) == {
        "age": ["under 18", "56 and older"],
        "gender": ["F", "M"],
        "occupation": ["K-12 student", "self-employed"],
        "postcode": ["48067", "02139"],
    }
    assert list(features["users"].names) == list(users.columns)
    assert features["items"].digest == items.digest()


def test_tags_of_several_users_are_a_list_beside_the_genres(tmp_path: Path) -> None:
    """Two files of one subject are joined by the items; a movie in only one has missing values, and so has one without genres."""
    path = archive(tmp_path, "ml-latest-small.zip", ML_SMALL, "utf-8")
    features = catalogue_features(entry_of("MovieLensLatestSmall"), path)
    assert list(features) == ["items"]
    items = features["items"].read()
    assert dict(zip(items.ids, items.columns["genres"].entries, strict=True)) == {
        1: ["Comedy", "Drama"],
        2: None,
        7: None,
    }
    assert dict(zip(items.ids, items.columns["tags"].entries, strict=True)) == {
        1: ["funny", "politics"],
        2: None,
        7: ["dark"],
    }
    assert dict(zip(items.ids, items.columns["title"].entries, strict=True))[1] == "American President, The (1995)"


def test_a_dataset_has_them_where_they_are_asked_for(tmp_path: Path) -> None:
    """Of both subjects or of one; by default there are none, so that the key of the ratings alone stays."""
    path = archive(tmp_path, "ml-1m.zip", ML_1M, "latin-1")
    ratings = RecSysDataSet(catalogue_source(entry_of("MovieLens1M"), path), "MovieLens1M")
    assert not ratings.features
    assert list(ratings.with_features().features) == ["items", "users"]
    assert list(ratings.with_features(users=True).features) == ["users"]


@pytest.fixture
def server() -> Iterator[FileServer]:
    with file_server() as running:
        yield running


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("OMNIBENCH_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def served(server: FileServer, content: bytes) -> Definition:
    """MovieLens-1M at the address of a server, without its digests."""
    entry = definition("MovieLens1M")
    source = replace(entry.sources[0], url=server.add("/ml-1m.zip", content), md5="", sha256="", evidence="")
    return replace(entry, sources=(source,))


@pytest.mark.usefixtures("cache")
def test_they_come_with_the_archive_of_the_ratings(server: FileServer, tmp_path: Path) -> None:
    """It is downloaded once for ratings, items and users; a digest that is known needs no file any more."""
    entry = served(server, archive(tmp_path, "ml-1m.zip", ML_1M, "latin-1").read_bytes())
    features = catalogue_features(entry)
    digests = [features[subject].digest for subject in ("items", "users")]
    assert len([request for request in server.requests if request[0] == "GET"]) == 1
    next((tmp_path / "cache").rglob("ml-1m.zip")).unlink()
    assert [catalogue_features(entry)[subject].digest for subject in ("items", "users")] == digests
    assert len([request for request in server.requests if request[0] == "GET"]) == 1


@pytest.mark.usefixtures("cache")
def test_a_file_of_their_own_is_downloaded(server: FileServer) -> None:
    """Features may have an address of their own, in any format that definitions have: here JSON lines."""
    url = server.add("/movies.json", b'{"id": "1", "year": 1995}\n{"id": "x", "year": 1996}\n')
    reader = Reader("json", {"id": "item", "year": "year"})
    entry = replace(definition("MovieLens1M"), features=(Features("items", (), reader, url=url),))
    items = catalogue_features(entry)["items"].read()
    assert list(items.ids) == ["1", "x"]
    assert entries(items) == {"year": [1995.0, 1996.0]}


def test_a_published_split_has_the_features_of_its_data_set() -> None:
    """Every part is of one data set, so what is known is the same for all."""
    data = CatalogueData(definition("MovieLens1M"), Path("nowhere"))
    source = split_source({part: CatalogueSource(data, part) for part in ("train", "test")}, "split")
    assert list(RecSysDataSet(source, "split").with_features().features) == ["items", "users"]


def test_two_files_with_one_feature_are_refused(tmp_path: Path) -> None:
    """Which of them is meant is the definition's business."""
    path = archive(tmp_path, "ml-1m.zip", ML_1M, "latin-1")
    entry = entry_of("MovieLens1M")
    twice = replace(entry, features=(entry.features[0], entry.features[0]))
    with pytest.raises(DataError, match="MovieLens1M, the features of items: two files have the feature 'genres'"):
        catalogue_features(twice, path)["items"].read()


def test_a_set_without_features_says_so() -> None:
    """The catalogue has none of most sets."""
    with pytest.raises(DataError, match=r"the catalogue has no features of it; give yours"):
        load_dataset("Gowalla_m1").with_features()


KNOWN = {name: entry for name, entry in definitions().items() if entry.features}


def cell(features: Features, name: str, row: int) -> str:
    """A field of a raw file: an id, a code that has a word, a flag, or a text that is none of them."""
    if name == features.subject.removesuffix("s"):
        return str(7 + row)
    if name in features.shape.words:
        return list(features.shape.words[name])[row]
    if any(name in texts for texts in features.shape.flags.values()):
        return str(row)
    return ["Dr\xe4ma, war", "1995"][row]


@pytest.mark.parametrize("name", KNOWN)
def test_the_features_of_every_definition_are_read(name: str, tmp_path: Path) -> None:
    """From raw files with the columns, separators and encodings of the definition: two rows of each subject."""
    entry = KNOWN[name]
    for source in [source for source in entry.sources if source.members]:
        (tmp_path / PurePosixPath(source.members[0]).name.strip("*")).write_text("1\n")
    for features in entry.features:
        reader, columns = features.reader, features.reader.columns
        header = [list(columns)] if isinstance(columns, Mapping) else []
        targets = list(columns.values() if isinstance(columns, Mapping) else columns)
        lines = [*header, *([cell(features, target, row) for target in targets] for row in (0, 1))]
        mark = reader.options.get("quote", "")
        fields = [[f"{mark}{field}{mark}" for field in line] for line in lines]
        text = "".join(reader.options["separator"].join(line) + "\n" for line in fields)
        path = tmp_path / PurePosixPath(features.members[0]).name.strip("*")
        path.write_text(text, encoding=reader.options.get("encoding", "utf-8"))
    for subject, of_subject in catalogue_features(entry, tmp_path).items():
        read = of_subject.read()
        assert list(read.ids) == [7, 8], subject
        assert list(read.columns) == list(of_subject.names), subject
        assert all(list(column.entries)[1] is not None for column in read.columns.values()), subject


def test_what_several_archives_say_counts_once(tmp_path: Path) -> None:
    """MIND lists news beside the training and beside the test part, most of them in both."""
    line = "\tnews\tnewsworld\tTitle\tabstract\turl\t[]\t[]\n"
    entry = definition("MINDSmallImpressions")
    for part, ids in (("train", ["N1", "N2"]), ("dev", ["N2", "N3"])):
        archive(
            tmp_path,
            f"MINDsmall_{part}.zip",
            {f"MINDsmall_{part}/behaviors.tsv": "", f"MINDsmall_{part}/news.tsv": "".join(own + line for own in ids)},
            "utf-8",
        )
    news = catalogue_features(entry, tmp_path)["items"].read()
    assert list(news.ids) == ["N1", "N2", "N3"]
    assert set(news.columns["category"].entries) == {"news"}


@pytest.mark.usefixtures("cache")
def test_a_mirror_that_is_no_archive_has_no_features(server: FileServer) -> None:
    """A file of the ratings alone, in another format, is not taken for one of the users."""
    entry = served(server, b"1::1193::5::978300760\n")
    entry = replace(entry, sources=(replace(entry.sources[0], file="ratings.dat"),))
    with pytest.raises(
        DataError, match=r"ratings\.dat is no archive, so it has no 'ml-1m/users\.dat' with the features"
    ):
        catalogue_features(entry)["users"].read()

"""Features of MovieLens-100K: the same from GroupLens' files and RecBole's, and only where they are asked for."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from omnibench import load_dataset
from omnibench.data.features.columns import FeatureColumns
from omnibench.data.movielens_features import MovieLensFeatures
from omnibench.errors import DataError

ITEMS = (
    f"1|Toy Story (1995)|01-Jan-1995||http://imdb|0|0|0|1|1|1|{'|'.join('0' * 13)}\n"
    f"267|unknown||||1|{'|'.join('0' * 18)}\n"
    f"543|Mis\xe9rables, Les (1995)|01-Jan-1995||http://imdb|{'|'.join('0' * 8)}|1|{'|'.join('0' * 10)}\n"
    f"1412|Land Before Time III: The Time of the Great Giving (1995) (V)|01-Jan-1995||http|0|0|0|1|1|{'|'.join('0' * 14)}\n"
)
ATOMIC_ITEMS = (
    "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
    "1\tToy Story\t1995\tAnimation Children's Comedy\n"
    "267\tunkonwn\tunkonwn\tunknown\n"
    "543\tMis\xe9rables, Les\t1995\tDrama\n"
    "1412\tLand Before Time III: The Time of the Great Giving (1995)\tV\tAnimation Children's\n"
)
USERS = "1|24|M|technician|85711\n2|53|F|other|02139\n"
ATOMIC_USERS = "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token\n" + USERS.replace("|", "\t")


def read(folder: Path, subject: str) -> FeatureColumns:
    return MovieLensFeatures(subject, lambda: folder).read()


@pytest.fixture(params=["files", "unpacked", "zip", "atomic"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder or file that has the features, in one of their forms."""
    if request.param == "atomic":
        (tmp_path / "ml-100k.item").write_text(ATOMIC_ITEMS, encoding="utf-8")
        (tmp_path / "ml-100k.user").write_text(ATOMIC_USERS, encoding="utf-8")
        return tmp_path / "ml-100k.inter"
    if request.param == "zip":
        with zipfile.ZipFile(tmp_path / "ml-100k.zip", "w") as archive:
            archive.writestr("ml-100k/u.item", ITEMS.encode("latin-1"))
            archive.writestr("ml-100k/u.user", USERS)
        return tmp_path / "ml-100k.zip"
    folder = tmp_path / "ml-100k" if request.param == "unpacked" else tmp_path
    folder.mkdir(exist_ok=True)
    (folder / "u.item").write_bytes(ITEMS.encode("latin-1"))
    (folder / "u.user").write_text(USERS, encoding="latin-1")
    return tmp_path


def test_movies_are_the_same_from_everywhere(place: Path) -> None:
    """Title and year apart, genres as a list; what has no title or year has a missing value."""
    movies = read(place, "items")
    assert movies.ids == [1, 267, 543, 1412]
    assert movies.columns["title"].entries == [
        "Toy Story",
        None,
        "Mis\xe9rables, Les",
        "Land Before Time III: The Time of the Great Giving",
    ]
    assert [year for year in movies.columns["year"].entries if year > 0] == [1995.0] * 3
    assert movies.columns["genres"].entries == [
        ["Animation", "Children's", "Comedy"],
        ["unknown"],
        ["Drama"],
        ["Animation", "Children's"],
    ]


def test_users_are_the_same_from_everywhere(place: Path) -> None:
    """Ages are numbers, and a postcode that begins with 0 keeps it."""
    users = read(place, "users")
    assert users.columns["age"].entries.tolist() == [24.0, 53.0]
    assert {name: users.columns[name].entries for name in ("gender", "postcode")} == {
        "gender": ["M", "F"],
        "postcode": ["85711", "02139"],
    }
    assert list(MovieLensFeatures("users", lambda: place).names) == list(users.columns)


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    """A copy of the ratings alone has no features: the error says which file to put where."""
    (tmp_path / "u.data").write_text("1\t1\t5\t1\n")
    with pytest.raises(DataError, match=r"there is no u\.item or ml-100k\.item beside the ratings"):
        read(tmp_path / "u.data", "items")
    (tmp_path / "u.item").write_text("1|Toy Story\n")
    with pytest.raises(DataError, match=r"u\.item does not have the items of MovieLens-100K"):
        read(tmp_path / "u.data", "items")


def test_the_key_of_the_ratings_alone_stays() -> None:
    """Features come where they are asked for, all of them or those of one subject; else the key is what it was."""
    ratings = load_dataset("MovieLens100K")
    assert not ratings.features
    assert list(ratings.with_features(users=True).features) == ["users"]
    assert list(ratings.with_features().features) == ["items", "users"]


def test_all_movies_and_users_have_features() -> None:
    """The ones that RecBole distributes: a digest that no release may change, since it is in the keys of experiments."""
    dataset = load_dataset("MovieLens100K").with_features()
    assert len(dataset.features["items"].read().ids) == 1682
    assert len(dataset.features["users"].read().ids) == 943
    assert (
        dataset.features["items"].read().digest() == "f3f7d13beb478ac170e94616dea15b7bfb672f85558f7fa5de99911b538f0631"
    )
    assert (
        dataset.features["users"].read().digest() == "0418ac5f6d7afc0ca075970987ed745e8d4aecd31efbc1d2ecb46fe4ee649b35"
    )

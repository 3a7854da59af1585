"""``omnibench data new``: a definition is begun from a file, and becomes a data set once its author has written in what is left."""

from __future__ import annotations

import gzip
import hashlib
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from omnibench import from_file, load_dataset
from omnibench.commands.main import main
from omnibench.data.catalogue.names import definition, read_definitions
from omnibench.errors import DataError

Run = Callable[..., str]


@pytest.fixture
def new(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command, expect how it ends, and return what it said."""

    def run(*arguments: str, ends: int = 0) -> str:
        capsys.readouterr()
        assert main(["data", "new", *arguments]) == ends
        out, err = capsys.readouterr()
        return err if ends else out

    return run


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with files of ratings."""
    lines = [
        f"{number % 7},{number % 11},{[-1, 1, 2, 3, 4, 5][number % 6]},{1_600_000_000 + number}" for number in range(60)
    ]
    (tmp_path / "my-ratings.csv").write_text("\n".join(["userId,movieId,rating,timestamp", *lines]) + "\n")
    (tmp_path / "raw.dat").write_text("\n".join(line.replace(",", "::") for line in lines) + "\n")
    (tmp_path / "shop.csv").write_text("kunde;artikel;wert\nk1;a1;3\nk2;a1;4\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_definition_has_what_the_file_tells(new: Run, folder: Path) -> None:
    """Format, columns, unit of time, counts and digest; its name is the file's."""
    out = new("my-ratings.csv")
    assert out.startswith("MyRatings.toml: table, 7 users, 11 items, 60 interactions\n")
    values = tomllib.loads((folder / "MyRatings.toml").read_text())
    assert values["reader"] == {
        "format": "table",
        "separator": ",",
        "header": True,
        "columns": {"userId": "user", "movieId": "item", "rating": "rating", "timestamp": "timestamp"},
        "time": "seconds",
    }
    assert values["feedback"] == "explicit"
    assert {name: values["counts"][name] for name in ("users", "items", "interactions")} == {
        "users": 7,
        "items": 11,
        "interactions": 60,
    }
    (source,) = values["sources"]
    assert source["path"] == "my-ratings.csv"
    assert source["sha256"] == hashlib.sha256((folder / "my-ratings.csv").read_bytes()).hexdigest()


def test_what_nobody_else_knows_is_refused_until_it_is_written_in(new: Run, folder: Path) -> None:
    """The command lists these keys, and the parser names them; filled in, the definition is one."""
    assert "write in, or delete: title\n  write in, or delete: interactions\n" in new("my-ratings.csv")
    path = folder / "MyRatings.toml"
    with pytest.raises(
        DataError, match=r"MyRatings\.toml, MyRatings: title is still '<what people call it>'; write it in"
    ):
        read_definitions(path, own=True)
    text = path.read_text().replace('"<what people call it>"', '"My ratings"')
    path.write_text("\n".join(line for line in text.splitlines() if not line.startswith("interactions =  ")))
    with pytest.raises(DataError, match="interactions is still '<what an interaction means"):
        read_definitions(path, own=True)
    path.write_text("\n".join(line for line in text.splitlines() if '"<what' not in line))
    (entry,) = read_definitions(path, own=True)
    assert (entry.name, entry.title, entry.counts.interactions) == ("MyRatings", "My ratings", 60)


def test_columns_that_could_be_anything_are_left_to_the_author(new: Run, folder: Path) -> None:
    """Nothing is counted that may have been read wrong."""
    out = new("shop.csv")
    assert out.startswith("Shop.toml: table, to be read once its columns are known\n")
    assert "say which is the user, item, rating or timestamp, and delete the others: kunde, artikel, wert\n" in out
    text = (folder / "Shop.toml").read_text()
    assert 'kunde = "<user, item, rating or timestamp>"  # "k1", "k2"\n' in text
    assert "[counts]" not in text
    lines = [line for line in text.splitlines() if '"<what' not in line]
    (folder / "Shop.toml").write_text("\n".join(lines))
    with pytest.raises(DataError, match=r"Shop, reader: columns\.kunde is still '<user, item, rating or timestamp>'"):
        read_definitions(folder / "Shop.toml", own=True)
    known = "\n".join(lines).replace('kunde = "<user, item, rating or timestamp>"', 'kunde = "user"')
    known = known.replace('artikel = "<user, item, rating or timestamp>"', 'artikel = "item"')
    (folder / "Shop.toml").write_text("\n".join(line for line in known.splitlines() if '"<' not in line))
    (entry,) = read_definitions(folder / "Shop.toml", own=True)
    assert entry.reader.columns == {"kunde": "user", "artikel": "item"}


def test_doubtful_values_and_guesses_are_said(new: Run, folder: Path) -> None:
    """In the file, where they are mended, and on the screen."""
    out = new("raw.dat")
    text = (folder / "Raw.toml").read_text()
    for said in (out, text):
        assert "which of them is the user, and which the item, is guessed from their order." in said
        assert (
            "The rating -1 in 10 rows is the only negative value beside 1 to 5. If it stands for no rating: missing = [-1]"
            in said
        )
    changed = text.replace("[reader]\n", "[reader]\nmissing = [-1]\n")
    (folder / "Raw.toml").write_text("\n".join(line for line in changed.splitlines() if '"<' not in line))
    assert read_definitions(folder / "Raw.toml", own=True)[0].reader.options["missing"] == [-1]


def test_the_definition_lies_beside_the_projects_others(new: Run, folder: Path) -> None:
    """Where `[tool.omnibench] data` finds it; the path of its file begins there."""
    (folder / "pyproject.toml").write_text('[tool.omnibench]\ndata = "sets/*.toml"\n')
    out = new("my-ratings.csv", "--name", "Mine")
    assert out.startswith("sets/Mine.toml: ")
    assert "add to" not in out
    path = folder / "sets" / "Mine.toml"
    path.write_text("\n".join(line for line in path.read_text().splitlines() if '"<' not in line))
    assert definition("Mine").sources[0].url == (folder / "my-ratings.csv").as_uri()


def test_without_settings_the_line_for_them_is_said(new: Run, folder: Path) -> None:
    """And following it leads to success."""
    out = new("my-ratings.csv", "--output", "deep/other.toml")
    assert 'add to pyproject.toml: [tool.omnibench] data = "deep/other.toml"' in out
    (folder / "pyproject.toml").write_text('[tool.omnibench]\ndata = "deep/other.toml"\n')
    path = folder / "deep" / "other.toml"
    path.write_text("\n".join(line for line in path.read_text().splitlines() if '"<' not in line))
    assert definition("MyRatings").file == path
    (folder / "pyproject.toml").write_text("[tool.omnibench]\n")
    assert f'add to [tool.omnibench] data in {folder / "pyproject.toml"}: "Raw.toml"' in new("raw.dat")


def test_archives_and_compressed_files_are_looked_into(new: Run, folder: Path) -> None:
    """By their content; of an archive with several members one is named."""
    (folder / "packed.csv.gz").write_bytes(gzip.compress((folder / "my-ratings.csv").read_bytes()))
    assert new("packed.csv.gz").startswith("Packed.toml: table, 7 users, 11 items, 60 interactions\n")
    with zipfile.ZipFile(folder / "all.zip", "w") as archive:
        archive.write(folder / "raw.dat", "data/raw.dat")
        archive.write(folder / "shop.csv", "data/shop.csv")
    assert "say which is read: --member NAME. It has 'data/raw.dat', 'data/shop.csv'." in new("all.zip", ends=2)
    text = new("all.zip", "--member", "raw.dat", "--output", "-")
    values: dict[str, Any] = tomllib.loads(text)
    assert values["sources"][0]["member"] == "raw.dat"
    assert values["counts"]["interactions"] == 60
    assert not (folder / "All.toml").exists()


def test_a_name_of_the_catalogue_is_not_taken(new: Run, folder: Path) -> None:
    """A file that is called like one becomes My...; a name that is given is refused."""
    (folder / "anime.csv").write_bytes((folder / "my-ratings.csv").read_bytes())
    assert new("anime.csv").startswith("MyAnime.toml: ")
    assert "defines 'Anime' already; give another, e.g. --name MyAnime." in new("raw.dat", "--name", "Anime", ends=2)
    assert "the catalogue has 'Gowalla' already" in new("raw.dat", "--name", "Gowalla", ends=2)
    assert "--name is '1 set'; give letters" in new("raw.dat", "--name", "1 set", ends=2)
    assert tomllib.loads(new("raw.dat", "--name", "Mine", "--output", "-"))["name"] == "Mine"


def test_what_cannot_be_defined_is_refused(new: Run, folder: Path) -> None:
    """Nothing is written, and nothing overwritten."""
    (folder / "empty.csv").write_text("\n")
    whole = gzip.compress(bytes(range(256)) * 100)
    (folder / "cut.csv.gz").write_bytes(whole[:-12])
    assert "empty.csv is empty; there is nothing to define." in new("empty.csv", ends=2)
    assert "cut.csv.gz is cut off or damaged" in new("cut.csv.gz", ends=2)
    assert "there is no file '" in new("nothing.csv", ends=2)
    assert "there is no file '" in new(".", ends=2)
    (folder / "MyRatings.toml").write_text("mine")
    assert "MyRatings.toml is there already; remove it, or give another --output." in new("my-ratings.csv", ends=2)
    assert (folder / "MyRatings.toml").read_text() == "mine"
    assert [path.name for path in folder.glob("*.toml")] == ["MyRatings.toml"]


def test_a_guess_that_does_not_read_the_file_says_why(new: Run, folder: Path) -> None:
    """The definition is begun all the same, with the reader's own sentence in it."""
    lines = ["user,item,rating", *(f"u{number},i{number},3" for number in range(40_000)), "u1,i1,many"]
    (folder / "late.csv").write_text("\n".join(lines) + "\n")
    out = new("late.csv")
    assert out.startswith("Late.toml: table, not read yet\n  check: It cannot be read like this yet: ")
    assert "many" in out
    assert "[counts]" not in (folder / "Late.toml").read_text()


def test_a_strange_file_becomes_a_data_set(new: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From `new` to `load_dataset` with what the command says alone; the key is that of the same rows in a file."""
    monkeypatch.setenv("OMNIBENCH_CACHE_DIR", str(folder / "cache"))
    new("raw.dat", "--name", "Mine", "--output", "sets/Mine.toml")
    (folder / "pyproject.toml").write_text('[tool.omnibench]\ndata = "sets/*.toml"\n')
    path = folder / "sets" / "Mine.toml"
    text = path.read_text().replace('"<what people call it>"', '"My ratings"')
    path.write_text("\n".join(line for line in text.splitlines() if '"<' not in line))
    mine = load_dataset("Mine")
    same = from_file("raw.dat", separator="::", columns=["user", "item", "rating", "timestamp"])
    assert len(mine.source.load()) == 60
    assert mine.key == same.key
    path.write_text(path.read_text().replace("[reader]\n", "[reader]\nmissing = [-1]\n"))
    assert len(load_dataset("Mine").source.load()) == 50
    (folder / "raw.dat").write_text("1::2::3::1600000000\n")
    with pytest.raises(DataError, match="is not the published one"):
        load_dataset("Mine").source.load()

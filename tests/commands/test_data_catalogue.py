"""``omnibench data list`` and ``show``: what the catalogue knows."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.catalogues import SHOP, begin_project, define
from support.servers import file_server

from omnibench import load_dataset
from omnibench.commands.main import main
from omnibench.data.catalogue.licences import accept_licences, require_acceptance
from omnibench.data.catalogue.names import definition, definitions

Run = Callable[..., str]


@pytest.fixture
def data(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command, expect how it ends, and return what it said."""

    def run(*arguments: str, ends: int = 0) -> str:
        capsys.readouterr()
        assert main(["data", *arguments]) == ends
        out, err = capsys.readouterr()
        return err if ends else out

    return run


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let the output be a terminal of some columns."""

    def resize(columns: int) -> None:
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)

    return resize


def test_the_list_is_a_line_a_data_set_that_begins_with_its_name(data: Run) -> None:
    """`| wc -l` counts them and `| grep` finds them: no header, no remark."""
    lines = data("list").splitlines()
    assert [line.split()[0] for line in lines] == list(definitions())


def test_the_list_is_searched_by_words(data: Run) -> None:
    """All words count, in names, titles, what others call it, and what an interaction is."""
    assert [line.split()[0] for line in data("list", "ml-1m").splitlines()] == ["MovieLens1M"]
    assert len(data("list", "amazon", "2023", "BOOKS").splitlines()) == 4
    refusal = f"none of {len(definitions())} data sets has 'movilens1m'; did you mean 'MovieLens1M'?"
    assert refusal in data("list", "movilens1m", ends=1)


def test_a_wrong_definition_is_said_beside_the_list(
    data: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The data sets that can be had are listed all the same, and the exit status says that something is amiss."""
    begin_project(tmp_path, monkeypatch)
    Path("data", "Shop.toml").write_text('name = "Shop"\ncolour = "red"\n')
    assert main(["data", "list", "movielens"]) == 1
    out, err = capsys.readouterr()
    assert "MovieLens1M " in out
    assert f"{tmp_path / 'data' / 'Shop.toml'}, Shop: there is no key 'colour'" in err
    assert data("show", "MovieLens1M").startswith("MovieLens1M: ")


@pytest.mark.parametrize("columns", [80, 120, 200])
def test_the_list_fits_a_terminal(data: Run, terminal: Callable[[int], None], columns: int) -> None:
    """A narrow one gets rounded numbers, a wide one all digits and the titles."""
    terminal(columns)
    lines = data("list").splitlines()
    assert max(map(len, lines)) <= columns
    assert lines[0].split()[:3] == ["name", "users", "items"]
    line = next(line for line in lines if line.startswith("MovieLens1M "))
    numbers = ["6.04K", "3.71K", "1.00M"] if columns < 100 else ["6,040", "3,706", "1,000,209"]
    assert line.split()[1:5] == [*numbers, "download"]
    assert ("MovieLens 1M" in line) == (columns >= 100)


def test_the_list_says_how_a_set_is_come_by(data: Run) -> None:
    """By oneself, after accepting terms, or without further ado; unknown numbers are question marks, rounded ones marked."""
    assert "  manual  " in data("list", "Yelp2023")
    terms = next(entry for entry in definitions().values() if entry.licence.accept and not entry.is_manual)
    assert "  terms  " in data("list", terms.name)
    assert "  ?  ?  ?  download  " in data("list", "Amazon2023Books5CoreByTime")
    rounded = next(entry for entry in definitions().values() if entry.counts.rounded)
    assert "~" in data("list", rounded.name)


def test_what_is_in_the_cache_is_listed_as_such(data: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data set that was fetched needs no network any more, and terms that were accepted are no obstacle."""
    begin_project(tmp_path, monkeypatch)
    terms = '[licence]\nname = "mine"\nurl = "https://a.org"\naccept = true\n'
    with file_server() as server:
        define(server.add("/shop.dat", SHOP), name="Far", more=terms)
        assert data("list", "Far").split()[:5] == ["Far", "?", "?", "?", "terms"]
        accept_licences("Far")
        require_acceptance(definition("Far"))
        assert data("list", "Far").split()[4] == "download"
        Path("mine.dat").write_bytes(SHOP)
        assert len(load_dataset("Far", path="mine.dat").interactions()) == 5
        assert data("list", "Far").split()[4] == "download"  # without that copy
        assert len(load_dataset("Far").interactions()) == 5
    assert data("list", "Far").split()[4] == "cached"


def test_programs_get_json(data: Run) -> None:
    """Numbers as numbers, and all of a definition."""
    (entry,) = json.loads(data("list", "ml-1m", "--json"))
    assert (entry["name"], entry["interactions"], entry["access"]) == ("MovieLens1M", 1_000_209, "download")
    (shown,) = json.loads(data("show", "Gowalla_m1", "--json"))
    assert [source["part"] for source in shown["sources"]] == ["train", "test"]
    assert shown["variants"] == ["GowallaCheckins", "GowallaFriendships"]
    assert shown["licence"]["url"].startswith("https://")


def test_show_says_everything_that_is_known(data: Run) -> None:
    """Counts with who counted, features, licence, home, variants with their sizes, sources with digests, citation, use."""
    out = " ".join(data("show", "ml-1m").split())
    for text in (
        "MovieLens1M: MovieLens 1M interactions A rating of a movie, 1 to 5 stars",
        "counts 6,040 users, 3,706 items, 1,000,209 interactions, density 4.47% counted by ",
        "features of items: genres, title; of users: age, gender, occupation, postcode",
        "licence Research use; no redistribution",
        "also called ml-1m",
        "MovieLens20M (20.0M)",
        "sources https://files.grouplens.org/datasets/movielens/ml-1m.zip > ml-1m/ratings.dat sha256 a6898adb50b9",
        "citation @article{harper2015movielens, author = {Harper, F. Maxwell",
        'to use it load_dataset("MovieLens1M")',
    ):
        assert text in out


def test_show_says_what_is_special(data: Run) -> None:
    """A published split, what must be done by hand, terms to accept, what supersedes it, the family."""
    assert "split published: train, test" in " ".join(data("show", "Gowalla_m1").split())
    out = " ".join(data("show", "Yelp2018Reviews").split())
    assert "superseded by Yelp2023" in out
    assert "must be accepted before the first download" in out
    assert "by hand: Sign in to Kaggle" in out
    assert re.search(r"the folder: \S+datasets/Yelp2018Reviews\b", out)
    assert "5,261,667 different pairs" in out
    out = " ".join(data("show", "Amazon2018Books").split())
    assert "family Amazon2018, 29 data sets; `omnibench data show Amazon2018` lists them" in out


@pytest.mark.parametrize(("name", "count"), [("Gowalla", 3), ("MovieLens", 9), ("Amazon2018", 29)])
def test_a_name_that_means_several_is_refused_with_a_line_for_each(data: Run, name: str, count: int) -> None:
    """Ambiguous names and families lead to their variants and counts."""
    lines = data("show", name, ends=2).splitlines()
    assert lines[0] == f"omnibench: {name!r} means {count} data sets; show one of them:"
    assert len(lines) == count + 1
    assert all(line.split()[0] in definitions() for line in lines[1:])


def test_an_unknown_name_is_refused_with_the_nearest(data: Run) -> None:
    """And with the command that lists all."""
    assert "has none named 'Gowala'; did you mean 'Gowalla'?" in data("show", "Gowala", ends=2)
    assert "`omnibench data list` has all of them." in data("show", "Zork", ends=2)


def test_data_sets_of_the_project_are_listed_and_shown(
    data: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the file that defines them."""
    (tmp_path / "pyproject.toml").write_text('[tool.omnibench]\ndata = "*.bazaar.toml"\n')
    (tmp_path / "my.bazaar.toml").write_text(
        'name = "Bazaar"\nsources = [{ path = "bazaar.csv" }]\n'
        'reader = { format = "table", separator = ",", columns = ["user", "item"] }\n'
    )
    monkeypatch.chdir(tmp_path)
    assert data("list", "bazaar").split() == ["Bazaar", "?", "?", "?", "local", "Bazaar"]
    out = data("show", "Bazaar")
    assert out.startswith("Bazaar\n  interactions  implicit\n  counts        unknown\n")
    assert str(tmp_path / "my.bazaar.toml") in out.replace("\n                ", "")
    assert json.loads(data("show", "Bazaar", "--json"))[0]["file"] == str(tmp_path / "my.bazaar.toml")


def test_without_an_action_it_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    """As every command does."""
    assert main(["data"]) == 2
    assert "list the data sets that the catalogue knows" in " ".join(capsys.readouterr().out.lower().split())

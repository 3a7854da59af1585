"""``[tool.omnibench] data``: definitions of the user's own project join the catalogue."""

from __future__ import annotations

from pathlib import Path

import pytest

from omnibench import load_dataset
from omnibench.data.catalogue.names import definition, definitions, wrong_definitions
from omnibench.data.project_files import project_definitions
from omnibench.errors import DataError
from omnibench.paths import relative_to

SHOP = """
name = "Shop"

[[sources]]
path = "raw/ratings.csv"

[reader]
format = "table"
header = true
columns = { customer = "user", sku = "item", stars = "rating" }
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose definitions lie in ``data``."""
    (tmp_path / "pyproject.toml").write_text('[tool.omnibench]\ndata = "data/*.toml"\n')
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "shop.toml").write_text(SHOP)
    monkeypatch.setenv("OMNIBENCH_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(name: str = "Shop") -> str:
    """Return why a name is refused."""
    with pytest.raises(DataError) as refusal:
        definition(name)
    return str(refusal.value)


def test_a_definition_of_the_project_joins_the_catalogue(project: Path) -> None:
    """It needs a name, a source and a reader; its file lies on this machine, beside the definition."""
    shop = definition("Shop")
    assert definitions()["Shop"] == shop
    assert shop.file == project / "data" / "shop.toml"
    assert shop.sources[0].url == (project / "data" / "raw" / "ratings.csv").as_uri()
    assert shop.sources[0].file == "ratings.csv"
    assert (shop.title, shop.feedback, shop.licence.name, shop.citation) == ("Shop", "explicit", "", "")
    assert definition("MovieLens1M").name in definitions()


def test_features_may_lie_on_this_machine_as_well(project: Path) -> None:
    """Beside the definition, as the interactions do."""
    features = (
        '[[features]]\nsubject = "items"\npath = "items.csv"\n[features.reader]\nformat = "table"\nheader = true\n'
    )
    (project / "data" / "shop.toml").write_text(f'{SHOP}\n{features}columns = {{ sku = "item", shelf = "shelf" }}\n')
    (shelves,) = definition("Shop").features
    assert shelves.url == (project / "data" / "items.csv").as_uri()


def test_the_project_is_that_of_the_bench_file(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Its definitions are known wherever pytest is started, and from the folders below the project."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    bench = project / "benchmarks" / "deep" / "bench_shop.py"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(elsewhere)
        assert "has none named 'Shop'" in refused()
        with relative_to(bench):
            assert definition("Shop").name == "Shop"


def test_the_nearest_settings_count(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that say nothing of omnibench, broken ones of other tools included, are passed over."""
    folder = project / "package"
    folder.mkdir()
    (folder / "pyproject.toml").write_text("[project\n")
    monkeypatch.chdir(folder)
    assert definition("Shop").name == "Shop"
    (folder / "pyproject.toml").write_text("[tool.omnibench]\n")
    assert "has none named 'Shop'" in refused()


def test_a_definition_that_has_changed_is_read_again(project: Path) -> None:
    """A process that lives long, such as a notebook, sees what was edited."""
    assert definition("Shop").title == "Shop"
    (project / "data" / "shop.toml").write_text(SHOP.replace('"Shop"', '"Shop"\ntitle = "A small shop"'))
    assert definition("Shop").title == "A small shop"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ('data = "data/*.yaml"', "are TOML files, not YAML; write them as such, and data = "),
        ('data = "data/*"', "give a path or pattern that ends in .toml"),
        ('data = "data/shops.toml"', "shops.toml'; check the path."),
        ("data = 3", "data is 3; give a text, or a list of texts."),
        ('dta = "data/*.toml"', "there is no key 'dta'; did you mean 'data'?"),
        ('data = "data/*.toml', "pyproject.toml cannot be read:"),
    ],
)
def test_wrong_settings_are_refused_with_their_file(project: Path, settings: str, message: str) -> None:
    """The message names the file, the value and the way out."""
    (project / "pyproject.toml").write_text(f"[tool.omnibench]\n{settings}\n")
    text = refused()
    assert str(project / "pyproject.toml") in text
    assert message in text


def test_a_table_that_is_none_is_refused(project: Path) -> None:
    """``tool.omnibench`` is a table."""
    (project / "pyproject.toml").write_text('[tool]\nomnibench = "data/*.toml"\n')
    assert "write it as a table [tool.omnibench]" in refused()


def test_a_pattern_without_files_is_said_of_an_unknown_name(project: Path) -> None:
    """Names of the catalogue work, and a typo in the pattern is not looked for in vain."""
    (project / "pyproject.toml").write_text('[tool.omnibench]\ndata = ["data/shop.toml", "sets/*.toml"]\n')
    assert definition("Shop").name == "Shop"
    assert "data = 'sets/*.toml' matches no file." in refused("Store")


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (
            'name = "Shop"',
            'name = "Shop"\nlicense = "mine"',
            "shop.toml, Shop: there is no key 'license'; did you mean 'licence'?",
        ),
        (
            'name = "Shop"',
            'name = "MovieLens1M"',
            "shop.toml defines 'MovieLens1M', a name that omnibench's catalogue has",
        ),
        ('name = "Shop"', 'name = "Gowalla"', "defines 'Gowalla', a name that omnibench's catalogue has"),
        ('path = "raw/ratings.csv"', "", "shop.toml, Shop, sources[1]: it has neither a path nor a url"),
        (
            'path = "raw/ratings.csv"',
            'path = "a.csv"\nurl = "https://a.org/a.csv"',
            "it has a path and a url; give the path",
        ),
        (
            '"user"',
            '"<user, item, rating or timestamp>"',
            "columns.customer is still '<user, item, rating or timestamp>'; write it in",
        ),
        ('"raw/ratings.csv"', '"<where it is>"', "path is still '<where it is>'; write it in, or delete that"),
        ('name = "Shop"', "name = ", "shop.toml is no definition of a data set: "),
        ('name = "Shop"\n', "", "shop.toml: the key 'name' is missing"),
        (
            'ratings.csv"',
            'ratings.csv"\npart = "holdout"',
            "a source is of the part 'holdout'; the parts of a split are train",
        ),
        (
            'ratings.csv"',
            'ratings.csv"\npart = "train"',
            "the parts of its sources are 'train'; a split has 'train' and 'test'",
        ),
        ('format = "table"', 'format = "table"\nencoding = "rot13"', "encoding is 'rot13', which Python does not know"),
        ('name = "Shop"', f"deep = {'[' * 3000}{']' * 3000}", "its tables and lists are too deep"),
        ('name = "Shop"', f"name = {'9' * 5000}", "is no definition of a data set: Exceeds the limit"),
    ],
)
def test_a_wrong_definition_is_refused_by_name(project: Path, before: str, after: str, message: str) -> None:
    """File, table and key are named, of its own name and of one that nobody has; other names stay what they are."""
    (project / "data" / "shop.toml").write_text(SHOP.replace(before, after))
    (problem,) = wrong_definitions()
    assert message in str(problem)
    assert str(problem).startswith(str(project / "data" / "shop.toml"))
    names = {"Shop", *(word for word in ("MovieLens1M", "Gowalla") if word in after)}
    assert all(str(problem) in refused(name) for name in names)
    assert definition("MovieLens100K").name == "MovieLens100K"
    assert "Shop" not in definitions()


def test_a_definition_may_begin_with_a_byte_order_mark(project: Path) -> None:
    """As editors of Windows write it."""
    (project / "data" / "shop.toml").write_text(SHOP, encoding="utf-8-sig")
    assert definition("Shop").name == "Shop"


def test_a_file_of_ones_own_is_not_to_be_removed(project: Path) -> None:
    """Where it cannot be read, is another one than was published, or is not there, nothing proposes that."""
    path = project / "data" / "raw" / "ratings.csv"
    path.parent.mkdir(exist_ok=True)
    digest = f'ratings.csv"\nsha256 = "{"0" * 64}"\nevidence = "us'
    texts = []
    for content, text in (("a,b\n", SHOP), ("customer,sku,stars\n1,2,3\n", SHOP.replace("ratings.csv", digest))):
        path.write_text(content)
        (project / "data" / "shop.toml").write_text(text)
        with pytest.raises(DataError) as caught:
            _ = load_dataset("Shop").key
        texts.append(str(caught.value))
    path.unlink()
    with pytest.raises(DataError) as caught:
        _ = load_dataset("Shop").key
    texts.append(str(caught.value))
    assert "has no column" in texts[0]
    assert "is not the published one" in texts[1]
    assert f"{path} is not there. Put it there, or mend the path in {project / 'data' / 'shop.toml'}." in texts[2]
    assert not any("remove" in text.lower() or "download" in text for text in texts), texts


def test_two_definitions_of_a_name_are_refused(project: Path) -> None:
    """Neither hides the other."""
    (project / "data" / "again.toml").write_text(SHOP)
    first, second = project / "data" / "again.toml", project / "data" / "shop.toml"
    assert f"{second} defines 'Shop', as {first} does; rename one of them." in refused()


def test_what_the_catalogue_ships_must_still_say_everything(project: Path) -> None:
    """A definition for others has a licence, a citation and an address; its files are nowhere on this machine."""
    from omnibench.data.catalogue.names import read_definitions

    with pytest.raises(DataError, match="the key 'title' is missing"):
        read_definitions(project / "data" / "shop.toml")


def test_a_project_of_a_family_has_all_its_members(project: Path) -> None:
    """Own families are lines of a table, as the catalogue's are."""
    family = SHOP.replace(
        'name = "Shop"', 'family = "Shop"\nname = "Shop{year}"\ncolumns = ["year"]\nmembers = [["2023"], ["2024"]]'
    )
    (project / "data" / "shop.toml").write_text(family.replace("ratings.csv", "{year}.csv"))
    assert definition("Shop2024").sources[0].file == "2024.csv"
    assert "means several data sets; give one of them: Shop2023" in refused()


def test_projects_without_settings_have_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read of a project that says nothing of omnibench."""
    monkeypatch.chdir(tmp_path)
    assert project_definitions() is None
    (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["omnibench"]\n')
    assert project_definitions() is None

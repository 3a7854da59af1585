"""The definitions that the catalogue ships: every one is read, and says what a definition has to say."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from omnibench.data.catalogue.names import ambiguous_names, definition, definitions, read_definitions
from omnibench.data.membership import PART_NAMES
from omnibench.errors import DataError

ASSETS = Path(__file__).parents[2] / "assets" / "catalogue"

FAMILIES = {
    "Amazon2013": 28,
    "Amazon2014": 24,
    "Amazon2014_5Core": 24,
    "Amazon2018": 29,
    "Amazon2023": 34,
    "Amazon2023_5Core": 34,
    "Amazon2023_5CoreLastOut": 34,
    "Amazon2023_5CoreByTime": 34,
    "GoogleLocal2021": 51,
    "Goodreads": 8,
    "MovieLens": 5,
}


def omnirec_names() -> list[str]:
    return (ASSETS / "omnirec-1.1.0.txt").read_text().split()


def test_every_file_is_read_and_the_catalogue_has_at_least_400_names() -> None:
    """No definition has an unknown key or an impossible value, and none is lost on the way."""
    files = sorted((Path(next(iter(definitions().values())).file).parent).glob("*.toml"))
    entries = [entry for file in files if file.name != "ambiguous.toml" for entry in read_definitions(file)]
    assert len(entries) == len({entry.name.casefold() for entry in entries}) == len(definitions())
    assert len(definitions()) >= 400


def test_families_are_complete() -> None:
    """Every family has as many members as its makers have published files."""
    assert Counter(entry.family for entry in definitions().values() if entry.family) == FAMILIES


def test_every_name_of_omnirec_is_a_definition_or_an_ambiguous_name() -> None:
    """All 231 names of OmniRec 1.1.0 lead to a data set, or to the variants that they may mean."""
    names = omnirec_names()
    assert len(names) == 231
    unknown = [name for name in names if name not in definitions() and name not in ambiguous_names()]
    assert not unknown
    assert [name for name in names if name not in definitions()] == ["Gowalla", "HetrecLastFM", "Yelp2018"]


@pytest.mark.parametrize(
    "name",
    [
        "MovieLens32M",
        "Netflix",
        "MINDSmallImpressions",
        "YoochooseClicks",
        "DigineticaSessions",
        "RetailRocket",
        "Tmall2016",
        "Tmall2015",
        "TaFeng",
        "FoursquareNYC",
        "FoursquareTKY",
        "Pinterest20",
        "EpinionsTrustlet",
        "KuaiRecBig",
        "KuaiRecSmall",
        "MSDTasteProfile",
        "LFM360K",
        "LFM1bArtists",
        "OTTO",
        "HM",
        "Gowalla_m1",
        "Yelp18_m1",
        "AmazonBooks_m1",
        "CosmeticsShop",
        "Globo",
        "ThirtyMusic",
        "Ambar",
    ],
)
def test_the_sets_that_omnirec_lacks_are_there(name: str) -> None:
    """Sets that papers use and OmniRec has no loader for."""
    assert definition(name).name == name


def test_ambiguous_names_stand_for_at_least_two_definitions_and_are_none_themselves() -> None:
    """A name that is refused leads to variants that exist."""
    for name, variants in ambiguous_names().items():
        assert name not in definitions()
        assert len(variants) == len(set(variants)) >= 2
        assert set(variants) <= set(definitions())


def test_what_supersedes_a_data_set_exists_and_is_not_superseded_itself() -> None:
    """The advice leads to the newest version in one step."""
    for entry in definitions().values():
        if entry.superseded:
            assert entry.superseded != entry.name
            assert not definitions()[entry.superseded].superseded


def test_an_alias_means_one_data_set_and_hides_no_name() -> None:
    """What other tools call a set is found without a question."""
    aliases = Counter(alias for entry in definitions().values() for alias in entry.aliases)
    assert {alias for alias, count in aliases.items() if count > 1} == set()
    assert not set(aliases) & (set(definitions()) | set(ambiguous_names()))
    assert definition("ml-1m") == definition("MovieLens1M")
    assert definition("amazon-books-18") == definition("Amazon2018Books")


def test_a_definition_is_found_without_reading_the_others() -> None:
    """The file of a name, or of its family, is told from the name."""
    by_file = {entry.file: entry for entry in definitions().values()}
    assert len(by_file) > 100
    for file, entry in by_file.items():
        assert definition(entry.name) == entry
        assert file.stem == (entry.family or entry.name)


def test_names_differ_by_more_than_case() -> None:
    """No two names are taken for each other on a file system or in a search that ignores case."""
    names = [*definitions(), *ambiguous_names()]
    assert len(names) == len({name.casefold() for name in names})


def test_every_part_of_a_split_has_a_source_and_a_train_part() -> None:
    """Published splits have training data and something to test on, under the names that splits have."""
    splits = [entry for entry in definitions().values() if len(entry.parts) > 1]
    assert len(splits) > 70
    for entry in splits:
        assert entry.is_split
        assert set(entry.parts) <= set(PART_NAMES)
        assert "train" in entry.parts


def test_files_of_different_parts_have_different_names() -> None:
    """Parts of a set do not overwrite each other in its folder, unless they are members of one archive."""
    for entry in definitions().values():
        by_file: dict[object, set[str]] = {}
        for source in entry.sources:
            by_file.setdefault(source.file, set()).add(source.part)
        for file, parts in by_file.items():
            if len(parts) > 1:
                assert all(source.members for source in entry.sources if source.file == file), entry.name


def test_digests_are_of_one_file_each() -> None:
    """A digest that several data sets share is of the same file; DataRec has one for twelve different files."""
    by_digest: dict[str, set[str]] = {}
    for entry in definitions().values():
        for source in entry.sources:
            for digest in filter(None, (source.md5, source.sha256)):
                by_digest.setdefault(digest, set()).add(re.sub(r".*/", "", source.url.partition("?")[0]) or source.file)
    assert {digest: files for digest, files in by_digest.items() if len(files) > 1} == {}


def test_sources_of_one_part_agree_about_its_digest() -> None:
    """Mirrors of the same file name the same digest; another file of the same part may have another."""
    for entry in definitions().values():
        for part in entry.parts:
            by_file: dict[object, set[str]] = {}
            for source in entry.sources:
                if source.part == part and source.sha256:
                    by_file.setdefault((source.file, part), set()).add(source.sha256)
            assert all(len(digests) == 1 for digests in by_file.values()), entry.name


def test_manual_sources_say_what_to_do_with_which_file() -> None:
    """Whoever has to fetch a file is told its name."""
    manual = [source for entry in definitions().values() for source in entry.sources if source.manual]
    assert len(manual) >= 30
    for source in manual:
        assert source.file in source.manual or source.file.startswith("h-and-m")


def test_the_counts_of_movielens_100k_are_those_of_its_ratings() -> None:
    """Known numbers are numbers of the data, with who counted."""
    counts = definition("MovieLens100K").counts
    assert (counts.users, counts.items, counts.interactions, counts.pairs) == (943, 1682, 100_000, 100_000)
    assert counts.evidence


def test_amazon_2014_and_2018_have_their_columns_the_other_way_round() -> None:
    """The trap of the families: user, item in 2014 and item, user in 2018."""
    assert definition("Amazon2014Books").reader.columns == ("user", "item", "rating", "timestamp")
    assert definition("Amazon2018Books").reader.columns == ("item", "user", "rating", "timestamp")
    assert definition("Amazon2018Books").counts.users == 15_362_619


def test_numbers_of_a_line_are_numbers_and_empty_digests_are_left_out() -> None:
    """A member's line fills the template with the types that it has."""
    books = definition("Amazon2014Books")
    assert books.counts.interactions == 22_507_155
    assert [bool(source.md5) for source in books.sources] == [False, True]
    assert definition("Amazon2014Baby").sources[1].md5 == ""
    assert definition("Amazon2023Unknown").counts.rounded


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Gowalla", ["GowallaCheckins (6,442,892 interactions)", "Gowalla_m1 (1,027,370 interactions)"]),
        ("Epinions", ["EpinionsTrustlet (664,824 interactions)", "EpinionsUCSD (188,478 interactions)"]),
        ("Yelp2018", ["Yelp2018Reviews (5,261,669 interactions)", "Yelp18_m1 (1,561,406 interactions)"]),
        ("MovieLens2M", ["did you mean 'MovieLens"]),
        ("movielens1m", ["did you mean 'MovieLens1M'"]),
    ],
)
def test_a_name_that_is_none_is_refused_with_what_may_be_meant(name: str, words: list[str]) -> None:
    """Variants come with their sizes, other names with the nearest one."""
    with pytest.raises(DataError) as caught:
        definition(name)
    for word in words:
        assert word in str(caught.value)


def test_counts_are_possible() -> None:
    """No set has fewer rows than users or items, or more pairs than there can be: users and items stand the right way."""
    for entry in definitions().values():
        counts = entry.counts
        rows = counts.interactions or counts.pairs
        if rows and not counts.rounded:
            assert rows >= max(counts.users or 0, counts.items or 0), entry.name
        if counts.pairs and counts.users and counts.items:
            assert counts.pairs <= counts.users * counts.items, entry.name


def test_no_placeholder_is_left() -> None:
    """Every member of a family has what its line says in the place of the braces."""
    for entry in definitions().values():
        texts = [entry.title, entry.interactions, entry.home, entry.note, entry.licence.url, *entry.aliases]
        texts += [
            text for source in entry.sources for text in (source.url, source.file, source.evidence, *source.members)
        ]
        assert not [text for text in texts if "{" in text], entry.name

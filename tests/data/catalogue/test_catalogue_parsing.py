"""Definitions that users write: what is wrong in one is said with its file, table, key and the next step."""

from __future__ import annotations

from pathlib import Path

import pytest

from omnibench.data.catalogue.definition import Counts, Definition
from omnibench.data.catalogue.names import read_definitions
from omnibench.errors import DataError

SHOP = """
name = "Shop"
title = "Our shop"
interactions = "A customer buys an article"
feedback = "implicit"
home = "https://example.org/shop"
citation = '''
@misc{shop2026, title = {Our Shop}}
'''

[[sources]]
url = "https://example.org/files/shop.csv.gz"

[reader]
format = "table"
separator = ","
header = true
columns = { customer = "user", article = "item", day = "timestamp" }
time = "%d/%m/%Y"

[counts]
users = 3
evidence = "our data base"

[licence]
name = "Ours"
url = "https://example.org/terms"
"""

FAMILY = (
    SHOP.replace('name = "Shop"', 'family = "Shop"\nname = "Shop{town}"')
    .replace("Our shop", "Our shop in {label}")
    .replace("shop.csv.gz", "{town}.csv.gz")
    .replace("users = 3", 'users = "{users}"')
    .replace(
        "[[sources]]",
        'columns = ["town", "label", "users"]\nmembers = [["Bonn", "Bonn", 3], ["Koeln", "Köln", ""]]\n\n[[sources]]',
        1,
    )
)


def read(tmp_path: Path, text: str) -> list[Definition]:
    path = tmp_path / "shop.toml"
    path.write_text(text, encoding="utf-8")
    return read_definitions(path)


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(DataError) as caught:
        read(tmp_path, text)
    return str(caught.value)


def test_a_definition_is_read(tmp_path: Path) -> None:
    """What the file says is in the definition, and what it leaves out has its usual value."""
    (shop,) = read(tmp_path, SHOP)
    assert (shop.name, shop.family, shop.parts, shop.is_split, shop.is_manual) == ("Shop", "", ("",), False, False)
    assert shop.sources[0].file == "shop.csv.gz"
    assert shop.reader.columns == {"customer": "user", "article": "item", "day": "timestamp"}
    assert shop.reader.options == {"separator": ",", "header": True, "time": "%d/%m/%Y"}
    assert shop.counts == Counts(users=3, evidence="our data base")


def test_evidence_may_differ_by_key(tmp_path: Path) -> None:
    """Of numbers that different people have counted, each is said with who did."""
    text = """users = 3
items = 4
interactions = 5

[counts.evidence]
users = "us"
items = "them"
interactions = "us"
pairs = "nobody"
"""
    (shop,) = read(tmp_path, SHOP.replace('users = 3\nevidence = "our data base"\n', text))
    assert shop.counts.evidence == "us (users, interactions); them (items)"


def test_a_family_is_a_line_a_member(tmp_path: Path) -> None:
    """Each line fills the template; an empty value leaves its key out."""
    bonn, koeln = read(tmp_path, FAMILY)
    assert (bonn.name, bonn.family, bonn.counts.users) == ("ShopBonn", "Shop", 3)
    assert (koeln.title, koeln.counts.users) == ("Our shop in Köln", None)
    assert koeln.sources[0].url.endswith("Koeln.csv.gz")
    assert koeln.citation == bonn.citation == "@misc{shop2026, title = {Our Shop}}"


def test_a_set_is_manual_where_a_part_of_it_is(tmp_path: Path) -> None:
    """People are needed where no other source has the part."""
    manual = '\nmanual = "Ask us for shop.csv.gz."'
    first = 'url = "https://example.org/files/shop.csv.gz"'
    assert read(tmp_path, SHOP.replace(first, first + manual))[0].is_manual
    mirror = f'{first}{manual}\n\n[[sources]]\nurl = "https://example.com/shop.csv.gz"'
    assert not read(tmp_path, SHOP.replace(first, mirror))[0].is_manual


WRONG = [
    ("unknown key", 'title = "', 'titel = "', "there is no key 'titel'; did you mean 'title'?"),
    ("missing key", 'feedback = "implicit"\n', "", "the key 'feedback' is missing; add feedback = ..."),
    ("wrong choice", '"implicit"', '"implied"', "feedback is 'implied'; did you mean 'implicit'?"),
    ("name", '"Shop"', '"Our shop"', "name is 'Our shop'; give letters, digits and underscores"),
    ("empty text", '"Our shop"', '" "', "title is empty"),
    ("text", '"Our shop"', "3", "title is 3; give a text"),
    ("address", "https://example.org/shop", "example.org/shop", "home is 'example.org/shop'; give an address"),
    ("citation", "@misc{shop2026, title = {Our Shop}}", "Our Shop, 2026", "citation is no BibTeX entry"),
    ("source key", "url = ", "ulr = ", "sources[1]: there is no key 'ulr'; did you mean 'url'?"),
    ("file name", "files/shop.csv.gz", "files/", "the file's name would be ''"),
    (
        "file's own name",
        "files/shop.csv.gz",
        "files/files.json",
        "the file's name would be 'files.json', as omnibench calls",
    ),
    ("file's hidden name", "files/shop.csv.gz", "files/.lock", "the file's name would be '.lock', as omnibench calls"),
    (
        "address of a source",
        'url = "https://example.org/files',
        'url = "https://[::1/files',
        "is no address of a file on",
    ),
    ("port", 'url = "https://example.org/files', 'url = "https://example.org:99999/files', "check its host and port"),
    ("host", 'url = "https://example.org/files', 'url = "https:///files', "is no address of a file on a server"),
    ("digest", "shop.csv.gz", 'shop.csv.gz"\nmd5 = "123', "md5 is '123'; give 32 digits"),
    ("digest's evidence", "shop.csv.gz", f'shop.csv.gz"\nmd5 = "{"0" * 32}', "not who published it"),
    ("member", "shop.csv.gz", 'shop.zip"\nmember = "../ratings.csv', "which leads out of the archive"),
    ("format", '"table"', '"tabel"', "format is 'tabel'; did you mean 'table'?"),
    ("no format", 'format = "table"\n', "", "the key 'format' is missing"),
    ("reader key", "separator = ", "seperator = ", "reader: there is no key 'seperator'; did you mean 'separator'?"),
    ("encoding", 'separator = ","', 'encoding = "latin-one"', "encoding is 'latin-one', which Python does not know"),
    ("separator", 'separator = ","', 'separator = ""', "separator is ''; give one or several letters"),
    ("quote", 'separator = ","', "quote = '<>'", "quote is '<>'; give a single letter"),
    ("skipped lines", 'separator = ","', "skipped_lines = -1", "skipped_lines is -1; give a number of 0 or more"),
    ("another format's key", "header = true", 'nested = "x"', "there is no key 'nested'"),
    ("target", 'article = "item"', 'article = "itme"', "columns has 'itme'; did you mean 'item'?"),
    ("no item", 'article = "item", ', "", "columns has no 'item'; say which column it is"),
    ("twice", 'day = "timestamp"', 'day = "user"', "columns has 'user' twice"),
    (
        "list with header",
        '{ customer = "user", article = "item", day = "timestamp" }',
        '["user", "item"]',
        "header is true",
    ),
    (
        "no columns",
        'columns = { customer = "user", article = "item", day = "timestamp" }\n',
        "",
        "'columns' is missing",
    ),
    ("unit", '"%d/%m/%Y"', '"second"', "time is 'second'; did you mean 'seconds'?"),
    ("option's type", "header = true", 'header = "yes"', "header is 'yes'; give true or false"),
    ("ratings", "header = true", 'header = true\nratings = { bought = "1" }', "give a number for each word"),
    ("keep", "header = true", 'header = true\nkeep = { event = "buy" }', "give a list of values for each column"),
    ("count", "users = 3", "users = 0", "users is 0; give a number of 1 or more"),
    ("count's type", "users = 3", 'users = "3"', "users is '3'; give a whole number"),
    ("boolean count", "users = 3", "users = true", "users is True; give a whole number"),
    ("count's evidence", 'evidence = "our data base"\n', "", "it has numbers, but not who counted"),
    ("pairs", "users = 3", "interactions = 3\npairs = 4", "pairs is 4, more than the 3 interactions"),
    ("licence", 'name = "Ours"\n', "", "licence: the key 'name' is missing"),
    (
        "no source",
        '[[sources]]\nurl = "https://example.org/files/shop.csv.gz"',
        "[sources]",
        "sources is {}; give a list",
    ),
]


@pytest.mark.parametrize(("old", "new", "message"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_what_is_wrong_in_a_definition_is_said(tmp_path: Path, old: str, new: str, message: str) -> None:
    """Every wrong key and value is refused with the file's name and what to write instead."""
    assert old in SHOP
    said = refusal(tmp_path, SHOP.replace(old, new, 1))
    assert message in said
    assert said.startswith("shop.toml")


WRONG_FAMILIES = [
    ("placeholder", "{town}.csv.gz", "{twon}.csv.gz", "there is no column 'twon'; did you mean 'town'?"),
    (
        "line",
        '["Bonn", "Bonn", 3]',
        '["Bonn", "Bonn"]',
        "line 1 of members is ['Bonn', 'Bonn']; give a list with a value",
    ),
    ("members", "members = [[", "member = [[", "a family needs columns = [...] and members"),
]


@pytest.mark.parametrize(
    ("old", "new", "message"), [case[1:] for case in WRONG_FAMILIES], ids=[case[0] for case in WRONG_FAMILIES]
)
def test_what_is_wrong_in_a_family_is_said(tmp_path: Path, old: str, new: str, message: str) -> None:
    """A placeholder without a column, and a line with too few values, are refused."""
    assert old in FAMILY
    assert message in refusal(tmp_path, FAMILY.replace(old, new, 1))


def test_what_is_wrong_in_a_member_is_said_with_its_name(tmp_path: Path) -> None:
    """Of 29 members the one with the wrong value is named."""
    assert "shop.toml, ShopKoeln, counts: users is 0" in refusal(tmp_path, FAMILY.replace('"Köln", ""', '"Köln", 0'))


def test_a_file_that_is_no_toml_is_refused_with_its_line(tmp_path: Path) -> None:
    """The parser's line and column are kept."""
    assert "(at line 2" in refusal(tmp_path, SHOP.replace('"Shop"', '"Shop'))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """No traceback of the file system."""
    with pytest.raises(DataError, match="no definition of a data set"):
        read_definitions(tmp_path / "none.toml")

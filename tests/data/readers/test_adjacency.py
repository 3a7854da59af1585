"""Adjacency lists: a user and the items of the user a line, or lists of lists in JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.raw import read_raw

from omnibench.errors import DataError


@pytest.mark.parametrize(
    ("content", "options", "pairs"),
    [
        ("0 10 11\n1 \n2 10\n", {"user": "first"}, [(0, 10), (0, 11), (2, 10)]),
        ("0\t10  11 \r\n", {}, [(0, 10), (0, 11)]),
        ("a,x,y\n", {"separator": ","}, [("a", "x"), ("a", "y")]),
        ("2 10 11\n0\n1 10\n", {"user": "line", "counted": True, "separator": " "}, [(1, 10), (1, 11), (3, 10)]),
        ("u 2 10 11\n", {"counted": True}, [("u", 10), ("u", 11)]),
        ("[[10, 11], [], [10]]", {"user": "line"}, [(0, 10), (0, 11), (2, 10)]),
        ("[\n [10,\n 11]\n]\n", {}, [(0, 10), (0, 11)]),
        ('[["a", 10, 11], []]', {"user": "first"}, [("a", 10), ("a", 11)]),
        ('{"7": [10, 11], "8": []}', {}, [(7, 10), (7, 11)]),
    ],
)
def test_each_item_of_a_line_is_an_interaction(
    content: str, options: dict[str, Any], pairs: list[tuple[Any, Any]], tmp_path: Path
) -> None:
    """The user is the first of the line, or its number; users without items have no rows; RecZoo's lists are JSON."""
    assert read_raw(tmp_path / "raw.txt", content, "adjacency", **options).pairs == pairs


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        ("2 1 2\n3 1 2\n", {"user": "line", "counted": True}, ["line 2", "its items, 3, and has 2"]),
        ("[[1, 2], 3]", {}, ["entry 1 is 3", "format='json'"]),
        ("[[1, 2], [3]", {}, ["begins as JSON does"]),
        ('[{"u": 1}]', {}, ["entry 0", "format='json'"]),
        ("1\n2\n", {}, ["no interactions"]),
    ],
)
def test_what_is_no_adjacency_list_is_named(
    content: str, options: dict[str, Any], words: list[str], tmp_path: Path
) -> None:
    """The error has the file, the line, what is in it, and a way out."""
    with pytest.raises(DataError) as raised:
        read_raw(tmp_path / "raw.txt", content, "adjacency", **options)
    assert all(word in str(raised.value) for word in ["raw.txt", *words]), raised.value

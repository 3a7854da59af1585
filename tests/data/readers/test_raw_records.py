"""Records: JSON objects and Python literals, with interactions inside of them."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.raw import read_raw, written

from omnibench.data.files.members import RawFile
from omnibench.data.readers.read import read_rows
from omnibench.data.readers.reader import Reader
from omnibench.errors import DataError

OTTO = {"session": "user", "aid": "item", "ts": "timestamp"}


def test_json_lines_are_interactions(tmp_path: Path) -> None:
    """Yelp's and Amazon's reviews are a JSON object a line, with texts in between that are not read."""
    lines = [
        {"user_id": "u1", "text": 'a, "b"\n{}', "business_id": "b1", "stars": 4.0, "date": "2016-03-09 20:56:38"},
        {"business_id": "b2", "stars": 5, "user_id": "u1", "date": "2016-03-10 00:00:00", "more": [1, {"a": None}]},
    ]
    content = "".join(json.dumps(line) + "\n" for line in lines)
    columns = {"user_id": "user", "business_id": "item", "stars": "rating", "date": "timestamp"}
    raw = read_raw(tmp_path / "raw.json", content, "json", columns, time="iso")
    assert raw.pairs == [("u1", "b1"), ("u1", "b2")]
    assert raw.column("rating") == [4.0, 5.0]
    assert raw.interactions.timestamp is not None
    assert raw.interactions.timestamp.tolist() == [1457556998, 1457568000]


@pytest.mark.parametrize("file_format", ["json", "python"])
def test_ids_are_what_stands_in_the_file(file_format: str, tmp_path: Path) -> None:
    """Numbers and texts of numbers are the same id, whole numbers of any size and decimals keep their digits."""

    def items(*values: str) -> list[Any]:
        content = "".join(f'{{"u": 1, "i": {value}}}\n' for value in values)
        return read_raw(tmp_path / "raw", content, file_format, {"u": "user", "i": "item"}).column("item")

    assert items("7", '"8"') == [7, 8]
    assert items('"007"', "7") == ["007", "7"]
    assert items("76561198000000001", "76561198000000002") == [76561198000000001, 76561198000000002]
    assert items("100000032416892623125", "1") == ["100000032416892623125", "1"]
    assert items("1.5", "76561198000000001") == ["1.5", "76561198000000001"]
    assert items("1.0", "1") == ["1.0", "1"]


def test_sessions_have_their_events_inside(tmp_path: Path) -> None:
    """OTTO's sessions are lines with a list of events, of which a type can be kept; empty sessions are none."""
    events = [{"aid": 5, "ts": 1659304800025, "type": "clicks"}, {"aid": 6, "ts": 1659304900025, "type": "carts"}]
    content = f"{json.dumps({'session': 1, 'events': events})}\n{json.dumps({'session': 2, 'events': []})}\n"
    raw = read_raw(tmp_path / "raw.jsonl", content, "json", OTTO, nested="events", time="milliseconds")
    assert raw.pairs == [(1, 5), (1, 6)]
    assert raw.interactions.timestamp is not None
    assert raw.interactions.timestamp.tolist() == [1659304800, 1659304900]
    raw = read_raw(tmp_path / "raw.jsonl", content, "json", OTTO, nested="events", keep={"type": ["carts"]})
    assert raw.pairs == [(1, 6)]
    with pytest.raises(DataError, match="keep asks for 'orders' in the column 'type', which has 'clicks', 'carts'"):
        read_raw(tmp_path / "raw.jsonl", content, "json", OTTO, nested="events", keep={"type": ["orders"]})


def test_lists_of_ids_inside_of_records(tmp_path: Path) -> None:
    """A list of bare items is one interaction each."""
    content = '{"u": "a", "items": [1, 2]}\n'
    assert read_raw(tmp_path / "raw", content, "json", {"u": "user", "items": "item"}, nested="items").pairs == [
        ("a", 1),
        ("a", 2),
    ]


def test_python_literals_are_read_and_never_evaluated(tmp_path: Path) -> None:
    """Steam's and beer's lines are Python dicts with u'...'; a call in one is an error, and is not called."""
    columns = {"user_id": "user", "item_id": "item", "recommend": "rating"}
    review = "{'funny': u'', 'item_id': '1250', 'recommend': %s, 'review': u\"it's \\\\n {fun}\"}"
    content = f"{{'user_id': u'76561', 'reviews': [{review % True}, {review % False}]}}\n"
    raw = read_raw(tmp_path / "raw", content, "python", columns, nested="reviews")
    assert raw.pairs == [(76561, 1250), (76561, 1250)]
    assert raw.column("rating") == [1, 0]
    marker = tmp_path / "called"
    for call in (
        f"__import__('pathlib').Path({str(marker)!r}).touch()",
        f"{{'u': open({str(marker)!r}, 'w')}}",
        "(" * 500,
    ):
        with pytest.raises(DataError, match="line 2 is no Python literal"):
            read_raw(tmp_path / "raw", f"{content}{call}\n", "python", columns, nested="reviews")
    assert not marker.exists()


def test_ratings_are_texts_with_a_stroke(tmp_path: Path) -> None:
    """RateBeer's are 13/20."""
    content = (
        "{'beer/beerId': '1', 'review/overall': '13/20', 'review/profileName': 'hopdog', 'review/time': '1157587200'}\n"
    )
    columns = {
        "review/profileName": "user",
        "beer/beerId": "item",
        "review/overall": "rating",
        "review/time": "timestamp",
    }
    raw = read_raw(tmp_path / "raw", content, "python", columns, fraction=True, time="seconds")
    assert (raw.column("rating"), raw.column("timestamp")) == ([13], [1157587200])


def test_records_that_lack_a_key_are_left_out_with_a_word(tmp_path: Path) -> None:
    """Adressa's lines without an id are pages that are no articles; strictly, they are an error."""
    content = (
        '{"userId": "a", "id": "x", "time": 1483225202}\n{"userId": "a", "time": 5}\n{"userId": "b", "id": null}\n'
    )
    columns = {"userId": "user", "id": "item"}
    with pytest.warns(UserWarning, match=r"2 rows have no item \(the first is line 2\)"):
        raw = read_raw(tmp_path / "raw", content, "json", columns)
    assert raw.pairs == [("a", "x")]
    with pytest.raises(DataError, match=r"line 2: there is no item.*missing=\[''\]"):
        read_raw(tmp_path / "raw", content, "json", columns, strict=True)


def test_a_document_of_json_is_read_as_its_list(tmp_path: Path) -> None:
    """A list of objects over several lines, or in one, is the same as an object a line."""
    records = [{"u": 1, "i": 2}, {"u": 1, "i": 3}]
    for content in (json.dumps(records), json.dumps(records, indent=1), "\ufeff\n" + json.dumps(records)):
        assert read_raw(tmp_path / "raw", content, "json", {"u": "user", "i": "item"}).pairs == [(1, 2), (1, 3)]
    single = json.dumps({"session": 1, "events": [{"aid": 5}]}, indent=1)
    assert read_raw(tmp_path / "raw", single, "json", {"session": "user", "aid": "item"}, nested="events").pairs == [
        (1, 5)
    ]


def test_keys_of_objects_within_objects(tmp_path: Path) -> None:
    """A point separates them, where no key has it in it."""
    content = '{"user": {"id": 1}, "item.id": 2}\n'
    assert read_raw(tmp_path / "raw", content, "json", {"user.id": "user", "item.id": "item"}).pairs == [(1, 2)]


@pytest.mark.parametrize(
    ("content", "file_format", "options", "words"),
    [
        ('{"u": 1, "i": 2}\n{"u": 1', "json", {}, ["line 2 is no JSON", "not copied completely"]),
        ("{'u': 1, 'i': 2}\n", "json", {}, ["line 1 is no JSON", "format='python'"]),
        (
            '{"u": 1, "i": true}\n{"u": 1, "i": null, "x": true}\n',
            "python",
            {},
            ["line 1 is no Python literal", "format='json'"],
        ),
        ('{"u": 1, "j": 2}\n', "json", {}, ["no record has a value for 'i'", "'u', 'j'"]),
        ('{"u": 1, "i": 2}\n', "json", {"nested": "events"}, ["no record has the list 'events'", "'u', 'i'"]),
        ('{"u": 1, "i": 2, "events": 5}\n', "json", {"nested": "events"}, ["line 1", "'events' is 5", "no list"]),
        ('{"u": 1, "i": [2]}\n', "json", {}, ["line 1", "'item' is [2]", "nested"]),
        ('{"u": 1, "i": 2}\n[1, 2]\n', "json", {}, ["line 2 is [1, 2]", "format='adjacency'"]),
        ("[[1, 2], [3]]\n", "json", {}, ["[1, 2]", "format='adjacency'"]),
        (b'{"u": 1, "i": 2}\n{"u": 1, "i": "\xff"}\n', "json", {}, ["line 2", "0xff", "encoding='latin-1'"]),
        ('{"u": 1, "i": 2, "r": "good"}\n', "json", {"rating": "r"}, ["line 1", "'good'"]),
        ('{"u": 1, "i": 2}\n{"u": 1, "i": 2} {"u": 1, "i": 3}\n', "json", {}, ["line 2 is no JSON", "Extra data"]),
        ("", "json", {}, ["no interactions"]),
    ],
)
def test_a_record_that_does_not_fit_is_named(
    content: str | bytes, file_format: str, options: dict[str, Any], words: list[str], tmp_path: Path
) -> None:
    """The error has the file, the line, what is in it, and a way out."""
    columns = {"u": "user", "i": "item", **({options.pop("rating"): "rating"} if "rating" in options else {})}
    with pytest.raises(DataError) as raised:
        read_raw(tmp_path / "raw.txt", content, file_format, columns, **options)
    assert all(word in str(raised.value) for word in ["raw.txt", *words]), raised.value


KEYS = ("u", "i", "r", "t", "e")

VALUES: tuple[Any, ...] = (
    0,
    7,
    -1,
    2**62,
    2**63,
    2**70,
    1.0,
    4.5,
    1e300,
    "7",
    "007",
    "a b",
    "",
    'é\u2028"\\',
    True,
    False,
    None,
)


@given(data=st.data())
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_regular_records_are_read_as_others_are(data: st.DataObject, tmp_path: Path) -> None:
    """What pyarrow parses at once has the ids, ratings, times, lines and gaps that Python's parser gives one by one."""
    regular = {key: data.draw(st.sampled_from(VALUES)) for key in KEYS}
    odd = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES))
    records = [{**regular, **changes} for changes in data.draw(st.lists(odd | st.just({}), min_size=1, max_size=4))]
    nested = data.draw(st.booleans())
    lines = [json.dumps({"u": record["u"], "list": [record] * 2} if nested else record) for record in records]
    content = "\n\n".join(lines)
    columns = {"u": "user", "i": "item", "r": "rating", "t": "timestamp"}
    options: dict[str, Any] = {
        "keep": {"e": [regular["e"], 7]},
        "missing": [-1],
        **({"nested": "list"} if nested else {}),
    }

    def outcome() -> Any:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                rows = read_rows(Reader("json", columns, options), [RawFile(written(tmp_path / "raw", content))])
            except DataError as error:
                return str(error)
        messages = [str(warning.message) for warning in caught]
        return {name: column.tolist() for name, column in rows.columns.items()}, rows.counts, rows.left_out, messages

    fast = outcome()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("omnibench.data.readers.records.parsed_chunk", lambda *_: None)
        assert fast == outcome()


def test_lines_are_counted_over_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line is found behind the first chunk as well, whichever parser has read the chunks before it."""
    monkeypatch.setattr("omnibench.data.readers.collected._CHUNK", 100)
    lines = [json.dumps({"u": number, "i": "x" if number % 2 else number, "r": 5}) for number in range(50)]
    content = "\n".join([*lines, "", '{"u": 1, "i": 2, "r": "bad"}', ""])
    columns = {"u": "user", "i": "item", "r": "rating"}
    with pytest.raises(DataError, match="line 52: column 'rating' is 'bad'"):
        read_raw(tmp_path / "raw", content, "json", columns)
    raw = read_raw(tmp_path / "raw", "\n".join(lines), "json", columns)
    assert raw.pairs == [(number, "x" if number % 2 else str(number)) for number in range(50)]
    assert (
        read_raw(tmp_path / "raw", "\n".join(lines).encode("utf-16"), "json", columns, encoding="utf-16").pairs
        == raw.pairs
    )

"""The same interactions are the same data, in whatever form they are published."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.raw import read_raw, written

from omnibench import from_file
from omnibench.data.content import Content, content_of

NAMES = ("user", "item", "rating", "timestamp")

COLUMNS = {name: name for name in NAMES}

USERS: Mapping[str, list[str]] = {
    "numbers": ["7", "12", "7"],
    "leading zeros": ["007", "7", "007"],
    "texts": ["a b", "é", "a b"],
    "large": ["9223372036854775808", "1", "1"],
    "decimals": ["1.0", "2", "1.0"],
    "truth": ["True", "false", "True"],
}

TIMES: Mapping[str, list[str]] = {
    "seconds": ["978300760", "978300761", "978300760"],
    "parts of seconds": ["978300760.25", "978300761", "978300760.5"],
    "milliseconds": ["978300760250", "978300761000", "978300760500"],
    "dates": ["2000-12-31T22:12:40Z", "2000-12-31", "2001-01-01 00:00:00.5"],
}


def forms(rows: Sequence[tuple[str, ...]]) -> dict[str, tuple[str, str, Any, dict[str, Any]]]:
    """The rows in several formats: the file's text, its format, its columns and options."""
    records = [dict(zip(NAMES, row, strict=True)) for row in rows]
    return {
        "table": ("".join("::".join(row) + "\n" for row in rows), "table", NAMES, {"separator": "::"}),
        "json": ("".join(f"{json.dumps(record)}\n" for record in records), "json", COLUMNS, {}),
        "document": (json.dumps(records, indent=1), "json", COLUMNS, {}),
        "python": ("".join(f"{record!r}\n" for record in records), "python", COLUMNS, {}),
        "sessions": (
            "".join(f"{json.dumps({'user': record['user'], 'list': [record]})}\n" for record in records),
            *("json", COLUMNS, {"nested": "list"}),
        ),
        "blocks": (
            "\n".join("".join(f"{name}: {value}\n" for name, value in record.items()) for record in records),
            *("blocks", COLUMNS, {}),
        ),
    }


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("users", USERS)
def test_all_forms_have_the_content_of_a_csv_file(
    users: str, times: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table, JSON, Python literals, sessions and blocks have the digest that from_file has of the same rows."""
    monkeypatch.setenv("OMNIBENCH_CACHE_DIR", str(tmp_path / "cache"))
    rows = list(zip(USERS[users], ["x", "y", "z"], ["4", "3.5", "1"], TIMES[times], strict=True))
    csv = "".join(f"{','.join(row)}\n" for row in [NAMES, *rows])
    source: Any = from_file(written(tmp_path / "a.csv", csv)).source
    expected: Content = source.content
    for form, (content, file_format, columns, options) in forms(rows).items():
        raw = read_raw(tmp_path / form, content, file_format, columns, strict=True, **options)
        own = content_of(raw.rows.columns, form)
        assert (form, own.sorted, own.ordered) == (form, expected.sorted, expected.ordered)


def test_units_come_to_the_same_moments(tmp_path: Path) -> None:
    """Seconds, milliseconds, texts and formats of the same moments are the same content."""
    moments = {
        "seconds": ["978300760", "978307200"],
        "milliseconds": ["978300760000", "978307200000"],
        "nanoseconds": ["978300760000000000", "978307200000000000"],
        "iso": ["2000-12-31T22:12:40Z", "2001-01-01T01:00:00+01:00"],
        "%d.%m.%Y %H:%M:%S": ["31.12.2000 22:12:40", "01.01.2001 00:00:00"],
        "%m/%d/%Y %I:%M:%S %p": ["12/31/2000 10:12:40 PM", "1/1/2001 12:00:00 AM"],
    }
    digests = set()
    for unit, texts in moments.items():
        content = "".join(f"1,{number},{text}\n" for number, text in enumerate(texts))
        raw = read_raw(tmp_path / "raw.csv", content, "table", ("user", "item", "timestamp"), time=unit)
        digests.add(content_of(raw.rows.columns, unit).sorted)
    assert len(digests) == 1

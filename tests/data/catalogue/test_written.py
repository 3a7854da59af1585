"""A definition as a TOML file: whatever stands in it is read again as it was."""

from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from omnibench.data.catalogue.definition import Counts
from omnibench.data.catalogue.written import Draft, toml, written

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    TEXTS | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(TEXTS, VALUES, max_size=3))
def test_values_are_read_as_they_were(values: dict[str, Any]) -> None:
    """Texts with quotation marks, line ends and control characters; numbers, lists, tables, keys of any text."""
    assert tomllib.loads(f"value = {toml(values)}")["value"] == values


def test_a_draft_is_written_whole() -> None:
    """Names of files and columns need no care."""
    draft = Draft(
        name="Shop",
        path='a "b"\\c.csv',
        sha256="0" * 64,
        reader={"format": "table", "columns": {'the "user"': "user", "sku": "item"}, "missing": [-1.0]},
        counts=Counts(1_000, 20, 3_000),
        members=["x/*.csv", "y.csv"],
        feedback="explicit",
        remarks=["Look # here."],
        evidence="somebody",
    )
    values = tomllib.loads(written(draft))
    assert values["sources"][0]["path"] == draft.path
    assert values["sources"][0]["member"] == draft.members
    assert values["reader"] == draft.reader
    assert values["counts"] == {"users": 1_000, "items": 20, "interactions": 3_000, "evidence": "somebody"}

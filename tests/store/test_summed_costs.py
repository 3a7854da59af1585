"""The costs of phases are summed up by column where they can be, as they are one by one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from omnibench.store.phase_costs import BlockOfCosts
from omnibench.store.summed_costs import Costs, rows_beside

_NAMES = {"a" * 64: "D/a", "b" * 64: "D/b", "c": "D/c"}

_seconds = st.one_of(
    st.none(),
    st.floats(min_value=0, max_value=1e3),
    st.sampled_from([0, 1, 2**53 + 1, 2**63, 2**80, -1, -0.5, 1e300, float("inf"), float("nan"), True, "1", [1]]),
)
_usual_seconds = st.floats(min_value=0, max_value=1e3)
_batch = st.sampled_from([None, "first", "second", "third", "x,null", 7])
_usual = st.tuples(
    st.sampled_from(sorted(_NAMES)),
    _usual_seconds,
    st.one_of(st.none(), _usual_seconds),
    st.sampled_from([None, "first", "second", "third", "x,null,null"]),
    st.none(),
).map(list)
_members = st.one_of(
    _usual,
    _usual,
    _usual,
    st.tuples(
        st.sampled_from([*_NAMES, "nobody", None, 1, ["a"]]), _seconds, _seconds, _batch, st.sampled_from([None, "s"])
    ).map(list),
)
_texts = st.lists(
    st.one_of(
        _members.map(lambda members: json.dumps(members, separators=(",", ":")).encode()),
        st.sampled_from([b"", b"{", b"[]"]),
    ),
    max_size=6,
)


def block_of(rows: Sequence[tuple[int, int, bytes]], *, with_texts: bool) -> BlockOfCosts:
    return BlockOfCosts([text for _, _, text in rows] if with_texts else None, lambda: list(rows))


def summed(blocks: Sequence[Sequence[bytes]], *, with_texts: bool) -> Any:
    """Return all that comes of blocks of texts: what a NaN is equal to is itself as a text."""
    costs = Costs()
    all_blocks = []
    number = 0
    for texts in blocks:
        rows = [(number + step, (number + step) % 3, text) for step, text in enumerate(texts)]
        number += len(texts)
        all_blocks.append(block_of(rows, with_texts=with_texts))
    rows_of_others = rows_beside(all_blocks, _NAMES, costs)
    return repr((sorted(costs.seconds), sorted(costs.starting), costs.by_item)), rows_of_others


@given(st.lists(_texts, max_size=4), st.booleans())
def test_sums_by_column_are_those_one_by_one(blocks: list[list[bytes]], are_doubled: bool) -> None:
    """To the last digit, whatever the texts say, also where metrics that were computed together have the same, in one block or in several."""
    if are_doubled:
        blocks = [[text for text in texts for _ in range(2)] for texts in blocks]
    assert summed(blocks, with_texts=True) == summed(blocks, with_texts=False)


def test_two_phases_that_cost_the_same_are_counted_twice() -> None:
    """A Fit and a Predict of an item may have taken as long, in the same texts; the metrics of one Eval are counted once."""
    key = "a" * 64
    phase = json.dumps([key, 0.5, 0.25, None, None], separators=(",", ":")).encode()
    metric = json.dumps([key, 2.0, None, "batch", None], separators=(",", ":")).encode()
    for with_texts in (True, False):
        text, rows = summed([[phase, phase, metric, metric], [metric]], with_texts=with_texts)
        assert text == repr(([0.5, 0.5, 2.0], [0.0, 0.25, 0.25], {"D/a": 3.0}))
        assert rows == []


def test_usual_phases_are_not_asked_for_one_by_one() -> None:
    """Their rows are never read: texts that metrics have alike, and costs that were not measured, are usual, too."""

    def rows() -> list[tuple[int, int, bytes | None]]:
        raise AssertionError("nobody needs them")

    costs = Costs()
    lists = [["c", 0.5, 0.25, None, None], ["c", None, 0.5, None, None], *[["c", 1.5, None, "batch", None]] * 3]
    texts = [json.dumps(members, separators=(",", ":")).encode() for members in lists]
    assert rows_beside([BlockOfCosts(texts, rows)], _NAMES, costs) == []
    assert costs.by_item == {"D/c": 2.0}
    assert list(costs.seconds) == [0.5, 0.0, 1.5]
    assert list(costs.starting) == [0.25, 0.5, 0.0]

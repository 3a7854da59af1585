"""Marking hits: the same whatever the number of items and users, and in blocks as in one go."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibench import F1, HR, MAP, MRR, NDCG, Precision, Recall, RPrecision
from omnibench.metrics import hits as module
from omnibench.metrics.hits import Hits, Truth, mark_hits

METRICS = (NDCG, Recall, Precision, HR, MRR, MAP, F1, RPrecision)


def random_hits(seed: int, users: int, n_items: int, length: int) -> tuple[Hits, list[set[int]], list[list[int]]]:
    """Lists and relevant items of users 0, 3, 6, ..., of which every fifth has no list."""
    rng = np.random.default_rng(seed)
    relevant = [set(rng.integers(0, n_items, rng.integers(1, 8)).tolist()) for _ in range(users)]
    lists = [rng.permutation(min(n_items, 40))[: rng.integers(0, length + 1)].tolist() for _ in range(users)]
    pairs = [(3 * user, item) for user, items in enumerate(relevant) for item in sorted(items)]
    user_codes, item_codes = (np.array([pair[at] for pair in pairs], dtype=np.int32) for at in (0, 1))
    truth = Truth.of(user_codes, item_codes, n_items)
    listed = [user for user in range(users) if user % 5]
    padded = [lists[user] + [-1] * (length - len(lists[user])) for user in listed]
    items = np.array(padded, dtype=np.int32).reshape(len(listed), length)
    hits = mark_hits(truth, np.array([3 * user for user in listed], dtype=np.int32), items)
    return hits, relevant, [lists[user] if user % 5 else [] for user in range(users)]


@given(st.integers(0, 2**32), st.integers(1, 30), st.sampled_from([1, 7, 50, 1000]), st.integers(1, 12))
@pytest.mark.parametrize("width", [1, 8, 1 << 15])
def test_hits_are_the_relevant_items(width: int, seed: int, users: int, n_items: int, length: int) -> None:
    """Also where items share bytes of the table, because there are more of them than it is wide."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_WIDEST", width)
        patch.setattr(module, "_TABLE", 64)
        hits, relevant, lists = random_hits(seed, users, n_items, length)
    for row, (items, listed) in enumerate(zip(relevant, lists, strict=True)):
        expected = [item in items for item in listed] + [False] * (length - len(listed))
        assert hits.matrix[row].tolist() == expected
    assert hits.lengths.tolist() == [len(listed) for listed in lists]
    assert hits.relevant.tolist() == [len(items) for items in relevant]


@pytest.mark.parametrize("ks", [(1, 3, 10), (10, 3, 1), (4,)])
def test_blocks_and_the_order_of_k_change_nothing(ks: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums that begin with a shorter list's are those of the longer one; block by block as for all users together."""
    monkeypatch.setattr(module, "_BLOCK", 7)
    whole, _, _ = random_hits(1, 40, 30, 10)
    fresh = random_hits(1, 40, 30, 10)[0]
    blocks = list(whole.blocks())
    assert [(place.start, place.stop) for place, _ in blocks] == [
        (0, 7),
        (7, 14),
        (14, 21),
        (21, 28),
        (28, 35),
        (35, 40),
    ]
    for metric in METRICS:
        for k in ks:
            together = metric(k).per_user(whole, k)
            apart = np.concatenate([metric(k).per_user(block, k) for _, block in blocks])
            assert together.tolist() == pytest.approx(apart.tolist(), abs=1e-12)
            alone = metric(k).per_user(fresh.part(0, 40), k)
            assert together.tolist() == pytest.approx(alone.tolist(), abs=1e-12)


def test_test_pairs_may_come_in_any_order() -> None:
    """They are grouped by user."""
    user, item = (np.array(column, dtype=np.int32) for column in ([4, 1, 4, 1, 9], [0, 2, 5, 1, 3]))
    truth = Truth.of(user, item, 6)
    assert truth.users.tolist() == [1, 4, 9]
    assert truth.relevant.tolist() == [2, 2, 1]
    assert truth.item.tolist() == [2, 1, 0, 5, 3]

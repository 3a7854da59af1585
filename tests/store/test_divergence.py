"""How two stores differ: which items are about the same, and what is told of them."""

from __future__ import annotations

from typing import Any

import pytest

from omnibench.store import divergence
from omnibench.store.divergence import Divergence

CIRCUMSTANCES: dict[str, Any] = {"host": "lab", "command": None, "git": None, "versions": {}}


def item(key: str, *, k: int = 5, value: float = 0.25, **changes: Any) -> dict[str, Any]:
    """The facts about an item of a configuration; `changes` go to its algorithm."""
    finished = changes.pop("finished", "2026-01-01T00:00:00Z")
    phase = {"seconds": 1.0, "peak_rss": 2**20, "finished": finished, "circumstances": CIRCUMSTANCES}
    return {
        "item": f"tiny/Knn-{key}/fold_0",
        "title": f"tiny/Knn(k={k})/fold_0",
        "fit_key": key,
        "status": changes.pop("status", "done"),
        "dataset": {"key": "d", "words": changes.pop("words", "tiny: MakeImplicit(3)"), "recipe": None, "digests": {}},
        "fold": changes.pop("fold", 0),
        "algorithm": {"name": "Knn", "parameters": {"k": k}, "effective": None, "seed": 42, "device": "cpu", **changes},
        "metrics": {"NDCG@10": value},
        "predictions": None,
        "phases": {"Fit": phase},
    }


class Items(list[dict[str, Any]]):
    """The facts about the items of a store, as ``FactsInTurn`` makes them."""

    @property
    def fit_keys(self) -> list[str]:
        """The key of each item."""
        return [facts["fit_key"] for facts in self]


def diverge(a: str, items_a: list[dict[str, Any]], b: str, items_b: list[dict[str, Any]]) -> Divergence:
    return divergence.diverge(a, Items(items_a), b, Items(items_b))


def keys(items_a: list[dict[str, Any]], items_b: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Which items of two stores are contrasted, by their keys."""
    contrasts = diverge("a", items_a, "b", items_b).contrasts
    return [(pair.a.split("-")[1][0], pair.b.split("-")[1][0]) for pair in contrasts]


@pytest.mark.parametrize(
    "change",
    [{"version": "2.0"}, {"code": "source b"}, {"adapter": 2}, {"salt": "x"}, {"seed": 7}, {"device": "cuda"}],
)
def test_what_one_wants_to_hear_of_does_not_part_items(change: dict[str, Any]) -> None:
    """Versions, code, seed and device may differ between items that are about the same."""
    assert keys([item("1")], [item("2", **change)]) == [("1", "2")]


@pytest.mark.parametrize("change", [{"k": 9}, {"words": "tiny: MakeImplicit(4)"}, {"fold": 1}])
def test_what_an_item_is_about_parts_items(change: dict[str, Any]) -> None:
    """Hyperparameters, recipe and fold tell items apart."""
    found = diverge("a", [item("1")], "b", [item("2", **change)])
    assert (found.contrasts, len(found.only_a), len(found.only_b)) == ((), 1, 1)


def test_the_same_key_comes_first() -> None:
    """An earlier version of what is in both stores has no match of its own."""
    old, new, later = item("1", code="a"), item("2", code="b"), item("3", code="c")
    assert keys([old, new], [new, later]) == [("2", "2")]
    found = diverge("a", [old, new], "b", [new, later])
    assert found.only_a == ("tiny/Knn(k=5)/fold_0 (tiny/Knn-1/fold_0)",)
    assert found.only_b == ("tiny/Knn(k=5)/fold_0 (tiny/Knn-3/fold_0)",)


def test_the_same_seed_comes_before_another() -> None:
    """Two seeds of a configuration are matched each with its own."""
    a = [item("1", seed=1), item("2", seed=2)]
    b = [item("3", seed=2, version="2.0"), item("4", seed=1, version="2.0")]
    assert sorted(keys(a, b)) == [("1", "4"), ("2", "3")]


def test_of_several_versions_the_latest_that_is_done_counts() -> None:
    """A later attempt that failed does not hide an earlier result."""
    a = [item("1", code="a"), item("2", code="b", finished="2026-02-01T00:00:00Z")]
    a.append(item("3", code="c", finished="2026-03-01T00:00:00Z", status="failed"))
    assert keys(a, [item("4", code="d")]) == [("2", "4")]


def test_stores_that_agree_say_so() -> None:
    """Items, keys, states and metrics are the same; how they were computed may differ."""
    found = diverge("a", [item("1"), item("2", k=7)], "b", [item("2", k=7), item("1")])
    assert found.agrees
    assert list(found.lines()) == [
        "A: a: 2 items",
        "B: b: 2 items",
        "2 items are in both: 2 with the same key.",
        "2 of 2 metrics are equal to the last digit.",
    ]


@pytest.mark.parametrize("change", [{"value": 0.3}, {"status": "failed"}, {"version": "2.0"}, {"fold": 3}])
def test_stores_that_do_not_agree_say_so(change: dict[str, Any]) -> None:
    """A metric, a state, a part of a key, or an item."""
    assert not diverge(
        "a", [item("1")], "b", [item("1", **change) if "fold" not in change else item("9", **change)]
    ).agrees


def test_what_many_items_share_is_told_once() -> None:
    """A difference is told with the number of items; metrics come with the furthest apart first."""
    a = [item(f"a{k}", k=k, version="1.0") for k in range(5)]
    b = [item(f"b{k}", k=k, version="2.0", value=0.25 + 0.01 * k) for k in range(5)]
    lines = [" ".join(line.split()) for line in diverge("a", a, "b", [*b, item("z", k=99)]).lines()]
    assert lines[2] == "5 items are in both: 0 with the same key, 5 matched by dataset, configuration and fold."
    assert lines[3:5] == ["Only in B: 1 item", "tiny/Knn(k=99)/fold_0 (tiny/Knn-z/fold_0)"]
    assert 'version "1.0" -> "2.0" [5 items]' in lines
    assert "1 of 5 metrics are equal to the last digit." in lines
    apart = lines[lines.index("Metrics differ, the furthest apart first") + 1 :]
    assert apart[0] == "tiny/Knn(k=4)/fold_0 NDCG@10 0.25 -> 0.29 (+0.04)"
    assert len(apart) == 4


def test_long_lists_are_cut_and_say_so() -> None:
    """`--all` lists everything."""
    a, b = ([item(f"{side}{k}", k=k + 100 * offset) for k in range(30)] for offset, side in enumerate("ab"))
    found = diverge("a", a, "b", b)
    assert "  ... 10 more; `--all` lists them" in list(found.lines())
    assert sum(line.startswith("  tiny/") for line in found.lines()) == 40
    assert sum(line.startswith("  tiny/") for line in found.lines(unabridged=True)) == 60


def test_what_every_item_has_of_its_own_gets_one_line() -> None:
    """A digest that differs in each item is no list of digests."""
    a, b = ([item(f"{side}{k}", k=k) | {"predictions": f"{side}{k}"} for k in range(6)] for side in "ab")
    lines = [" ".join(line.split()) for line in diverge("a", a, "b", b).lines()]
    assert "predictions each in its own way [6 items]" in lines

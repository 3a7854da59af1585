"""Which items of a store are current: those of the plan, and the latest version of each own class."""

from __future__ import annotations

from typing import Any

import pytest

from omnibench.comparison.current import current_items
from omnibench.store.plans import INTERACTIVE
from omnibench.store.schema import Record

EARLY, LATE = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"


def item(name: str, finished: str | None = EARLY, *, runner: str = "Own", data: str = "d", **fields: Any) -> Record:
    """Return the record of an item as far as it matters here."""
    settings = {"runner": runner, "algorithm": "Knn", "parameters": {"k": 1}, "seed": 1, "device": "cpu", "code": "1"}
    return {
        "item": name,
        "fit_key": name,
        "status": "done" if finished else "pending",
        "finished": finished,
        "data_key": data,
        "identity": ["fit/1", {"configuration": ["configuration/1", {**settings, **fields}]}],
    }


def current(*items: Record, **plan: list[str]) -> tuple[list[str], int]:
    """Return the names of the current items of a store, and how many done items are not among them."""
    records = {f"item/{record['fit_key']}": record for record in items}
    for source, names in plan.items():
        key = INTERACTIVE if source == "interactive" else source
        records[f"plan/{key}"] = {"source": key, "root": "/", "columns": {}, "items": names}
    found = current_items(records)
    return [record["item"] for record in found.items], found.left_out


def test_the_latest_version_of_a_class_counts() -> None:
    """Versions share data, hyperparameters, seed and device; the latest counts with all of its folds."""
    old = [item("old-0", EARLY), item("old-1", LATE)]
    new = [item("new-0", "2026-02-01T00:00:01Z", code="2"), item("new-1", None, code="2")]
    others = [item("k", parameters={"k": 2}), item("seed", seed=2), item("data", data="e"), item("gpu", device="cuda")]
    assert current(*old, *new, *others) == (["new-0", "new-1", "k", "seed", "data", "gpu"], 2)
    assert current(*new, *old) == (["new-0", "new-1"], 2)


def test_of_the_same_second_what_was_recorded_later_counts() -> None:
    """Times are kept to the second, and an edit may be faster."""
    assert current(item("old"), item("new", code="2")) == (["new"], 1)


def test_frameworks_have_no_versions_here() -> None:
    """Two releases of one are two configurations; items of store format 1 say nothing of theirs."""
    both = [item("1", runner="LensKit", version="1"), item("2", LATE, runner="LensKit", version="2")]
    without = {"item": "x", "fit_key": "x", "status": "done", "finished": EARLY}
    assert current(*both, without) == (["1", "2", "x"], 0)


def test_what_was_never_finished_is_not_left_out_for_it() -> None:
    """Where nothing of a class is finished there is no telling which version is the latest: of two the later record."""
    assert current(item("only", None)) == (["only"], 0)


def test_the_plan_decides_where_there_is_one() -> None:
    """A plan's sources count together; a file may have two classes of a name, which are no versions of each other."""
    items = [item("a"), item("b", LATE, code="2"), item("c", parameters={"k": 3}), item("gone", LATE, code="3")]
    assert current(*items, one=["a", "b"], two=["c", "not run yet"]) == (["a", "b", "c"], 1)


def test_of_a_notebook_the_latest_version_counts() -> None:
    """It goes on declaring what its cells were before they were edited."""
    items = [item("draft"), item("final", LATE, code="2"), item("script", EARLY, code="1", seed=2)]
    assert current(*items, interactive=["draft", "final"], script=["script"]) == (["final", "script"], 1)


@pytest.mark.parametrize(
    ("items", "plan", "notice"),
    [
        ([item("a"), item("b", LATE, code="2")], {}, "1 done item left out, of earlier versions of own classes"),
        ([item("a"), item("b"), item("c")], {"one": ["a"]}, "2 done items left out, not in the last plan (what bench"),
        ([item("a")], {"one": ["a"]}, ""),
    ],
)
def test_what_is_left_out_is_said(items: list[Record], plan: dict[str, list[str]], notice: str) -> None:
    """How many items, and why."""
    records = {f"item/{record['fit_key']}": record for record in items}
    records |= {
        f"plan/{key}": {"source": key, "root": "/", "columns": {}, "items": names} for key, names in plan.items()
    }
    said = current_items(records).notice()
    assert said.startswith(notice)
    assert bool(said) == bool(notice)

"""Why: from which phase on an item would run, and what differs from the nearest one that was fitted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.stored import compute, prepare

from omnibench import NDCG, ExperimentPlan, LensKit, MakeImplicit, UserHoldout, from_frame
from omnibench.engine.items import Item
from omnibench.engine.outlook import Outlook, outlook
from omnibench.experiment.experiment import Experiment, eval_key
from omnibench.experiment.planning import experiments
from omnibench.keys import recorded_text, sha256
from omnibench.store import CheckpointStore
from omnibench.store import reader as reader_module
from omnibench.store.fit_identities import FitIdentity, identity_in, identity_of
from omnibench.store.reading import read, read_all
from omnibench.store.states import RecordsInMemory
from omnibench.store.stored_records import RecordsInOrder
from omnibench.store.why import differences, explain, nearest, recipes_of

FRAME = pd.DataFrame({"user": [1, 1, 1, 2, 2, 2], "item": [1, 2, 3, 1, 2, 3], "rating": [5, 4, 3, 5, 4, 3]})
METRIC = NDCG([5, 10])
COLUMNS = [(METRIC, "NDCG@5"), (METRIC, "NDCG@10")]


def experiment(
    *, threshold: int = 2, algorithm: Any = LensKit.ItemKNNScorer, seed: int = 42, **parameters: Any
) -> Experiment:
    data = from_frame(FRAME, "tiny").pipe(MakeImplicit(threshold), UserHoldout(0.1, 0.3))
    plan = ExperimentPlan("tests")
    plan.add_algorithm(algorithm, parameters or {"max_nbrs": 20})
    return experiments(data, plan, [METRIC], versions=lambda _: "2025.1", seeds=[seed])[0]


def fitted(one: Experiment) -> dict[str, Any]:
    return {
        "item": one.name,
        "fit_key": one.fit_key,
        "finished": "2026-01-01T00:00:00Z",
        "identity": one.recorded_identity,
        "model": {"path": "D/A/model.bin"},
    }


def recipe(one: Experiment) -> dict[str, Any]:
    return {f"recipe/{one.dataset.key}": {"name": "tiny", "identity": json.loads(json.dumps(one.dataset.identity))}}


plain = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from([0.0, 1.0, 2.0]) | st.text("ab", max_size=1),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=1), inner, max_size=3),
    max_leaves=6,
)


@given(plain, plain)
@example({"k": 1}, {"k": 1.0})
@example([True], [1])
def test_what_differs_is_found_and_nothing_else(old: Any, new: Any) -> None:
    """Exactly when the two are written differently: a key keeps 1, 1.0 and True apart, and so does this."""
    written = [json.dumps(one, sort_keys=True) for one in (old, new)]
    assert bool(differences(old, new)) == (written[0] != written[1])


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (1, 1, []),
        (1, 2, [("", 1, 2)]),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, [("a.c", 2, 3)]),
        ({"a": 1}, {"b": 2}, [("a", 1, "(absent)"), ("b", "(absent)", 2)]),
        ([1, [2, 3]], [1, [2, 4]], [("[1][1]", 3, 4)]),
        ({"a": [1, 2]}, {"a": [1]}, [("a", [1, 2], [1])]),
        ({"a": {}}, {"a": None}, [("a", {}, None)]),
        ({"k": 1}, {"k": 1.0}, [("k", 1, 1.0)]),
        ({"k": [True]}, {"k": [1]}, [("k[0]", True, 1)]),
    ],
)
def test_only_the_innermost_places_are_named(old: Any, new: Any, expected: Any) -> None:
    """Only the innermost differences are named, as paths that one would write in Python, with both values."""
    assert [(place, *map(repr, both)) for place, *both in differences(old, new)] == [
        (place, *map(repr, both)) for place, *both in expected
    ]


def test_the_place_that_was_given_comes_first() -> None:
    """The given path comes first, so that several comparisons can stand in one list."""
    assert differences({"a": 1}, {"a": 2}, "x") == [("x.a", 1, 2)]


def test_the_nearest_has_the_fewest_differences() -> None:
    """The nearest item has the fewest differences, those of the same algorithm first; without items there is none."""
    wanted = {"algorithm": "A", "runner": "R", "parameters": {"k": 1, "l": 1}}
    near = {**wanted, "parameters": {"k": 2, "l": 1}}
    far = {**wanted, "parameters": {"k": 2, "l": 2}}
    other = {**wanted, "algorithm": "B"}
    elsewhere = {**wanted, "runner": "S"}
    own = {"dataset": "d", "fold": 0, **wanted}
    parts = zip("abcd", (other, far, elsewhere, near), ("d", "e", "d", "d"), (0, 1, 0, 0), strict=True)
    fits = [(name, FitIdentity(json.dumps(["c/1", members]), data, fold)) for name, members, data, fold in parts]
    assert nearest(own, {}, fits) == "d"
    assert nearest(own, {}, [*fits, ("e", fits[3][1])]) == "d"  # of two the first
    assert nearest(own, {}, fits[:3]) == "b"
    assert nearest(own, {}, [fits[0], ("f", FitIdentity("[]", "d", 0)), ("g", FitIdentity("{", "d", 0))]) == "a"
    assert nearest(own, {}, []) is None


def test_no_fit_behind_the_nearest_possible_is_asked_for() -> None:
    """The first with the fewest differences that there can be ends the search; what is further does not."""
    wanted = {"algorithm": "A", "runner": "R", "parameters": {"k": 1}}
    configurations = {"a": {**wanted, "algorithm": "B"}, "b": {**wanted, "parameters": {"k": 2, "l": 1}}}
    configurations |= {name: {**wanted, "parameters": {"k": 2}} for name in "cd"} | {"e": wanted}
    fits = {name: FitIdentity(json.dumps(["c/1", members]), "d", 0) for name, members in configurations.items()}
    for fewest, found, left in ((1, "c", "de"), (0, "e", "")):
        asked = iter(fits.items())
        assert nearest({"dataset": "d", "fold": 0, **wanted}, {}, asked, fewest) == found
        assert "".join(name for name, _ in asked) == left


def test_an_item_that_differs_in_nothing_is_the_nearest_wherever_it_stands() -> None:
    """One on the same data under another key, or with other names of forms, is shown, though another was fitted before."""
    one, before = experiment(max_nbrs=20), experiment(max_nbrs=30)
    first = {f"fit/{before.fit_key}": fitted(before)}
    tag, parts = one.recorded_identity
    moved = [tag, {**parts, "data": "e" * 64}]
    moved_key = sha256(recorded_text(moved))
    equal = {**fitted(one), "item": "moved", "identity": moved}
    data = {f"recipe/{'e' * 64}": next(iter(recipe(one).values()))}
    told = explain(
        one.recorded_identity, one.fit_key, RecordsInMemory(first | recipe(one) | data | {f"fit/{moved_key}": equal})
    )
    assert told == "The nearest item, moved, differs in nothing that its key shows."
    later = ["fit/2", parts]
    told = explain(
        later, sha256(recorded_text(later)), RecordsInMemory(first | recipe(one) | {f"fit/{one.fit_key}": fitted(one)})
    )
    assert told == f"The nearest item, {one.name}, differs in nothing that its key shows."
    told = explain(one.recorded_identity, one.fit_key, RecordsInMemory(first | recipe(one) | data))
    assert told.startswith(f"The nearest item that was fitted is {before.name} (")


def test_an_item_is_explained_by_the_nearest_that_was_fitted() -> None:
    """An explanation has the nearest item's name, its time, and the differences in the words of plan and recipe."""
    one = experiment(max_nbrs=20)
    others = [
        experiment(max_nbrs=30),
        experiment(max_nbrs=30, threshold=3),
        experiment(algorithm=LensKit.PopScorer, score="count"),
    ]
    records = {f"fit/{other.fit_key}": fitted(other) for other in others} | recipe(one) | recipe(others[1])
    told = explain(one.recorded_identity, one.fit_key, RecordsInMemory(records))
    assert told.startswith(
        f"The nearest item that was fitted is {others[0].name} (2026-01-01T00:00:00Z). What differs:"
    )
    assert [line.split() for line in told.splitlines()[1:]] == [["parameters.max_nbrs", "30", "->", "20"]]


def test_another_recipe_is_shown_and_not_its_digest() -> None:
    """What stands in the pipe, when its recipe is known; else the digests."""
    one, other = experiment(threshold=2), experiment(threshold=3)
    records = {f"fit/{other.fit_key}": fitted(other)}
    assert f'"{other.dataset.key[:50]}' in explain(one.recorded_identity, one.fit_key, RecordsInMemory(records))
    identities = {each.dataset.key: json.loads(json.dumps(each.dataset.identity)) for each in (one, other)}
    for known, more in ((records | recipe(one) | recipe(other), {}), (records, identities)):
        (difference,) = explain(one.recorded_identity, one.fit_key, RecordsInMemory(known), more).splitlines()[1:]
        assert difference.startswith("  dataset.")
        assert difference.endswith("3 -> 2")


def test_the_first_item_of_all_has_no_nearest() -> None:
    """Without another fitted item there is no nearest one; an item's own record does not count."""
    one = experiment()
    for records in ({}, {f"fit/{one.fit_key}": fitted(one)}):
        assert "nothing to compare" in explain(one.recorded_identity, one.fit_key, RecordsInMemory(records))


def test_a_type_that_differs_is_shown() -> None:
    """1 and 1.0 make two keys, so somebody who asks why must see which is which."""
    one, other = experiment(max_nbrs=20), experiment(max_nbrs=20.0)
    assert one.fit_key != other.fit_key
    told = explain(one.recorded_identity, one.fit_key, RecordsInMemory({f"fit/{other.fit_key}": fitted(other)}))
    assert "20.0 -> 20" in told


def test_recipes_are_found_in_prepared_data_and_in_plans() -> None:
    """Under the dataset's key, wherever they stand."""
    records = {"data/a": {"identity": 1}, "recipe/b": {"identity": 2}, "fit/c": {"identity": 3}}
    assert recipes_of(records) == {"a": 1, "b": 2}


def test_the_outlook_follows_what_is_recorded() -> None:
    """Step by step, from an empty store to one in which everything is there."""
    one = experiment()
    records: dict[str, Any] = {}
    gone: set[str] = set()

    def look() -> Outlook:
        return outlook(records.get, Item(one, COLUMNS, 20), lambda record: record["name"] not in gone)

    assert look() == Outlook("Fit", "nothing is recorded under its key")
    item = records[f"item/{one.fit_key}"] = {"status": "pending", "generation": 0}
    assert look() == Outlook("Fit", "it was never begun")
    killed = outlook(records.get, Item(one, COLUMNS, 20), lambda _: True, has_snapshot=True)
    assert killed == Outlook("Fit", "it was interrupted in Fit"), "a kill -9 is recorded by its snapshot alone"
    item["generation"] = 1
    assert look() == Outlook("Fit", "it was reset")
    item |= {"status": "failed", "phase": "Fit", "error": {"message": "no memory"}}
    assert look() == Outlook("Fit", "it failed in Fit: no memory")
    records[f"fit/{one.fit_key}"] = {"name": "fit", "model": {"path": "m.bin"}}
    item |= {"status": "interrupted", "phase": "Predict", "error": None}
    assert look() == Outlook("Predict", "it was interrupted in Predict")
    item["status"] = "done"
    assert look() == Outlook("Predict", "there are no predictions with lists of 20")
    records[f"predict/{one.predict_key(20)}"] = {"name": "predict", "predictions": {"path": "p.npy", "sha256": "p"}}
    assert look() == Outlook("Eval", "its dataset is not prepared")
    records[f"data/{one.dataset.key}"] = {"test": ["t"]}
    assert look() == Outlook("Eval", "NDCG@5, NDCG@10 are not recorded")
    records[f"eval/{eval_key(one.fit_key, 'p', 't', METRIC, 'NDCG@5')}"] = {}
    assert look() == Outlook("Eval", "NDCG@10 is not recorded")
    gone.add("fit")
    assert look().phase == "Eval"  # the model is not needed for what is left
    gone.add("predict")
    assert look() == Outlook("Fit", "its model m.bin is missing")
    gone.remove("fit")
    assert look() == Outlook("Predict", "its predictions p.npy are missing")


@given(
    configuration=st.dictionaries(
        st.sampled_from(["a", "seed", '", "data": "', "fold"]), st.text(max_size=5) | st.none()
    ),
    fold=st.none() | st.integers(0, 9),
    more=st.sampled_from([{}, {"search": "5" * 64}, {"x": ', "identity": ["fit/'}, {"notes": ['"data": "']}]),
)
def test_what_a_model_is_made_of_is_cut_out_or_parsed(
    configuration: dict[str, Any], fold: int | None, more: dict[str, Any]
) -> None:
    """The text of a record says what the record does, or has to be parsed."""
    members = {"runner": "Own", "algorithm": "A", "parameters": configuration}
    identity = ["fit/1", {"configuration": ["configuration/1", members], "data": "d" * 64, "fold": fold}]
    fit = {"item": "D/a", "version": "1", "identity": identity, **more}
    cut = identity_in(json.dumps(fit))
    assert cut in (identity_of(fit), None)
    assert cut or more or any('"data": "' in json.dumps(part).replace("\\", "") for part in configuration)


@pytest.mark.parametrize("first", [0, 9, 12, 2000])
def test_the_nearest_of_a_store_is_that_of_all_its_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    """Records that are read one at a time have the same fits in the same order, without trials and damaged ones.

    So they do however many rows are looked through before the others are sorted.
    """
    monkeypatch.setattr(reader_module, "_FIRST", first)
    store = CheckpointStore(tmp_path / "store")
    prepare(store, "d")
    for name in "bca":
        compute(store, name)
        fit = store.records.get(f"fit/{name * 64}") or {}
        members = {"runner": "Own", "algorithm": name, "parameters": {}}
        identity = ["fit/1", {"configuration": ["configuration/1", members], "data": "d" * 64, "fold": None}]
        store.records.commit({f"fit/{name * 64}": {**fit, "identity": identity}})
    fit = store.records.get(f"fit/{'a' * 64}") or {}
    store.records.commit({f"fit/{'e' * 64}": {**fit, "fit_key": "e" * 64, "search": "5" * 64}})
    store.records._connection.execute(f"UPDATE Cache SET value = value || ' ' WHERE key = 'fit/{'c' * 64}'")
    store.close()
    in_memory = RecordsInMemory(read_all(tmp_path / "store" / "store"))
    expected = [*in_memory.fits()]
    assert [key[4] for key, _ in expected] == ["b", "a"]
    assert read(tmp_path / "store" / "store", lambda reader: [*RecordsInOrder(reader).fits()]) == expected

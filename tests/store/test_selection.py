"""Which items a text stands for: one grammar, nothing guessed."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibench.errors import StoreError
from omnibench.store.item_names import call_text, title_of
from omnibench.store.schema import Record
from omnibench.store.selection import (
    select,
    select_all,
    select_configuration,
    select_datasets,
    select_one,
)
from omnibench.tuning.budget import Tuning
from omnibench.tuning.distributions import Log
from omnibench.tuning.space import Space


def _digest(*words: object) -> str:
    return hashlib.sha256(repr(words).encode()).hexdigest()


def _item(
    algorithm: str,
    parameters: dict[str, Any] | None = None,
    dataset: str = "ML-100K",
    fold: int | None = 0,
    **members: Any,
) -> Record:
    """Return an item's record as runs leave it; ``code`` and ``seed`` go into its identity."""
    configuration = {"code": members.pop("code", None), "seed": members.pop("seed", 42), "device": "cpu"}
    given_parameters = parameters or {}
    configuration |= {"algorithm": algorithm, "parameters": given_parameters}
    hashes = _digest(dataset)[:8], _digest(algorithm, given_parameters, configuration)[:8]
    names = f"{dataset}-{hashes[0]}", f"{algorithm}-{hashes[1]}"
    name = "/".join(names) if fold is None else f"{'/'.join(names)}/fold_{fold}"
    return {
        "item": name,
        "fit_key": _digest(name),
        "dataset": names[0],
        "algorithm": names[1],
        "parameters": given_parameters,
        "fold": fold,
        "identity": ["fit/1", {"configuration": ["configuration/1", configuration]}],
        **members,
    }


def _store(*records: Record) -> dict[str, Record]:
    return {record["item"]: record for record in records}


SMALL = _item("RecPack.ItemKNN", {"K": 100})
SMALL_1 = _item("RecPack.ItemKNN", {"K": 100}, fold=1)
SHRUNK = _item("RecPack.ItemKNN", {"K": 100, "shrink": 5})
OTHER_SEED = _item("RecPack.ItemKNN", {"K": 100, "shrink": 5}, seed=7)
LARGE = _item("RecPack.ItemKNN", {"K": 200}, dataset="Steam")
NEURAL = _item("RecBole.MultiVAE", {"hidden": [64, 32], "path": "a/b", "loss": "bpr"}, dataset="Steam")
OWN = _item("Popular", {}, code="c1", node=f"ML-100K-{_digest('ML-100K')[:8]}/Popular-0123abcd/fold_0")
OWN_BEFORE = _item("Popular", {}, code="c0", node=f"ML-100K-{_digest('ML-100K')[:8]}/Popular-0123abcd/fold_0")
OWN_OLD = _item("Ranked", {"by": 1}, code="c2")
LABELLED = _item("LensKit.ItemKNNScorer", {"max_nbrs": 20}, user_label="the paper's kNN", dataset_label="ML(core=5)")
WHOLE = _item("RecPack.EASE", dataset="Steam", fold=None)
ALL = _store(
    *(SMALL, SMALL_1, SHRUNK, OTHER_SEED, LARGE, NEURAL, OWN, OWN_BEFORE, OWN_OLD, LABELLED, WHOLE),
)
ML = SMALL["dataset"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (SMALL["item"], [SMALL]),
        (f"{SMALL['item']}/", [SMALL]),
        ("RecPack.ItemKNN", [SMALL, SMALL_1, SHRUNK, OTHER_SEED, LARGE]),
        ("ItemKNN", [SMALL, SMALL_1, SHRUNK, OTHER_SEED, LARGE]),
        ("ItemKNN/fold_1", [SMALL_1]),
        ("RecPack", [SMALL, SMALL_1, SHRUNK, OTHER_SEED, LARGE, WHOLE]),
        ("RecPack.ItemKNN(K=200)", [LARGE]),
        ("ItemKNN(K=100)", [SMALL, SMALL_1, SHRUNK, OTHER_SEED]),
        ("ItemKNN(K=100)/fold_1", [SMALL_1]),
        ("ItemKNN(K=100, shrink=5)", [SHRUNK, OTHER_SEED]),
        ("ItemKNN( shrink = 5,K=100 )", [SHRUNK, OTHER_SEED]),
        ("ItemKNN(shrink=5,seed=7)", [OTHER_SEED]),
        ("ItemKNN(shrink=5)/seed_7", [OTHER_SEED]),
        ("ItemKNN/seed_7", [OTHER_SEED]),
        ("ML-100K/ItemKNN/fold_0/seed_42", [SMALL, SHRUNK]),
        (f"{OTHER_SEED['item']}/seed_7", [OTHER_SEED]),
        ("*/fold_0/seed_7", [OTHER_SEED]),
        ("*ItemKNN*/seed_7", [OTHER_SEED]),
        ("ItemKNN(K=100,+1)", [SMALL, SMALL_1, SHRUNK, OTHER_SEED]),
        ("MultiVAE(hidden=[64, 32])", [NEURAL]),
        ("MultiVAE(hidden=(64,32))", [NEURAL]),
        ("MultiVAE(path=a/b)", [NEURAL]),
        ("Steam/MultiVAE(path='a/b', loss=\"bpr\")/fold_0", [NEURAL]),
        ("MultiVAE(hidden=(6..)", [NEURAL]),
        (SMALL["algorithm"], [SMALL, SMALL_1]),
        (SMALL["algorithm"][:-3], [SMALL, SMALL_1]),
        (SMALL["algorithm"].rpartition("-")[2], [SMALL, SMALL_1]),
        (f"ML-100K/{SMALL['algorithm']}/fold_0", [SMALL]),
        ("ML-100K/ItemKNN", [SMALL, SMALL_1, SHRUNK, OTHER_SEED]),
        (f"{ML}/ItemKNN(shrink=5)", [SHRUNK, OTHER_SEED]),
        (f"{ML[:-2]}/ItemKNN(shrink=5)", [SHRUNK, OTHER_SEED]),
        ("Steam/RecPack.EASE", [WHOLE]),
        ("ML(core=5)/ItemKNNScorer", [LABELLED]),
        ("the paper's kNN", [LABELLED]),
        ("the_paper_s_kNN", [LABELLED]),
        (LARGE["fit_key"], [LARGE]),
        (LARGE["fit_key"][:6], [LARGE]),
        ("*ItemKNN*/fold_1", [SMALL_1]),
        ("*ItemKNN(K=100*", [SMALL, SMALL_1, SHRUNK, OTHER_SEED]),
        ("Steam/*", [LARGE, NEURAL, WHOLE]),
        ("Steam/RecPack.*", [LARGE, WHOLE]),
        ("RecPack.*", [SMALL, SMALL_1, SHRUNK, OTHER_SEED, LARGE, WHOLE]),
        ("*", list(ALL.values())),
        ("Rank?d", [OWN_OLD]),
        (f"benchmarks/bench.py::bench_all::{SMALL['item']}", [SMALL]),
        (f"bench.py::TestKNN::bench_all::{SMALL['item']}[param-1]", [SMALL]),
        (f"bench.py::f::{ML}/RecPack.ItemKNN(K=100)-{SMALL['algorithm'].rpartition('-')[2]}/fold_1", [SMALL_1]),
        (f"bench.py::f::{ML}/RecPack.ItemKNN-{SMALL['algorithm'].rpartition('-')[2]}/fold_1[a[1]]", [SMALL_1]),
        (f"bench.py::f::{OWN['node']}", [OWN, OWN_BEFORE]),
        (f"bench.py::f::{ML}/Popular(of=2)-0123abcd/fold_0", [OWN, OWN_BEFORE]),
        (f"bench.py::f::{ML}/Ranked(by=1)-ffffffff/fold_0", [OWN_OLD]),
    ],
)
def test_what_a_text_stands_for(text: str, expected: list[Record]) -> None:
    """Labels, algorithms, datasets, keys, node ids and patterns: all that fits, in the store's order."""
    assert select(text, ALL) == [record["item"] for record in expected]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'': there is no such item. `omnibench status --all`"),
        ("ItemKNM", "'ItemKNM': there is no such item; did you mean 'ItemKNN'?"),
        ("RecPack.ItemKNN(K=300)", "there is no such item; did you mean 'RecPack.ItemKNN(K="),
        ("ItemKNN(K=100.5)", "there is no such item; did you mean"),
        ("ItemKNN(100)", "there is no such item"),
        ("Steam", "there is no such item, but a dataset is called so; 'Steam/*' is all of its items."),
        (LARGE["fit_key"][:3], "there is no such item; of a key, give at least 4 digits."),
        ("Steam/ItemKNN/fold_3", "there is no such item"),
        ("*KMM*", "there is no such item"),
        (f"bench.py::f::{ML}/RecPack.ItemKNN(K=100)-ffffffff/fold_1", "there is no such item; did you mean"),
        ("bench.py::f", "there is no such item"),
        ("(", "there is no such item"),
        ("[", "there is no such item"),
    ],
)
def test_what_fits_nothing_is_an_error_with_the_way_on(text: str, message: str) -> None:
    """The error is one sentence, with what is near."""
    with pytest.raises(StoreError) as raised:
        select(text, ALL)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_empty_store_says_so() -> None:
    """There is nothing to be near to."""
    with pytest.raises(StoreError, match="there is no such item, as the store has no items"):
        select("ItemKNN", {})


def test_where_one_is_needed_several_are_listed() -> None:
    """Each with its key and hyperparameters; of many, the first ten and the number of the others."""
    with pytest.raises(StoreError) as raised:
        select_one("ItemKNN(shrink=5)", ALL)
    head, *lines = str(raised.value).splitlines()
    assert head.rstrip() == "'ItemKNN(shrink=5)' may be any of 2 items; give one of their names or keys:"
    assert lines == [f"  {record['fit_key'][:8]}  {title_of(record)}" for record in (SHRUNK, OTHER_SEED)]
    many = _store(*(_item("RecPack.ItemKNN", {"K": number}) for number in range(25)))
    with pytest.raises(StoreError, match=r"may be any of 25 items[^$]*\n  and 15 more$"):
        select_one("ItemKNN", many)


def test_a_text_that_means_two_things_is_refused() -> None:
    """A class may be called as a key begins; neither is preferred."""
    other = _item("RecPack.EASE")
    named = _item(other["fit_key"][:4])
    with pytest.raises(StoreError, match="is both a name and the beginning of a key"):
        select(other["fit_key"][:4], _store(other, named))
    assert select(other["fit_key"][:12], _store(other, named)) == [other["item"]]


def test_a_configuration_is_chosen_whatever_names_its_items() -> None:
    """Its folds are one configuration; two configurations are an error that lists them."""
    assert select_configuration("ItemKNN/fold_1", ALL) == ((SMALL["algorithm"],), {ML})
    assert select_configuration(SMALL["fit_key"][:8], ALL) == ((SMALL["algorithm"],), {ML})
    with pytest.raises(StoreError) as raised:
        select_configuration("ML-100K/ItemKNN", ALL)
    assert "may be any of 2 configurations; give one of their names:\n  RecPack.ItemKNN-" in str(raised.value)
    both_seeds = ((OTHER_SEED["algorithm"], SHRUNK["algorithm"]), {ML})  # the lowest seed first
    assert select_configuration("ItemKNN(shrink=5)", ALL) == both_seeds
    assert select_configuration(SHRUNK["algorithm"], ALL) == both_seeds
    for text in ("ItemKNN(shrink=5)/seed_7", "ItemKNN(shrink=5)/fold_0/seed_7", "ItemKNN(shrink=5,seed=7)"):
        assert select_configuration(text, ALL) == ((OTHER_SEED["algorithm"],), {ML})
    with pytest.raises(StoreError, match="'EASY': there is no such configuration; did you mean 'EASE'"):
        select_configuration("EASY", ALL)


def test_datasets_are_chosen_by_name_label_hash_or_pattern() -> None:
    """A dataset is found with or without the hash; near ones are suggested."""
    steam = LARGE["dataset"]
    for text in ("Steam", steam, steam[:-3], steam.rpartition("-")[2], "St*", "S?eam"):
        assert select_datasets(text, ALL) == [steam]
    assert select_datasets("ML(core=5)", _store(LABELLED)) == [ML]
    with pytest.raises(StoreError, match="there is no dataset 'Stream'; did you mean 'Steam'"):
        select_datasets("Stream", ALL)


NAMES = st.from_regex(r"[A-Za-z_][\w.+-]{0,12}", fullmatch=True)
VALUES = st.one_of(
    st.integers(),
    st.floats(allow_nan=False),
    st.booleans(),
    st.none(),
    st.text(max_size=8),
    st.lists(st.integers(), max_size=3),
)


@st.composite
def _random_items(draw: st.DrawFn) -> Record:
    fold = draw(st.one_of(st.none(), st.integers(0, 12)))
    parameters = draw(st.dictionaries(st.from_regex(r"[a-z]\w{0,5}", fullmatch=True), VALUES, max_size=3))
    item = _item(
        draw(NAMES),
        parameters,
        dataset=f"{draw(NAMES)}{'_whole' if fold is None else ''}",
        fold=fold,
        code=draw(st.sampled_from([None, "c"])),
    )
    node = item["item"].replace(item["algorithm"], f"{item['algorithm'][:-8]}{_digest(item['item'])[:8]}")
    return {**item, **({"node": node} if draw(st.booleans()) else {})}


@given(st.lists(_random_items(), min_size=1, max_size=8))
def test_every_item_is_selected_by_its_name_its_key_and_its_node_id(records: list[Record]) -> None:
    """Whatever it is called, and whatever else is in the store; by its label it is among what is selected."""
    items = _store(*records)
    for name, record in items.items():
        for text in (name, record["fit_key"], record["fit_key"][:16], f"a/b.py::C::f::{name}", f"b.py::f::{name}[x-1]"):
            assert select_one(text, items) == name
        if "node" in record:
            assert name in select(f"b.py::f::{record['node']}", items)
        for text in (record["algorithm"], f"{record['dataset']}/{record['algorithm']}", "*"):
            assert name in select(text, items)
        assert name in select_all([record["algorithm"], "*"], items)
        label = call_text(record)
        if not any(character in label for character in "*?"):
            assert name in select(label, items), label


def _tuned(budget: dict[str, Any], parameters: dict[str, Any] | None = None, fold: int = 0, **members: Any) -> Record:
    """Return the record of an item that a search with a budget chooses."""
    space = Space.of({"l2": Log(1.0, 10.0)}).identity
    search = {"space": space, "tuning": Tuning("NDCG@10", **budget).identity}
    record = _item("Own.Slow", parameters, dataset="purchases", fold=fold, code=_digest(budget), **members)
    record["identity"][1]["configuration"][1]["search"] = search
    return {**record, "search": _digest("search", fold)}


SEARCHED = _tuned({"trials": 8})
SEARCHED_1 = _tuned({"trials": 8}, fold=1)
FIXED = _tuned({"trials": 8}, {"boom": 20.0})


@pytest.mark.parametrize(
    ("text", "records"),
    [
        ("Own.Slow (tuned)", [SEARCHED, SEARCHED_1]),
        ("purchases/Own.Slow (tuned)/fold_0", [SEARCHED]),
        ("Own.Slow (tuned, boom=20.0)", [FIXED]),
        ("purchases/Own.Slow (tuned, boom=20)/fold_0", [FIXED]),
        ("Slow(boom=20.0)", [FIXED]),
        ("Slow", [SEARCHED, SEARCHED_1, FIXED]),
        (f"{SEARCHED['dataset']}/Own.Slow_(tuned)-{SEARCHED['algorithm'][-8:]}/fold_0", [SEARCHED]),
        (f"{FIXED['dataset']}/Own.Slow_(tuned,_boom=20.0)-{FIXED['algorithm'][-8:]}/fold_0", [FIXED]),
    ],
)
def test_what_outputs_call_a_tuned_item_selects_it(text: str, records: list[Record]) -> None:
    """Titles, labels and the ends of node ids of tuned items are names of theirs; the exact one comes first."""
    items = _store(SEARCHED, SEARCHED_1, FIXED, SMALL)
    assert select(text, items) == [record["item"] for record in records]


def test_tuned_is_no_name_of_what_nobody_has_tuned() -> None:
    """An algorithm with given hyperparameters is not meant by the name of a tuned one."""
    with pytest.raises(StoreError, match="no such item"):
        select("RecPack.ItemKNN (tuned)", _store(SMALL, SEARCHED))


def test_searches_of_one_title_are_told_apart() -> None:
    """An error that lists items says the budget of those of one title, and by which name each is selected."""
    larger = _tuned({"trials": 20})
    items = _store(SEARCHED, larger)
    with pytest.raises(StoreError) as caught:
        select_one("Slow", items)
    names = re.findall(
        r"purchases/Own.Slow \(tuned\)/fold_0  \((\d+ trials), (search=[0-9a-f]{8})\)", str(caught.value)
    )
    assert [budget for budget, _ in names] == ["8 trials", "20 trials"]
    assert [select_one(f"Slow (tuned, {search})", items) for _, search in names] == [SEARCHED["item"], larger["item"]]

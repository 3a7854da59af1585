"""What was measured of the memory of algorithms on small data is sane on large data, and algorithms that do the same agree."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import pytest
from support.file_modules import module_of

from omnibench.data.data_size import DataSize
from omnibench.runners.registry import get_runner, runners
from omnibench.runners.requirements import SCORED_PAIRS, USER_PAIRS, formula_of, required

ROOT = Path(__file__).parent.parent.parent
LARGE = DataSize(138_543, 26_794, 19_169_371)
FORMULAS = [
    (runner.name, algorithm)
    for runner in runners()
    for algorithm, described in runner.catalogue["algorithms"].items()
    if runner.distribution and described.get("memory")
]
DENSE = ("items*items", "users*users", "users*items", "compared*compared")
"""Of matrices that are stored in full: tens of gigabytes of large data."""

ALLOCATED: Mapping[str, Mapping[str, float]] = {
    "RecBole.AsymKNN": {"users*items": 4.0, SCORED_PAIRS: 8.0},
    "RecPack.ItemPNN": {"items*items": 16.0},
    "RecPack.SequentialRules": {"interactions*max_steps": 48.0},
    "Cornac.ItemKNN": {"items*items": 8.0},
    "Cornac.UserKNN": {"users*users": 8.0},
    "RecPack.Prod2VecClustered": {"items*items": 8.0},
    "Cornac.RecVAE": {"items": 16.0 * 800 + 4.0 * 600},
    "Cornac.GMF": {"users*num_factors": 12.0, "items*num_factors": 12.0},
    "Cornac.MLP": {"users*layers": 6.0, "items*layers": 6.0},
    "Cornac.NeuMF": {"users*num_factors": 12.0, "users*layers": 6.0},
    "RecBole.BPR": {"users*embedding_size": 12.0, "items*embedding_size": 12.0},
    "RecBole.LightGCN": {"users*embedding_size": 12.0, "items*embedding_size": 12.0},
    "RecBole.FISM": {"items*embedding_size": 12.0},
    **{
        f"RecBole.{name}": {"users*embedding_size": 12.0, "items*embedding_size": 12.0}
        for name in ("DeepFM", "FM", "NFM", "xDeepFM", "AFM", "FwFM", "FNN", "PNN", "DSSM", "WideDeep")
    },
    **{
        f"RecBole.{name}": {"users*embedding_size": 12.0, "items*embedding_size": 12.0}
        for name in ("DCN", "DCNV2", "AutoInt", "FiGNN", "EulerNet", "KD_DAGFM")
    },
    **{  # the softmax of all items, and its gradient
        f"RecTools.{name}": {"items*batch_size*session_max_len": 8.0}
        for name in ("SASRecModel", "BERT4RecModel", "HSTUModel")
    },
    **{  # scores of all items for a batch, their softmax and its gradient; an item's vector and what Adam keeps of it
        f"RecBole.{name}": {"items*train_batch_size": 12.0, f"items*{size}": 12.0}
        for name, size in (("SASRec", "hidden_size"), ("GRU4Rec", "embedding_size"), ("S3Rec", "hidden_size"))
    },
    "RecBole.BERT4Rec": {"items*train_batch_size*MAX_ITEM_LIST_LENGTH": 0.2 * 12.0},
    "RecBole.HGN": {"users*embedding_size": 12.0},
    "RecTools.DSSMModel": {"users*n_factors": 4.0, "items*n_factors": 4.0},
    **{  # lists of Python's numbers, pointers and floats, of which an item has K at most
        f"RecPack.TARSItemKNN{name}": {"items*K": 32.0} for name in ("CoocDistance", "Hermann", "Xia")
    },
    "RecBole.FFM": {"users*embedding_size": 12.0 * 4, "items*embedding_size": 12.0 * 4},
    "LensKit.LightGCNScorer": {"users*embedding_size": 12.0, "items*embedding_size": 12.0},
}
"""Bytes that an algorithm's own code holds at the same time, at least: its matrices, weights, and Adam's two moments of each."""


@pytest.fixture(scope="module")
def memory() -> ModuleType:
    """What measures the formulas."""
    folder = ROOT / "benchmarks" / "scale"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        return module_of(folder / "memory.py")


@pytest.mark.parametrize(("framework", "algorithm"), FORMULAS)
def test_formulas_are_sane_on_large_data(framework: str, algorithm: str) -> None:
    """What stores no full matrix fits a machine of 64 GB at nineteen million rows; twice the data do not need less."""
    formula = formula_of(get_runner(framework), algorithm)
    parameters = get_runner(framework).catalogue["algorithms"][algorithm]["parameters"]
    large = required(formula, LARGE, parameters).size
    is_dense = any(term in DENSE for term in formula) or parameters.get("embedding_size", 1) is None  # as many as items
    if not is_dense:
        assert large < 64e9
    more_rows = required(formula, LARGE._replace(interactions=2 * LARGE.interactions), parameters).size
    all_doubled = required(formula, DataSize(*(2 * count for count in LARGE)), parameters).size
    assert large <= more_rows <= 2 * large
    assert large <= all_doubled <= 4 * large


@pytest.mark.parametrize("name", ALLOCATED)
def test_a_formula_has_what_the_algorithm_allocates(name: str) -> None:
    """A term that is missing is gigabytes of large data, however well the others are measured on small data."""
    formula = formula_of(get_runner(name.split(".", maxsplit=1)[0]), name.split(".")[1])
    for term, least in ALLOCATED[name].items():
        assert formula.get(term, 0.0) >= 0.95 * least, term


def test_algorithms_that_do_the_same_have_the_same_terms(memory: ModuleType) -> None:
    """RecPack's time-aware neighbours are those of its ItemKNN; Cornac's NeuMF has the embeddings of GMF and of MLP."""
    for name, others in memory.SAME_WORK.items():
        framework, _, algorithm = name.partition(".")
        algorithms = get_runner(framework).catalogue["algorithms"]
        assert algorithms[algorithm]["memory"] == memory.same_formula(algorithms, others), name


@pytest.mark.parametrize("algorithm", ["ItemKNN", "TARSItemKNN", "TARSItemKNNVaz"])
def test_neighbours_of_large_data_are_not_refused(algorithm: str) -> None:
    """RecPack's ItemKNN was measured to need 9.6 GB there: `docs/scale.md`."""
    requirement = required(formula_of(get_runner("RecPack"), algorithm), LARGE, {"K": 100})
    assert 9.556e9 / 1.5 < requirement.size < 9.556e9 * 1.5


@pytest.mark.parametrize("algorithm", ["CoocDistance", "Hermann", "Xia"])
@pytest.mark.parametrize(
    ("size", "neighbours", "needed"),
    [
        (DataSize(3_000, 1_000, 95_239), 200, 393e6),
        (DataSize(2_000, 6_000, 39_802), 200, 418e6),
        (DataSize(2_000, 6_000, 39_802), 20, 382e6),
        (DataSize(2_000, 3_000, 116_940), 200, 439e6),
        (DataSize(30_000, 300, 890_059), 200, 490e6),
    ],
)
def test_neighbours_by_time_grow_with_items_and_rows(
    algorithm: str, size: DataSize, neighbours: int, needed: float
) -> None:
    """They store K neighbours of each item, not all pairs of items that meet: at nineteen million rows 39 GB were said."""
    formula = formula_of(get_runner("RecPack"), f"TARSItemKNN{algorithm}")
    assert required(formula, size, {"K": neighbours}).size == pytest.approx(needed, rel=0.1)
    assert required(formula, LARGE, {"K": 200}).size < 5e9


@pytest.mark.parametrize("algorithm", ["VBPR", "AMR"])
def test_models_that_import_pytorch_need_it(algorithm: str) -> None:
    """Cornac's models of numbers of items needed 434 MB of 3,000 users and 1,000 items, of which 153 MB were said."""
    formula = formula_of(get_runner("Cornac"), algorithm)
    assert required(formula, DataSize(3_000, 1_000, 29_631), {"k": 10}).size == pytest.approx(434e6, rel=0.1)


def test_what_neighbours_score_is_no_more_than_all() -> None:
    """Each interaction scores k items; where users have many, the same."""
    formula = {"guest": 0.0, SCORED_PAIRS: 1.0}
    assert required(formula, DataSize(1_000, 1_000, 1_000), {"k": 10}).size == pytest.approx(10_000, rel=0.02)
    assert required(formula, DataSize(1_000, 1_000, 10**6), {"k": 10**6}).size <= 10**6
    assert required(formula, DataSize(1_000, 1_000, 1_000), {"k": 10}).reason == "1,000 users and 1,000 items"


def test_users_who_share_items_cost_more() -> None:
    """Cornac's UserKNN: of 12,000 users who share 1,000 items it needed 1,755 MB, and 1,328 MB where they share few of 100,000."""
    formula = formula_of(get_runner("Cornac"), "UserKNN")
    for size, needed in ((DataSize(12_000, 1_000, 95_133), 1_755e6), (DataSize(12_000, 100_000, 119_995), 1_328e6)):
        assert required(formula, size, {"k": 20}).size == pytest.approx(needed, rel=0.1)
    assert required({"guest": 0.0, USER_PAIRS: 1.0}, DataSize(1_000, 10, 10**6), {}).size <= 10**6
    assert required({"guest": 0.0, USER_PAIRS: 1.0}, DataSize(1_000, 10, 1_000), {}).reason == "1,000 users"

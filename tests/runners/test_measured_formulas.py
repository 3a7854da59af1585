"""What was measured of the memory of algorithms on small data is sane on large data, and algorithms that do the same agree."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from support.file_modules import module_of

from omnibench.data.data_size import DataSize
from omnibench.runners.formula_factors import SCORED_ITEMS, SCORED_PAIRS, USER_PAIRS
from omnibench.runners.registry import get_runner, runners
from omnibench.runners.requirements import (
    formula_of,
    grown_bytes,
    required,
)

ROOT = Path(__file__).parent.parent.parent
LARGE = DataSize(138_543, 26_794, 19_169_371)
TINY = DataSize(10, 10, 30)
MILLION_ITEMS = DataSize(100_000, 1_000_000, 10_000_000)
FORMULAS = [
    (runner.name, algorithm)
    for runner in runners()
    for algorithm, described in runner.catalogue["algorithms"].items()
    if runner.distribution and described.get("memory")
]
DENSE = (
    *("items*items", "users*users", "users*items", "compared*compared"),
    "interactions*embedding_size*n_layers*n_iterations",
)
"""Of matrices that are stored in full, and of DGCF's vectors of each interaction: tens of gigabytes of large data."""

ALLOCATED: Mapping[str, Mapping[str, float]] = {
    "RecBole.AsymKNN": {"users*items": 4.0, SCORED_PAIRS: 8.0},
    "RecPack.ItemPNN": {"items*items": 16.0},
    "RecPack.SequentialRules": {"interactions*max_steps": 48.0},
    "Cornac.ItemKNN": {"items*items": 8.0},
    "Cornac.UserKNN": {"users*users": 8.0},
    "RecPack.Prod2VecClustered": {"items*items": 8.0},
    **{  # both autoencoders have the first layer, one that stays as it was, and the last; what a batch of users has, and what is scored for it
        f"{framework}.RecVAE": {f"items*{hidden}": 12.0 + 4.0, f"items*{latent}": 12.0, "items*batch_users": 12.0}
        for framework, hidden, latent in (
            ("Cornac", "hidden_dim", "latent_dim"),
            ("RecPack", "dim_hidden_layer", "dim_bottleneck_layer"),
        )
    },
    "RecPack.MultVAE": {"items*dim_hidden_layer": 2 * 12.0, "items*batch_users": 12.0, "items*validated_users": 24.0},
    "RecPack.BPRMF": {"users*num_components": 12.0, "items*num_components": 12.0, "items*validated_users": 24.0},
    "Cornac.VAECF": {"items*autoencoder_structure": 2 * 12.0, "items*batch_users": 24.0},
    "Cornac.BiVAECF": {"items*encoder_structure": 12.0, "items*batch_users": 24.0, "users*batch_size": 24.0},
    "Cornac.CTR": {"item_vocabulary*k": 3 * 8.0, "items*k": 2 * 8.0, "users*k": 8.0, "item_words": 8.0 + 8.0 + 4.0},
    "Cornac.HFT": {
        "vocab_size*k": 8.0 * (25 + 2),
        "items*k": 8.0 * (25 + 2),
        "users*k": 8.0 * (25 + 2),
    },  # L-BFGS of 10 steps
    "RecBole.NNCF": {"users*ui_embedding_size": 12.0, "items*neigh_embedding_size": 12.0, "users*items": 1.0},
    "RecBole.NAIS": {
        "items*embedding_size": 2 * 12.0,
        "users*longest_user": 8.0 + 4.0 + 4.0,
        "train_batch_size*longest_user*embedding_size": 4.0,
    },
    "RecBole.GCMC": {"users*gcn_output_dim": 12.0 + 2 * 4.0, "items*gcn_output_dim": 12.0 + 2 * 4.0},
    "RecBole.DMF": {"users*train_batch_size": 4.0, "items*train_batch_size": 4.0, "items*longest_item": 8.0 + 4.0},
    "Cornac.GMF": {"users*num_factors": 12.0, "items*num_factors": 12.0},
    "Cornac.MLP": {"users*layers": 6.0, "items*layers": 6.0},
    "Cornac.NeuMF": {"users*num_factors": 12.0, "users*layers": 6.0},
    "RecBole.BPR": {"users*embedding_size": 12.0, "items*embedding_size": 12.0},
    "RecBole.LightGCN": {"users*embedding_size": 12.0, "items*embedding_size": 12.0},
    "RecBole.FISM": {"items*embedding_size": 12.0},
    **{
        f"RecBole.{name}": {"users*embedding_size": 12.0, "items*embedding_size": 12.0}
        for name in ("NGCF", "SGL", "NCL", "SimpleX", "SpectralCF", "DGCF", "ConvNCF", "ENMF")
    },
    "RecBole.LINE": {"users*embedding_size*order": 12.0, "items*embedding_size*order": 12.0},
    "RecBole.NeuMF": {"users*mf_embedding_size": 12.0, "items*mlp_embedding_size": 12.0},
    **{  # the first and the last layer; the items of a batch of users, their scores, and the gradient of these
        f"RecBole.{name}": {f"items*{size}": 2 * 12.0, "items*batch_users": 12.0}
        for name, size in (
            *((name, "mlp_hidden_size") for name in ("MultiVAE", "MultiDAE", "RaCT")),
            *(("CDAE", "embedding_size"), ("DiffRec", "dims_dnn"), ("LDiffRec", "in_dims")),
        )
    },
    # The first layer, and one that stays as it was after the last epoch; the last layer is as wide as what it is made of.
    "RecBole.RecVAE": {"items*hidden_dimension": 12.0 + 4.0, "items*latent_dimension": 12.0, "items*batch_users": 12.0},
    **{
        f"RecBole.{name}": {"users*embedding_size": 12.0, "items*embedding_size": 12.0}
        for name in ("DeepFM", "FM", "NFM", "xDeepFM", "AFM", "FwFM", "FNN", "PNN", "DSSM", "WideDeep")
    },
    **{
        f"RecBole.{name}": {"users*embedding_size": 12.0, "items*embedding_size": 12.0}
        for name in ("DCN", "DCNV2", "AutoInt", "FiGNN", "EulerNet", "KD_DAGFM")
    },
    **{  # the softmax of all items, and its gradient
        f"RecTools.{name}": {"scored_items*batch_size*session_max_len": 8.0}
        for name in ("SASRecModel", "BERT4RecModel", "HSTUModel")
    },
    **{  # scores of all items for a batch, their softmax and its gradient; an item's vector and what Adam keeps of it
        f"RecBole.{name}": {"scored_items*train_batch_size": 12.0, f"items*{size}": 12.0}
        for name, size in (("SASRec", "hidden_size"), ("GRU4Rec", "embedding_size"), ("S3Rec", "hidden_size"))
    },
    "RecBole.BERT4Rec": {"scored_items*train_batch_size*MAX_ITEM_LIST_LENGTH*mask_ratio": 12.0},
    "RecBole.HGN": {"users*embedding_size": 12.0},
    **{  # lists of Python's numbers, pointers and floats, of which an item has K at most
        f"RecPack.TARSItemKNN{name}": {"items*K": 32.0} for name in ("CoocDistance", "Hermann", "Xia")
    },
    "RecBole.FFM": {f"{values}*embedding_size*context_fields": 12.0 for values in ("users", "items", "item_values")},
    "LensKit.LightGCNScorer": {"users*embedding_size": 12.0, "items*embedding_size": 12.0},
    **{  # factors in float32
        f"LensKit.{name}": {"users*embedding_size": 4.0, "items*embedding_size": 4.0}
        for name in ("ImplicitMFScorer", "BiasedMFScorer", "FunkSVDScorer")
    },
    **{
        f"Cornac.{name}": {"items*item_values": 8.0} for name in ("VBPR", "AMR")
    },  # numbers in float32, and a copy of PyTorch's
    **{
        f"RecBole.{name}": {"item_values*embedding_size": 12.0, "user_values*embedding_size": 12.0}
        for name in ("DeepFM", "FM", "NFM", "xDeepFM", "AFM", "FwFM", "PNN", "DSSM", "WideDeep", "DCN", "EulerNet")
    },
    **{f"RecBole.{name}": {"item_values*hidden_size": 12.0} for name in ("SASRecF", "FDSA", "S3Rec")},
    "RecBole.RepeatNet": {"items*train_batch_size": 24.0, "items*hidden_size": 2 * 12.0},
    "RecTools.LightFMWrapperModel": {"users*model.no_components": 12.0, "item_values*model.no_components": 12.0},
    "RecTools.DSSMModel": {"item_values*n_factors": 12.0, "user_values*n_factors": 12.0, "items*n_factors": 4.0},
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
    all_doubled = required(formula, DataSize(2 * LARGE.users, 2 * LARGE.items, 2 * LARGE.interactions), parameters).size
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


def test_terms_that_follow_from_code_are_in_the_catalogue(memory: ModuleType) -> None:
    """What ``memory.py --write`` would write of them, and nothing that was fitted beside."""
    assert memory.DERIVED
    for name, terms in memory.DERIVED.items():
        framework, _, algorithm = name.partition(".")
        assert get_runner(framework).catalogue["algorithms"][algorithm]["memory"] == terms, name
        assert name not in memory.TERMS, name


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


def defaults_of(framework: str, algorithm: str) -> dict[str, Any]:
    """The hyperparameters of an algorithm where nothing is said."""
    return dict(get_runner(framework).catalogue["algorithms"][algorithm]["parameters"])


@pytest.mark.parametrize(("framework", "algorithm"), FORMULAS)
def test_tiny_data_need_little(framework: str, algorithm: str) -> None:
    """A batch has no more rows than the data: no hyperparameter makes gigabytes of thirty rows, and batches of any size are as large."""
    formula, defaults = formula_of(get_runner(framework), algorithm), defaults_of(framework, algorithm)
    batches: dict[str, Any] = {name: 10**9 for name in ("train_batch_size", "batch_size") if name in defaults}
    needed = required(formula, TINY, defaults).size
    assert needed < 1.5e9
    assert required(formula, TINY, {**defaults, **batches}).size <= needed


@pytest.mark.parametrize("algorithm", ["SASRec", "GRU4Rec", "BERT4Rec", "S3Rec", "NextItNet", "SINE", "HGN"])
def test_recbole_scores_all_items_only_where_its_loss_does(algorithm: str) -> None:
    """BPR compares an item and another one; of a million items, what is left are their vectors and Adam's moments."""
    formula, defaults = formula_of(get_runner("RecBole"), algorithm), defaults_of("RecBole", algorithm)
    of_all = required(formula, MILLION_ITEMS, {**defaults, "loss_type": "CE"})
    of_two = required(formula, MILLION_ITEMS, {**defaults, "loss_type": "BPR"})
    assert of_all.size - of_two.size >= 0.99 * 12 * 2_048 * 1_000_000
    assert of_two.size < 20e9
    assert of_all.reason == "1,000,000 items"
    assert required(formula, MILLION_ITEMS, {**defaults, "loss_type": "NLL"}).size == of_all.size


def test_repeatnet_scores_all_items_whatever_is_said() -> None:
    """Its code has no other loss."""
    formula, defaults = formula_of(get_runner("RecBole"), "RepeatNet"), defaults_of("RecBole", "RepeatNet")
    for loss in ("CE", "BPR"):
        assert required(formula, MILLION_ITEMS, {**defaults, "loss_type": loss}).size > 12 * 2_048 * 1_000_000


@pytest.mark.parametrize("algorithm", ["SASRecModel", "BERT4RecModel", "HSTUModel"])
@pytest.mark.parametrize("loss", ["BCE", "gBCE", "sampled_softmax"])
def test_rectools_scores_all_items_only_where_its_loss_does(algorithm: str, loss: str) -> None:
    """The others compare n_negatives and one, whose vectors are copied; a class's own loss may need all items."""
    formula, defaults = formula_of(get_runner("RecTools"), algorithm), defaults_of("RecTools", algorithm)
    of_all = required(formula, MILLION_ITEMS, {**defaults, "loss": "softmax"})
    sampled = required(formula, MILLION_ITEMS, {**defaults, "loss": loss})
    assert of_all.size > 100e9
    assert 4 * 4 * 256 * 1_000_000 < sampled.size < 12e9  # weights, gradients and two moments
    assert required(formula, MILLION_ITEMS, {**defaults, "loss": "my own"}).size == of_all.size
    many = required(formula, MILLION_ITEMS, {**defaults, "loss": loss, "n_negatives": 1_001})
    assert many.size - sampled.size >= 1_000 * 128 * 100 * 256 * 4
    assert many.hyperparameters == ("n_negatives", "batch_size", "session_max_len", "n_factors")


def test_bert4rec_scores_what_it_masks() -> None:
    """It is int(mask_ratio * MAX_ITEM_LIST_LENGTH) items of each sequence."""
    formula, defaults = formula_of(get_runner("RecBole"), "BERT4Rec"), defaults_of("RecBole", "BERT4Rec")
    few, many = (required(formula, MILLION_ITEMS, {**defaults, "mask_ratio": ratio}).size for ratio in (0.2, 0.6))
    assert many - few == pytest.approx(0.4 * 50 * 12 * 2_048 * 1_000_000, rel=0.01)


def test_what_hyperparameters_make_is_said_of_them() -> None:
    """Less data would not help: smaller batches do."""
    formula, defaults = formula_of(get_runner("RecBole"), "SASRec"), defaults_of("RecBole", "SASRec")
    requirement = required(formula, DataSize(300, 1_000, 6_000), defaults)
    assert requirement.hyperparameters[:2] == ("train_batch_size", "MAX_ITEM_LIST_LENGTH")
    assert requirement.reason.startswith("train_batch_size=2048, MAX_ITEM_LIST_LENGTH=50, inner_size=256")
    assert required(formula, MILLION_ITEMS, defaults).hyperparameters == ()


def test_lists_of_layers_are_said_by_their_name() -> None:
    """NGCF's layers, of which all together count: a smaller batch is not what helps where they are as large as this."""
    formula = formula_of(get_runner("RecBole"), "NGCF")
    parameters = {**defaults_of("RecBole", "NGCF"), "hidden_size_list": [10**6, 10**6]}
    requirement = required(formula, DataSize(300, 1_000, 6_000), parameters)
    assert requirement.reason == "train_batch_size=2048, hidden_size_list=[1000000, 1000000]"
    assert requirement.hyperparameters == ("train_batch_size", "hidden_size_list")
    assert requirement.remedy == ""


@pytest.mark.parametrize(("framework", "algorithm"), FORMULAS)
def test_scores_of_items_are_a_few_numbers(framework: str, algorithm: str) -> None:
    """A score, its softmax and its gradient: what else was measured of few items would be terabytes of a million."""
    formula = formula_of(get_runner(framework), algorithm)
    for term, size in formula.items():
        if SCORED_ITEMS in term.split("*"):
            assert size <= 25, term


@pytest.mark.parametrize(
    ("name", "changed", "needed"),
    [
        ("RecBole.SASRec", {"train_batch_size": 512, "n_layers": 8}, 3_732e6),
        ("RecBole.BERT4Rec", {"train_batch_size": 256, "n_layers": 8}, 2_271e6),
        ("RecBole.GRU4Rec", {"train_batch_size": 1024, "hidden_size": 512}, 2_207e6),
        ("RecBole.NextItNet", {"train_batch_size": 256, "block_num": 10}, 1_592e6),
        ("RecTools.SASRecModel", {}, 1_503e6),
        ("RecTools.SASRecModel", {"n_blocks": 6}, 3_045e6),
        ("RecTools.SASRecModel", {"loss": "BCE", "n_negatives": 20}, 1_917e6),
        ("RecTools.BERT4RecModel", {"n_blocks": 6}, 3_994e6),
        ("RecTools.HSTUModel", {"n_blocks": 6}, 3_055e6),
    ],
)
def test_layers_and_what_they_return_count(name: str, changed: dict[str, Any], needed: float) -> None:
    """Fits of 300 users, 1,000 items and 6,000 interactions were measured to need this: `benchmarks/scale/memory.py`."""
    framework, algorithm = name.split(".")
    formula, parameters = formula_of(get_runner(framework), algorithm), {**defaults_of(framework, algorithm), **changed}
    assert 0.9 < needed / required(formula, DataSize(300, 1_000, 5_700), parameters).size < 1.15


def test_a_loss_of_few_items_was_measured_of_many() -> None:
    """RecTools' SASRec with BCE needed 2,254 MB of 100,000 items, of which 14 GB were said."""
    formula = formula_of(get_runner("RecTools"), "SASRecModel")
    parameters = {**defaults_of("RecTools", "SASRecModel"), "loss": "BCE"}
    assert 0.9 < 2_254e6 / required(formula, DataSize(1_000, 100_000, 101_000), parameters).size < 1.15


@pytest.mark.parametrize(
    ("algorithm", "layers", "usual"),
    [("NARM", "n_layers", 1), ("GRU4RecF", "num_layers", 1), ("NextItNet", "block_num", 5), ("S3Rec", "n_layers", 2)],
)
def test_each_layer_counts(algorithm: str, layers: str, usual: int) -> None:
    """What they return is kept until the gradients are known."""
    formula, defaults = formula_of(get_runner("RecBole"), algorithm), defaults_of("RecBole", algorithm)
    assert defaults[layers] == usual
    size = DataSize(300, 1_000, 6_000)
    one, two, three = (
        required(formula, size, {**defaults, layers: count}).size for count in (usual, 2 * usual, 3 * usual)
    )
    assert three - two == pytest.approx(two - one)
    assert two > 1.1 * one


@pytest.mark.parametrize(
    ("algorithm", "changed", "more"),
    [
        ("GRU4Rec", {"num_layers": 4}, (1_312e6 - 457e6) / (772e6 - 457e6)),
        ("GRU4Rec", {"hidden_size": 512}, (1_501e6 - 457e6) / (772e6 - 457e6)),
        ("NARM", {"hidden_size": 512}, (1_829e6 - 452e6) / (834e6 - 452e6)),
    ],
)
def test_recurrent_layers_grow_as_measured(algorithm: str, changed: dict[str, int], more: float) -> None:
    """So many times as much as by default was needed beside the process itself, where one batch of 1,024 is all of the data."""
    formula = formula_of(get_runner("RecBole"), algorithm)
    size, parameters = DataSize(300, 1_000, 1_500), {**defaults_of("RecBole", algorithm), "train_batch_size": 1_024}
    usual, changed_one = (grown_bytes(formula, size, {**parameters, **other}) for other in ({}, changed))
    assert changed_one / usual == pytest.approx(more, rel=0.2)


@pytest.mark.parametrize(("loss", "needed"), [("BPR", 898e6), ("CE", 1_286e6)])
def test_losses_of_recbole_were_measured(loss: str, needed: float) -> None:
    """STAMP of 20,000 items, of which CE scores all for each of 2,048 rows: half a gigabyte."""
    parameters = {**defaults_of("RecBole", "STAMP"), "loss_type": loss}
    said = required(formula_of(get_runner("RecBole"), "STAMP"), DataSize(300, 20_000, 20_300), parameters).size
    assert 0.85 < needed / said < 1.15

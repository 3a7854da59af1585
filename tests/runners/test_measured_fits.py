"""What is said of the memory of Fits beside what they were measured to need, and what tells them apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from omnibench.data.data_size import DataSize, FeatureSize
from omnibench.engine.requirements import size_in
from omnibench.runners.info import algorithm_info
from omnibench.runners.learned import learned_from
from omnibench.runners.registry import get_runner
from omnibench.runners.requirements import formula_of, grown_bytes, required

ROOT = Path(__file__).parent.parent.parent
MILLION_ITEMS = DataSize(100_000, 1_000_000, 10_000_000)
MEASURED_FITS = json.loads((Path(__file__).parent / "measured_fits.json").read_text(encoding="utf-8"))
"""Fits that were measured by ``benchmarks/scale/memory.py``: the size of their data, hyperparameters, and the bytes of their process.
Of ``held_out`` ones no formula was made."""


@pytest.mark.parametrize("fit", MEASURED_FITS, ids=lambda fit: fit["algorithm"])
def test_what_is_said_of_fits_is_near_what_they_needed(fit: dict[str, Any]) -> None:
    """Between .9 and 1.3 of it, whichever of sizes, hyperparameters and features differs: what fits is not refused."""
    framework, name = fit["algorithm"].split(".")
    described = algorithm_info(get_runner(framework), name)
    parameters = {**described["parameters"], **fit["parameters"]}
    size = size_in(fit["size"])
    assert size is not None
    said = required(formula_of(get_runner(framework), name), learned_from(size, described, parameters), parameters).size
    assert 0.9 <= said / fit["peak"] <= 1.3


def test_the_page_says_how_many_fits_were_measured() -> None:
    """And how many of them no formula was made of."""
    page = " ".join((ROOT / "docs" / "running.md").read_text(encoding="utf-8").split())
    held_out = sum(fit.get("held_out", False) for fit in MEASURED_FITS)
    assert f"of all {len(MEASURED_FITS)} Fits that were measured to make and check the formulas" in page
    assert f"; {held_out} of them were kept out of making any" in page


def defaults_of(framework: str, algorithm: str) -> dict[str, Any]:
    """The hyperparameters of an algorithm where nothing is said."""
    return dict(get_runner(framework).catalogue["algorithms"][algorithm]["parameters"])


@pytest.mark.parametrize("algorithm", ["SASRec", "BERT4Rec", "GCSAN", "SASRecF", "CORE", "FDSA", "S3Rec"])
def test_encoders_count_what_they_are_made_of(algorithm: str) -> None:
    """Within a layer are inner_size numbers, and a matrix of the items of a sequence by themselves for each head."""
    formula, defaults = formula_of(get_runner("RecBole"), algorithm), defaults_of("RecBole", algorithm)
    size, defaults = DataSize(300, 1_000, 60_000), {**defaults, "train_batch_size": 32}
    usual = grown_bytes(formula, size, defaults)
    positions = 32 * 50 * defaults["n_layers"]
    wider = grown_bytes(formula, size, {**defaults, "inner_size": 256 + 768})
    assert wider - usual >= 16 * 768 * positions
    heads = grown_bytes(formula, size, {**defaults, "n_heads": 8})
    assert heads - usual >= 12 * 6 * 50 * positions
    once, twice, thrice = (
        grown_bytes(formula, size, {**defaults, "MAX_ITEM_LIST_LENGTH": length}) for length in (50, 100, 150)
    )
    assert thrice - twice > 1.02 * (twice - once)


@pytest.mark.parametrize("algorithm", ["SASRec", "BERT4Rec", "CORE", "S3Rec"])
def test_rows_of_large_batches_need_less_each(algorithm: str) -> None:
    """Arrays of 32 MiB and more leave nothing in pieces; each further layer needs as much as the one before it."""
    formula, defaults = formula_of(get_runner("RecBole"), algorithm), defaults_of("RecBole", algorithm)
    size, layers = (
        DataSize(300, 1_000, 60_000),
        {"guest": 0.0, **{term: formula[term] for term in formula if "n_layers" in term}},
    )
    few, more, many = (
        grown_bytes(layers, size, {**defaults, "train_batch_size": rows}) / rows for rows in (64, 512, 4_096)
    )
    assert few == pytest.approx(more, rel=0.01)
    assert many < 0.8 * few
    one, two, three = (
        grown_bytes(layers, size, {**defaults, "train_batch_size": 4_096, "n_layers": count}) for count in (1, 2, 3)
    )
    assert three - two == pytest.approx(two - one)
    assert one == pytest.approx(two - one)


@pytest.mark.parametrize("algorithm", ["MultiDAE", "MultiVAE", "DiffRec"])
def test_scores_of_large_batches_need_less_each(algorithm: str) -> None:
    """Of autoencoders, too: 8 million numbers and more leave no more in pieces than 8 million."""
    formula, defaults = formula_of(get_runner("RecBole"), algorithm), defaults_of("RecBole", algorithm)
    scores = {"guest": 0.0, **{term: formula[term] for term in formula if "batch_users" in term}}
    few, more, many, most = (
        grown_bytes(scores, DataSize(10**6, 8_000, 10**7), {**defaults, "train_batch_size": rows})
        for rows in (256, 512, 4_096, 8_192)
    )
    assert more == pytest.approx(2 * few)
    assert many < 0.8 * 8 * more
    assert most - many == pytest.approx(4_096 * 8_000 * formula["items*batch_users"])


def test_histories_that_simplex_reads_are_counted() -> None:
    """As long as the longest, history_len at most, once for all items that are drawn beside one; attention needs more for each."""
    formula, defaults = formula_of(get_runner("RecBole"), "SimpleX"), defaults_of("RecBole", "SimpleX")
    size = DataSize(500, 3_000, 40_000, longest_user=80)
    usual, shorter, fewer, attended = (
        grown_bytes(formula, size, {**defaults, **changed})
        for changed in (
            {},
            {"history_len": 20},
            {"train_neg_sample_args": {**defaults["train_neg_sample_args"], "sample_num": 8}},
            {"aggregator": "self_attention"},
        )
    )
    numbers = 2_048 * 64
    assert usual - shorter == pytest.approx((11 + 5) * 30 * numbers + 20 * 30 * 500)
    assert usual - fewer == pytest.approx((11 + 5) * 50 * numbers * 7 / 8)
    assert attended - usual == pytest.approx(19 * 50 * numbers)
    assert grown_bytes(formula, size._replace(longest_user=20), defaults) == pytest.approx(shorter)
    whole, longest = (grown_bytes(formula, size, {**defaults, "history_len": length}) for length in (None, 10**6))
    assert whole == longest > usual
    assert grown_bytes(formula, size, {**defaults, "train_neg_sample_args": {"sample_num": 10**400}}) > 0


def test_pairs_that_convncf_convolves_are_those_of_a_batch_or_of_judging() -> None:
    """Whichever are more: of 2,000 items two users are judged at once, of 6,000 a part of one."""
    formula, defaults = formula_of(get_runner("RecBole"), "ConvNCF"), defaults_of("RecBole", "ConvNCF")
    numbers = 4 * 64 * 64 + 8 * 32 * (16 * 16 + 4 * 4 + 2 * 2 + 1)
    alone = {term: size for term, size in formula.items() if "convolved" in term}
    none, small = DataSize(2_000, 2_000, 20_000), {**defaults, "train_batch_size": 100}
    assert grown_bytes(alone, none, small) == pytest.approx(2.4 * 100 * numbers)
    assert grown_bytes(alone, none._replace(validated=20), small) == pytest.approx(4_000 * numbers)
    assert grown_bytes(alone, none._replace(validated=1), small) == pytest.approx(2_000 * numbers)
    assert grown_bytes(alone, DataSize(2_000, 6_000, 20_000, validated=20), small) == pytest.approx(4_096 * numbers)
    assert grown_bytes(alone, none._replace(validated=20), defaults) == pytest.approx(2.4 * 2_048 * numbers)
    wider = {**small, "cnn_channels": [1, 64, 64, 64, 64]}
    assert grown_bytes(alone, none, wider) > 1.7 * grown_bytes(alone, none, small)
    for channels in (None, "many", [1], [1, None, 32]):  # a network refuses them: no estimate fails
        assert grown_bytes(alone, none, {**small, "cnn_channels": channels}) > 0


def test_distances_of_dgcf_grow_with_the_batch() -> None:
    """Fewer batches draw more users and items each; of two factors one pair is compared, of one none. The refusal says what helps."""
    formula, defaults = formula_of(get_runner("RecBole"), "DGCF"), defaults_of("RecBole", "DGCF")
    size = DataSize(100_000, 50_000, 400_000)
    small, large = (required(formula, size, {**defaults, "train_batch_size": rows}) for rows in (2_048, 65_536))
    assert large.size > 20 * small.size
    assert (large.reason, large.remedy) == ("100,000 users and 50,000 items", "a smaller train_batch_size")
    assert required(formula, size, {**defaults, "epochs": 10**400}).size >= required(formula, size, defaults).size
    without = grown_bytes({"correlated": 24.0}, size, {**defaults, "n_factors": 1})
    assert without == 0
    of_two, of_four = (grown_bytes({"correlated": 1.0}, size, {**defaults, "n_factors": count}) for count in (2, 4))
    assert of_four == pytest.approx(3 * of_two)


@pytest.mark.parametrize("algorithm", ["SASRec", "GRU4Rec", "STAMP"])
def test_first_batches_need_less(algorithm: str) -> None:
    """One or two batches of layers' outputs need three quarters of what more need; scores of all items all that they do."""
    formula, defaults = formula_of(get_runner("RecBole"), algorithm), defaults_of("RecBole", algorithm)
    size = DataSize(300, 1_000, 2_000)
    one, two, three = (grown_bytes(formula, size, {**defaults, "epochs": epochs}) for epochs in (1, 2, 3))
    assert one == two < 0.85 * three
    assert three == grown_bytes(formula, size, defaults)
    ratio = grown_bytes(formula, MILLION_ITEMS._replace(interactions=100_500), {**defaults, "epochs": 1})
    assert ratio > 12 * 500 * 1_000_000


@pytest.mark.parametrize(
    ("name", "term", "batch"),
    [
        ("RecBole.FEARec", "train_batch_size*train_batch_size", "train_batch_size"),
        ("RecBole.S3Rec", "train_batch_size*MAX_ITEM_LIST_LENGTH*item_values", "train_batch_size"),
        ("RecBole.GCSAN", "train_batch_size*MAX_ITEM_LIST_LENGTH*MAX_ITEM_LIST_LENGTH", "train_batch_size"),
        ("RecBole.DMF", "users*train_batch_size", "train_batch_size"),
        ("RecTools.DSSMModel", "batch_size*user_values", "batch_size"),
        ("RecTools.DSSMModel", "batch_size*item_values", "batch_size"),
    ],
)
def test_what_no_layer_returns_needs_as_much_in_the_first_batches(name: str, term: str, batch: str) -> None:
    """Rows of numbers for each value, and matrices of rows by rows or items by items, are there once, however few batches there are."""
    framework, algorithm = name.split(".")
    formula, defaults = formula_of(get_runner(framework), algorithm), defaults_of(framework, algorithm)
    features = tuple(FeatureSize(subject, "kind", "text", 500) for subject in ("users", "items"))
    size, alone = DataSize(300, 1_000, 3_000, features), {"guest": 0.0, term: formula[term]}
    once, often = (grown_bytes(alone, size, {**defaults, batch: 2_000, "epochs": count}) for count in (1, 50))
    assert once == often > 0
    layers = {"guest": 0.0, f"{batch}*hidden_size": 1.0}
    first, later = (grown_bytes(layers, size, {batch: 2_000, "epochs": count, "hidden_size": 64}) for count in (1, 50))
    assert first < later


@pytest.mark.parametrize("algorithm", ["SASRec", "BERT4Rec", "GRU4Rec", "STAMP", "HGN", "CORE", "FPMC"])
def test_users_of_the_validation_part_are_scored_together(algorithm: str) -> None:
    """RecBole scores all items for eval_batch_size of them, 4,096, whatever the loss."""
    formula, defaults = formula_of(get_runner("RecBole"), algorithm), defaults_of("RecBole", algorithm)
    size = DataSize(100_000, 100_000, 1_000_000)
    none, all_of_them, fewer = (
        required(formula, size._replace(validated=users), {**defaults, "eval_batch_size": batch}).size
        for users, batch in ((0, 4_096), (90_000, 4_096), (90_000, 256))
    )
    for said, users in ((all_of_them, 4_096), (fewer, 256)):
        assert said - none >= 0.99 * 8 * users * 100_000


def test_vectors_of_items_for_judged_users_are_bounded() -> None:
    """TransRec has the vectors of all items for each user who is judged at once, of whom the adapter takes as many as 2 ** 24 numbers are."""
    formula, defaults = formula_of(get_runner("RecBole"), "TransRec"), defaults_of("RecBole", "TransRec")
    none, few, many = (
        required(formula, DataSize(100_000, 10_000, 1_000_000, validated=users), defaults).size
        for users in (0, 10, 90_000)
    )
    assert few - none == 12 * 10 * 10_000 * 64
    assert many - none == 12 * 2**24
    one_user = required(formula, DataSize(100_000, 1_000_000, 1_000_000, validated=9), defaults).size
    assert one_user - required(formula, DataSize(100_000, 1_000_000, 1_000_000), defaults).size == 12 * 64 * 1_000_000


def test_values_of_features_make_what_they_make() -> None:
    """Of 10,000 items, each with a text of its own, VBPR has a matrix of 10,000 by 10,000; the refusal names it."""
    described = algorithm_info(get_runner("Cornac"), "VBPR")
    size = DataSize(1_000, 10_000, 100_000, (FeatureSize("items", "title", "text", 10_000),))
    requirement = required(formula_of(get_runner("Cornac"), "VBPR"), size, described["parameters"])
    assert requirement.size > 8 * 10_000**2
    assert requirement.reason == "10,000 items and 10,000 values of features of items"
    assert (
        required(formula_of(get_runner("Cornac"), "VBPR"), size._replace(features=()), described["parameters"]).size
        < 0.5e9
    )

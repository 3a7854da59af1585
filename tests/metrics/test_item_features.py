"""IntraListDiversity of a feature that the dataset's items have: the numbers of the same features given as a mapping."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cosine, jaccard

from omnibench import NDCG, IntraListDiversity, UserHoldout, from_frame
from omnibench.data.dataset import RecSysDataSet
from omnibench.data.prepare import prepare
from omnibench.errors import EvaluationError
from omnibench.experiment.compatibility import check_dataset
from omnibench.guest.folds import Fold
from omnibench.metrics.hits import Hits, Truth, mark_hits
from omnibench.metrics.item_features import ItemTags
from omnibench.metrics.training import Training

GENRES: list[Any] = [
    ["Action"],
    ["Action", "Drama"],
    [],
    None,
    ["Drama", "War"],
    ["War"],
    ["Action", "War"],
    ["Comedy"],
]
STUDIOS = ["A", "B", None, "A", "B", "A", "C", None]
VECTORS = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [2.0, 1.0], [0.0, 0.0], [-1.0, 3.0], [1.0, 2.0], [5.0, 1.0]]
ITEMS, USERS = len(GENRES), 6


def dataset(**changes: Any) -> RecSysDataSet:
    rows = [(user, f"i{item}") for user in range(USERS) for item in range(ITEMS)]
    items = pd.DataFrame({"item": [f"i{item}" for item in range(ITEMS)], "genres": GENRES, "studio": STUDIOS})
    items[["x", "y"]] = VECTORS
    items = items.assign(**changes)
    frame = pd.DataFrame(rows, columns=["user", "item"])
    return from_frame(frame, "shop", items=items).pipe(UserHoldout(0.0, 0.4))


def hits_of(recipe: RecSysDataSet, directory: Path) -> tuple[Hits, list[list[str]]]:
    """Lists of five random items for every user, and the ids in them."""
    prepare(recipe, directory)
    fold = Fold(directory, 0)
    item_ids = recipe.interactions().item_ids
    training = Training(fold.interactions_before, fold.n_users, fold.n_items, lambda: item_ids, fold.features)
    rng = np.random.default_rng(2)
    lists = np.array([rng.permutation(ITEMS)[:5] for _ in range(USERS)], dtype=np.int32)
    truth = Truth.of(fold.test.user, fold.test.item, fold.n_items)
    hits = mark_hits(truth, np.arange(USERS, dtype=np.int32), lists, training)
    return hits, [[str(item_ids[code]) for code in codes] for codes in lists.tolist()]


def mean_distance(vectors: list[np.ndarray[Any, Any]], measure: Any) -> float:
    pairs = [(a, b) for at, a in enumerate(vectors) for b in vectors[:at]]
    return float(np.mean([measure(a, b) for a, b in pairs]))


def tags_of(number: int, *, studio: bool) -> set[tuple[str, str]]:
    tags = {("genres", genre) for genre in GENRES[number] or ()}
    return tags | ({("studio", str(STUDIOS[number]))} if studio and STUDIOS[number] else set())


@pytest.mark.parametrize("feature", ["genres", ["genres", "studio"]])
def test_tags_are_compared_by_jaccard_distance(feature: Any, tmp_path: Path) -> None:
    """Lists and texts are tags, of several features together; an item without any has none. scipy computes the same."""
    hits, lists = hits_of(dataset(), tmp_path)
    values = IntraListDiversity(feature=feature, k=5).per_user(hits, 5)
    tags = [tags_of(number, studio=feature != "genres") for number in range(ITEMS)]
    every = sorted(set().union(*tags))
    rows = [np.array([tag in own for tag in every]) for own in tags]
    expected = [mean_distance([rows[int(item[1:])] for item in items], jaccard) for items in lists]
    np.testing.assert_allclose(values, expected, atol=1e-12)
    if feature == "genres":
        given = IntraListDiversity({f"i{number}": GENRES[number] or set() for number in range(ITEMS)}, 5)
        np.testing.assert_array_equal(values, given.per_user(hits, 5))


def test_numbers_are_a_vector_compared_by_cosine_distance(tmp_path: Path) -> None:
    """Two columns of numbers are two dimensions."""
    hits, lists = hits_of(dataset(), tmp_path)
    values = IntraListDiversity(feature=["x", "y"], k=5).per_user(hits, 5)

    def measure(a: Any, b: Any) -> float:
        return float(cosine(a, b)) if a.any() and b.any() else 1.0

    vectors = [np.array(vector) for vector in VECTORS]
    expected = [mean_distance([vectors[int(item[1:])] for item in items], measure) for items in lists]
    np.testing.assert_allclose(values, expected, atol=1e-12)


def test_a_missing_number_of_a_recommended_item_is_an_error(tmp_path: Path) -> None:
    """A distance to it would be none; the item is named."""
    hits, _ = hits_of(dataset(x=[np.nan] * ITEMS), tmp_path)
    with pytest.raises(
        EvaluationError, match=r"knows no features of \d recommended items, e.g. of 'i\d'; fill them in"
    ):
        IntraListDiversity(feature=["x", "y"], k=5).per_user(hits, 5)


def test_texts_and_numbers_do_not_mix(tmp_path: Path) -> None:
    """There is no distance between an item's tags and its numbers."""
    hits, _ = hits_of(dataset(), tmp_path)
    with pytest.raises(EvaluationError, match="'x' is a feature of numbers, and 'genres' of texts"):
        IntraListDiversity(feature=["genres", "x"], k=5).per_user(hits, 5)


def test_a_feature_that_is_not_there_is_refused_before_anything_runs() -> None:
    """The error names what there is and how a dataset gets features; so does a misspelt name."""
    metrics = [NDCG(10), IntraListDiversity(feature="genre")]
    with pytest.raises(EvaluationError, match=r"shop: .*'genre' .*its items have genres, studio, x, y.* 'genres'\?"):
        check_dataset(dataset(), metrics)
    bare = from_frame(pd.DataFrame({"user": [1, 2], "item": [1, 2]}), "bare").pipe(UserHoldout(0.0, 0.4))
    with pytest.raises(EvaluationError, match=r"nothing is known about its items\. .*with_features\(items=df\)"):
        check_dataset(bare, metrics)
    check_dataset(dataset(), [IntraListDiversity(feature=["genres", "studio"])])


def test_the_name_of_a_feature_is_in_the_key() -> None:
    """Another feature or distance is another column of the store; what is known is in the dataset's key."""
    plain = IntraListDiversity(feature="genres")
    others = [
        IntraListDiversity(feature="studio"),
        IntraListDiversity(feature=["genres", "studio"]),
        IntraListDiversity(feature="genres", distance="cosine"),
    ]
    texts = {str(metric.identity("IntraListDiversity@10")) for metric in (plain, *others)}
    assert len(texts) == len(others) + 1
    assert plain.identity("IntraListDiversity@10") == IntraListDiversity(feature=["genres"]).identity(
        "IntraListDiversity@10"
    )


@pytest.mark.parametrize("feature", ["", [], ["genres", "genres"], 3, [None]])
def test_what_is_no_name_of_a_feature_is_refused(feature: Any) -> None:
    """The error shows an example."""
    with pytest.raises(EvaluationError, match=r"e\.g\. feature='genres'"):
        IntraListDiversity(feature=feature)


def test_features_come_from_one_side() -> None:
    """A mapping and a name contradict each other, and a name alone in the place of the mapping is told apart."""
    with pytest.raises(EvaluationError, match="either features or the name of a feature"):
        IntraListDiversity({1: {"a"}}, feature="genres")
    with pytest.raises(EvaluationError, match=r"e\.g\. feature='genres'"):
        IntraListDiversity("genres")  # type: ignore[arg-type]  # what is tried first


def test_many_thousands_of_tags_are_no_matrix() -> None:
    """Tags that users write are as many as items: 20,000 of them for each of 100,000 items would be 16 GB."""
    rng = np.random.default_rng(5)
    n_items, n_tags = 100_000, 20_000
    first = np.arange(n_items + 1) * 3
    members = rng.integers(0, n_tags, 3 * n_items)
    tags = ItemTags(first, members, n_tags)
    items = rng.integers(-1, n_items, (40, 10)).astype(np.int32)
    rows = tags.rows(items)
    assert rows.shape[:2] == items.shape
    assert rows.shape[2] <= 3 * items.size
    for item, row in zip(items.ravel().tolist(), rows.reshape(items.size, -1), strict=True):
        assert row.sum() == (0 if item < 0 else len({*members[3 * item : 3 * item + 3].tolist()}))
    shared = rows[0, 0] @ rows[1, 1]
    assert shared == len({*members[3 * items[0, 0] :][:3].tolist()} & {*members[3 * items[1, 1] :][:3].tolist()})

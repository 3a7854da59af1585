"""Intra-list diversity: how different the items of a list are, by their features."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from omnibench.arguments import checked_arguments
from omnibench.data import ids
from omnibench.errors import EvaluationError, OmnibenchError
from omnibench.guest.distinct import distinct
from omnibench.keys import canonical
from omnibench.metrics.base import Values, checked_name
from omnibench.metrics.by import By
from omnibench.metrics.hits import Hits
from omnibench.metrics.item_features import ItemTags, feature_names, item_features
from omnibench.metrics.ranking_metric import RankingMetric
from omnibench.metrics.training import Training

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    Features = Mapping[Any, Any] | pd.DataFrame
else:
    from omnibench.lazy import np

_CHUNK = 1 << 20
"""How many numbers are held in memory while lists are compared."""

_WIDEST = 4096
"""How many tags are reckoned with: a few lists have no more, however many there are."""


@checked_arguments
class IntraListDiversity(RankingMetric):
    """Mean distance between the items of a list, over all pairs; 0 for lists of fewer than two items.

    Ziegler et al., "Improving recommendation lists through topic diversification", WWW 2005, as a distance. Tags are
    compared by Jaccard distance (two items without tags are alike, as in scipy and RecPack), vectors by cosine distance
    (a vector of zeros is at a distance of 1 from all others, as in scikit-learn).

    Args:
        features: From item id to a set (or list) of tags, or to a vector of numbers; or a frame of numbers whose
            index holds the item ids. Every item that is recommended needs an entry. The content is part of the key.
        k: One or several list lengths, each at least 1.
        feature: In their place the name of a feature that the dataset's items have, or several; see
            ``RecSysDataSet.with_features``. Texts and lists of texts are tags, and an item without any has none; numbers
            are a vector, and none of a recommended item may be missing.
        distance: ``jaccard`` or ``cosine``, to have it otherwise; Jaccard takes a vector's non-zero places as tags.
        name: What to call the column, to have several of them.
        by: Groups of users that each have a column, e.g. ``Activity(4)``.

    Raises:
        EvaluationError: A k is no positive integer, the name is none, or the features are neither tags nor vectors of
            one length.
    """

    def __init__(
        self,
        features: Features | None = None,
        k: int | Iterable[int] = 10,
        *,
        feature: str | Iterable[str] | None = None,
        distance: Literal["jaccard", "cosine"] | None = None,
        name: str | None = None,
        by: By = None,
    ) -> None:
        super().__init__(k, by=by)
        if distance not in (None, "jaccard", "cosine"):
            raise EvaluationError(f"{type(self).__name__}: distance is {distance!r}; give 'jaccard' or 'cosine'.")
        self._name = checked_name(type(self).__name__ if name is None else name)
        self._distance = distance
        self._aligned: tuple[Training, _Vectors, npt.NDArray[np.bool_]] | None = None
        if feature is not None:
            if features is not None:
                raise EvaluationError(f"{self._name}: give either features or the name of a feature of the dataset.")
            self.item_features = feature_names(feature, self._name)
            return
        self._ids, matrix, tagged = _read_features(features)
        self._given = _Vectors.made(matrix, tagged=tagged, distance=distance)
        self._digest = _digest(self._ids, self._given.matrix)

    @property
    def name(self) -> str:
        return self._name

    @property
    def parameters(self) -> dict[str, Any]:
        if self.item_features:
            return {"feature": list(self.item_features), "distance": self._distance or "as they are"}
        return {"features": self._digest, "distance": self._given.distance}

    def per_user(self, hits: Hits, k: int) -> Values:
        memory_key = f"IntraListDiversity {self.parameters}"
        distances = hits.memory.get(memory_key)
        if distances is None:
            distances = hits.memory[memory_key] = self._distances_to_items_above(hits)
        number = np.minimum(hits.lengths, k)
        pairs = number * (number - 1) / 2
        return np.where(pairs > 0, distances[:, :k].sum(axis=1) / np.maximum(pairs, 1), 0.0)

    def _distances_to_items_above(self, hits: Hits) -> Values:
        """Sum each recommended item's distances to the items above it; 0 after the end of a list."""
        vectors, items = self._by_code(hits), hits.items
        compare = _jaccard if vectors.distance == "jaccard" else _cosine
        distances = np.empty(items.shape)
        step = max(1, _CHUNK // (items.shape[1] * max(1, vectors.width, items.shape[1])))
        for begin in range(0, len(items), step):
            part = items[begin : begin + step]
            distances[begin : begin + step] = compare(vectors.of(part)) * (part >= 0)
        return distances

    def _by_code(self, hits: Hits) -> _Vectors:
        """Return the items' feature vectors in the order of their codes, shape (n_items, features).

        Raises:
            EvaluationError: A recommended item has none.
        """
        training = hits.required_training
        aligned = self._aligned
        if aligned is None or aligned[0] is not training:
            vectors = self._vectors_of(training)
            aligned = self._aligned = (training, vectors, vectors.is_missing(training.n_items))
        _, vectors, is_missing = aligned
        if is_missing.any():
            recommended = distinct(hits.items[hits.items >= 0])
            missing = recommended[is_missing[recommended]]
            if len(missing):
                advice = (
                    "fill them in" if self.item_features else "give every item an entry (an empty set will do for tags)"
                )
                raise EvaluationError(
                    f"{self.name} knows no features of {len(missing)} recommended items, e.g. of "
                    f"{training.item_ids[int(missing[0])]!r}; {advice}."
                )
        return vectors

    def _vectors_of(self, training: Training) -> _Vectors:
        if self.item_features:
            features = item_features(training.features("items"), self.item_features, self.name)
            return _Vectors.made(features, tagged=isinstance(features, ItemTags), distance=self._distance)
        row_of = {item_id: row for row, item_id in enumerate(self._ids)}
        rows = np.array([row_of.get(item_id, -1) for item_id in training.item_ids], dtype=np.int64)
        return self._given._replace(rows=np.vstack([self._given.matrix, np.full(self._given.width, np.nan)])[rows])


class _Vectors(NamedTuple):
    """Vectors of items, and the distance by which they are compared.

    Attributes:
        rows: Numbers or flags, shape (items, features), or tags.
        distance: ``jaccard`` or ``cosine``.
    """

    rows: Values | ItemTags
    distance: str

    @classmethod
    def made(cls, rows: Values | ItemTags, *, tagged: bool, distance: str | None) -> _Vectors:
        distance = distance or ("jaccard" if tagged else "cosine")
        if isinstance(rows, ItemTags):
            return cls(rows, distance)
        return cls(_unit(rows) if distance == "cosine" else np.where(np.isnan(rows), np.nan, rows != 0), distance)

    @property
    def matrix(self) -> Values:
        assert not isinstance(self.rows, ItemTags), "tags of the dataset are asked for by their items"
        return self.rows

    @property
    def width(self) -> int:
        """How many numbers stand for an item, at most."""
        return min(self.rows.number, _WIDEST) if isinstance(self.rows, ItemTags) else self.rows.shape[1]

    def is_missing(self, n_items: int) -> npt.NDArray[np.bool_]:
        """Return whether each item lacks a number, shape (n_items,)."""
        if isinstance(self.rows, ItemTags):
            return np.zeros(n_items, dtype=bool)
        is_missing: npt.NDArray[np.bool_] = np.isnan(self.rows.sum(axis=1))
        return is_missing

    def of(self, items: npt.NDArray[np.int32]) -> Values:
        """Return the vectors of items; zeros in the place of -1."""
        if isinstance(self.rows, ItemTags):
            flags = self.rows.rows(items)
            return _unit(flags) if self.distance == "cosine" else flags
        return np.where((items >= 0)[..., None], self.rows[items], 0.0)


def _cosine(vectors: Values) -> Values:
    """Sum 1 - cosine to the items above; unit vectors (lists, ranks, features) in, (lists, ranks) out."""
    above = np.cumsum(vectors, axis=1) - vectors
    distances: Values = np.arange(vectors.shape[1]) - (vectors * above).sum(axis=2)
    return distances


def _jaccard(tags: Values) -> Values:
    """Sum the Jaccard distances to the items above; tags (lists, ranks, tags) in, (lists, ranks) out."""
    small = tags.astype(np.float32)  # exact for counts of tags, and twice as fast
    intersections = small @ small.transpose(0, 2, 1)
    size = small.sum(axis=2)
    unions = size[:, :, None] + size[:, None, :] - intersections
    pairwise = np.where(unions > 0, 1 - intersections / np.maximum(unions, 1).astype(np.float64), 0.0)
    distances: Values = np.tril(pairwise, -1).sum(axis=2)
    return distances


def _read_features(features: Any) -> tuple[list[Any], Values, bool]:
    """Return the item ids, a row of numbers for each, and whether they were tags."""
    if hasattr(features, "to_numpy"):
        try:
            numbers = features.to_numpy(dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise EvaluationError(f"the item features have a column that is no number ({error}).") from error
        item_ids, matrix, tagged = [_plain(item_id) for item_id in features.index.tolist()], numbers, False
    elif isinstance(features, Mapping) and features:
        item_ids, matrix, tagged = _from_mapping(features)
    else:
        raise EvaluationError(
            f"the item features are {features!r}; give a mapping from item ids to tags or vectors, a frame, or the name of a feature "
            "that the dataset's items have, e.g. feature='genres'."
        )
    if len(set(item_ids)) < len(item_ids):
        raise EvaluationError("the item features have an item twice; give each one entry.")
    if not np.isfinite(matrix).all():
        raise EvaluationError("the item features have a value that is no finite number; fill or drop it.")
    return item_ids, matrix, tagged


def _from_mapping(features: Mapping[Any, Any]) -> tuple[list[Any], Values, bool]:
    item_ids = [_plain(item_id) for item_id in features]
    entries = list(features.values())
    if all(isinstance(entry, AbstractSet) or _is_tags(entry) for entry in entries):
        tags = sorted({tag for entry in entries for tag in entry}, key=repr)
        column_of = {tag: column for column, tag in enumerate(tags)}
        matrix = np.zeros((len(entries), len(tags)))
        for row, entry in enumerate(entries):
            matrix[row, [column_of[tag] for tag in entry]] = 1
        return item_ids, matrix, True
    try:
        matrix = np.array([np.asarray(entry, dtype=np.float64) for entry in entries])
    except (TypeError, ValueError) as error:
        raise EvaluationError(
            f"the item features are neither tags nor vectors of one length ({error}); give one kind for all items."
        ) from error
    if matrix.ndim != 2:  # noqa: PLR2004 - items and features
        raise EvaluationError("the item features are numbers, one per item; give a vector or a set of tags for each.")
    return item_ids, matrix, False


def _is_tags(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(entry, str) for entry in value)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _unit(matrix: Values) -> Values:
    length = np.sqrt(np.square(matrix).sum(axis=-1, keepdims=True))
    unit: Values = matrix / np.where(length > 0, length, np.where(np.isnan(length), np.nan, 1))
    return unit


def _digest(item_ids: list[Any], vectors: Values) -> str:
    """Return the digest of the features; the order of the items does not matter."""

    def texts() -> Iterator[str]:
        for item_id in item_ids:
            try:
                yield canonical(ids.encode(item_id, "the item features"))
            except OmnibenchError as error:
                raise EvaluationError(str(error)) from error

    content = hashlib.sha256(str(vectors.shape).encode())
    for text, row in sorted(zip(texts(), range(len(item_ids)), strict=True)):
        content.update(text.encode() + (vectors[row] + 0.0).tobytes())
    return content.hexdigest()

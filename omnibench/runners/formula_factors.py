"""What is counted of data and of hyperparameters, for the terms of the formulas of how much memory Fits need."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from omnibench.data.data_size import COUNTS, DataSize, FeatureSize
from omnibench.guest.feature_types import TEXT, TEXTS

ITEM_PAIRS = "item_pairs"
"""The factor for the entries of a sparse matrix of items by items: few of those that a shop has meet in a basket."""

USER_PAIRS = "user_pairs"
"""The factor for the entries of a sparse matrix of users by users who share an item."""

_POPULAR = 2.0
"""So many times as many pairs of users share an item as if all items were as popular, in data whose items are not."""

SCORED_PAIRS = "scored_pairs"
"""The factor for the entries of a sparse matrix of users by items of what the ``k`` neighbours of users' items score."""

COMPARED = "compared"
"""The factor for what Surprise's neighbour models compare: users, or items where ``sim_options`` says so."""

SCORED_ITEMS = "scored_items"
"""The factor for how many items a network scores for each of what it learns from: all, unless its loss needs a sample of them."""

CANDIDATES = "candidates"
"""The factor for the items whose vectors RecTools copies for each of what it learns from: none where it scores all items."""

USER_VALUES, ITEM_VALUES = "user_values", "item_values"
"""The factors for how many different values the features have, of users and of items, that an algorithm learns from."""

FEATURES_READ = "features_read"
"""The factor for how many features those are, of both."""

ITEM_ENTRIES = "item_entries"
"""The factor for how many values of its features an item has at most."""

FIELDS = "context_fields"
"""The factor for what a context-aware model reads of an interaction: its user, its item, and their features."""

JUDGED_USERS = "judged_users"
"""The factor for the users of the validation part whom RecBole's models of sequences score all items for at once."""

JUDGED_VECTORS = "judged_vectors"
"""The factor for the numbers of the vectors of items that RecBole's TransRec has for these users at once, which the adapter bounds."""

VALIDATED_USERS = "validated_users"
"""The factor for the users of the validation part: RecPack's networks have the scores of all items for all of them, or for a sample."""

BATCH_USERS = "batch_users"
"""The factor for how many users a batch has that is of users."""

SCORES_IN_PIECES = "scores_in_pieces"
"""The factor for the scores of a batch of users of which an array is small enough to be kept in pieces; none of larger ones."""

LONGEST_USER, LONGEST_ITEM = "longest_user", "longest_item"
"""The factors for the interactions of the user, and of the item, with most of them: histories are padded to this length."""

SPLIT_ITEMS = "split_items"
"""The factor for the items that RecBole's NAIS scores at once for a user of the validation part: all, or one of ``split_to`` parts of them."""

READ_HISTORIES, ATTENDED_HISTORIES, KEPT_HISTORIES = "read_histories", "attended_histories", "kept_histories"
"""The factors for the items of histories that RecBole's SimpleX reads for a batch, computes attention of, and keeps for all users."""

CONVOLVED_PAIRS, CONVOLVED = "convolved_pairs", "convolved"
"""The factors for the pairs of a user and an item that RecBole's ConvNCF convolves at once, and for what its layers return for each."""

CORRELATED, CORRELATED_IN_PIECES = "correlated", "correlated_in_pieces"
"""The factors for the distances that RecBole's DGCF has between users and items of a batch, and for those in arrays that are kept in pieces."""

RETAINED = "retained"
"""The factor that bounds a term by ``MOST_RETAINED`` numbers: what smaller arrays had is kept by the C library, in pieces."""

MOST_RETAINED = 2**23
"""So many numbers of 4 bytes have 32 MiB, glibc's ``DEFAULT_MMAP_THRESHOLD_MAX``: larger arrays go back to the system at once."""

RETAINED_IN_LAYERS = "retained_in_layers"
"""The factor that does the same for the many arrays of encoders: beyond so many numbers of each, larger ones leave no more in pieces."""

MOST_IN_LAYERS = 2_400_000
"""By 27 Fits of SASRec and BERT4Rec with up to 6.6 million numbers in an array: 420 bytes for each number of small ones, 220 to 290 of those."""

BOUNDS = {RETAINED: MOST_RETAINED, RETAINED_IN_LAYERS: MOST_IN_LAYERS}
"""The most numbers that count in a term with these factors."""

ITEM_VOCABULARY, ITEM_WORDS = "item_vocabulary", "item_words"
"""The factors for the different words of the texts of items that an algorithm learns from, and for all of their words."""

OF_FEATURES = {
    USER_VALUES: ("users", "values"),
    ITEM_VALUES: ("items", "values"),
    ITEM_ENTRIES: ("items", "longest"),
    ITEM_VOCABULARY: ("items", "vocabulary"),
    ITEM_WORDS: ("items", "words"),
}
"""Whose features these factors count, and what of them."""

FACTORS = (
    *(*COUNTS, ITEM_PAIRS, USER_PAIRS, SCORED_PAIRS, COMPARED, SCORED_ITEMS, CANDIDATES),
    *(*OF_FEATURES, FEATURES_READ, FIELDS, JUDGED_USERS, BATCH_USERS),
    *(JUDGED_VECTORS, VALIDATED_USERS, LONGEST_USER, LONGEST_ITEM, SPLIT_ITEMS, *BOUNDS),
    *(READ_HISTORIES, ATTENDED_HISTORIES, KEPT_HISTORIES, CONVOLVED_PAIRS, CONVOLVED, CORRELATED),
    *(CORRELATED_IN_PIECES, SCORES_IN_PIECES),
)
"""What the terms of a formula are products of, beside hyperparameters. Of a list, such as the sizes of layers, the largest entry counts, in
``sum(NAME)`` all together."""

_SAMPLED_LOSSES = ("BCE", "gBCE", "sampled_softmax")
"""RecTools' losses of the next item and ``n_negatives`` others."""

BATCHES = ("train_batch_size", "batch_size")
"""No batch has more rows than the data."""

_SESSION_LENGTH = "session_max_len"
"""Of RecTools' networks, whose batches are of users."""

_LIST_LENGTH = "MAX_ITEM_LIST_LENGTH"
"""Of RecBole's networks of sequences, which learn nothing from the first item of a user."""

_IDS = 2
"""Users and items are fields of their own."""

MOST_BYTES = 2.0**60
"""An exabyte: no machine has more, whatever hyperparameters say, and records have numbers below 2**63. No amount counts as more, either."""

_EMBEDDING_SIZE = "embedding_size"
"""Of LensKit's NMFScorer None, which is as many as there are items."""

_SUM = re.compile(r"sum\((.+)\)")

_SKEW = 8
"""So many times the interactions of the usual user or item the longest is taken to have where nobody has counted: the longest user of
MovieLens-100K has 7 times as many, the longest item 10 times; of MovieLens-20M 64 and 90 times."""

_NUMBERS = 2**24
"""``NUMBERS`` of ``guest.recbole_sequences``; what runs in a framework's environment is not imported here."""

_PAIRS_OF_ROWS = 2.4
"""A row of a batch of RecBole's ConvNCF is two pairs, and with the gradients needs so many times what a pair does that is only judged."""

FIRST_STEPS, OF_FIRST_STEPS = 2, 0.75
"""What the layers of a network return needs this share in the first batches: later ones find what earlier ones have left in pieces. With ten
epochs in the place of one, where one is one batch, SASRec needed 1.2 to 1.35 times as much for it, GRU4Rec 1.3, and STAMP twice as much."""

_TRAINED = 0.8
"""The usual share of interactions that are learned from."""

_OF_WORDS = ("vocabulary", "words")

_WORDS_A_TEXT = 100
"""So many words each different text is taken to have where nobody has counted them, as in records of earlier releases. Those that Cornac's
CTR was published with have 94 (CiteULike: 1.6 million words in 16,980 abstracts; Wang and Blei, 2011)."""

_HEAPS = (44.0, 0.49)
"""So many different words n words have, as 44 n^0.49: Heaps' law, measured of news (Manning, Raghavan and Schuetze, Introduction to
Information Retrieval, 5.1.1)."""


def factor(name: str, size: DataSize, parameters: Mapping[str, Any]) -> float:
    """Return the amount of a factor of a formula.

    Args:
        name: What is counted: of ``FACTORS``, or a hyperparameter.
        size: The size of the data, with the features that are learned from.
        parameters: The hyperparameters by the names of their fields, of which those that are left out count as 1.
    """
    if name in COUNTS:
        return float(getattr(size, name))
    if name in _DERIVED:
        return float(_DERIVED[name](size, parameters))
    if name in OF_FEATURES:
        return float(of_features(name, size))
    value = parameters.get(hyperparameter_of(name), 1.0)
    if name == _EMBEDDING_SIZE and value is None:
        value = size.items
    if isinstance(value, list | tuple):  # the sizes of layers
        amounts = [entry for entry in value if is_amount(entry)]
        value = (sum if hyperparameter_of(name) != name else max)(amounts) if amounts else 1.0
    amount = float(min(value, MOST_BYTES)) if is_amount(value) else 1.0
    return min(amount, most_rows(size, parameters)) if name in BATCHES else amount


def hyperparameter_of(name: str) -> str:
    """Return the hyperparameter that ``sum(NAME)`` is of; any other factor as it is."""
    listed = _SUM.fullmatch(name)
    return listed[1] if listed else name


def of_features(name: str, size: DataSize) -> int:
    """Return what a factor of ``OF_FEATURES`` counts, of all features together."""
    subject, count = OF_FEATURES[name]
    return sum(_counted(feature, count) for feature in size.features if feature.subject == subject)


def _counted(feature: FeatureSize, count: str) -> int:
    """Return what is counted in a feature; of texts whose words nobody has counted, about how many there are."""
    if count not in _OF_WORDS or feature.words or feature.type not in (TEXT, TEXTS):
        return int(getattr(feature, count))
    words = _WORDS_A_TEXT * feature.values
    return words if count == "words" else int(min(words, _HEAPS[0] * words ** _HEAPS[1]))


def _vocabulary(size: DataSize, parameters: Mapping[str, Any]) -> float:
    """Return how many different words count: Cornac leaves out those that are rarer than the first ``max_vocab``."""
    most: Any = parameters.get("max_vocab")
    return min(of_features(ITEM_VOCABULARY, size), most if is_amount(most) else math.inf)


def is_amount(value: Any) -> bool:
    """Whether a hyperparameter says how many of anything there are: a network refuses what else it gets."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0 < value < math.inf


def most_rows(size: DataSize, parameters: Mapping[str, Any]) -> float:
    """Return how many rows a batch has at most: RecTools has one of each user, RecBole's sequences have what precedes an item."""
    if _SESSION_LENGTH in parameters:
        return float(size.users)
    return float(max(size.interactions - size.users, 1) if _LIST_LENGTH in parameters else size.interactions)


def sampled(parameters: Mapping[str, Any]) -> int | None:
    """Return how many items a loss of RecTools or RecBole compares; None where it compares all."""
    if parameters.get("loss_type") == "BPR":  # an item and another one
        return 2
    if parameters.get("loss") in _SAMPLED_LOSSES:
        negatives = parameters.get("n_negatives", 1)
        return 1 + int(min(negatives, MOST_BYTES) if is_amount(negatives) else 1)
    return None


def _scored_items(size: DataSize, parameters: Mapping[str, Any]) -> int:
    number = sampled(parameters)
    return size.items if number is None else number


def compared(parameters: Mapping[str, Any]) -> str:
    """Return the count of what Surprise compares: it compares users unless it is told not to."""
    options = parameters.get("sim_options")
    return "items" if isinstance(options, Mapping) and not options.get("user_based", True) else "users"


def _batch(size: DataSize, parameters: Mapping[str, Any]) -> float:
    """Return how many rows a batch has; all users where no hyperparameter says it."""
    return min((factor(name, size, parameters) for name in BATCHES if name in parameters), default=float(size.users))


def _judged_users(size: DataSize, parameters: Mapping[str, Any]) -> float:
    return min(size.validated, factor("eval_batch_size", size, parameters))


def _judged_vectors(size: DataSize, parameters: Mapping[str, Any]) -> float:
    """Return how many numbers the vectors of all items have, once for each user who is judged at once: as many users as fit, at least one."""
    of_one = size.items * factor(_EMBEDDING_SIZE, size, parameters)
    return min(_judged_users(size, parameters) * of_one, max(_NUMBERS, of_one))


def _validated_users(size: DataSize, parameters: Mapping[str, Any]) -> float:
    sample: Any = parameters.get("validation_sample_size")
    return min(size.validated, sample) if is_amount(sample) else size.validated


def _split_items(size: DataSize, parameters: Mapping[str, Any]) -> float:
    return size.items / factor("split_to", size, parameters) if size.validated else 0.0


def _longest(counted: int, interactions: int, owners: int, most: int) -> float:
    """Return how many interactions the user or item has that has most: as counted, else some times the usual, of all there are."""
    return counted or min(_SKEW * interactions / max(owners, 1), most)


def _read_histories(size: DataSize, parameters: Mapping[str, Any]) -> float:
    """Return how many items the histories of a batch have: a row of it is read once for all that are drawn beside it."""
    arguments: Any = parameters.get("train_neg_sample_args")
    drawn: Any = arguments.get("sample_num") if isinstance(arguments, Mapping) else None
    n_rows = _batch(size, parameters) / (min(drawn, MOST_BYTES) if is_amount(drawn) else 1)
    return n_rows * _read_of_longest(size, parameters)


def _read_of_longest(size: DataSize, parameters: Mapping[str, Any]) -> float:
    """Return how many items of the longest history are read: ``history_len`` at most, all where that is None."""
    longest = _longest(size.longest_user, size.interactions, size.users, size.items)
    is_whole = parameters.get("history_len", 1) is None
    return longest if is_whole else min(longest, factor("history_len", size, parameters))


def _convolved_pairs(size: DataSize, parameters: Mapping[str, Any]) -> float:
    """Return how many pairs are convolved at once: those of a batch with all that gradients need, or those that are judged together."""
    at_once = factor("eval_batch_size", size, parameters)
    judged = min(at_once, max(at_once // max(size.items, 1), 1) * size.items, size.validated * size.items)
    return max(_PAIRS_OF_ROWS * _batch(size, parameters), judged)


def _convolved(size: DataSize, parameters: Mapping[str, Any]) -> float:
    """Return how many numbers the convolutions return for the outer product of two vectors."""
    side, numbers = factor(_EMBEDDING_SIZE, size, parameters), 0.0
    channels, kernels, strides = (
        _amounts(parameters.get(f"cnn_{name}")) for name in ("channels", "kernels", "strides")
    )
    for channel, kernel, stride in zip(channels[1:], kernels, strides, strict=False):
        side = max((side - kernel) // stride + 1, 0.0)
        numbers += channel * side * side
    return min(max(numbers, 1.0), MOST_BYTES)


def _amounts(value: Any) -> list[float]:
    """Return the amounts of a list; none of anything else."""
    entries = value if isinstance(value, list | tuple) else ()
    return [float(min(entry, MOST_BYTES)) for entry in entries if is_amount(entry)]


def _correlated(size: DataSize, parameters: Mapping[str, Any]) -> float:
    """Return how many distances there are between users and items of a batch, in all pairs of factors that follow each other."""
    drawn, _ = _drawn(size, parameters)
    return min(max(factor("n_factors", size, parameters) - 1, 0.0) * drawn * drawn, MOST_BYTES)


def _correlated_in_pieces(size: DataSize, parameters: Mapping[str, Any]) -> float:
    """Return how many of these distances are in arrays that are kept in pieces; of two batches in all there are fewer pieces."""
    drawn, batches = _drawn(size, parameters)
    epochs: Any = parameters.get("epochs")
    is_short = batches * (min(epochs, MOST_BYTES) if is_amount(epochs) else math.inf) <= FIRST_STEPS
    pairs = max(factor("n_factors", size, parameters) - 1, 0.0)
    return min(pairs * _in_pieces(drawn * drawn), MOST_BYTES) * (OF_FIRST_STEPS if is_short else 1.0)


def _in_pieces(numbers: float) -> float:
    return numbers if numbers <= MOST_RETAINED else 0.0  # a larger array goes back to the system at once


def _drawn(size: DataSize, parameters: Mapping[str, Any]) -> tuple[float, float]:
    """Return how many users and items are drawn for each batch, of both as many as the larger number by the batches; and the batches."""
    batches = _TRAINED * size.interactions // max(_batch(size, parameters), 1.0) + 1
    return 2 * max(size.users, size.items) / batches, batches


def _item_pairs(size: DataSize) -> float:
    """Return about how many pairs of items some user has both of; what popular items share is not counted again."""
    return _occupied(size.interactions**2 / max(size.users, 1), size.items**2)


def _user_pairs(size: DataSize) -> float:
    """Return about how many pairs of users share an item."""
    return _occupied(_POPULAR * size.interactions**2 / max(size.items, 1), size.users**2)


def _scored_pairs(size: DataSize, parameters: Mapping[str, Any]) -> float:
    """Return about how many pairs of users and items what the ``k`` neighbours of users' items score has."""
    return _occupied(size.interactions * factor("k", size, parameters), size.users * size.items)


def _occupied(entries: float, cells: int) -> float:
    """Return about how many cells of a matrix have an entry, of which some meet in the same cell."""
    return entries / (1.0 + entries / max(cells, 1))


_DERIVED: Mapping[str, Callable[[DataSize, Mapping[str, Any]], float]] = {
    ITEM_PAIRS: lambda size, _: _item_pairs(size),
    USER_PAIRS: lambda size, _: _user_pairs(size),
    SCORED_PAIRS: _scored_pairs,
    COMPARED: lambda size, parameters: getattr(size, compared(parameters)),
    SCORED_ITEMS: _scored_items,
    CANDIDATES: lambda _, parameters: sampled(parameters) or 0,
    FEATURES_READ: lambda size, _: len(size.features),
    FIELDS: lambda size, _: _IDS + len(size.features),
    BATCH_USERS: lambda size, parameters: min(size.users, _batch(size, parameters)),
    ITEM_VOCABULARY: _vocabulary,
    JUDGED_USERS: _judged_users,
    JUDGED_VECTORS: _judged_vectors,
    VALIDATED_USERS: _validated_users,
    SPLIT_ITEMS: _split_items,
    **dict.fromkeys(BOUNDS, lambda _size, _parameters: 1.0),
    READ_HISTORIES: _read_histories,
    KEPT_HISTORIES: lambda size, parameters: size.users * _read_of_longest(size, parameters),
    ATTENDED_HISTORIES: lambda size, parameters: (
        0.0 if parameters.get("aggregator", "mean") == "mean" else _read_histories(size, parameters)
    ),
    CONVOLVED_PAIRS: _convolved_pairs,
    CONVOLVED: _convolved,
    CORRELATED: _correlated,
    SCORES_IN_PIECES: lambda size, parameters: _in_pieces(size.items * min(size.users, _batch(size, parameters))),
    CORRELATED_IN_PIECES: _correlated_in_pieces,
    LONGEST_USER: lambda size, _: _longest(size.longest_user, size.interactions, size.users, size.items),
    LONGEST_ITEM: lambda size, _: _longest(size.longest_item, size.interactions, size.items, size.users),
}
"""Factors that are computed of what is counted and of hyperparameters."""


WORDS_FOR = {
    USER_VALUES: "values of features of users",
    ITEM_VALUES: "values of features of items",
    ITEM_VOCABULARY: "different words of items",
    ITEM_WORDS: "words of items",
}
"""What is said of these factors."""

"""Lists judged by a test part: what is relevant for a metric, in which order a convention reads lists, and the hits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from omnibench.errors import EvaluationError
from omnibench.metrics.hits import Hits, Ints, Truth, mark_hits
from omnibench.metrics.judged_columns import Group
from omnibench.metrics.relevance import EVERYTHING, Relevance
from omnibench.metrics.training import Training

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt


class Lists(NamedTuple):
    """Recommendation lists, a row per user.

    Attributes:
        user: int32 codes of the users, ascending; shape (r,).
        item: int32 codes of their items, best first, padded with -1, no item twice; shape (r, length).
        score: The items' scores, float32 or float64, of the same shape.
    """

    user: Ints
    item: Ints
    score: npt.NDArray[np.floating]


def in_order(lists: Lists, training: Training, convention: str) -> Lists:
    """Return lists as a convention reads them: ``trec`` sorts them by score itself."""
    return lists._replace(item=as_trec_eval_sorts(training, lists)) if convention == "trec" else lists


def judge(
    test: Truth, lists: Lists, training: Training, relevance: Relevance, group: Group | None = None
) -> Hits | None:
    """Return which of the recommended items are relevant; None where nothing in the test part is.

    Args:
        test: The test part.
        lists: The lists, as a convention reads them.
        training: The training facts.
        relevance: Which interactions of the test part are relevant; its hits are of the users who have some.
        group: The users, or the items, that the test part is restricted to; None for everything.
    """
    truth = test if relevance == EVERYTHING and group is None else relevant_part(test, relevance, group)
    return mark_hits(truth, lists.user, lists.item, training) if len(truth.users) else None


def relevant_part(test: Truth, relevance: Relevance, group: Group | None = None) -> Truth:
    """Return what of the test part is relevant, of the users who have some of it; of one group where that is asked for.

    Raises:
        EvaluationError: It has no ratings.
    """
    owner = test.users[test.owner]
    is_relevant = np.ones(len(test.item), dtype=bool) if group is None else group.has(owner, test.item)
    if relevance != EVERYTHING:
        if test.rating is None:
            raise EvaluationError(
                "ratings say what is relevant, or what it gains, and the test part has none; give it a column rating, or leave "
                "out relevant and gains."
            )
        is_relevant = is_relevant & relevance.of(test.rating)
    rating = None if test.rating is None else test.rating[is_relevant]
    return Truth.of(owner[is_relevant], test.item[is_relevant], test.n_items, rating)


def without_repeats(test: Truth) -> Truth:
    """Return the test part with each pair once, rated as it was last."""
    from omnibench.guest.parts import Part, latest_rows  # which imports numpy

    user = test.users[test.owner]
    latest = latest_rows(Part(user, test.item, None, None), test.n_items)
    return Truth.of(user[latest], test.item[latest], test.n_items, None if test.rating is None else test.rating[latest])


def as_trec_eval_sorts(training: Training, lists: Lists) -> Ints:
    """Return the lists as trec_eval reads them: by score, ties by the item's name from the last one in the alphabet.

    It keeps scores as 32-bit floats (``float sim`` in its trec_eval.h), so those that differ behind seven digits tie.
    """
    alphabetical = np.append(alphabetical_ranks(training.item_ids), -1)  # padding is item -1
    with np.errstate(over="ignore"):
        score = np.where(lists.item >= 0, lists.score.astype(np.float32), -np.inf)
    order = np.lexsort((-alphabetical[lists.item], -score), axis=1)
    sorted_items: Ints = np.take_along_axis(lists.item, order, axis=1)
    return sorted_items


def alphabetical_ranks(item_ids: Sequence[Any]) -> npt.NDArray[np.int64]:
    """Return the position of each item's name in the alphabet of bytes, by code; shape (n_items,)."""
    names = [str(item).encode() for item in item_ids]
    ranks = np.empty(len(names), dtype=np.int64)
    ranks[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
    return ranks

"""What a user's own class returns from ``recommend`` and ``predict``: read in every documented form, and checked.

The order that a class gives is kept. Where it gives scores, they are ranked as they are (never as float32), and what
scores alike stays in the order that it came in. Whatever cannot be read without a guess is an error that says what was
expected, what came, and what to return instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from omnibench.guest.ranked_lists import RankedList
from omnibench.runners.answer_frames import EXPECTED, Scored, list_of_rows, lists_of_frame, number_of, plain, typed

_FEW_SCORES = 3
"""Fewer different scores than these rise by chance too often to conclude anything from it."""


_NOTHING = Scored([])


def read_recommendations(answer: Any, users: Sequence[Any], codes: Mapping[Any, int]) -> list[RankedList]:
    """Return the lists of some users.

    Args:
        answer: What ``recommend(users, k)`` returned.
        users: The users that it was asked for.
        codes: The code of each item of the data set.

    Raises:
        ValueError: It cannot be read, or contradicts itself.
    """
    by_user = _by_user(answer, users, codes)
    _check_direction(by_user)
    ranked: dict[int, RankedList] = {}
    lists = []
    for user in users:
        entries = by_user.get(user, _NOTHING)
        if id(entries) not in ranked:  # many classes recommend the same to everybody
            ranked[id(entries)] = _ranked(user, entries, codes)
        lists.append(ranked[id(entries)])
    return lists


def read_ratings(answer: Any, users: Sequence[Any], items: Sequence[Any]) -> npt.NDArray[np.float64]:
    """Return the ratings of some pairs.

    Args:
        answer: What ``predict(users, items)`` returned.
        users: The users of the pairs.
        items: Their items.

    Raises:
        ValueError: It is not a number for each of them.
    """
    expected = f"a number for each of the {len(users)} pairs, in their order"
    if answer is None or isinstance(answer, pd.DataFrame | Mapping | str):
        raise ValueError(f"predict() returned {_described(answer)}; it has to return {expected}.")
    if isinstance(answer, pd.Series) and _is_shuffled(answer):
        raise ValueError(
            "predict() returned a Series whose index has the numbers of the pairs in another order than its values, which "
            f"contradict each other; it has to return {expected}: series.sort_index() puts them in the order of the index, "
            "series.to_numpy() says that they are in order."
        )
    if isinstance(answer, np.ma.MaskedArray):  # what is masked is no rating, whatever lies beneath
        answer = np.ma.filled(np.ma.asarray(answer, dtype=np.float64), np.nan)
    if np.iscomplexobj(answer):  # numpy would leave the imaginary part out
        raise ValueError(f"predict() returned complex numbers; it has to return {expected}.")
    try:
        ratings = np.asarray(answer, dtype=np.float64)
    except Exception as error:  # also what PyTorch raises for a tensor with a gradient, or on a GPU
        raise ValueError(
            f"predict() returned {_described(answer)} ({error}); it has to return {expected}: a list, an array, a "
            "Series, or a detached tensor on the CPU."
        ) from error
    if ratings.shape == (len(users), 1):  # what a network with one output returns
        ratings = ratings[:, 0]
    if ratings.shape != (len(users),):
        raise ValueError(f"predict() returned numbers of shape {ratings.shape}; it has to return {expected}.")
    with np.errstate(over="ignore"):
        stored = ratings.astype(np.float32)
    invalid = np.flatnonzero(~np.isfinite(stored))
    if len(invalid):
        first = invalid[0]
        raise ValueError(
            f"predict() returned {ratings[first]} for user {users[first]!r} and item {items[first]!r} ({len(invalid)} of "
            f"{len(users)} are no finite number of 32 bits); return a rating for every pair, e.g. the mean where nothing is known."
        )
    return ratings


def _is_shuffled(series: pd.Series) -> bool:
    """Whether the index holds the numbers from 0 on, but not in that order."""
    index = series.index
    if not pd.api.types.is_integer_dtype(index.dtype):
        return False
    numbers = index.to_numpy()
    return not np.array_equal(numbers, np.arange(len(numbers))) and np.array_equal(
        np.sort(numbers), np.arange(len(numbers))
    )


def _by_user(answer: Any, users: Sequence[Any], codes: Mapping[Any, int]) -> dict[Any, Scored]:
    """Return what each user's list holds; users without one are left out."""
    if isinstance(answer, pd.DataFrame):
        lists: Mapping[Any, Any] = lists_of_frame(answer)
        _check_users(lists, users)
        return dict(lists)
    if isinstance(answer, Mapping):
        _check_users(answer, users)
        pairs = list(answer.items())
    elif isinstance(answer, pd.Series) and not _is_numbered(answer):  # as of groupby("user")["item"].apply(list)
        _check_users(answer.index, users)
        if not answer.index.is_unique:
            repeated = plain(answer.index[answer.index.duplicated()][0])
            raise ValueError(
                f"recommend() returned a Series with user {repeated!r} twice in its index; give them one list."
            )
        pairs = [(plain(user), entry) for user, entry in answer.items()]
    elif _is_sequence(answer):
        entries = list(answer)
        if len(entries) != len(users):
            raise ValueError(
                f"recommend() returned {len(entries)} lists for {len(users)} users; it has to return {EXPECTED}."
            )
        pairs = list(zip(users, entries, strict=True))
    else:
        raise ValueError(f"recommend() returned {_described(answer)}; it has to return {EXPECTED}.")
    read: dict[int, Scored] = {}
    for user, entry in pairs:
        if id(entry) not in read:
            read[id(entry)] = _read(user, entry, codes)
        elif isinstance(entry, Iterator):
            raise ValueError(
                f"recommend() returned the same {type(entry).__name__} for several users, which is empty after the first of "
                f"them, so user {user!r} would get nothing; return list(...) of it."
            )
    return {user: read[id(entry)] for user, entry in pairs}


def _is_numbered(series: pd.Series) -> bool:
    """Whether a series has the index that pandas gives to what has none."""
    return isinstance(series.index, pd.RangeIndex) and series.index.name is None and series.index.start == 0


def _check_users(answered: Iterable[Any], users: Sequence[Any]) -> None:
    requested = set(users)
    strangers = [user for user in answered if plain(user) not in requested]
    if strangers:
        raise ValueError(
            f"recommend() answered for user {typed(strangers[0])}, who was not asked for; it was asked for "
            f"{len(users)} users such as {typed(users[0])}. Return a list for each of the users that it gets, under the "
            "very ids."
        )


def _read(user: Any, entry: Any, codes: Mapping[Any, int]) -> Scored:
    """Return a user's list in the order that it came in."""
    if isinstance(entry, pd.DataFrame):
        return list_of_rows(user, entry)
    if isinstance(entry, pd.Series):
        if entry.index.name == "item":
            return Scored(entry.index.tolist(), entry.tolist())
        if entry.name != "item":
            raise ValueError(
                f"recommend() returned a Series for user {user!r}, which may hold items or scores; return "
                "series.tolist() if it holds items, or list(series.items()) if it holds the scores of the items in its "
                "index."
            )
    if isinstance(entry, Mapping):
        return Scored(list(entry), list(entry.values()))
    if not _is_sequence(entry):
        raise ValueError(
            f"recommend() returned {_described(entry)} for user {user!r}; it has to return {EXPECTED}. No "
            "recommendations are an empty list."
        )
    entries = list(entry)
    is_pair = [isinstance(candidate, _COMPOUND) and _is_pair(candidate, codes) for candidate in entries]
    if not any(is_pair):
        return Scored(entries)
    if not all(is_pair):
        raise ValueError(
            f"recommend() returned items with scores and items without for user {user!r}: {_shortened(entries)}; give "
            "all of them a score, or none."
        )
    return Scored([pair[0] for pair in entries], [pair[1] for pair in entries], is_list=True)


_COMPOUND = (tuple, list, np.ndarray)


def _is_pair(entry: Any, codes: Mapping[Any, int]) -> bool:
    if isinstance(entry, tuple):
        return len(entry) == 2 and not _is_item(entry, codes)  # noqa: PLR2004 - a pair; tuples may be ids as well
    return isinstance(entry, list | np.ndarray) and np.shape(entry) == (2,)


def _is_item(value: Any, codes: Mapping[Any, int]) -> bool:
    try:
        return value in codes
    except TypeError:  # not hashable
        return False


def _ranked(user: Any, entries: Scored, codes: Mapping[Any, int]) -> RankedList:
    """Return a user's list as codes, best first, with the scores that it came with or else falling ones."""
    items = np.array(_codes(user, entries.items, codes), dtype=np.int32)
    if len(np.unique(items)) < len(items):
        repeated = next(item for n, item in enumerate(entries.items) if items[n] in items[:n])
        raise ValueError(f"recommend() gave user {user!r} the item {plain(repeated)!r} twice; give it once.")
    if entries.scores is None:
        return items, 0.0 - np.arange(len(items), dtype=np.float64)
    order, scores = _order(user, entries.items, entries.scores)
    recommended = scores[order] != -np.inf
    return items[order][recommended], scores[order][recommended]


def _codes(user: Any, items: Sequence[Any], codes: Mapping[Any, int]) -> list[int]:
    try:
        return [codes[item] for item in items]
    except (KeyError, TypeError):  # scalars of PyTorch equal no id, and what is unknown needs its error
        return [_code(user, item, codes) for item in items]


def _order(
    user: Any, items: Sequence[Any], scores: Sequence[Any]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Return the order of scores from the highest, ties as they came, and the scores as float64."""
    if all(type(score) is float for score in scores):
        values = np.array(scores, dtype=np.float64)
        if not np.isnan(values).any() and not np.isposinf(values).any():
            return np.argsort(-values, kind="stable"), values
    numbers = [number_of(user, item, score) for item, score in zip(items, scores, strict=True)]
    # Python's numbers are compared exactly, also integers that float64 cannot tell apart.
    order = sorted(range(len(numbers)), key=lambda index: -numbers[index])
    return np.array(order, dtype=np.intp), np.array([float(number) for number in numbers], dtype=np.float64)


def _code(user: Any, item: Any, codes: Mapping[Any, int]) -> int:
    item = plain(item)
    if not _is_item(item, codes):
        example = next(iter(codes), None)
        raise ValueError(
            f"recommend() gave user {user!r} the item {typed(item)}, which is not in the dataset; its items are such "
            f"as {typed(example)}."
        )
    return codes[item]


def _check_direction(by_user: Mapping[Any, Scored]) -> None:
    """Refuse lists that all have their best item last: they contradict themselves, and which half is meant is a guess."""
    rising = None
    for user, entries in by_user.items():
        scores = [plain(score) for score in entries.scores or ()] if entries.is_list else []
        if not all(isinstance(score, int | float) for score in scores) or len(set(scores)) <= 1:
            continue
        if any(following < score for score, following in pairwise(scores)):
            return
        if rising is None and len(set(scores)) >= _FEW_SCORES:
            rising = user, scores
    if rising is not None:
        user, scores = rising
        raise ValueError(
            f"recommend() contradicts itself: the scores rise along every list (user {user!r}: {_shortened(scores)}), so "
            "that the first item is the best by its place and the last by its score. Reverse the lists if a high score "
            "is good, negate the scores if a low one is, or leave them out."
        )


def _is_sequence(value: Any) -> bool:
    """Whether a value has elements in an order that somebody meant."""
    return (
        isinstance(value, Iterable)
        and not isinstance(value, str | bytes | AbstractSet)
        and getattr(value, "ndim", 1) != 0
    )


def _shortened(values: Sequence[Any]) -> str:
    return ", ".join(repr(value) for value in values[:3]) + (", ..." if len(values) > 3 else "")  # noqa: PLR2004


def _described(value: Any) -> str:
    if value is None:
        return "None (has it a return statement?)"
    if isinstance(value, AbstractSet):
        return f"a {type(value).__name__}, which has no order"
    if isinstance(value, pd.DataFrame):
        return f"a frame with the columns {list(value.columns)}"
    text = repr(value)
    return f"{text if len(text) <= 60 else text[:57] + '...'} of type {type(value).__name__}"  # noqa: PLR2004

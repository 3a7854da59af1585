"""Sizes of parts: how many rows a size means, which rows are held out, and which sizes are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from omnibench.data.interactions import Interactions
from omnibench.data.order import Rows
from omnibench.data.parts import Mask, Parts, Split, parts_of
from omnibench.data.step import is_int, is_number
from omnibench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt

Counts: TypeAlias = "npt.NDArray[np.int64]"

_FEWEST_FOLDS = 2
_NAMED_USERS = 5
"""How many users an error names."""


def share(size: float, counts: Counts) -> Counts:
    """Return how many of each count of rows a size means: a fraction rounded half up, but at least one.

    Args:
        size: A float is a fraction, an int a number.
        counts: Shape (n,).
    """
    if is_int(size):
        return np.full(len(counts), size, dtype=np.int64)
    if size == 0:
        return np.zeros(len(counts), dtype=np.int64)
    rounded: Counts = np.floor(size * counts + 0.5).astype(np.int64)
    return np.maximum(1, rounded)


def hold_out_first(starts: Rows, rank: npt.NDArray[np.int32], validation_size: float, test_size: float) -> Parts:
    """Hold out the rows that rank first within their user as test, and the next ones as validation.

    Args:
        starts: The first row of each user, shape (n_users + 1,).
        rank: The rank of each row within its user, shape (n,).
        validation_size: Per user, a fraction or a number.
        test_size: The same.
    """
    counts = np.diff(starts)
    test, validation = share(test_size, counts), share(validation_size, counts)
    is_test = rank < np.repeat(test, counts)
    return parts_of(is_test, ~is_test & (rank < np.repeat(test + validation, counts)))


def needed_by_user(counts: Counts, validation_size: float, test_size: float) -> Counts:
    """Return how many interactions a holdout needs of users with these counts, one for training included."""
    return share(test_size, counts) + share(validation_size, counts) + 1


def from_the_end(starts: Rows) -> npt.NDArray[np.int32]:
    """Rank each row among its user's rows from the last one, which is 0.

    Args:
        starts: The first row of each user, shape (n_users + 1,).
    """
    last_row = np.repeat(starts[1:] - 1, np.diff(starts))
    rank: npt.NDArray[np.int32] = (last_row - np.arange(len(last_row))).astype(np.int32)
    return rank


def check_sizes(
    split: Split, validation: object, test: object, names: tuple[str, str] = ("validation_size", "test_size")
) -> None:
    """Refuse sizes that no data could have.

    Args:
        split: The split, for the error.
        validation: The size of the validation part, which may be zero.
        test: The size of the test part.
        names: The names of the sizes, for the error.

    Raises:
        DataError: A size is neither a fraction nor a number, or they leave nothing to train on.
    """
    _check_size(split, names[0], validation, zero=True)
    _check_size(split, names[1], test, zero=False)
    _check_sum(split, validation, test)


def check_fold_sizes(split: Split, num_folds: Any, validation_size: object) -> None:
    """Refuse folds that no data could have.

    Raises:
        DataError: There are not two folds, or validation is no size or leaves nothing to train on.
    """
    if not is_int(num_folds) or num_folds < _FEWEST_FOLDS:
        raise DataError(f"{type(split).__name__}: num_folds is {num_folds!r}; give an int of at least 2.")
    _check_size(split, "validation_size", validation_size, zero=True)
    _check_sum(split, validation_size, 1 / num_folds)


def check_which(split: Split, which: object) -> None:
    """Refuse a ``which`` that is neither ``random`` nor ``last``.

    Raises:
        DataError: It is neither ``last`` nor ``random``.
    """
    if which not in ("last", "random"):
        raise DataError(f"{type(split).__name__}: which is {which!r}; give 'last' or 'random'.")


def _check_size(split: Split, name: str, size: Any, *, zero: bool) -> None:
    if not is_number(size):
        raise DataError(
            f"{type(split).__name__}: {name} is {size!r}; give a float below 1 (a fraction) or an int (a number)."
        )
    if size == 0 and getattr(split, name, None) == size:
        object.__setattr__(split, name, 0.0)  # 0 and 0.0 mean the same, so they are the same in keys
    smallest_fits = size >= 0 if zero else size > 0
    if not (smallest_fits and (is_int(size) or size < 1)):
        raise DataError(
            f"{type(split).__name__}: {name} is {size!r}; give a fraction {'from' if zero else 'above'} 0 and "
            "below 1 as a float, or a number as an int."
        )


def _check_sum(split: Split, *sizes: Any) -> None:
    if sum(size for size in sizes if not is_int(size)) >= 1:
        all_sizes = " and ".join(str(size) for size in sizes)
        raise DataError(
            f"{type(split).__name__}: test and validation take everything ({all_sizes}); nothing is left to train on. Give shares whose sum "
            "is below 1."
        )


def refuse_short_users(
    split: Split,
    interactions: Interactions,
    starts: Rows,
    needed_counts: Callable[[Counts], Counts],
    held_out_users: Mask | None = None,
) -> None:
    """Refuse a split that users have too few interactions for.

    Args:
        split: The split, for the error.
        interactions: Canonical rows.
        starts: The first row of each user, shape (n_users + 1,).
        needed_counts: Returns how many interactions the split needs of users with these counts.
        held_out_users: The users that it needs them of, or None for all; shape (n_users,).

    Raises:
        DataError: There are such users; it names them, and the way out.
    """
    counts = np.diff(starts)
    too_few = counts < needed_counts(counts)
    short_users = np.flatnonzero(too_few if held_out_users is None else too_few & held_out_users)
    if len(short_users) == 0:
        return
    examples = ", ".join(f"{interactions.user_ids[user]!r} has {counts[user]}" for user in short_users[:_NAMED_USERS])
    more = f", and {len(short_users) - _NAMED_USERS} more" if len(short_users) > _NAMED_USERS else ""
    # What a fraction takes grows with the user, so enough for these users may be too few for the next larger ones.
    sizes = np.arange(1, max(1000, 2 * int(needed_counts(counts).max())))
    enough = int(sizes[sizes < needed_counts(sizes)].max()) + 1
    # Of users alone: with the items pruned as well, other users may fall short, and nothing may be left.
    pruning = f"Pipe CorePruning(user_core={enough}) before it, or choose" if counts.max() >= enough else "Choose"
    raise DataError(
        f"{split}: {len(short_users)} of {len(counts) if held_out_users is None else int(held_out_users.sum())} users have "
        f"too few interactions for every part: user {examples}{more}; "
        f"this split needs {enough}. {pruning} fewer folds or smaller parts."
    )


def refuse_short_data(split: Split, n: int, n_needed: int, unit: str = "interactions") -> None:
    """Refuse a split that needs more interactions (or users) than there are.

    Raises:
        DataError: It does; it names both numbers.
    """
    if n < n_needed:
        raise DataError(
            f"{split}: the dataset has {n} {unit}, but this split needs at least {n_needed}. "
            "Choose fewer folds or smaller parts, or prune less before it."
        )

"""Split the variance of values per user into what users, folds and seeds contribute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from omnibench.arguments import checked_call
from omnibench.errors import StatisticsError
from omnibench.statistics.samples import checked_seed_samples

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np, npt


@dataclass(frozen=True, slots=True)
class VarianceComponents:
    """The variances of the parts of a value: user + fold + seed + residual, all independent.

    A component is in the metric's unit, squared; estimates below 0 are given as 0.

    Attributes:
        user: Between users, of what lasts over seeds: in a fold, and over folds where users are in several. Where every
            fold has one seed, the residual is part of it.
        fold: Between folds; None of one fold.
        seed: Between the models that different seeds make of the same fold, for all users alike; None where every fold
            has one seed.
        residual: What neither of them explains: what a seed does to a single user, and what a fold does to one. None
            where every fold has one seed.
    """

    user: float
    fold: float | None
    seed: float | None
    residual: float | None


@checked_call
def variance_components(
    values: npt.ArrayLike | Sequence[npt.ArrayLike], users: Sequence[npt.ArrayLike] | None = None
) -> VarianceComponents:
    """Estimate what users, folds and seeds contribute to the variance of one algorithm's values.

    Seeds are crossed with users and nested in folds: every seed of a fold makes a model of its own. The estimates come
    from the method of moments: half the mean squared difference between two values is the sum of the components of what
    they don't share, whether that is balanced or not (Koch, "Some further remarks concerning 'A general approach to the
    estimation of variance components'", Technometrics 10, 1968). Of one fold, they are those of the two-way analysis of
    variance (Searle, Casella and McCulloch, "Variance Components", 1992, section 4.4).

    Args:
        values: Values of one fold, shape (seeds, users); or a sequence of these, one per fold, whose numbers of seeds
            and users may differ.
        users: The users' codes by fold, each of shape (users of the fold,) without repeats, which say who is in several
            folds; by default nobody is. Only for several folds.

    Raises:
        StatisticsError: Values have another shape, aren't finite, or fewer than two users are in a fold; or the codes
            don't fit them.
    """
    folds = _folds(values)
    codes = _codes(folds, users)
    several = [fold for fold in folds if len(fold) > 1]
    same_seed = float(np.mean([fold.var(axis=1, ddof=1).mean() for fold in folds]))
    if several:
        # Of folds with several seeds only, so that the differences between these means are of the same values.
        within_user = float(np.mean([fold.var(axis=0, ddof=1).mean() for fold in several]))
        within_seed = float(np.mean([fold.var(axis=1, ddof=1).mean() for fold in several]))
        within_fold = float(np.mean([_within_fold(fold) for fold in several]))
        user, seed = within_fold - within_user, within_fold - within_seed
        residual = within_user + within_seed - within_fold
        total = same_seed + within_fold - within_seed
    else:
        user, seed, residual, total = same_seed, None, None, same_seed
    between_folds = None
    if len(folds) > 1:
        other_users, same_users = _between_folds(folds, codes)
        between_folds = _not_negative(other_users - total)
        if same_users is not None and residual is not None:
            lasting = other_users - same_users
            user, residual = lasting, residual + user - lasting
    return VarianceComponents(_not_negative(user) or 0.0, between_folds, _not_negative(seed), _not_negative(residual))


def _folds(values: npt.ArrayLike | Sequence[npt.ArrayLike]) -> list[npt.NDArray[np.float64]]:
    """Return the values of every fold, each of shape (seeds, users)."""
    parts: Any = values
    try:
        is_one = np.ndim(parts[0]) < 2  # noqa: PLR2004 - a row of values per seed, so it is no fold
    except (TypeError, ValueError, IndexError):
        is_one = True
    if is_one:
        folds = [checked_seed_samples(parts, "given")]
    else:
        folds = [checked_seed_samples(part, f"fold {number}'s") for number, part in enumerate(parts)]
    for number, fold in enumerate(folds):
        if fold.shape[1] < 2:  # noqa: PLR2004 - one user does not vary
            raise StatisticsError(f"fold {number} has one user; its variance between users needs two.")
    return folds


def _codes(
    folds: Sequence[npt.NDArray[np.float64]], users: Sequence[npt.ArrayLike] | None
) -> list[npt.NDArray[np.int64]] | None:
    """Return the checked codes of every fold's users, or None where nobody is in several folds."""
    if users is None:
        return None
    if len(users) != len(folds):
        raise StatisticsError(f"there are codes of {len(users)} folds, but values of {len(folds)}; give both of each.")
    codes = [np.asarray(fold) for fold in users]
    for number, (fold, values) in enumerate(zip(codes, folds, strict=True)):
        if fold.shape != values.shape[1:] or len(np.unique(fold)) != len(fold):
            raise StatisticsError(
                f"the users' codes of fold {number} don't fit its values of {values.shape[1]} users; "
                "give one code for each, without repeats."
            )
    return codes


def _within_fold(fold: npt.NDArray[np.float64]) -> float:
    """Return half the mean squared difference between values of other seeds and other users."""
    seeds, n = fold.shape
    centred = fold - fold.mean()
    total = fold.size * float((centred * centred).sum())
    same_seed = n * float(((centred - centred.mean(axis=1, keepdims=True)) ** 2).sum())
    same_user = seeds * float(((centred - centred.mean(axis=0)) ** 2).sum())
    return float((total - same_seed - same_user) / (seeds * (seeds - 1) * n * (n - 1)))


def _between_folds(
    folds: Sequence[npt.NDArray[np.float64]], codes: Sequence[npt.NDArray[np.int64]] | None
) -> tuple[float, float | None]:
    """Return half the mean squared differences between values of two folds: of other users, and of the same ones.

    The latter is None where nobody is in two folds.
    """
    origin = float(np.mean([fold.mean() for fold in folds]))
    centred = [fold - origin for fold in folds]
    between_users, within_users = [], []
    for second in range(len(folds)):
        for first in range(second):
            first_fold, second_fold = centred[first], centred[second]
            square, pairs = _squares(first_fold, second_fold), first_fold.size * second_fold.size
            if codes is not None:
                _, at_first, at_second = np.intersect1d(
                    codes[first], codes[second], assume_unique=True, return_indices=True
                )
                if len(at_first):
                    per_user = _squares_by_user(first_fold[:, at_first], second_fold[:, at_second])
                    count = len(at_first) * len(first_fold) * len(second_fold)
                    within_users.append(per_user / count / 2)
                    square, pairs = square - per_user, pairs - count
            if pairs:
                between_users.append(square / pairs / 2)
    return float(np.mean(between_users)), float(np.mean(within_users)) if within_users else None


def _squares(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> float:
    """Return the sum of the squared differences between all values of two folds."""
    squares = second.size * float((first * first).sum()) + first.size * float((second * second).sum())
    return squares - 2 * float(first.sum()) * float(second.sum())


def _squares_by_user(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> float:
    """Return the sum of the squared differences between values of the same users, in the same columns."""
    squares = len(second) * float((first * first).sum()) + len(first) * float((second * second).sum())
    return squares - 2 * float((first.sum(axis=0) * second.sum(axis=0)).sum())


def _not_negative(component: float | None) -> float | None:
    return None if component is None else max(0.0, component)

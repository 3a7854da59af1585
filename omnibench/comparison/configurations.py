"""Configurations of a store compared by what was measured: two of them, all against the best, and over datasets."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from omnibench.comparison.measured import Measured, Paired
from omnibench.errors import StatisticsError, nearest
from omnibench.metrics.labels import higher_is_better
from omnibench.statistics.best import Standing, standing
from omnibench.statistics.paired import Comparison, compare
from omnibench.statistics.ranks import Ranking, friedman
from omnibench.store.queries import Store, open_store

Place = Store | str | os.PathLike[str]


def measured(store: Place) -> Measured:
    """Return what a store has measured.

    Raises:
        StoreError: There is no store, or it cannot be read.
    """
    opened = store if isinstance(store, Store) else open_store(store)
    return Measured(opened.root, opened.records())


def compare_configurations(
    store: Place | Measured,
    first: str,
    second: str,
    metric: str,
    *,
    dataset: str | None = None,
    test: str = "t",
    alternative: str = "two-sided",
    null: float = 0.0,
    alpha: float = 0.05,
) -> Comparison:
    """Compare two configurations of a dataset by a metric, paired over users.

    Of a cross-validation each user's mean over the folds is one pair. A metric without values per user has one value per
    fold; the training sets of folds overlap, so t is then Nadeau and Bengio's corrected one, and a rank or randomisation
    test says "too few folds" where even unanimous folds would give no p up to alpha (below 6 for 0.05, two-sided; with
    more it still takes folds for independent, which they are not, so prefer t). RMSE and MAE of a table are over all test
    pairs; here they are means over users.

    Args:
        store: A store, or its directory.
        first: A configuration's name, e.g. ``RecPack.EASE-4f0b8a3c``, or as much of it as is clear.
        second: Another one's.
        metric: A label, e.g. ``NDCG@10``.
        dataset: Its name, or as much of it as is clear; may be left out where both were measured on one dataset only.
        test: ``t``, ``randomisation`` or ``wilcoxon``; see ``compare``.
        alternative: See ``compare``.
        null: See ``compare``.
        alpha: The level.

    Raises:
        StatisticsError: There is no such configuration, metric or test, or they have nothing in common.
        StoreError: There is no store, or it cannot be read.
    """
    known = store if isinstance(store, Measured) else measured(store)
    places = known.datasets if dataset is None else [find(dataset, known.datasets, "dataset")]
    one, other = (find(name, configurations(known, places), "configuration") for name in (first, second))
    both = [place for place in places if {one, other} <= configurations(known, [place])]
    if len(both) != 1:
        where = f"on {', '.join(both)}; choose one with dataset=" if both else "on no dataset that both have"
        raise StatisticsError(f"{one} and {other} were measured {where}.")
    return compare_pairs(known.paired(both[0], metric, one, other), test, alpha, alternative, null)


def compare_pairs(
    pairs: Paired, test: str, alpha: float, alternative: str = "two-sided", null: float = 0.0
) -> Comparison:
    """Compare what two configurations have in common; see ``compare``."""
    return compare(
        pairs.first,
        pairs.second,
        test,
        alternative=alternative,
        null=null,
        alpha=alpha,
        units=pairs.units,
        test_to_train=pairs.test_to_train if test == "t" else 0.0,
    )


def compare_with_best(
    store: Place | Measured,
    dataset: str,
    metric: str,
    *,
    test: str = "t",
    alpha: float = 0.05,
    higher: bool | None = None,
) -> Standing:
    """Compare all configurations of a dataset with the best of them, with Holm's correction over these comparisons.

    The best one is that with the best mean over folds, as in tables. See ``compare_configurations`` for what is paired,
    and ``against_best`` for what the result promises.

    Args:
        store: A store, or its directory.
        dataset: Its name, or as much of it as is clear.
        metric: A label, e.g. ``NDCG@10``.
        test: ``t``, ``randomisation`` or ``wilcoxon``.
        alpha: The level.
        higher: Whether larger values are better; of omnibench's own metrics it is known.

    Raises:
        StatisticsError: There is no such dataset, metric or test.
        StoreError: There is no store, or it cannot be read.
    """
    known = store if isinstance(store, Measured) else measured(store)
    place = find(dataset, known.datasets, "dataset")
    means = known.means(place, metric)
    upward = higher_is_better(metric, higher)
    best = (max if upward else min)(means, key=means.__getitem__)
    return standing_of(known, place, metric, means, best, test=test, alpha=alpha, higher=upward)


def standing_of(
    known: Measured,
    dataset: str,
    metric: str,
    means: Mapping[str, float],
    best: str,
    *,
    test: str,
    alpha: float,
    higher: bool,
) -> Standing:
    """Compare configurations with the one that is the best; of one that shares no fold with it nothing can be said.

    Args:
        known: What was measured.
        dataset: The dataset's name.
        metric: The metric's label.
        means: The configurations, with their means.
        best: The best one.
        test: The test.
        alpha: The level.
        higher: Whether larger values are better.
    """
    others = {}
    for name, mean in means.items():
        if name == best:
            continue
        if known.in_common(dataset, metric, name, best):
            others[name] = compare_pairs(known.paired(dataset, metric, name, best), test, alpha)
        else:
            reason = "no fold in common with the best"
            difference = mean - means[best]
            others[name] = Comparison(mean, means[best], difference, None, None, None, test, 0, "folds", reason)
    return standing(best, others, higher_is_better=higher, alpha=alpha)


@dataclass(frozen=True, slots=True)
class DatasetRanking:
    """How configurations rank over datasets.

    Attributes:
        configurations: Those that were measured on every dataset, in the order of the ranking's ranks.
        datasets: The datasets.
        ranking: Their ranks.
    """

    configurations: tuple[str, ...]
    datasets: tuple[str, ...]
    ranking: Ranking


def rank_configurations(
    store: Place | Measured, metric: str, *, alpha: float = 0.05, higher: bool | None = None
) -> DatasetRanking:
    """Rank the configurations that were measured on every dataset of a store; see ``friedman``.

    Datasets on which the metric was not measured are left out. A dataset's score is the mean over its folds.

    Raises:
        StatisticsError: No two configurations were measured on all of the datasets.
        StoreError: There is no store, or it cannot be read.
    """
    known = store if isinstance(store, Measured) else measured(store)
    places = [place for place in known.datasets if metric in known.labels(place)]
    means = {place: known.means(place, metric) for place in places}
    return rank_means(means, metric, alpha=alpha, higher=higher_is_better(metric, higher))


def rank_means(means: Mapping[str, Mapping[str, float]], metric: str, *, alpha: float, higher: bool) -> DatasetRanking:
    """Rank the configurations that have a mean on every dataset; see ``friedman``.

    Args:
        means: The mean of each configuration, by dataset.
        metric: What they are means of, for the reader.
        alpha: The level of the critical difference.
        higher: Whether larger values are better.

    Raises:
        StatisticsError: No two configurations have a mean on all of the datasets.
    """
    places, tables = list(means), list(means.values())
    names = [name for name in (tables[0] if tables else ()) if all(name in table for table in tables)]
    if len(names) < 2:  # noqa: PLR2004 - one alone has no rank
        raise StatisticsError(
            f"{len(names)} configurations have {metric} on each of {len(places)} datasets; ranks need at least two."
        )
    scores = [[table[name] for name in names] for table in tables]
    return DatasetRanking(tuple(names), tuple(places), friedman(scores, higher_is_better=higher, alpha=alpha))


def configurations(known: Measured, datasets: Iterable[str]) -> set[str]:
    """Return the names of all configurations that were measured on any of some datasets."""
    return {name for place in datasets for label in known.labels(place) for name in known.means(place, label)}


def parts(name: str) -> tuple[str, str, str]:
    """A name, its algorithm without the framework, its hash."""
    return name, name.partition(".")[2], name.rpartition("-")[2]


def find(text: str, names: Iterable[str], what: str) -> str:
    """Return the one name that a text means: the name itself, or the only one that begins so, or whose algorithm or hash does.

    Raises:
        StatisticsError: There is none, or there are several.
    """
    known = sorted(names)
    if text in known:
        return text
    found = [name for name in known if text and any(one.startswith(text) for one in parts(name))]
    if len(found) == 1:
        return found[0]
    if found:
        raise StatisticsError(f"{text!r} may be {', '.join(found)}; give more of the {what}'s name.")
    guess = nearest(text, known) or f"; there are {', '.join(known) or 'none'}."
    raise StatisticsError(f"there is no {what} {text!r} with results{guess}")

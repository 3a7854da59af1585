"""Compare configurations of a store: two of them, all with the best of a dataset, and ranks over datasets."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from omnibench.arguments import checked_call
from omnibench.caller_warnings import warn_caller
from omnibench.comparison.choices import find_configuration, find_dataset, with_named
from omnibench.comparison.current import current_items, names_of
from omnibench.comparison.measured import Measured, PairedSample
from omnibench.errors import StatisticsError
from omnibench.metrics.directions import higher_is_better
from omnibench.metrics.labels import unmeasured
from omnibench.statistics.best import Standing, standing
from omnibench.statistics.paired import DEFAULT_TEST, Comparison, compare
from omnibench.statistics.ranks import Ranking, friedman
from omnibench.store.evaluations import Evaluations
from omnibench.store.queries import Store, open_store
from omnibench.store.schema import Record

StoreOrPath = Store | str | os.PathLike[str]


def measured(store: StoreOrPath, *, all_items: bool = False) -> Measured:
    """Return the measurements of a store: of its current items, see ``current_items``, or of all.

    Args:
        store: A store, or its directory.
        all_items: Also what is not in the last plan, and earlier versions of own classes.

    Raises:
        StoreError: There is no store, or it cannot be read.
    """
    opened = store if isinstance(store, Store) else open_store(store)

    def take(records: dict[str, Record], evaluations: Evaluations) -> Measured:
        if all_items:
            return Measured(opened.root, records, evaluations=evaluations)
        current = current_items(records)
        names, notice = names_of(current.items), current.notice()
        return Measured(opened.root, records, names, notice, evaluations=evaluations)

    return opened.compared(take)


def _measurements(store: StoreOrPath | Measured, *, all_items: bool) -> Measured:
    """Return the measurements of a store, and warn where some were left out that the caller has not named."""
    if isinstance(store, Measured):
        return store
    measurements = measured(store, all_items=all_items)
    if measurements.left_out:
        warn_caller(f"{measurements.left_out}; all_items=True takes them too")
    return measurements


@checked_call
def compare_configurations(
    store: StoreOrPath | Measured,
    first: str,
    second: str,
    metric: str,
    *,
    dataset: str | None = None,
    test: str = DEFAULT_TEST,
    alternative: str = "two-sided",
    null: float = 0.0,
    alpha: float = 0.05,
    all_items: bool = False,
) -> Comparison:
    """Compare two configurations of a dataset by a metric, paired over users.

    Of a cross-validation each user's mean over the folds is one pair. A metric without values per user has one value
    per fold; the training sets of folds overlap, so t is then Nadeau and Bengio's corrected one, and a rank or
    randomisation test says "too few folds" where even unanimous folds would give no p up to alpha (below 6 for 0.05,
    two-sided; with more it still takes folds for independent, which they are not, so prefer t). RMSE and MAE of a table
    are over all test pairs; here they are means over users.

    Args:
        store: A store, or its directory.
        first: A configuration: its name, e.g. ``RecPack.EASE-4f0b8a3c``, or another text that stands for it alone, e.g.
            ``EASE(l2=100)``; see ``docs/store.md``, "Naming items".
        second: Another one's.
        metric: A label, e.g. ``NDCG@10``.
        dataset: Its name, with or without the hash; may be left out where both were measured on one dataset only.
        test: ``bootstrap``, ``t``, ``randomisation`` or ``wilcoxon``; see ``compare``.
        alternative: See ``compare``.
        null: See ``compare``.
        alpha: The level.
        all_items: Whether a name may also mean what is not in the last plan, and an earlier version of an own class. By
            default it does only where it means nothing else.

    Raises:
        StatisticsError: There is no such configuration, metric or test, or they have nothing in common.
        StoreError: There is no store, or it cannot be read.
    """
    measurements = store if isinstance(store, Measured) else measured(store, all_items=all_items)
    measurements = with_named(measurements, first, second, dataset=dataset)
    datasets = measurements.datasets if dataset is None else [find_dataset(dataset, measurements)]
    choices = [find_configuration(name, measurements, datasets) for name in (first, second)]
    first_name, second_name = (choice.configuration for choice in choices)
    common = [name for name in datasets if all(name in choice.datasets for choice in choices)]
    if len(common) != 1:
        listed = f"on {', '.join(common)}; choose one with dataset=" if common else "on no dataset that both have"
        raise StatisticsError(f"{first_name} and {second_name} were measured {listed}.")
    members = [choice.members for choice in choices]
    return compare_members(
        measurements, common[0], metric, *members, test=test, alpha=alpha, alternative=alternative, null=null
    )


def compare_paired(
    sample: PairedSample, test: str, alpha: float, alternative: str = "two-sided", null: float = 0.0
) -> Comparison:
    """Compare two configurations by their paired sample; see ``compare``."""
    return compare(
        sample.first,
        sample.second,
        test,
        alternative=alternative,
        null=null,
        alpha=alpha,
        units=sample.units,
        test_to_train=sample.test_to_train if test in ("t", DEFAULT_TEST) else 0.0,
    )


def compare_members(
    measurements: Measured,
    dataset: str,
    metric: str,
    first: Sequence[str],
    second: Sequence[str],
    *,
    test: str,
    alpha: float,
    alternative: str = "two-sided",
    null: float = 0.0,
) -> Comparison:
    """Compare two configurations with all of their seeds: with one seed each by a paired test, else with seeds as a factor.

    Args:
        measurements: The measurements of the store.
        dataset: The dataset's name.
        metric: The metric's label.
        first: The names of the first configuration, one for each seed; see ``Measured.members``.
        second: Those of the second one.
        test: The test where both have one seed; with several it is always that of ``statistics.seeds``.
        alpha: The level.
        alternative: See ``compare``.
        null: See ``compare``.
    """
    sample = measurements.seed_sample(dataset, metric, first, second)
    if all(len(values) == 1 or (values == values[0]).all() for values in (sample.first, sample.second)):
        # Equal models count once, so that one model of each is compared: one seed alone may be asked for.
        comparison = compare_paired(sample.paired, test, alpha, alternative, null)
        sides = (first, sample.first), (second, sample.second)
        holds_for_seeds = all(len(values) > 1 or measurements.is_deterministic(names) for names, values in sides)
        if not holds_for_seeds or len(sample.first) == len(sample.second) == 1:
            return comparison
        return replace(comparison, seeds=(len(sample.first), len(sample.second)))
    from omnibench.statistics.seeds import compare_seeds  # few stores have several seeds

    return compare_seeds(
        sample.first,
        sample.second,
        alternative=alternative,
        null=null,
        alpha=alpha,
        units=sample.units,
        test_to_train=sample.test_to_train,
        deterministic_first=measurements.is_deterministic(first),
        deterministic_second=measurements.is_deterministic(second),
    )


@checked_call
def compare_with_best(
    store: StoreOrPath | Measured,
    dataset: str,
    metric: str,
    *,
    test: str = DEFAULT_TEST,
    alpha: float = 0.05,
    higher: bool | None = None,
    all_items: bool = False,
) -> Standing:
    """Compare all configurations of a dataset with the best of them, with Holm's correction over these comparisons.

    The best one is that with the best mean over folds, as in tables. See ``compare_configurations`` for what is paired,
    and ``against_best`` for what the result promises.

    Args:
        store: A store, or its directory.
        dataset: Its name, with or without the hash.
        metric: A label, e.g. ``NDCG@10``.
        test: ``t``, ``randomisation`` or ``wilcoxon``.
        alpha: The level.
        higher: Whether larger values are better; of omnibench's own metrics it is known.
        all_items: Also what is not in the last plan, and earlier versions of own classes; a warning says how much is
            left out without it.

    Raises:
        StatisticsError: There is no such dataset, metric or test.
        StoreError: There is no store, or it cannot be read.
    """
    measurements = _measurements(store, all_items=all_items)
    dataset_name = find_dataset(dataset, measurements)
    means = measurements.means(dataset_name, metric)
    higher = higher_is_better(metric, higher)
    best = (max if higher else min)(means, key=means.__getitem__)
    return standing_of(measurements, dataset_name, metric, means, best, test=test, alpha=alpha, higher=higher)


def standing_of(
    measurements: Measured,
    dataset: str,
    metric: str,
    means: Mapping[str, float],
    best: str,
    *,
    test: str,
    alpha: float,
    higher: bool,
) -> Standing:
    """Compare configurations with the best of them.

    One that shares no fold with the best stays undecided. Those that differ by the seed alone are one configuration.

    Args:
        measurements: The measurements of the store.
        dataset: The dataset's name.
        metric: The metric's label.
        means: The configurations, with their means.
        best: The best one.
        test: The test.
        alpha: The level.
        higher: Whether larger values are better.
    """
    comparisons = {}
    for name, mean in means.items():
        if name == best:
            continue
        if measurements.common_folds(dataset, metric, name, best):
            first, second = measurements.members(name), measurements.members(best)
            comparisons[name] = compare_members(measurements, dataset, metric, first, second, test=test, alpha=alpha)
        else:
            reason = "no fold in common with the best"
            difference = mean - means[best]
            comparisons[name] = Comparison(mean, means[best], difference, None, None, None, test, 0, "folds", reason)
    return standing(best, comparisons, higher_is_better=higher, alpha=alpha)


@dataclass(frozen=True, slots=True)
class DatasetRanking:
    """The ranks of configurations over datasets.

    Attributes:
        configurations: Those that were measured on every dataset, in the order of the ranking's ranks.
        datasets: The datasets.
        ranking: Their ranks.
    """

    configurations: tuple[str, ...]
    datasets: tuple[str, ...]
    ranking: Ranking


@checked_call
def rank_configurations(
    store: StoreOrPath | Measured,
    metric: str,
    *,
    alpha: float = 0.05,
    higher: bool | None = None,
    all_items: bool = False,
) -> DatasetRanking:
    """Rank the configurations that were measured on every dataset of a store; see ``friedman``.

    Datasets on which the metric was not measured are left out. A dataset's score is the mean over its folds.

    Args:
        store: A store, or its directory.
        metric: A label, e.g. ``NDCG@10``.
        alpha: The level of the critical difference.
        higher: Whether larger values are better; of omnibench's own metrics it is known.
        all_items: As in ``compare_with_best``.

    Raises:
        StatisticsError: The metric was not measured, or no two configurations were on all of the datasets.
        StoreError: There is no store, or it cannot be read.
    """
    measurements = _measurements(store, all_items=all_items)
    datasets = [dataset for dataset in measurements.datasets if metric in measurements.labels(dataset)]
    if not datasets:
        labels = (label for dataset in measurements.datasets for label in measurements.labels(dataset))
        raise StatisticsError(unmeasured(metric, labels))
    means = {dataset: measurements.means(dataset, metric) for dataset in datasets}
    return rank_means(means, metric, alpha=alpha, higher=higher_is_better(metric, higher))


def rank_means(means: Mapping[str, Mapping[str, float]], metric: str, *, alpha: float, higher: bool) -> DatasetRanking:
    """Rank the configurations that have a mean on every dataset; see ``friedman``.

    Args:
        means: The mean of each configuration, by dataset.
        metric: The label of the metric, for the reader.
        alpha: The level of the critical difference.
        higher: Whether larger values are better.

    Raises:
        StatisticsError: No two configurations have a mean on all of the datasets.
    """
    datasets, tables = list(means), list(means.values())
    names = [name for name in (tables[0] if tables else ()) if all(name in table for table in tables)]
    if len(names) < 2:  # noqa: PLR2004 - one alone has no rank
        raise StatisticsError(
            f"ranks need at least two configurations that have {metric} on "
            f"{'each of the ' + str(len(datasets)) + ' datasets' if len(datasets) > 1 else 'the dataset'}, and there is "
            f"{'only one' if names else 'none'}."
        )
    scores = [[table[name] for name in names] for table in tables]
    return DatasetRanking(tuple(names), tuple(datasets), friedman(scores, higher_is_better=higher, alpha=alpha))

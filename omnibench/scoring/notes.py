"""What a reader of scores has to know of the tables, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from omnibench.metrics.base import Metric
from omnibench.metrics.coded import Coded, Reading
from omnibench.metrics.ordered import TREC
from omnibench.metrics.ranking_metric import DROPS_EMPTY_LISTS, AccuracyMetric, RankingMetric
from omnibench.scoring.tables import NamedTable


def notes_of(
    material: Coded, metrics: Sequence[Metric], predicted: NamedTable, test: str, reading: Reading, *, graded: bool
) -> Iterator[str]:
    """Yield the sentences.

    Args:
        material: The predictions beside the test part.
        metrics: What is measured.
        predicted: The predictions.
        test: The name of the test part.
        reading: How they are read.
        graded: Whether levels of relevance are taken for equal.
    """
    remarks, users = material.remarks, len(material.test.users)
    if material.lists is not None:
        if remarks.without_list:
            yield f"{_share(remarks.without_list, users, 'test user')} have no list; {_fate(metrics)}"
        if remarks.without_test:
            yield f"{_counted(remarks.without_test, 'user')} with a list but without a test item: not counted"
        yield from _order_notes(material, predicted)
        yield from _item_notes(material, reading)
        longest = max((k for metric in metrics if isinstance(metric, RankingMetric) for k in metric.k), default=0)
        if material.lists.longest < longest:
            yield f"the longest list has {_counted(material.lists.longest, 'item')}, fewer than the {longest} that a metric looks at"
    if remarks.repeated:
        yield f"{test}: {remarks.repeated:,} pairs are there several times; the last row of each counts"
    if graded:
        yield (
            "NDCG takes every level of relevance for a gain of 1; NDCG(k, gains='rating'), NDCG[gains=rating]@k, takes the level for "
            "the gain, as trec_eval's ndcg_cut does"
        )


def _fate(metrics: Sequence[Metric]) -> str:
    """Return what users without a list count as."""
    dropping = {metric.convention for metric in metrics if isinstance(metric, AccuracyMetric)}
    left_out = dropping & DROPS_EMPTY_LISTS
    if not left_out:
        return "they count as zero"
    return (
        "they are left out"
        if left_out == dropping
        else f"columns of {' and '.join(sorted(left_out))} leave them out, else they count as zero"
    )


def _order_notes(material: Coded, predicted: NamedTable) -> Iterator[str]:
    lists, source = material.lists, predicted.table.source
    assert lists is not None
    if predicted.table.order == TREC:
        if lists.contradicting:
            yield (
                f"{source}: in {_counted(lists.contradicting, 'list')} the ranks say something else than the scores, by which trec_eval "
                "sorts (ties by the item's name, from the last one in the alphabet); order='rank' (--order rank) follows the ranks"
            )
        elif lists.tied:
            yield (
                f"{source}: equal scores, in {_counted(lists.tied, 'list')}, are sorted by the item's name from the last one in "
                "the alphabet, as by trec_eval"
            )
    elif lists.tied:
        yield f"{source}: equal scores, in {_counted(lists.tied, 'list')}, stay in the order of the rows"


def _item_notes(material: Coded, reading: Reading) -> Iterator[str]:
    remarks = material.remarks
    for number, stays, option, words in (
        (remarks.seen, reading.repeats, "repeats", "the user has in train or validation"),
        (remarks.unknown, reading.unknown, "unknown", "are not in train"),
    ):
        if number and stays:
            yield (
                f"{_share(number, remarks.rows, 'recommended item')} {words}; they stay in the lists, {option}=False (--no-{option}) takes "
                "them out"
            )
        elif number:
            yield f"{_share(number, remarks.rows, 'recommended item')} {words}, and are taken out of the lists"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _share(number: int, total: int, noun: str) -> str:
    return f"{number:,} of {total:,} {noun}s"

"""Ranks over datasets as rows: the average rank, and letters that mark insignificant differences."""

from __future__ import annotations

from typing import NamedTuple

from omnibench.comparison.configurations import DatasetRanking


class RankRow(NamedTuple):
    """The average rank of a configuration, as a row of a table.

    Attributes:
        name: The configuration.
        rank: Its average rank, as it is printed.
        group: Letters; two configurations that share one are not significantly different.
        value: Its average rank.
    """

    name: str
    rank: str
    group: str
    value: float


def rank_rows(dataset_ranking: DatasetRanking, limit: int | None) -> tuple[list[RankRow], str]:
    """Return the rows of a ranking, the best first, and a note that explains them.

    Letters are those of a compact letter display (Piepho, "An algorithm for a letter-based representation of
    all-pairwise comparisons", JCGS 13, 2004); of ranks that differ significantly or not by a single critical
    difference, the largest groups are these letters.

    Args:
        dataset_ranking: The ranking.
        limit: How many rows there are at most.
    """
    ranking = dataset_ranking.ranking
    order = sorted(range(len(dataset_ranking.configurations)), key=lambda position: float(ranking.ranks[position]))
    groups = ranking.groups if ranking.p is not None else ()
    letters = dict.fromkeys(order, "")
    for number, group in enumerate(groups):
        for position in group:
            letters[position] += _letter(number)
    rows = [
        RankRow(
            dataset_ranking.configurations[position],
            f"{ranking.ranks[position]:.2f}",
            letters[position] or "-",
            float(ranking.ranks[position]),
        )
        for position in order[:limit]
    ]
    notes = []
    if len(rows) < len(order):
        notes.append(f"The best {len(rows)} are shown, {len(order) - len(rows):,} more are not.")
    if ranking.p is not None:
        notes.append("Configurations that share a letter are not significantly different.")
    return rows, " ".join(notes)


def _letter(number: int) -> str:
    """Return the letter of a group: a to z, and beyond these a number in brackets."""
    return chr(ord("a") + number) if number < 26 else f"({number + 1})"  # noqa: PLR2004 - letters of the alphabet

"""Comparisons of predictions that were scored on the same test part: difference, interval and significance per metric."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from omnibench.arguments import checked_call
from omnibench.errors import StatisticsError
from omnibench.markup import element, written
from omnibench.metrics.directions import direction
from omnibench.metrics.labels import alternatives, split_label
from omnibench.report.comparisons import aligned, cells, heads, jsonable, legend, pairs, verdict_of
from omnibench.statistics.holm import holm
from omnibench.statistics.paired import DEFAULT_TEST, Comparison, check_alpha, compare
from omnibench.tables.layout import Cell, ResultTable
from omnibench.tables.notebook import notebook_table

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
else:
    from omnibench.lazy import np


class Scored(Protocol):
    """Predictions that were scored; see ``scores.Scores``."""

    @property
    def name(self) -> str:
        """What to call the predictions."""

    @property
    def test(self) -> str:
        """What to call the test part."""

    @property
    def users(self) -> Sequence[Hashable]:
        """The ids of the users with test items."""

    @property
    def labels(self) -> list[str]:
        """The labels of the metrics."""

    @property
    def per_user_labels(self) -> list[str]:
        """Those of the metrics that single users have."""

    @property
    def higher_is_better(self) -> Mapping[str, bool | None]:
        """Whether larger values are better, by label."""

    def values_of(self, label: str) -> npt.NDArray[np.float64]:
        """Return a metric's values of the users."""


@dataclass(frozen=True)
class ScoreComparison:
    """The differences between two scored predictions.

    Attributes:
        first: The name of the first.
        second: The name of the second.
        comparisons: First minus second, by the metric's label.
        adjusted: The p of these after Holm's correction over all metrics; None where nothing can be said.
        higher_is_better: Whether larger values are better, by label; None where nobody says.
        left_out: Metrics without values of single users, which no test can compare.
        test: The test.
        alpha: The level.
        family: The number of comparisons that p is corrected over.
    """

    first: str
    second: str
    comparisons: Mapping[str, Comparison]
    adjusted: Mapping[str, float | None]
    higher_is_better: Mapping[str, bool | None]
    left_out: Sequence[str] = ()
    test: str = DEFAULT_TEST
    alpha: float = 0.05
    family: int = 0

    def verdict(self, label: str) -> str:
        """Return in words which of the two is better by a metric, if that can be said."""
        comparison, adjusted = self.comparisons[label], self.adjusted[label]
        return verdict_of(comparison, adjusted, self.alpha, higher=self.higher_is_better[label])

    def to_frame(self) -> pd.DataFrame:
        """Return a row per metric: its means, the difference with its interval, d_z, p, corrected p and the verdict."""
        import pandas as pd

        rows = []
        for label, comparison in self.comparisons.items():
            metric, k = split_label(label)
            low, high = comparison.interval or (np.nan, np.nan)
            rows.append(
                {"metric": metric, "k": k, "first": comparison.first, "second": comparison.second}
                | {"difference": comparison.difference, "low": low, "high": high, "d_z": comparison.effect_size}
                | {"p": comparison.p, "p_holm": self.adjusted[label], "users": comparison.pairs}
                | {"verdict": self.verdict(label)}
            )
        return pd.DataFrame(rows).astype({"k": "Int64"})

    def plain(self) -> list[dict[str, Any]]:
        """Return the comparisons as plain data, for JSON."""
        rows: list[dict[str, Any]] = jsonable(
            [
                {"metric": label, "first": self.first, "second": self.second}
                | {"means": [comparison.first, comparison.second]}
                | {
                    name: value
                    for name, value in asdict(comparison).items()
                    if name not in ("first", "second", "seeds")
                }
                | {"p_holm": self.adjusted[label], "verdict": self.verdict(label)}
                for label, comparison in self.comparisons.items()
            ]
        )
        return rows

    def rows(self) -> list[list[str]]:
        """Return the header and a row per metric as texts."""
        rows = [["", "first", "second", *heads(self.alpha)]]
        for label, comparison in self.comparisons.items():
            texts = cells(comparison.second, comparison, self.adjusted[label], self.verdict(label))
            rows.append([label, f"{comparison.first:.4f}", *texts])
        return rows

    @property
    def title(self) -> str:
        """The sentence above the comparisons."""
        return f"{self.first} minus {self.second}: paired over {pairs(self.comparisons.values())}"

    @property
    def notes(self) -> list[str]:
        """The sentences below the comparisons."""
        tested = [comparison for comparison in self.comparisons.values() if comparison.p is not None]
        notes = [legend(self.test, tested, self.family)]
        if self.left_out:
            notes.append(f"Not compared, because single users have no value: {', '.join(self.left_out)}.")
        return notes

    def __repr__(self) -> str:
        return "\n".join([self.title, *aligned(self.rows()), *self.notes])

    def _repr_html_(self) -> str:
        return written(element("div", notebook_table(self._table())))

    def _table(self) -> ResultTable:
        header, *rows = self.rows()
        return ResultTable(self.title, header, [[[Cell(text) for text in row] for row in rows]], self.notes)


@checked_call
def compare_scores(
    first: Scored,
    second: Scored,
    metrics: Iterable[str] | None = None,
    *,
    test: str = DEFAULT_TEST,
    alpha: float = 0.05,
    higher: bool | None = None,
) -> ScoreComparison:
    """Compare two predictions that were scored on the same test part.

    Pairs are users; one of whom a metric is not defined for either of them does not count. p values are corrected over the
    metrics (Holm).

    Args:
        first: The first scores.
        second: The second ones.
        metrics: The labels of the metrics to compare; all that both have by default.
        test: As for ``compare``.
        alpha: The level.
        higher: Whether larger values are better, of metrics that are not omnibench's own.

    Raises:
        StatisticsError: They have no metric in common, or were scored on different users.
    """
    check_alpha(alpha)
    common = [label for label in first.labels if label in second.labels]
    metrics = [metrics] if isinstance(metrics, str) else metrics
    for label in metrics or ():
        if label not in common:
            raise StatisticsError(
                f"{first.name} and {second.name} do not both have {label!r}; {alternatives(label, common)}"
            )
    chosen = common if metrics is None else [label for label in common if label in {*metrics}]
    if not chosen:
        raise StatisticsError(f"{first.name} and {second.name} have no metric in common.")
    positions = _positions(first, second)
    with_users = [label for label in chosen if label in first.per_user_labels and label in second.per_user_labels]
    if not with_users:
        raise StatisticsError(
            f"{', '.join(chosen)} {'has' if len(chosen) == 1 else 'have'} no values of single users to compare."
        )
    comparisons: dict[str, Comparison] = {}
    left_out = [label for label in chosen if label not in with_users]
    for label in with_users:
        values = first.values_of(label), second.values_of(label)[positions]
        is_counted = ~np.isnan(values[0]) & ~np.isnan(values[1])
        if not is_counted.any():
            left_out.append(label)
            continue
        comparisons[label] = compare(values[0][is_counted], values[1][is_counted], test, alpha=alpha)
    directions = {label: _direction(first, label, higher) for label in comparisons}
    compared = ScoreComparison(first.name, second.name, comparisons, {}, directions, left_out, test, alpha)
    return corrected_together([compared])[0]


def corrected_together(compared: Sequence[ScoreComparison]) -> list[ScoreComparison]:
    """Return comparisons with their p corrected over all of them (Holm)."""
    p_values = {
        (number, label): comparison.p
        for number, pair in enumerate(compared)
        for label, comparison in pair.comparisons.items()
        if comparison.p is not None
    }
    adjusted = dict(zip(p_values, holm(list(p_values.values())).tolist(), strict=True))
    return [
        replace(
            pair, adjusted={label: adjusted.get((number, label)) for label in pair.comparisons}, family=len(p_values)
        )
        for number, pair in enumerate(compared)
    ]


def _positions(first: Scored, second: Scored) -> npt.NDArray[np.int64]:
    """Return where the users of the first scores are among those of the second ones."""
    position_of = {user: position for position, user in enumerate(second.users)}
    missing = [user for user in first.users if user not in position_of]
    if missing or len(position_of) != len(first.users):
        examples = missing or [user for user in second.users if user not in {*first.users}]
        raise StatisticsError(
            f"{first.name} and {second.name} were scored on different users, {len(first.users)} of {first.test} and "
            f"{len(second.users)} of {second.test}; {examples[0]!r} is not among both. Score both on the same test part."
        )
    return np.array([position_of[user] for user in first.users], dtype=np.int64)


def _direction(scores: Scored, label: str, higher: bool | None) -> bool | None:
    stated = scores.higher_is_better.get(label)
    return direction(label, higher) if stated is None else stated

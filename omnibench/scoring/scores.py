"""Scores: the metrics of lists that somebody else made, with their values per user."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from omnibench.arguments import checked_methods
from omnibench.errors import EvaluationError, StatisticsError
from omnibench.markup import element, one_line, written
from omnibench.metrics.labels import alternatives, group_of, plain_label, split_label
from omnibench.report.comparisons import aligned
from omnibench.scoring.compared import ScoreComparison, compare_scores
from omnibench.tables.layout import Cell, ResultTable
from omnibench.tables.notebook import notebook_table

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
else:
    from omnibench.lazy import np, npt

_HEADER = ["", "value", "95 % interval", "stderr", "users"]


@checked_methods
@dataclass(frozen=True)
class Scores:
    """The metrics of predictions.

    Attributes:
        name: What to call the predictions: a file's name.
        test: What to call the test part.
        values: The metric over all test users (or pairs), by label; NaN where it is not defined.
        stderr: Standard error by label, for metrics that are means over users.
        intervals: 95 % interval by label, likewise.
        users: The ids of the users with test items, in the order of the test part.
        higher_is_better: Whether larger values are better, by label; None where nobody says.
        notes: What is to be known of the tables, a sentence each.
    """

    name: str
    test: str
    values: Mapping[str, float]
    stderr: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    users: Sequence[Hashable]
    higher_is_better: Mapping[str, bool | None]
    notes: Sequence[str] = ()
    _of_users: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict, repr=False)

    def __getitem__(self, label: str) -> float:
        """Return a metric's value, e.g. ``scores["NDCG@10"]``, whatever its convention."""
        if label not in self.values:
            qualified = [name for name in self.values if plain_label(name) == label]
            if len(qualified) == 1:
                return self.values[qualified[0]]
            raise KeyError(f"there is no {label!r}; {alternatives(label, self.values)}")
        return self.values[label]

    @property
    def per_user(self) -> pd.DataFrame:
        """The values of the users, one row per user with test items, a column per metric that single users have.

        NaN stands for users who do not count.
        """
        import pandas as pd

        index = pd.Index(list(self.users), name="user", tupleize_cols=False)
        return pd.DataFrame(dict(self._of_users), index=index)

    @property
    def labels(self) -> list[str]:
        """The labels of the metrics."""
        return list(self.values)

    @property
    def per_user_labels(self) -> list[str]:
        """The metrics that single users have."""
        return list(self._of_users)

    def values_of(self, label: str) -> npt.NDArray[np.float64]:
        """Return a metric's values of the users, shape (n,).

        Raises:
            EvaluationError: Single users have none.
        """
        if label not in self._of_users:
            raise EvaluationError(f"single users have no {label!r}; {alternatives(label, self._of_users)}")
        return self._of_users[label]

    def counted(self, label: str) -> int:
        """Return how many users count for a metric; all with test items where single users have no value."""
        values = self._of_users.get(label)
        return len(self.users) if values is None else int(np.count_nonzero(~np.isnan(values)))

    def to_frame(self) -> pd.DataFrame:
        """Return a row per metric: predictions, metric, k, value, stderr, low and high of the interval, users.

        Where metrics are divided into groups, group stands behind k; it is missing for everybody.
        """
        import pandas as pd

        rows = []
        for label, value in self.values.items():
            metric, k = split_label(label)
            low, high = self.intervals.get(label, (np.nan, np.nan))
            rows.append(
                {"predictions": self.name, "metric": metric, "k": k, "group": group_of(label) or None, "value": value}
                | {"stderr": self.stderr.get(label, np.nan), "low": low, "high": high, "users": self.counted(label)}
            )
        frame = pd.DataFrame(rows).astype({"k": "Int64"})
        return frame if any(row["group"] for row in rows) else frame.drop(columns="group")

    def plain(self) -> dict[str, Any]:
        """Return the scores as plain data, for JSON: what is not defined is None."""
        metrics = {
            label: {
                "value": None if np.isnan(value) else value,
                "stderr": self.stderr.get(label),
                "interval": None if label not in self.intervals else list(self.intervals[label]),
                "users": self.counted(label),
            }
            for label, value in self.values.items()
        }
        return {"predictions": self.name, "test": self.test, "metrics": metrics, "notes": list(self.notes)}

    @property
    def title(self) -> str:
        """The sentence above the metrics."""
        return f"{self.name}, scored on {self.test}: {len(self.users):,} test user{'' if len(self.users) == 1 else 's'}"

    def rows(self) -> list[list[str]]:
        """Return the header and a row per metric as texts."""
        return [list(_HEADER), *(self._row(label) for label in self.values)]

    def _row(self, label: str) -> list[str]:
        interval = self.intervals.get(label)
        return [
            one_line(label),
            "-" if np.isnan(self.values[label]) else f"{self.values[label]:.4f}",
            "-" if interval is None else f"{interval[0]:.4f} to {interval[1]:.4f}",
            f"{self.stderr[label]:.4f}" if label in self.stderr else "-",
            f"{self.counted(label):,}",
        ]

    def __repr__(self) -> str:
        return "\n".join(
            [self.title, *aligned([[*row, ""] for row in self.rows()]), *(f"  {note}" for note in self.notes)]
        )

    def _repr_html_(self) -> str:
        header, *rows = self.rows()
        table = ResultTable(self.title, header, [[[Cell(text) for text in row] for row in rows]], list(self.notes))
        return written(element("div", notebook_table(table)))

    def compare(self, second: Scores, metrics: Iterable[str] | None = None, **options: Any) -> ScoreComparison:
        """Compare these scores with others of the same test part; see ``omnibench.compare_scores``.

        Args:
            second: The other scores.
            metrics: The labels of the metrics to compare; all that both have by default.
            **options: As for ``omnibench.compare_scores``.

        Raises:
            StatisticsError: They are no scores, or not of the same users.
        """
        if not isinstance(second, Scores):
            raise StatisticsError(f"{second!r} are no scores; give what omnibench.score has returned.")
        return compare_scores(self, second, metrics, **options)

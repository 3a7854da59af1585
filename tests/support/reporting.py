"""Reports made of made-up results, with everything in them that a format could stumble over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pytest

from omnibench import against_best
from omnibench.report import sections
from omnibench.report.choices import Choices
from omnibench.report.contents import Contents, DatasetSummary, MissingItem
from omnibench.report.item_facts import ItemFacts
from omnibench.report.sections import Report, report_of
from omnibench.results import Result
from omnibench.statistics.best import Standing
from omnibench.store.phase_facts import Uncertainty

NASTY = "a|b <script>alert(1)</script> `c` _d_ 50% #1 \\ {x} ~y~ ^ $z$ \"q\" 's' é & &amp; *b* [l](u) -- ,, :tada: @you"
FOLDS = 3

Values = Mapping[str, Mapping[str, Sequence[float]]]
"""By configuration and metric, the values of the folds."""

VALUES: Values = {
    "Lib.Best-0000aaaa": {"NDCG@10": [0.5, 0.6, 0.7], "RMSE": [0.9, 0.8, 1.0]},
    "Lib.Near_by-0000bbbb": {"NDCG@10": [0.49, 0.61, 0.68], "RMSE": [0.8, 0.85, 0.9]},
    "Own.Worse-0000cccc": {"NDCG@10": [0.1, 0.2, 0.12345678901234567], "RMSE": [2.0, 2.5, 3.0]},
}


def whole(parts: Iterable[bytes]) -> bytes:
    """Return the content of a file that is written in parts."""
    return b"".join(parts)


def contents(
    values: Values = VALUES,
    dataset: str = "Data_1-a3f8e2c1",
    *,
    parameters: str = NASTY,
    missing: Sequence[MissingItem] = (),
    undirected: Sequence[str] = (),
) -> Contents:
    """Return results of a dataset in three folds."""
    results = [
        Result(
            dataset,
            name,
            f"{name.rpartition('-')[0]}({parameters})",
            fold,
            _of(metrics, fold),
            f"{dataset}{name}{fold}",
        )
        for name, metrics in values.items()
        for fold in range(FOLDS)
    ]
    spread = Uncertainty(0.01, 0.4, 0.6, 30)
    facts = {
        result.fit_key: ItemFacts(
            "d" * 64, "c" * 64, '{"k":1}', "Lib", "1.2", 1.5, 0.25, 1 << 20, "", dict.fromkeys(result.metrics, spread)
        )
        for result in results
    }
    return Contents(results, {"RMSE"}, undirected, list(missing), facts, {dataset: DatasetSummary("30 users", FOLDS)})


def _of(metrics: Mapping[str, Sequence[float]], fold: int) -> dict[str, float]:
    return {label: values[fold] for label, values in metrics.items() if fold < len(values)}


def standing() -> Standing:
    """Return how the three stand: the first is the best, the second not significantly worse, the third worse."""
    best, near, worse = VALUES
    users = [0.1 * number for number in range(10)]
    return against_best(
        {
            best: users,
            near: [value + 0.05 * (-1) ** number - 0.001 for number, value in enumerate(users)],
            worse: [value - 0.5 - 0.01 * number for number, value in enumerate(users)],
        },
        test="t",
    )


def report(
    monkeypatch: pytest.MonkeyPatch,
    results: Contents,
    choices: Choices | None = None,
    tested: Mapping[tuple[str, str], Standing] | None = None,
) -> Report:
    """Return the report of some results, with what tests of them have found."""
    monkeypatch.setattr(sections, "standings", lambda *_, **__: tested or {})
    return report_of(results, Path("nowhere"), choices or Choices())


def joined(*several: Contents) -> Contents:
    """Return the results of several datasets as one."""
    first = several[0]
    return Contents(
        [result for part in several for result in part.results],
        first.lower_is_better,
        first.undirected,
        [item for part in several for item in part.missing],
        {key: facts for part in several for key, facts in part.facts.items()},
        {name: summary for part in several for name, summary in part.dataset_summaries.items()},
    )

"""The evaluator: which metrics are wanted, and the results of a run."""

from __future__ import annotations

import difflib
import itertools
import shutil
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from omnibench.arguments import checked_arguments
from omnibench.errors import EvaluationError
from omnibench.experiment.candidates import UNSEEN, Candidates
from omnibench.experiment.outputs import DEFAULT_LIST_LENGTH
from omnibench.markup import one_line
from omnibench.metrics.base import DEFAULT_CONVENTION, Metric
from omnibench.metrics.labels import group_of, split_label
from omnibench.metrics.own import CalculatedMetric, HitMetric
from omnibench.metrics.ranking import AUC
from omnibench.metrics.ranking_metric import RankingMetric
from omnibench.metrics.relevance import checked_threshold
from omnibench.notebooks import current_cell
from omnibench.results import Result

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table


class Calculator(Protocol):
    """A metric of the user's own; see ``metrics.own.CalculatedMetric``."""

    def calculate(self, predictions: pd.DataFrame, test: pd.DataFrame, /) -> Any:
        """Return a number, or a mapping from each k to one."""


def _metric(argument: Any, convention: str) -> Metric:
    """Turn an argument of an evaluator into a metric under a convention.

    Raises:
        EvaluationError: It is none, or the convention does not have it.
    """
    if isinstance(argument, Metric):
        exempt = argument.kind in ("cost", "calculated") or isinstance(argument, HitMetric)
        return argument if exempt else argument.under(convention)
    if callable(getattr(argument, "calculate", None)) and not isinstance(argument, type):
        return CalculatedMetric(argument)
    hint = ""
    if isinstance(argument, type):
        hint = f"; write {argument.__name__}(...)"
    elif isinstance(argument, str):
        hint = f"; metrics are objects, not texts: write {_as_written(argument)}"
    elif callable(argument):
        hint = f"; write HitMetric({getattr(argument, '__name__', '...')}) if it is a function of the hit matrix"
    raise EvaluationError(f"{argument!r} is no metric{hint}.")


def _as_written(label: str) -> str:
    """Return how the metric that a label such as ``NDCG@10`` means is made, as far as that can be told."""
    import omnibench.metrics  # only an error needs all of them

    name, _, length = label.partition("@")
    by_folded = {metric_name.casefold(): metric_name for metric_name in omnibench.metrics.__all__}
    near = difflib.get_close_matches(name.strip().casefold(), by_folded, n=1, cutoff=0.5)
    if not near:
        return "e.g. NDCG(10)"
    return f"{by_folded[near[0]]}({length if length.isdecimal() else ''})"


@checked_arguments
class Evaluator:
    """The wanted metrics, and the results that a run fills in.

    Args:
        metrics: Such as ``NDCG([10, 20])`` and ``HR(10)``; the same column twice counts once. An object of your own
            with ``calculate(predictions, test)`` does as well; a function of the hit matrix becomes one with
            ``HitMetric``.
        convention: Follow ``omnirec``, ``recbole``, ``lenskit`` or ``trec`` (trec_eval) where they compute a metric of
            the same name otherwise; see ``docs/conventions.md``.
        candidates: What is ranked for each user: ``unseen`` items by default, or ``AllItems``, or ``GivenCandidates``,
            or ``SampledNegatives``.
        relevant: The lowest rating in the test part that counts as relevant, for the metrics that judge relevance and
            have none of their own; by default every interaction does.

    Raises:
        EvaluationError: Something given is no metric, the package of the convention does not have it, two different
            metrics would fill the same column, or no metric judges relevance.
    """

    def __init__(
        self,
        *metrics: Metric | Calculator,
        convention: str = DEFAULT_CONVENTION,
        candidates: Candidates = UNSEEN,
        relevant: float | None = None,
    ) -> None:
        self.metrics = tuple(single for metric in metrics for single in _metric(metric, convention).divided())
        self.convention = convention
        self.relevant = checked_threshold(relevant, "the evaluator")
        if self.relevant is not None:
            self.metrics = tuple(metric.relevant_from(self.relevant) for metric in self.metrics)
            if not any("relevant" in metric.judged_by for metric in self.metrics):
                names = ", ".join(dict.fromkeys(metric.name for metric in self.metrics)) or "there is none"
                raise EvaluationError(
                    f"relevant={self.relevant} concerns no metric of the evaluator ({names}); leave it out, or add one that "
                    "judges relevance, such as NDCG."
                )
        if not isinstance(candidates, Candidates):
            raise EvaluationError(
                f"the candidates are {candidates!r}; give AllItems(...), GivenCandidates(...) or SampledNegatives(...), or leave "
                "them out."
            )
        if candidates.identity != UNSEEN.identity and any(isinstance(metric, AUC) for metric in self.metrics):
            raise EvaluationError(f"AUC counts all unseen items, but {candidates!r} are ranked; leave out one of them.")
        self.candidates = candidates
        filled: dict[str, Any] = {}
        for metric in self.metrics:
            for label in metric.labels:
                identity = metric.identity(label)
                if filled.setdefault(label, identity) != identity:
                    advice = f" (name=... of what follows by: {metric.groupings[0]!r})" if metric.groupings else ""
                    raise EvaluationError(
                        f"two different metrics are called {label}; give one of them another name{advice}."
                    )
        self._results: dict[tuple[str, str, int | None], Result] = {}
        self._shown_in: object = None

    @property
    def results(self) -> list[Result]:
        """The results so far, in the order in which they came."""
        return list(self._results.values())

    @cached_property
    def columns(self) -> list[tuple[Metric, str]]:
        """The wanted columns in order: each metric with one of its labels."""
        by_label = {label: metric for metric in self.metrics for label in metric.labels}
        return [(metric, label) for label, metric in by_label.items()]

    @property
    def labels(self) -> list[str]:
        """The wanted columns as results call them, e.g. ``["NDCG@10", "NDCG@20", "HR@10"]``."""
        return [metric.qualified(label, self.candidates.note) for metric, label in self.columns]

    @cached_property
    def lower_is_better(self) -> list[str]:
        """The columns where the smallest value is the best."""
        return self._labels_where(lambda metric: not metric.higher_is_better)

    @cached_property
    def list_length(self) -> int:
        """How many recommendations per user are needed: 20, or the largest k."""
        cutoffs = (metric.k for metric in self.metrics if isinstance(metric, RankingMetric | CalculatedMetric))
        return max([DEFAULT_LIST_LENGTH, *itertools.chain.from_iterable(cutoffs)])

    @cached_property
    def costs(self) -> list[str]:
        """The columns of costs, which no comparison of algorithms tests."""
        return self._labels_where(lambda metric: metric.kind == "cost")

    def _labels_where(self, condition: Callable[[Metric], bool]) -> list[str]:
        return [label for (metric, _), label in zip(self.columns, self.labels, strict=True) if condition(metric)]

    def add(self, result: Result) -> None:
        """Add a result; it replaces an earlier one of the same item."""
        self._results[result.dataset, result.algorithm, result.fold] = result

    def to_frame(self) -> pd.DataFrame:
        """Return all results, one row per dataset, algorithm, fold and metric.

        Columns: dataset, algorithm, configuration, fold (missing for single splits), metric, k (missing for
        rating metrics), value; and group (missing for everybody) behind k where a metric is divided into groups.
        """
        import pandas as pd

        rows: list[dict[str, Any]] = []
        for result in self.results:
            for label, value in result.metrics.items():
                name, k = split_label(label)
                rows.append(
                    {
                        "dataset": result.dataset,
                        "algorithm": result.algorithm,
                        "configuration": result.configuration,
                        "fold": result.fold,
                        "metric": name,
                        "k": k,
                        "group": group_of(label) or None,
                        "value": value,
                    }
                )
        group = ["group"] if any(row["group"] for row in rows) else []
        names = ["dataset", "algorithm", "configuration", "fold", "metric", "k", *group, "value"]
        return pd.DataFrame(rows, columns=names).astype({"fold": "Int64", "k": "Int64", "value": "float64"})

    def __repr__(self) -> str:
        from omnibench.tables.layout import Layout, tables
        from omnibench.tables.terminal import render

        if self._is_brief:
            return self._described
        layout = Layout(self.lower_is_better, shutil.get_terminal_size().columns)
        return "\n\n".join(render(table, colour=False) for table in tables(self.results, layout))

    def _repr_html_(self) -> str:
        from omnibench.markup import element, written
        from omnibench.tables.layout import Layout, tables
        from omnibench.tables.notebook import notebook_table

        if self._is_brief:
            return written(element("div", self._described))
        return "".join(written(notebook_table(table)) for table in tables(self.results, Layout(self.lower_is_better)))

    def note_shown(self) -> None:
        """Note that the tables were shown below the cell or the typed statement that runs: they need not be there twice."""
        self._shown_in = current_cell()

    @property
    def _is_brief(self) -> bool:
        """Whether there are no tables to show, or they stand above already."""
        return not self._results or (self._shown_in is not None and self._shown_in == current_cell())

    @property
    def _described(self) -> str:
        """The metrics and what is special about them, and how many results there are."""
        parts = [", ".join(self.labels) or "no metrics"]
        parts += [f"convention {self.convention}"] if self.convention != DEFAULT_CONVENTION else []
        parts += [repr(self.candidates)] if self.candidates is not UNSEEN else []
        number = len(self._results)
        results = f"{number} result{'' if number == 1 else 's'}" if number else "no results yet"
        return one_line(f"<Evaluator {'; '.join(parts)}; {results}>")

    def get_tables(self, width: int | None = None) -> list[Table]:
        """Return rich tables: a row per algorithm and fold, a column per metric.

        Args:
            width: Characters per line, the terminal's by default; a dataset with more metrics than fit gets
                several tables, because rich would cut the numbers.
        """
        from rich.console import Console

        from omnibench.tables.layout import Layout, tables
        from omnibench.tables.terminal import rich_table

        layout = Layout(self.lower_is_better, width or Console().width)
        return [rich_table(table) for table in tables(self.results, layout)]

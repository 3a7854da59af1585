"""Metrics in general: a name, a version, parameters, and a value per user."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias

from omnibench.errors import EvaluationError
from omnibench.keys import canonical
from omnibench.metrics.labels import BY, noted_label, split_label, ungrouped_label

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from omnibench.metrics.groups import Grouping
else:
    from omnibench.lazy import np, npt

Values: TypeAlias = "npt.NDArray[np.float64]"

DEFAULT_CONVENTION = "omnibench"
PEERS = {"omnirec": "OmniRec", "recbole": "RecBole", "lenskit": "LensKit", "trec": "trec_eval"}
"""The names of conventions that an evaluator can follow, and the packages that they come from."""


def checked_name(name: str) -> str:
    """Check a name that a user chose for a metric, and return it.

    Raises:
        EvaluationError: A label of it could not be told apart.
    """
    if not name or "@" in name or "[" in name:
        raise EvaluationError(
            f"a metric cannot be called {name!r}: its columns are called NAME@K, or NAME[CANDIDATES]@K; choose another "
            "name."
        )
    return name


class Metric:
    """A metric; its name, version, parameters and convention are part of an evaluation's key.

    Attributes:
        kind: ``ranking`` for metrics of recommendation lists, ``rating`` for metrics of predicted ratings, ``cost`` for
            what the phases cost.
        version: Raise it when the meaning changes; results of the old version are then not reused.
        higher_is_better: Whether larger values are better.
        item_features: The names of the features of a dataset's items that it is made of.
        peers: The other conventions in which the metric exists; see ``docs/conventions.md``.
        convention: The one that it follows.
        judges_items: Whether it judges single items of the test part, so that it can be restricted to a group of items.
        groupings: What divides users or items into groups, each of which has columns of its own; empty for the metric of
            all of them.
        group: The only group that is judged, such as ``gender=F``; empty for each of them.
    """

    kind: ClassVar[str]
    version: ClassVar[int] = 1
    higher_is_better: bool = True
    item_features: tuple[str, ...] = ()
    peers: ClassVar[frozenset[str]] = frozenset()
    convention: str = DEFAULT_CONVENTION
    judges_items: ClassVar[bool] = False
    groupings: tuple[Grouping, ...] = ()
    group: str = ""

    @property
    def name(self) -> str:
        """The metric's name, as the field calls it."""
        return type(self).__name__

    @property
    def labels(self) -> list[str]:
        """The columns that the metric fills, e.g. ``["NDCG@10", "NDCG@20"]``."""
        raise NotImplementedError

    @property
    def parameters(self) -> dict[str, Any]:
        """All parameters that the metric's values depend on, except k."""
        return {}

    @property
    def is_mean(self) -> bool:
        """Whether the value is the mean of the values per user, so that it has a standard error."""
        return True

    @property
    def judged_by(self) -> dict[str, Any]:
        """What of the test ratings decides relevance and gains, by name; empty where ratings do not matter."""
        return {}

    def relevant_from(self, rating: float) -> Self:
        """Return this metric with a threshold of relevance, unless it has its own; itself where it judges none."""
        return self

    @property
    def stem(self) -> str:
        """The name in labels, e.g. ``NDCG[relevant=4]``: with whatever of the test ratings it is judged by."""
        notes = [f"{name}={value}" for name, value in self.judged_by.items()]
        return f"{self.name}[{', '.join(notes)}]" if notes else self.name

    @property
    def endings(self) -> list[str]:
        """What labels end with: a blank and the group, or what divides into groups; an empty text without groups."""
        if self.group:
            return [f" {self.group}"]
        return [f" {BY}{grouping.name}" for grouping in self.groupings] or [""]

    def divided(self) -> list[Self]:
        """Return this metric once for each of its groupings; itself where it has one or none."""
        if len(self.groupings) <= 1:
            return [self]
        alone = [copy.copy(self) for _ in self.groupings]
        for metric, grouping in zip(alone, self.groupings, strict=True):
            metric.groupings = (grouping,)
        return alone

    def of_group(self, group: str) -> Self:
        """Return this metric, which has one grouping, of a single group.

        Args:
            group: As labels call it, e.g. ``gender=F``.
        """
        restricted = copy.copy(self)
        restricted.group = group
        return restricted

    def require_everybody(self) -> None:
        """Refuse to calculate a single number of a metric that has one for each group.

        Raises:
            EvaluationError: It is such a metric.
        """
        if self.groupings:
            raise EvaluationError(
                f"{self!r} has a number for each group, which calculate does not return; omnibench.score(predictions, test, ...) "
                "measures them, or leave out by."
            )

    def label_like(self, label: str) -> str:
        """Return the label of this metric of a single group that has the length of another of its labels."""
        return f"{ungrouped_label(label)}{self.endings[0]}"

    def identity(self, label: str) -> list[Any]:
        """Return a column's part of the key of its evaluation; of a metric with at most one grouping."""
        _, k = split_label(label)
        parameters = (
            {**self.parameters, **self.judged_by} if k is None else {"k": k, **self.parameters, **self.judged_by}
        )
        if self.groupings:
            parameters["by"] = [grouping.identity for grouping in self.groupings]
            if self.group:
                parameters["group"] = self.group
        convention = [] if self.convention == DEFAULT_CONVENTION else [self.convention]
        return [self.name, parameters, self.version, *convention]

    def qualified(self, label: str, candidates: str) -> str:
        """Return a column's label in results and records: with convention and candidates unless they are the default.

        A store or a table may hold the same metric several times, e.g. ``NDCG@10`` and ``NDCG[lenskit]@10``.

        Args:
            label: The label.
            candidates: The note on the candidates that were ranked; empty for the default.
        """
        notes = [self.convention] if self.convention != DEFAULT_CONVENTION else []
        if candidates and self.kind in ("ranking", "calculated"):
            notes.append(candidates)
        return noted_label(label, notes) if notes else label

    def under(self, convention: str) -> Self:
        """Return this metric as another package computes it.

        Args:
            convention: ``omnirec``, ``recbole``, ``lenskit``, ``trec``, or ``omnibench`` for our own.

        Raises:
            EvaluationError: There is no such convention, or the package does not have the metric.
        """
        if convention == self.convention:
            return self
        if convention not in (DEFAULT_CONVENTION, *PEERS):
            raise EvaluationError(
                f"there is no convention {convention!r}; there are {', '.join([DEFAULT_CONVENTION, *PEERS])}."
            )
        if convention != DEFAULT_CONVENTION and convention not in self.peers:
            raise EvaluationError(
                f"{PEERS[convention]} has no {self.name}, so there is no convention of its own to follow; leave the "
                "metric out, or give it to an evaluator without a convention."
            )
        changed = copy.copy(self)
        changed.convention = convention
        return changed

    def canonical_identity(self, label: str) -> str:
        """Return the canonical text of ``identity``, made once per column."""
        texts: dict[str, str] = self.__dict__.setdefault("_identities", {})
        column = f"{self.convention}/{label}"  # a copy under another convention shares what was made
        if column not in texts:
            texts[column] = canonical(self.identity(label))
        return texts[column]

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(self.labels)})"


Columns: TypeAlias = Sequence[tuple[Metric, str]]
"""Metrics in their order, each with one of its labels, e.g. ``[(ndcg, "NDCG@10"), (ndcg, "NDCG@20")]``."""

"""What a metric is: a name, a version, parameters, and a value per user."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from omnibench.keys import canonical

Values = npt.NDArray[np.float64]


def split_label(label: str) -> tuple[str, int | None]:
    """Return a column's metric and list length: ``("NDCG", 10)`` of ``NDCG@10``, ``("RMSE", None)`` of ``RMSE``."""
    name, _, k = label.partition("@")
    return name, int(k) if k else None


class Metric:
    """A metric. Its name, version and parameters are part of an evaluation's key.

    Attributes:
        kind: ``ranking`` for metrics of recommendation lists, ``rating`` for metrics of predicted ratings.
        version: Raise it when the meaning changes; results of the old version are then not reused.
        higher_is_better: Which direction is good.
    """

    kind: ClassVar[str]
    version: ClassVar[int] = 1
    higher_is_better: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """The field's name of the metric."""
        return type(self).__name__

    @property
    def labels(self) -> list[str]:
        """The columns that the metric fills, e.g. ``["NDCG@10", "NDCG@20"]``."""
        raise NotImplementedError

    def identity(self, label: str) -> list[Any]:
        """What a column adds to the key of its evaluation."""
        _, k = split_label(label)
        return [self.name, {} if k is None else {"k": k}, self.version]

    def canonical_identity(self, label: str) -> str:
        """Return the canonical text of ``identity``, made once per column."""
        made: dict[str, str] = self.__dict__.setdefault("_identities", {})
        if label not in made:
            made[label] = canonical(self.identity(label))
        return made[label]

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(self.labels)})"

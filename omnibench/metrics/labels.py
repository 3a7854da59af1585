"""Labels of columns, such as ``NDCG@10``: and their parts."""

from __future__ import annotations


def split_label(label: str) -> tuple[str, int | None]:
    """Split a label into metric and list length: ``("NDCG", 10)`` for ``NDCG@10``, ``("RMSE", None)`` for ``RMSE``."""
    name, _, k = label.partition("@")
    return name, int(k) if k else None


def plain_label(label: str) -> str:
    """Return a column's label without convention and candidates: ``NDCG@10`` of ``NDCG[lenskit]@10``."""
    name, at, k = label.partition("@")
    return name.partition("[")[0] + at + k

"""Labels of columns, such as ``NDCG@10``, and their parts."""

from __future__ import annotations

from collections.abc import Iterable

from omnibench.errors import nearest


def split_label(label: str) -> tuple[str, int | None]:
    """Split a label into metric and list length: ``("NDCG", 10)`` for ``NDCG@10``, ``("RMSE", None)`` for ``RMSE``."""
    name, _, k = label.partition("@")
    return name, int(k) if k else None


def plain_label(label: str) -> str:
    """Return a column's label without convention and candidates: ``NDCG@10`` of ``NDCG[lenskit]@10``."""
    name, at, k = label.partition("@")
    return name.partition("[")[0] + at + k


def notes_of(label: str) -> list[str]:
    """Return what a column's label says in brackets: ``["relevant=4", "lenskit"]`` of ``NDCG[relevant=4, lenskit]@10``."""
    _, opening, notes = label.partition("@")[0].rstrip("]").partition("[")
    return notes.split(", ") if opening else []


def unmeasured(label: str, labels: Iterable[str]) -> str:
    """Return the sentence about a metric that nothing has: which was probably meant, and which there are.

    Args:
        label: What was asked for.
        labels: What there is.
    """
    present = list(dict.fromkeys(labels))
    guess, listed = nearest(label, present), ", ".join(present) or "none"
    return f"{label!r} was not measured{f'{guess} There' if guess else '; there'} are {listed}."


def alternatives(label: str, labels: Iterable[str]) -> str:
    """Return the end of a sentence about a metric that is not there: which there are, and which was probably meant."""
    present = list(dict.fromkeys(labels))
    return f"there are {', '.join(present) or 'none'}{nearest(label, present) or '.'}"

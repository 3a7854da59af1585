"""The sizes of groups: how many users the columns of each group are a mean over, a line for each dataset."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from omnibench.errors import StoreError
from omnibench.markup import one_line
from omnibench.metrics.labels import group_of
from omnibench.results import Result
from omnibench.store.reader import Reader
from omnibench.store.reading import read
from omnibench.store.schema import RecordType
from omnibench.tables.names import DisplayNames


def group_sentences(
    root: Path, results: Sequence[Result], titles: DisplayNames, *, untouched: bool = False
) -> list[str]:
    """Return how many users count in each group of the columns that are divided into groups, a sentence per dataset.

    Args:
        root: The checkpoint directory.
        results: The results that are shown.
        titles: What the tables call the datasets.
        untouched: Whether nothing in the checkpoint directory may be written for it.
    """
    examples: dict[str, list[Result]] = {}  # all algorithms are judged on the same users
    for result in results:
        if any(" " in label and group_of(label) for label in result.metrics):
            folds = examples.setdefault(result.dataset, [])
            if result.fit_key and (not folds or _is_fold_of(result, folds)):
                folds.append(result)
    if not examples:
        return []

    def take(reader: Reader) -> list[str]:
        sentences = {dataset: _sentence(reader, folds) for dataset, folds in examples.items()}
        return [f"{titles.dataset(dataset)}: {sentence}" for dataset, sentence in sentences.items() if sentence]

    try:
        return read(root / "store", take, untouched=untouched)
    except StoreError:  # whoever needed more of it has said so
        return []


def _is_fold_of(result: Result, folds: Sequence[Result]) -> bool:
    return result.algorithm == folds[0].algorithm and result.fold not in {fold.fold for fold in folds}


def _sentence(reader: Reader, folds: Sequence[Result]) -> str:
    sizes: dict[str, dict[str, list[int]]] = {}
    for result in folds:
        counted: dict[str, int] = {}
        metrics = (reader.get(RecordType.ITEM.key(result.fit_key)) or {}).get("metrics", {})
        for label in result.metrics:
            group = group_of(label)
            if not group or label not in metrics:
                continue
            evaluation = reader.get(RecordType.EVAL.key(metrics[label]["key"])) or {}
            users = evaluation.get("counted", evaluation.get("users"))
            if users is not None and evaluation.get("place"):  # of single users, of some of whom it may be undefined
                counted[group] = max(users, counted.get(group, 0))
        for group, users in counted.items():
            grouping, _, value = group.partition("=")
            sizes.setdefault(grouping, {}).setdefault(value, []).append(users)
    texts = [
        f"by {grouping}: {', '.join(f'{one_line(value)} {_range(counts)}' for value, counts in groups.items())}"
        for grouping, groups in sizes.items()
    ]
    return f"users {'of a fold ' if len(folds) > 1 else ''}{'; '.join(texts)}" if texts else ""


def _range(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"

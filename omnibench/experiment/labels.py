"""Labels of the datasets of a benchmark: their names, and the steps in which datasets of one name differ."""

from __future__ import annotations

import re
from collections.abc import Sequence

from omnibench.data.dataset import RecSysDataSet
from omnibench.keys import canonical, display
from omnibench.naming import plain_label


def dataset_labels(datasets: Sequence[RecSysDataSet]) -> dict[str, str]:
    """Return the label of each dataset, e.g. ``MovieLens100K(CorePruning(5))``, by its key; no two are equal.

    Args:
        datasets: All that are shown together.
    """
    by_key = {dataset.key: dataset for dataset in datasets}
    labels: dict[str, str] = {}
    for key, dataset in by_key.items():
        namesakes = [namesake for namesake in by_key.values() if namesake.name == dataset.name]
        words = _own_steps(dataset, namesakes) if len(namesakes) > 1 else []
        if len({namesake.seed for namesake in namesakes}) > 1:
            words.append(f"seed={dataset.seed}")
        labels[key] = plain_label(f"{dataset.name}({','.join(words)})" if words else dataset.name)
    texts = [label.casefold() for label in labels.values()]
    return {
        key: display(by_key[key].name, by_key[key].node_key) if texts.count(label.casefold()) > 1 else label
        for key, label in labels.items()
    }


def _own_steps(dataset: RecSysDataSet, namesakes: Sequence[RecSysDataSet]) -> list[str]:
    """Return the steps of a dataset that not all datasets of its name have."""
    shared = set.intersection(*({canonical(step.identity) for step in namesake.steps} for namesake in namesakes))
    return [re.sub(r"\s", "", repr(step)) for step in dataset.steps if canonical(step.identity) not in shared]

"""Compare an adapter's lists with those of the dense scores that the framework's own calls give for each user.

python dense_scores.py GUEST_DIRECTORY MODULE DATASET ALGORITHM PARAMETERS_JSON SAMENESS ...

Algorithm, parameters and sameness may be repeated. ``equal`` lists have the same bytes, ``close`` ones differ by no more
than rounding does.
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any

import numpy as np
from guest_package import open_session


def lenskit_scores(adapter: Any, model: Any, fold: Any) -> Any:
    """Ask the scorer for each user."""
    items, codes = adapter.ItemList.from_vocabulary(model.train.items), model.train.items.ids()
    scores = np.full((len(fold.users), fold.n_items), np.nan, dtype=np.float32)
    for row, user in enumerate(fold.users.tolist()):
        scores[row, codes] = model.ask(model.scorer, user, items)
    return scores


def recpack_scores(adapter: Any, model: Any, fold: Any) -> Any:
    """Make a dense matrix of the whole prediction, where zeros are no scores."""
    predicted = model.predict(adapter.binary_matrix(fold, fold.history, fold.users))[fold.users].toarray()
    return np.where((predicted == 0) | ~fold.candidates, np.nan, predicted)


def recbole_scores(adapter: Any, model: Any, fold: Any) -> Any:
    """Sort all items of all users that the model knows."""
    scores = np.full((len(fold.users), fold.n_items), np.nan)
    for row, user in enumerate(fold.users.tolist()):
        numbers = np.flatnonzero(model.users == user) + 1
        if len(numbers):
            scores[row, model.items] = adapter._full_sort(model, adapter.torch.from_numpy(numbers)).numpy()[0, 1:]
    return np.where(fold.candidates, scores, np.nan)


def assert_close(rows: Any, expected: Any, dense: Any, algorithm: str) -> None:
    """Fail where a list has another length, or an item that is not as good as what stands there, up to rounding."""
    tolerance = 1e-5 * max(1.0, float(np.nanmax(np.abs(dense), initial=0)))
    is_filled = expected["item"] >= 0
    assert np.array_equal(rows["item"] >= 0, is_filled), algorithm
    for user in range(len(rows)):
        length = int(is_filled[user].sum())
        items = rows["item"][user][:length]
        assert len(set(items.tolist())) == length, algorithm
        for scores in (dense[user][items], rows["score"][user][:length]):
            assert np.abs(scores - expected["score"][user][:length]).max(initial=0) <= tolerance, (algorithm, user)


def bound_more() -> None:
    """Have sums of neighbours bounded as they are in large data, where few items have most similarities."""
    for module, name, number in (
        ("sum_bounds", "_COLUMNS", 2),
        ("sum_bounds", "_LEAST_BOUNDED", 0),
        ("sum_bounds", "_MOST_OPEN", 1),
        ("column_numbers", "_LEAST_SAVED", 0),
    ):
        assert hasattr(importlib.import_module(f"guest.{module}"), name)
        setattr(importlib.import_module(f"guest.{module}"), name, number)


def main(guest: str, module: str, dataset: str, *experiments: str) -> None:
    """Fail with the algorithm whose lists differ, or which makes dense scores where it should not."""
    adapter = open_session(guest, module).adapter
    base, folds, ranking, candidates = (
        importlib.import_module(f"guest.{name}") for name in ("base", "folds", "ranking", "candidates")
    )
    if module == "lenskit":  # so that neighbours come in several batches
        importlib.import_module("guest.lenskit_scores").ENTRIES = 100
    fold = folds.Fold(dataset, 0)
    sampled = candidates.candidate_sets(fold, {"policy": "sampled", "negatives": 9, "seed": 1})
    for algorithm, text, sameness in zip(experiments[::3], experiments[1::3], experiments[2::3], strict=True):
        parameters = json.loads(text)
        is_bounded = parameters.pop("bounded", False)
        if is_bounded:
            bound_more()
        task = base.Task(algorithm, parameters, seed=42, k=20)
        model, _ = adapter.fit(task, fold)
        batches = list(adapter.score(model, task, fold))
        assert all(isinstance(scores, ranking.CompactScores) for _, scores in batches), algorithm
        dense = globals()[f"{module}_scores"](adapter, model, fold)
        for k in (1, 20, fold.n_items):
            for sets in (None, sampled):
                expected = ranking.recommend(fold, [(fold.users, dense)], k, sets)
                rows = ranking.recommend(fold, batches, k, sets)
                if sameness == "equal":
                    assert rows.dtype == expected.dtype, (algorithm, parameters, k)
                    assert rows.tobytes() == expected.tobytes(), (algorithm, parameters, k)
                else:
                    assert_close(rows, expected, dense, algorithm)
        if is_bounded:
            counts: Any = sum(scores.limits._bounds.groups.counts for _, scores in batches)
            assert counts[0] > 0, (algorithm, parameters)


if __name__ == "__main__":
    main(*sys.argv[1:])

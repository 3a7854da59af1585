"""The bare work of each step of ``eight_algorithms.py`` on this machine: what it is about, computed with nothing around it."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from omnibench.guest.folds import Fold

WIDTH = 64
NEIGHBOURS = 100
BLOCK = 1024
"""Users whose scores are computed together."""
REPETITIONS = 3
_WRITTEN = 1 << 22


def least(name: str, fold: Fold, published: int, k: int) -> dict[str, float]:
    """Return the CPU seconds of the bare work of each step with this data; better algorithms for the same may get below.

    Predict is the product that makes the scores (by BLAS for factors, by SciPy for neighbours and for a whole matrix of weights), or,
    where everybody has the same scores, reading the training part once. Checking reads lists and training part once,
    evaluating lists and test part; publishing writes what is published and computes its digest. Fit has none but the
    bare script's.

    Args:
        name: The algorithm.
        fold: The fold.
        published: How many bytes are published.
        k: How long lists are.
    """
    lists = np.zeros((len(fold.users), k), dtype=np.int32)
    train, test = fold.train, fold.test
    return {
        "predict": _least_of(_scores(name, fold), 1),
        "check": _least_of(lambda: (lists.sum(), train.user.sum(), train.item.sum())),
        "evaluate": _least_of(lambda: (lists.sum(), test.user.sum(), test.item.sum())),
        "publish": _least_of(lambda: _publish(published)),
    }


def _least_of(work: Callable[[], Any], repetitions: int = REPETITIONS) -> float:
    """Return the CPU seconds of some work, the least of some repetitions."""
    seconds = []
    for _ in range(repetitions):
        began = time.process_time()
        work()
        seconds.append(time.process_time() - began)
    return min(seconds)


def _publish(size: int) -> None:
    """Write so many bytes to the disk, and compute their digest."""
    content, digest = bytes(_WRITTEN), hashlib.sha256()
    with tempfile.TemporaryFile() as file:
        for start in range(0, size, _WRITTEN):
            piece = content[: size - start]
            digest.update(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())


def _scores(name: str, fold: Fold) -> Callable[[], object]:
    """Return what computes an algorithm's scores with drawn numbers, in blocks of users, and keeps none."""
    random = np.random.default_rng(1)
    users, items = fold.users, fold.n_items
    if name in ("Pop", "own class"):
        return lambda: (fold.train.user.sum(), fold.train.item.sum())
    if name in ("ItemKNN", "EASE"):
        return _product_of_histories(fold, name, random)
    user, item = (random.standard_normal((n, WIDTH), dtype=np.float32) for n in (len(users), items))
    scores = np.empty((min(BLOCK, len(users)), items), dtype=np.float32)

    def multiply() -> None:
        for start in range(0, len(users), BLOCK):
            block = user[start : start + BLOCK]
            np.matmul(block, item.T, out=scores[: len(block)])

    return multiply


def _product_of_histories(fold: Fold, name: str, random: np.random.Generator) -> Callable[[], object]:
    """Return the product of the users' histories and a matrix of similarities: of 100 neighbours each, or dense."""
    from scipy.sparse import csr_matrix

    shape = (fold.n_users, fold.n_items)
    ones = np.ones(len(fold.train), dtype=np.float32)
    history = csr_matrix((ones, (fold.train.user, fold.train.item)), shape=shape)
    if name == "EASE":
        weights: Any = random.standard_normal((fold.n_items, fold.n_items), dtype=np.float32)
    else:
        neighbours = min(NEIGHBOURS, fold.n_items)
        column = (random.random(fold.n_items * neighbours) ** 2 * fold.n_items).astype(np.int32)
        row = np.repeat(np.arange(fold.n_items), neighbours)
        square = (fold.n_items, fold.n_items)
        weights = csr_matrix((random.random(len(row), dtype=np.float32), (row, column)), shape=square)

    def multiply() -> None:
        for start in range(0, len(fold.users), BLOCK):
            history[fold.users[start : start + BLOCK]] @ weights

    return multiply

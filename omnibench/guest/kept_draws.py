"""Draws of sampled candidates, kept beside their fold: host, guests and later runs draw them once together."""

from __future__ import annotations

import contextlib
import hashlib
import os
import uuid
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .folds import Fold, save_array
from .parts import Ints


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """The candidates of the users to recommend for.

    Attributes:
        size: How many each of ``fold.users`` has, int32.
        item: Their item codes, user after user, int32.
    """

    size: Ints
    item: Ints


def kept(fold: Fold, negatives: int, seed: int) -> Draw | None:
    """Return the draw that is kept beside a fold; None where there is none, or it is damaged.

    Args:
        fold: The fold.
        negatives: How many items are drawn for each user.
        seed: The seed of the draw.
    """
    try:
        with _path(fold, negatives, seed).open("rb") as file:
            digest, size, item = (np.load(file, allow_pickle=False) for _ in range(3))
    except Exception:  # numpy raises whatever comes of a damaged header, a TokenError among it
        return None
    draw = Draw(size, item)
    is_whole = size.dtype == item.dtype == np.int32 and size.shape == fold.users.shape and size.sum() == len(item)
    return draw if is_whole and np.array_equal(digest, _digest(draw)) else None


def keep(fold: Fold, negatives: int, seed: int, draw: Draw) -> None:
    """Keep a draw beside its fold, whole or not at all; where nothing can be written, every process draws for itself.

    Args:
        fold: The fold.
        negatives: How many items are drawn for each user.
        seed: The seed of the draw.
        draw: The draw.
    """
    path = _path(fold, negatives, seed)
    scratch = path.with_name(f".{uuid.uuid4().hex}.partial")
    try:
        save_array(scratch, _digest(draw), draw.size, draw.item)
        os.replace(scratch, path)
    except OSError:
        with contextlib.suppress(OSError):
            scratch.unlink()


def _path(fold: Fold, negatives: int, seed: int) -> Path:
    parts = "".join(f"-{part}" for part in (fold.refit, fold.judged) if part)
    return fold.directory / f"fold_{fold.number}" / f"sampled-{negatives}-{seed}{parts}.npy"


def _digest(draw: Draw) -> npt.NDArray[np.uint8]:
    digest = hashlib.sha256(draw.size.data)
    digest.update(draw.item.data)
    return np.frombuffer(digest.digest(), dtype=np.uint8)

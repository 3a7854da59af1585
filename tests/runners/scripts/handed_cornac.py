"""What the adapter hands to Cornac, against what ``Dataset.build`` makes of the same rows; and that all models are known.

python handed_cornac.py GUEST_DIRECTORY
"""

from __future__ import annotations

import importlib
import inspect
import sys

import numpy as np
from cornac import models
from cornac.data import Dataset
from guest_package import open_session

BASES = {"Recommender", "NextBasketRecommender", "NextItemRecommender"}


def main(guest: str) -> None:
    """Compare both datasets, member by member."""
    open_session(guest, "cornac")
    data, parts, chosen = (
        importlib.import_module(f"guest.{name}") for name in ("cornac_data", "parts", "cornac_models")
    )
    user = np.array([0, 0, 0, 2, 2, 5, 5, 5], dtype=np.int32)
    item = np.array([7, 3, 7, 3, 1, 1, 9, 1], dtype=np.int32)  # two pairs are repeated
    rating = np.array([4, 2, 1, 5, 3, 2, 1, 5], dtype=np.float32)
    part = parts.Part(user, item, rating, None)
    users, items = data.numbered(part, 8, 12)
    for rated, values in ((True, rating), (False, np.ones(len(user)))):
        ours = data.dataset_of(part, users, items, 7, rated=rated)
        own = Dataset.build(list(zip(user.tolist(), item.tolist(), values.tolist(), strict=True)), seed=7)
        for name in (
            "num_users",
            "num_items",
            "uid_map",
            "iid_map",
            "num_ratings",
            "max_rating",
            "global_mean",
            "seed",
        ):
            assert getattr(ours, name) == getattr(own, name), name
        for mine, theirs in zip(ours.uir_tuple, own.uir_tuple, strict=True):
            assert mine.dtype == theirs.dtype
            assert mine.tolist() == theirs.tolist()
    offered = {name for name, member in vars(models).items() if inspect.isclass(member)} - BASES
    assert offered == chosen.RUNNABLE.keys() | chosen.REFUSED.keys()


if __name__ == "__main__":
    main(*sys.argv[1:])

"""RecBole's data of a fold by omnibench's adapter and by RecBole's own reading of text files: the same batches and draws.

python handed_recbole.py GUEST_DIRECTORY      (it writes into the working directory)
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from guest_package import open_session
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import init_seed

DRAWN = {
    "BPR": [
        {"distribution": "uniform", "sample_num": 1},
        {"distribution": "uniform", "sample_num": 3},
        {"distribution": "popularity", "sample_num": 2, "alpha": 0.5},
    ],
    "NeuMF": [{"distribution": "uniform", "sample_num": 2}, {"distribution": "popularity", "sample_num": 1}],
    "MultiVAE": [None],
    "EASE": [None],
}
"""Models that learn from pairs, from single interactions, from users and from everything, with their negative samples."""


def random_part(rows: int, users: np.ndarray, seed: int) -> Any:
    """Return a part without repeated pairs, items in no order."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"user": rng.choice(users, rows), "item": (40 * rng.random(rows) ** 2).astype(int) * 2 + 7})
    frame = frame.drop_duplicates().sort_values("user", kind="stable")
    return parts.Part(frame["user"].to_numpy(np.int32), frame["item"].to_numpy(np.int32), None, None)


def configuration(model: str, drawn: Any, files: list[str]) -> Any:
    """Return RecBole's configuration, in small batches."""
    settings = {"train_neg_sample_args": drawn, "train_batch_size": 96, "eval_batch_size": 200, "seed": 5}
    return Config(
        model=model,
        dataset="own",
        config_dict={**settings, "data_path": ".", "benchmark_filename": files, "gpu_id": "", "show_progress": False},
    )


def write(name: str, part: Any) -> None:
    """Write a part as RecBole reads it."""
    frame = pd.DataFrame({"user_id:token": part.user, "item_id:token": part.item})
    frame.to_csv(f"own/own.{name}.inter", sep="\t", index=False)


def compare(config: Any, train: Any, validation: Any) -> None:
    """Compare the data sets, and all batches of two epochs and of an evaluation."""
    data = create_dataset(config)
    train_own, validation_own, _ = data_preparation(config, data)
    fold = recbole_data.numbered(train, validation)
    train_ours, validation_ours = recbole_loaders.loaders(config, recbole_data.PairDataset(config, fold), fold)
    for field, codes in ((data.uid_field, fold.users), (data.iid_field, fold.items)):
        assert data.field2id_token[field].tolist() == train_ours.dataset.field2id_token[field].tolist()
        assert [str(code) for code in codes] == data.field2id_token[field][1:].tolist()
    for name in ("field2type", "field2source", "field2seqlen", "user_num", "item_num", "inter_num", "feat_name_list"):
        assert getattr(train_own.dataset, name) == getattr(train_ours.dataset, name), name
    assert dict(train_own.dataset.item_counter) == dict(train_ours.dataset.item_counter)
    assert (train_own.dataset.inter_matrix("csr") != train_ours.dataset.inter_matrix("csr")).nnz == 0
    drawn = []
    for loader in (train_own, train_ours):
        init_seed(11, True)
        histories = loader.dataset.history_item_matrix()
        drawn.append([*histories, *(batch for _ in range(2) for batch in loader)])
    assert len(drawn[0]) == len(drawn[1]) > 3
    for theirs, ours in zip(*drawn, strict=True):
        columns = ([theirs], [ours]) if not hasattr(theirs, "interaction") else batch_columns(theirs, ours)
        assert all(mine.dtype == other.dtype and (mine == other).all() for other, mine in zip(*columns, strict=True))
    if len(validation) == 0:
        assert validation_ours is None
        return
    assert len(validation_own) == len(validation_ours)
    for theirs, ours in zip(validation_own, validation_ours, strict=True):
        (users, history, *held_out), (our_users, our_history, *our_held_out) = theirs, ours
        assert users[data.uid_field].tolist() == our_users[data.uid_field].tolist()
        for pairs, our_pairs in ((history, our_history), (held_out, our_held_out)):
            assert sorted(zip(*(column.tolist() for column in pairs), strict=True)) == sorted(
                zip(*(column.tolist() for column in our_pairs), strict=True)
            )
            assert [column.dtype for column in pairs] == [column.dtype for column in our_pairs]


def batch_columns(theirs: Any, ours: Any) -> tuple[list[Any], list[Any]]:
    """Return the columns of two batches, which have the same names."""
    assert theirs.columns == ours.columns
    return [theirs[name] for name in theirs.columns], [ours[name] for name in theirs.columns]


if __name__ == "__main__":
    open_session(sys.argv[1], "recbole")
    sys.argv = sys.argv[:1]  # Config would take the command line for settings
    parts, recbole_data, recbole_loaders = (
        importlib.import_module(f"guest.{name}") for name in ("parts", "recbole_data", "recbole_loaders")
    )
    Path("own").mkdir()
    train = random_part(700, np.arange(3, 120, 3), seed=1)
    validation = random_part(
        150, np.arange(0, 150, 2), seed=2
    )  # with users of its own, and pairs that are in training, too
    write("train", train)
    write("validation", validation)
    for model, each_drawn in DRAWN.items():
        for drawn in each_drawn:
            compare(configuration(model, drawn, ["train", "validation", "train"]), train, validation)
            compare(
                configuration(model, drawn, ["train", "train", "train"]), train, parts.rows_of(validation, slice(0))
            )

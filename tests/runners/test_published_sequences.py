"""RecBole's sequential models with the settings that RecBole publishes, beside its own script, on MovieLens-100K.

Its quick start (docs/source/get_started/sequential.rst, commit 07a67dc1) has the log of GRU4Rec on all of MovieLens-100K,
leave-one-out, with every setting. Tables of many models are in RecBole-GNN, of other data: Diginetica for sequences
(results/sequential/diginetica.md, commit 7d21d565), and MovieLens-1M for general models.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.recbole_lists import differences

from omnibench import CorePruning, LeaveLastOut, MakeImplicit, Subsample, load_dataset
from omnibench.data.prepare import prepare

TRAINING: dict[str, Any] = {"train_batch_size": 4096, "eval_batch_size": 4096, "MAX_ITEM_LIST_LENGTH": 50}
SETTINGS: dict[str, dict[str, Any]] = {
    "GRU4Rec": {
        "embedding_size": 64,
        "hidden_size": 128,
        "num_layers": 1,
        "dropout_prob": 0.3,
        "loss_type": "CE",
        "valid_metric": "MRR@10",
    },
    "SASRec": {
        "hidden_size": 64,
        "learning_rate": 0.001,
        "n_layers": 2,
        "attn_dropout_prob": 0.2,
        "hidden_dropout_prob": 0.2,
        "valid_metric": "MRR@10",
    },
}
"""GRU4Rec's of the quick start, and SASRec's of the table, beside ``TRAINING``, which both have."""


@pytest.mark.catalogue
@pytest.mark.guests
@pytest.mark.parametrize("name", SETTINGS)
def test_published_settings_give_the_lists_of_recboles_own_script(
    name: str, environment_python: Callable[[str], Path], tmp_path: Path
) -> None:
    """Of 60 users of MovieLens-100K, whose sequences fill a batch; two epochs."""
    data, work = tmp_path / "data", tmp_path / "work"
    data.mkdir()
    work.mkdir()
    some = (MakeImplicit(1), Subsample(60, of="users"), CorePruning(5), LeaveLastOut(validation_size=1))
    prepare(load_dataset("MovieLens100K").pipe(*some), data)
    settings = {**TRAINING, **SETTINGS[name], "epochs": 2}
    own = {name: {"train_neg_sample_args": None}}
    assert not differences(environment_python("RecBole"), "recbole_sequences_own.py", data, work, settings, own)

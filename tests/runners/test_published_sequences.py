"""What RecBole publishes of its sequential models on MovieLens-100K, and its published settings beside its own script.

Its quick start (docs/source/get_started/sequential.rst, commit 07a67dc1) has the log of GRU4Rec on all of MovieLens-100K,
leave-one-out, with every setting. Its tables of many models are of other data: Diginetica for sequences (RecBole-GNN,
results/sequential/diginetica.md, commit 7d21d565), and MovieLens-1M for general models.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from support.recbole_lists import differences

from omnibench import CorePruning, LeaveLastOut, MakeImplicit, Subsample, load_dataset
from omnibench.data.prepare import prepare
from omnibench.runners.gateway import Guest
from omnibench.runners.registry import get_runner
from omnibench.runners.thread_variables import thread_variables

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

SEED = 2020
"""RecBole's default, which the quick start leaves as it is."""

FIRST_EPOCH = {"loss": (176.3402, 0.8), "validation": (0.0081, 0.004)}
"""The log's loss, added up over 24 batches, and MRR@10 of the validation part, each with the tolerance: half a percent, as
dropout draws other numbers on a GPU; and two standard errors of a mean over 943 users, of whom few have a hit."""


@pytest.mark.catalogue
@pytest.mark.guests
def test_the_first_epoch_is_that_of_recboles_published_log(
    environment_python: Callable[[str], Path], tmp_path: Path
) -> None:
    """All of MovieLens-100K; the later epochs, 43 in the log, would take hours on a CPU."""
    data, model = tmp_path / "data", tmp_path / "model"
    data.mkdir()
    model.mkdir()
    prepare(load_dataset("MovieLens100K").pipe(MakeImplicit(1), LeaveLastOut(validation_size=1)), data)
    request = {
        "op": "fit",
        "algorithm": "GRU4Rec",
        "parameters": {**TRAINING, **SETTINGS["GRU4Rec"], "epochs": 1},
        "seed": SEED,
        "device": "cpu",
        "threads": 1,
        "dataset": str(data),
        "fold": 0,
        "output": str(model),
        "fit_key": "published",
    }
    reports: list[Mapping[str, Any]] = []
    python = environment_python("RecBole")
    with Guest(get_runner("RecBole"), python, tmp_path, tmp_path, 1, thread_variables(1), lambda *_: None) as guest:
        guest.ask(request, on_progress=reports.append)
    last = reports[-1]
    for name, (published, tolerance) in FIRST_EPOCH.items():
        assert last[name] == pytest.approx(published, abs=tolerance), (name, dict(last))


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

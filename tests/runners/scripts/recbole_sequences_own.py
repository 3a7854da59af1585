"""RecBole's sequential models as RecBole itself runs them: its own reading, augmentation and split of one text file.

python recbole_sequences_own.py DATASET FOLD SEED JOBS      (it writes into the working directory)

The parts of the fold are rows of the file; its leave-one-out finds the same last and last but one interactions again.
"""

from __future__ import annotations

import os
from pathlib import Path

os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"

import numpy as np
import pandas as pd
import torch
from fold_files import FoldFiles
from jobs import Job
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, get_trainer, init_seed
from recbole_lists import run_lists


def configuration(model: str, settings: dict[str, object]) -> Config:
    """Return RecBole's configuration of a model, with its defaults but for where the data lies."""
    columns = {"inter": ["user_id", "item_id", "timestamp"]}
    here = {"data_path": ".", "gpu_id": "", "show_progress": False}
    return Config(model=model, dataset="own", config_dict={"load_col": columns, **settings, **here})


def main(files: FoldFiles, seed: int, job: Job) -> np.ndarray:
    """Return the top-20 lists with scores, shape (users, 20)."""
    rows = pd.concat([files.train, files.validation, files.test])
    assert set(rows["item"]) == set(files.train["item"]), "else RecBole would know items that the adapter does not"
    Path("own").mkdir(exist_ok=True)
    columns = {"user": "user_id:token", "item": "item_id:token", "timestamp": "timestamp:float"}
    rows[list(columns)].rename(columns=columns).to_csv("own/own.inter", sep="\t", index=False)

    config = configuration(job.algorithm, {**job.settings, "seed": seed})
    init_seed(config["seed"], config["reproducibility"])
    data = create_dataset(config)
    train, valid, held_out = data_preparation(config, data)
    for part, loader in ((files.validation, valid), (files.test, held_out)):
        user, item = (loader.dataset.inter_feat[field] for field in (data.uid_field, data.iid_field))
        tokens = (data.id2token(data.uid_field, user), data.id2token(data.iid_field, item))
        assert set(zip(*tokens, strict=True)) == set(
            zip(part["user"].astype(str), part["item"].astype(str), strict=True)
        )
    init_seed(config["seed"] + config["local_rank"], config["reproducibility"])
    model = get_model(config["model"])(config, train.dataset).to(config["device"])
    trainer = get_trainer(config["MODEL_TYPE"], config["model"])(config, model)
    trainer.fit(train, valid, saved=True, show_progress=False)
    trainer.evaluate(held_out, load_best_model=True, show_progress=False)

    lists = {}
    with torch.no_grad():
        for inputs, _, _, _ in held_out:
            scored = model.full_sort_predict(inputs).view(len(inputs), data.item_num)[:, 1:]
            users = data.id2token(data.uid_field, inputs[data.uid_field])
            ranked = scored.sort(dim=1, descending=True, stable=True)
            for user, row_scores, row in zip(users.tolist(), ranked.values, ranked.indices, strict=True):
                tokens = data.id2token(data.iid_field, (row + 1).numpy())
                lists[int(user)] = files.cut(int(user), [int(token) for token in tokens], row_scores.tolist(), 20)
    return np.array([lists[user] for user in files.users.tolist()])


if __name__ == "__main__":
    run_lists(main)

"""RecBole as its ``run_recbole`` does it, step by step, and ``full_sort_topk`` as in its case study.

python recbole_own.py DATASET FOLD SEED JOBS      (it writes into the working directory)
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"

import logging

import numpy as np
import torch
from fold_files import FoldFiles
from jobs import Job, run_jobs
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.data.transform import construct_transform
from recbole.model.abstract_recommender import AbstractRecommender
from recbole.utils import get_flops, get_model, get_trainer, init_seed
from recbole.utils.case_study import full_sort_topk

CHANGES = {
    "seeded before ranking",
    "test part unknown to the model",
    "validation part unknown to the model",
    "operations not counted",
}


def configuration(model: str, settings: dict[str, object]) -> Config:
    """Return RecBole's configuration of a model, with its defaults but for where the data lies."""
    here = {"data_path": ".", "benchmark_filename": ["train", "valid", "test"], "gpu_id": "", "show_progress": False}
    return Config(model=model, dataset="own", config_dict={**settings, **here})


def defaults(model: str) -> dict[str, object]:
    """Return a model's settings with their defaults."""
    return dict(configuration(model, {}).final_config_dict)


USERS_AT_ONCE, FEW_USERS = 256, 4
"""How many users are ranked together; few where every pair of user and item takes memory."""


def main(files: FoldFiles, seed: int, job: Job) -> np.ndarray:
    """Return the top-20 lists with scores, shape (users, 20)."""
    assert CHANGES.issuperset(job.changes), job.changes
    test, validation = files.test, files.validation
    if "validation part unknown to the model" in job.changes:
        validation = files.train
    if "test part unknown to the model" in job.changes:
        known_users = set(files.train["user"]) | set(validation["user"])
        known_items = set(files.train["item"]) | set(validation["item"])
        test = test[test["user"].isin(known_users) & test["item"].isin(known_items)]
    Path("own").mkdir(exist_ok=True)
    for name, part in (("train", files.train), ("valid", validation), ("test", test)):
        columns = part[["user", "item"]].rename(columns={"user": "user_id:token", "item": "item_id:token"})
        columns.to_csv(f"own/own.{name}.inter", sep="\t", index=False)

    config = configuration(job.algorithm, {**job.settings, "seed": seed})
    init_seed(config["seed"], config["reproducibility"])
    data = create_dataset(config)
    train, valid, held_out = data_preparation(config, data)
    init_seed(config["seed"] + config["local_rank"], config["reproducibility"])
    model = get_model(config["model"])(config, train.dataset).to(config["device"])
    if "operations not counted" not in job.changes:
        get_flops(model, data, config["device"], logging.getLogger(), construct_transform(config))
    trainer = get_trainer(config["MODEL_TYPE"], config["model"])(config, model)
    trainer.fit(train, valid, saved=True, show_progress=False)
    trainer.evaluate(held_out, load_best_model=True, show_progress=False)

    if "seeded before ranking" in job.changes:
        init_seed(config["seed"], config["reproducibility"])
    users = files.users.tolist()
    numbers = data.token2id(data.uid_field, [str(user) for user in users])
    at_once = USERS_AT_ONCE if scores_all_items(model) else FEW_USERS
    lists = []
    for start in range(0, len(users), at_once):
        some = slice(start, start + at_once)
        scores, ranked = full_sort_topk(numbers[some], model, held_out, k=data.item_num, device=config["device"])
        for user, row_scores, row in zip(users[some], scores, ranked, strict=True):
            is_ranked = row_scores > -np.inf
            tokens = data.id2token(data.iid_field, row[is_ranked].numpy())
            lists.append(files.cut(user, [int(token) for token in tokens], row_scores[is_ranked].tolist(), 20))
    return np.array(lists)


def scores_all_items(model: torch.nn.Module) -> bool:
    """Say whether a model scores all items of a user at once; ``full_sort_topk`` makes pairs for the others."""
    return type(model).full_sort_predict is not AbstractRecommender.full_sort_predict


if __name__ == "__main__":
    dataset, fold, seed, jobs = sys.argv[1:]
    files = FoldFiles(dataset, fold)
    torch.set_num_threads(1)
    sys.argv = sys.argv[:1]  # Config would take the command line for settings
    run_jobs(jobs, lambda job: main(files, int(seed), job), defaults)

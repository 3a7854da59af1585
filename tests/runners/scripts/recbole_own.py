"""RecBole as its documentation uses it: Config, create_dataset, data_preparation, Trainer, full_sort_topk.

python recbole_own.py DATASET FOLD SEED ALGORITHM OUTPUT ...      (it writes into the working directory)
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"

import numpy as np
import torch
from fold_files import FoldFiles
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, get_trainer, init_seed
from recbole.utils.case_study import full_sort_topk

SETTINGS = {
    "ItemKNN": {"train_neg_sample_args": None},
    "BPR": {"epochs": 3},
}


def main(dataset: str, fold: str, algorithm: str, seed: str, output: str) -> None:
    """Write the top-20 lists, shape (users, 20)."""
    files = FoldFiles(dataset, fold)
    known_users = set(files.train["user"]) | set(files.validation["user"])
    known_items = set(files.train["item"]) | set(files.validation["item"])
    # RecBole sizes its embeddings by all three files: an item of the test part alone would move every random number.
    test = files.test[files.test["user"].isin(known_users) & files.test["item"].isin(known_items)]
    Path("own").mkdir(exist_ok=True)
    for name, part in (("train", files.train), ("valid", files.validation), ("test", test)):
        columns = part.rename(columns={"user": "user_id:token", "item": "item_id:token"})
        columns.to_csv(f"own/own.{name}.inter", sep="\t", index=False)

    sys.argv = sys.argv[:1]  # Config would take the command line for settings
    config = Config(
        model=algorithm,
        dataset="own",
        config_dict={
            **SETTINGS[algorithm],
            "seed": int(seed),
            "data_path": ".",
            "benchmark_filename": ["train", "valid", "test"],
            "valid_metric": "NDCG@10",
            "use_gpu": False,
            "gpu_id": "",
            "show_progress": False,
        },
    )
    init_seed(config["seed"], config["reproducibility"])
    data = create_dataset(config)
    train, valid, held_out = data_preparation(config, data)
    init_seed(config["seed"], config["reproducibility"])
    model = get_model(config["model"])(config, train.dataset).to(config["device"])
    trainer = get_trainer(config["MODEL_TYPE"], config["model"])(config, model)
    trainer.fit(train, valid)
    best = torch.load(trainer.saved_model_file)
    model.load_state_dict(best["state_dict"])
    model.load_other_parameter(best["other_parameter"])

    users = files.users.tolist()
    numbers = data.token2id(data.uid_field, [str(user) for user in users])
    scores, ranked = full_sort_topk(numbers, model, held_out, k=data.item_num, device=config["device"])
    lists = []
    for user, row_scores, row in zip(users, scores, ranked, strict=True):
        tokens = data.id2token(data.iid_field, row[row_scores > -np.inf].numpy())
        lists.append(files.cut(user, [int(token) for token in tokens], 20))
    np.save(output, np.array(lists))


if __name__ == "__main__":
    dataset, fold, seed, *outputs = sys.argv[1:]
    for algorithm, output in zip(outputs[::2], outputs[1::2], strict=True):
        main(dataset, fold, algorithm, seed, output)

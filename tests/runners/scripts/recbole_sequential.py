"""RecBole's sequential models, which have no adapter, trained by the code that takes snapshots: whole, and in two processes.

python recbole_sequential.py GUEST_DIRECTORY MODEL POINT OUTPUT      (it writes into the working directory)

OUTPUT gets a JSON file with the digests of the whole Fit and of the one that went on after the point with that number.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"

import numpy as np
import torch
from guest_package import open_session
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, init_seed

SETTINGS = {
    "epochs": 3,
    "train_batch_size": 128,
    "train_neg_sample_args": None,
    "hidden_size": 16,
    "inner_size": 16,
    "MAX_ITEM_LIST_LENGTH": 8,
    "stopping_step": 1,
    "gpu_id": "",
    "data_path": ".",
    "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
    "show_progress": False,
}


def write_data() -> None:
    """Write the atomic file of users with tastes that drift."""
    rng = np.random.default_rng(3)
    Path("drift").mkdir()
    lines = ["user_id:token\titem_id:token\ttimestamp:float"]
    lines += [
        f"{user}\t{(user + 3 * step + int(rng.integers(0, 5))) % 60}\t{step}"
        for user in range(50)
        for step in range(12)
    ]
    Path("drift", "drift.inter").write_text("\n".join(lines), encoding="utf-8")


def digest(model: str, request: dict[str, Any], point: int, published: Path) -> None:
    """Train, take a snapshot at a point, and print the digest of what was learned."""
    training = sys.modules["guest.recbole_training"]
    base = sys.modules["guest.base"]
    snapshots = sys.modules["guest.snapshots"]
    messages: list[dict[str, Any]] = []
    numbers = []

    class Asked(snapshots.Snapshots):
        def point(self, *arguments: Any, **options: Any) -> None:
            numbers.append(options)
            if len(numbers) == point:
                Path(request["ask"]).write_text("request", encoding="utf-8")
                time.sleep(0.06)
            super().point(*arguments, **options)

    def publish() -> dict[str, Any]:
        os.rename(Path(request["directory"], messages[-1]["snapshot"]["folder"]), published)
        return {"name": published.name}

    config = Config(model=model, dataset="drift", config_dict=SETTINGS)
    init_seed(config["seed"], config["reproducibility"])
    train, valid, _ = data_preparation(config, create_dataset(config))
    init_seed(config["seed"], config["reproducibility"])
    network = get_model(model)(config, train.dataset).to(config["device"])
    task = base.Task(model, {}, 1, snapshots=Asked(request, None, messages.append, publish))
    trained = training.Model(network, np.arange(1), np.arange(1), "user_id", "item_id")
    epochs = training.train_model(trained, config, train, valid, task, training.Stage())
    learned = hashlib.sha256(b"".join(value.numpy().tobytes() for value in network.state_dict().values()))
    answer = {"digest": learned.hexdigest(), "epochs": epochs, "points": len(numbers)}
    Path("answer.json").write_text(json.dumps(answer), encoding="utf-8")


def main(guest: str, model: str, point: str, output: str) -> None:
    """Run the Fits, each in a process of its own."""
    open_session(guest, "recbole")
    torch.set_num_threads(1)
    sys.argv = sys.argv[:1]  # Config would take the command line for settings
    write_data()
    scratch, published = Path("scratch").absolute(), Path("published").absolute()
    scratch.mkdir()
    request: dict[str, Any] = {"directory": str(scratch), "ask": str(Path("ask").absolute())}
    resume = {"resume": {"name": "published", "directory": str(published)}}
    answers = []
    for part, number in (({}, int(point)), (resume, 0)):
        child = os.fork()
        if child == 0:
            digest(model, request | part, number, published)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status:
            sys.exit(f"the Fit has ended with {status}")
        answers.append(json.loads(Path("answer.json").read_text(encoding="utf-8")))
    Path(output).write_text(json.dumps(answers), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])

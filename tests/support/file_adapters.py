"""An adapter that is a file, for tests."""

from __future__ import annotations

from pathlib import Path

from omnibench.runners.adapter_file import read_adapter

ADAPTER = """
import no_such_lib
import numpy as np

requirements = ["no-such-lib==9.1.2"]
python = "3.12"
algorithms = {
    "Popularity": {"parameters": {"power": 1.0}},
    "Rated": {"parameters": {}, "ratings": True},
}


def version():
    return no_such_lib.version


def fit(task, fold):
    parameters = {**algorithms[task.algorithm]["parameters"], **task.parameters}
    return np.bincount(fold.train.item, minlength=fold.n_items) ** parameters["power"], parameters


def save(model, directory):
    np.save(directory / "model.npy", model)
    return directory / "model.npy"


def load(path, task, fold):
    return np.load(path)


def score(model, task, fold):
    yield fold.users, np.tile(model, (len(fold.users), 1))


def rate(model, task, fold):
    return model[fold.test.item]
"""


def lock_by_hand(adapter: Path) -> None:
    """Write a lock beside an adapter, of versions that nobody has published."""
    described = read_adapter(adapter)
    described.lock.write_text(
        f"{described.lock_request.heading}\nno-such-lib==9.1.2 \\\n    --hash=sha256:00\nnumpy==2.4.6 \\\n    --hash=sha256:11\n"
    )

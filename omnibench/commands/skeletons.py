"""What ``omnibench envs new`` writes: an adapter that recommends what is popular until it is filled in, and its test."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from omnibench.runners.lock_file import distribution_of

_ADAPTER = '''"""Drives {distribution}. It is imported in an environment that has what ``requirements`` says, and nothing of yours.

``omnibench envs lock`` pins the requirements, ``omnibench envs check`` tries the functions below. The page "Bring your own
framework" of omnibench's documentation says all that they get and may return.
"""

from importlib import metadata

import numpy as np

# import {module}

# Plain values, because these three are read without importing this file.
requirements = [{requirements}]  # the framework first: its version is part of every key
python = "{python}"
algorithms = {{
    # By name the hyperparameters that a plan may give, with their defaults; "ratings": True for what predicts ratings,
    # "epochs": "the hyperparameter that is the number of epochs", "deterministic": True for what draws nothing at random.
    "Popularity": {{"parameters": {{"power": 1.0}}, "deterministic": True, "threads": False}},
}}


def version():
    return metadata.version("{distribution}")


def fit(task, fold):
    """Return the model, and all hyperparameters in effect."""
    parameters = {{**algorithms[task.algorithm]["parameters"], **task.parameters}}
    train = fold.train  # .user and .item: codes from 0; .rating and .timestamp, or None
    # A sparse matrix: csr_matrix((np.ones(len(train)), (train.user, train.item)), shape=(fold.n_users, fold.n_items))
    # task.seed is the seed of all that is drawn, task.threads the number of threads.
    # After each epoch: task.report(epoch=3, epochs=20, loss=0.4)
    counts = np.bincount(train.item, minlength=fold.n_items)
    return {{"scores": counts ** parameters["power"]}}, parameters


def save(model, directory):
    """Write one file into the directory; return its path."""
    path = directory / "model.npz"
    np.savez(path, **model)
    return path


def load(path, task, fold):
    """Read what `save` wrote, in another process and another directory."""
    return dict(np.load(path))


def score(model, task, fold):
    """Yield users and the scores of all items for each, some users at a time, in the order of fold.users.

    NaN stands for items without a score. What a user has seen is left out afterwards.
    """
    for start in range(0, len(fold.users), 256):
        users = fold.users[start : start + 256]
        yield users, np.tile(model["scores"], (len(users), 1))
'''

_TEST = '''"""{name} keeps omnibench's contract; each check says what to change."""

from omnibench import framework
from omnibench.testing import AlgorithmContract

{variable} = framework("{name}")
'''

_CLASS = """

class Test{algorithm}(AlgorithmContract):
    algorithm = {variable}.{algorithm}
"""


def adapter_text(requirements: Sequence[str], python: str) -> str:
    """Return the text of a new adapter.

    Args:
        requirements: What its environment has, the framework first.
        python: The version of its Python.
    """
    distribution = distribution_of(requirements[0])
    listed = ", ".join(f'"{requirement}"' for requirement in requirements)
    return _ADAPTER.format(
        distribution=distribution, module=distribution.replace("-", "_"), requirements=listed, python=python
    )


def contract_text(name: str, algorithms: Iterable[str] = ("Popularity",)) -> str:
    """Return the text of a module with contract tests.

    Args:
        name: What plans call the framework.
        algorithms: The names of its algorithms.
    """
    variable = name.upper()
    classes = (_CLASS.format(algorithm=algorithm, variable=variable) for algorithm in algorithms)
    return _TEST.format(name=name, variable=variable) + "".join(classes)

"""An algorithm that keeps the contract, and many that break one rule each, as the modules of a user's project."""

from __future__ import annotations

LEARNERS = '''
"""A small factor model that keeps the contract, and what becomes of it when it breaks a rule."""

import os

import numpy as np


class Learner:
    """Alternating least squares, from a random start; it recommends from histories, and predicts ratings."""

    def __init__(self, epochs=4, seed=None):
        self.epochs, self.seed = epochs, seed

    def fit(self, train, items, users, validation, report):
        rows = {user: row for row, user in enumerate(users["user"])}
        column = {item: number for number, item in enumerate(items["item"])}
        bought = np.zeros((len(users), len(items)))
        bought[train["user"].map(rows), train["item"].map(column)] = 1
        if report.iteration == 0:
            self.items, self.column, self.rows = items["item"].tolist(), column, rows
            self.mean = float(train["rating"].mean()) if "rating" in train else 1.0
            self.right = self.begin(len(items))
        for epoch in range(report.iteration + 1, self.epochs + 1):
            self.step(bought, epoch)
            report(iteration=epoch, iterations=self.epochs, loss=float(((bought - self.left @ self.right.T) ** 2).mean()))

    def step(self, bought, epoch):
        self.left = self.solved(bought, self.right)
        self.right = self.solved(bought.T, self.left) + np.random.normal(0, 0.01, self.right.shape)

    def begin(self, n_items):
        return np.random.default_rng(self.seed).normal(size=(n_items, 4))

    def solved(self, matrix, factors):
        return matrix @ factors @ np.linalg.inv(factors.T @ factors + np.eye(4))

    def recommend(self, users, k, history):
        known = np.zeros((len(users), len(self.items)))
        row = {user: number for number, user in enumerate(users)}
        known[history["user"].map(row), history["item"].map(self.column)] = 1
        scores = self.solved(known, self.right) @ self.right.T
        best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return [[(self.items[item], scores[n, item]) for item in best[n]] for n in range(len(users))]

    def predict(self, users, items):
        return [self.mean + self.left[self.rows[u]] @ self.right[self.column[i]] for u, i in zip(users, items)]


class Failing(Learner):
    def fit(self, train):
        raise ValueError("there is no such matrix")


class Locked(Learner):
    def fit(self, train, items, users, validation, report):
        super().fit(train, items, users, validation, report)
        self.key = lambda item: item


class Dying(Learner):
    def fit(self, train):
        os._exit(3)


class Endless(Learner):
    def fit(self, train):
        while True:
            pass


class Rated(Learner):
    def fit(self, train, items, users, validation, report):
        train["rating"].mean()
        super().fit(train, items, users, validation, report)


class Doubling(Learner):
    def recommend(self, users, k, history):
        return [[pairs[0], *pairs] for pairs in super().recommend(users, k, history)]


class Few(Learner):
    def recommend(self, users, k, history):
        return super().recommend(users, 5, history)


class Infinite(Learner):
    def recommend(self, users, k, history):
        return [[(item, float("nan")) for item, _ in pairs] for pairs in super().recommend(users, k, history)]


class Unrated(Learner):
    def predict(self, users, items):
        return [float("nan")] * len(users)


class Counting(Learner):
    fits = 0

    def begin(self, n_items):
        Counting.fits += 1
        return super().begin(n_items) + Counting.fits


class Unseeded(Learner):
    def begin(self, n_items):
        # Near to what the seed draws: of wholly other factors one in some hundred breaks another rule, too.
        return super().begin(n_items) + np.random.default_rng().normal(0, 0.01, size=(n_items, 4))


class Deterministic(Learner):
    deterministic = True


class Forgetful(Learner):
    def fit(self, train, items, users, validation, report):
        super().fit(train, items, users, validation, report)
        Forgetful.table = self.__dict__.pop("right")

    def __getattr__(self, name):
        if name == "right":
            return Forgetful.table
        raise AttributeError(name)


class Relative(Learner):
    def fit(self, train, items, users, validation, report):
        super().fit(train, items, users, validation, report)
        np.save("right.npy", self.right)

    def recommend(self, users, k, history):
        self.right = np.load("right.npy")
        return super().recommend(users, k, history)


class Changing(Learner):
    def recommend(self, users, k, history):
        answer = super().recommend(users, k, history)
        self.right = self.right[:, ::-1] * np.arange(4)
        return answer


class Timed(Learner):
    def fit(self, train, items, users, validation, report):
        super().fit(train.sort_values("timestamp"), items, users, validation, report)


class Narrow(Learner):
    def fit(self, train, items, users, validation, report):
        if len(train.columns) > 3:
            raise ValueError("too many values to unpack")
        super().fit(train, items, users, validation, report)


class Squeezing(Learner):
    def fit(self, train, items, users, validation, report):
        self.ids = items.squeeze("columns").tolist()
        super().fit(train, items, users, validation, report)


class Trained(Learner):
    def fit(self, train, items, users, validation, report):
        numbers = train["user"].value_counts().to_dict()
        self.shares = {user: 1 / numbers[user] for user in users["user"]}
        super().fit(train, items, users, validation, report)


class Memorising(Learner):
    def fit(self, train, items, users, validation, report):
        super().fit(train, items, users, validation, report)
        self.trained = set(train["user"])

    def recommend(self, users, k, history):
        if not self.trained.issuperset(users):
            raise KeyError("a user who is not in training")
        return super().recommend(users, k, history)


class Unknowing(Learner):
    def fit(self, train, items, users, validation, report):
        super().fit(train, items, users, validation, report)
        self.trained = set(train["user"])

    def predict(self, users, items):
        ratings = zip(users, super().predict(users, items))
        return [rating if user in self.trained else float("nan") for user, rating in ratings]


class Pairs(Learner):
    def fit(self, train, items, users, validation, report):
        if train.groupby("user")["item"].nunique().min() < 2:
            raise ZeroDivisionError("division by zero")
        super().fit(train, items, users, validation, report)


class Closed(Learner):
    def fit(self, train, items, users, validation):
        super().fit(train, items, users, validation, Quiet())


class Quiet:
    def __init__(self, iteration=0):
        self.iteration = iteration

    def __call__(self, **values):
        pass


class Decaying(Learner):
    def fit(self, train, items, users, validation, report):
        self.rate = Rate()
        super().fit(train, items, users, validation, report)
        del self.rate

    def step(self, bought, epoch):
        super().step(bought, epoch)
        self.right *= self.rate.next()


class Rate:
    value = 1.0

    def next(self):
        self.value *= 0.9
        return self.value


class Starting(Learner):
    def fit(self, train, items, users, validation, report):
        for epoch in range(1, self.epochs + 1):
            report(iteration=epoch, iterations=self.epochs)
        super().fit(train, items, users, validation, Quiet())


class Rounding(Learner):
    def checkpoint_save(self, directory):
        self.right = self.right.round(2)
        np.savez(directory / "factors.npz", left=getattr(self, "left", 0), right=self.right)

    def checkpoint_load(self, directory):
        factors = np.load(directory / "factors.npz")
        self.left, self.right = factors["left"], factors["right"]


class Unsaved(Learner):
    def checkpoint_save(self, directory):
        raise RuntimeError("no licence")

    def checkpoint_load(self, directory):
        pass


class NeverSaved(Unsaved):
    pass


class Unpaired(Learner):
    def checkpoint_save(self, directory):
        np.save(directory / "right.npy", self.right)


class Misloaded(Learner):
    def checkpoint_save(self, directory):
        np.savez(directory / "factors.npz", left=getattr(self, "left", 0), right=getattr(self, "right", 0))

    def checkpoint_load(self, directory):
        self.right = np.load(directory / "factors.npz")["weights"]


class Lacking(Learner):
    def fit(self, train, items, users, validation, report):
        if report.iteration == 0:
            rate = 0.5
        self.rate = rate
        super().fit(train, items, users, validation, report)


class Early(Learner):
    def fit(self, train, items, users, validation, report):
        self.report = report
        super().fit(train, items, users, validation, Quiet(report.iteration))
        del self.report

    def step(self, bought, epoch):
        self.report(iteration=epoch, iterations=self.epochs)
        super().step(bought, epoch)


class Texts(Learner):
    def fit(self, train, items, users, validation, report):
        super().fit(train, items, users, validation, Changed(report, str))


class FromZero(Learner):
    def fit(self, train, items, users, validation, report):
        super().fit(train, items, users, validation, Changed(report, lambda number: number - 1))


class Changed:
    def __init__(self, report, change):
        self.report, self.change = report, change

    @property
    def iteration(self):
        return self.report.iteration

    def __call__(self, iteration, **values):
        self.report(iteration=self.change(iteration), **values)


class Keyed(Learner):
    def fit(self, train, items, users, validation, report):
        if report.iteration == 0:
            self.key = lambda item: item
        super().fit(train, items, users, validation, report)
        del self.key


class Supplying(Keyed):
    def restore_parts(self, missing):
        self.key = lambda item: item


class Locking(Learner):
    def fit(self, train, items, users, validation, report):
        lock = os.path.join(os.path.dirname(__file__), "training.lock")
        with open(lock, "x"):
            super().fit(train, items, users, validation, report)
        os.unlink(lock)
'''
"""The module ``learners``."""

CONTRACT = """
from learners import {name}
from omnibench.testing import AlgorithmContract


class Test{name}(AlgorithmContract):
    algorithm = {name}
    {body}
"""
"""The module ``test_learners``."""

"""Classes of users that train in iterations, for snapshots: each keeps its state, or loses it, in a way of its own."""

# ruff: noqa: NPY002 - many users draw from numpy's global generator, and that is what is put back

from __future__ import annotations

import json
import os
import random
import signal
import threading
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from . import noise

rng = np.random.default_rng(11)
"""A generator at the top level of the module, which nobody has to name."""

Lists = list[list[tuple[Any, float]]]


class Walk:
    """Adds what it draws from all kinds of generators to its scores; draws before its loop, too."""

    iterations = 6

    def __init__(self, seed: int | None = None, script: str = "") -> None:
        self.seed, self.script = seed, script
        self.start = np.random.rand()

    def fit(self, train: Any, items: Any, report: Any) -> None:
        """Train; before the loop, shuffle what is not kept."""
        weights = np.random.permutation(len(items)) / len(items)
        if report.iteration == 0:
            self.train, self.items = train, items["item"].tolist()
            self.rng = np.random.default_rng(self.seed)
            self.scores = np.random.rand(len(items)) + self.start
        counts = np.random.rand(3)
        if report.iteration == 0:
            self.counts = counts
        for iteration in range(report.iteration + 1, self.iterations + 1):
            self.step(weights)
            report(iteration=iteration, iterations=self.iterations, loss=float(self.scores.mean()))

    def step(self, weights: Any) -> None:
        """Do an iteration, unless a file says that no more of them are to be begun."""
        if self.script and Path(self.script).is_file():
            remaining = int(Path(self.script).read_text())
            Path(self.script).write_text(str(remaining - 1))
            if remaining == 0:
                Path(self.script).unlink()
                os.kill(os.getpid(), signal.SIGKILL)
        self.scores = self.scores * weights + np.random.rand(len(weights)) + random.random()
        self.scores += self.rng.random(len(weights)) + rng.random() + self.counts.sum() + len(self.train)

    def recommend(self, users: list[Any], k: int) -> Lists:
        """Return the same list for everybody."""
        return [[*zip(self.items, self.scores.tolist(), strict=True)] for _ in users]


class Inherited(Walk):
    """Inherits its training, and so draws from the module of what it inherits from."""


class Slotted:
    """Has slots, and no __dict__; counts by itself where it is, and never reads what the report says."""

    __slots__ = ("done", "items", "scores")
    iterations = 6

    def __init__(self) -> None:
        self.done = 0

    def fit(self, train: Any, items: Any, report: Any) -> None:
        """Train."""
        if self.done == 0:
            self.items, self.scores = items["item"].tolist(), np.zeros(len(items))
        while self.done < self.iterations:
            self.scores = self.scores + np.random.rand(len(self.items))
            self.done += 1
            report(iteration=self.done, iterations=self.iterations)

    recommend = Walk.recommend


class Native(Walk):
    """Writes its own state, which pickle would not take: it keeps a lock."""

    def __init__(self, seed: int | None = None, script: str = "") -> None:
        super().__init__(seed, script)
        self.lock = threading.Lock()

    def checkpoint_save(self, directory: Path) -> None:
        """Write the scores, the state of the generator, and what was made before the loop; draw meanwhile."""
        np.random.rand(5)
        rng.random()
        np.savez(directory / "arrays.npz", scores=self.scores, counts=self.counts)
        (directory / "state.json").write_text(json.dumps([self.rng.bit_generator.state, self.items, len(self.train)]))

    def checkpoint_load(self, directory: Path) -> None:
        """Take all of it back."""
        arrays = np.load(directory / "arrays.npz")
        self.scores, self.counts = arrays["scores"], arrays["counts"]
        state, self.items, n = json.loads((directory / "state.json").read_text())
        self.rng, self.train = np.random.default_rng(0), range(n)
        self.rng.bit_generator.state = state

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the lock, for the store."""
        return {name: value for name, value in vars(self).items() if name != "lock"}


class Made(Native):
    """Has a method of the class that loads, and returns, an instance."""

    @classmethod
    def checkpoint_load(cls, directory: Path) -> Made:  # type: ignore[override]
        """Return a new instance."""
        made = cls()
        Native.checkpoint_load(made, directory)
        return made


class Broken(Walk):
    """Its own method fails; pickle does not."""

    def checkpoint_save(self, directory: Path) -> None:
        """Fail."""
        (directory / "half").write_text("")
        raise RuntimeError("no licence")

    def checkpoint_load(self, directory: Path) -> None:
        """Be never called."""
        raise AssertionError


class Linked(Broken):
    """Its own method writes a link beside its file; pickle does not."""

    def checkpoint_save(self, directory: Path) -> None:
        """Write both."""
        (directory / "step_3").write_text("")
        (directory / "latest").symlink_to("step_3")


class Misspelt(Walk):
    """Has one of the two methods, and the other under a wrong name."""

    def checkpoint_save(self, directory: Path) -> None:
        """Be never called."""
        raise AssertionError

    def checkpoint_laod(self, directory: Path) -> None:
        """Be never called."""


class BadlyLoaded(Native):
    """Looks for what it has not written."""

    def checkpoint_load(self, directory: Path) -> None:
        """Fail."""
        self.scores = {"state": np.asarray((directory / "state.json").read_text())}["weights"]


class Locked(Walk):
    """Keeps a lock while it trains, which cannot be pickled."""

    def fit(self, train: Any, items: Any, report: Any) -> None:
        """Train, with a lock and an alias of a method of its own."""
        if report.iteration == 0:
            self.lock: Any = threading.Lock()
        self.alias: Any = self.step
        super().fit(train, items, report)
        del self.lock, self.alias

    def step(self, weights: Any) -> None:
        """Do an iteration with the lock."""
        with self.lock:
            super().step(weights)


class Supplied(Locked):
    """Makes its lock anew."""

    supplied: ClassVar[list[list[str]]] = []

    def restore_parts(self, missing: list[str]) -> None:
        """Make what is missing."""
        self.supplied.append(missing)
        self.lock = threading.Lock()


class HalfSupplied(Locked):
    """Means to make its lock anew, and does not."""

    def restore_parts(self, missing: list[str]) -> None:
        """Forget it."""


class Failing(Locked):
    """Cannot make its lock anew."""

    def restore_parts(self, missing: list[str]) -> None:
        """Fail."""
        raise OSError("the server is down")


class Again(Walk):
    """Begins at its first iteration every time."""

    def fit(self, train: Any, items: Any, report: Any) -> None:
        """Train, whatever was before."""
        self.train, self.items, self.counts = train, items["item"].tolist(), np.zeros(3)
        self.rng, self.scores = np.random.default_rng(self.seed), np.zeros(len(items))
        for iteration in range(1, self.iterations + 1):
            self.step(np.ones(len(items)))
            try:
                report(iteration=iteration, iterations=self.iterations)
            except Exception:  # an author who wants no report to end the training
                continue


class Skipping(Again):
    """Counts from 0, and begins its loop as one would that counts from 1."""

    def fit(self, train: Any, items: Any, report: Any) -> None:
        """Train."""
        if report.iteration == 0:
            self.items, self.scores = items["item"].tolist(), np.zeros(len(items))
        for iteration in range(report.iteration + 1, self.iterations):
            self.scores = self.scores + np.random.rand(len(self.items))
            report(iteration=iteration + 1, iterations=self.iterations)


class Guarded(Again):
    """Keeps what its loop needs in a variable, which a resume does not have."""

    def fit(self, train: Any, items: Any, report: Any) -> None:
        """Train."""
        if report.iteration == 0:
            self.items, self.scores = items["item"].tolist(), np.zeros(len(items))
            rate = 0.5
        for iteration in range(report.iteration + 1, self.iterations + 1):
            self.scores = self.scores + rate * np.random.rand(len(self.items))
            report(iteration=iteration, iterations=self.iterations)


class Twice(Walk):
    """Reports each iteration twice: between the two, it goes on."""

    def fit(self, train: Any, items: Any, report: Any) -> None:
        """Train."""
        if report.iteration == 0:
            self.items, self.scores = items["item"].tolist(), np.zeros(len(items))
        for iteration in range(report.iteration + 1, self.iterations + 1):
            self.scores = self.scores + np.random.rand(len(self.items))
            report(iteration=iteration, loss=0.5)
            self.scores = self.scores + np.random.rand(len(self.items))
            report(iteration=iteration, validation=0.5)


class While(Walk):
    """Counts by what it has reported, and looks at that in its loop as well."""

    def fit(self, train: Any, items: Any, report: Any) -> None:
        """Train."""
        weights = np.random.permutation(len(items)) / len(items)
        if report.iteration == 0:
            self.train, self.items, self.counts = train, items["item"].tolist(), np.zeros(3)
            self.rng, self.scores = np.random.default_rng(self.seed), np.zeros(len(items))
        while report.iteration < self.iterations:
            self.step(weights)
            report(iteration=report.iteration + 1, iterations=self.iterations)


class Local(Walk):
    """Keeps its generator in a variable; another one is an attribute's, and one is made for each iteration."""

    def fit(self, train: Any, items: Any, report: Any) -> None:
        """Train."""
        local = np.random.default_rng(3)
        start = np.random.default_rng(4)
        if report.iteration == 0:
            self.items, self.scores = items["item"].tolist(), start.random(len(items))
            self.parts = {"generators": [random.Random(5)]}
        own = self.parts["generators"][0]
        for iteration in range(report.iteration + 1, self.iterations + 1):
            fresh = np.random.default_rng(iteration)
            self.scores = self.scores + local.random(len(items)) + fresh.random() + own.random()
            report(iteration=iteration, iterations=self.iterations)


class Phases(Walk):
    """Trains in two phases, each of which counts from 1."""

    def fit(self, train: Any, items: Any, report: Any) -> None:
        """Train; the second phase counts anew."""
        if report.iteration == 0:
            self.items, self.scores = items["item"].tolist(), np.zeros(len(items))
        for iteration in range(report.iteration + 1, 4):
            self.scores = self.scores + np.random.rand(len(self.items))
            report(iteration=iteration)
        for iteration in range(1, 4):
            self.scores = self.scores * 0.5 + np.random.rand(len(self.items))
            report(iteration=iteration)


class Epochs(Walk):
    """Reports epochs, as classes have done before there were snapshots."""

    def fit(self, train: Any, items: Any, report: Any) -> None:
        """Train."""
        self.items, self.scores = items["item"].tolist(), np.zeros(len(items))
        for epoch in range(1, self.iterations + 1):
            self.scores = self.scores + np.random.rand(len(self.items))
            report(epoch=epoch, epochs=self.iterations)


class Closed(Walk):
    """Takes no report."""

    def fit(self, train: Any, items: Any) -> None:  # type: ignore[override]  # users' classes have no base
        """Train."""
        self.items, self.scores = items["item"].tolist(), np.zeros(len(items))


class Late(Closed):
    """Takes a report by a method that only its instances call ``fit``."""

    def __init__(self) -> None:
        super().__init__()
        self.fit = self.fit_in_steps  # type: ignore[assignment]  # as users do

    def fit_in_steps(self, train: Any, items: Any, report: Any) -> None:
        """Train."""
        super().fit(train, items)
        for iteration in range(report.iteration + 1, 3):
            report(iteration=iteration, iterations=2)


class FromZero(Walk):
    """Counts from 0."""

    def fit(self, train: Any, items: Any, report: Any) -> None:
        """Train."""
        self.items, self.scores = items["item"].tolist(), np.zeros(len(items))
        for iteration in range(self.iterations):
            report(iteration=iteration, iterations=self.iterations)


class AsText(FromZero):
    """Reports its iterations as texts."""

    def fit(self, train: Any, items: Any, report: Any) -> None:
        """Train."""
        super().fit(train, items, lambda iteration, **_: report(iteration=str(iteration + 1)))


class BackToZero(FromZero):
    """Goes on at 0, where it has begun at 1."""

    def fit(self, train: Any, items: Any, report: Any) -> None:
        """Train."""
        offset = int(report.iteration == 0)
        super().fit(train, items, lambda iteration, **_: report(iteration=iteration + offset))


class Named(Walk):
    """Draws from generators of another module: by name, by a number there, and by two functions."""

    random_state_of = ("support.noise.generator", "support.noise.key", (noise.position, noise.go_to), "counter.value")

    def step(self, weights: Any) -> None:
        """Do an iteration."""
        super().step(weights)
        counter.value += 1
        self.scores += noise.drawn() + counter.value


class Counter:
    """An object of the module with a number."""

    value = 0


counter = Counter()


class Changed(Walk):
    """Writes into the frame that it was given, and keeps it."""

    def fit(self, train: Any, items: Any, report: Any) -> None:
        """Train on what is left of it."""
        if report.iteration == 0:
            train["weight"] = np.arange(len(train)) / len(train)
            self.changed = train
        super().fit(train, items, report)

    def step(self, weights: Any) -> None:
        """Do an iteration."""
        super().step(weights * self.changed["weight"].mean())


class Aliased(Walk):
    """Keeps generators that others draw from as well, the report, and columns of the frame that it was given."""

    def fit(self, train: Any, items: Any, report: Any) -> None:
        """Train."""
        if report.iteration == 0:
            self.of_numpy, self.of_module = np.random.mtrand._rand, rng
            self.report, self.users = report, train["user"]
        assert self.of_numpy is np.random.mtrand._rand
        assert self.of_module is rng
        assert self.report is report
        super().fit(train, items, report)
        del self.report

    def step(self, weights: Any) -> None:
        """Do an iteration."""
        super().step(weights + self.of_numpy.rand() + self.of_module.random() + len(self.users))


class Seldom(Walk):
    """Reports the first iteration and every fourth, and reads where it is within its loop, too."""

    iterations = 16

    def fit(self, train: Any, items: Any, report: Any) -> None:
        """Train."""
        weights = np.random.permutation(len(items)) / len(items)
        if report.iteration == 0:
            self.train, self.items, self.counts = train, items["item"].tolist(), np.zeros(3)
            self.rng, self.scores = np.random.default_rng(self.seed), np.zeros(len(items))
        for iteration in range(report.iteration + 1, self.iterations + 1):
            self.step(weights)
            if iteration > report.iteration + 1 or report.iteration < 2:
                self.step(weights)
            if iteration == 1 or iteration % 4 == 0:
                report(iteration=iteration, validation=0.5, best_epoch=min(iteration, 9))


class Reduced(Walk):
    """Says how it is pickled."""

    def __reduce__(self) -> Any:
        """Return how it is made again."""
        return _reduced, (vars(self),)


def _reduced(attributes: dict[str, Any]) -> Reduced:
    made = Reduced()
    vars(made).update(attributes)
    return made

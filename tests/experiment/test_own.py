"""A user's own algorithm: what it must have, and what identifies its code."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from omnibench.errors import PlanError
from omnibench.experiment.own import OwnAlgorithm

SOURCE = '''
class Base:
    def shared(self):
        return 1

class Mine(Base):
    """Learns nothing."""

    def __init__(self, k=3, *, seed=0):
        self.k = k

    def fit(self, train):
        pass

    def recommend(self, users, k):
        return [[] for user in users]  # nothing
'''

Import = Callable[[str], ModuleType]


def test_a_class_is_described_by_where_it_lies_and_what_it_does(imported: Import, tmp_path: Path) -> None:
    """Module, file and name say how to find it again; parameters and methods what it takes and offers."""
    own = OwnAlgorithm.of(imported(SOURCE).Mine)
    assert (own.module, own.name, own.file) == ("own_module_0", "Mine", str((tmp_path / "own_module_0.py").resolve()))
    assert own.parameters == ("k", "seed")
    assert (own.ranks, own.rates) == (True, False)
    assert own.locator["path"] == sys.path


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("  # nothing", ""),
        lambda text: text.replace("  # nothing", "  # something else"),
        lambda text: text.replace("\n    def fit", "\n\n\n    def fit"),
        lambda text: "import os\n\n\n" + text,
        lambda text: text.replace("def fit(self, train):", "def fit(\n        self,\n        train,\n    ):"),
        lambda text: text + "\n\nclass Other:\n    pass\n",
    ],
    ids=["no comment", "comment", "blank lines", "moved", "layout", "other class"],
)
def test_comments_layout_and_place_do_not_change_the_code(change: Callable[[str], str], imported: Import) -> None:
    """Reformatting a file must not throw results away."""
    assert OwnAlgorithm.of(imported(change(SOURCE)).Mine).code == OwnAlgorithm.of(imported(SOURCE).Mine).code


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("k=3", "k=4"),
        lambda text: text.replace("pass", "self.train = train"),
        lambda text: text.replace("return 1", "return 2"),
        lambda text: text.replace("(Base)", ""),
    ],
    ids=["default", "method", "base's method", "no base"],
)
def test_a_change_of_what_is_computed_changes_the_code(change: Callable[[str], str], imported: Import) -> None:
    """Other code, of the class or of its bases in the same file, is another algorithm."""
    assert OwnAlgorithm.of(imported(change(SOURCE)).Mine).code != OwnAlgorithm.of(imported(SOURCE).Mine).code


@pytest.mark.parametrize("version", ["'2.1'", "2.1"])
def test_a_version_stands_for_the_source(version: str, imported: Import) -> None:
    """Whoever gives a version says when the meaning changes."""
    versioned = SOURCE.replace('"""Learns nothing."""', f"version = {version}")
    one, other = imported(versioned), imported(versioned.replace("k=3", "k=4"))
    assert OwnAlgorithm.of(one.Mine).code == OwnAlgorithm.of(other.Mine).code == "version 2.1"


@pytest.mark.parametrize(
    "text", ["def version(self):\n        return 1", "version = property(lambda self: 1)", "version = None"]
)
def test_a_version_that_is_no_plain_value_is_not_taken_for_one(text: str, imported: Import) -> None:
    """A method of that name has an address, which is another in every process."""
    assert OwnAlgorithm.of(imported(SOURCE.replace('"""Learns nothing."""', text)).Mine).code.startswith("source ")


def test_an_inherited_version_does_not_cover_the_subclass(imported: Import) -> None:
    """The base's version says nothing of what the subclass changes."""
    text = SOURCE.replace("class Base:", "class Base:\n    version = 1")
    changed = text.replace("k=3", "k=4")
    assert OwnAlgorithm.of(imported(text).Mine).code != OwnAlgorithm.of(imported(changed).Mine).code


def test_a_constructor_that_takes_anything_has_no_list_of_parameters(imported: Import) -> None:
    """With **kwargs every hyperparameter is welcome."""
    text = SOURCE.replace("*, seed=0", "**options")
    assert OwnAlgorithm.of(imported(text).Mine).parameters is None


def test_a_class_that_only_rates_offers_ratings(imported: Import) -> None:
    """predict(users, items) makes it one for explicit data."""
    own = OwnAlgorithm.of(
        imported(SOURCE.replace("def recommend(self, users, k)", "def predict(self, users, items)")).Mine
    )
    assert (own.ranks, own.rates) == (False, True)


@pytest.mark.parametrize(
    "text", [SOURCE.replace("def fit", "def train"), SOURCE.replace("def recommend", "def suggest"), "class Mine: pass"]
)
def test_a_class_without_the_methods_is_refused(text: str, imported: Import) -> None:
    """The error says which methods an algorithm has."""
    with pytest.raises(PlanError, match=r"Mine is no algorithm: it needs fit\(train\) and recommend\(users, k\)"):
        OwnAlgorithm.of(imported(text).Mine)


def test_a_class_that_no_other_process_can_import_is_refused(imported: Import) -> None:
    """Classes in functions, in classes or typed at a prompt cannot be found again."""
    inside = imported(
        "def make():\n" + "\n".join("    " + line for line in SOURCE.splitlines()) + "\n    return Mine\n"
    )
    nested = imported("class Outer:\n" + "\n".join("    " + line for line in SOURCE.splitlines()).replace("(Base)", ""))
    typed: dict[str, type] = {}
    exec(SOURCE, {"__name__": "no_such_module"}, typed)
    for algorithm in (inside.make(), nested.Outer.Mine, typed["Mine"]):
        with pytest.raises(PlanError, match="define it at the top level of a file"):
            OwnAlgorithm.of(algorithm)


def test_a_class_without_source_needs_a_version(imported: Import) -> None:
    """What was made by a program has no source to identify it; the error says what to add."""
    module = imported(f"exec({SOURCE!r})\n")
    with pytest.raises(PlanError, match=r"cannot be read .*give it a `version`"):
        OwnAlgorithm.of(module.Mine)


@pytest.mark.parametrize(
    ("signature", "needed"),
    [
        ("self, train, epochs, *, rate", "epochs, rate"),
        ("self, train, X, y=None", "X"),
        ("self, *, data", "data"),
    ],
)
def test_fit_may_need_only_what_it_is_given(signature: str, needed: str, imported: Import) -> None:
    """A class whose fit needs anything else is refused before anything runs, with what it may ask for."""
    text = SOURCE.replace("def fit(self, train)", f"def fit({signature})")
    with pytest.raises(PlanError, match=f"fit of the class Mine needs {needed}, which nobody gives it: it gets train"):
        OwnAlgorithm.of(imported(text).Mine)


@pytest.mark.parametrize(
    "signature",
    ["self", "self, X", "self, *, train, report", "self, train, y=None, *rest, **more", "self, users, items, train"],
)
def test_fit_may_ask_in_many_ways(signature: str, imported: Import) -> None:
    """Any order, any name for the first argument, and defaults for what nobody gives."""
    text = SOURCE.replace("def fit(self, train)", f"def fit({signature})")
    assert OwnAlgorithm.of(imported(text).Mine).ranks


MODELS = """
import pandas as pd

from omnibench import NDCG, Evaluator, ExperimentPlan, UserHoldout, from_frame, run_omnirec

from ..order import best_first


class Popular:
    def fit(self, train):
        self.items = best_first(train)

    def recommend(self, users, k):
        return {user: self.items for user in users}


if __name__ == "__main__":
    frame = pd.DataFrame([(user, item) for user in range(8) for item in range(user % 3, 9)], columns=["user", "item"])
    plan = ExperimentPlan("module")
    plan.add_algorithm(Popular)
    evaluator = run_omnirec(from_frame(frame, "tiny").pipe(UserHoldout(0, 2)), plan, Evaluator(NDCG(5)), quiet=True)
    print(len(evaluator.results), "results")
"""


def test_a_class_of_a_module_that_is_run_may_import_relatively(tmp_path: Path) -> None:
    """``python -m shop.models.popular``: its process imports it as a part of its package, too."""
    package = tmp_path / "shop" / "models"
    package.mkdir(parents=True)
    (package.parent / "order.py").write_text("def best_first(train):\n    return sorted(set(train['item']))\n")
    (package / "popular.py").write_text(MODELS)
    command = [sys.executable, "-m", "shop.models.popular"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.stdout == "1 results\n", run.stderr

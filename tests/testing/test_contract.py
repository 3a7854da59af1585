"""The contract to inherit: it finds what is wrong with an algorithm, in exactly that check, and says what to change."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from support.broken_algorithms import CONTRACT, LEARNERS
from support.projects import Project

from omnibench.testing import AlgorithmContract

pytestmark = [pytest.mark.guests, pytest.mark.inner]


def checked(project: Project, name: str, *arguments: str, body: str = "...") -> pytest.RunResult:
    """Run the contract of a class of the module ``learners``."""
    project.pytester.makepyfile(learners=LEARNERS, test_learners=CONTRACT.format(name=name, body=body))
    return project.run("-rsfExX", *arguments, "test_learners.py")


def failed(result: pytest.RunResult) -> list[str]:
    """Return the names of the checks that have failed."""
    return re.findall(r"^FAILED \S+::(test_\w+)", result.stdout.str(), flags=re.MULTILINE)


def test_the_first_checks_pass_for_what_keeps_the_contract(project: Project) -> None:
    """A class that does what it should fits, recommends, and gives full lists."""
    checked(project, "Learner", "-k", "fits or recommends or single").assert_outcomes(passed=3)


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [(), ("-n2",), ("-p", "no:omnibench", "-p", "no:xdist")], ids=" ".join)
def test_what_keeps_the_contract_passes(arguments: tuple[str, ...], project: Project) -> None:
    """Every check passes for a class that does what it should: by itself, by two workers, without omnibench's plugin."""
    project.pytester.makepyfile(learners=LEARNERS, test_learners=CONTRACT.format(name="Learner", body="..."))
    project.run_process(*arguments, "test_learners.py").assert_outcomes(passed=14)


FAULTS = {
    "Failing": ("test_fits", "does not fit: ValueError: there is no such matrix", "Change: what `fit` has raised"),
    "Locked": ("test_fits", "its attribute key", "leave out what cannot be pickled in `__getstate__`"),
    "Dying": ("test_fits", "ended with exit status 3", "Change: what ends its process"),
    "Endless": ("test_fits", "took more than 2 s", "`timeout` of the test class"),
    "Rated": ("test_fits", "asked pandas for 'rating'", "Change: "),
    "Doubling": ("test_recommends", "does not recommend as it should", "a list of k different items"),
    "Few": ("test_recommends", "users get shorter lists than there are items for: user", "`fills_lists = False`"),
    "Infinite": ("test_recommends", "does not recommend as it should", "finite score"),
    "Unrated": ("test_predicts_ratings", "no finite number", "a finite rating for each pair"),
    "Counting": ("test_same_seed_same_lists", "fitted again in the same process", "attributes of the class"),
    "Unseeded": ("test_same_seed_same_lists", "with the same seed, and the", "generators without a seed"),
    "Deterministic": ("test_other_seed_other_lists", "says that it is deterministic", "leave out `deterministic"),
    "Forgetful": ("test_saved_and_loaded_elsewhere", "has no attribute 'table'", "nothing in the class"),
    "Relative": ("test_saved_and_loaded_elsewhere", "right.npy", "no relative path"),
    "Changing": ("test_saved_and_loaded_elsewhere", "is asked twice, and", "leave `self` as it is"),
    "Timed": ("test_data_without_ratings_and_times", "timestamp", "do without the columns"),
    "Narrow": ("test_data_with_ratings", "too many values to unpack", "name the columns that it uses"),
    "Trained": ("test_empty_histories", "KeyError", "some have no row there"),
    "Squeezing": ("test_features", "'DataFrame' object has no attribute 'tolist'", "take the ids by name"),
    "Memorising": ("test_unknown_users", "a user who is not in training", "`history`"),
    "Unknowing": ("test_unknown_users", "no finite number", "fallback"),
    "Decaying": (
        "test_snapshot_at_every_iteration",
        "after iteration 1 of 4, and the model differs at",
        "a learning rate",
    ),
    "Starting": (
        "test_snapshot_at_every_iteration",
        "does not go on from its snapshot after",
        "begin the loop with `report.iteration + 1`, count from 1",
    ),
    "Rounding": (
        "test_snapshot_at_every_iteration",
        "is fitted with snapshots, and",
        "a snapshot has to leave everything",
    ),
    "Unsaved": (
        "test_snapshot_at_every_iteration",
        "has no snapshot after iteration 0: ValueError: checkpoint_save has failed: RuntimeError: no licence (learners.py, line",
        "`checkpoint_save(directory)`",
    ),
    "NeverSaved": (
        "test_snapshot_at_every_iteration",
        "fails at every snapshot, such as that after iteration 4 of 4: ValueError: checkpoint_save has failed: RuntimeError",
        "`checkpoint_save(directory)`",
    ),
    "Unpaired": (
        "test_snapshot_at_every_iteration",
        "Unpaired has checkpoint_save and no checkpoint_load, so neither is called",
        "write both, or neither",
    ),
    "Misloaded": (
        "test_snapshot_at_every_iteration",
        "its checkpoint_load has failed: KeyError: 'weights is not a file in the archive' (learners.py, line",
        "what `checkpoint_load(directory)` does",
    ),
    "Lacking": (
        "test_snapshot_at_every_iteration",
        "does not go on from it: UnboundLocalError: ",
        "keep in an attribute of `self` what",
    ),
    "Early": (
        "test_snapshot_at_every_iteration",
        "after iteration 1 of 4, and the model differs at self.right",
        "report an iteration as the last thing that it does",
    ),
    "Keyed": (
        "test_snapshot_at_every_iteration",
        "has no restore_parts(self, missing) that makes it anew. Change: let",
        "`restore_parts(self, missing)`",
    ),
    "Locking": ("test_killed_in_the_middle", "after kill -9: FileExistsError", "a lock, a file"),
    "Pairs": ("test_single_items", "division by zero", "what needs two items of a user"),
}
"""By class the check that finds its fault, words of what was found, and words of what to change."""

SETTINGS = {"Unsaved": "native_only = True", "Endless": "timeout = 2"}
"""What the test classes of some of them say."""


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_where_it_is(name: str, project: Project) -> None:
    """A class that breaks a rule fails the check of that rule and no other, with the words that help."""
    check, found, change = FAULTS[name]
    result = checked(project, name, body=SETTINGS.get(name, "..."))
    assert failed(result) == [check]
    text = " ".join(result.stdout.str().split())
    assert found in text
    assert change in text
    assert "INTERNALERROR" not in text
    assert "--omnirec" not in text, "a test class has no options"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "checks", "reason"),
    [
        ("Closed", 2, "nothing to snapshot: Closed.fit takes no `report`; report(iteration=..., iterations=...)"),
        ("Learner", 1, "Learner has a single iteration here; more of them in `parameters` can be interrupted"),
        ("Texts", 2, "nothing to snapshot: Texts reports iteration='1', which is no whole number"),
        ("FromZero", 2, "nothing to snapshot: FromZero reports iteration 0 first; count from 1"),
    ],
)
def test_what_has_nothing_to_snapshot_says_so(name: str, checks: int, reason: str, project: Project) -> None:
    """The checks of snapshots are skipped with the reason, which says how to have points."""
    result = checked(project, name, body="parameters = {'epochs': 1}")
    assert not failed(result)
    text = " ".join(result.stdout.str().split())
    assert re.search(rf"SKIPPED \[{checks}\] \S+ {re.escape(reason)}", text)


@pytest.mark.slow
def test_a_part_that_is_made_anew_is_no_trouble(project: Project) -> None:
    """A snapshot without a part that cannot be pickled is gone on from where the class makes it anew."""
    checked(project, "Supplying").assert_outcomes(passed=14)


DECLARED = """
from learners import Learner, Pairs
from omnibench.testing import AlgorithmContract


class PairsContract(AlgorithmContract):
    algorithm = Pairs
    expected_failures = {"test_single_items": "it compares pairs", "test_recommends": "it should not"}

    def test_predicts_ratings(self):
        pass


class TestForgotten(AlgorithmContract):
    parameters = {"epochs": 1}


class TestMistyped(AlgorithmContract):
    algorithm = Learner
    parameters = {"epoch": 1}


class Kept(AlgorithmContract):
    __test__ = False
    algorithm = Learner
"""


def test_what_a_test_class_says_counts(project: Project) -> None:
    """Declared failures are expected, and fail once they pass; a check is overridden; what is missing is said once."""
    project.pytester.makepyfile(learners=LEARNERS, test_learners=DECLARED)
    chosen = "fits or recommends or single or predicts_ratings"
    result = project.run("-rsfxX", "-v", "-k", chosen, "test_learners.py")
    text = " ".join(result.stdout.str().split())
    assert failed(result) == ["test_recommends", "test_fits", "test_fits"]
    assert "[XPASS(strict)] it should not" in text
    assert "PairsContract::test_single_items - it compares pairs" in text
    assert "PairsContract::test_predicts_ratings PASSED" in text
    assert "TestForgotten names no algorithm; give it `algorithm = MyRecommender`" in text
    assert "Learner has no hyperparameter 'epoch'; did you mean 'epochs'?" in text
    assert "Kept" not in text


def test_an_expected_failure_of_no_check_is_refused() -> None:
    """The class itself is refused, with the names of the checks that there are."""
    with pytest.raises(TypeError, match=r"names 'test_singles', which is no check; there are .*test_single_items"):
        type("Wrong", (AlgorithmContract,), {"expected_failures": {"test_singles": ""}})


def test_a_misspelt_attribute_is_refused() -> None:
    """It would be ignored, and the checks would run with the defaults; what only looks alike beside its like is no slip."""
    with pytest.raises(TypeError, match=r"Wrong has 'paramters', which no check reads; did you mean 'parameters'\?"):
        type("Wrong", (AlgorithmContract,), {"paramters": {}})
    type(
        "Right",
        (AlgorithmContract,),
        {"algorithm": "RecBole.BPR", "algorithms": ["BPR"], "sizes": 3, "__test__": False},
    )


def test_the_contract_is_no_part_of_what_every_session_imports() -> None:
    """Neither the package nor its plugin imports it."""
    code = "import sys, omnibench, omnibench.plugin.hooks; sys.exit('omnibench.testing' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

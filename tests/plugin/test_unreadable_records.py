"""What a record could not hold is refused before it is written: a green item has results that can be read."""

from __future__ import annotations

from support.projects import Project

from omnibench import open_store

DEEP = """
class Deep(Popular):
    def __init__(self, deep=None):
        self.deep = deep

nested = 1
for _ in range({levels}):
    nested = {{"a": nested}}
plan.add_algorithm(Deep, {{"deep": nested}})
"""

COUNTING = """
class Counting(Popular):
    def fit(self, train, report):
        super().fit(train)
        report(epoch={epoch}, epochs={epoch})

plan.add_algorithm(Counting)
"""


def test_the_deepest_hyperparameter_that_a_plan_takes_is_recorded(project: Project) -> None:
    """The item is done in the store, and the next run takes it from there."""
    project.bench(DEEP.format(levels=50))
    project.run("-k", "fold_0").assert_outcomes(passed=1)
    items = open_store(project.pytester.path / "checkpoints").items()
    assert [record["status"] for record in items.values()] == ["done"]
    project.run("-k", "fold_0").stdout.fnmatch_lines(["*1 cached*"])


def test_an_epoch_that_no_record_holds_fails_the_fit(project: Project) -> None:
    """The error says the number; the largest that a record holds is recorded with the Fit."""
    project.bench(COUNTING.format(epoch="2**63"))
    result = project.run("-k", "fold_0")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"*report(epoch={2**63}) is no number that a record holds*"])
    project.bench(COUNTING.format(epoch="2**63 - 1"))  # of another length, so that no bytecode of the first is taken
    project.run("-k", "fold_0").assert_outcomes(passed=1)
    phases = open_store(project.pytester.path / "checkpoints").phases()
    assert "Fit" in set(phases["phase"])

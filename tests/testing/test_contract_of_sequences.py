"""What the contract asks of algorithms that learn what comes next: data without times are refused them, with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from omnibench.errors import PlanError
from omnibench.experiment import planning
from omnibench.testing import AlgorithmContract
from omnibench.testing.data import RANKED, usual
from omnibench.testing.subject import Subject


@pytest.fixture(params=["RecBole.SASRec", "RecTools.SASRecModel", "RecPack.SequentialRules"])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    """A sequential algorithm, of which nothing is fitted."""
    opened = Subject(request.param, {}, None, tmp_path)
    yield opened
    opened.close()


def test_the_refusal_is_what_is_checked(subject: Subject) -> None:
    """Nothing is fitted: the plan says no, and the check passes."""
    AlgorithmContract().test_data_without_ratings_and_times(subject)


class _OfFilms(AlgorithmContract):
    dataset = usual(RANKED)


def test_data_of_its_own_come_without_the_check(subject: Subject) -> None:
    """As all checks of unusual data: what else they lack would be another reason."""
    with pytest.raises(pytest.skip.Exception, match="data of its own"):
        _OfFilms().test_data_without_ratings_and_times(subject)


def test_a_plan_that_takes_such_data_fails_the_check(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says what to change."""
    monkeypatch.setattr(planning, "check_configuration", lambda *_: None)
    with pytest.raises(pytest.fail.Exception, match="a plan takes data without timestamps for it") as failure:
        AlgorithmContract().test_data_without_ratings_and_times(subject)
    assert "leave out `sequential` or `timed`" in " ".join(str(failure.value).split())


def test_another_reason_fails_the_check(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal has to name the algorithm and the column."""

    def refuse(*_: object) -> None:
        raise PlanError("there is no room")

    monkeypatch.setattr(planning, "check_configuration", refuse)
    with pytest.raises(pytest.fail.Exception, match="for another reason: there is no room"):
        AlgorithmContract().test_data_without_ratings_and_times(subject)

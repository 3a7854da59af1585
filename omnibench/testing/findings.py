"""How a check ends: it fails with what a user should change, or is skipped where another check has found the fault."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from omnibench.data.dataset import RecSysDataSet
from omnibench.errors import OmnibenchError
from omnibench.guest.predictions import Predictions
from omnibench.testing import advice
from omnibench.testing.subject import Fitted, Subject

_PACKAGE = str(Path(__file__).parents[1])
_FRAME = re.compile(r'^  File "(.*?)", line .*\n(?:(?!  File )    .*\n)*', re.MULTILINE)
_PEAK = re.compile(r"^Its peak memory was .*$", re.MULTILINE)


def fail(finding: str, change: str, details: str = "") -> NoReturn:
    """Fail with what was found, what to change, and what was printed or raised."""
    raise pytest.fail.Exception(advice.message(finding, change, details), pytrace=False) from None


def fail_with(error: OmnibenchError, finding: str, usual: str) -> NoReturn:
    """Fail with an error of the algorithm's, its traceback, and what to change.

    Args:
        error: The error.
        finding: What has failed.
        usual: What to change where the algorithm itself has raised it.
    """
    details = _PEAK.sub("", getattr(error, "details", ""))
    fail(
        f"{finding}: {advice.without_options(str(error))}",
        advice.of_failure(error, usual),
        _FRAME.sub(_without_ours, details),
    )


def _without_ours(frame: re.Match[str]) -> str:
    """Leave out the frames of a traceback that are omnibench's, which nobody has to change."""
    return "" if frame[1].startswith(_PACKAGE) else frame[0]


def once(subject: Subject, name: str, check: Callable[[], None]) -> None:
    """Do a check that others depend on; the second time, end as the first time.

    Args:
        subject: The algorithm.
        name: What to remember it by.
        check: The check; it may fail, and be skipped.
    """
    if name not in subject.outcomes:
        subject.outcomes[name] = None
        try:
            check()
        except (pytest.fail.Exception, pytest.skip.Exception) as error:
            subject.outcomes[name] = error
    outcome = subject.outcomes[name]
    if outcome is not None:
        raise outcome


def fitted(subject: Subject) -> Fitted:
    """Return the model that most checks ask; skip a check where there is none, which is another check's finding."""
    try:
        return subject.fitted()
    except OmnibenchError:
        pytest.skip(f"{subject.name} does not fit: test_fits says why")


def predicted(subject: Subject) -> Predictions:
    """Return what that model predicts; skip a check where it does not, which is another check's finding."""
    model = fitted(subject)
    try:
        return subject.predicted(model, ratings=not subject.ranks)
    except OmnibenchError:
        check = "test_recommends" if subject.ranks else "test_predicts_ratings"
        pytest.skip(f"{subject.name} does not predict as it should: {check} says why")


def skip_unless_fits(subject: Subject, dataset: RecSysDataSet, check: str) -> None:
    """Skip a check that would find again what another one finds: that the algorithm does not fit on some data.

    Args:
        subject: The algorithm.
        dataset: The data.
        check: The other check.
    """
    try:
        subject.fitted(dataset)
    except OmnibenchError:
        pytest.skip(f"{check} says what is wrong with {subject.name} on such data")

"""Recorded recipes in words: what a user would have to write to get the same steps."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest

import omnibench
from omnibench import (
    Apply,
    AtMost,
    CorePruning,
    Deduplicate,
    LeaveLastOut,
    LeaveNOut,
    MakeImplicit,
    RandomCrossValidation,
    RandomHoldout,
    RatingFilter,
    RollingWindows,
    Sessions,
    SessionSplit,
    StrongGeneralization,
    Subsample,
    TimeBasedHoldout,
    TimeFilter,
    UserCrossValidation,
    UserHoldout,
    UserTimeBasedHoldout,
    from_frame,
)
from omnibench.data import words
from omnibench.data.step import Step
from omnibench.keys import canonical


def recorded(step: Step) -> Any:
    """The step as a store keeps it: its members sorted by name."""
    return json.loads(canonical(step.identity))


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (MakeImplicit(3), "MakeImplicit(3)"),
        (MakeImplicit(0.5), "MakeImplicit(0.5)"),
        (CorePruning(5), "CorePruning(5)"),
        (CorePruning(5, one_pass=True), "CorePruning(5, one_pass=True)"),
        (CorePruning(user_core=5, item_core=2), "CorePruning(user_core=5, item_core=2)"),
        (RatingFilter(lower=3.5), "RatingFilter(lower=3.5)"),
        (TimeFilter(end=1000), "TimeFilter(end=1000)"),
        (Subsample(0.5), "Subsample(0.5)"),
        (AtMost(per_user=100), "AtMost(per_user=100, which='last')"),
        (Deduplicate(), "Deduplicate('last')"),
        (UserCrossValidation(5), "UserCrossValidation(5)"),
        (UserCrossValidation(5, 0.1), "UserCrossValidation(5, validation_size=0.1)"),
        (RandomCrossValidation(3), "RandomCrossValidation(3)"),
        (RollingWindows(4, "1 week"), "RollingWindows(4, window='7d')"),
        (RollingWindows(2, 0.2, gap="1d"), "RollingWindows(2, window=0.2, gap='1d')"),
        (Sessions("1h"), "Sessions('1h')"),
        (SessionSplit("1d"), "SessionSplit(test_size='1d', n=1)"),
        (SessionSplit(100, 0.1, 2, True), "SessionSplit(test_size=100, validation_size=0.1, n=2, unknown_items=True)"),
        (UserHoldout(), "UserHoldout(validation_size=0.1, test_size=0.2)"),
        (RandomHoldout(0.0, 10), "RandomHoldout(validation_size=0.0, test_size=10)"),
        (LeaveNOut(2), "LeaveNOut(2, validation_size=1, which='last')"),
        (LeaveLastOut(), "LeaveNOut(1, validation_size=1, which='last')"),
        (TimeBasedHoldout(), "TimeBasedHoldout(validation_size=0.1, test_size=0.2)"),
        (UserTimeBasedHoldout(), "UserTimeBasedHoldout(validation_size=0.1, test_size=0.2)"),
        (
            StrongGeneralization(),
            "StrongGeneralization(validation_users=0.1, test_users=0.1, test_size=0.2, which='random')",
        ),
    ],
)
def test_a_step_is_written_as_a_user_writes_it(step: Step, text: str) -> None:
    """Thresholds, cores and numbers of folds come without their names; what is not done is not mentioned."""
    assert words.step_words([recorded(step)]) == text
    assert recorded(eval(text)) == recorded(step)  # it means the same


def popular_only(frame: pd.DataFrame, threshold: int) -> pd.DataFrame:
    """Keep rows of popular items."""
    return frame[frame.groupby("item")["user"].transform("size") >= threshold]


def test_own_functions_and_unknown_steps_have_words() -> None:
    """An own function goes by its name, a step of another version by its recorded parameters."""
    steps = [recorded(Apply(popular_only, threshold=4)), ["Sharpen", 7, {"edge": 2, "way": "up"}]]
    assert words.step_words(steps) == "Apply(popular_only, threshold=4), Sharpen(edge=2, way='up')"
    assert words.step_words([]) == ""


def test_a_source_is_told_by_what_it_was_and_its_digest() -> None:
    """A table or a file with the first digits of the digest of its content."""
    frame = pd.DataFrame({"user": [1, 2], "item": [1, 2]})
    fingerprint = from_frame(frame, "tiny").source.fingerprint
    assert words.source_words(fingerprint) == f"a table with the digest {fingerprint[1][:12]}"
    assert words.source_words(["file", "csv", {}, "ab" * 32]) == "a csv file with the digest abababababab"
    assert words.source_words(["files", "csv", [], "ab" * 32]) == "csv files with the digest abababababab"
    assert words.source_words({"own": 1}) == ""


def test_every_step_is_known_by_its_module() -> None:
    """The modules that steps are looked for in have all of omnibench's steps, each where its class is defined."""
    exported = (getattr(omnibench, name) for name in dir(omnibench))
    steps = {step.__name__: step.__module__ for step in exported if isinstance(step, type) and issubclass(step, Step)}
    own_function = steps.pop("Apply")  # said by the name of its function
    assert own_function == "omnibench.data.apply"
    assert {name: f"omnibench.data.{module}" for module, names in words.STEPS.items() for name in names} == steps

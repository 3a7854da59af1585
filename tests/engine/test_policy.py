"""The policy: impossible values are refused before anything is done, with the nearest possible one."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibench.durations import seconds
from omnibench.engine.policy import FAILED, RESUME, TRACK, Policy, share, tracked
from omnibench.errors import OmnibenchError
from omnibench.store.schema import KEEP_MODELS, VERIFY


def test_the_defaults_are_the_careful_ones() -> None:
    """Go on, retry, look at every byte, measure what costs nothing."""
    policy = Policy()
    assert (policy.resume, policy.failed, policy.verify, policy.max_attempts) == ("auto", "retry", "full", 3)
    assert (policy.salt, policy.track, policy.grace, policy.timeout) == ("", ("rss", "gpu"), 10.0, None)
    assert policy.allow_network_fs is False


def test_a_policy_does_not_change() -> None:
    """It is the same for all items of a run."""
    with pytest.raises(FrozenInstanceError):
        Policy().failed = "skip"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "choices"),
    [("resume", RESUME), ("failed", FAILED), ("verify", VERIFY), ("keep_models", KEEP_MODELS)],
)
def test_every_choice_is_possible(name: str, choices: tuple[str, ...]) -> None:
    """Every choice is accepted, and everything else is refused with a list of the choices."""
    for choice in choices:
        assert getattr(Policy(**{name: choice}), name) == choice  # type: ignore[arg-type]
    for wrong in ("", "x", choices[0].upper() + "!", None, 3):
        with pytest.raises(OmnibenchError, match=f"{name} is .*choose from {', '.join(choices)}"):
            Policy(**{name: wrong})  # type: ignore[arg-type]


def test_the_nearest_choice_is_named() -> None:
    """A slip of the finger gets its correction."""
    with pytest.raises(OmnibenchError, match="failed is 'rety'; did you mean 'retry'"):
        Policy(failed="rety")
    with pytest.raises(OmnibenchError, match="track is 'RSS2'; did you mean 'rss'"):
        Policy(track=("RSS2",))


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_attempts": 0},
        {"max_attempts": -1},
        {"max_attempts": 2.0},
        {"max_attempts": True},
        {"max_attempts": "3"},
        {"grace": -1},
        {"grace": float("nan")},
        {"timeout": 0},
        {"timeout": -3.0},
        {"timeout": float("nan")},
    ],
)
def test_impossible_numbers_are_refused(wrong: dict[str, Any]) -> None:
    """The error names the value and what to give instead."""
    ((name, value),) = wrong.items()
    with pytest.raises(OmnibenchError, match=rf"{name} is {value!r}; give "):
        Policy(**wrong)


@pytest.mark.parametrize("given", [{"grace": 0}, {"grace": float("inf")}, {"timeout": 0.001}, {"max_attempts": 1}])
def test_numbers_at_the_edge_are_possible(given: dict[str, Any]) -> None:
    """No grace at all, or for ever."""
    ((name, value),) = given.items()
    assert getattr(Policy(**given), name) == value


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90", 90), ("90s", 90), ("5m", 300), ("1.5h", 5400), ("2d", 172800), (" 1 h ", 3600), ("0", 0), ("0.25s", 0.25)],
)
def test_a_duration_is_read(text: str, expected: float) -> None:
    """Seconds, or a number with its unit."""
    assert seconds(text) == expected


@pytest.mark.parametrize(
    "text", ["", " ", "s", "-1", "1e3", "1.", ".5", "5 min", "1h30m", "five", "1,5h", "inf", "nan", "5M"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    """The error shows how to write one."""
    with pytest.raises(OmnibenchError, match=r"is no duration; write e\.g\. 90s, 5m or 1h"):
        seconds(text)


@given(st.integers(0, 10**6), st.sampled_from("smhd"))
def test_durations_are_in_proportion(number: int, unit: str) -> None:
    """The unit's seconds, times the number."""
    assert seconds(f"{number}{unit}") == number * seconds(f"1{unit}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", 0.0), ("0.01", 0.01), (".5", 0.5), ("1e-05", 1e-5), ("1%", 0.01), (" 2.5 % ", 0.025), ("100%", 1.0)],
)
def test_a_share_is_read(text: str, expected: float) -> None:
    """A share is read as a number, as Python writes it too, or in percent."""
    assert share(text) == expected


@pytest.mark.parametrize("text", ["", "%", "-1%", "1%%", "1 percent", "nan", "1e", "e-3", "0,5"])
def test_what_is_no_share_is_refused(text: str) -> None:
    """What is no share is refused; the error shows how to write one."""
    with pytest.raises(OmnibenchError, match=r"is no share; write e\.g\. 0\.01 or 1%"):
        share(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("rss,gpu", ("rss", "gpu")), (" rss , ", ("rss",)), ("none", ()), ("", ()), ("python", ("python",))],
)
def test_what_to_track_is_read(text: str, expected: tuple[str, ...]) -> None:
    """A list with commas; none is nothing."""
    assert tracked(text) == expected
    assert Policy(track=tracked(text)).track == expected


@given(st.lists(st.sampled_from(TRACK)))
def test_whatever_can_be_tracked_can_be_written(words: list[str]) -> None:
    """Everything that can be tracked can be written, in any order."""
    assert tracked(",".join(words)) == tuple(words)


def test_an_unknown_word_to_track_is_refused() -> None:
    """An unknown word to track is refused with the nearest one and all choices, `none` included."""
    with pytest.raises(
        OmnibenchError, match=r"track is 'gpus'; did you mean 'gpu'\?; choose from rss, gpu, python, none"
    ):
        tracked("rss,gpus")

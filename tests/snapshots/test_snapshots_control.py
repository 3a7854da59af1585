"""Snapshots: their arguments, GloMPO's names of them, what is refused, and what a text says."""

from __future__ import annotations

import copy
import math
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnibench import ExperimentPlan, Policy, Snapshots
from omnibench.errors import OmnibenchError
from omnibench.snapshots.control import OFF, as_snapshots, snapshots_of

GLOMPO_NAMES = {
    "checkpoint_time_frequency": ("every_seconds", 60.0),
    "checkpoint_iter_frequency": ("every_iterations", 50),
    "checkpoint_at_init": ("at_init", True),
    "checkpoint_at_conv": ("at_end", True),
    "raise_checkpoint_fail": ("strict", True),
    "force_task_save": ("native_only", True),
    "keep_past": ("keep_past", 3),
    "naming_format": ("naming_format", "mine_%(count)"),
    "checkpointing_dir": ("directory", "some/where"),
}


def test_defaults_are_those_of_the_seed() -> None:
    """Without an interval nothing is taken by itself, and all that are taken stay; only the place is ours."""
    usual = Snapshots()
    assert (usual.every_seconds, usual.every_iterations) == (math.inf, math.inf)
    assert (usual.at_init, usual.at_end, usual.strict, usual.native_only, usual.is_off) == (False,) * 5
    assert (usual.keep_past, usual.naming_format, usual.directory) == (-1, "snapshot_%(date)_%(time)", None)


@pytest.mark.parametrize("alias", GLOMPO_NAMES)
def test_glompos_names_are_aliases(alias: str) -> None:
    """What GloMPO's CheckpointingControl takes is taken under its name, and can be read under it."""
    name, value = GLOMPO_NAMES[alias]
    snapshots = Snapshots(**{alias: value})  # type: ignore[arg-type]
    assert snapshots == Snapshots(**{name: value})  # type: ignore[arg-type]
    assert snapshots != Snapshots()
    assert getattr(snapshots, alias) == getattr(snapshots, name)


def test_both_names_are_refused() -> None:
    """Two values for the same thing are a mistake, whichever is meant."""
    with pytest.raises(OmnibenchError, match="every_seconds and checkpoint_time_frequency are the same"):
        Snapshots(60, checkpoint_time_frequency=90)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"every_seconds": -1}, "every_seconds is -1; give seconds above 0"),
        ({"every_seconds": 0}, "every_seconds is 0; "),
        ({"every_seconds": math.nan}, "every_seconds is nan; "),
        ({"every_seconds": True}, "every_seconds is True; "),
        (
            {"every_seconds": "10m"},
            "every_seconds is '10m'; give seconds above 0, or write snapshots='10m' in the place of",
        ),
        (
            {"every_iterations": "5it"},
            "every_iterations is '5it'; give a whole number from 1 on, or write snapshots='5it'",
        ),
        ({"checkpoint_time_frequency": -5}, "checkpoint_time_frequency is -5; "),
        ({"every_iterations": 0}, "every_iterations is 0; give a whole number from 1 on"),
        ({"every_iterations": 2.5}, "every_iterations is 2.5; "),
        ({"every_iterations": True}, "every_iterations is True; "),
        ({"at_init": 1}, "at_init is 1; give True or False"),
        ({"checkpoint_at_conv": "no"}, "checkpoint_at_conv is 'no'; "),
        ({"strict": None}, "strict is None; "),
        ({"keep_past": -2}, "keep_past is -2; give how many"),
        ({"keep_past": True}, "keep_past is True; "),
        ({"keep_past": 1.0}, "keep_past is 1.0; "),
        ({"naming_format": ""}, "naming_format is '', which gives all snapshots the same name; add %"),
        ({"naming_format": "newest"}, "naming_format is 'newest', which gives all"),
        ({"naming_format": None}, "naming_format is None; give a text"),
        ({"naming_format": "a/%(count)"}, "a name has no slash; directory= says"),
        ({"naming_format": "a\n%(count)"}, "printable characters only"),
        ({"naming_format": "a\0%(count)"}, "printable characters only"),
        ({"naming_format": "é" * 130 + "%(count)"}, "has 263 bytes, and at most 255 are possible; give a shorter one"),
        ({"directory": 3}, "directory is 3; give the path"),
        ({"directory": ""}, "directory is ''; give the path"),
        ({"every_second": 3}, "Snapshots has no argument 'every_second'; did you mean 'every_seconds'?"),
    ],
)
def test_impossible_values_are_refused(arguments: dict[str, Any], message: str) -> None:
    """A wrong value is said with its name, as it was written, before anything runs."""
    with pytest.raises(OmnibenchError) as caught:
        Snapshots(**arguments)
    assert message in str(caught.value)


def test_numbers_may_be_numpys() -> None:
    """Numbers of whatever type are taken, and are Python's from then on."""
    snapshots = Snapshots(np.float32(60), np.int64(5), keep_past=np.int8(2))  # type: ignore[arg-type]
    assert snapshots == Snapshots(60, 5, keep_past=2)
    assert [type(value) for value in (snapshots.every_seconds, snapshots.plain["every_iterations"])] == [float, int]


def test_relative_directory_is_absolute_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the working directory goes later does not matter, nor what a shell would have made of a tilde."""
    monkeypatch.chdir(tmp_path)
    snapshots = Snapshots(directory="kept")
    monkeypatch.chdir("/")
    assert snapshots.directory == tmp_path / "kept"
    assert snapshots.checkpointing_dir == tmp_path / "kept"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Snapshots(directory="~/../kept").directory == tmp_path.parent / "kept"


def test_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    """A file, something below a file, and a link that leads nowhere are no directories."""
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("file", "file/below"):
        with pytest.raises(OmnibenchError, match="file' is a file; give the path of a directory"):
            Snapshots(directory=tmp_path / name)
    with pytest.raises(OmnibenchError, match="is a link to 'nowhere', which does not exist"):
        Snapshots(directory=tmp_path / "link")


def test_count_goes_on_from_what_lies_in_the_directory(tmp_path: Path) -> None:
    """As GloMPO's tests have it: 0 without a directory or in an empty one, then one more than the largest match."""
    snapshots = Snapshots(naming_format="s_%(count)", directory=tmp_path / "later")
    assert snapshots.count == 0
    assert [snapshots.get_name(), snapshots.get_name()] == ["s_000", "s_001"]
    assert snapshots.count == 2
    for name in ("s_001", "s_007", "s_100.tar.gz", "s_99", "x_200"):
        (tmp_path / name).mkdir()
    snapshots = Snapshots(naming_format="s_%(count)", directory=tmp_path)
    assert (snapshots.count, snapshots.get_name(), snapshots.count) == (8, "s_008", 9)
    (tmp_path / "s_1003").mkdir()
    assert (snapshots.get_name(), snapshots.count) == ("s_1004", 1005)


def test_names_are_new_and_match() -> None:
    """Names that are asked for within a second differ, and the format knows them for its own."""
    snapshots = Snapshots()
    names = [snapshots.get_name() for _ in range(5)]
    assert len(set(names)) == 5
    assert all(snapshots.matches_naming_format(name) for name in names)
    assert not snapshots.matches_naming_format(names[0] + "_KEEP_ME")


def test_names_that_were_asked_for_change_nothing() -> None:
    """Snapshots are equal when their arguments are, whatever they have been asked, and travel as they are."""
    snapshots = Snapshots(60, naming_format="s_%(count)", directory="kept")
    assert snapshots.get_name() == "s_000"
    assert snapshots == Snapshots(60, naming_format="s_%(count)", directory="kept")
    assert hash(snapshots) == hash(Snapshots(60, naming_format="s_%(count)", directory="kept"))
    for other in (pickle.loads(pickle.dumps(snapshots)), copy.deepcopy(snapshots)):
        assert other == snapshots
        assert other.get_name() == "s_001"


def test_attributes_cannot_be_changed() -> None:
    """Whoever has checked Snapshots has those that are used."""
    with pytest.raises(AttributeError):
        Snapshots().keep_past = -5  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "snapshots"),
    [
        ("10m", Snapshots(600, keep_past=0)),
        ("90s", Snapshots(90, keep_past=0)),
        ("1.5h", Snapshots(5400, keep_past=0)),
        ("50it", Snapshots(every_iterations=50, keep_past=0)),
        (" 50 it , 10m ", Snapshots(600, 50, keep_past=0)),
        ("5m", Snapshots.by_default()),
        ("off", OFF),
        ("OFF", OFF),
    ],
)
def test_text(text: str, snapshots: Snapshots) -> None:
    """A text says the intervals, and the rest is as by default: they go when their Fit is recorded."""
    assert snapshots_of(text) == snapshots
    assert as_snapshots(text) == snapshots


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' is no interval of snapshots; write e.g. 10m, 90s, 50it, 10m,50it or off."),
        ("often", "'often' is no interval"),
        ("-5m", "'-5m' is no interval"),
        ("1.5it", "'1.5it' is no interval"),
        ("10m,off", "'10m,off' is no interval"),
        ("50 epochs", "'50 epochs' is no interval"),
        ("10m,5m", "two intervals of the same sort"),
        ("0s", "an interval of 0"),
        ("0it", "an interval of 0"),
        ("0", "an interval of 0"),
        ("50", "'50' says no unit of 50; write 50s for seconds, or 50it for iterations."),
        ("1.5", "'1.5' says no unit of 1.5; write 1.5s for seconds."),
        ("10m, 50", "'10m, 50' says no unit of 50; write 50s for seconds, or 50it for iterations."),
    ],
)
def test_impossible_texts_are_refused(text: str, message: str) -> None:
    """What cannot be read is repeated, with what can."""
    with pytest.raises(OmnibenchError) as caught:
        snapshots_of(text)
    assert message in str(caught.value)


@pytest.mark.parametrize("value", [False, True, b"10m", ("10m",)])
def test_only_texts_and_snapshots_are_taken(value: object) -> None:
    """What is neither is refused with both."""
    with pytest.raises(OmnibenchError, match=r"give Snapshots\(...\), or a text such as 10m"):
        as_snapshots(value)


@pytest.mark.parametrize(
    "use", [as_snapshots, lambda value: Policy(snapshots=value), lambda value: ExperimentPlan("p", snapshots=value)]
)
def test_a_number_has_no_unit(use: Callable[[Any], object]) -> None:
    """A number may be meant as seconds or as epochs, so it is refused in a script as it is in a text."""
    for value in (50, "50"):
        with pytest.raises(OmnibenchError, match="snapshots: '50' says no unit of 50; write 50s for seconds, or 50it"):
            use(value)


def test_what_stays_after_fit() -> None:
    """Snapshots by default go with their Fit's record; what somebody wants to keep stays."""
    assert not Snapshots.by_default().stay_after_fit
    assert not Snapshots(60, keep_past=0).stay_after_fit
    assert Snapshots(60).stay_after_fit
    assert Snapshots(60, keep_past=2).stay_after_fit
    assert Snapshots(at_end=True, keep_past=0).stay_after_fit


def test_off_is_not_the_same_as_no_interval() -> None:
    """Without an interval snapshots are still taken on request; switched off, they are not."""
    assert OFF.is_off
    assert not Snapshots(keep_past=0).is_off
    assert Snapshots(keep_past=0) != OFF
    assert pickle.loads(pickle.dumps(OFF)) == OFF


def test_repr_says_what_differs() -> None:
    """What an error or a notebook shows is code that makes the same object."""
    for snapshots in (Snapshots(), Snapshots(600, at_init=True, keep_past=0), OFF, Snapshots(directory=os.sep)):
        assert eval(repr(snapshots)) == snapshots
    assert repr(Snapshots(600, keep_past=0)) == "Snapshots(every_seconds=600.0, keep_past=0)"
    assert repr(OFF) == "Snapshots.off()"


def test_plain_is_plain_data() -> None:
    """A guest gets texts, numbers and truth values; an interval that there is not is None."""
    assert Snapshots(every_iterations=5.0, strict=True).plain == {
        "every_seconds": None,
        "every_iterations": 5,
        "at_init": False,
        "at_end": False,
        "strict": True,
        "native_only": False,
    }

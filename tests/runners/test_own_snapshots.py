"""Snapshots of users' own classes: resumed, a Fit is what it is uninterrupted, or it says what it lacks and is no half."""

from __future__ import annotations

import gc
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support import noise, resumable

from omnibench import UserHoldout, from_frame
from omnibench.data.prepare import prepare
from omnibench.errors import PlanError
from omnibench.experiment.own import OwnAlgorithm
from omnibench.guest.base import Session
from omnibench.runners import own_guest
from omnibench.runners.own_report import HOW_TO_COUNT, HOW_TO_MARK
from omnibench.runners.own_snapshots import AFTER_A_CHANGE


class Killed(BaseException):
    """Ends a Fit where its process would be killed."""


class Host:
    """Publishes the snapshots of Fits as the engine does, in a directory, and may kill a Fit after one of them.

    Args:
        directory: Where everything lies.
        fold: The directory of the fold.
    """

    def __init__(self, directory: Path, fold: Path) -> None:
        self.directory, self.fold = directory, fold
        self.snapshots: list[dict[str, Any]] = []
        self.nothing: list[str] = []
        self.answers: list[dict[str, Any]] = []
        self._answer: dict[str, Any] = {}
        self._kill_after: int | None = None
        self._session = Session(own_guest, self._send, lambda: self._answer)

    def fit(
        self,
        algorithm: type,
        *,
        kill_after: int | None = None,
        resume: bool = False,
        same_process: bool = False,
        **settings: Any,
    ) -> Any:
        """Fit a class, if not in the same process then with its modules as after their import; return the instance or the answer."""
        if not same_process:
            self._session = Session(own_guest, self._send, lambda: self._answer)
            noise.reset()
            resumable.rng.bit_generator.state = np.random.default_rng(11).bit_generator.state
            resumable.counter.value = 0
        self._kill_after = kill_after
        working = self.directory / "working"
        shutil.rmtree(working, ignore_errors=True)
        working.mkdir(parents=True)
        request = {"directory": str(working), "ask": str(self.directory / "ask"), "every_iterations": 1, **settings}
        if resume:
            newest = self.snapshots[-1]["name"]
            request["resume"] = {"name": newest, "directory": str(self.directory / newest)}
        session = self._session
        answer = session.answer(
            {
                "op": "fit",
                "fit_key": "key",
                "dataset": str(self.fold),
                "fold": 0,
                "algorithm": json.dumps(OwnAlgorithm.of(algorithm).locator),
                "parameters": {},
                "seed": 42,
                "device": "cpu",
                "threads": 1,
                "output": str(working),
                "snapshots": request,
            }
        )
        self.answers.append(answer)
        if "Killed" in answer.get("error", ""):
            return None
        return answer if session._model is None else session._model[1].instance

    def _send(self, message: dict[str, Any]) -> None:
        snapshot = message.get("snapshot")
        if snapshot is None:
            return
        if "nothing" in snapshot:
            self.nothing.append(snapshot["nothing"])
            return
        if "failed" in snapshot:
            self._answer = {"failed": snapshot["failed"]}
            return
        name = f"snapshot_{len(self.snapshots)}"
        (self.directory / "working" / snapshot["folder"]).rename(self.directory / name)
        self.snapshots.append({**snapshot, "name": name})
        self._answer = {"name": name}
        if snapshot["iteration"] == self._kill_after:
            raise Killed


@pytest.fixture(scope="module", autouse=True)
def _frozen() -> Iterator[None]:
    """What is there stays, as in a guest: looking through it before every Fit would take longer than the Fits."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="module")
def fold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fold with text ids."""
    root = tmp_path_factory.mktemp("fold")
    rng = np.random.default_rng(3)
    rows = [(f"u{user:02}", f"i{item:02}") for user in range(20) for item in rng.choice(30, 10, replace=False)]
    prepare(from_frame(pd.DataFrame(rows, columns=["user", "item"])).pipe(UserHoldout(0.2, 0.2)), root)
    return root


@pytest.fixture
def host(tmp_path: Path, fold: Path) -> Host:
    """A host with an empty directory."""
    return Host(tmp_path, fold)


def _resumed(host: Host, algorithm: type, kill_after: int = 3, **settings: Any) -> Any:
    """Kill a Fit after an iteration, and resume it."""
    assert host.fit(algorithm, kill_after=kill_after, **settings) is None
    return host.fit(algorithm, resume=True, **settings)


EXACT = [
    resumable.Walk,
    resumable.Inherited,
    resumable.Slotted,
    resumable.Native,
    resumable.Made,
    resumable.Broken,
    resumable.Linked,
    resumable.Supplied,
    resumable.Named,
    resumable.Changed,
    resumable.Reduced,
    resumable.Aliased,
    resumable.While,
]


@pytest.mark.parametrize("algorithm", EXACT)
def test_a_resumed_fit_is_the_uninterrupted_one(algorithm: type, host: Host) -> None:
    """Bit by bit, whatever the class and its modules draw from, before the loop and in it."""
    expected = host.fit(algorithm).scores.tobytes()
    for kill_after in (1, 3):
        assert _resumed(host, algorithm, kill_after).scores.tobytes() == expected
    assert [snapshot["iteration"] for snapshot in host.snapshots] == [1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 1, 2, 3, 4, 5]


def test_it_may_be_killed_again_and_again(host: Host) -> None:
    """Each attempt goes on from the newest snapshot, and is as exact as the first."""
    expected = host.fit(resumable.Walk).scores.tobytes()
    host.fit(resumable.Walk, kill_after=1)
    for kill_after in (2, 4, 5):
        assert host.fit(resumable.Walk, resume=True, kill_after=kill_after) is None
    assert host.fit(resumable.Walk, resume=True).scores.tobytes() == expected


@pytest.mark.parametrize("kill_after", [1, 4, 12])
def test_iterations_may_be_reported_seldom(kill_after: int, host: Host) -> None:
    """The first and every fourth, say; the epoch that is kept is known after a resume, too."""
    whole = host.fit(resumable.Seldom)
    model = _resumed(host, resumable.Seldom, kill_after)
    assert model.scores.tobytes() == whole.scores.tobytes()
    assert [(answer["epochs"], answer["history"], answer["series"]) for answer in host.answers[::2]] == [
        (9, [(number, 0.5) for number in (1, 4, 8, 12, 16)], [(n, {"validation": 0.5}) for n in (1, 4, 8, 12, 16)])
    ] * 2


def test_a_snapshot_before_the_first_iteration_holds_what_the_constructor_made(host: Host) -> None:
    """With ``at_init``; gone on from, the Fit is the uninterrupted one, too."""
    expected = host.fit(resumable.Walk).scores.tobytes()
    assert _resumed(host, resumable.Walk, 0, at_init=True).scores.tobytes() == expected


def test_the_frames_of_fit_are_in_no_snapshot(host: Host) -> None:
    """A class that keeps the frame which it was given has it after the resume: the very frame that ``fit`` gets."""
    model = _resumed(host, resumable.Walk)
    files = b"".join(path.read_bytes() for path in host.directory.glob("snapshot_*/state.*"))
    assert b"u07" not in files
    assert b"i07" in files, "a list that the class has made of the items is its own"
    assert list(model.train.columns) == ["user", "item"]
    assert len(model.train)


def test_a_frame_that_was_changed_is_stored_whole(host: Host) -> None:
    """What a class has written into it is not what the next process would give."""
    model = _resumed(host, resumable.Changed)
    assert list(model.changed.columns) == ["user", "item", "weight"]
    assert b"u07" in (host.directory / host.snapshots[0]["name"] / "state.bin").read_bytes()


def test_a_classes_own_methods_come_first(host: Host) -> None:
    """What they write is all that there is of the instance; with ``native_only`` nothing else is tried."""
    for settings in ({}, {"native_only": True}):
        _resumed(host, resumable.Native, **settings)
        newest = host.directory / host.snapshots[-1]["name"]
        assert sorted(path.name for path in (newest / "own").iterdir()) == ["arrays.npz", "state.json"]
        assert not host.snapshots[-1]["missing"]


def test_native_only_never_pickles(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    """A method that fails makes no snapshot, a class without it has none, and one that was pickled before is not used."""
    host.fit(resumable.Broken, native_only=True)
    sentence = "no snapshot after iteration 1 of 6: ValueError: checkpoint_save has failed: RuntimeError: no licence"
    assert f"{sentence} (resumable.py, line " in capsys.readouterr().out
    host.fit(resumable.Walk, native_only=True)
    assert host.nothing == ["Walk has no checkpoint_save and checkpoint_load, and native_only asks for them"]
    assert not host.snapshots
    host.fit(resumable.Walk, kill_after=2)
    assert "was pickled, and native_only asks" in host.fit(resumable.Walk, resume=True, native_only=True)["unusable"]


def test_a_method_that_fails_is_said_and_pickle_does_it(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    """Once; half of what it wrote is gone."""
    host.fit(resumable.Broken)
    lines = re.findall(
        r"^Broken: checkpoint_save has failed: RuntimeError: no licence \(resumable.py, line \d+\); the instance is pickled instead$",
        capsys.readouterr().out,
        flags=re.MULTILINE,
    )
    assert len(lines) == 1
    assert len(host.snapshots) == 5
    assert not [*host.directory.glob("snapshot_*/own")]


def test_a_method_that_writes_a_link_is_said_and_pickle_does_it(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    """At once, not when it turns out that nothing can go on from it."""
    host.fit(resumable.Linked)
    line = "Linked: checkpoint_save has written the link 'latest', and a snapshot keeps files alone; the instance is pickled instead"
    assert line in capsys.readouterr().out.splitlines()
    assert not [*host.directory.glob("snapshot_*/own")]


def test_a_part_that_cannot_be_saved_is_named(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    """The snapshot has all the others; the log says once what is missing and what to do."""
    host.fit(resumable.Locked)
    assert [snapshot["missing"] for snapshot in host.snapshots] == [["lock"]] * 5
    assert all(snapshot["unsupplied"] for snapshot in host.snapshots), "nothing of the class makes it anew"
    lines = [line for line in capsys.readouterr().out.splitlines() if "snapshots lack" in line]
    assert len(lines) == 1
    sentence = (
        "Locked: snapshots lack its attribute lock, which cannot be pickled (cannot pickle '_thread.lock' object). To"
    )
    assert sentence in lines[0]


def test_nobody_is_advised_to_write_what_the_class_has(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    """A class that makes its missing parts anew is not asked for ``restore_parts`` by each of its attempts."""
    _resumed(host, resumable.Supplied)
    assert "snapshots lack" not in capsys.readouterr().out


def test_a_method_without_the_other_is_said(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody calls it, so it is said in the log, with what may be a slip of the pen; so is why there is no snapshot at all."""
    host.fit(resumable.Misspelt)
    problem = "has checkpoint_save and no checkpoint_load (but checkpoint_laod), so neither is called"
    assert f"Misspelt: {problem}; the instance is pickled instead\n" in capsys.readouterr().out
    assert len(host.snapshots) == 5
    host.fit(resumable.Misspelt, native_only=True)
    assert host.nothing == [f"Misspelt {problem}, and native_only asks for them"]


def test_a_snapshot_that_cannot_be_loaded_names_the_line(host: Host) -> None:
    """What ``checkpoint_load`` has raised is said with the line of the class that has raised it."""
    answer = _resumed(host, resumable.BadlyLoaded)
    assert re.fullmatch(
        r"its checkpoint_load has failed: KeyError: 'weights' \(resumable.py, line \d+\)", answer["unusable"]
    )


def test_a_refusal_says_what_a_change_of_the_class_helps(host: Host) -> None:
    """The class's code is in the key: once it is changed, only its later Fits go on from their snapshots."""
    error = _resumed(host, resumable.Locked)["error"]
    assert error.endswith(AFTER_A_CHANGE)


@pytest.mark.parametrize(
    ("algorithm", "reason"),
    [
        (resumable.Locked, r"lacks lock of Locked.*has no restore_parts"),
        (resumable.HalfSupplied, r"restore_parts has not set lock"),
        (resumable.Failing, r"restore_parts has failed: OSError: the server is down \(resumable.py, line \d+\)"),
    ],
)
def test_a_resume_without_a_part_is_refused(algorithm: type, reason: str, host: Host) -> None:
    """It is never a silent half; the snapshot stays, since nothing is wrong with it."""
    answer = _resumed(host, algorithm)
    assert re.search(reason, answer["error"])
    assert "unusable" not in answer


def test_restore_parts_is_told_what_is_missing(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    """And what it has made anew is said."""
    resumable.Supplied.supplied.clear()
    _resumed(host, resumable.Supplied)
    assert resumable.Supplied.supplied == [["lock"]]
    assert "Supplied: restore_parts has made lock anew, which the snapshot lacks" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("algorithm", "reason"),
    [
        (resumable.Again, "goes on with iteration 1, where 3 was the last"),
        (resumable.Skipping, "goes on with iteration 5, where 3 was the last"),
        (resumable.Guarded, r"UnboundLocalError: .*'rate'.*\(resumable.py, line \d+\).*has to be an attribute"),
        (resumable.Twice, "reports iteration 2 more than once"),
        (resumable.Phases, "goes on with iteration 1, where 3 was the last"),
    ],
)
def test_a_fit_that_does_not_go_on_is_noticed(algorithm: type, reason: str, host: Host) -> None:
    """Before it has trained twice, or left something out: the snapshot cannot be used, and the Fit begins anew."""
    kill_after = 1 if algorithm is resumable.Twice else 3
    answer = _resumed(host, algorithm, kill_after)
    assert re.search(reason, answer["unusable"])
    assert answer["anew"], "it would be no other from an earlier snapshot"


def test_what_begins_anew_is_the_uninterrupted_fit(host: Host) -> None:
    """Though its process has put the generators of its modules into the states of the snapshot before."""
    expected = host.fit(resumable.Again).scores.tobytes()
    assert "unusable" in _resumed(host, resumable.Again)
    assert host.fit(resumable.Again, same_process=True).scores.tobytes() == expected


def test_phases_that_count_anew_end_the_snapshots(host: Host) -> None:
    """An iteration that comes again says nothing of where the training is; what was taken before it is exact."""
    expected = host.fit(resumable.Phases).scores.tobytes()
    assert host.nothing == ["Phases reports iteration 1 after 3; give each a number of its own, once"]
    assert _resumed(host, resumable.Phases, 2).scores.tobytes() == expected


def test_a_generator_in_a_variable_is_noticed(host: Host) -> None:
    """It would begin anew after a resume, so there are no snapshots; nor does the only one that there is go on."""
    host.fit(resumable.Local)
    assert [snapshot["iteration"] for snapshot in host.snapshots] == [1]
    assert host.nothing == [
        "Local.fit draws from the generator in its variable local, which a resume would make anew; keep it in self.local"
    ]
    answer = host.fit(resumable.Local, resume=True)
    assert "draws from the generator in its variable local" in answer["unusable"]


def test_epochs_alone_mark_nothing(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    """Classes of before are as they were, and the log says once how to have snapshots."""
    host.fit(resumable.Epochs)
    assert not host.snapshots
    assert host.nothing == [f"Epochs reports epochs alone; {HOW_TO_MARK}"]
    assert capsys.readouterr().out.splitlines()[1:3] == [
        "Epochs: epoch=1, epochs=6",
        f"nothing to snapshot: Epochs reports epochs alone; {HOW_TO_MARK}",
    ]
    host.fit(resumable.Epochs, same_process=True)
    assert len(host.nothing) == 2
    assert "nothing to snapshot" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("algorithm", "reason"),
    [
        (resumable.FromZero, f"FromZero reports iteration 0 first; {HOW_TO_COUNT}"),
        (
            resumable.AsText,
            "AsText reports iteration='1', which is no whole number; report how many iterations are finished",
        ),
    ],
)
def test_iterations_that_cannot_be_gone_on_with_are_said_at_once(algorithm: type, reason: str, host: Host) -> None:
    """Whoever counts from 0, or reports something else than whole numbers, has no snapshots, and hears so at the first."""
    host.fit(algorithm)
    assert host.nothing == [reason]
    assert not host.snapshots


def test_a_resumed_fit_that_begins_at_0_does_not_go_on(host: Host) -> None:
    """Though from the beginning it counts from 1."""
    answer = _resumed(host, resumable.BackToZero)
    assert "goes on with iteration 0, where 3 was the last that is finished" in answer["unusable"]


def test_a_random_state_that_is_not_there_is_an_error_before_the_training(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the name, and how it is given."""
    monkeypatch.setattr(resumable.Named, "random_state_of", ("support.noise.nothing",))
    answer = host.fit(resumable.Named)
    assert "names 'support.noise.nothing', which is neither in support.resumable nor" in answer["error"]
    monkeypatch.setattr(resumable.Named, "random_state_of", 7)
    with pytest.raises(PlanError, match="random_state_of is 7; it names generators as texts"):
        OwnAlgorithm.of(resumable.Named)

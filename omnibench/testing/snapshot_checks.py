"""Checks of the snapshots of a running Fit: whoever goes on from one ends with the model of an uninterrupted Fit."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import pytest

from omnibench.errors import GuestError, OmnibenchError, SnapshotError
from omnibench.testing import advice
from omnibench.testing.contents import difference_of_predictions, differing_attributes
from omnibench.testing.data_checks import DataChecks
from omnibench.testing.findings import fail, fail_with, fitted, once, predicted
from omnibench.testing.processes import ELSEWHERE, KILLED, SHARED
from omnibench.testing.recorder import KeptSnapshot, Recorder
from omnibench.testing.subject import Fitted, Subject

_MOST_RESUMED = 12
"""So many snapshots are gone on from at most, spread over the Fit."""

_MOST_NAMED = 3
_KILLS = 2


class SnapshotChecks(DataChecks):
    """Checks of the snapshots of a running Fit."""

    native_only: ClassVar[bool] = False

    __test__ = False

    def test_snapshot_at_every_iteration(self, subject: Subject) -> None:
        """A Fit that goes on from a snapshot, of whatever iteration, makes the model of an uninterrupted one."""
        once(subject, "snapshots", lambda: self._check_resumes(subject))

    def test_killed_in_the_middle(self, subject: Subject) -> None:
        """A Fit whose process is killed twice, and that goes on each time, makes the model of an uninterrupted one."""
        try:
            once(subject, "snapshots", lambda: self._check_resumes(subject))
        except pytest.fail.Exception:
            pytest.skip("test_snapshot_at_every_iteration says what is wrong with the snapshots")
        recorder = self._recorder(subject)
        for process in (*[KILLED] * _KILLS, SHARED):
            recorder.pid = 0 if process == SHARED else subject.processes.get(process).pid
            try:
                model = subject.fit(process=process, recorder=recorder)
            except OmnibenchError as error:
                if not recorder.was_killed:
                    called = f"{subject.name} does not go on {_from(recorder.resumed)} after kill -9"
                    fail_with(error, called, advice.KILLED)
                recorder.resumed, recorder.was_killed = recorder.newest, False
            else:
                break
        if recorder.resumed is None:
            pytest.skip(f"{subject.name} has a single iteration here; more of them in `parameters` can be interrupted")
        difference = self._difference(subject, model, process)
        if difference:
            fail(f"{subject.name} goes on {_from(recorder.resumed)} after kill -9, and {difference}", advice.KILLED)

    def _check_resumes(self, subject: Subject) -> None:
        """Go on from the snapshot of every iteration."""
        expected = predicted(subject)
        if any(difference_of_predictions(expected, subject.refitted(process)[1]) for process in (SHARED, ELSEWHERE)):
            pytest.skip(f"{subject.name} differs without snapshots, too: test_same_seed_same_lists says why")
        recorder = self._recorder(subject)
        try:
            model = subject.fit(recorder=recorder)
        except OmnibenchError as error:
            fail_with(error, f"{subject.name} fails when snapshots are taken", subject.to_change(advice.TAKING))
        if recorder.failures:
            fail(f"{subject.name} has no snapshot {recorder.failures[0]}", subject.to_change(advice.SAVING))
        if not any(snapshot.iteration for snapshot in recorder.snapshots) and (
            recorder.nothing or not recorder.snapshots
        ):
            pytest.skip(f"nothing to snapshot: {recorder.nothing or f'{subject.name} marks no point'}")
        difference = self._difference(subject, model, SHARED)
        if difference:
            fail(f"{subject.name} is fitted with snapshots, and {difference}", subject.to_change(advice.TAKING))
        self._check_methods(subject, recorder.snapshots)
        subject.processes.renew(ELSEWHERE)
        for snapshot in _spread(recorder.snapshots):
            resumed = self._resumed(subject, snapshot)
            difference = self._difference(subject, resumed, ELSEWHERE)
            if difference:
                change = self._cause(subject, recorder.snapshots[-1])
                fail(f"{subject.name} goes on {_from(snapshot)}, and {difference}", change)

    def _check_methods(self, subject: Subject, snapshots: list[KeptSnapshot]) -> None:
        """Fail where a class is pickled although it has methods of its own to save its state."""
        algorithm = subject.own_class
        if algorithm is None:
            return
        from omnibench.runners.own_snapshots import LOAD, NATIVE_FOLDER, SAVE, unpaired  # which imports pandas

        problem = unpaired(algorithm)
        if problem:
            fail(f"{subject.name} {problem}", advice.UNPAIRED)
        has_methods = all(callable(getattr(algorithm, method, None)) for method in (SAVE, LOAD))
        if not has_methods or any((snapshot.folder / NATIVE_FOLDER).is_dir() for snapshot in snapshots):
            return
        recorder = Recorder(subject.new_folder(), native_only=True)  # which says why
        subject.fit(recorder=recorder)
        reason = f", such as that {recorder.failures[-1]}" if recorder.failures else ""
        fail(f"{subject.name} has a {SAVE} that fails at every snapshot{reason}", subject.to_change(advice.SAVING))

    def _cause(self, subject: Subject, last: KeptSnapshot) -> str:
        """Return what to change where models differ: behind the last iteration only what follows its report is missing."""
        if subject.own_class is None or last.iteration != last.iterations:
            return subject.to_change(advice.RESUMING)
        return advice.EARLY if self._difference(subject, self._resumed(subject, last), ELSEWHERE) else advice.RESUMING

    def _recorder(self, subject: Subject) -> Recorder:
        return Recorder(subject.new_folder(), self.native_only)

    def _resumed(self, subject: Subject, snapshot: KeptSnapshot) -> Fitted:
        """Fit from a snapshot on, in another process."""
        recorder = replace(self._recorder(subject), resumed=snapshot, is_taking=False)
        called = f"{subject.name} does not go on {_from(snapshot)}"
        try:
            return subject.fit(process=ELSEWHERE, recorder=recorder)
        except SnapshotError as error:
            fail(f"{called}: {error}", subject.to_change(advice.of_resume(str(error))))
        except GuestError as error:
            fail_with(error, called, subject.to_change(advice.of_resume(str(error))))

    def _difference(self, subject: Subject, model: Fitted, process: str) -> str:
        """Say how a model differs from that of the uninterrupted Fit, or return nothing."""
        whole, expected = fitted(subject), predicted(subject)
        varying = {
            name
            for process in (SHARED, ELSEWHERE)
            for name in differing_attributes(whole.file, subject.refitted(process)[0].file, subject.own_class)
        }
        attributes = differing_attributes(whole.file, model.file, subject.own_class)
        locations = [location for name, location in attributes.items() if name not in varying]
        more = f" and {len(locations) - _MOST_NAMED} more" if len(locations) > _MOST_NAMED else ""
        named = f"the model differs at {', '.join(locations[:_MOST_NAMED])}{more}" if locations else ""
        iterations = [[number for number, _ in fit.answer.get("series", ())] for fit in (whole, model)]
        reported = f"it reports the iterations {iterations[1]} in the place of {iterations[0]}"
        differences = [
            named,
            difference_of_predictions(expected, subject.usual(model, process)),
            reported if iterations[0] != iterations[1] else "",
        ]
        return "; ".join(filter(None, differences))


def _from(snapshot: KeptSnapshot | None) -> str:
    return "from the beginning" if snapshot is None else f"from its snapshot after {snapshot.progress}"


def _spread(snapshots: list[KeptSnapshot]) -> list[KeptSnapshot]:
    """Return all of a few snapshots, or some of many, the first and the last among them."""
    if len(snapshots) <= _MOST_RESUMED:
        return snapshots
    step = (len(snapshots) - 1) / (_MOST_RESUMED - 1)
    return [snapshots[round(number * step)] for number in range(_MOST_RESUMED)]

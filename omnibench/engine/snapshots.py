"""The snapshots of one Fit, on the host: which one it goes on from, when others are taken, and what is recorded of them."""

from __future__ import annotations

import json
import logging
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from omnibench.engine.checkpoint import ItemCheckpoints
from omnibench.engine.fit_attempts import earlier_attempts, own_attempt, total_costs
from omnibench.engine.policy import snapshots_for
from omnibench.engine.progress import Progress
from omnibench.engine.stopping import StoppedError
from omnibench.engine.workbench import Workbench
from omnibench.errors import GuestError, LostGuestError, OmnibenchError, SnapshotError, StoreError
from omnibench.experiment.experiment import Experiment
from omnibench.guest.disk import ERRNOS, explain
from omnibench.guest.snapshots import MANIFEST, progress
from omnibench.snapshots.names import free_name, surplus
from omnibench.store import snapshots as stored
from omnibench.store.resumption import resume_text, without_text
from omnibench.store.schema import PASSED_OVER, UNSUPPLIED, Artifact, Record, snapshot_identity, timestamp
from omnibench.store.snapshot_files import PARTIAL
from omnibench.store.workspaces import Workspace, left_over
from omnibench.terminal import terminal_text

_NEVER = {"every_seconds": None, "every_iterations": None, "at_init": False, "at_end": False}
"""What a guest is asked to do where nothing is to be written, or can be."""

_SUPPLY = "which its class does not make anew: it needs restore_parts(self, missing)"


class FitSnapshots:
    """The snapshots of one Fit, from its first attempt to its last.

    Args:
        workbench: The workbench of the process.
        experiment: The experiment that is fitted; of a tuned item with the hyperparameters that were chosen.
        checkpoints: The checkpoints of its item, or of the trial.
        attempt: The progress of the attempt.

    Attributes:
        request: What the guest is asked to do; None where snapshots are off, and there is none of an earlier attempt.
        history: The values on the validation part of the epochs before the snapshot that the Fit goes on from.
    """

    def __init__(
        self, workbench: Workbench, experiment: Experiment, checkpoints: ItemCheckpoints, attempt: Progress
    ) -> None:
        self.request: dict[str, Any] | None = None
        self.history: dict[int, float] = {}
        self._workbench, self._experiment, self._checkpoints = workbench, experiment, checkpoints
        self._attempt, self._control = attempt, snapshots_for(experiment, workbench.policy)
        self._item, self._requests = checkpoints.item, workbench.requests
        self._resumed: Record | None = None
        self._unusable: list[tuple[str, str]] = []
        """Why the Fit does not go on from snapshots: as warnings say it, and where it differs, as the terminal does."""
        self._earlier: list[Record] | None = None
        """The snapshots of the Fit, the newest first; empty: there are none; None: look. Under the lease nobody else records any."""
        self._names: set[str] = set()
        self._is_asked = self._is_asked_to_stop = self._is_saved = False
        self._has_points, self._is_unwritable, self._scratch = True, False, Path()

    @property
    def _label(self) -> str:
        """What people call the item, with the trial of its search that is fitted."""
        trial = self._workbench.trial
        return self._attempt.label if trial is None else f"{self._attempt.label}, trial {trial}"

    @property
    def _class(self) -> str:
        return terminal_text(self._experiment.configuration.name)

    def fit(self, request_fit: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Fit, from the newest snapshot that can be used, else from the beginning.

        Args:
            request_fit: Asks the guest, with ``request``; called again where it cannot go on from a snapshot.

        Returns:
            The guest's answer, whose costs are those of all attempts.
        """
        with self._requests.during_fit(self._attempt.item, self._label), self._written_aside():
            if self._control.is_off:
                self.nothing("snapshots are off")
            is_repeated = self._attempt.was_left
            while True:
                self._choose()
                self._note_beginning(is_repeated=is_repeated)
                is_repeated = True
                try:
                    return self._with_earlier_attempts(request_fit())
                except SnapshotError as error:
                    assert self._resumed is not None, "the guest was asked to go on from it"
                    self._pass_over(self._resumed, error)
                except LostGuestError:
                    self._earlier = None  # it goes on elsewhere, from the newest snapshot that was published
                except StoppedError:
                    if not self._is_saved:
                        self._say_unsaved()
                    raise

    @contextmanager
    def _written_aside(self) -> Iterator[None]:
        """Have a folder for what guests write, on the file system on which it will lie."""
        workspace = None if self._control.directory is None else self._workspace(self._control.directory)
        if workspace is None:
            with self._workbench.store.temporary() as self._scratch:
                yield
            if self._control.directory is not None:  # it may have been a moment's trouble, and nobody comes here again
                for left in left_over(self._control.directory, PARTIAL):
                    shutil.rmtree(left, ignore_errors=True)
            return
        self._scratch = workspace.directory
        try:
            yield
        finally:
            workspace.remove()

    def _workspace(self, outside: Path) -> Workspace | None:
        """Return a folder in a directory of the user's, or None where that cannot be written: no snapshots, but a Fit.

        Raises:
            OmnibenchError: It cannot be written, and snapshots are strict.
        """
        try:
            return Workspace(outside, PARTIAL)
        except OSError as error:
            reason = f"snapshots cannot be written to {str(outside)!r} ({error.strerror or error})"
            if self._control.strict:
                advice = "name another directory in Snapshots(directory=...), or make it writable"
                raise OmnibenchError(f"{reason}; {advice}.") from error
        self._is_unwritable = True
        self._warn(f"{reason}. The Fit goes on without any")
        self.nothing(reason)
        return None

    def _choose(self) -> None:
        """Choose the snapshot that the Fit goes on from, and set up what the guest is asked to do."""
        self._resumed, self.history = None, {}
        self._is_asked = self._is_asked_to_stop = False
        ask = self._scratch / "ask"
        ask.unlink(missing_ok=True)
        never = _NEVER if self._is_unwritable or self._control.is_off else {}
        self.request = {**self._control.plain, **never, "directory": str(self._scratch), "ask": str(ask)}
        self._earlier = None if (recorded := self._recorded()) else []
        for record in recorded:
            is_same = record["requested"] == self._experiment.fit_key  # a search may have chosen something else
            if record.get(PASSED_OVER) or not is_same:
                continue
            folder = stored.usable(self._workbench.store, record, lambda trouble: self._unusable.append((trouble, "")))
            if folder is not None and self._goes_on_from(record, folder):
                break
            if not stored.folder_of(record, self._workbench.store.root).exists():
                self._checkpoints.forget([record])
        if self._control.is_off and self._resumed is None:
            self.request = None
        self._say_choice()

    def _say_choice(self) -> None:
        """Tell whoever watches from where the Fit goes on, and first from which snapshots it does not, and why."""
        resumed = self._resumed
        instead = "the Fit begins anew" if resumed is None else "an earlier one is taken"
        for sentence, words in self._unusable:
            self._warn(f"{sentence}; {instead}")
            self._workbench.say(f"{self._label}: {words or sentence}; {instead}")
        self._unusable.clear()
        self._workbench.worker.note_snapshot(resumed)
        # The log has the guest's line, which stands in order with its others.
        if resumed is not None and not resumed.get(UNSUPPLIED):
            origin = f"the snapshot {resumed['name']} of {resumed['finished']}"
            self._workbench.say(f"{self._label}: {resume_text(resumed)} from {origin}")

    def _note_beginning(self, *, is_repeated: bool) -> None:
        """Have logs say what the Fit supersedes.

        Args:
            is_repeated: Whether an earlier attempt may have begun it.
        """
        if self._resumed is not None or is_repeated:
            name = "" if self._resumed is None else self._resumed["name"]
            self._workbench.begin_fit(name, is_shared=self._attempt.shares_trials)

    def _goes_on_from(self, record: Record, folder: Path) -> bool:
        """Have the guest go on from a snapshot; return whether that says of itself what is needed for it."""
        assert self.request is not None, "it was set up before"
        try:
            manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            self.history = {int(epoch): float(value) for epoch, value in manifest["history"]}
        except (OSError, ValueError, TypeError, LookupError, RecursionError) as error:  # a store may come from anybody
            self._pass_over(record, SnapshotError(f"its {MANIFEST} cannot be read ({error})"))
            return False
        self._resumed = record
        self.request["resume"] = {"name": record["name"], "directory": str(folder)}
        return True

    def _pass_over(self, record: Record, error: SnapshotError) -> None:
        """Note that a Fit cannot go on from a snapshot, which stays until its model is recorded."""
        self._earlier = None
        recorded = self._recorded() if error.anew else [record]
        remaining = {stored.key_of(snapshot): snapshot for snapshot in recorded if not snapshot.get(PASSED_OVER)}
        self._checkpoints.commit({key: {**snapshot, PASSED_OVER: timestamp()} for key, snapshot in remaining.items()})
        name = record["name"]
        warning = f"the Fit cannot go on from the snapshot {name}: {error}"
        self._unusable.append((warning, f"does not go on from the snapshot {name}: {error}"))

    def _recorded(self) -> list[Record]:
        return stored.snapshots_of(self._workbench.store, self._item.experiment.fit_key)

    def hear(self) -> None:
        """Pass on to the guest that somebody asks for a snapshot, or for the end; to be called about once a second."""
        is_pending = self._requests.pending()  # which answers whoever asks where there is nothing to snapshot
        if not self._has_points:
            return
        if self._workbench.stopping.reason and not self._is_asked_to_stop:
            self._is_asked_to_stop = True
            self._ask("stop")
        elif is_pending and not self._is_asked:
            self._ask("request")

    def _ask(self, reason: str) -> None:
        self._is_asked = True
        if self.request is not None:
            with suppress(OSError):  # a full disk: there will be no snapshot either
                Path(self.request["ask"]).write_text(reason, encoding="utf-8")

    def nothing(self, reason: str) -> None:
        """Note that there is nothing to take a snapshot of in this Fit.

        Args:
            reason: Why.
        """
        self._has_points = False
        self._requests.nothing(reason)

    def publish(self, snapshot: dict[str, Any]) -> dict[str, Any]:
        """Publish and record what a guest has written, and drop what is not to be kept; or hear that there is nothing.

        Args:
            snapshot: What the guest says of it; see ``guest.snapshots``.

        Returns:
            Its ``name``, or why it has ``failed``.

        Raises:
            GuestError: It has failed, and that is to end the Fit.
            StoppedError: The run is to stop, and goes on from this snapshot when it is run again.
        """
        if "nothing" in snapshot:
            self.nothing(str(snapshot["nothing"]))
            asked = (self._experiment.snapshots, self._workbench.policy.snapshots)
            if not self._control.is_off and asked != (None, None):  # by default, the log alone says it
                self._workbench.say_once(f"{self._class}: nothing to snapshot: {snapshot['nothing']}")
            return {}
        self._is_asked = False
        if "failed" in snapshot:
            return self._note_failure(snapshot, str(snapshot["failed"]), snapshot.get("errno"))
        partial = self._scratch / snapshot["folder"]
        if snapshot.get(UNSUPPLIED) and self._control.strict:
            shutil.rmtree(partial, ignore_errors=True)
            return self._note_failure(snapshot, f"it is {without_text(snapshot)}, {_SUPPLY}", None)
        try:
            record = self._record(snapshot, partial)
        except (OmnibenchError, OSError) as error:
            shutil.rmtree(partial, ignore_errors=True)
            return self._note_failure(snapshot, str(error), getattr(error, "errno", None))
        self._workbench.worker.note_snapshot(record)
        self._requests.recorded(record)
        if record.get(UNSUPPLIED):
            self._workbench.say_once(
                f"{self._class}: no Fit can go on from its snapshots {without_text(record)}, {_SUPPLY}"
            )
        self._workbench.worker.log.flush()  # a kill takes no line with it that was printed before the snapshot
        self._workbench.export_progress()
        reason = self._workbench.stopping.reason
        if reason:
            self._is_saved = True
            sentence = f"snapshot {record['name']} after {progress(record)}"
            self._attempt.log(logging.INFO, sentence)  # the guest is ended before it prints that
            later = "no run goes on from it" if record.get(UNSUPPLIED) else "the next run goes on from there"
            self._workbench.say(f"{self._label}: {', '.join(filter(None, [sentence, without_text(record)]))}; {later}")
            raise StoppedError(f"stopped by {reason}")
        return {"name": record["name"]}

    def _say_unsaved(self) -> None:
        """Tell whoever has stopped the Fit what of it is lost."""
        if not self._has_points:
            return
        with suppress(StoreError, OSError):
            usable = [old for old in self._recorded() if not old.get(PASSED_OVER) and not old.get(UNSUPPLIED)]
            origin = resume_text(usable[0]) if usable else "begins its Fit anew"
            self._workbench.say(
                f"{self._label}: stopped before a snapshot could be taken, so the next run {origin} "
                "(--omnirec-grace gives it more time)"
            )

    def _note_failure(self, snapshot: Mapping[str, Any], reason: str, errno: int | None) -> dict[str, Any]:
        self._requests.failed(reason)
        if self._control.strict:
            sentence = f"the snapshot after {progress(snapshot)} has failed, and snapshots are strict: {reason}"
            disk = explain(errno, [self._scratch]) if errno in ERRNOS else ""  # which need not be the store's
            raise GuestError(sentence, errno=errno, disk=disk)
        self._warn(
            f"no snapshot after {progress(snapshot)}: {reason}. The Fit goes on, and the next one is tried at its time"
        )
        return {"failed": reason}

    def _warn(self, sentence: str) -> None:
        self._attempt.log(logging.WARNING, sentence)
        warnings.warn(terminal_text(f"{self._label}: {sentence}."), UserWarning, stacklevel=3)

    def _record(self, snapshot: Mapping[str, Any], partial: Path) -> Record:
        """Publish a snapshot, record it, and forget those that it replaces."""
        if self._earlier is None:
            self._earlier = self._recorded()
        control, earlier = self._control, self._earlier
        base = self._base()
        names_in_use = {*self._names, *(record["name"] for record in earlier)}
        with suppress(OSError):
            names_in_use.update(path.name for path in base.iterdir())
        name = free_name(control.naming_format, datetime.now(), names_in_use)  # noqa: DTZ005 - names have local times
        self._names.add(name)  # also when it goes at once: the next one in the same second sorts behind it

        def record_with(files: list[Artifact]) -> Record:
            return stored.snapshot_record(
                self._checkpoints.labels,
                self._checkpoints.origin,
                self._experiment.fit_key,
                name,
                1 + max((record["number"] for record in earlier), default=0),
                snapshot,
                self._attempts(snapshot["costs"], int(snapshot["iteration"])),
                files,
                None if control.directory is None else base / name,
            )

        coming = stored.leaving([record_with([])])
        if coming:
            self._checkpoints.commit(coming)
        # What could not be gone on from may be all that is left of a night: it stays until there is a model.
        others = [record for record in earlier if not record.get(PASSED_OVER)]
        names = surplus(control.naming_format, [name, *(record["name"] for record in others)], control.keep_past)
        replaced = [old for old in others if old["name"] in names]
        identity = snapshot_identity(self._item.experiment.fit_key, name)
        try:
            record = record_with(stored.publish(self._workbench.store, partial, base / name, identity))
            self._checkpoints.replace_snapshots({stored.key_of(record): record}, replaced, coming)
        except BaseException:
            self._earlier = None
            self._withdraw(name, base / name, coming)
            raise
        remaining = [old for old in earlier if old["name"] not in names]
        self._earlier = [{member: value for member, value in record.items() if member != "series"}, *remaining]
        return record

    def _withdraw(self, name: str, folder: Path, coming: Mapping[str, Record]) -> None:
        """Remove what was published and could not be recorded: on a full disk nothing else gives its room back."""
        with suppress(OmnibenchError, OSError):
            if all(record["name"] != name for record in self._recorded()):
                shutil.rmtree(folder, ignore_errors=True)
                if coming:
                    self._checkpoints.commit({}, coming)

    def _base(self) -> Path:
        """Return the folder that the snapshots of the item lie in."""
        directory = self._checkpoints.claimed()  # its manifest repeats the records, wherever the files lie
        if self._control.directory is None:
            return directory / stored.FOLDER
        return self._control.directory.joinpath(*self._item.experiment.name.split("/"))

    def _attempts(self, costs: Mapping[str, Any], iteration: int | None) -> list[Record]:
        worker = self._workbench.worker
        own = own_attempt(self._resumed, costs, iteration, worker.log.run, worker.id)
        return [*earlier_attempts(self._resumed, self._checkpoints.previous), own]

    def _with_earlier_attempts(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Return a guest's answer with the costs of all attempts."""
        if self._resumed is None:
            return answer
        attempts = self._attempts(answer, answer.get("epochs"))
        return {**answer, **total_costs(attempts), "attempts": attempts}

    @property
    def spare(self) -> list[Record]:
        """The records of snapshots that go with the record of the Fit."""
        # A run that is off takes none away that a plan keeps.
        control = self._experiment.snapshots if self._control.is_off else self._control
        stay = control is not None and control.stay_after_fit
        return [] if stay or self._earlier == [] else self._recorded()

    def discard(self) -> None:
        """Remove the snapshots of a Fit that leaves no record: that of a trial which was pruned, or is not the best."""
        with suppress(StoreError, OSError):
            self._checkpoints.forget(self.spare)

"""Fit and Predict of one experiment: plain data and paths in, files and plain data out, no store."""

from __future__ import annotations

import json
import os
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from omnibench.data.stored_ids import read_ids, read_session_ids
from omnibench.engine.epochs import EpochMetric, Judge, answering
from omnibench.engine.list_checks import list_flaw
from omnibench.errors import GuestError
from omnibench.experiment.candidates import UNSEEN, KnownIds
from omnibench.experiment.experiment import Experiment
from omnibench.experiment.outputs import Outputs, outputs_of
from omnibench.experiment.resources import hours_text
from omnibench.guest import VALIDATION
from omnibench.guest.candidates import candidate_sets
from omnibench.guest.folds import RATING_DTYPE, Fold
from omnibench.guest.opened_folds import opened_fold
from omnibench.guest.predictions import read_predictions
from omnibench.masking import masked
from omnibench.naming import first_few
from omnibench.runners.replies import AnsweringGuest, OnEpoch
from omnibench.store.compression import decompress, is_compressed
from omnibench.terminal import terminal_text

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np

_MOST_IDS = 5
"""Users or items that a note names; it counts the others."""


class SnapshotTaker(Protocol):
    """What publishes the snapshots of a running Fit; see ``engine.snapshots``."""

    @property
    def request(self) -> dict[str, Any] | None:
        """What the guest is asked to do; None for no snapshots."""

    def publish(self, snapshot: dict[str, Any]) -> dict[str, Any]:
        """Publish what the guest has written."""

    def hear(self) -> None:
        """Pass on that somebody asks for a snapshot; called about once a second."""


@dataclass(frozen=True, slots=True)
class PhaseOptions:
    """The options that all requests to a guest have in common.

    Attributes:
        track: The memory peaks to measure; see ``policy.Policy``.
        timeout: Seconds after which a phase that still runs fails, or None.
        while_waiting: Called about once a second while a guest works; raising gives up.
        on_progress: Called with what a framework reports of its progress.
        on_silence: Called about once a second with the seconds since the guest's last sign of life, 0 while there are
            few, and whether it is stopped.
        limit: What ``timeout`` is in words, where no option says it.
    """

    track: Sequence[str] = ("rss",)
    timeout: float | None = None
    while_waiting: Callable[[], None] = lambda: None
    on_progress: Callable[[dict[str, Any]], None] = lambda _: None
    on_silence: Callable[[float, bool], None] = lambda *_: None
    limit: str = ""


def _ask(
    guest: AnsweringGuest,
    experiment: Experiment,
    dataset: Path,
    options: PhaseOptions,
    on_epoch: OnEpoch | None,
    snapshots: SnapshotTaker | None,
    **request: Any,
) -> dict[str, Any]:
    wait = options.while_waiting
    if snapshots is not None:
        wait = _in_turn(options.while_waiting, snapshots.hear)
        if snapshots.request is not None:
            request["snapshots"] = snapshots.request
    own = experiment.configuration.own
    publish = None if snapshots is None else snapshots.publish
    optional: dict[str, Any] = {"on_epoch": on_epoch, "on_snapshot": publish, "limit": options.limit}
    answer = guest.ask(
        {
            "algorithm": json.dumps(own.locator) if own else experiment.configuration.algorithm,
            "parameters": experiment.configuration.plain_parameters,
            "seed": experiment.seed,
            "device": experiment.device,
            "threads": guest.threads,
            "dataset": str(dataset),
            "fold": experiment.fold,
            "refit": experiment.refit,
            "fit_key": experiment.fit_key,
            "track": list(options.track),
            **request,
        },
        on_progress=options.on_progress,
        while_waiting=wait,
        timeout=options.timeout,
        on_silence=options.on_silence,
        **{name: value for name, value in optional.items() if value},
    )
    return {**answer, "threads": guest.threads}


def _in_turn(*functions: Callable[[], None]) -> Callable[[], None]:
    def call() -> None:
        for function in functions:
            function()

    return call


def fit(
    guest: AnsweringGuest,
    experiment: Experiment,
    dataset: Path,
    output: Path,
    options: PhaseOptions = PhaseOptions(),
    *,
    judge: Judge | None = None,
    metric: EpochMetric | None = None,
    snapshots: SnapshotTaker | None = None,
) -> dict[str, Any]:
    """Fit a model and write it into the directory ``output``.

    Args:
        guest: A guest of the experiment's framework.
        experiment: The experiment to fit.
        dataset: The prepared dataset.
        output: An empty directory.
        options: The options of every request.
        judge: Called after each epoch that has a value on the validation part, but for the last, with its number
            (counted from 1) and that value; returns whether to end the Fit. Without it nothing waits for the host.
        metric: What is measured after each epoch where the framework measures nothing, or something else, but trains in
            epochs; ``on_progress`` is told of it. Without it the values are the framework's own, which may be losses.
        snapshots: What publishes snapshots, and says which one the guest goes on from; without it there are none.

    Returns:
        ``file`` (its name), ``effective`` (all hyperparameters), ``version`` of the framework, ``threads``, ``notes``
        (what a user should know of the model, as sentences), ``epochs`` (for how many the model was trained that is
        kept; None where there are none), ``history`` (pairs of an epoch and its value on the validation part), ``series``
        (pairs of an epoch and the numbers that were reported of it, by name), and what ``guest.meter.Meter`` measures.

    Raises:
        EvaluationError: The candidates are of nobody who is tested.
        GuestError: The framework failed, or its process died.
        PrunedError: The judge has ended it.
        SnapshotError: The guest cannot go on from the snapshot.
    """
    experiment.candidates.check(_known_ids(experiment, dataset))  # before anything is trained in vain
    request: dict[str, Any] = {"op": "fit", "output": str(output)}
    options = _within_hours(experiment, options)
    if judge is None and metric is None:
        answer = _ask(guest, experiment, dataset, options, None, snapshots, **request)
    else:
        with tempfile.TemporaryDirectory(prefix="validation-", dir=output) as folder:
            if metric is not None:
                request["validate"] = {
                    "metric": metric.label,
                    "k": metric.list_length,
                    "outputs": _names(metric.outputs),
                    "epochs": None if metric.epochs is None else sorted(metric.epochs),
                    "candidates": _described(experiment, dataset, Path(folder), VALIDATION),
                    "output": str(Path(folder, "predictions.npy")),
                }
            on_epoch = answering(judge, metric, options.on_progress)
            request["prunable"] = judge is not None
            answer = _ask(guest, experiment, dataset, options, on_epoch, snapshots, **request)
    if not os.path.isfile(os.path.join(output, answer["file"])):
        flaw = f"reported the model {answer['file']!r} but wrote none"
        raise GuestError(f"{experiment.configuration.name} {flaw}", costs=answer)
    notes = [_with_ids(note, dataset) for note in answer.get("notes", ())]
    for note in notes:
        warnings.warn(terminal_text(f"{experiment.label}: {note}"), UserWarning, stacklevel=1)
    return {**answer, "notes": notes}


def _within_hours(experiment: Experiment, options: PhaseOptions) -> PhaseOptions:
    """Return options that end a Fit after the hours that it asks for; a limit of all phases counts in their place."""
    hours, seconds = experiment.resources.hours, experiment.resources.seconds
    if hours is None or options.timeout is not None:
        return options
    return replace(options, timeout=seconds, limit=f"the {hours_text(hours)} that it asked for (resources)")


def _described(experiment: Experiment, dataset: Path, directory: Path, judged: str = "") -> dict[str, Any]:
    """Return the candidate policy as plain data for a guest."""
    return experiment.candidates.described(directory, _known_ids(experiment, dataset, judged))


def _known_ids(experiment: Experiment, dataset: Path, judged: str = "") -> KnownIds:
    """Return the ids that candidates are looked up by; none for the default, which needs none."""
    if experiment.candidates is UNSEEN:
        return KnownIds((), ())
    fold = opened_fold(dataset, experiment.fold, "" if judged else experiment.refit, judged=judged)
    users, items = read_ids(dataset, "users"), read_ids(dataset, "items")
    return KnownIds(users, items, read_session_ids(dataset), fold.users)


def _with_ids(note: Mapping[str, Any], dataset: Path) -> str:
    """Return the text of a guest's note, with the user's own ids where it has codes."""
    words = {}
    for noun in ("user", "item"):
        codes = note[f"{noun}s"]
        ids = read_ids(dataset, f"{noun}s") if codes else []
        named = first_few([repr(ids[code]) for code in codes], _MOST_IDS)
        words[f"{noun}s"] = f"{noun}{'s' if len(codes) > 1 else ''} {named}"
    return masked(str(note["text"]).format(**words))


def predict(
    guest: AnsweringGuest,
    experiment: Experiment,
    dataset: Path,
    model: Path,
    list_length: int,
    output: Path,
    options: PhaseOptions = PhaseOptions(),
    *,
    outputs: Outputs | None = None,
    judged: str = "",
) -> dict[str, Any]:
    """Write the recommendations, the predicted test ratings, or both, of a model to ``output``, and check them.

    Args:
        guest: A guest of the experiment's framework.
        experiment: The experiment that was fitted.
        dataset: The prepared dataset.
        model: The fitted model's file, which may be compressed.
        list_length: Recommendations per user.
        output: The ``.npy`` file to write, in a temporary directory.
        options: The options of every request.
        outputs: What is to be written; without it, what the dataset has when no metric says otherwise.
        judged: ``validation`` for predictions that are judged by the validation part, in the place of the test part.

    Raises:
        GuestError: The framework failed, its process died, or what it wrote breaks the contract.
    """
    candidates = _described(experiment, dataset, output.parent, judged)
    fold = opened_fold(
        dataset,
        experiment.fold,
        experiment.refit,
        repeats=candidates.get("repeats", False),
        unknown=candidates.get("unknown", False),
        judged=judged,
    )
    required = outputs or outputs_of("explicit" if fold.explicit else "implicit")
    if is_compressed(model) and guest.fitted != experiment.fit_key:
        model = decompress(model, output.parent)
    request = {
        "op": "predict",
        "model": str(model),
        "k": list_length,
        "output": str(output),
        "candidates": candidates,
        "outputs": _names(required),
        **({"judged": judged} if judged else {}),
    }
    sets = (
        candidate_sets(fold, candidates, guest.threads) if required.lists else None
    )  # drawn here, in nobody's time, and kept
    answer = _ask(guest, experiment, dataset, options, None, None, **request)
    lists, ratings = read_predictions(output)
    flaw = "" if required == (lists is not None, ratings is not None) else "they are not what was asked for"
    if not flaw and lists is not None:
        flaw = list_flaw(fold, lists, list_length, sets)
    if not flaw and ratings is not None:
        flaw = _rating_flaw(fold, ratings)
    if flaw:
        raise GuestError(f"{experiment.configuration.name} broke the contract of predictions: {flaw}", costs=answer)
    return answer


def _names(outputs: Outputs) -> list[str]:
    return [name for name, is_required in outputs._asdict().items() if is_required]


def _rating_flaw(fold: Fold, rows: npt.NDArray[np.void]) -> str:
    """Say what is wrong with predicted ratings, or return nothing."""
    if rows.dtype != RATING_DTYPE or not (
        np.array_equal(rows["user"], fold.test.user) and np.array_equal(rows["item"], fold.test.item)
    ):
        return "they are not the ratings of the test pairs"
    if not np.isfinite(rows["rating"]).all():
        return f"{int((~np.isfinite(rows['rating'])).sum())} of {len(rows)} ratings are no finite number; rate each pair, by the mean of training where nothing else is known"
    return ""

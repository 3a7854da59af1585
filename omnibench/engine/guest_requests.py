"""What guests are asked for, as plain data, and what all requests have in common."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omnibench.data.stored_ids import read_ids, read_session_ids
from omnibench.experiment.candidates import UNSEEN, KnownIds
from omnibench.experiment.experiment import Experiment
from omnibench.experiment.outputs import Outputs, outputs_of
from omnibench.guest.candidates import CandidateSets, candidate_sets
from omnibench.guest.folds import Fold
from omnibench.guest.opened_folds import opened_fold
from omnibench.runners.replies import AnsweringGuest, BeginningGuest
from omnibench.store.compression import decompress, is_compressed


def whole_request(
    guest: AnsweringGuest, experiment: Experiment, dataset: Path, track: Sequence[str], request: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a request with what all have in common."""
    own = experiment.configuration.own
    return {
        "algorithm": json.dumps(own.locator) if own else experiment.configuration.algorithm,
        "parameters": experiment.configuration.plain_parameters,
        "seed": experiment.seed,
        "device": experiment.device,
        "threads": guest.threads,
        "dataset": str(dataset),
        "fold": experiment.fold,
        "refit": experiment.refit,
        "fit_key": experiment.fit_key,
        "track": list(track),
        **request,
    }


def described(experiment: Experiment, dataset: Path, directory: Path, judged: str = "") -> dict[str, Any]:
    """Return the candidate policy as plain data for a guest."""
    return experiment.candidates.described(directory, known_ids(experiment, dataset, judged))


def known_ids(experiment: Experiment, dataset: Path, judged: str = "") -> KnownIds:
    """Return the ids that candidates are looked up by; none for the default, which needs none."""
    if experiment.candidates is UNSEEN:
        return KnownIds((), ())
    fold = opened_fold(dataset, experiment.fold, "" if judged else experiment.refit, judged=judged)
    users, items = read_ids(dataset, "users"), read_ids(dataset, "items")
    return KnownIds(users, items, read_session_ids(dataset), fold.users)


def names_of(outputs: Outputs) -> list[str]:
    """Return the names of what is to be written."""
    return [name for name, is_required in outputs._asdict().items() if is_required]


@dataclass(frozen=True, slots=True)
class PreparedPrediction:
    """What a guest is asked for to predict, and what the host checks its answer by.

    Attributes:
        request: The request, without what all requests have in common.
        fold: The fold.
        required: What is to be written.
        sets: The candidates; None for all unseen items, or where no lists are written.
    """

    request: Mapping[str, Any]
    fold: Fold
    required: Outputs
    sets: CandidateSets | None


def prepare_prediction(
    guest: AnsweringGuest,
    experiment: Experiment,
    dataset: Path,
    model: Path,
    list_length: int,
    output: Path,
    outputs: Outputs | None = None,
    judged: str = "",
) -> PreparedPrediction:
    """Return what a guest is to be asked for; see ``predict``, also for the arguments."""
    candidates = described(experiment, dataset, output.parent, judged)
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
        "outputs": names_of(required),
        **({"judged": judged} if judged else {}),
    }
    sets = (
        candidate_sets(fold, candidates, guest.threads) if required.lists else None
    )  # drawn here, in nobody's time, and kept
    return PreparedPrediction(request, fold, required, sets)


def begin_prediction(
    guest: BeginningGuest, experiment: Experiment, dataset: Path, prepared: PreparedPrediction, track: Sequence[str]
) -> None:
    """Have a guest predict with the model that it has just fitted, while the host does something else; ``predict`` waits for it."""
    guest.begin(whole_request(guest, experiment, dataset, track, prepared.request))

"""Builders of the records of phases, datasets and runs; the order of members is part of the format.

The records of items themselves are built in ``item_records``. Builders only arrange values; the engine computes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from omnibench.store.schema import COSTS, GUEST_MEMBERS, SEARCHED, Artifact, Phase, Record, timestamp


@dataclass(frozen=True, slots=True)
class ItemLabels:
    """The item that a record belongs to.

    Attributes:
        item: The item's name, as in tables and node ids.
        fit_key: Its fit key, which identifies it.
        dataset: The dataset's name.
        algorithm: The algorithm's name, with its framework.
        parameters: The hyperparameters that were given, as plain data.
        fold: The number of its fold, or None when the dataset has no folds.
        identity: What the fit key is the digest of, as JSON keeps it.
        data_key: The dataset's key.
        user_label: The label that the user chose for the configuration; empty where it is made of hyperparameters.
        dataset_label: What people call the dataset.
        module: The module of a user's own class, which tells it from another one of its name; empty for frameworks.
        node: The item's name in node ids, without labels, where it is another than ``item``: its keys do not depend on
            the user's code.
        deterministic: Whether the algorithm is known to make the same model whatever the seed.
        seeds: How many seeds its benchmark asks for.
        seed: The item's seed, where people read it behind the item's name.
        search: The key of the search that chooses its configuration; empty where it is not tuned.
    """

    item: str
    fit_key: str
    dataset: str
    algorithm: str
    parameters: Mapping[str, Any]
    fold: int | None
    identity: Any
    data_key: str
    user_label: str = ""
    dataset_label: str = ""
    module: str = ""
    node: str = ""
    deterministic: bool = False
    seeds: int = 1
    seed: int | None = None
    search: str = ""

    @property
    def common_members(self) -> Record:
        """The members that every record of an experiment begins with."""
        return {
            "item": self.item,
            "fit_key": self.fit_key,
            "dataset": self.dataset,
            "algorithm": self.algorithm,
            "parameters": self.parameters,
            "fold": self.fold,
        }

    @property
    def item_members(self) -> Record:
        """The members that the item's own record begins with: the common ones, and what its key is made of."""
        names = {
            "user_label": self.user_label,
            "dataset_label": self.dataset_label,
            "module": self.module,
            "node": self.node,
        }
        return {
            **self.common_members,
            "identity": self.identity,
            "data_key": self.data_key,
            **{member: text for member, text in names.items() if text},
            **({"deterministic": True} if self.deterministic else {}),
            **({"seeds": self.seeds} if self.seeds > 1 else {}),
            **({} if self.seed is None else {"seed": self.seed}),
            **({SEARCHED: self.search} if self.search else {}),
        }


@dataclass(frozen=True, slots=True)
class Origin:
    """The run and the worker that make a record, and the directory of its item.

    Attributes:
        run: The run's id.
        worker: The worker's id.
        directory: The item's directory, relative to the store's, or None while it has none.
    """

    run: str
    worker: str
    directory: str | None

    def members(self, phase: str) -> Record:
        """Return the members that say who has ended a phase, with the time as of now."""
        return {
            "phase": phase,
            "finished": timestamp(),
            "run": self.run,
            "worker": self.worker,
            "directory": self.directory,
        }


def fit_record(
    labels: ItemLabels, origin: Origin, answer: Mapping[str, Any], model: Artifact, *, search: str = ""
) -> Record:
    """Return the record of a fitted model.

    Args:
        labels: The item of the model.
        origin: The run and worker that fitted it.
        answer: The answer of the guest: its costs, ``start_seconds``, ``threads``, ``effective`` (all
            hyperparameters), the framework's ``version``, ``notes``, what a user should know of the model, and where
            it went on from a snapshot its ``attempts``.
        model: Its file.
        search: The key of the search one of whose trials it is; empty where the model belongs to an item.
    """
    return {
        **labels.common_members,
        **origin.members(Phase.FIT.value),
        **{name: answer[name] for name in (*COSTS, *GUEST_MEMBERS)},
        "effective": answer["effective"],
        "version": answer["version"],
        **({"notes": answer["notes"]} if answer.get("notes") else {}),
        **({"epochs": answer["epochs"]} if answer.get("epochs") is not None else {}),
        **({"attempts": answer["attempts"]} if answer.get("attempts") else {}),
        **({SEARCHED: search} if search else {}),
        "identity": labels.identity,
        "model": model,
    }


def predict_record(
    labels: ItemLabels,
    origin: Origin,
    answer: Mapping[str, Any],
    predictions: Artifact,
    *,
    as_seed: int | None = None,
) -> Record:
    """Return the record of predictions.

    Args:
        labels: The item of the predictions.
        origin: The run and worker that made them.
        answer: The answer of the guest: its costs, ``start_seconds``, ``threads``, and the number of ``rows``.
        predictions: Their file.
        as_seed: The seed whose predictions these are, where they were taken over.
    """
    return {
        **labels.common_members,
        **origin.members(Phase.PREDICT.value),
        **{name: answer[name] for name in (*COSTS, *GUEST_MEMBERS)},
        "rows": answer["rows"],
        "predictions": predictions,
        **({} if as_seed is None else {"as_seed": as_seed}),
    }


def eval_record(
    labels: ItemLabels,
    origin: Origin,
    label: str,
    per_user: Artifact,
    facts: Mapping[str, Any],
    costs: Mapping[str, Any],
) -> Record:
    """Return the record of one metric of predictions.

    Args:
        labels: The item of the predictions.
        origin: The run and worker that computed it.
        label: The label of the metric in results.
        per_user: The file of values per user, which the metrics that were computed together share.
        facts: ``value, stderr, interval, users, place``; see ``engine.evaluation.evaluation_facts``.
        costs: The costs of all metrics computed together, by the names of ``COSTS``.
    """
    return {
        **labels.common_members,
        **origin.members(Phase.EVAL.value),
        "label": label,
        "per_user": per_user,
        **facts,
        **{name: costs[name] for name in COSTS},
        "batch": per_user["path"],
    }


_MANIFEST = ("identity", "name", "test", "users", "items", "interactions")
"""What the record of a dataset repeats of its manifest; sizes before positions became users take the place of those after."""
_OF_FOLDS = ("cold", "leakage")
"""The counts of folds, which are to be known where an item was taken over, and its dataset's files were not."""

_COUNTED_LATER = ("validated", "longest_user", "longest_item")
"""What it repeats where its manifest has it: earlier releases did not count these."""


def data_record(
    manifest: Mapping[str, Any], costs: Mapping[str, Any], directory: str, files: Sequence[Artifact]
) -> Record:
    """Return the record of a prepared dataset.

    Args:
        manifest: The dataset's manifest; see ``data.prepare``.
        costs: The costs of preparing it, by the names of ``COSTS``.
        directory: Its directory, relative to the store's directory.
        files: All of its files.
    """
    return {
        **{name: manifest[name] for name in _MANIFEST},
        **manifest.get("sizes", {}),
        **{name: manifest[name] for name in _COUNTED_LATER if name in manifest},
        **({"features": _sizes_of(manifest["features"])} if "features" in manifest else {}),
        **{name: manifest[name] for name in _OF_FOLDS if name in manifest},
        **{name: costs[name] for name in COSTS},
        "directory": directory,
        "files": list(files),
        "finished": timestamp(),
    }


def _sizes_of(features: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the type and the sizes of each feature, by subject and name; nothing of manifests of earlier releases."""
    return {
        subject: {name: {"type": described["columns"][name], **sizes} for name, sizes in described["sizes"].items()}
        for subject, described in features.items()
        if "sizes" in described
    }


def recipe_record(name: str, identity: Any) -> Record:
    """Return the record of what a dataset is made of.

    Args:
        name: The dataset's name.
        identity: What its key is the digest of, as JSON keeps it.
    """
    return {"name": name, "identity": identity}


def run_record(
    run_id: str, *, items: int, pending: int, policy: Mapping[str, Any], provenance: Mapping[str, Any]
) -> Record:
    """Return the record of a run that begins now.

    Args:
        run_id: The run's id.
        items: The number of its items.
        pending: The number of items that are not done yet.
        policy: The policy of the run, as plain data.
        provenance: Host, user, versions, command and git commit; see ``provenance.provenance``.
    """
    return {
        "id": run_id,
        "started": timestamp(),
        "ended": None,
        "items": items,
        "pending": pending,
        "policy": policy,
        **provenance,
    }


def ended_run(record: Record) -> Record:
    """Return the record of a run that ends now."""
    return {**record, "ended": timestamp()}

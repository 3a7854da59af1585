"""``omnibench import-omnirec``: predictions of OmniRec, evaluated anew."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

from omnibench import metrics
from omnibench.commands.parsing import add_parser, say
from omnibench.engine.imports import Importable, Imported, importable
from omnibench.engine.policy import Policy
from omnibench.errors import OmnibenchError, nearest
from omnibench.experiment.evaluator import Evaluator
from omnibench.experiment.imported import DIRECTORY_VARIABLE, OmniRecPredictions
from omnibench.experiment.plan import ExperimentPlan
from omnibench.experiment.refit import TRAIN
from omnibench.metrics.base import Metric
from omnibench.naming import Configured, labels

_METRICS = {"NDCG": "NDCG", "HR": "HR", "Precision": "Precision", "Recall": "RecallCapped"}
"""OmniRec's ranking metrics, as omnibench calls them."""


def import_omnirec(arguments: argparse.Namespace) -> int:
    """Say what of OmniRec's checkpoints can be trusted, and evaluate those predictions anew."""
    root = Path(arguments.directory)
    if root.resolve() == Path(arguments.store).resolve():
        raise OmnibenchError(
            f"{arguments.store!r} is OmniRec's own directory, which stays as it is; say with --store where the results go, e.g. "
            "--store omnibench-checkpoints."
        )
    offer = importable(root, None if arguments.splits is None else Path(arguments.splits))
    for _, experiments in offer.datasets:
        for experiment in experiments:
            say(f"  taken over  {experiment.name}: lists of up to {experiment.length}")
            for remark in experiment.remarks:
                say(f"              {remark}")
    reasons: set[str] = set()
    for name, reason in offer.refused.items():
        say(f"  refused     {name}: {'likewise.' if reason in reasons else reason}")
        reasons.add(reason)
    taken = sum(len(experiments) for _, experiments in offer.datasets)
    counted = f"{taken} experiment{'s' * (taken != 1)}"
    if not taken or arguments.dry_run:
        say(f"{counted} can be taken over, {len(offer.refused)} cannot; nothing was written.")
        return int(not taken)
    evaluators = [_evaluator(arguments.metric, experiments) for _, experiments in offer.datasets]
    with tempfile.TemporaryDirectory() as files:
        os.environ[DIRECTORY_VARIABLE] = files  # for the guest that reads them
        try:
            _evaluate(offer, evaluators, Path(files), arguments.store, f"OmniRec {root.resolve()}")
        finally:
            del os.environ[DIRECTORY_VARIABLE]
    say(f"{counted} taken over into {arguments.store}, {len(offer.refused)} refused.")
    return 0


def _evaluate(offer: Importable, evaluators: list[Evaluator], files: Path, store: str, origin: str) -> None:
    """Bring every experiment through the phases: Fit reads its lists, Eval measures them."""
    from omnibench.engine.coordinator import Coordinator  # which imports numpy, and whatever runs items
    from omnibench.engine.declared import declared_from

    with declared_from(origin), Coordinator(store, policy=Policy(keep_models="all")) as coordinator:
        for (dataset, experiments), evaluator in zip(offer.datasets, evaluators, strict=True):
            plan = ExperimentPlan("imported from OmniRec")
            for experiment, label in zip(experiments, _labels(experiments), strict=True):
                for sha256, file in experiment.files.items():
                    link = files / f"{sha256}.json"
                    if not link.exists():  # two experiments may have made the same lists
                        link.symlink_to(file.resolve())
                plan.add_algorithm(OmniRecPredictions, experiment.parameters, label=label, refit=TRAIN)
            coordinator.run(dataset, plan, evaluator)


def _labels(experiments: list[Imported]) -> list[str]:
    """Return what tables call experiments: the algorithm that made the lists, and in what its configurations differ."""
    texts = labels(
        Configured(experiment.name, experiment.algorithm, experiment.configuration, {"seed_of_origin": experiment.seed})
        for experiment in experiments
    )
    return [texts[experiment.name] for experiment in experiments]


def _evaluator(requested_labels: list[str], experiments: list[Imported]) -> Evaluator:
    """Return the metrics that were asked for, by default those of OmniRec's own results.

    Args:
        requested_labels: What was asked for.
        experiments: The experiments on one dataset.
    """
    shortest = min(experiment.length for experiment in experiments)
    requested = [_split(label) for label in requested_labels]
    for label, (_, k) in zip(requested_labels, requested, strict=True):
        if k > shortest:
            raise OmnibenchError(
                f"{label} needs longer lists than there are: an experiment has none of over {shortest}."
            )
    recorded = sorted({metric for experiment in experiments for metric in experiment.metrics})
    longer = [f"{name}@{k}" for name, k in recorded if k > shortest]
    if longer and not requested:
        say(f"  left out    {', '.join(longer)}: an experiment on the dataset has lists of up to {shortest} only")
    of_omnirec = [(_METRICS[name], k) for name, k in recorded if k <= shortest]
    default = [("NDCG", min(10, shortest)), ("HR", min(10, shortest))]
    chosen: list[Metric] = []
    for name, k in requested or of_omnirec or default:
        metric = getattr(metrics, name, None)
        if not (isinstance(metric, type) and issubclass(metric, Metric)):
            raise OmnibenchError(f"there is no metric {name!r}{nearest(name, metrics.__all__) or '.'}")
        chosen.append(metric(k))  # type: ignore[call-arg]  # every ranking metric takes k
    return Evaluator(*chosen)


def _split(label: str) -> tuple[str, int]:
    name, at, k = label.partition("@")
    if not at or not k.isdigit():
        raise OmnibenchError(f"{label!r} is no metric of recommendations; write e.g. NDCG@10.")
    return name, int(k)


def add_parsers(commands: Any) -> None:
    """Declare the command to argparse."""
    parser = add_parser(commands, "import-omnirec", import_omnirec)
    parser.add_argument("directory", metavar="DIR", help="OmniRec's checkpoint directory; nothing is written there")
    parser.add_argument(
        "--splits",
        metavar="PATH",
        help="the directory that was OmniRec's tmp_dir, or a .rsds file: the splits that predictions belong to",
    )
    parser.add_argument(
        "--metric",
        action="append",
        default=[],
        metavar="LABEL",
        help="e.g. NDCG@10; may be repeated (default: OmniRec's)",
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what can be taken over")

"""``omnibench import-omnirec``: predictions of OmniRec, evaluated anew."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from omnibench import metrics
from omnibench.commands.parsing import add_parser, say
from omnibench.engine.imports import Importable, importable
from omnibench.engine.policy import Policy
from omnibench.errors import OmnibenchError, nearest
from omnibench.experiment.evaluator import Evaluator
from omnibench.experiment.imported import DIRECTORY_VARIABLE, OmniRecPredictions
from omnibench.experiment.plan import ExperimentPlan
from omnibench.metrics.base import Metric

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
    for name, reason in offer.refused.items():
        say(f"  refused     {name}: {reason}")
    number = sum(len(experiments) for _, experiments in offer.datasets)
    if not number or arguments.dry_run:
        say(f"{number} experiments can be taken over, {len(offer.refused)} cannot; nothing was written.")
        return int(not number)
    shortest = min(experiment.length for _, experiments in offer.datasets for experiment in experiments)
    evaluator_metrics = _metrics(arguments.metric, root, shortest)
    with tempfile.TemporaryDirectory() as files:
        os.environ[DIRECTORY_VARIABLE] = files  # for the guest that reads them
        try:
            _evaluate(offer, evaluator_metrics, Path(files), arguments.store)
        finally:
            del os.environ[DIRECTORY_VARIABLE]
    say(f"{number} experiments were taken over into {arguments.store}, {len(offer.refused)} were refused.")
    return 0


def _evaluate(offer: Importable, evaluator_metrics: list[Metric], files: Path, store: str) -> None:
    """Bring every experiment through the phases: Fit reads its lists, Eval measures them."""
    from omnibench.engine.coordinator import Coordinator  # which imports numpy, and whatever runs items

    with Coordinator(store, policy=Policy(keep_models="all")) as coordinator:
        for dataset, experiments in offer.datasets:
            for experiment in experiments:
                for sha256, file in experiment.files.items():
                    link = files / f"{sha256}.json"
                    if not link.exists():  # two experiments may have made the same lists
                        link.symlink_to(file.resolve())
                plan = ExperimentPlan(experiment.name)
                plan.add_algorithm(OmniRecPredictions, experiment.parameters)
                coordinator.run(dataset, plan, Evaluator(*evaluator_metrics))


def _metrics(labels: list[str], root: Path, shortest: int) -> list[Metric]:
    """Return the metrics that were asked for, by default those of OmniRec's own results.

    Args:
        labels: What was asked for.
        root: OmniRec's checkpoint directory.
        shortest: Up to this length every experiment has lists.
    """
    for label in labels:
        if _split(label)[1] > shortest:
            raise OmnibenchError(
                f"{label} needs longer lists than there are: an experiment has none of over {shortest}."
            )
    recorded = [(name, k) for name, k in sorted(_recorded(root)) if k <= shortest]
    default = [("NDCG", min(10, shortest)), ("HR", min(10, shortest))]
    requested = [_split(label) for label in labels] or recorded or default
    chosen: list[Metric] = []
    for name, k in requested:
        metric = getattr(metrics, name, None)
        if not (isinstance(metric, type) and issubclass(metric, Metric)):
            raise OmnibenchError(f"there is no metric {name!r}{nearest(name, metrics.__all__) or '.'}")
        chosen.append(metric(k))  # type: ignore[call-arg]  # every ranking metric takes k
    return chosen


def _split(label: str) -> tuple[str, int]:
    name, at, k = label.partition("@")
    if not at or not k.isdigit():
        raise OmnibenchError(f"{label!r} is no metric of recommendations; write e.g. NDCG@10.")
    return name, int(k)


def _recorded(root: Path) -> set[tuple[str, int]]:
    """Return the metrics in OmniRec's results; none where these cannot be read."""
    try:
        rows = [
            row for rows in json.loads((root / "results.json").read_text(encoding="utf-8")).values() for row in rows
        ]
        return {(_METRICS[row["name"]], int(row["k"])) for row in rows if row["name"] in _METRICS and row["k"]}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return set()


def add_parsers(commands: Any) -> None:
    """Declare the command to argparse."""
    parser = add_parser(commands, "import-omnirec", import_omnirec)
    parser.add_argument("directory", metavar="DIR", help="OmniRec's checkpoint directory; nothing is written there")
    parser.add_argument(
        "--splits",
        metavar="DIR",
        help="the directory that was OmniRec's tmp_dir: it has the splits that predictions belong to",
    )
    parser.add_argument(
        "--metric",
        action="append",
        default=[],
        metavar="LABEL",
        help="e.g. NDCG@10; may be repeated (default: OmniRec's)",
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what can be taken over")

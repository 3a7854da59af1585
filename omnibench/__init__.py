"""Benchmarks of recommender systems under pytest: resumable, cached, each framework in its own environment."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from omnibench.coordinator import Coordinator as Coordinator
    from omnibench.coordinator import ItemsFailedError as ItemsFailedError
    from omnibench.data.dataset import FoldedData as FoldedData
    from omnibench.data.dataset import Pipe as Pipe
    from omnibench.data.dataset import RawData as RawData
    from omnibench.data.dataset import RecSysDataSet as RecSysDataSet
    from omnibench.data.dataset import SplitData as SplitData
    from omnibench.data.preprocess import CorePruning as CorePruning
    from omnibench.data.preprocess import MakeImplicit as MakeImplicit
    from omnibench.data.preprocess import Subsample as Subsample
    from omnibench.data.sources import from_file as from_file
    from omnibench.data.sources import from_frame as from_frame
    from omnibench.data.sources import load_dataset as load_dataset
    from omnibench.data.sources import register_dataset as register_dataset
    from omnibench.data.split import RandomCrossValidation as RandomCrossValidation
    from omnibench.data.split import RandomHoldout as RandomHoldout
    from omnibench.data.split import UserCrossValidation as UserCrossValidation
    from omnibench.data.split import UserHoldout as UserHoldout
    from omnibench.errors import OmnibenchError as OmnibenchError
    from omnibench.evaluation import Evaluator as Evaluator
    from omnibench.metrics import HR as HR
    from omnibench.metrics import MAE as MAE
    from omnibench.metrics import MAP as MAP
    from omnibench.metrics import MRR as MRR
    from omnibench.metrics import NDCG as NDCG
    from omnibench.metrics import RMSE as RMSE
    from omnibench.metrics import Precision as Precision
    from omnibench.metrics import Recall as Recall
    from omnibench.metrics import RecallCapped as RecallCapped
    from omnibench.plan import ExperimentPlan as ExperimentPlan
    from omnibench.plan import Grid as Grid
    from omnibench.plan import LensKit as LensKit
    from omnibench.plan import RecBole as RecBole
    from omnibench.plan import RecPack as RecPack
    from omnibench.plugin.declare import benchmark as benchmark
    from omnibench.run import run_omnirec as run_omnirec
    from omnibench.runners.registry import RunnerInfo as RunnerInfo
    from omnibench.runners.registry import register_runner as register_runner
    from omnibench.seed import set_random_state as set_random_state

# Every pytest session of an environment imports this package for its plugin, so nothing else is imported
# until it is used.
_HOMES = {
    "coordinator": ("Coordinator", "ItemsFailedError"),
    "data.dataset": ("FoldedData", "Pipe", "RawData", "RecSysDataSet", "SplitData"),
    "data.preprocess": ("CorePruning", "MakeImplicit", "Subsample"),
    "data.sources": ("from_file", "from_frame", "load_dataset", "register_dataset"),
    "data.split": ("RandomCrossValidation", "RandomHoldout", "UserCrossValidation", "UserHoldout"),
    "errors": ("OmnibenchError",),
    "evaluation": ("Evaluator",),
    "metrics": ("HR", "MAE", "MAP", "MRR", "NDCG", "RMSE", "Precision", "Recall", "RecallCapped"),
    "plan": ("ExperimentPlan", "Grid", "LensKit", "RecBole", "RecPack"),
    "plugin.declare": ("benchmark",),
    "run": ("run_omnirec",),
    "runners.registry": ("RunnerInfo", "register_runner"),
    "seed": ("set_random_state",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)  # noqa: PLE0605 - derived from the table above, so that they cannot disagree


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'omnibench' has no attribute {name!r}")
    return getattr(importlib.import_module(f"omnibench.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]

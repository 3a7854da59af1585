"""OmniRec 1.1.0's names for what omnibench has: change ``omnirec`` to ``omnibench.compat.omnirec`` in import lines.

The modules are those of OmniRec, and every public name of them is here as well. ``docs/omnirec.md`` says what each name
is in omnibench, and where results differ.
"""

from omnibench.compat.omnirec.data_loaders.base import DatasetInfo, Loader
from omnibench.compat.omnirec.data_loaders.datasets import DataSet
from omnibench.compat.omnirec.data_loaders.registry import list_datasets, register_dataloader
from omnibench.compat.omnirec.data_variants import DataVariant, FoldedData, RawData, SplitData
from omnibench.compat.omnirec.lineage import SystemInfo, Trace
from omnibench.compat.omnirec.metadata import DatasetMeta
from omnibench.compat.omnirec.metrics.base import Metric, MetricResult
from omnibench.compat.omnirec.metrics.prediction import MAE, RMSE, PredictionMetric
from omnibench.compat.omnirec.metrics.ranking import HR, NDCG, Precision, RankingMetric, Recall
from omnibench.compat.omnirec.preprocess.base import Preprocessor
from omnibench.compat.omnirec.preprocess.core_pruning import CorePruning
from omnibench.compat.omnirec.preprocess.feedback_conversion import MakeImplicit
from omnibench.compat.omnirec.preprocess.filter import RatingFilter, TimeFilter
from omnibench.compat.omnirec.preprocess.pipe import Pipe
from omnibench.compat.omnirec.preprocess.split import (
    DataSplit,
    RandomCrossValidation,
    RandomHoldout,
    TimeBasedHoldout,
    UserCrossValidation,
    UserHoldout,
)
from omnibench.compat.omnirec.preprocess.subsample import Subsample
from omnibench.compat.omnirec.preprocess.validation import (
    PreprocessorValidationError,
    ValidationFailureMode,
    ValidationRule,
)
from omnibench.compat.omnirec.recsys_data_set import RecSysDataSet
from omnibench.compat.omnirec.rsds.dispatcher import load_dataset, save_dataset
from omnibench.compat.omnirec.runner.algos import Algorithms, Elliot, LensKit, RecBole, RecPack
from omnibench.compat.omnirec.runner.coordinator import Coordinator
from omnibench.compat.omnirec.runner.evaluation import Evaluator
from omnibench.compat.omnirec.runner.plan import ExperimentPlan
from omnibench.compat.omnirec.runner.plan_components import Grid, PlanComponentBase, RandomChoice, RandomRange
from omnibench.compat.omnirec.runner.registry import RunnerInfo, register_runner
from omnibench.compat.omnirec.util.run import run_omnirec
from omnibench.compat.omnirec.util.util import (
    get_data_dir,
    get_random_state,
    set_data_dir,
    set_log_level,
    set_random_state,
)

__all__ = [
    "HR",
    "MAE",
    "NDCG",
    "RMSE",
    "Algorithms",
    "Coordinator",
    "CorePruning",
    "DataSet",
    "DataSplit",
    "DataVariant",
    "DatasetInfo",
    "DatasetMeta",
    "Elliot",
    "Evaluator",
    "ExperimentPlan",
    "FoldedData",
    "Grid",
    "LensKit",
    "Loader",
    "MakeImplicit",
    "Metric",
    "MetricResult",
    "Pipe",
    "PlanComponentBase",
    "Precision",
    "PredictionMetric",
    "Preprocessor",
    "PreprocessorValidationError",
    "RandomChoice",
    "RandomCrossValidation",
    "RandomHoldout",
    "RandomRange",
    "RankingMetric",
    "RatingFilter",
    "RawData",
    "RecBole",
    "RecPack",
    "RecSysDataSet",
    "Recall",
    "RunnerInfo",
    "SplitData",
    "Subsample",
    "SystemInfo",
    "TimeBasedHoldout",
    "TimeFilter",
    "Trace",
    "UserCrossValidation",
    "UserHoldout",
    "ValidationFailureMode",
    "ValidationRule",
    "get_data_dir",
    "get_random_state",
    "list_datasets",
    "load_dataset",
    "register_dataloader",
    "register_runner",
    "run_omnirec",
    "save_dataset",
    "set_data_dir",
    "set_log_level",
    "set_random_state",
]

# What omnibench offers, for type checkers; __init__.py imports it when it is used.

from omnibench.coordinator import Coordinator as Coordinator
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
from omnibench.outcome import ItemsFailedError as ItemsFailedError
from omnibench.plan import ExperimentPlan as ExperimentPlan
from omnibench.plan import Grid as Grid
from omnibench.plan import LensKit as LensKit
from omnibench.plan import RecBole as RecBole
from omnibench.plan import RecPack as RecPack
from omnibench.plugin.declare import benchmark as benchmark
from omnibench.policy import Policy as Policy
from omnibench.query import Store as Store
from omnibench.query import open_store as open_store
from omnibench.run import run_omnirec as run_omnirec
from omnibench.runners.registry import RunnerInfo as RunnerInfo
from omnibench.runners.registry import register_runner as register_runner
from omnibench.seed import set_random_state as set_random_state

__version__: str

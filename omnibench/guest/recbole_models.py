"""The models of RecBole that run, with their hyperparameters by RecBole's own property files, and why others do not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import recbole
import yaml
from recbole.config import Config

from .feature_types import CATEGORIES, NUMBER
from .recbole_stages import STAGES

LENGTH = "MAX_ITEM_LIST_LENGTH"
"""The hyperparameter that is the largest length of a sequence."""

AT_ONCE = ("ItemKNN", "AsymKNN", "EASE", "SLIMElastic", "ADMMSLIM", "NCEPLRec", "Random")
"""Complete before the first batch: RecBole draws negative samples for them, and looks at none."""

CLOSED_FORM = ("Pop", *AT_ONCE)
"""Fitted in one pass: no epochs, no use for validation."""

WITH_SEVERAL_EPOCHS = ("KD_DAGFM",)
"""Each of its runs stops early and has a best epoch, so that no one number says for how long it has trained."""

AUTOENCODERS = ("MultiVAE", "MultiDAE", "MacridVAE", "CDAE", "RecVAE", "ENMF", "DiffRec", "LDiffRec", "RaCT")
"""Trained on whole users: RecBole refuses to draw negative samples for them."""

SAMPLED = (
    "BPR",
    "NeuMF",
    "LightGCN",
    "NGCF",
    "DMF",
    "SGL",
    "SimpleX",
    "FISM",
    "NAIS",
    "ConvNCF",
    "NNCF",
    "SpectralCF",
    "GCMC",
    "DGCF",
    "LINE",
    "NCL",
)

SEQUENTIAL = (
    "SASRec",
    "GRU4Rec",
    "BERT4Rec",
    "NARM",
    "STAMP",
    "Caser",
    "NextItNet",
    "SRGNN",
    "GCSAN",
    "FPMC",
    "TransRec",
    "HGN",
    "HRM",
    "NPE",
    "FOSSIL",
    "SHAN",
    "RepeatNet",
    "LightSANs",
    "SINE",
    "CORE",
    "FEARec",
    "GRU4RecF",
    "SASRecF",
    "FDSA",
    "S3Rec",
)
"""They learn what comes next, and recommend from a sequence."""

OF_USERS = ("Caser", "FPMC", "TransRec", "HGN", "HRM", "NPE", "FOSSIL", "SHAN")
"""Sequential models that learn something of each user beside the sequences."""

CONTEXT = (
    "LR",
    "FM",
    "NFM",
    "DeepFM",
    "xDeepFM",
    "AFM",
    "FFM",
    "FwFM",
    "FNN",
    "PNN",
    "DSSM",
    "WideDeep",
    "DCN",
    "DCNV2",
    "AutoInt",
    "FiGNN",
    "EulerNet",
    "KD_DAGFM",
)
"""They learn from pairs of a user and an item with features of both, and score a pair at a time."""

WITH_ITEM_FEATURES = ("GRU4RecF", "SASRecF", "FDSA")
"""Sequential models that read the features of the items in a sequence."""

ATTRIBUTE = "item_attribute"
"""The hyperparameter that names the feature of items which S3Rec learns to predict."""

OF_FEATURES: dict[str, Any] = {
    "user_features": None,
    "item_features": None,
    "normalize_all": True,
    "discretization": None,
}
"""The hyperparameters of models with features beside RecBole's own files, and their defaults."""

_OF_PAIRS = "it scores one pair of a sequence and an item at a time, for which the adapter has no way"
_OF_THE_NEXT = (
    "RecBole computes its scores together with its loss, for which it asks for the very item that is to be predicted"
)
_OF_KNOWLEDGE = "it needs vectors of entities and relations that were learned from a knowledge graph"

_OF_GRAPHS = "it learns from a knowledge graph of the items, which is no part of the data"
_OF_TREES = "it needs {}, which RecBole does not install, and labels for pairs of a user and an item, beside which it draws none"

REFUSED = {
    **dict.fromkeys(("CFKG", "CKE", "KGAT", "KGCN", "KGIN", "KGNNLS", "KTUP", "MCCLK", "MKR", "RippleNet"), _OF_GRAPHS),
    "GRU4RecKG": _OF_KNOWLEDGE,
    "KSR": _OF_KNOWLEDGE,
    "DIN": _OF_PAIRS,
    "DIEN": f"{_OF_PAIRS}, and draws a sequence of negative items before it trains",
    "SASRecCPR": _OF_THE_NEXT,
    "GRU4RecCPR": _OF_THE_NEXT,
    "LightGBM": _OF_TREES.format("lightgbm"),
    "XGBoost": _OF_TREES.format("xgboost"),
}
"""Why a model does not run."""

TRAINING = (
    "epochs",
    "train_batch_size",
    "learner",
    "learning_rate",
    "train_neg_sample_args",
    "eval_step",
    "stopping_step",
    "clip_grad_norm",
    "weight_decay",
    "require_pow",
    "enable_amp",
    "enable_scaler",
    "shuffle",
    "eval_batch_size",
    "valid_metric",
)
"""The settings of RecBole's ``overall.yaml`` that change how a model is trained or its best epoch chosen."""

REVISIONS = {"Pop": 1, "ItemKNN": 1, "SLIMElastic": 1, "ADMMSLIM": 1, "NCEPLRec": 1}
"""Raised when the results of one algorithm change; part of its keys. Pop 1: with RecBole's negative samples in its batches;
the others: without users and items that are in validation only."""

VALID_METRIC = "NDCG@10"


def catalogue() -> dict[str, dict[str, Any]]:
    """Describe every model by RecBole's property files: its own, and the training settings of all.

    Sequential models take one feature of numbers: RecBole 1.2.1 joins several to a column that its own layer refuses.
    """
    return {
        name: {
            "parameters": defaults(name),
            "ratings": False,
            "ranking": True,
            "validation": "nothing" if name in CLOSED_FORM else "early stopping",
            "refit": name in CLOSED_FORM,
            "gpu": name not in CLOSED_FORM,
            "evaluates_texts": True,
            "history": name in SEQUENTIAL and name not in OF_USERS,  # others keep the users that they were trained with
            **({"sequential": True} if name in SEQUENTIAL else {}),
            **({"features": {"user_features": "users", "item_features": "items"}} if name in CONTEXT else {}),
            **(
                {"features": {"selected_features": "items"}, "needs_features": True, "most_of_type": {NUMBER: 1}}
                if name in WITH_ITEM_FEATURES
                else {}
            ),
            **({"item_feature": ATTRIBUTE, "feature_types": [*CATEGORIES]} if name == "S3Rec" else {}),
            **({"stages": STAGES[name].settable} if name in STAGES else {}),
            **({} if name in CLOSED_FORM + WITH_SEVERAL_EPOCHS else {"epochs": "epochs"}),
            **({"revision": REVISIONS[name]} if name in REVISIONS else {}),
        }
        for name in (*CLOSED_FORM, *SAMPLED, *AUTOENCODERS, *SEQUENTIAL, *CONTEXT)
    }


def defaults(name: str) -> dict[str, Any]:
    """Return a model's hyperparameters with RecBole's defaults, and with the settings that its training needs.

    Args:
        name: The model's name.
    """
    settings = {**_stated(name), **required(name)}
    stages = STAGES.get(name)
    if stages is None:
        return settings
    return {key: value for key, value in settings.items() if key not in stages.of_its_own} | stages.defaults


def required(name: str, parameters: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
    """Return the defaults that differ from RecBole's general ones.

    Args:
        name: The model's name.
        parameters: The hyperparameters that are not left at their defaults.
    """
    settings: dict[str, Any] = {"valid_metric": VALID_METRIC}
    if name in CLOSED_FORM:
        settings["epochs"] = 1
    if name in CONTEXT:  # for which RecBole expects labels in the data, if nothing else is said
        settings |= {**OF_FEATURES, "train_neg_sample_args": _stated(name)["train_neg_sample_args"]}
    if name == "S3Rec":
        settings[ATTRIBUTE] = None
    if name in WITH_ITEM_FEATURES:
        settings |= {"selected_features": None, "normalize_all": True, "discretization": None}
    compares_all_items = {**_stated(name), **parameters}.get("loss_type") in ("CE", "NLL") and name in SEQUENTIAL
    if name in AT_ONCE + AUTOENCODERS or compares_all_items:
        settings["train_neg_sample_args"] = None
    return settings


def _stated(name: str) -> dict[str, Any]:
    """Return what RecBole's property files say."""
    properties = Path(recbole.__file__).parent / "properties"
    loader = Config.__new__(Config)._build_yaml_loader()  # it reads 1e-05 as a number, yaml does not

    def read(file: Path) -> dict[str, Any]:
        return yaml.load(file.read_text(encoding="utf-8"), Loader=loader) or {}

    overall, model_file = read(properties / "overall.yaml"), properties / "model" / f"{name}.yaml"
    settings = {key: overall[key] for key in TRAINING}
    if name in SEQUENTIAL:
        settings[LENGTH] = read(properties / "dataset" / "sample.yaml")[LENGTH]
    return {**settings, **(read(model_file) if model_file.exists() else {})}  # Random has no file

"""Which of LensKit's components run here, what each can do, and why the others do not."""

from __future__ import annotations

import functools
import importlib
import inspect
from typing import Any, get_type_hints

import numpy as np
from lenskit.als import BiasedMFScorer, ImplicitMFScorer
from lenskit.basic import BiasScorer, PopScorer
from lenskit.basic.popularity import TimeBoundedPopScore
from lenskit.flexmf import FlexMFExplicitScorer, FlexMFImplicitScorer
from lenskit.funksvd import FunkSVDScorer
from lenskit.knn import EASEScorer, ItemKNNScorer, SLIMScorer, UserKNNScorer
from lenskit.training import UsesTrainer

_IMPORTED = (
    PopScorer,
    EASEScorer,
    SLIMScorer,
    ImplicitMFScorer,
    FlexMFImplicitScorer,
    ItemKNNScorer,
    UserKNNScorer,
    BiasScorer,
    BiasedMFScorer,
    FunkSVDScorer,
    FlexMFExplicitScorer,
    TimeBoundedPopScore,
)
SCORERS: dict[str, Any] = {scorer.__name__: scorer for scorer in _IMPORTED}

LIGHT_GCN = "LightGCNScorer"
OF_IMPLICIT = {"ALS": "AlternatingLeastSquares", "BPR": "BayesianPersonalizedRanking"}
"""LensKit's scorers that hand the training on to implicit, and what they hand it to."""
OF_SCIKIT_LEARN = ("BiasedSVDScorer", "NMFScorer")
"""Those that hand it on to scikit-learn, which draws from numpy's global generator."""
_MODULES = {
    LIGHT_GCN: "lenskit.graphs.lightgcn",
    **dict.fromkeys(OF_IMPLICIT, "lenskit.implicit"),
    "BiasedSVDScorer": "lenskit.sklearn.svd",
    "NMFScorer": "lenskit.sklearn.nmf",
}
"""The scorers that are imported when they are asked for: torch-geometric and scikit-learn take a second each."""
NAMES = (*SCORERS, *_MODULES)

RATING_AND_RANKING = frozenset({"ItemKNNScorer", "UserKNNScorer"})
RATING = frozenset({"BiasScorer", "BiasedMFScorer", "FunkSVDScorer", "FlexMFExplicitScorer", "BiasedSVDScorer"})
"""The scorers of ratings; those that are in neither of the two rank."""
ON_GPU = frozenset({"EASEScorer", "FlexMFImplicitScorer", "FlexMFExplicitScorer", LIGHT_GCN})
FOLDS_IN = frozenset(
    {
        "PopScorer",
        "TimeBoundedPopScore",
        "EASEScorer",
        "SLIMScorer",
        "ImplicitMFScorer",
        "ItemKNNScorer",
        "UserKNNScorer",
    }
)
"""The scorers of rankings that take users unknown in training by their history; the others have no factors for them."""
ASKING_FOR_RATINGS: dict[str, dict[str, Any]] = {
    "ImplicitMFScorer": {"use_ratings": True},
    "ItemKNNScorer": {"feedback": "explicit"},
    "UserKNNScorer": {"feedback": "explicit"},
}
"""The hyperparameters by which a scorer that ranks learns from ratings; the others do not look at them."""
REQUIRED = {"TimeBoundedPopScore": {"cutoff": "1998-03-01"}}
"""The hyperparameters that LensKit has no default of, with an example."""

NOT_RESUMABLE = {"BPR": "what it draws from is inside of implicit's compiled code, and cannot be stored"}
"""Scorers that train in epochs and cannot go on from a snapshot, with the reason."""

_OF_THE_TASK = ("random_state", "num_threads", "use_gpu")
"""What implicit's constructors take that is no hyperparameter: it follows from seed, threads and device."""

_SIZE, _SIZE_AS_POWER = "embedding_size", "embedding_size_exp"
"""The number of factors, and the other way in which LensKit's EmbeddingSizeMixin takes it: as a power of two."""

_ORDERS = "it orders the items that a scorer has scored, and scores none itself"
REFUSED = {
    "HPFScorer": "it needs hpfrec, which the environment of LensKit does not have, since it has to be compiled where it is "
    "installed; Cornac.HPF does run",
    "RandomSelector": "it draws items, and scores none; RecPack.Random does run",
    "SoftmaxRanker": _ORDERS,
    "StochasticTopNRanker": _ORDERS,
    "FAIRReranker": _ORDERS,
    "KnownRatingScorer": "it repeats what users have in training, and scores no other item",
    "FallbackScorer": "it joins the scores of two other scorers, and learns nothing itself",
}
"""LensKit's other components that recommend, with the reason why each does not run here."""


def scorer_of(name: str) -> Any:
    """Return a scorer's class by its name."""
    return SCORERS[name] if name in SCORERS else getattr(importlib.import_module(_MODULES[name]), name)


def catalogue() -> dict[str, dict[str, Any]]:
    """Describe every scorer by the fields of its configuration class, their aliases included."""
    return {name: _described(name) for name in NAMES}


def _described(name: str) -> dict[str, Any]:
    epochs = "iterations" if name in OF_IMPLICIT else "epochs" if issubclass(scorer_of(name), UsesTrainer) else ""
    return {
        "parameters": defaults_of(name),
        **({"aliases": aliases} if (aliases := aliases_of(name)) else {}),
        "ratings": name in RATING | RATING_AND_RANKING,
        "ranking": name not in RATING,
        "validation": "nothing",
        "refit": True,
        "gpu": name in ON_GPU,
        "history": name in FOLDS_IN,
        **({"epochs": epochs} if epochs else {}),
        **({"rating_parameters": ASKING_FOR_RATINGS[name]} if name in ASKING_FOR_RATINGS else {}),
        **({"required": REQUIRED[name]} if name in REQUIRED else {}),
        **({"timed": True} if name == TimeBoundedPopScore.__name__ else {}),
        **({"not_resumable": NOT_RESUMABLE[name]} if name in NOT_RESUMABLE else {}),
    }


@functools.cache
def defaults_of(name: str) -> dict[str, Any]:
    """Return a scorer's hyperparameters with their defaults under every name that LensKit accepts.

    Those of implicit's constructor are hyperparameters of what hands it on to implicit; None stands for one without a default.
    """
    config = get_type_hints(scorer_of(name))["config"]
    needed = [field for field, described in config.model_fields.items() if described.is_required()]
    configuration = config.model_construct() if needed else config()
    defaults = {**dict.fromkeys(needed), **configuration.model_dump(mode="json", exclude=set(needed))}
    defaults |= {
        alias: None if alias == _SIZE_AS_POWER else defaults[field] for alias, field in aliases_of(name).items()
    }
    return {**defaults, **(_of_implicit(name) if name in OF_IMPLICIT else {})}


def aliases_of(name: str) -> dict[str, str]:
    """Return the other names of a scorer's hyperparameters, each with the name of the field that it stands for."""
    fields = get_type_hints(scorer_of(name))["config"].model_fields
    aliases = {
        alias: field
        for field, described in fields.items()
        for alias in getattr(described.validation_alias, "choices", ())
        if alias != field
    }
    return aliases | ({_SIZE_AS_POWER: _SIZE} if _SIZE in fields else {})


def _of_implicit(name: str) -> dict[str, Any]:
    """Return the hyperparameters of implicit's constructor with their defaults, as plain values."""
    made_by = getattr(importlib.import_module(scorer_of(name).__module__), OF_IMPLICIT[name])
    return {
        parameter.name: np.dtype(parameter.default).name if parameter.name == "dtype" else parameter.default
        for parameter in inspect.signature(made_by).parameters.values()
        if parameter.name not in _OF_THE_TASK
    }

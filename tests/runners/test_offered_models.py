"""Every model of every framework, as its installed source has them, runs here or is refused with a reason: none is forgotten.

After an upgrade of a lock these fail for each model that is new, or gone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.framework_sources import functions_named_like_classes, names_imported_by, subclasses_of

from omnibench.runners.info import refused_algorithms
from omnibench.runners.registry import get_runner


@dataclass(frozen=True)
class Source:
    """Where a framework has its models.

    Attributes:
        package: The directory of what is installed.
        roots: The classes that its models derive from.
        no_models: What derives from them as well and recommends nothing by itself: bases, and parts of pipelines.
        exports: The ``__init__`` files that name models which are found by no such class, as they have been compiled.
        makes: Whether it has functions that make models, which are called like these.
    """

    package: str
    roots: tuple[str, ...]
    no_models: frozenset[str] = frozenset()
    exports: tuple[str, ...] = ()
    makes: bool = False


SOURCES = {
    "LensKit": Source(
        "lenskit",
        ("Component",),
        frozenset(
            {
                *("ALSBase", "BaseRec", "FlexMFScorerBase", "UsesTrainer", "TrainingCandidateSelectorBase"),
                *("TrainingItemsCandidateSelector", "AllTrainingItemsCandidateSelector", "Placeholder"),
                *("UnratedTrainingItemsCandidateSelector", "UserTrainingHistoryLookup", "TopNRanker"),
            }
        ),
    ),
    "RecBole": Source(
        "recbole",
        ("AbstractRecommender", "Booster"),
        frozenset({"GeneralRecommender", "SequentialRecommender", "ContextRecommender", "KnowledgeRecommender"}),
    ),
    "RecPack": Source(
        "recpack",
        ("Algorithm",),
        frozenset(
            {
                *("FactorizationAlgorithm", "ItemSimilarityMatrixAlgorithm", "TopKItemSimilarityMatrixAlgorithm"),
                "TorchMLAlgorithm",
            }
        ),
    ),
    "Implicit": Source(
        "implicit",
        ("RecommenderBase",),
        frozenset({"MatrixFactorizationBase"}),
        makes=True,
    ),
    "Cornac": Source(
        "cornac",
        ("Recommender",),
        frozenset(
            {
                *("BaseANN", "NCFBase", "NextBasketRecommender", "NextItemRecommender", "Recommender"),
                *("BaseSearch", "GridSearch", "RandomSearch"),  # which search the hyperparameters of a model
            }
        ),
        exports=("models/__init__.py",),
    ),
    "Surprise": Source(
        "surprise",
        ("AlgoBase",),
        frozenset({"SymmetricAlgo", "AlgoBase", "Prediction", "PredictionImpossible"}),
        exports=("prediction_algorithms/__init__.py",),
    ),
    "RecTools": Source(
        "rectools",
        ("ModelBase",),
        frozenset({"VectorModel", "TransformerModelBase", "UniSRecLightning", "UniSRecNet", "FeedForward"}),
        exports=("fast_transformers/unisrec/__init__.py",),
    ),
}


def _models(source: Source, package: Path) -> dict[str, str]:
    """Return the names of a framework's models, each with where it is."""
    found = subclasses_of(package, source.roots)
    if source.makes:
        found |= dict.fromkeys(functions_named_like_classes(package), "a function")
    for module in source.exports:
        found |= dict.fromkeys(names_imported_by(package / module), module)
    return {name: file for name, file in found.items() if name not in source.no_models}


@pytest.mark.guests
@pytest.mark.parametrize("framework", SOURCES)
def test_every_model_of_a_framework_runs_or_is_refused(
    framework: str, environment_python: Callable[[str], Path]
) -> None:
    """Nothing of the locked version is missing in the catalogue, and the catalogue has nothing that is not there."""
    source, runner = SOURCES[framework], get_runner(framework)
    (package,) = environment_python(framework).parents[1].glob(f"lib/python*/site-packages/{source.package}")
    models = _models(source, package)
    known = {*runner.catalogue["algorithms"], *refused_algorithms(runner)}
    assert {name: file for name, file in models.items() if name not in known} == {}
    assert known - models.keys() == set()


def test_a_model_is_found_whatever_it_imports(tmp_path: Path) -> None:
    """By way of other classes, with a type in brackets, under a condition, and compiled; tests and private classes are left out."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "one.py").write_text(
        "import missing\nclass Base(pipeline.Model[int], Other): ...\ntry:\n    class Second(Base): ...\nexcept E: pass\n"
        "class Third: ...\nclass _Fourth(Base): ...\n",
        encoding="utf-8",
    )
    (tmp_path / "two.pyx").write_text("cdef int n\nclass Fast(one.Second):\n    cdef int m\n", encoding="utf-8")
    (tmp_path / "tests" / "three.py").write_text("class Tested(Model): ...\n", encoding="utf-8")
    assert subclasses_of(tmp_path, ["Model"]) == {"Base": "one.py", "Second": "one.py", "Fast": "two.pyx"}
    (tmp_path / "__init__.py").write_text("from .one import Base as B, helper\n", encoding="utf-8")
    assert names_imported_by(tmp_path / "__init__.py") == {"B"}
    (tmp_path / "four.py").write_text("def Made(factors): ...\ndef helper(): ...\n", encoding="utf-8")
    assert functions_named_like_classes(tmp_path) == {"Made"}

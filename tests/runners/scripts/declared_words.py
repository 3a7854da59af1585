"""The words that frameworks declare for their own hyperparameters: ``python declared_words.py FRAMEWORK FILE``."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Words = dict[str, dict[str, list[str]]]


def descendants(cls: type) -> Iterator[type]:
    """Yield the classes that derive from another."""
    for child in cls.__subclasses__():
        yield child
        yield from descendants(child)


def texts_of(annotation: Any) -> list[str]:
    """Return the texts that an annotation enumerates."""
    if typing.get_origin(annotation) is typing.Literal:
        return [value for value in typing.get_args(annotation) if isinstance(value, str)]
    return [text for part in typing.get_args(annotation) for text in texts_of(part)]


def lenskit_words() -> Words:
    """Return the texts that the configurations of LensKit's components enumerate."""
    pipeline: Any = importlib.import_module("lenskit.pipeline")
    package: Any = importlib.import_module("lenskit")
    for module in pkgutil.walk_packages(package.__path__, "lenskit."):
        if module.name.endswith("__main__"):  # runs a command
            continue
        try:
            importlib.import_module(module.name)
        except ImportError:  # what it needs is not installed
            continue
    words: Words = {}
    for component in descendants(pipeline.Component):
        configuration: Any = component.config_class()  # type: ignore[attr-defined]
        fields = getattr(configuration, "model_fields", {})
        words[component.__name__] = {name: texts_of(field.annotation) for name, field in fields.items()}
    return words


def recpack_words() -> Words:
    """Return the texts that RecPack's nearest neighbours and its stopping criterion list."""
    algorithms: Any = importlib.import_module("recpack.algorithms")
    neighbours: Any = importlib.import_module("recpack.algorithms.nearest_neighbour")
    stopping: Any = importlib.import_module("recpack.algorithms.stopping_criterion")
    criteria = sorted(stopping.StoppingCriterion.FUNCTIONS)
    words: Words = {"ItemPNN": {"pdf": neighbours.ItemPNN.SUPPORTED_SAMPLING_FUNCTIONS}}
    for name in dir(algorithms):
        similarities = getattr(getattr(algorithms, name), "SUPPORTED_SIMILARITIES", [])
        words.setdefault(name, {}).update(similarity=similarities, stopping_criterion=criteria)
    return words


def recbole_words() -> Words:
    """Return the losses that RecBole's models name where they refuse another."""
    words: Words = {}
    for package in ("general_recommender", "sequential_recommender"):
        models: Any = importlib.import_module(f"recbole.model.{package}")
        for module in pkgutil.iter_modules(models.__path__):
            source = Path(module.module_finder.path, f"{module.name}.py").read_text(encoding="utf-8")  # type: ignore[union-attr]
            # In capitals: HGN's error of another hyperparameter has the name of this one.
            listed = re.search(r"loss_type'? (?:must )?in \[([A-Z', ]+)\]", source)
            losses = re.findall(r"\w+", listed[1]) if listed else []
            words |= {name: {"loss_type": losses} for name in re.findall(r"^class (\w+)\(", source, re.MULTILINE)}
    return words


if __name__ == "__main__":
    declared = {"LensKit": lenskit_words, "RecPack": recpack_words, "RecBole": recbole_words}[sys.argv[1]]()
    Path(sys.argv[2]).write_text(json.dumps(declared), encoding="utf-8")

"""Which parts a model is fitted on: training, or training and validation together where it needs no validation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from omnibench.data.dataset import RecSysDataSet
from omnibench.errors import PlanError
from omnibench.experiment.configuration import EPOCHS_NAMES, Configuration
from omnibench.guest import TRAIN_AND_VALIDATION
from omnibench.runners.info import NO_USE

TRAIN = "train"
"""The value of ``refit`` with which a model is fitted on the training part, whatever the benchmark asks for."""


_NO_NUMBER = "no one number of epochs says for how long its search has trained it"
"""Why an algorithm of a framework is not fitted on both parts even after a search: others are for as many epochs."""


def checked_refit(refit: Any) -> str:
    """Return a choice of the user: ``train+validation``, ``train``, or nothing where none was made.

    Raises:
        PlanError: It is something else.
    """
    if refit is None or refit in ("", TRAIN, TRAIN_AND_VALIDATION):
        return refit or ""
    raise PlanError(
        f"refit is {refit!r}; give {TRAIN_AND_VALIDATION!r} to fit on both parts, or {TRAIN!r}, which is the default."
    )


def check_may_refit(configuration: Configuration) -> None:
    """Refuse a configuration that is to be fitted on both parts, and needs the validation part for itself.

    Raises:
        PlanError: It is one.
    """
    if configuration.refit == TRAIN_AND_VALIDATION and not configuration.may_refit:
        raise PlanError(
            f"{configuration.name} cannot be fitted on {TRAIN_AND_VALIDATION}: {_reason(configuration)}. Leave out its refit."
        )


def _reason(configuration: Configuration) -> str:
    """Say what an algorithm needs the validation part for."""
    if configuration.own:
        return "its fit takes the validation part"
    use = configuration.use_of_validation
    if use != NO_USE and configuration.search is not None:
        return f"it needs the validation part ({use}), and {_NO_NUMBER}"
    return f"it needs the validation part ({use})" if use != NO_USE else "its framework's catalogue says so"


def refit_of(configuration: Configuration, dataset: RecSysDataSet, requested: str) -> str:
    """Return the parts that a model is fitted on, as keys have it: nothing for the training part alone.

    Args:
        configuration: The configuration; what its plan says of it counts more than what is requested.
        dataset: The dataset; one without a validation part has nothing to add.
        requested: What the benchmark asks for.
    """
    if _choice(configuration, requested) != TRAIN_AND_VALIDATION or not configuration.may_refit:
        return ""
    return TRAIN_AND_VALIDATION if dataset.split is not None and dataset.split.validates is not False else ""


def _choice(configuration: Configuration, requested: str) -> str:
    """Return what is said of a configuration's refit, by its plan, its budget, or the benchmark: the first counts."""
    tuned = configuration.search.tuning.refit if configuration.search is not None else None
    return configuration.refit or tuned or requested


def _of_search(configuration: Configuration) -> tuple[str | None, ...]:
    """Return what a configuration's search says of refit and pruning, as far as configurations differ by it."""
    if configuration.search is None:
        return ()
    return configuration.search.tuning.refit, configuration.search.tuning.pruner_words


def _left_reason(configuration: Configuration) -> str:
    """Return why a configuration is fitted on training alone, and what helps."""
    use = configuration.use_of_validation
    if configuration.search is None:
        return use
    if configuration.own is None:
        return f"{use}, and {_NO_NUMBER}"
    first, *others = EPOCHS_NAMES
    return (
        f"{use}, and none of its arguments is called {first}, or {', '.join(others)}; with one, it is fitted on both for as "
        "many epochs as validation found best"
    )


def check_refit(configurations: Sequence[Configuration], requested: str) -> None:
    """Refuse what a benchmark asks for where no configuration could follow.

    Args:
        configurations: Those of its plan.
        requested: What it asks for; see ``checked_refit``.

    Raises:
        PlanError: No configuration can be fitted so, or one that its plan wants so cannot.
    """
    for configuration in configurations:
        check_may_refit(configuration)
    if requested == TRAIN_AND_VALIDATION and not any(each.may_refit for each in configurations):
        reasons = {configuration.name: _reason(configuration) for configuration in configurations}
        listed = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
        raise PlanError(
            f"refit={requested!r} is asked for, and no algorithm of the plan can be fitted so. {listed}. Leave out refit."
        )


@dataclass(slots=True)
class ValidationUse:
    """What the benchmarks of a run do with validation parts.

    Attributes:
        unused: Whether no algorithm uses the validation part of a dataset, and nobody has said that this is meant, by
            the dataset's key.
        names: The datasets' names, likewise.
        sizes: By what argument the split of a dataset has a validation part, likewise.
        left: The algorithms that are fitted on training alone although the benchmark asks for both parts, and why.
        without: The names of datasets without a validation part although the benchmark asks for both parts.
        unpruned: The tuned algorithms without epochs after which a pruner could end their trials, with the pruner.
    """

    unused: dict[str, bool] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, str] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)
    without: list[str] = field(default_factory=list)
    unpruned: dict[str, str] = field(default_factory=dict)

    def note(self, datasets: Iterable[RecSysDataSet], configurations: Sequence[Configuration], requested: str) -> None:
        """Note what the configurations of a benchmark do with the validation parts of its datasets."""
        divided = [(each, each.split) for each in datasets if each.split is not None]
        with_validation = [(each, split) for each, split in divided if split.validates]
        # Of all configurations of an algorithm one is enough: there may be thousands.
        examples = {
            (each.name, each.module, each.refit, each.stops_early, *_of_search(each)): each for each in configurations
        }.values()
        for dataset, split in with_validation:
            is_unused = not requested and all(
                each.use_of_validation == NO_USE and not each.refit and each.search is None for each in examples
            )
            self.unused[dataset.key] = self.unused.get(dataset.key, True) and is_unused
            self.names[dataset.key] = dataset.name
            self.sizes[dataset.key] = split.validation_argument
        if requested == TRAIN_AND_VALIDATION:
            self.without += [each.name for each, split in divided if split.validates is False]
        if with_validation:
            self.left |= {
                each.name: _left_reason(each)
                for each in examples
                if _choice(each, requested) == TRAIN_AND_VALIDATION and not each.may_refit
            }
        self.unpruned |= {
            each.name: each.search.tuning.pruner_words
            for each in examples
            if each.search is not None and each.search.tuning.pruner is not None and not each.may_report_epochs
        }

    def sentences(self) -> list[str]:
        """Return what is worth telling once in a run, a sentence each."""
        unused = [key for key, is_unused in self.unused.items() if is_unused]
        sentences = []
        if unused:
            names = ", ".join(dict.fromkeys(self.names[key] for key in unused))
            arguments = dict.fromkeys(self.sizes[key] for key in unused if self.sizes[key])
            none = " or ".join(f"{argument}=0" for argument in arguments)
            ways = [
                *([f"{none} leaves it in training"] if none else []),
                f'refit="{TRAIN_AND_VALIDATION}" fits on both',
            ]
            sentences.append(
                f'no algorithm uses the validation part of {names}; {", ".join(ways)}, refit="{TRAIN}" keeps it so'
            )
        if self.left:
            listed = ", ".join(f"{name} ({use})" for name, use in self.left.items())
            sentences.append(f"on training alone, although refit={TRAIN_AND_VALIDATION!r}: {listed}")
        if self.without:
            names = ", ".join(dict.fromkeys(self.without))
            sentences.append(f"refit={TRAIN_AND_VALIDATION!r} adds nothing on {names}: there is no validation part")
        for pruner in dict.fromkeys(self.unpruned.values()):
            names = ", ".join(name for name, its_pruner in self.unpruned.items() if its_pruner == pruner)
            sentences.append(
                f"the pruner {pruner} ends no trial of {names}, of which no epochs are known; a class of your own tells of "
                "them by report(epoch=..., validation=...) in its fit"
            )
        return sentences

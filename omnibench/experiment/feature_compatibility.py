"""Whether a dataset knows of users and items what an algorithm learns from, before anything runs."""

from __future__ import annotations

from collections.abc import Mapping

from omnibench.data.dataset import RecSysDataSet
from omnibench.data.features.facts import FeatureFacts, facts_of
from omnibench.errors import PlanError, nearest
from omnibench.experiment.configuration import Configuration
from omnibench.metrics.item_features import unknown_feature


def check_features(dataset: RecSysDataSet, configuration: Configuration) -> None:
    """Refuse an algorithm whose features a dataset does not have, or has of a type that the algorithm cannot read.

    Raises:
        PlanError: It does not.
    """
    _check_item_feature(dataset, configuration)
    _check_listed_features(dataset, configuration)
    if configuration.readable_features:
        _check_types(dataset, configuration)


def _check_item_feature(dataset: RecSysDataSet, configuration: Configuration) -> None:
    parameter = configuration.item_feature_parameter
    if not parameter:
        return
    names = dataset.features["items"].names if "items" in dataset.features else ()
    feature = configuration.plain_parameters.get(parameter)
    if feature is None:
        has = f"; those of {dataset.name} have {', '.join(names)}" if names else ""
        raise PlanError(
            f"{configuration.name} needs {parameter}, the name of a feature of the dataset's items, e.g. "
            f'{{"{parameter}": "genres"}}{has}.'
        )
    if feature not in names:
        raise PlanError(f"{dataset.name}: {unknown_feature(str(feature), names, configuration.name)}")


def _check_listed_features(dataset: RecSysDataSet, configuration: Configuration) -> None:
    for parameter, subject in configuration.feature_parameters.items():
        listed = configuration.plain_parameters.get(parameter)
        names = dataset.features[subject].names if subject in dataset.features else ()
        asks_for_all = listed is None and configuration.default_parameters.get(parameter) is not None
        asks_for_all &= parameter in configuration.plain_parameters
        if (configuration.needs_features or asks_for_all) and not (names if listed is None else listed):
            raise PlanError(
                f"{configuration.name} learns from features of {subject}, but {dataset.name} has none, or {parameter} is empty. Add "
                f"some with dataset.with_features({subject}=df); with_features() alone where the catalogue has some."
            )
        if listed is None:
            continue
        if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
            raise PlanError(
                f"{configuration.name}: {parameter} is {listed!r}; give a list of names of features of {subject}, e.g. "
                f'["genres"], or None for all that the dataset has.'
            )
        for position, name in enumerate(listed):
            if name in listed[:position]:
                raise PlanError(
                    f"{configuration.name} asks for the feature {name!r} of {subject} twice ({parameter}), and it would count twice. "
                    "Name each once."
                )
            if name not in names:
                has = f"those of {dataset.name} have {', '.join(names)}" if names else f"{dataset.name} has none"
                raise PlanError(
                    f"{configuration.name} asks for the feature {name!r} of {subject} ({parameter}), but {has}"
                    f"{nearest(name, names) or '.'} Add it with dataset.with_features({subject}=df); with_features() alone where the "
                    "catalogue has some."
                )


def _check_types(dataset: RecSysDataSet, configuration: Configuration) -> None:
    parameters = dict(configuration.feature_parameters)
    if configuration.item_feature_parameter:
        parameters[configuration.item_feature_parameter] = "items"
    for parameter, subject in parameters.items():
        chosen_names = configuration.plain_parameters.get(parameter, configuration.default_parameters.get(parameter))
        if subject not in dataset.features or chosen_names == []:
            continue
        if isinstance(chosen_names, str):
            chosen_names = [chosen_names]
        facts = facts_of(dataset.features[subject])
        readable = configuration.readable_features
        names = [name for name in facts if facts[name].type in readable]
        for name in chosen_names or ():
            if name not in names:
                flaw = f"is of type {facts[name].type}" if facts[name].values else "is empty in every row"
                raise PlanError(
                    f"{configuration.name} cannot read the feature {name!r} of {subject} ({parameter}), which {flaw}: it reads {', '.join(readable)}, of which {dataset.name} has {', '.join(names) or 'none'}. "
                    "Name others, or turn numbers into texts."
                )
        learned = names if chosen_names is None else chosen_names
        if configuration.needs_features:
            _check_values(dataset, configuration, parameter, {name: facts[name] for name in learned})


def _check_values(
    dataset: RecSysDataSet, configuration: Configuration, parameter: str, facts: Mapping[str, FeatureFacts]
) -> None:
    """Refuse features of which nobody has a value, for an algorithm that cannot do without any."""
    if any(fact.values for fact in facts.values()):
        return
    missing = f"{', '.join(facts)} of {dataset.name} is empty in every row" if facts else f"{dataset.name} has none"
    raise PlanError(
        f"{configuration.name} learns from features of type {' or '.join(configuration.readable_features)} ({parameter}), but "
        f"{missing}. Name others, or add some with dataset.with_features(...)."
    )

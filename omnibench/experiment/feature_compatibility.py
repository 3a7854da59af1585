"""Whether a dataset knows of users and items what an algorithm learns from, before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from omnibench.data.dataset import RecSysDataSet
from omnibench.data.features.facts import FeatureFacts, facts_of
from omnibench.errors import PlanError, nearest
from omnibench.experiment.configuration import Configuration
from omnibench.guest.feature_types import ALL_TYPES
from omnibench.metrics.item_features import unknown_feature


def check_features(dataset: RecSysDataSet, configuration: Configuration) -> None:
    """Refuse an algorithm whose features a dataset does not have, or has of a type that the algorithm cannot read.

    Raises:
        PlanError: It does not.
    """
    _check_item_feature(dataset, configuration)
    _check_listed_features(dataset, configuration)
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
        if _needs_any(configuration, parameter) and not (names if listed is None else listed):
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


def _needs_any(configuration: Configuration, parameter: str) -> bool:
    """Return whether there has to be a feature: by the algorithm, or because a plan says None where it has none by default."""
    parameters = configuration.plain_parameters
    says_all = parameter in parameters and parameters[parameter] is None
    return configuration.needs_features or (says_all and configuration.default_parameters.get(parameter) is not None)


def _check_types(dataset: RecSysDataSet, configuration: Configuration) -> None:
    parameters = dict(configuration.feature_parameters)
    if configuration.item_feature_parameter:
        parameters[configuration.item_feature_parameter] = "items"
    for parameter, subject in parameters.items():
        named = configuration.plain_parameters.get(parameter, configuration.default_parameters.get(parameter))
        names = [named] if isinstance(named, str) else named
        if subject not in dataset.features or names == []:
            continue
        if names is not None and set(ALL_TYPES) - set(configuration.readable_features):
            _check_named(dataset, configuration, parameter, subject, names)
        if names or _needs_any(configuration, parameter):  # who names features means to learn from them
            _check_values(dataset, configuration, parameter, subject, names)
            _check_number(dataset, configuration, parameter, subject, names)


def _check_named(
    dataset: RecSysDataSet, configuration: Configuration, parameter: str, subject: str, names: Sequence[str]
) -> None:
    """Refuse features of a type that the algorithm cannot read."""
    readable, facts = configuration.readable_features, facts_of(dataset.features[subject])
    fitting = [name for name in facts if facts[name].type in readable]
    for name in names:
        if name not in fitting:
            flaw = f"is of type {facts[name].type}" if facts[name].values else "is empty in every row"
            raise PlanError(
                f"{configuration.name} cannot read the feature {name!r} of {subject} ({parameter}), which {flaw}: it reads "
                f"{', '.join(readable)}, of which {dataset.name} has {', '.join(fitting) or 'none'}. Name others, or turn "
                "numbers into texts."
            )


def _check_values(
    dataset: RecSysDataSet, configuration: Configuration, parameter: str, subject: str, names: Sequence[str] | None
) -> None:
    """Refuse features of which nobody has a value, for an algorithm that is to learn from one at least.

    Args:
        dataset: The dataset.
        configuration: The algorithm with its hyperparameters.
        parameter: The hyperparameter that names features.
        subject: Whose they are.
        names: Those that it names; None for all of the types that None stands for.
    """
    facts, usual = facts_of(dataset.features[subject]), configuration.usual_feature_types
    learned = _learned(facts, configuration, names)
    if any(facts[name].values for name in learned):
        return
    wanted = configuration.readable_features if names else usual
    missing = f"{', '.join(learned)} of {dataset.name} {'are' if learned[1:] else 'is'} empty in every row"
    readable = [name for name in facts if facts[name].values and facts[name].type in configuration.readable_features]
    raise PlanError(
        f"{configuration.name} learns from features of {subject} of type {' or '.join(wanted)} ({parameter}), but "
        f"{missing if learned else f'{dataset.name} has none'}. "
        + (f"Name others, e.g. {parameter}={readable[:1]!r}" if readable else "Name others")
        + f", or add some with dataset.with_features({subject}=df)."
    )


def _learned(
    facts: Mapping[str, FeatureFacts], configuration: Configuration, names: Sequence[str] | None
) -> Sequence[str]:
    """Return the features that an algorithm learns from: those named, or all of the types that None stands for."""
    usual = configuration.usual_feature_types
    return [name for name in facts if facts[name].type in usual] if names is None else names


def _check_number(
    dataset: RecSysDataSet, configuration: Configuration, parameter: str, subject: str, names: Sequence[str] | None
) -> None:
    """Refuse more features of a type than the algorithm can read; the arguments are those of ``_check_values``."""
    facts = facts_of(dataset.features[subject])
    learned = _learned(facts, configuration, names)
    for feature_type, most in configuration.most_of_type.items():
        of_type = [name for name in learned if facts[name].type == feature_type]
        if len(of_type) > most:
            fewer = [name for name in learned if name not in of_type[most:]]
            raise PlanError(
                f"{configuration.name} can read {most} feature of {subject} of type {feature_type} ({parameter}), and "
                f"{', '.join(of_type)} are {len(of_type)}. Name fewer, e.g. {{{parameter!r}: {fewer!r}}}, or turn numbers into texts."
            )

"""What Fits need of this machine: what is said of them, else what is estimated; and what it does not have at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from omnibench.engine.policy import IGNORE, Policy
from omnibench.engine.requirements import Requirements
from omnibench.errors import OmnibenchError, PhaseError
from omnibench.experiment.experiment import Experiment
from omnibench.experiment.resources import Resources, cores_text, gpus_text
from omnibench.limits import address_limit
from omnibench.memory import memory_capacity
from omnibench.naming import first_few
from omnibench.runners.machine import CPU, available_cores, gpus, is_gpu
from omnibench.runners.requirements import Requirement
from omnibench.sizes import size_text
from omnibench.store.admission import GPUS, MEMORY, Capacity, Needs, never_fits
from omnibench.store.schema import Phase

if TYPE_CHECKING:  # which runs on this machine do not need
    from omnibench.cluster.cluster import Cluster

_DECLARED = "said"
"""The basis of a requirement that nobody has estimated."""

_MOST_NAMED = 3

_NOTHING_RAISED: Mapping[str, int] = MappingProxyType({})


def machine_capacity(policy: Policy) -> Capacity:
    """Return what there is on this machine for all Fits together.

    Args:
        policy: Says how much memory they may have.
    """
    amounts = (memory_capacity(), policy.memory_limit)
    memory = min((amount for amount in amounts if amount is not None), default=None)
    return Capacity(memory, available_cores(), len(gpus()))


def memory_of_one(policy: Policy) -> int | None:
    """Return the bytes that a Fit may have when it is alone; None where nobody knows."""
    address_space = address_limit()  # of each process by itself
    amounts = (machine_capacity(policy).memory, None if address_space is None else address_space.maximum)
    return min((amount for amount in amounts if amount is not None), default=None)


def needed_memory(
    experiment: Experiment,
    requirements: Requirements,
    policy: Policy,
    raised: Mapping[str, int] = _NOTHING_RAISED,
) -> Requirement | None:
    """Return how much memory a Fit needs; None where nobody knows or nobody is to count.

    Args:
        experiment: The experiment.
        requirements: The estimates, where nothing is said.
        policy: The policy of the run.
        raised: The bytes of those that are tried with more, by fit keys.
    """
    if policy.memory == IGNORE:
        return None
    declared = raised.get(experiment.fit_key) or experiment.resources.memory
    return requirements.of(experiment) if declared is None else Requirement(declared, "", _DECLARED)


def needs_of(experiment: Experiment, requirement: Requirement | None, policy: Policy, share: float) -> Needs:
    """Return what a Fit needs.

    Args:
        experiment: The experiment.
        requirement: How much memory it needs; None where that does not count.
        policy: The policy of the run.
        share: How many cores its worker has, which are those of a Fit of which nothing is said.
    """
    cores = experiment.resources.cores
    memory = 0 if requirement is None else requirement.size
    return Needs(memory, share if cores is None else cores, cores is not None, _gpus_of(experiment, policy))


def needs_of_all(
    experiments: Sequence[Experiment], requirements: Requirements, policy: Policy, share: float
) -> list[Needs] | None:
    """Return what Fits need, to have them begun in a good order; None where none of them asks for anything.

    Args:
        experiments: The experiments.
        requirements: The estimates of memory, where nothing is said.
        policy: The policy of the run.
        share: How many cores each worker has.
    """
    if not any(experiment.resources.is_said or _gpus_of(experiment, policy) for experiment in experiments):
        return None
    memory = [needed_memory(experiment, requirements, policy) for experiment in experiments]
    pairs = zip(experiments, memory, strict=True)
    return [needs_of(experiment, requirement, policy, share) for experiment, requirement in pairs]


def asked_of_cluster(experiment: Experiment, policy: Policy, cluster: Cluster, memory: int | None = None) -> Resources:
    """Return what a Fit is to have of a machine of a cluster.

    Args:
        experiment: The experiment.
        policy: The policy of the run.
        cluster: The cluster.
        memory: The bytes with which it is tried once more, or is known to need where it does not say how many.
    """
    resources = experiment.resources
    gpus = None
    if is_gpu(experiment.device):
        gpus = 1 if resources.gpus is None and not cluster.jobs_have_gpus else resources.gpus
        gpus = 1 if resources.gpu_share else gpus
    bytes_in_all = None if policy.memory == IGNORE else memory or resources.memory
    return Resources(cores=resources.cores, memory=bytes_in_all, gpus=gpus, hours=resources.hours)


def may_be_refused(experiment: Experiment) -> bool:
    """Whether an experiment asks for anything that there may be too little of."""
    return experiment.resources.is_said or is_gpu(experiment.device)


def asks(experiment: Experiment) -> bool:
    """Whether others have to be counted for an experiment's sake: it says how many cores it is to have."""
    return experiment.resources.cores is not None


def refuse_oversized(experiments: Iterable[Experiment], policy: Policy, cluster: Cluster | None = None) -> None:
    """Refuse what asks for more than there is, however long it waits; estimates are no reason, as they may be wrong.

    Args:
        experiments: What is to be fitted.
        policy: The policy of the run.
        cluster: Where it is to be fitted; on this machine by default.

    Raises:
        OmnibenchError: There is something; with its figures. Or the cluster cannot be used.
    """
    sentences: dict[str, str] = {}
    for experiment in experiments:
        label = experiment.configuration.label or experiment.configuration.name
        if label in sentences:  # a cluster is asked anew about each that it lacks room for
            continue
        if sentence := oversized(experiment, policy, cluster):
            sentences[label] = sentence
    if sentences:
        raise OmnibenchError(
            f"nothing was run, because {_oversized_words(sentences)}. Ask for less (resources=), leave it out, or run where there is "
            "more."
        )


def _oversized_words(sentences: Mapping[str, str]) -> str:
    """Return what configurations ask for that nobody has: each such sentence once, with the configurations that it is said of.

    Args:
        sentences: By label, e.g. ``asks for 8 cores, and 2 are here``.
    """
    labels: dict[str, list[str]] = {}
    for label, sentence in sentences.items():
        labels.setdefault(sentence, []).append(label)
    clauses = [
        f"{first_few(names, _MOST_NAMED)} {'asks' if len(names) == 1 else 'ask'}{sentence.removeprefix('asks')}"
        for sentence, names in labels.items()
    ]
    if n_others := sum(map(len, [*labels.values()][_MOST_NAMED:])):
        clauses[_MOST_NAMED:] = [f"and {n_others} more {'asks' if n_others == 1 else 'ask'} for too much"]
    return "; ".join(clauses)


def oversized(experiment: Experiment, policy: Policy, cluster: Cluster | None = None) -> str:
    """Return what an experiment asks for that nobody has, e.g. ``asks for 8 cores, and 2 are here``; else nothing.

    Args:
        experiment: The experiment.
        policy: The policy of the run.
        cluster: Where it is to be fitted; on this machine by default.

    Raises:
        ClusterError: The cluster cannot be used.
    """
    if cluster is not None and not cluster.is_this_machine:
        return cluster.shortage(asked_of_cluster(experiment, policy, cluster))
    memory = 0 if policy.memory == IGNORE else experiment.resources.memory or 0
    needs = Needs(memory, experiment.resources.cores or 0, True, _gpus_of(experiment, policy))
    capacity = machine_capacity(policy)
    missing = never_fits(needs, capacity)
    most = memory_of_one(policy)
    if missing == MEMORY or (memory and most is not None and memory > most):
        return f"asks for {size_text(memory)} of memory, and {memory_words(most or 0, policy)}"
    if missing == GPUS:
        available = "none is" if not capacity.gpus else f"{capacity.gpus} {'is' if capacity.gpus == 1 else 'are'}"
        return f"asks for {gpus_text(needs.gpus)}, and {available} here"
    if missing:
        return (
            f"asks for {cores_text(needs.cores)}, and {capacity.cores:g} {'is' if capacity.cores == 1 else 'are'} here"
        )
    return ""


def memory_words(amount: int, policy: Policy) -> str:
    """Return how much memory there is for Fits, as the second half of a sentence."""
    verb = "may be used (--omnirec-memory)" if amount == policy.memory_limit else "are here"
    return f"{size_text(amount)} {verb}"


def refusal(experiment: Experiment, requirement: Requirement, capacity: str) -> PhaseError:
    """Return the error of a Fit that cannot begin.

    Args:
        experiment: The experiment.
        requirement: How much memory it needs.
        capacity: How much there is, as the second half of a sentence.
    """
    if requirement.basis == _DECLARED:
        words = f"asks for {size_text(requirement.size)} of memory, and {capacity}; it was not begun. Ask for less (resources=)"
    else:
        words = (
            f"{'with' if requirement.hyperparameters else 'on'} {requirement.reason} needs about {size_text(requirement.size)} of memory, and {capacity}; it was not begun. "
            f"That is estimated {requirement.basis}: fit it on a machine with more"
        )
    less = "on less data (CorePruning, a sample)"
    if requirement.hyperparameters:
        less = f"with a smaller {' or '.join(requirement.hyperparameters)}"
    elif requirement.remedy:
        less = f"with {requirement.remedy}, or {less}"
    return PhaseError(
        Phase.FIT.value,
        f"{experiment.configuration.name} {words}, or {less}, or with --omnirec-memory=ignore "
        "(in a script Policy(memory='ignore')) to try it all the same.",
    )


def _gpus_of(experiment: Experiment, policy: Policy) -> float:
    """Return how many GPUs of its own an experiment needs, or which part of one: none where it does not compute on one by the user's own choice."""
    is_cpu_by_choice = policy.device == CPU or (experiment.device == CPU and gpus())
    if not experiment.configuration.uses_gpu or is_cpu_by_choice:
        return 0
    number = experiment.resources.gpu_amount
    return int(is_gpu(experiment.device)) if number is None else number

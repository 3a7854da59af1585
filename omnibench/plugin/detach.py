"""``--omnirec-detach``: the run is held by a job of SLURM, and what this process does is to submit it, or to follow it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing, suppress

import pytest

from omnibench.cluster.choice import SLURM, ClusterChoice
from omnibench.cluster.cluster import Cluster
from omnibench.cluster.detached import detached_run, is_job_of_run, submit
from omnibench.cluster.settings import slurm_settings
from omnibench.engine.records import pending_records
from omnibench.engine.survey import State
from omnibench.errors import OmnibenchError, StoreError
from omnibench.plugin.lines import usage_error
from omnibench.plugin.options import CLUSTER, DETACH, READONLY, RESET, RESUME
from omnibench.plugin.plan import changes_of_plan
from omnibench.plugin.session import BRIEFLY, BenchSession
from omnibench.plugin.settings import checkpoint_dir
from omnibench.store import CheckpointStore
from omnibench.store.waiting import LockedStoreError
from omnibench.terminal import command_line, terminal_text


def attach(config: pytest.Config) -> None:
    """Follow the run that a job holds, if one does; afterwards this process shows what is recorded, and computes nothing.

    Args:
        config: pytest's configuration.

    Raises:
        pytest.UsageError: Only a run on SLURM that keeps a store can be held by a job; or SLURM does not answer.
    """
    if is_job_of_run():
        setattr(config.option, DETACH.name, None)
        return
    try:
        if not CLUSTER.value(config) or ClusterChoice.parse(CLUSTER.value(config)).scheduler != SLURM:
            raise usage_error(f"{DETACH.flag} has a job of SLURM hold the run; give {CLUSTER.flag}=slurm with it.")
        if RESET.value(config):
            raise usage_error(f"{RESET.flag} asks, which a job cannot; reset with `omnibench reset`, and run again.")
        if RESUME.value(config) == "never":
            raise usage_error(
                f"{DETACH.flag} has what its job prints lie in the store, and {RESUME.flag}=never keeps none."
            )
        run = detached_run(checkpoint_dir(config))
        state = run.state() if run is not None else ""
        if run is None or not state:
            return
        _say(
            f"job {run.job} holds this run ({state}: {run.command}); what it prints follows, and Ctrl-C leaves it alone\n"
        )
        run.follow(_say_as_it_is)
    except OmnibenchError as error:
        raise usage_error(error) from error
    setattr(config.option, READONLY.name, "yes")
    setattr(config.option, DETACH.name, None)


def cluster_of(session: BenchSession) -> Cluster:
    """Return what the job will ask for the jobs that compute; nothing is connected.

    Args:
        session: The benchmarks of the overseeing process.
    """
    settings = slurm_settings(session.config.invocation_params.dir)
    choice, patience = ClusterChoice.parse(CLUSTER.value(session.config)), session.policy.reconnect
    return Cluster(choice, settings, session.run_id, session.environments, session.directory, patience, session.notify)


def detach(session: BenchSession, states: Sequence[State]) -> None:
    """Note what this process was asked to run, for whoever asks before the job has a node, and submit the job that runs it.

    Args:
        session: The benchmarks of the overseeing process.
        states: The states of its items.

    Raises:
        pytest.UsageError: The store cannot be used, or SLURM does not take the job.
    """
    config = session.config
    directory = config.invocation_params.dir
    arguments = [str(argument) for argument in config.invocation_params.args if argument != DETACH.flag]
    try:
        _note(session, states)
        run = submit(arguments, directory, slurm_settings(directory), session.directory)
    except OmnibenchError as error:
        raise usage_error(error) from error
    status = command_line("omnibench", "status", "--store", session.directory)
    session.notify(
        f"job {run.job} holds the run. `{status}` says how far it is, this command again "
        f"follows what it prints, which is in {run.output}, and `scancel --signal=INT --batch {run.job}` has it stop."
    )


def _note(session: BenchSession, states: Sequence[State]) -> None:
    """Note what is to be run, as long as no job is there of which the user does not know; the job notes it again.

    Raises:
        StoreError: The store, in which the job's notes lie beside the records that it makes, cannot be used.
    """
    policy = session.policy
    try:
        store = CheckpointStore(
            session.directory,
            allow_network_fs=policy.allow_network_fs,
            shared=policy.shared,
            notify=session.notify,
            patience=BRIEFLY,
        )
    except LockedStoreError:  # it is there
        return
    with closing(store), suppress(StoreError, OSError):
        store.register(pending_records([item.experiment for item in session.items], states))
        store.records.commit(*changes_of_plan(session))


def _say(text: str) -> None:
    _say_as_it_is(f"omnibench: {text}")


def _say_as_it_is(text: str) -> None:
    sys.stdout.write(terminal_text(text))
    sys.stdout.flush()

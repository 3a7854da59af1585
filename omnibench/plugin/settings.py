"""What the options of a run mean together: its policy, its paths, and the command that repeats one of its items."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from omnibench.durations import seconds
from omnibench.engine.policy import Policy, share, tracked
from omnibench.errors import OmnibenchError
from omnibench.paths import expanded, overlong_name
from omnibench.plugin.lines import usage_error
from omnibench.plugin.option import Option
from omnibench.plugin.options import (
    ALLOW_NETWORK_FS,
    BASELINE,
    CHECKPOINT_DIR,
    CLUSTER,
    DEVICE,
    EXPORT,
    FAILED,
    GATE,
    GATE_ALPHA,
    GATE_TOLERANCE,
    GRACE,
    KEEP_MODELS,
    MAX_ATTEMPTS,
    MEMORY,
    OPTIONS,
    PLAN,
    READONLY,
    RECONNECT,
    RESET,
    RESUME,
    SALT,
    SHARED,
    SNAPSHOTS,
    THREADS,
    TIMEOUT,
    TMP_DIR,
    TRACK,
    VERIFY,
)

if TYPE_CHECKING:
    from omnibench.snapshots.control import Snapshots


def policy(config: pytest.Config) -> Policy:
    """Return the policy that the options make.

    Raises:
        pytest.UsageError: A value is impossible.
    """
    try:
        return Policy(
            resume=RESUME.value(config),
            failed=FAILED.value(config),
            max_attempts=_whole_number(MAX_ATTEMPTS, config),
            verify=VERIFY.value(config),
            salt=SALT.value(config),
            track=tracked(TRACK.value(config)),
            grace=_duration(GRACE, config),
            timeout=_duration(TIMEOUT, config) if TIMEOUT.value(config) else None,
            device=DEVICE.value(config),
            allow_network_fs=ALLOW_NETWORK_FS.is_on(config),
            keep_models=KEEP_MODELS.value(config),
            shared=SHARED.value(config),
            snapshots=_snapshots(config),
            memory=MEMORY.value(config),
            reconnect=_duration(RECONNECT, config),
            threads=int(threads) if (threads := THREADS.value(config)).isdecimal() else threads,
        )
    except OmnibenchError as error:
        raise usage_error(error) from error


def _duration(option: Option, config: pytest.Config) -> float:
    try:
        return seconds(option.value(config))
    except OmnibenchError as error:
        raise usage_error(f"{option.flag}: {error}") from error


def _snapshots(config: pytest.Config) -> Snapshots | None:
    text = SNAPSHOTS.value(config)
    if not text:
        return None
    from omnibench.snapshots.control import as_snapshots  # most runs say nothing

    return as_snapshots(text, SNAPSHOTS.source(config))


def _whole_number(option: Option, config: pytest.Config) -> int:
    text = option.value(config)
    if not text.isascii() or not text.isdigit():
        raise usage_error(f"{option.flag} is {text!r}; give a whole number from 1 on.")
    return int(text)


def check_options(config: pytest.Config) -> None:
    """Raise UsageError for an impossible value, wherever it was set, before anything is collected."""
    for option in OPTIONS:
        _refuse_empty(option, config)
        if option.switch:
            option.is_on(config)
        elif option.repeated:
            option.paths(config)
        else:
            option.value(config)
    _check_paths(config)
    _check_cluster(config)
    resume = policy(config).resume
    for option in (GATE_TOLERANCE, GATE_ALPHA):
        share_of(option, config)
    changes = ((RESET.flag, bool(RESET.value(config))), ("--omnirec-resume=fresh", resume == "fresh"))
    changing = [flag for flag, is_set in changes if is_set]
    for flag, is_set in (
        (READONLY.flag, READONLY.is_on(config)),
        ("--omnirec-resume=never", resume == "never"),
        (PLAN.flag, PLAN.is_on(config)),
    ):
        if is_set and changing:
            raise usage_error(f"{flag} changes no store, and {changing[0]} does; give one of them.")
    if READONLY.is_on(config) and resume == "never":
        raise usage_error(f"{READONLY.flag} computes nothing, and --omnirec-resume=never reads nothing.")


def _refuse_empty(option: Option, config: pytest.Config) -> None:
    """Refuse an empty text on the command line, which a shell makes of a variable that is not set; elsewhere it is no value."""
    typed = config.getoption(option.name)
    for value in (typed if option.repeated else [typed]) or ():
        if isinstance(value, str) and not value.strip():
            values = f"choose from {', '.join(option.choices)}" if option.choices else "give a value"
            raise usage_error(f"{option.flag} is {value!r}; {values}, or leave the option out.")


def _check_cluster(config: pytest.Config) -> None:
    text = CLUSTER.value(config)
    if not text:
        return
    from omnibench.cluster.choice import ClusterChoice
    from omnibench.cluster.schedulers import require_dask  # most runs have none

    try:
        require_dask(ClusterChoice.parse(text))
    except OmnibenchError as error:
        raise usage_error(f"{CLUSTER.source(config)}: {error}") from error
    workers = getattr(config.option, "numprocesses", None) or getattr(config.option, "tx", None)
    if workers or hasattr(config, "workerinput"):
        raise usage_error(
            f"-n computes on this machine, and {CLUSTER.flag}={text} elsewhere; give one of them. How many items are computed at "
            "once there is the number of the cluster's workers, e.g. local:4."
        )


def _check_paths(config: pytest.Config) -> None:
    paths = [(option, option.value(config)) for option in (CHECKPOINT_DIR, TMP_DIR, GATE, BASELINE)]
    for option, path in [*paths, *((EXPORT, path) for path in EXPORT.paths(config))]:
        problem = overlong_name(path)
        if problem:
            raise usage_error(f"{option.flag}: {problem}; give a shorter one.")


def share_of(option: Option, config: pytest.Config) -> float:
    """Return the value of an option that is a share.

    Raises:
        pytest.UsageError: It is none.
    """
    try:
        return share(option.value(config))
    except OmnibenchError as error:
        raise usage_error(f"{option.flag}: {error}") from error


def checkpoint_dir(config: pytest.Config) -> Path:
    """Return the checkpoint directory."""
    return path_of(CHECKPOINT_DIR, config)


def path_of(option: Option, config: pytest.Config) -> Path:
    """Return the path that an option names."""
    return Path(os.path.abspath(expanded(option.value(config), option.base(config))))


def command_for(item: pytest.Item) -> str:
    """Return the command that runs one item, for a shell where this run was started.

    It has the options that decide where pytest looks, which records count, and what the item's key is.
    """
    from omnibench.terminal import command_line  # as in plugin.lines

    config = item.config
    lookup = {"-c": config.option.inifilename, "--rootdir": config.option.rootdir}
    arguments = [word for flag, value in lookup.items() if value for word in (flag, str(value))]
    decisive = [option for option in OPTIONS if option.in_item_command]
    arguments += [f"{option.flag}={value}" for option in decisive if (value := option.typed(config))]
    file = os.path.relpath(item.path, config.invocation_params.dir)
    return command_line("pytest", *arguments, f"{file}::{item.nodeid.partition('::')[2]}")

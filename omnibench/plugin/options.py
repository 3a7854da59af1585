"""Every option, declared once: its flag, its variable, its ini name, its default.

Command line > environment > ini file > default.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from omnibench.engine.policy import DEVICES, Policy, seconds, share, tracked
from omnibench.engine.policy import FAILED as FAILED_CHOICES
from omnibench.engine.policy import RESUME as RESUME_CHOICES
from omnibench.errors import OmnibenchError
from omnibench.store.schema import RESETS
from omnibench.store.schema import VERIFY as VERIFY_CHOICES

_TRUE = ("1", "yes", "true", "on")
_FALSE = ("", "0", "no", "false", "off")


@dataclass(frozen=True)
class Option:
    """An option with a value; the ini name is the flag's with underscores, the variable's in capitals.

    Attributes:
        flag: Its name on the command line.
        help: What it does.
        default: Its value when nobody gives one.
        choices: The possible values, when there are few.
        switch: Whether it takes no value on the command line.
        repeated: Whether it may be given several times; elsewhere than on the command line, blanks separate its values.
    """

    flag: str
    help: str
    default: str = ""
    choices: tuple[str, ...] = ()
    switch: bool = False
    repeated: bool = False

    @property
    def name(self) -> str:
        """Its ini name, e.g. ``omnirec_failed``."""
        return self.flag.lstrip("-").replace("-", "_")

    @property
    def variable(self) -> str:
        """Its environment variable, e.g. ``OMNIREC_FAILED``."""
        return self.name.upper()

    def value(self, config: pytest.Config) -> str:
        """Return the value that counts.

        Raises:
            pytest.UsageError: It is none of the choices.
        """
        given = config.getoption(self.name) or os.environ.get(self.variable) or config.getini(self.name) or self.default
        if self.choices and given not in self.choices and given != self.default:
            raise pytest.UsageError(f"{self.flag} is {given!r}; choose from {', '.join(self.choices)}.")
        return str(given)

    def paths(self, config: pytest.Config) -> list[str]:
        """Return the paths that a repeated option has; those of the ini file are relative to it, others to where one is.

        Raises:
            pytest.UsageError: A quotation mark in the environment or the ini file has no other.
        """
        text = os.environ.get(self.variable) or str(config.getini(self.name))
        try:
            given: list[str] = config.getoption(self.name) or shlex.split(text)
        except ValueError as error:
            raise pytest.UsageError(f"{self.variable} is {text!r}, which cannot be split ({error}).") from error
        return [str(self.base(config) / Path(one).expanduser()) for one in given]

    def base(self, config: pytest.Config) -> Path:
        """Return where a relative path begins: where pytest was started; of the ini file and a default, at the rootdir."""
        given = config.getoption(self.name) or os.environ.get(self.variable)
        return config.invocation_params.dir if given else config.rootpath

    def is_on(self, config: pytest.Config) -> bool:
        """Return whether a switch is on.

        Raises:
            pytest.UsageError: Its value in the environment or the ini file is neither yes nor no.
        """
        given = self.value(config).strip().lower()
        if given not in (*_TRUE, *_FALSE):
            raise pytest.UsageError(f"{self.variable} is {given!r}; write yes or no.")
        return given in _TRUE


CHECKPOINT_DIR = Option(
    "--omnirec-checkpoint-dir", "Where checkpoints are kept (default: checkpoints in the rootdir).", "checkpoints"
)
RESUME = Option(
    "--omnirec-resume",
    "auto (default): go on where earlier runs stopped. fresh: compute anew, keep the old results aside. require: fail "
    "when there is nothing to go on from. never: neither read nor write a store.",
    "auto",
    RESUME_CHOICES,
)
FAILED = Option(
    "--omnirec-failed",
    "Items whose last attempt failed: retry them (default), skip them, or replay the recorded failure.",
    "retry",
    FAILED_CHOICES,
)
MAX_ATTEMPTS = Option(
    "--omnirec-max-attempts", "An item whose process died this often in a row is not tried again (default: 3).", "3"
)
VERIFY = Option(
    "--omnirec-verify",
    "How closely files are looked at before they are used again: full (default: size and sha256), stat (the sha256 "
    "only of files that somebody may have touched), off (the size).",
    "full",
    VERIFY_CHOICES,
)
SALT = Option("--omnirec-salt", "A text that goes into every key, to disown what was computed without it.")
TRACK = Option(
    "--omnirec-track",
    "What is measured beside time: rss, gpu, python (slow), or none (default: rss,gpu).",
    "rss,gpu",
)
GRACE = Option(
    "--omnirec-grace", "How long a phase in progress may go on when the run is asked to stop (default: 10s).", "10s"
)
TIMEOUT = Option("--omnirec-timeout", "How long a phase may take, e.g. 90s, 5m, 2h (default: no limit).")
ENVIRONMENTS = Option(
    "--omnirec-environments",
    "Where frameworks run: isolated (default), current, or e.g. LensKit=current,RecBole=isolated.",
    "isolated",
)
DEVICE = Option(
    "--omnirec-device",
    "Where algorithms that can use a GPU run: auto (default: on a GPU where there is one), cpu, or cuda.",
    "auto",
    DEVICES,
)
TMP_DIR = Option("--omnirec-tmp-dir", "Working directories of the frameworks (default: in the checkpoint dir).")
READONLY = Option("--omnirec-readonly", "Serve what is recorded, skip what is not, write nothing.", "no", switch=True)
ALLOW_NETWORK_FS = Option(
    "--omnirec-allow-network-fs", "Keep checkpoints on NFS, SMB and the like all the same.", "no", switch=True
)
TABLE = Option(
    "--omnirec-table",
    "What the table at the end shows: folds (each, with mean and standard deviation), mean, or none. By default folds, "
    "and of more than 100 configurations the means of the best 100.",
    "",
    ("folds", "mean", "none"),
)
SORT = Option("--omnirec-sort", "The metric by which the table is sorted, e.g. NDCG@10 (default: as in the plan).")
GATE = Option(
    "--omnirec-gate",
    "A baseline to compare with: the run fails if anything is significantly worse than what this file says was measured.",
)
GATE_TOLERANCE = Option(
    "--omnirec-gate-tolerance", "The relative loss that the gate accepts, e.g. 0.01 or 1% (default: 0).", "0"
)
GATE_ALPHA = Option("--omnirec-gate-alpha", "The level of the gate, over all its comparisons (default: 0.05).", "0.05")
GATE_METRICS = Option(
    "--omnirec-gate-metrics", "The metrics that the gate compares, e.g. NDCG@10,HR@10 (default: all of the baseline's)."
)
BASELINE = Option(
    "--omnirec-baseline", "Write what this run measured into a file, to compare later runs with, if the run passes."
)
EXPORT = Option(
    "--omnirec-export",
    "Write the results of this run's benchmarks into a file at its end; the ending says the format: .md, .tex, .html, .csv, "
    ".parquet or .json. May be given several times.",
    repeated=True,
)
OPTIONS = (
    CHECKPOINT_DIR,
    RESUME,
    FAILED,
    MAX_ATTEMPTS,
    VERIFY,
    SALT,
    TRACK,
    GRACE,
    TIMEOUT,
    ENVIRONMENTS,
    DEVICE,
    TMP_DIR,
    READONLY,
    ALLOW_NETWORK_FS,
    TABLE,
    SORT,
    GATE,
    GATE_TOLERANCE,
    GATE_ALPHA,
    GATE_METRICS,
    BASELINE,
    EXPORT,
)

RESET_FLAG = "--omnirec-reset"


def add_options(parser: pytest.Parser) -> None:
    """Declare the options to pytest."""
    group = parser.getgroup("omnirec", "benchmarks of recommender systems (omnibench)")
    for option in OPTIONS:
        how: dict[str, Any] = {"choices": option.choices or None}
        if option.switch:
            how = {"action": "store_const", "const": "yes"}
        elif option.repeated:
            how = {"action": "append", "metavar": "FILE"}
        group.addoption(option.flag, dest=option.name, default=None, help=option.help, **how)
        parser.addini(option.name, option.help, default="")
    group.addoption(
        RESET_FLAG,
        nargs="?",
        const="all",
        default="",
        dest="omnirec_reset",
        metavar="WHAT",
        help="Compute the selected benchmark items anew: all (default), those that failed, those that are incomplete, "
        "or all of them from Fit, Predict or Eval on.",
    )
    group.addoption(
        "--omnirec-yes", action="store_true", dest="omnirec_yes", help="Do not ask before everything is reset."
    )
    group.addoption(
        "--omnirec-plan",
        action="store_true",
        dest="omnirec_plan",
        help="Show what would run, and from which phase on; run nothing (-v: and why).",
    )


def with_whole_reset(args: list[str]) -> list[str]:
    """Return command line arguments in which ``--omnirec-reset`` takes no argument that is none of its values.

    Without this, ``pytest --omnirec-reset benchmarks`` would reset something called benchmarks.
    """
    found = list(args)
    for position, argument in enumerate(args):
        follower = args[position + 1] if position + 1 < len(args) else ""
        if argument == RESET_FLAG and follower not in RESETS:
            found[position] = f"{RESET_FLAG}=all"
    return found


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
        )
    except OmnibenchError as error:
        raise pytest.UsageError(str(error)) from error


def _duration(option: Option, config: pytest.Config) -> float:
    try:
        return seconds(option.value(config))
    except OmnibenchError as error:
        raise pytest.UsageError(f"{option.flag}: {error}") from error


def _whole_number(option: Option, config: pytest.Config) -> int:
    given = option.value(config)
    if not given.isascii() or not given.isdigit():
        raise pytest.UsageError(f"{option.flag} is {given!r}; give a whole number from 1 on.")
    return int(given)


def check_options(config: pytest.Config) -> None:
    """Raise UsageError for an impossible value, wherever it was set, before anything is collected."""
    for option in OPTIONS:
        if option.switch:
            option.is_on(config)
        elif not option.repeated:
            option.value(config)
    chosen = policy(config)
    for option in (GATE_TOLERANCE, GATE_ALPHA):
        share_of(option, config)
    reset = config.getoption("omnirec_reset")
    if reset and reset not in RESETS:
        raise pytest.UsageError(f"{RESET_FLAG} is {reset!r}; choose from {', '.join(RESETS)}.")
    writing = [
        flag for flag, given in ((RESET_FLAG, reset), ("--omnirec-resume=fresh", chosen.resume == "fresh")) if given
    ]
    for what, given in (
        (READONLY.flag, READONLY.is_on(config)),
        ("--omnirec-resume=never", chosen.resume == "never"),
        ("--omnirec-plan", config.getoption("omnirec_plan")),
    ):
        if given and writing:
            raise pytest.UsageError(f"{what} changes no store, and {writing[0]} does; give one of them.")
    if READONLY.is_on(config) and chosen.resume == "never":
        raise pytest.UsageError(f"{READONLY.flag} computes nothing, and --omnirec-resume=never reads nothing.")


def share_of(option: Option, config: pytest.Config) -> float:
    """Return the value of an option that is a share.

    Raises:
        pytest.UsageError: It is none.
    """
    try:
        return share(option.value(config))
    except OmnibenchError as error:
        raise pytest.UsageError(f"{option.flag}: {error}") from error


def checkpoint_dir(config: pytest.Config) -> Path:
    """Return the checkpoint directory."""
    return path_of(CHECKPOINT_DIR, config)


def path_of(option: Option, config: pytest.Config) -> Path:
    """Return the path that an option names."""
    return Path(os.path.abspath(option.base(config) / Path(option.value(config)).expanduser()))


def alone(item: pytest.Item) -> str:
    """Return the command that runs one item, for a shell where this run was started.

    It has the options that decide where pytest looks, which records count, and what the item's key is.
    """
    config = item.config
    looks = {"-c": config.option.inifilename, "--rootdir": config.option.rootdir}
    given = [word for flag, value in looks.items() if value for word in (flag, str(value))]
    decisive = (CHECKPOINT_DIR, SALT, ENVIRONMENTS, DEVICE)
    given += [f"{option.flag}={value}" for option in decisive if (value := config.getoption(option.name))]
    file = os.path.relpath(item.path, config.invocation_params.dir)
    return shlex.join(["pytest", *given, f"{file}::{item.nodeid.partition('::')[2]}"])

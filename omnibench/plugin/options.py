"""Every option, declared once: its flag, its variable, its ini name, its default.

Command line > environment > ini file > default.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Option:
    """An option with a value; the ini name is the flag's with underscores, the variable's in capitals."""

    flag: str
    help: str
    default: str
    choices: tuple[str, ...] = ()

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
        if self.choices and given not in self.choices:
            raise pytest.UsageError(f"{self.flag} is {given!r}; choose from {', '.join(self.choices)}.")
        return str(given)


CHECKPOINT_DIR = Option(
    "--omnirec-checkpoint-dir", "Where checkpoints are kept (default: checkpoints in the rootdir).", "checkpoints"
)
FAILED = Option(
    "--omnirec-failed",
    "Items whose last attempt failed: retry them (default), or skip them.",
    "retry",
    ("retry", "skip"),
)
ENVIRONMENTS = Option(
    "--omnirec-environments",
    "Where frameworks run: isolated (default), current, or e.g. LensKit=current,RecBole=isolated.",
    "isolated",
)
TMP_DIR = Option("--omnirec-tmp-dir", "Working directories of the frameworks (default: in the checkpoint dir).", "")
OPTIONS = (CHECKPOINT_DIR, FAILED, ENVIRONMENTS, TMP_DIR)


def add_options(parser: pytest.Parser) -> None:
    """Declare the options to pytest."""
    group = parser.getgroup("omnirec", "benchmarks of recommender systems (omnibench)")
    for option in OPTIONS:
        group.addoption(option.flag, dest=option.name, default=None, choices=option.choices or None, help=option.help)
        parser.addini(option.name, option.help, default="")
    group.addoption(
        "--omnirec-reset",
        action="store_true",
        dest="omnirec_reset",
        help="Forget what is recorded of the selected benchmark items and compute them anew.",
    )


def check_options(config: pytest.Config) -> None:
    """Raise UsageError for an impossible value, wherever it was set, before anything is collected."""
    for option in OPTIONS:
        option.value(config)


def checkpoint_dir(config: pytest.Config) -> Path:
    """Return the checkpoint directory; a relative one on the command line is relative to where pytest was started."""
    given = config.getoption(CHECKPOINT_DIR.name) or os.environ.get(CHECKPOINT_DIR.variable)
    if given:
        return Path(os.path.abspath(config.invocation_params.dir / Path(given).expanduser()))
    return Path(os.path.abspath(config.rootpath / Path(CHECKPOINT_DIR.value(config)).expanduser()))

"""Values of our options that pytest takes for paths of tests, because it looks for its files before plugins declare options."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from omnibench.plugin.lines import usage_error

_FLAG = "--omnirec-"


def refuse_mistaken_paths(config: pytest.Config, arguments: Sequence[str]) -> None:
    """Refuse a command line by which pytest reads another configuration file than it would without our values, or none.

    Of ``pytest --omnirec-checkpoint-dir /scratch/store``, where the store exists, pytest looks for its files above
    ``/scratch/store``, and nothing of the project's configuration counts, so that results would have other keys.

    Args:
        config: The session's, before the conftest files are loaded.
        arguments: The command line, with what ``addopts`` adds.

    Raises:
        pytest.UsageError: It is such a command line.
    """
    values = list(_path_values(arguments))
    if not values:
        return
    file = _file_without_values(config)
    if file is not None and file != config.inipath:
        flag, value = values[0]
        raise usage_error(
            f"pytest takes {value}, the value of {flag}, for a path of tests, so that it ignores {file}. Write {flag}={value}."
        )


def _path_values(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield our options whose value is an argument of its own and a path that exists, with that value."""
    for flag, value in pairwise(arguments):
        if flag.startswith(_FLAG) and "=" not in flag and not value.startswith("-") and Path(value).exists():
            yield flag, value


def _file_without_values(config: pytest.Config) -> Path | None:
    """Return the configuration file that pytest would read if it knew all options, or None."""
    from _pytest.config.findpaths import determine_setup

    known = config.known_args_namespace  # parsed again when all plugins had declared their options
    possible = {
        "inifile": known.inifilename,
        "override_ini": known.override_ini,
        "args": known.file_or_dir,
        "rootdir_cmd_arg": known.rootdir or None,
        "invocation_dir": config.invocation_params.dir,
    }
    taken = inspect.signature(determine_setup).parameters  # fewer in older releases of pytest
    _, file, *_ = determine_setup(**{name: value for name, value in possible.items() if name in taken})
    return file

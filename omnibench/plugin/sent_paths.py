"""Names of files that are not UTF-8, on the way to xdist's workers: execnet sends no text that has half a character."""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest

from omnibench.plugin.lines import usage_error

_MARK = "omnibench-bytes:"
"""What a text begins with that stands for the bytes of a name."""

_FLAG = "--omnirec-"


def sendable_path(value: str) -> str:
    """Return a text in a form that execnet sends; see ``received_path``."""
    from omnibench.guest.messages import is_utf8  # every pytest session imports this module, and few send anything

    return value if is_utf8(value) else _MARK + os.fsencode(value).hex()


def received_path(value: Any) -> Any:
    """Return what ``sendable_path`` was called with; a list of texts for a list of them."""
    if isinstance(value, str) and value.startswith(_MARK):
        return os.fsdecode(bytes.fromhex(value.removeprefix(_MARK)))
    return [received_path(element) for element in value] if isinstance(value, list) else value


def make_sendable(config: pytest.Config) -> None:
    """Put arguments into a form that xdist can send to its workers, and refuse those that it cannot.

    The rootdir and the configuration file are among them: pytest looks for both where all paths on the command line have
    something in common, and workers see there a checkpoint directory, of which it does not know yet that it is an option's,
    that was not there before. They would have other plugins, and their items other names, than the overseeing process.

    Raises:
        pytest.UsageError: A path that is not ours is not UTF-8.
    """
    from omnibench.guest.messages import is_utf8  # as above

    invocation = config.invocation_params
    arguments = [str(argument) for argument in invocation.args]
    setup = [f"--rootdir={config.rootpath}", *([f"--config-file={config.inipath}"] if config.inipath else [])]
    texts = [*arguments, *setup, str(invocation.dir), *sys.path]
    flags = ["", *arguments]
    sent = [_sent(argument, flag) for argument, flag in zip(arguments, flags, strict=False)]
    for text in [*sent, *texts[len(arguments) :]]:
        if not is_utf8(text):
            raise usage_error(
                f"{text!r} is not UTF-8, and pytest-xdist cannot tell its workers of it. Run without -n, or rename it."
            )
    config.invocation_params = pytest.Config.InvocationParams(
        args=(*setup, *sent), plugins=invocation.plugins, dir=invocation.dir
    )


def _sent(argument: str, flag: str) -> str:
    """Return an argument as workers get it, whose predecessor may be the option that it is the value of."""
    name, equals, value = argument.partition("=")
    if name.startswith(_FLAG) and equals:
        return f"{name}={sendable_path(value)}"
    return sendable_path(argument) if flag.startswith(_FLAG) and "=" not in flag else argument

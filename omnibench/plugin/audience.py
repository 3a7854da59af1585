"""Who waits for downloads and the like: whoever watches pytest, past its capturing, unless it is to be quiet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pytest

from omnibench.announcements import Audience, set_audience
from omnibench.plugin.options import ACCEPT_LICENCE

_earlier_key: pytest.StashKey[Audience] = pytest.StashKey()


def begin(config: pytest.Config) -> None:
    """Show what this process announces on pytest's terminal, and accept the terms that its command line accepts."""
    is_worker = hasattr(config, "workerinput")  # several bars at once would draw over each other
    verbosity = min(config.getoption("verbose", 0), 0) - is_worker
    config.stash[_earlier_key] = set_audience(Audience(lambda: _uncaptured(config), verbosity))
    names = ACCEPT_LICENCE.value(config)
    if names:
        from omnibench.data.catalogue.licences import accept_licences

        accept_licences(names)


def end(config: pytest.Config) -> None:
    """Leave announcements as they were before this run."""
    earlier = config.stash.get(_earlier_key, None)
    if earlier is not None:
        set_audience(earlier)


@contextmanager
def _uncaptured(config: pytest.Config) -> Iterator[None]:
    capture = config.pluginmanager.get_plugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture is not None else nullcontext():
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None and reporter._tw.width_of_current_line:  # noqa: SLF001 - pytest has no way to end a line
            reporter._tw.line()  # noqa: SLF001 - likewise
            reporter.flush()
        yield

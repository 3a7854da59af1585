"""What a worker of a distributed run does first."""

from __future__ import annotations

import pytest

from omnibench.guest import forks
from omnibench.guest.base import end_with_parent
from omnibench.plugin.gathered import Gathering


def begin_worker(config: pytest.Config, *, gathers: bool) -> Gathering | None:
    """Let this process end with its controller, and have both see each other's ends.

    Args:
        config: pytest's configuration.
        gathers: Whether it gathers events.

    Returns:
        What gathers them.
    """
    gathering = None
    # Its controller learns by the end of its pipe that it has died, which what it has forked must not keep open.
    for plugin in config.pluginmanager.get_plugins():
        if type(plugin).__name__ == "WorkerInteractor":  # which xdist registers without a name
            forks.withhold_gateway(plugin.channel.gateway)
            if gathers:
                gathering = Gathering(plugin)
    end_with_parent()  # a worker whose controller was killed would go on with its item, and its guests with it
    return gathering

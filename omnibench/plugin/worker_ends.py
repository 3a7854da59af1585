"""The ends of workers' processes, also where the machine has no thread left to wait for them with."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable
from typing import Any

PATIENCE_SECONDS = 10.0
"""How long a worker that was told to end may take where xdist cannot wait for it."""


def living(nodes: Iterable[Any]) -> dict[Any, subprocess.Popen[bytes]]:
    """Return the processes of those workers that live, by worker."""
    processes = {node: getattr(getattr(node.gateway, "_io", None), "popen", None) for node in nodes}
    return {node: process for node, process in processes.items() if process is not None and process.poll() is None}


def tear_down(manager: Any, nodes: Iterable[Any], notify: Callable[[str], None]) -> None:
    """Have xdist end its workers, which takes a thread for each; without any, wait for one after the other.

    Args:
        manager: xdist's manager of workers.
        nodes: The workers.
        notify: Gets a sentence with the limit, if one was reached.
    """
    try:
        manager.teardown_nodes()
    except (RuntimeError, OSError) as error:
        from omnibench.limits import limit_error

        limit = limit_error(error)
        if limit is None:
            raise
        notify(f"the ends of the workers were waited for one by one: {limit}")
        for process in living(nodes).values():  # told to end before xdist began to wait
            try:
                process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

"""Waiting for the disk once instead of several times: what is synced at the same time, disks write in about the time of one."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from queue import SimpleQueue

MOST_HELPERS = 16
"""Threads of a process that sync; where many threads commit, those that find no helper do it themselves."""

Action = Callable[[], None]


class _Task:
    """An action that a helper takes.

    Args:
        action: The action.

    Attributes:
        error: What it has raised; None while it has not.
    """

    def __init__(self, action: Action) -> None:
        self.error: BaseException | None = None
        self._action: Action | None = action
        self._ending = threading.Lock()
        self._ending.acquire()

    def run(self) -> None:
        """Take the action."""
        try:
            if self._action is not None:
                self._action()
        except BaseException as error:
            self.error = error
        finally:
            self._action = None  # it may hold a file open
            self._ending.release()

    def wait(self) -> None:
        """Wait for its end."""
        with self._ending:
            pass


class _Helper:
    """A thread that takes one action after the other."""

    def __init__(self) -> None:
        self.tasks: SimpleQueue[_Task] = SimpleQueue()
        threading.Thread(target=self._work, daemon=True, name="omnibench-sync").start()

    def _work(self) -> None:
        while True:
            self.tasks.get().run()
            _idle.append(self)


_idle: deque[_Helper] = deque()
_helpers: list[_Helper] = []


def _helper() -> _Helper | None:
    """Return a helper that has nothing to do; None where there is none to be had."""
    try:
        return _idle.pop()
    except IndexError:
        pass
    if len(_helpers) >= MOST_HELPERS:
        return None
    try:
        helper = _Helper()
    except RuntimeError:  # the system gives no thread
        return None
    _helpers.append(helper)
    return helper


def take_at_once(actions: Sequence[Action]) -> None:
    """Take several actions that wait for the disk, at the same time; the first in this thread.

    Args:
        actions: The actions.

    Raises:
        OSError: What one of them has raised, when all have ended.
    """
    tasks, own = [], list(actions[:1])
    for action in actions[1:]:
        helper = _helper()
        if helper is None:
            own.append(action)
        else:
            task = _Task(action)
            helper.tasks.put(task)
            tasks.append(task)
    errors: list[BaseException] = []
    for action in own:
        try:
            action()
        except OSError as error:
            errors.append(error)
    for task in tasks:
        task.wait()
        if task.error is not None:
            errors.append(task.error)
    if errors:
        raise errors[0]


def _forget() -> None:
    """Forget the helpers in a forked child, which has none of these threads."""
    _idle.clear()
    _helpers.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)

"""Calls of the workers that this process has started: over a pair of sockets, one end of which each has inherited.

Nobody else reaches these, so that nothing has to be encrypted, and neither a scheduler nor an event loop is in between: a call
takes a tenth of what one through Dask takes, which an item that computes for milliseconds would notice.
"""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any


class LocalCaller:
    """This process's end. It has to be closed.

    Args:
        descriptor: The file descriptor of the end, which is this object's from now on.
    """

    def __init__(self, descriptor: int) -> None:
        self._connection: Connection[Any, Any] = Connection(descriptor)
        self._calling = threading.Lock()

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function of a module in the worker's process.

        Args:
            function: The function.
            arguments: Its arguments.

        Raises:
            OSError, EOFError: The worker has ended.
            Exception: What the function has raised.
        """
        request = pickle.dumps((function, arguments))
        with self._calling:
            try:
                self._connection.send_bytes(request)
                answer = self._connection.recv_bytes()
            except BaseException:  # else the next call would get the answer to this one
                self.close()
                raise
        is_returned, value = pickle.loads(answer)  # noqa: S301 - a process of ours has sent it
        if not is_returned:
            raise value
        return value

    def close(self) -> None:
        """Close the end; the worker has no other use of its own."""
        self._connection.close()


def answer_calls(descriptor: int) -> None:
    """Answer the calls of the process that has started this one, in a thread, until it closes its end.

    Args:
        descriptor: The file descriptor of this process's end.
    """
    arguments = (Connection(descriptor),)
    threading.Thread(target=_answer_calls, args=arguments, daemon=True, name="omnibench-calls").start()


def _answer_calls(connection: Connection[Any, Any]) -> None:
    with suppress(OSError, EOFError):  # there is nobody to answer to
        while True:
            connection.send_bytes(_answer_to(connection.recv_bytes()))


def _answer_to(request: bytes) -> bytes:
    try:
        function, arguments = pickle.loads(request)  # noqa: S301 - the process that has started this one has sent it
        return pickle.dumps((True, function(*arguments)))
    except Exception as error:  # whatever it raises is raised where it was called
        return pickle.dumps((False, error))

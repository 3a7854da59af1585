"""How far a download is: a bar on a terminal, a line at its beginning and end elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from omnibench.announcements import announce, has_bars, uncaptured
from omnibench.data.downloads.transfer import Progress
from omnibench.sizes import size_text
from omnibench.terminal import terminal_line

_LINE_SECONDS = 60.0
"""How often a long download says how far it is where there is no bar."""


@contextmanager
def progress_bar(label: str) -> Iterator[Progress]:
    """Show how far a download is, and yield what is to be told of it.

    Args:
        label: What is downloaded, and from where.
    """
    if not has_bars():
        yield _Lines(label)
        return
    with ExitStack() as stack:
        stack.enter_context(uncaptured())
        progress = stack.enter_context(_rich_bar())
        task = progress.add_task(terminal_line(label), total=None)
        yield lambda received, total: progress.update(task, completed=received, total=total)


class _Lines:
    """Says in lines how far a download is."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._next = 0.0

    def __call__(self, received: int, total: int | None) -> None:
        moment = time.monotonic()
        if moment < self._next:
            return
        size = "" if total is None else size_text(total)
        if self._next == 0:
            announce(f"{self._label}{size and f' ({size})'}")
        else:
            announce(f"{self._label}: {size_text(received)}{size and f' of {size}'} so far")
        self._next = moment + _LINE_SECONDS


def _rich_bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    class Label(TextColumn):
        def render(self, task: Any) -> Any:
            from rich.text import Text

            return Text(task.description, overflow="ellipsis", no_wrap=True)

    return Progress(
        Label(""),
        BarColumn(bar_width=20),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(compact=True),
        console=Console(stderr=True),
        transient=True,
    )

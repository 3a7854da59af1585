"""Where a script shows its run: a block on a terminal, an output that changes in a notebook, plain lines elsewhere."""

from __future__ import annotations

import html
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Self

from omnibench.engine.live import ClosableScreen, LiveView, Tally
from omnibench.notebooks import display, in_notebook
from omnibench.terminal import terminal_line, terminal_text


class PlainScreen:
    """Lines one after the other, for files and CI.

    Args:
        notify: Called with each line.
    """

    has_block = False

    def __init__(self, notify: Callable[[str], None]) -> None:
        self.say = notify

    def show(self, lines: list[str]) -> None:
        """Show no block."""

    def close(self) -> None:
        """Leave everything as it is."""


class TerminalScreen:
    """A block below everything else that the script writes to its terminal, drawn by rich on stderr."""

    has_block = True

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console = Console(stderr=True, highlight=False)
        # What goes to a file must not be written to the terminal instead.
        self._live = Live(
            console=self._console, auto_refresh=False, transient=True, redirect_stdout=sys.stdout.isatty()
        )
        self._live.start()
        self._console.show_cursor()  # which nobody would show again after a SIGKILL

    def show(self, lines: list[str]) -> None:
        """Replace the block."""
        from rich.text import Text

        self._live.update(Text("\n".join(map(terminal_line, lines)), no_wrap=True, overflow="crop"), refresh=True)

    def say(self, line: str) -> None:
        """Write a line above the block."""
        from rich.text import Text

        self._console.print(Text(terminal_text(line)), soft_wrap=True)

    def close(self) -> None:
        """Take the block away."""
        self._live.stop()


class NotebookScreen:
    """An output of the cell that changes; lines are printed beside it."""

    has_block = True

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._handle = display(self._bundle, display_id=True)

    @property
    def _bundle(self) -> dict[str, str]:
        text = "\n".join(map(terminal_line, self._lines))
        return {
            "text/plain": text,
            "text/html": f"<pre style='white-space:pre'>{html.escape(text)}</pre>" if text else "",
        }

    def show(self, lines: list[str]) -> None:
        """Replace the block."""
        if lines != self._lines:
            self._lines = lines
            self._handle.update(self._bundle, raw=True)

    def say(self, line: str) -> None:
        """Print a line."""
        print(terminal_text(line), flush=True)  # noqa: T201 - into the cell's output

    def close(self) -> None:
        """Take the block away."""
        self.show([])


def on_terminal() -> bool:
    """Whether somebody watches stderr on a terminal that can move its cursor."""
    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    return is_terminal and os.environ.get("TERM") != "dumb" and not os.environ.get("CI")


def screen_of_script() -> ClosableScreen | None:
    """Return the screen with a block that this process has, or None where there is none."""
    if in_notebook():
        return NotebookScreen()
    return TerminalScreen() if on_terminal() else None


class ScriptView(LiveView):
    """Shows the run of a script while it goes on; use it as a context manager around the run.

    Args:
        directory: The checkpoint directory.
        run_id: The run.
        tally: The items.
        workers: How many workers compute them.
        screen: Where to show it.
    """

    def __init__(self, directory: Path, run_id: str, tally: Tally, workers: int, screen: ClosableScreen) -> None:
        super().__init__(directory, run_id, tally)
        self._workers_number = workers
        self._screen: ClosableScreen = screen

    def __enter__(self) -> Self:
        self._start_watching()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._end_watching()
        finally:  # also when a second signal comes
            self._screen.close()

    @property
    def _on_terminal(self) -> bool:
        return self._screen.has_block

    @property
    def _processes(self) -> int:
        return self._workers_number

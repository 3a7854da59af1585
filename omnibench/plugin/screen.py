"""A few lines that stay below whatever pytest writes to a terminal, and never get into it."""

from __future__ import annotations

import os
import re
import threading
from typing import Any

from rich.cells import cell_len, set_cell_size

from omnibench.terminal import terminal_line, terminal_text

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Screen:
    """Stands in for the file of pytest's terminal writer: whatever pytest writes first wipes the block away.

    The block is drawn to a descriptor of its own, because pytest redirects its own while an item runs. Its lines are
    cut at the width; the cursor goes back to where pytest left it, by movements that hold when the screen scrolls.

    Args:
        writer: pytest's terminal writer.
    """

    def __init__(self, writer: Any) -> None:
        self._writer = writer
        self._file = writer._file  # noqa: SLF001 - pytest's terminal writer has no way to watch what it writes
        encoding = self._file.encoding or "utf-8"
        self._terminal = os.fdopen(os.dup(self._file.fileno()), "w", encoding=encoding, errors="replace")
        self._lock = threading.RLock()
        self._lines: list[str] = []
        # What stands in the cursor's line; the writer notes that before it writes, which another thread may come between.
        self._line = str(writer._current_line)  # noqa: SLF001 - as above
        self._drawn: int | None = None
        """The column that the cursor went back to when the block was drawn, -1 for an empty line; None: it is not."""
        writer._file = self  # noqa: SLF001 - as above

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, text: str) -> int:
        """Write pytest's text where the block stands."""
        with self._lock:
            self._wipe()
            written = int(self._file.write(text))
            before, newline, last = text.rpartition("\n")
            self._line = last if newline else self._line + before + last
            return written

    def flush(self) -> None:
        """Flush pytest's text, and draw the block below it."""
        with self._lock:
            self._file.flush()
            self._draw()

    def show(self, lines: list[str]) -> None:
        """Replace the block's lines."""
        with self._lock:
            self._wipe()
            self._lines = [terminal_line(line) for line in lines]
            self._file.flush()  # not everybody who writes does, and the cursor has to be where it is thought to be
            self._draw()

    def say(self, line: str) -> None:
        """Write a line above the block, now, from any thread."""
        with self._lock:
            self._wipe()
            self._file.flush()
            self._terminal.write(("\n" if self._line else "") + terminal_text(line) + "\n")
            self._terminal.flush()
            self._line = self._writer._current_line = ""  # noqa: SLF001 - what pytest writes next begins a line
            self._draw()

    def close(self) -> None:
        """Take the block away and give pytest its file back."""
        with self._lock:
            self._wipe()
            self._lines = []
            self._writer._file = self._file  # noqa: SLF001 - as above
            self._terminal.close()

    def _size(self) -> tuple[int, int]:
        """Return the terminal's columns and lines; the width that pytest was told of may be another."""
        try:
            columns, lines = os.get_terminal_size(self._terminal.fileno())
        except OSError:
            columns, lines = 0, 0
        return columns or self._writer.fullwidth, lines or 24

    def _draw(self) -> None:
        if not self._lines or self._drawn is not None:  # before the terminal is asked: pytest flushes after each letter
            return
        columns, height = self._size()
        column = cell_len(_COLOUR.sub("", self._line.rpartition("\r")[2]))
        room = height - 1 if self._line else height  # higher than the screen, it would scroll away for good
        if column >= columns or room < 1:
            return
        lines = self._lines
        if len(lines) > room:
            lines = [*lines[: room - 1], f"  ... and {len(lines) - room + 1} more"]
        lines = [set_cell_size(line, columns - 1).rstrip() for line in lines]
        below = len(lines) if self._line else len(lines) - 1
        back = (f"\x1b[{below}A" if below else "") + "\r" + (f"\x1b[{column}C" if column else "")
        self._terminal.write(("\n" if self._line else "") + "\n".join(f"\x1b[2K{line}" for line in lines) + back)
        self._terminal.flush()
        self._drawn = column if self._line else -1

    def _wipe(self) -> None:
        if self._drawn is None:
            return
        if self._drawn < 0:
            self._terminal.write("\x1b[J")
        else:  # nothing of the cursor's own line, which may go on behind it
            back = f"\x1b[{self._drawn}C" if self._drawn else ""
            self._terminal.write(f"\x1b[B\r\x1b[J\x1b[A\r{back}")
        self._terminal.flush()
        self._drawn = None

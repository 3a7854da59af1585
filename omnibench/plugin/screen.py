"""A few lines that stay below whatever pytest writes to a terminal, and never get into it."""

from __future__ import annotations

import os
import threading
from typing import Any


class Screen:
    """Takes the place of the terminal writer's file: what pytest writes first wipes the block away.

    The block is drawn to a descriptor of its own, because pytest redirects its own while an item runs. Its lines are
    cut at the width; the cursor goes back to where pytest left it, by movements that hold when the screen scrolls.

    Args:
        writer: pytest's terminal writer.
    """

    def __init__(self, writer: Any) -> None:
        self._writer = writer
        self._file = writer._file  # noqa: SLF001 - pytest's terminal writer has no way to watch what it writes
        self._own = os.fdopen(
            os.dup(self._file.fileno()), "w", encoding=self._file.encoding or "utf-8", errors="replace"
        )
        self._lock = threading.RLock()
        self._lines: list[str] = []
        self._drawn = False
        writer._file = self  # noqa: SLF001 - as above

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, text: str) -> int:
        """Write for pytest."""
        with self._lock:
            self._wipe()
            return int(self._file.write(text))

    def flush(self) -> None:
        """Flush for pytest, and draw the block again."""
        with self._lock:
            self._file.flush()
            self._draw()

    def show(self, lines: list[str]) -> None:
        """Replace the block's lines."""
        with self._lock:
            self._wipe()
            self._lines = lines
            self._draw()

    def say(self, line: str) -> None:
        """Write a line above the block, now, from any thread."""
        with self._lock:
            self._wipe()
            self._file.flush()
            begun = self._writer.width_of_current_line
            self._own.write(("\n" if begun else "") + line + "\n")
            self._own.flush()
            self._writer._current_line = ""  # noqa: SLF001 - what pytest writes next begins a line
            self._draw()

    def close(self) -> None:
        """Take the block away and give pytest its file back."""
        with self._lock:
            self._wipe()
            self._lines = []
            self._writer._file = self._file  # noqa: SLF001 - as above
            self._own.close()

    def _draw(self) -> None:
        width, column = self._writer.fullwidth, self._writer.width_of_current_line
        if not self._lines or self._drawn or column >= width:
            return
        lines = [line[: width - 1] for line in self._lines]
        below = len(lines) if column else len(lines) - 1
        back = (f"\x1b[{below}A" if below else "") + "\r" + (f"\x1b[{column}C" if column else "")
        self._own.write(("\n" if column else "") + "\n".join(f"\x1b[2K{line}" for line in lines) + back)
        self._own.flush()
        self._drawn = True

    def _wipe(self) -> None:
        if self._drawn:
            self._own.write("\x1b[J")
            self._own.flush()
            self._drawn = False

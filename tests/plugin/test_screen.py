"""The block below pytest's output, judged by a real terminal emulator on a real pseudo terminal."""

from __future__ import annotations

import os
import pty
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyte
import pytest
from _pytest._io import TerminalWriter
from hypothesis import given
from hypothesis import strategies as st

from omnibench.plugin.screen import Screen

HEIGHT = 6
"""Lines of the terminal: few, so that it scrolls all the time."""


class Terminal:
    """A terminal with a writer of pytest's, and what a person in front of it could read, scrolled away or not.

    Args:
        columns: Its width.
        lines: Its height.
    """

    def __init__(self, columns: int, lines: int = HEIGHT) -> None:
        self._master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (lines, columns))
        os.set_blocking(self._master, False)
        self.writer = TerminalWriter(os.fdopen(slave, "w", encoding="utf-8"))
        self.writer.fullwidth = columns
        self.screen = pyte.HistoryScreen(columns, lines, history=100_000)
        self._stream = pyte.ByteStream(self.screen)

    def read(self) -> None:
        """Let the emulator have what was written."""
        while True:
            try:
                self._stream.feed(os.read(self._master, 65536))
            except BlockingIOError:
                return

    def text(self) -> str:
        """All lines, those that were scrolled away first, without the blank ones at the end."""
        self.read()
        away = ["".join(line[column].data for column in range(self.screen.columns)) for line in self.screen.history.top]
        # Not pyte's own `display`, which stumbles over half of a wide character that was overwritten.
        cells = range(self.screen.columns)
        lines = ["".join(self.screen.buffer[y][x].data for x in cells) for y in range(self.screen.lines)]
        return "\n".join(line.rstrip() for line in [*away, *lines]).rstrip()

    def close(self) -> None:
        """Give the pseudo terminal back."""
        self.writer._file.close()
        os.close(self._master)


@contextmanager
def terminal(columns: int, lines: int = HEIGHT) -> Iterator[Terminal]:
    made = Terminal(columns, lines)
    try:
        yield made
    finally:
        made.close()


texts = st.text("abc.F 漢é", max_size=30)
steps = st.one_of(
    st.tuples(st.just("write"), texts),
    st.tuples(st.just("line"), texts),
    st.tuples(st.just("again"), st.text("xyz", min_size=1, max_size=30)),
    st.tuples(st.just("coloured"), st.text("abc", min_size=1, max_size=12)),
    st.tuples(st.just("flush"), st.just("")),
    st.tuples(st.just("say"), st.text("omnibech: ", min_size=1, max_size=60)),
    st.tuples(st.just("show"), st.lists(st.text("GPU #漢", max_size=200), max_size=9)),
)


def perform(writer: Any, step: str, what: Any) -> None:
    """Write as pytest writes: letters, whole lines, progress that is written again from the line's beginning."""
    if step == "write":
        writer.write(what)
    elif step == "line":
        writer.line(what)
    elif step == "again":
        writer.write("\r" + what + " " * 3)
    elif step == "coloured":
        writer.write(f"\x1b[32m{what}\x1b[0m")
    elif step == "flush":
        writer.flush()


@given(st.integers(40, 160), st.lists(steps, max_size=40))
def test_pytests_output_is_never_garbled(columns: int, done: list[tuple[str, Any]]) -> None:
    """Whatever is written in whatever pieces, with blocks and lines in between: in the end, only the block is gone."""
    with terminal(columns) as shown, terminal(columns) as plain:
        screen = Screen(shown.writer)
        for step, what in done:
            if step == "say":
                screen.say(what)
                # The same words, written in the ordinary way.
                begun = plain.writer._current_line
                plain.writer.write(("\n" if begun else "") + what + "\n", flush=True)
            elif step == "show":
                screen.show(what)
            else:
                perform(shown.writer, step, what)
                perform(plain.writer, step, what)
            shown.read()
            plain.read()
        shown.writer.flush()
        plain.writer.flush()
        screen.close()
        assert shown.text() == plain.text()


def test_the_block_is_below_what_pytest_wrote() -> None:
    """While pytest's line goes on, the block is under it, and the cursor is where pytest left it."""
    with terminal(40, 8) as shown:
        screen = Screen(shown.writer)
        shown.writer.line("collected 4 items")
        shown.writer.write("..F", flush=True)
        screen.show(["3/4 items", "  gw0: computes"])
        assert shown.text().splitlines() == ["collected 4 items", "..F", "3/4 items", "  gw0: computes"]
        assert (shown.screen.cursor.y, shown.screen.cursor.x) == (1, 3)
        screen.say("a notice")
        assert shown.text().splitlines() == ["collected 4 items", "..F", "a notice", "3/4 items", "  gw0: computes"]
        shown.writer.write(".", flush=True)
        screen.show(["4/4 items"])
        assert shown.text().splitlines() == ["collected 4 items", "..F", "a notice", ".", "4/4 items"]
        screen.close()
        assert shown.text().splitlines() == ["collected 4 items", "..F", "a notice", "."]


def test_the_block_does_not_wait_for_somebody_to_flush() -> None:
    """The last words of xdist before the first report stay unflushed: the block is shown below them all the same."""
    with terminal(40) as shown:
        screen = Screen(shown.writer)
        shown.writer.write("\r2 workers [4 items]\n")
        shown.writer.write("\n..")
        screen.show(["0/4 items"])
        assert shown.text().splitlines() == ["2 workers [4 items]", "", "..", "0/4 items"]
        screen.close()


@pytest.mark.parametrize("columns", [40, 80, 160])
def test_the_block_is_never_larger_than_the_terminal(columns: int) -> None:
    """Long lines are cut at the width, also wide characters; many workers at the height, and it says how many."""
    with terminal(columns, 10) as shown:
        screen = Screen(shown.writer)
        shown.writer.write("...", flush=True)
        screen.show(["漢字" * columns, *(f"  gw{number}: {'x' * 300}" for number in range(64))])
        lines = shown.text().splitlines()
        assert lines[0] == "..."
        assert len(lines) == 10
        assert lines[-1] == "  ... and 57 more"
        assert lines[1].startswith("漢")
        screen.close()
        assert shown.text() == "..."


def test_the_terminal_counts_and_not_the_width_that_pytest_was_told() -> None:
    """A width of 200 in a terminal of 60 columns does not make the block's lines wrap."""
    with terminal(60) as shown:
        shown.writer.fullwidth = 200
        screen = Screen(shown.writer)
        screen.show(["x" * 200, "y"])
        assert shown.text().splitlines() == ["x" * 59, "y"]
        screen.close()
        assert shown.text() == ""


def test_pytest_gets_its_file_back() -> None:
    """After close the writer writes as before; until then, what the file is asked for comes from the file."""
    with terminal(80) as shown:
        file = shown.writer._file
        screen = Screen(shown.writer)
        assert shown.writer._file is screen
        assert (screen.fileno(), screen.encoding, screen.isatty()) == (file.fileno(), "utf-8", True)
        screen.close()
        assert shown.writer._file is file
        shown.writer.line("as before")
        shown.writer.flush()
        assert shown.text() == "as before"


def test_a_file_that_is_none_is_left_alone() -> None:
    """A writer to memory has no terminal to draw on: nothing is replaced."""
    import io

    memory = io.StringIO()
    writer = TerminalWriter(memory)
    with pytest.raises((OSError, ValueError)):
        Screen(writer)
    assert writer._file is memory

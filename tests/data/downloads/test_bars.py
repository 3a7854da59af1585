"""How far a download is, on terminals and in logs."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest

from omnibench.announcements import Audience, announce, has_bars
from omnibench.data.downloads.bars import progress_bar


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def stderr_as_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Make stderr a terminal that can move its cursor, with nobody who wants silence; capturing undoes it between phases."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr("omnibench.announcements._audience", Audience())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("CI", raising=False)
    return terminal


def test_a_terminal_has_a_bar_that_is_gone_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what is downloaded, how much of it is there, and how large it is."""
    terminal = stderr_as_terminal(monkeypatch)
    assert has_bars()
    with progress_bar("downloading [a].zip from shop.example") as show:
        show(0, None)
        show(500_000, 2_000_000)
    text = terminal.getvalue()
    assert "downloading [a].zip from shop.example" in text
    assert "0.5/2.0 MB" in text
    assert text.endswith(("\x1b[2K", "\x1b[?25h", "\r\x1b[1A\x1b[2K"))


@pytest.mark.parametrize(("variable", "value"), [("TERM", "dumb"), ("CI", "true")])
def test_logs_have_lines(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the beginning, with the size, and of a long download now and then."""
    terminal = stderr_as_terminal(monkeypatch)
    monkeypatch.setenv(variable, value)
    moments = iter([0.5, 1.0, 90.0, 91.0])
    monkeypatch.setattr("omnibench.data.downloads.bars.time", SimpleNamespace(monotonic=lambda: next(moments)))
    with progress_bar("downloading a.zip") as show:
        for received in (0, 1_000, 1_500_000, 2_000_000):
            show(received, 2_000_000)
    assert terminal.getvalue().splitlines() == [
        "omnibench: downloading a.zip (2.0 MB)",
        "omnibench: downloading a.zip: 1.5 MB of 2.0 MB so far",
    ]


@pytest.mark.parametrize(("verbosity", "lines"), [(0, 1), (-1, 1), (-2, 0)])
def test_who_wants_silence_has_it(verbosity: int, lines: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """-q is without bars, -qq without a word; what a terminal would obey is spelled out."""
    terminal = stderr_as_terminal(monkeypatch)
    monkeypatch.setattr("omnibench.announcements._audience", Audience(verbosity=verbosity))
    assert has_bars() is (verbosity == 0)
    announce("a\x1b[2Jb")
    assert terminal.getvalue() == "omnibench: a\\x1b[2Jb\n" * lines

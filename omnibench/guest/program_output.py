"""What a program prints: passed on to the log as it is, and cut into lines."""

from __future__ import annotations

import codecs
import os
from typing import IO

_PIECE_BYTES = 2**16
LONGEST_LINE = 2**13
"""Of a longer line these characters are looked at; the log has it whole."""


class ProgramOutput:
    """What a program prints on stdout or stderr.

    Args:
        stream: The end of the pipe that is read.
        log: Where it is passed on to: whole lines, and the states of a progress bar, which a carriage return ends.

    Attributes:
        is_open: Whether there may be more.
    """

    def __init__(self, stream: IO[bytes], log: IO[str]) -> None:
        os.set_blocking(stream.fileno(), False)
        self._stream, self._log = stream, log
        self.is_open = True
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._unfinished = self._unlogged = ""

    def fileno(self) -> int:
        """Return the descriptor that can be waited for."""
        return self._stream.fileno()

    def close(self) -> None:
        """Close the end of the pipe."""
        self._stream.close()

    def read(self) -> list[str] | None:
        """Read a piece; return the lines that it completes, cut to ``LONGEST_LINE``, or None where there is nothing to read."""
        try:
            piece = os.read(self.fileno(), _PIECE_BYTES)
        except BlockingIOError:
            return None
        self.is_open = bool(piece)
        text = self._decoder.decode(piece, final=not piece)
        self._pass_on(text)
        *ends, rest = text.split("\n")
        lines = []
        for end in ends:
            lines.append(_shortened(self._unfinished + end))
            self._unfinished = ""
        self._unfinished = (self._unfinished + rest)[: LONGEST_LINE + 1]
        if self._unfinished and not piece:
            lines.append(_shortened(self._unfinished))
            self._unfinished = ""
        return lines

    def _pass_on(self, text: str) -> None:
        self._unlogged += text
        length = max(self._unlogged.rfind("\n"), self._unlogged.rfind("\r")) + 1
        if not self.is_open or len(self._unlogged) - length > LONGEST_LINE:
            length = len(self._unlogged)
        if length:
            self._log.write(self._unlogged[:length])
            self._log.flush()
            self._unlogged = self._unlogged[length:]


def _shortened(line: str) -> str:
    """Return a line; one that is too long with an ellipsis, so that nobody takes a part of a number for the whole."""
    return line if len(line) <= LONGEST_LINE else line[:LONGEST_LINE] + "…"

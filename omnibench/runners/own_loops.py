"""Where a user's own class begins its loop: the place in its code that reads ``report.iteration`` last, before the loop."""

from __future__ import annotations

import dis
from types import CodeType, FrameType
from typing import TypeAlias

Position: TypeAlias = tuple[str, int]
"""Where in a user's code something happens: the name of a function, and the number of an instruction."""


def position_in(frame: FrameType) -> Position:
    """Return where a frame is, the same in every process."""
    return frame.f_code.co_qualname, frame.f_lasti


class LoopBegin:
    """Finds where a loop begins, by the places that read before it and in it."""

    def __init__(self) -> None:
        self._reads: dict[Position, bool] = {}

    def note(self, frame: FrameType, *, before_report: bool) -> None:
        """Note that a frame reads ``report.iteration``.

        Args:
            frame: The frame.
            before_report: Whether the class has reported no iteration yet; what reads after that, too, is in the loop.
        """
        position = position_in(frame)
        if before_report:
            self._reads[position] = self._reads.pop(position, False) or _is_in_loop(frame.f_code, frame.f_lasti)
        elif position in self._reads:
            self._reads[position] = True

    @property
    def position(self) -> Position | None:
        """The last place that has read before the loop; None where nothing did."""
        outside = [position for position, is_in_loop in self._reads.items() if not is_in_loop]
        return next(reversed(outside or [*self._reads]), None)


def _is_in_loop(code: CodeType, offset: int) -> bool:
    """Return whether an instruction is in a loop of its function: whether it is jumped back over."""
    jumps = {*dis.hasjrel, *dis.hasjabs}
    return any(
        instruction.opcode in jumps and instruction.argval <= offset < instruction.offset
        for instruction in dis.get_instructions(code)
    )

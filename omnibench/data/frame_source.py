"""The source behind ``from_frame``: interactions that the user has in memory."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from omnibench.data.content import Content, content_of, remembered_content
from omnibench.data.digests import table_digest
from omnibench.data.interactions import COLUMNS, Interactions, from_columns
from omnibench.data.numbers import row_name

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class FrameSource:
    """Interactions that the user already has in memory."""

    frame: pd.DataFrame
    name: str

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(column for column in COLUMNS if column in self.frame.columns)

    @property
    def label(self) -> str:
        return self.name

    def read(self) -> dict[str, Any]:
        return {name: self.frame[name] for name in self.columns}

    @cached_property
    def content(self) -> Content:
        return remembered_content(lambda: self.identity, len(self.frame), lambda: content_of(self.read(), self.label))

    @cached_property
    def identity(self) -> list[str]:
        """What identifies the rows of the frame as they are."""
        return ["table", table_digest(self.read())]

    @cached_property
    def fingerprint(self) -> Any:
        """What identified the frame before the order of its rows and the types of its numbers stopped to count.

        Another for what was read wrong then.
        """
        return self.identity if self.content.as_before else ["table/2", *self.identity[1:]]

    def row_name(self, row: int) -> str:
        return row_name(row)

    def load(self) -> Interactions:
        return from_columns(self.read(), self.name)

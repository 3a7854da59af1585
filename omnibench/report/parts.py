"""Parts of the rows of files: neighbouring cells, which many rows may share."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import cached_property
from typing import Any


class Part:
    """Neighbouring cells of the rows of a block; rows that have them alike share them.

    Args:
        columns: The different cells, by column, where they are known already; shape (width, cells). Made when they are asked for.

    Attributes:
        positions: Which of the different cells each row has.
    """

    def __init__(self, columns: Callable[[], Sequence[Sequence[Any]]] | None = None) -> None:
        self._cells: list[tuple[Any, ...]] = []
        self._make_columns = columns
        self.positions: list[int] = []
        self._numbers: dict[Hashable, int] = {}

    @property
    def cells(self) -> list[tuple[Any, ...]]:
        """The different cells, each a tuple of values; made anew each time where they are known by column."""
        return self._cells if self._columns is None else list(zip(*self._columns, strict=True))

    @cached_property
    def _columns(self) -> Sequence[Sequence[Any]] | None:
        return None if self._make_columns is None else self._make_columns()

    @property
    def columns(self) -> list[Sequence[Any]]:
        """The different cells by column."""
        return list(zip(*self._cells, strict=True) if self._columns is None else self._columns)

    def add(self, cells: tuple[Any, ...], rows: int = 1) -> None:
        """Add cells that so many rows have, which follow each other."""
        self.positions += [len(self._cells)] * rows
        self._cells.append(cells)

    def add_shared(self, cells: tuple[Any, ...], rows: int = 1, key: Hashable = None) -> int:
        """Add cells that other rows may have, too, and return their position.

        Args:
            cells: The cells.
            rows: How many rows that follow each other have them.
            key: What tells these cells from others of this part; the cells themselves by default.
        """
        number = self._numbers.setdefault(cells if key is None else key, len(self._cells))
        if number == len(self._cells):
            self._cells.append(cells)
        self.positions += [number] * rows
        return number

"""Columns of numbers as arrays: of a hundred thousand items, to make a Python number of each takes longer than to write it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class NumberColumn(Sequence[Any]):
    """The numbers of a column; as a sequence it has None where one is missing.

    Args:
        numbers: The numbers, floats or whole ones, shape (n,); what stands where one is missing does not matter.
        is_missing: Where one is missing, shape (n,).
    """

    def __init__(
        self, numbers: npt.NDArray[np.float64] | npt.NDArray[np.int64], is_missing: npt.NDArray[np.bool_]
    ) -> None:
        self.numbers = numbers
        self.is_missing = is_missing

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, position: int) -> Any: ...

    @overload
    def __getitem__(self, position: slice) -> list[Any]: ...

    def __getitem__(self, position: int | slice) -> Any:
        return list(self)[position]

    def __iter__(self) -> Iterator[Any]:
        values: list[Any] = self.numbers.tolist()
        if not self.is_missing.any():
            return iter(values)
        return (None if missing else value for value, missing in zip(values, self.is_missing.tolist(), strict=True))

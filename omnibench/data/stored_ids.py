"""The users' own ids in a prepared dataset, by code: written once, and opened without reading more than is asked for.

Texts are one file of their bytes and of where each begins; whole numbers of up to 64 bits an array. Ids of any other kind are
JSON, which is read whole.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from omnibench.data import ids

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    from omnibench.lazy import np

_TEXTS, _INTEGERS = "texts", "integers"

SESSIONS = "sessions"
"""What the ids of the sessions are stored as that users are positions of."""

_small: dict[str, tuple[tuple[int, ...], StoredIds]] = {}
"""Ids of small files, by path, with the state of the file: each item asks for them several times."""
_SMALL_BYTES, _MOST_SMALL = 1 << 19, 16

_FEW = 8
"""What share of the texts is decoded one by one: less than one in so many."""


class StoredIds(Sequence[Hashable]):
    """Ids by code; those that are asked for are read."""

    @overload
    def __getitem__(self, code: int) -> Hashable: ...
    @overload
    def __getitem__(self, code: slice) -> list[Hashable]: ...
    def __getitem__(self, code: int | slice) -> Any:
        return self._all[code] if isinstance(code, slice) else self._id(range(len(self))[code])

    def __iter__(self) -> Iterator[Hashable]:
        return iter(self._all)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._all == list(other)

    __hash__ = None  # type: ignore[assignment]  # as lists

    def take(self, codes: npt.NDArray[np.integer[Any]]) -> npt.NDArray[Any]:
        """Return the ids of codes, as an array of int64, or of Python's own texts."""
        raise NotImplementedError

    def _id(self, code: int) -> Hashable:
        raise NotImplementedError

    @property
    def _all(self) -> list[Any]:
        raise NotImplementedError


class StoredTexts(StoredIds):
    """Texts, one behind the other.

    Args:
        path: The file that ``write_ids`` wrote.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._first: npt.NDArray[np.int64] = _next_array(file)
            self._bytes: npt.NDArray[np.uint8] = _next_array(file)

    def __len__(self) -> int:
        return len(self._first) - 1

    def take(self, codes: npt.NDArray[np.integer[Any]]) -> npt.NDArray[Any]:
        """Decode each text once, however often its code comes."""
        if len(codes) * _FEW > len(self):
            requested, position = self._all, codes
        else:
            different, position = np.unique(codes, return_inverse=True)
            requested = [self._id(code) for code in different.tolist()]
        table = np.empty(len(requested), dtype=object)
        table[:] = requested
        texts: npt.NDArray[Any] = table[position]
        return texts

    def _id(self, code: int) -> str:
        start, end = self._first[code : code + 2].tolist()
        return str(self._bytes[start:end].data, "utf-8")

    @cached_property
    def _all(self) -> list[str]:
        whole = str(self._bytes.data, "utf-8")
        bounds = itertools.pairwise(self._first.tolist())
        if len(whole) == len(self._bytes):  # a byte for each letter
            return [whole[start:end] for start, end in bounds]
        content = self._bytes.tobytes()
        return [content[start:end].decode() for start, end in bounds]


class StoredIntegers(StoredIds):
    """Whole numbers.

    Args:
        path: The file that ``write_ids`` wrote.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._numbers: npt.NDArray[np.int64] = _next_array(file)

    def __len__(self) -> int:
        return len(self._numbers)

    def take(self, codes: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.int64]:
        """Return numbers, int64."""
        return self._numbers.take(codes)

    def _id(self, code: int) -> int:
        return int(self._numbers[code])

    @property
    def _all(self) -> list[int]:
        numbers: list[int] = self._numbers.tolist()
        return numbers


def _next_array(file: Any) -> npt.NDArray[Any]:
    """Return an array of a file that may have several, mapped; leave the file at its end."""
    from omnibench.guest.headers import read_header  # which imports numpy

    shape, dtype = read_header(file)
    start, size = file.tell(), shape[0] * dtype.itemsize
    array = np.memmap(file, dtype, "r", start, shape) if size else np.zeros(0, dtype)
    file.seek(start + size)
    return np.asarray(array)


def write_ids(directory: Path, which: str, own_ids: Sequence[Hashable]) -> None:
    """Write ids by code.

    Args:
        directory: A directory.
        which: ``users``, ``items`` or ``sessions``.
        own_ids: The ids.

    Raises:
        DataError: An id has no form that is the same in the next process.
    """
    from omnibench.guest.folds import save_array  # which imports numpy

    encoded = [ids.encode(own_id, which) for own_id in own_ids]
    types = {type(own_id) for own_id in encoded}
    if types == {str}:
        texts = [text.encode() for text in encoded]
        first = np.zeros(len(texts) + 1, dtype=np.int64)
        np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)), out=first[1:])
        save_array(directory / f"{which}.{_TEXTS}.npy", first, np.frombuffer(b"".join(texts), dtype=np.uint8))
    elif types == {int} and min(encoded) >= -(2**63) and max(encoded) < 2**63:
        save_array(directory / f"{which}.{_INTEGERS}.npy", np.array(encoded, dtype=np.int64))
    else:
        (directory / f"{which}.json").write_text(json.dumps(encoded, ensure_ascii=False), encoding="utf-8")


def read_ids(directory: Path, which: str) -> Sequence[Hashable]:
    """Return the user's ids by code.

    Args:
        directory: A prepared dataset.
        which: ``users``, ``items`` or ``sessions``.
    """
    for path, reader in _files_of(str(directory), which):
        try:
            status = os.stat(path)
        except OSError:
            continue
        state = status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
        remembered = _small.get(path)
        if remembered is None or remembered[0] != state:
            remembered = state, reader(Path(path))
            if status.st_size > _SMALL_BYTES:
                return remembered[1]
            if len(_small) >= _MOST_SMALL:
                _small.clear()
            _small[path] = remembered
        return remembered[1]
    return [ids.decode(own_id) for own_id in json.loads((directory / f"{which}.json").read_text(encoding="utf-8"))]


@lru_cache(maxsize=_MOST_SMALL)
def _files_of(directory: str, which: str) -> list[tuple[str, Callable[[Path], StoredIds]]]:
    """Return the files that ids may be in, and what reads them."""
    readers = {_TEXTS: StoredTexts, _INTEGERS: StoredIntegers}
    return [(os.path.join(directory, f"{which}.{suffix}.npy"), reader) for suffix, reader in readers.items()]


def read_session_ids(directory: Path) -> Sequence[Hashable] | None:
    """Return the session that each user code is a position of; None where users are no positions.

    Args:
        directory: A prepared dataset.
    """
    return read_ids(directory, SESSIONS) if any(directory.glob(f"{SESSIONS}.*")) else None

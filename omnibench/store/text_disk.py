"""What diskcache keeps the records in: a database of texts alone, wherever it lies.

Only this module and ``records`` import diskcache.
"""

from __future__ import annotations

from typing import Any

import diskcache

from omnibench.errors import StoreError
from omnibench.store.sealing import DamagedRecordError


class TextDisk(diskcache.Disk):  # type: ignore[misc]  # diskcache is untyped
    """Keys and values are texts; anything else would be pickled (CVE-2025-69872), so it is refused."""

    def put(self, key: Any) -> Any:
        if type(key) is not str:
            raise StoreError(f"the record key {key!r} is no text")
        return super().put(key)

    def get(self, key: Any, raw: bool) -> Any:
        if not raw:
            raise StoreError("the store holds a pickled key, which omnibench never writes; it is not opened")
        return super().get(key, raw)

    def store(self, value: Any, read: bool, key: Any = diskcache.UNKNOWN) -> Any:
        if type(value) is not str:
            raise StoreError(f"the value of record {key!r} is no text")
        return super().store(value, read, key=key)

    def fetch(self, mode: int, filename: Any, value: Any, read: bool) -> Any:
        if mode != diskcache.core.MODE_RAW or filename is not None:
            raise DamagedRecordError("it is a pickle or a file, which omnibench never writes and does not read")
        return super().fetch(mode, filename, value, read)

    def remove(self, file_path: Any) -> None:
        """Remove no file: records have none, and a damaged row may name any."""


class LiteralPath(str):
    """A path in which diskcache expands nothing: it looks for a ``$``, and then takes ``$NAME`` for a variable."""

    __slots__ = ()

    def __str__(self) -> str:
        return self

    def __contains__(self, text: object) -> bool:
        return text != "$" and isinstance(text, str) and super().__contains__(text)

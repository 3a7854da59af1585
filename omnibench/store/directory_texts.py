"""Which directory a record names, from its text: of most records nothing is parsed to tell."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from contextlib import suppress

from omnibench.store.formats import SEALED_SINCE
from omnibench.store.forms import record_of
from omnibench.store.reader import Reader
from omnibench.store.sealing import DamagedRecordError, checked, text_of

_BEHIND_WORKER = re.compile(r', "worker": "[^"\\]*+", "directory": "([^"\\]++)", "')
_NAME = '"directory"'


def directory_in(key: str, text: str) -> str | None:
    """Return the directory that the text of a record names: where it stands as ``builders`` writes it, nothing is parsed.

    Of a record that is not of its form there may be one as well.

    Raises:
        DamagedRecordError: The text has changed, or is no record.
    """
    start = text.find(', "worker": "')
    match = _BEHIND_WORKER.match(text, start) if start >= 0 and text.count(_NAME) == 1 else None
    if match is None:
        directory: str | None = record_of(key, text).get("directory")
        return directory
    checked(key, text)
    return match[1]


def directories_in(reader: Reader, left_out: Container[str]) -> Iterator[str]:
    """Yield the directories that sound records name, some of them several times.

    Args:
        reader: Reads the records.
        left_out: The keys of records that do not count.
    """
    if reader.version < SEALED_SINCE:
        of_records = (record.get("directory") for key, record in reader.records() if key not in left_out)
        yield from filter(None, of_records)
        return
    for key, mode, value in reader.texts():
        if key not in left_out:
            with suppress(DamagedRecordError):
                directory = directory_in(key, text_of(mode, value))
                if directory:
                    yield directory

"""The layout of a place with published items: a marker, a small text for each item, and files by their digests.

    omnibench-shared.json        {"format": "omnibench.shared/1"}
    items/3f/3f09...a1.jsonl     the records of an item, a line each, sorted; see ``bundles``
    files/b7/b7d4...f1           a file that they name, by the sha256 of its content
    omnibench-index.txt          the keys of all items, a line each, sorted, for whom no listing is given: web servers give none

The index has no less than what is published, for it is written before the items are; who lists a place does not need it. Git joins
its lines (``merge=union``), and the next who publishes writes it anew from what lies there. Of the rest, nobody has to write into a file that somebody else writes into, too, so what several people publish merges in git by itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from omnibench.errors import SharingError
from omnibench.sharing.bundles import is_key
from omnibench.sharing.locations import Location

MARKER = "omnibench-shared.json"
FORMAT = "omnibench.shared/1"
ENTRIES = "items"
FILES = "files"
ENTRY_ENDING = ".jsonl"
INDEX = "omnibench-index.txt"

_LARGEST_MARKER = 4096
_LARGEST_INDEX = 64 * 2**20
"""Bytes of an index: a million items."""


def entry_path(fit_key: str) -> str:
    """Return the path of what is published of an item."""
    return f"{ENTRIES}/{fit_key[:2]}/{fit_key}{ENTRY_ENDING}"


def file_path(sha256: str) -> str:
    """Return the path of a file with a digest."""
    return f"{FILES}/{sha256[:2]}/{sha256}"


def is_published(location: Location) -> bool:
    """Whether items are published in a place, in a format that this omnibench reads.

    Raises:
        SharingError: It cannot be read, or is of a newer format.
    """
    content = location.read(MARKER, _LARGEST_MARKER)
    if content is None:
        return False
    try:
        marker = json.loads(content)
        noted = marker["format"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise SharingError(
            f"{MARKER} of {location.name} is damaged; whoever publishes there has to mend it."
        ) from error
    if noted != FORMAT:
        raise SharingError(
            f"{location.name} is of the format {str(noted)[:60]!r}, and this omnibench reads {FORMAT!r}; a newer one may read it."
        )
    return True


def require_published(location: Location) -> None:
    """Refuse a place in which nothing is published.

    Raises:
        SharingError: There is nothing, it cannot be read, or is of a newer format.
    """
    if not is_published(location):
        raise SharingError(
            f"nothing is published in {location.name}: it has no {MARKER}. Give the address that `omnibench publish` was given, or "
            "of a web server the directory in which that file lies; a checkpoint directory is taken over by `omnibench merge`."
        )


def listed_keys(location: Location) -> frozenset[str] | None:
    """Return the keys of the items that a place has, as it lists its files; None where it cannot.

    Raises:
        SharingError: It cannot be read.
    """
    names = location.names(ENTRIES, ENTRY_ENDING)
    return None if names is None else frozenset(filter(is_key, (name.removesuffix(ENTRY_ENDING) for name in names)))


def indexed_keys(location: Location) -> frozenset[str] | None:
    """Return the keys that a place's index has; None where it has none, as earlier omnibenchs have left it.

    Raises:
        SharingError: It cannot be read, or is too long.
    """
    content = location.read(INDEX, _LARGEST_INDEX)
    if content is None:
        return None
    return frozenset(
        filter(is_key, content.decode(errors="replace").splitlines())
    )  # git may have left marks of a conflict


def index_text(fit_keys: Iterable[str]) -> bytes:
    """Return the content of an index."""
    return "".join(f"{key}\n" for key in sorted(set(fit_keys))).encode()


def marker_text() -> bytes:
    """Return the content of the marker."""
    return f"{json.dumps({'format': FORMAT})}\n".encode()

"""The layout of a place with published items: a marker, a small text for each item, and files by their digests.

    omnibench-shared.json        {"format": "omnibench.shared/1"}
    items/3f/3f09...a1.jsonl     the records of an item, a line each, sorted; see ``bundles``
    files/b7/b7d4...f1           a file that they name, by the sha256 of its content

Nobody has to write into a file that somebody else writes into, too, so what several people publish merges in git by itself.
"""

from __future__ import annotations

import json

from omnibench.errors import SharingError
from omnibench.sharing.locations import Location

MARKER = "omnibench-shared.json"
FORMAT = "omnibench.shared/1"
ENTRIES = "items"
FILES = "files"
ENTRY_ENDING = ".jsonl"

_LARGEST_MARKER = 4096


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


def marker_text() -> bytes:
    """Return the content of the marker."""
    return f"{json.dumps({'format': FORMAT})}\n".encode()

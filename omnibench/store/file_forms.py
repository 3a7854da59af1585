"""The forms of files in records: where they may lie, so that no record leads out of its store."""

from __future__ import annotations

import re

from omnibench.store.checks import Check, is_natural, list_of, matching, object_of, of_type
from omnibench.store.identity_forms import DIGEST

_OWNED = r"[\w.+-]+-[0-9a-f]{8,64}"
"""The name of a directory that belongs to a key; see ``CheckpointStore.claim``."""

_FILE = r"(?!\.\.?(?:/|\Z))[^/\x00]+"
"""A name of a file or a directory; ``.`` and ``..`` are none."""

_ARTIFACT = r"(?:model|predictions|per_user)[\w.+-]*"
"""The name of a file of an item that a record names."""

ITEM_DIRECTORY = re.compile(rf"{_OWNED}/{_OWNED}(?:/fold_\d{{1,9}})?")
"""The directory of an item, relative to the store's."""

DATA_DIRECTORY = re.compile(rf"datasets/{_OWNED}")
"""The directory of a prepared dataset, relative to the store's."""

ITEM_FILE = re.compile(rf"{_OWNED}/{_OWNED}(?:/fold_\d{{1,9}})?(?:/generation_\d{{1,9}})?/{_ARTIFACT}")
"""A file of an item, relative to the store's directory."""

SNAPSHOT_FILE = re.compile(
    rf"{_OWNED}/{_OWNED}(?:/fold_\d{{1,9}})?(?:/generation_\d{{1,9}})?/snapshots(?:/{_FILE}){{2,}}"
)
"""A file of a snapshot, relative to the store's directory."""

DATA_FILE = re.compile(rf"datasets/{_OWNED}(?:/{_FILE})+")
"""A file of a prepared dataset, relative to the store's directory."""

LIFELINE = re.compile(r"tmp/work\.\d+\.[0-9a-z_]{8}/\.lock")
"""The lock that a worker holds for as long as it lives, relative to the store's directory."""

OUTSIDE_FILE = re.compile(rf"{_FILE}(?:/{_FILE})*")
"""A file of a snapshot that lies outside of the store, relative to the snapshot's folder."""


def is_artifact(pattern: re.Pattern[str]) -> Check:
    """Return the form of the description of a file.

    Args:
        pattern: Its path.
    """
    return object_of(
        {"path": matching(pattern), "size": is_natural, "sha256": matching(DIGEST)}, {"stat": list_of(of_type(int))}
    )

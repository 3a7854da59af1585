"""Records of strangers that lack a member, or have nothing or a list in its place: every member of every type of record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from faults import plant
from faults.hostile import COMMANDS, HostileStores, _commands, _run, _write
from omnibench.store.reading import read_all
from omnibench.store.schema import RecordType

ABSENT = object()
VALUES = {"is gone": ABSENT, "is null": None, "is a list": [[]]}
"""What takes the place of a member."""


def members(root: Path) -> Iterator[tuple[str, str]]:
    """Yield the key of one record of each type in a store, with each of its members."""
    records = read_all(root / "store")
    for record_type in RecordType:
        for key in sorted(key for key in records if RecordType.of(key) is record_type)[:1]:
            yield from ((key, member) for member in records[key])


def lacking(
    stores: HostileStores, key: str, member: str, change: str, commands: Sequence[Sequence[str]] = COMMANDS
) -> list[str]:
    """Change a member of a record of a fresh store, and let every command and a run use it; return what is wrong then.

    Args:
        stores: The stores.
        key: The record.
        member: The member.
        change: One of ``VALUES``.
        commands: The commands.
    """
    wrong: list[str] = []
    for errand in (
        partial(_commands, stores.lines(commands)),
        partial(_run, plant.Errand(stores.root, stores.root.parent.parent / "work", plant.ONE_MORE)),
    ):
        stores.fresh()
        record: dict[str, Any] = dict(read_all(stores.root / "store")[key])
        directory = record.get("directory") or "."
        if VALUES[change] is ABSENT:
            del record[member]
        else:
            record[member] = VALUES[change]
        _write(stores.root, key, record, manifest=directory)
        wrong += stores.judged(errand)
    return wrong

"""Terms that have to be accepted before a data set is fetched: shown once, and remembered."""

from __future__ import annotations

import json
import os
import time

from omnibench.announcements import announce
from omnibench.data.catalogue.definition import Definition
from omnibench.data.catalogue.folders import datasets_directory, write_json
from omnibench.errors import DataError

VARIABLE = "OMNIBENCH_ACCEPT_LICENCES"
"""Names of data sets whose terms are accepted, with commas or blanks between them, or ``all``."""

_ALL = "all"
_accepted: set[str] = set()
"""Names that were accepted on a command line of this process."""


def accept_licences(names: str) -> None:
    """Accept the terms of data sets for this process; those that are fetched are remembered for all others.

    Args:
        names: Names of data sets, with commas or blanks between them, or ``all``.
    """
    _accepted.update(_words(names))


def is_accepted(definition: Definition) -> bool:
    """Whether the terms of a data set need not be accepted, or have been accepted on this machine."""
    return not definition.licence.accept or _key(definition) in _remembered()


def require_acceptance(definition: Definition) -> None:
    """Refuse to fetch a data set whose terms nobody has accepted.

    Raises:
        DataError: The terms must be accepted; the message has them, and how that is said.
    """
    if is_accepted(definition):
        return
    name, licence = definition.name, definition.licence
    if not {name, _ALL} & {*_accepted, *_words(os.environ.get(VARIABLE, ""))}:
        raise DataError(
            f"{name} has terms that must be accepted before it is fetched: {licence.name} ({licence.url}). Read them; if you "
            f"accept them, say so once: `omnibench data fetch {name} --accept-licence`, --omnirec-accept-licence={name} under "
            f"pytest, or {VARIABLE}={name}."
        )
    announce(f"{name}: you accept {licence.name} ({licence.url}); omnibench remembers it for this user")
    path = datasets_directory() / "licences.json"
    write_json(path, _remembered() | {_key(definition): {"name": name, "date": time.strftime("%Y-%m-%d")}})


def _key(definition: Definition) -> str:
    return f"{definition.licence.name} {definition.licence.url}"


def _remembered() -> dict[str, object]:
    try:
        remembered = json.loads((datasets_directory() / "licences.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return remembered if isinstance(remembered, dict) else {}


def _words(names: str) -> set[str]:
    return set(names.replace(",", " ").split())

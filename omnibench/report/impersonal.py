"""What exported files say without saying whose machine it was: no directories, no names of users and hosts."""

from __future__ import annotations

import getpass
import os
import platform
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from omnibench.report.contents import Contents
from omnibench.report.folds import Folds
from omnibench.report.item_facts import FactsInBlocks, ItemFacts, PlainFacts
from omnibench.store.schema import Record
from omnibench.store.taken import Origin

_PATH = re.compile(r"""(?<![\w/.~])(?:~\w*(?=/)|[A-Za-z]:(?=[\\/]))?(?!//)(?:[\\/][^\s\\/'"`:,;()\[\]<>|]+)+""")
_SEPARATOR = r"[\\/]"
_NOBODY = frozenset({"root", "user", "host", "localhost"})
"""Names that say nothing of anybody."""

_SHORTEST = 3


def hider(runs: Iterable[Record], root: Path) -> Callable[[str], str]:
    """Return what takes directories, users and hosts out of a text: of paths the last name stays.

    Args:
        runs: The records of the runs and workers of a store, which say who computed where.
        root: The store's directory.
    """
    directories = {str(Path.home()), os.getcwd(), tempfile.gettempdir(), str(root), str(root.parent)}
    users, hosts = {Path.home().name}, {platform.node()}
    with suppress(OSError, KeyError, ImportError):  # a container's user may have no name
        users.add(getpass.getuser())
    for run in runs:
        users.add(str(run.get("user") or ""))
        hosts.add(str(run.get("host") or ""))
        directories.add(str(run.get("cwd") or ""))
    hosts |= {host.partition(".")[0] for host in hosts}
    alternatives = "|".join(
        re.escape(name) for name in sorted(directories, key=len, reverse=True) if name.count("/") > 1
    )
    within = re.compile(rf"(?:{alternatives})(?=/|\b)") if alternatives else None
    words = [(pattern, noun) for names, noun in ((users, "user"), (hosts, "host")) if (pattern := _words(names))]

    def hide(text: str) -> str:
        if within is not None:  # as a whole: a directory's name may have blanks
            text = within.sub("...", text)
        text = _PATH.sub(_last_name, text)
        for pattern, noun in words:
            text = pattern.sub(noun, text)
        return text

    return hide


def _last_name(path: re.Match[str]) -> str:
    return f".../{re.split(_SEPARATOR, path[0])[-1]}"


def _words(names: Iterable[str]) -> re.Pattern[str] | None:
    chosen = [name for name in names if len(name) >= _SHORTEST and name.casefold() not in _NOBODY]
    alternatives = "|".join(re.escape(name) for name in sorted(chosen, key=len, reverse=True))
    return re.compile(rf"(?i)(?<!\w)(?:{alternatives})(?!\w)") if alternatives else None


def impersonal(contents: Contents, hide: Callable[[str], str]) -> Contents:
    """Return contents in which neither reasons for missing items nor origins of others' name a directory, user or host.

    Args:
        contents: The contents of exported files.
        hide: Takes these out of a text.
    """
    missing = [replace(item, reason=hide(item.reason)) for item in contents.missing]
    return replace(contents, missing=missing, facts=_ImpersonalFacts(contents.facts, hide))


class _ImpersonalFacts(FactsInBlocks):
    """Facts about items without directories, users and hosts, looked up when they are asked for: there may be many."""

    def __init__(self, facts: Mapping[str, ItemFacts], hide: Callable[[str], str]) -> None:
        self._facts = facts
        self._hide = hide

    def __getitem__(self, fit_key: str) -> ItemFacts:
        facts = self._facts[fit_key]
        if not facts.origins:
            return facts
        return replace(facts, origins=tuple(_hidden(origin, self._hide) for origin in facts.origins))

    def plain(self, block: Sequence[Folds]) -> PlainFacts | None:
        """Return the facts about the items of several results by column, which have no origins; see ``FactsInBlocks``."""
        return self._facts.plain(block) if isinstance(self._facts, FactsInBlocks) else None

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)


def _hidden(origin: Origin, hide: Callable[[str], str]) -> Origin:
    return replace(origin, source=hide(origin.source), by=hide(origin.by))

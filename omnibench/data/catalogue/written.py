"""A definition as a TOML file, with placeholders for what nobody but its author knows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from omnibench.data.catalogue.definition import Counts

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Draft:
    """What a new definition says.

    Attributes:
        name: The name of the data set.
        path: The file, relative to the definition.
        sha256: Its digest.
        reader: The table ``[reader]``.
        counts: What was read; nothing where it could not be.
        members: Of an archive what is read.
        feedback: ``explicit`` or ``implicit``; nothing where the reader tells.
        remarks: What to check, as sentences.
        evidence: Who counted, and made the digest.
        samples: Some values of each column, where its author has to say which is what.
    """

    name: str
    path: str
    sha256: str
    reader: Mapping[str, Any]
    counts: Counts | None
    members: Sequence[str]
    feedback: str
    remarks: Sequence[str]
    evidence: str
    samples: Mapping[str, Sequence[str]] = field(default_factory=dict)


def written(draft: Draft) -> str:
    """Return the text of the TOML file."""
    return "\n".join(_lines(draft)) + "\n"


def _lines(draft: Draft) -> Iterator[str]:
    yield "# What stands in <...> nobody but you knows: write it in, or delete the line where it is of no use to you."
    yield f"name = {toml(draft.name)}"
    yield 'title = "<what people call it>"'
    yield 'interactions = "<what an interaction means, and what its rating is>"'
    if draft.feedback:
        yield f"feedback = {toml(draft.feedback)}"
    yield "# Of data that others use as well:"
    yield '# home = "https://..."'
    yield "# citation = '''@misc{key, title = {...}}'''"
    yield '# licence = { name = "...", url = "https://..." }'
    yield ""
    yield "[[sources]]"
    yield '# Relative to this file. Where others get it: url = "https://..." in the place of path.'
    yield f"path = {toml(draft.path)}"
    if draft.members:
        yield f"member = {toml(draft.members[0] if len(draft.members) == 1 else list(draft.members))}"
    yield f"sha256 = {toml(draft.sha256)}  # delete it where the file may change"
    yield f"evidence = {toml(draft.evidence)}"
    yield ""
    yield "[reader]"
    yield from (f"# {remark}" for remark in draft.remarks)
    of_columns = draft.reader.get("columns") if draft.samples else None
    yield from (f"{_key(key)} = {toml(value)}" for key, value in draft.reader.items() if value is not of_columns)
    if isinstance(of_columns, Mapping):
        yield ""
        yield "[reader.columns]"
        yield "# Which of them is the user, the item, the rating and the timestamp? Delete the lines of the others."
        for name, role in of_columns.items():
            yield f"{_key(name)} = {toml(role)}  # {', '.join(map(toml, draft.samples.get(name, ())))}".rstrip(" #")
    if draft.counts is not None:
        yield ""
        yield "[counts]"
        for name in ("users", "items", "interactions"):
            yield f"{name} = {getattr(draft.counts, name):_}"
        yield f"evidence = {toml(draft.evidence)}"


def toml(value: Any) -> str:
    """Return a value as TOML has it: a text, truth value, number, list, or table on a line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # TOML's escapes are JSON's
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{_key(key)} = {toml(inner)}" for key, inner in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, Iterable):
        return f"[{', '.join(map(toml, value))}]"
    return repr(value)


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else toml(key)

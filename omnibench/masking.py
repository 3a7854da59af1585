"""Secrets in texts: what looks like one, or is the value of one of the environment's, is masked before it is written.

Guests print, frameworks raise and users type what nobody may find in a checkpoint directory, a log or a report. Whatever
takes such a text in calls this module before it keeps the text: masked later, it would have been on a disk.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any
from urllib.parse import quote

MASK = "***"
"""Stands for a secret."""

UNMASKED = "OMNIREC_UNMASKED"
"""The variable that names variables of the environment, with commas, whose values are no secrets whatever they are called."""

SHORTEST = 8
"""Characters of the shortest value of the environment that is masked wherever it stands: ``true`` is no secret."""

_OVERLAP = 4096
"""Characters at the end of a chunk that may be the beginning of a secret."""

_NAMED = r"(?:token|secret|password|passwd|passphrase|credentials?|(?:api|access|secret|private|account|auth)[_-]?key)"
_ESCAPED_END = r"\\[nrt]"
"""The end of a line where a text of several stands in a ``repr`` or in JSON."""
_SECRET_VARIABLE = re.compile(
    r"(?i)(?:^|_)(?:key|pat)$|(?:token|secret|password|passwd|passphrase|credentials?|apikey)s?$"
)
_SECRET_NAME = re.compile(rf"(?i)(?:^|[_.-]){_NAMED}$|(?<=[a-z])(?:Token|Secret|Password|ApiKey)$")

_Rule = tuple[tuple[str, ...], re.Pattern[str]]
"""Texts of which one stands, in lower case, in all that a pattern finds; and the pattern, whose group ``secret`` is masked.

Looking for the texts takes a hundredth of the time. Patterns never reach over the end of a line, for streams come in lines;
and none repeats without a limit what it could begin with again, for a line may have millions of characters.
"""

_NAMES = ("token", "secret", "passw", "passphrase", "credential", "key")
_RULES: tuple[_Rule, ...] = (
    # --token=X, password: "X", 'api_key': 'X', HF_TOKEN=X
    (
        _NAMES,
        re.compile(
            rf"""(?ix) (?:(?<![a-z0-9])|(?<={_ESCAPED_END})) {_NAMED} (?P<end>\\?['"])? [ \t]*
            (?: = [ \t]* (?!(?:true|false|none|null|\d{{1,3}})\b) | : [ \t]* (?=['"\\]|\S{{{SHORTEST}}}) )
            [bru]? (?: \\?"(?P<double>[^"\\\n]+) | \\?'(?P<single>[^'\\\n]+) | (?P<bare>(?:(?!{_ESCAPED_END})[^\s'",;&)\]}}])+) )"""
        ),
    ),
    # --token X, also as a list: '--token', 'X'
    (
        _NAMES,
        re.compile(
            rf"""(?i)(?:(?<![\w-])|(?<={_ESCAPED_END}))--?(?:[\w.-]{{0,40}}[_.-])?{_NAMED}['"]?,?[ \t]+['"]?(?!-)(?P<secret>[^\s'"]+)"""
        ),
    ),
    # https://user:X@host, https://X@host
    (("://",), re.compile(r"""(?<=://)(?P<secret>[^\s/?#'"<>]+)(?=@)""")),
    # ?token=X&sig=X
    (
        ("?", "&"),
        re.compile(
            rf"(?i)[?&;](?:[\w.-]{{0,40}}{_NAMED}|[\w.-]{{0,40}}(?:key|sig|signature|credential|auth|jwt|session|code))="
            r"""(?P<secret>[^\s&#'"<>;\\]+)"""
        ),
    ),
    # Authorization: Bearer X
    (
        ("authorization", "x-api-key", "cookie"),
        re.compile(
            r"""(?ix) (?:(?:proxy-)?authorization|x-api-key) \\?['"]? [ \t]* [:=] [ \t]* \\?['"]? (?:[a-z]+[ \t]+)?
            (?P<secret>[^\s'",\\]+) | cookie\\?['"]? [ \t]* : [ \t]* \\?['"]? (?P<cookie>[^'"\n\\]+)"""
        ),
    ),
    (("bearer ", "basic "), re.compile(r"(?i)\b(?:bearer|basic)[ \t]+(?P<secret>[\w.~+/-]{8,}=*)")),
    # What services make, which says itself what it is.
    (
        (
            *(
                "gh",
                "github_pat_",
                "glpat-",
                "hf_",
                "akia",
                "asia",
                "sk-",
                "xox",
                "aiza",
                "ya29.",
                "eyj",
                "npm_",
                "pypi-",
                "dckr_",
            ),
            *("sk_live", "rk_live", "private key"),
        ),
        re.compile(
            r"""(?x) (?:(?<![A-Za-z0-9])|(?<=\\[nrt])) (?P<secret>
              gh[pousr]_[A-Za-z0-9]{20,} | github_pat_\w{20,} | glpat-[\w-]{16,} | hf_[A-Za-z0-9]{20,} | npm_[A-Za-z0-9]{30,}
            | (?:AKIA|ASIA)[0-9A-Z]{16} | sk-(?=[\w-]{0,99}\d)[\w-]{20,} | [sr]k_live_\w{16,} | xox[abeoprs]-[\w-]{10,}
            | AIza[\w-]{30,} | ya29\.[\w-]{10,} | eyJ[\w-]{8,400}\.[\w-]{8,}(?:\.[\w-]*)? | pypi-[\w-]{40,} | dckr_pat_[\w-]{16,}
            | -----BEGIN[ ][A-Z ]*PRIVATE[ ]KEY-----[^-]*(?:-----END[ ][A-Z ]*PRIVATE[ ]KEY-----)? )"""
        ),
    ),
)

_seen: dict[str, None] = {}
"""The environment's secrets, also those that it has no more."""


def masked(text: str) -> str:
    """Return a text with ``***`` in the place of each secret."""
    spans = _spans(text)
    if not spans:
        return text
    parts, behind = [], 0
    for start, end in spans:
        parts += [text[behind:start], MASK]
        behind = end
    return "".join([*parts, text[behind:]])


def masked_bytes(text: bytes) -> bytes:
    """Return what was printed with ``***`` in the place of each secret; it need not be UTF-8."""
    return masked(text.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def masked_arguments(words: Iterable[str]) -> list[str]:
    """Return the words of a command line with ``***`` in the place of each secret, also of one that follows its option."""
    arguments: list[str] = []
    is_secret = False
    for word in words:
        name, equals, _ = word.partition("=")
        names_secret = bool(_SECRET_NAME.search(name.lstrip("-")))
        if is_secret and not word.startswith("-"):
            arguments.append(MASK)
        else:
            arguments.append(f"{name}={MASK}" if names_secret and equals else masked(word))
        is_secret = names_secret and not equals and word.startswith("-")
    return arguments


def masked_data(data: Any) -> Any:
    """Return plain data with ``***`` in the place of each secret in its texts."""
    if isinstance(data, str):
        return masked(data)
    if isinstance(data, Mapping):
        return {
            name: MASK if isinstance(value, str) and _SECRET_NAME.search(str(name)) else masked_data(value)
            for name, value in data.items()
        }
    return [masked_data(value) for value in data] if isinstance(data, list | tuple) else data


def secret_variable(text: str) -> str | None:
    """Return the variable of the environment whose secret a text contains; empty where it looks like one; else None."""
    if len(text) < SHORTEST:  # most of those that are asked about
        return None
    for name, values in _by_variable().items():
        if any(value in text for value in values):
            return name
    _, shapes = _RULES[-1]
    return "" if shapes.search(text) else None


def safe_cut(pending: bytes) -> int:
    """Return where a line that has no end yet can be cut, so that no secret is: neither a whole one nor a beginning.

    Args:
        pending: What has come of the line until now.

    Returns:
        The number of bytes before the cut; all of them where one secret would be longer than what has come.
    """
    text = pending.decode("utf-8", "surrogateescape")
    cut = max(0, len(text) - _OVERLAP)
    blank = max(text.rfind(" ", 0, cut), text.rfind("\r", 0, cut))
    cut = blank + 1 if blank > 0 else cut
    for start, end in _spans(text):
        if start < cut < end:
            cut = start
    return len(text[:cut].encode("utf-8", "surrogateescape")) or len(pending)


def _spans(text: str) -> list[tuple[int, int]]:
    """Return where secrets begin and end in a text, in order, none of them within another."""
    folded = text.lower()
    matches: list[tuple[int, int]] = []
    for hints, pattern in _RULES:
        if any(hint in folded for hint in hints):
            matches += [match.span(match.lastgroup or 0) for match in pattern.finditer(text)]
    environment = _of_environment(_secrets())
    if environment is not None:
        matches += [match.span() for match in environment.finditer(text)]
    spans: list[tuple[int, int]] = []
    for start, end in sorted(matches):
        if spans and start < spans[-1][1]:
            spans[-1] = spans[-1][0], max(end, spans[-1][1])
        else:
            spans.append((start, end))
    return spans


def _secrets() -> tuple[str, ...]:
    """Return the environment's secrets, also those that it had before, the longest first."""
    new = [value for values in _by_variable().values() for value in values if value not in _seen]
    _seen.update(dict.fromkeys(new))
    return _in_order(len(_seen))


@cache
def _in_order(_count: int) -> tuple[str, ...]:
    return tuple(sorted(_seen, key=len, reverse=True))


@cache
def _of_environment(secrets: Sequence[str]) -> re.Pattern[str] | None:
    """Return what finds secrets, as they are and as JSON, Python and addresses write them."""
    written = dict.fromkeys(
        form
        for secret in secrets
        for form in (secret, json.dumps(secret)[1:-1], repr(secret)[1:-1], quote(secret), quote(secret, safe=""))
    )
    return re.compile("|".join(re.escape(form) for form in sorted(written, key=len, reverse=True))) if written else None


def _by_variable() -> dict[str, tuple[str, ...]]:
    """Return the secrets among the environment's values, by the variable's name."""
    global _latest  # noqa: PLW0603 - of the process, as its environment
    variables = getattr(os.environb, "_data", None)  # what Python compares at once, where items are decoded one by one
    latest = _latest
    if variables is None or latest is None or not _are_alike(variables, latest[0]):
        secrets = _found_in(_candidates(tuple(os.environb.items())), os.environ.get(UNMASKED, ""))
        latest = dict(variables or {}), secrets
        _latest = latest
    return latest[1]


def _are_alike(variables: Mapping[bytes, bytes], earlier: Mapping[bytes, bytes]) -> bool:
    """Whether two environments are equal but for what pytest notes there three times per item, whose name is no secret's."""
    if variables == earlier:
        return True
    changed = {name for name, _ in variables.items() ^ earlier.items()}
    return changed == {_OF_PYTEST} and b"://" not in variables.get(_OF_PYTEST, b"")


_OF_PYTEST = b"PYTEST_CURRENT_TEST"

_latest: tuple[dict[bytes, bytes], dict[str, tuple[str, ...]]] | None = None
"""The environment that was looked at last, and its secrets."""


@lru_cache(maxsize=8)
def _candidates(environment: tuple[tuple[bytes, bytes], ...]) -> tuple[tuple[str, str], ...]:
    """Return the variables of an environment that may be secrets: it is the same from line to line."""
    decoded = ((os.fsdecode(name), os.fsdecode(value)) for name, value in environment)
    return tuple(
        (name, value) for name, value in decoded if len(value) >= SHORTEST and (_is_secret(name) or "://" in value)
    )


@cache
def _is_secret(variable: str) -> bool:
    return bool(_SECRET_VARIABLE.search(variable))


@lru_cache(maxsize=8)
def _found_in(candidates: tuple[tuple[str, str], ...], unmasked: str) -> dict[str, tuple[str, ...]]:
    plain = {name.strip().casefold() for name in unmasked.split(",")}
    secrets = {name: tuple(_secrets_of(name, value)) for name, value in candidates if name.casefold() not in plain}
    return {name: values for name, values in secrets.items() if values}


def _secrets_of(name: str, value: str) -> Iterator[str]:
    """Yield the secrets in the value of a variable: each line of it, or the password in an address."""
    if _is_secret(name) and not os.path.exists(value):  # a path to a key is none
        yield from (line for line in map(str.strip, value.splitlines()) if len(line) >= SHORTEST)
    elif "://" in value:
        for match in re.finditer(r"""://[^\s/?#'"<>:@]*:([^\s/?#'"<>]+)@""", value):
            if len(match[1]) >= SHORTEST:
                yield match[1]

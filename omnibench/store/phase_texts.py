"""How costs and uncertainties are read from the texts of phases' records: of half a million records they are searched, not parsed.

The search relies on the order of members in what ``builders`` makes and on how ``json.dumps`` writes it. Texts in strings have
their quotation marks escaped, so that only objects can look alike: where a text fits twice, or not at all, the record is parsed.
So is a record in which a member of the same name comes again, in whatever form: the last one counts in JSON.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any, NamedTuple

from omnibench.store.checks import is_cost, is_moment
from omnibench.store.file_forms import ITEM_FILE
from omnibench.store.identity_forms import is_identity
from omnibench.store.json_patterns import CAPTURED_TEXT, COST
from omnibench.store.phase_forms import (
    ATTEMPTS,
    EPOCHS,
    IDENTITY,
    OF_TRIAL,
    SECONDS,
    START,
    STDERR,
    VERSION,
    costs_pattern,
    uncertainty_pattern,
)
from omnibench.store.schema import COSTS, Record

_NUMBER = r"(?:null|-?\d[\d.eE+-]*+)"
_TEXT = r'"[^"\\]*+"'

_BEGIN = re.compile(rf'\{{"item": {_TEXT}, "fit_key": "([0-9a-f]{{64}})", ')
_BATCH = ', "batch": '
_COSTS = re.compile(
    rf", {costs_pattern(f'({_NUMBER})', _NUMBER, f'({_NUMBER})', _NUMBER, _NUMBER)}"
    rf'(?:{START}({_NUMBER}))?(?:, "batch": "([^"\\]++)")?'
)
_UNCERTAINTY = re.compile(f", {uncertainty_pattern(*(f'({_NUMBER})',) * 5)}")
_PHASE, _THREADS = ', "phase": ', ', "threads": '
_COST = rf"(null|{COST})"
_LABELS = re.compile(rf'\{{"item": {CAPTURED_TEXT}, "fit_key": "([0-9a-f]{{64}})", ')
_ORIGIN = re.compile(
    rf'{_PHASE}"(?:Fit|Predict|Eval)", "finished": {CAPTURED_TEXT}, "run": {CAPTURED_TEXT}, "worker": {CAPTURED_TEXT}, "directory": '
)
_ALL_COSTS = re.compile(
    rf", {costs_pattern(*(_COST,) * len(COSTS))}"
    rf"(?:{START}{_COST}{_THREADS}(null|\d{{1,9}}))?(?:{_BATCH}{CAPTURED_TEXT})?[,}}]"
)
_PER_USER, _FILE_PLACE = ', "per_user": ', ', "place": '
_LABEL = ', "label": '
_COLUMN = r"\[(?:\d{1,15}(?:, \d{1,15})*+)?\]"
_USERS = r"(\d{1,9})"
_USER_FILE = re.compile(
    rf'{_LABEL}"([^"\\\x00-\x1f]++)", "per_user": \{{"path": "([^"\\]++)", "size": \d{{1,18}}, "sha256": "([0-9a-f]{{64}})"'
    rf'(?:, "stat": \[[\d, ]*+\])?\}}, "value": {_NUMBER}, '
    rf"{uncertainty_pattern(_NUMBER, _NUMBER, _NUMBER, _USERS, _NUMBER)}"
    rf'(\{{"user": {_COLUMN}, "value": {_COLUMN}\}}), "seconds": '
)
_ITEM = re.compile(r'\{"item": "([^"\\\x00-\x1f]++)", ')
_NULL = "null"
_MADE_OF = re.compile(rf'{VERSION}({_TEXT}){EPOCHS}{IDENTITY}(?=\["fit/)')
_DECODER = json.JSONDecoder()
_READ = re.compile(
    r'"(item|fit_key|seconds|cpu_seconds|peak_rss|gpu_peak|python_peak|start_seconds|threads|batch|phase|finished|run|worker)"\s*:'
)
_ESCAPED_ASCII = re.compile(r"\\u00[2-7]")
"""What ``json.dumps`` never writes, and may hide a name."""


class OriginText(NamedTuple):
    """What a fit is made of.

    Attributes:
        version: The version of its framework.
        identity: What its key is the digest of.
    """

    version: str
    identity: Any


class CostsText(NamedTuple):
    """The costs of a phase.

    Attributes:
        fit_key: The key of its item.
        seconds: Wall seconds.
        peak_rss: The largest resident set, in bytes.
        start_seconds: Seconds of waiting for its process.
        batch: What the metrics that were computed together have alike; empty of other phases.
    """

    fit_key: str
    seconds: float | None
    peak_rss: float | None
    start_seconds: float | None
    batch: str


class PhaseText(NamedTuple):
    """What the row of a finished phase says.

    Attributes:
        item: The name of its item.
        fit_key: The key of its item.
        finished: When it ended, as an ISO timestamp.
        run: The run that computed it.
        worker: The worker that did.
        batch: What the metrics that were computed together have alike; empty of other phases.
        costs: The numbers of ``schema.COSTS`` and ``schema.GUEST_MEMBERS``, in that order; None where nobody has measured.
    """

    item: str
    fit_key: str
    finished: str
    run: str
    worker: str
    batch: str
    costs: tuple[float | None, ...]


class UncertaintyText(NamedTuple):
    """The uncertainty of a metric: its standard error, its interval, and of how many users it is the mean."""

    stderr: float | None
    low: float | None
    high: float | None
    users: float | None


def costs_in(text: str) -> CostsText | None:
    """Return the costs in the text of a phase's record; None where it has to be parsed to tell.

    Args:
        text: The JSON of the record.
    """
    begin, match = _BEGIN.match(text), _only(_COSTS, SECONDS, text)
    if begin is None or match is None:
        return None
    seconds, peak, start, batch = match.groups()
    if (start is None and START in text) or (batch is None and _BATCH in text):  # elsewhere than we write it
        return None
    if _may_repeat(text):
        return None
    try:
        return CostsText(begin[1], _number(seconds), _number(peak), _number(start), batch or "")
    except ValueError:
        return None


def phase_in(text: str) -> PhaseText | None:
    """Return what the row of a finished phase says, from the text of its record; None where it has to be parsed to tell.

    So it is of trials, which have no rows of their own.

    Args:
        text: The JSON of the record.
    """
    labels, origin, costs = _LABELS.match(text), _only(_ORIGIN, _PHASE, text), _only(_ALL_COSTS, SECONDS, text)
    if labels is None or origin is None or costs is None or OF_TRIAL in text:
        return None
    *numbers, batch = costs.groups()
    if (numbers[-1] is None and (START in text or _THREADS in text)) or (batch is None and _BATCH in text):
        return None  # elsewhere than we write it
    if _may_repeat(text):
        return None
    finished = origin[1]
    measured = tuple(map(_number, numbers))
    if not is_moment(finished) or not all(map(is_cost, measured)):
        return None
    return PhaseText(labels[1], labels[2], finished, origin[2], origin[3], batch or "", measured)


def origin_in(text: str) -> OriginText | None:
    """Return what a fit is made of from the text of its record; None where it has to be parsed to tell.

    So it is where several attempts have made it.

    Args:
        text: The JSON of the record.
    """
    matches = list(_MADE_OF.finditer(text))
    if len(matches) != 1 or ATTEMPTS in text:
        return None
    try:
        identity, _ = _DECODER.raw_decode(text, matches[0].end())
    except (ValueError, RecursionError):
        return None
    return OriginText(matches[0][1][1:-1], identity) if is_identity(identity) else None


def uncertainty_in(text: str) -> UncertaintyText | None:
    """Return the uncertainty in the text of an evaluation's record; None where it has to be parsed to tell.

    Args:
        text: The JSON of the record.
    """
    match = _only(_UNCERTAINTY, STDERR, text)
    if match is None:
        return None
    stderr, low, high, users, counted = match.groups()
    try:
        return UncertaintyText(
            _number(stderr), _number(low), _number(high), _number(users if counted is None else counted)
        )
    except ValueError:
        return None


def has_users_in(text: str) -> bool | None:
    """Whether an evaluation has values per user, from the text of its record; None where it has to be parsed to tell.

    Args:
        text: The JSON of the record.
    """
    if _only(_UNCERTAINTY, STDERR, text) is None:
        return None
    files, starts = (_behind_only(name, text) for name in (_PER_USER, _FILE_PLACE))
    if not files or not starts:
        return None
    return not text.startswith(_NULL, files) and not text.startswith(_NULL, starts)


def user_file_in(text: str) -> Record | None:
    """Return what says where the values per user of an evaluation are, from the text of its record.

    Args:
        text: The JSON of the record.

    Returns:
        Its ``item``, ``label``, ``per_user`` (``path`` and ``sha256``), ``users`` and ``place``; None where the record has to be
        parsed to tell.
    """
    item, match = _ITEM.match(text), _only(_USER_FILE, _LABEL, text)
    if item is None or match is None or not ITEM_FILE.fullmatch(match[2]):
        return None
    label, path, sha256, users, columns = match.groups()
    artifact = {"path": path, "sha256": sha256}
    return {
        "item": item[1],
        "label": label,
        "per_user": artifact,
        "users": int(users),
        "place": _column_starts(columns),
    }


@lru_cache(maxsize=1024)
def _column_starts(text: str) -> dict[str, list[int]]:
    """Return where columns begin in a file, from JSON; files of equally many users have it alike."""
    starts: dict[str, list[int]] = json.loads(text)
    return starts


def _behind_only(beginning: str, text: str) -> int:
    """Return the position behind a beginning that stands in a text once; 0 elsewhere."""
    start = text.find(beginning)
    return 0 if start < 0 or text.find(beginning, start + 1) >= 0 else start + len(beginning)


def _only(pattern: re.Pattern[str], beginning: str, text: str) -> re.Match[str] | None:
    """Return the match of a pattern where its beginning stands in a text once; None elsewhere.

    Args:
        pattern: The pattern.
        beginning: The text that it begins with.
        text: The text.
    """
    start = text.find(beginning)
    return None if start < 0 or text.find(beginning, start + 1) >= 0 else pattern.match(text, start)


def _may_repeat(text: str) -> bool:
    """Whether a text may have a member twice that is read here, in whatever object."""
    names = _READ.findall(text)
    return len(set(names)) < len(names) or ("\\u00" in text and _ESCAPED_ASCII.search(text) is not None)


def _number(text: str | None) -> float | None:
    """Return a number as JSON has it, whole ones as such; None for null, and for what is not there.

    Raises:
        ValueError: It is none.
    """
    if text is None or text == "null":
        return None
    return float(text) if "." in text or "e" in text else int(text)

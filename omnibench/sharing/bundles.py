"""Bundles: what is recorded of one finished item, as it goes from store to store, and as it is published.

The text of a bundle has a line for each record, ``key TAB sealed record``, sorted by key, as manifests have them. So the
same records always make the same text, and git can compare and merge it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from omnibench.errors import SharingError
from omnibench.keys import recorded_text, sha256
from omnibench.store.forms import record_of
from omnibench.store.schema import DROPPED, SEARCHED, Artifact, Record, RecordType, Status, configuration_in
from omnibench.store.sealing import DamagedRecordError, seal

OF_PHASES = {RecordType.FIT: "model", RecordType.PREDICT: "predictions", RecordType.EVAL: "per_user"}
"""The types of records that name a file, and the member that does."""

_OF_ITEM = (RecordType.ITEM, RecordType.SERIES, *OF_PHASES)
_LARGEST_TEXT = 16 * 2**20
_MOST_LINES = 20_000
_OF_THIS_MACHINE = ("token", "worker", "node")
"""Members that say something in the store alone in which they were written."""

LARGEST_ENTRY = _LARGEST_TEXT
"""Bytes of the text of a bundle; those with thousands of groups have about a megabyte."""

_DIGITS = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Bundle:
    """The records of a finished item, and those that they refer to: its runs, its dataset, its search.

    Attributes:
        fit_key: The item's key.
        records: By key. Paths of files are those of the store that it comes from.
    """

    fit_key: str
    records: Mapping[str, Record]

    @property
    def item(self) -> Record:
        """The record of the item itself."""
        return self.records[RecordType.ITEM.key(self.fit_key)]

    @property
    def name(self) -> str:
        """The item's name."""
        return str(self.item["item"])

    @property
    def run(self) -> Record:
        """The record of the run that has finished the item; empty where it is not there."""
        return self.records.get(RecordType.RUN.key(str(self.item.get("run"))), {})

    @property
    def text(self) -> str:
        """Its text."""
        return "".join(f"{key}\t{seal(key, self.records[key])}\n" for key in sorted(self.records))

    @property
    def sha256(self) -> str:
        """The digest of its text."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def of_type(self, *types: RecordType) -> Iterator[tuple[str, Record]]:
        """Yield its records of some types, with their keys."""
        return ((key, record) for key, record in self.records.items() if RecordType.of(key) in types)

    def files(self) -> Iterator[tuple[str, str, Artifact]]:
        """Yield the files that are part of it: the key of the record that names one, the member that does, and the file."""
        for key, record in self.of_type(*OF_PHASES):
            member = OF_PHASES[_type_of(key)]
            if record.get(member) and not record.get(DROPPED):
                yield key, member, record[member]


def _type_of(key: str) -> RecordType:
    record_type = RecordType.of(key)
    assert record_type is not None, "only records of known types are part of a bundle"
    return record_type


def bundle_of(fit_key: str, own: Mapping[str, Record], context: Mapping[str, Record]) -> Bundle | None:
    """Return the bundle of an item, or None where the item is not done.

    Args:
        fit_key: The item's key.
        own: The records that have the item's key, by theirs.
        context: The records that these refer to, by key; see ``referred``.
    """
    item = own.get(RecordType.ITEM.key(fit_key))
    if item is None or item["status"] != Status.DONE:
        return None
    records = _of_item(own)
    records |= {key: _without_files(record) if RecordType.DATA.has(key) else record for key, record in context.items()}
    return Bundle(fit_key, {key: _portable(record) for key, record in records.items()})


def _of_item(own: Mapping[str, Record]) -> dict[str, Record]:
    """Return the records of an item that are part of its bundle: those that a reset has put aside, and of trials, are not."""
    return {
        key: record
        for key, record in own.items()
        if RecordType.of(key) in _OF_ITEM and not (RecordType.FIT.has(key) and record.get(SEARCHED))
    }


def referred(records: Mapping[str, Record]) -> set[str]:
    """Return the keys of the records that those of an item refer to; the key of a search ends with a slash.

    Args:
        records: The records that have the item's key, by theirs.
    """
    own = _of_item(records)
    keys = {RecordType.RUN.key(str(record["run"])) for record in own.values() if record.get("run")}
    for record in own.values():
        identity = record.get("identity")
        data_key = record.get("data_key") or (identity and identity[1].get("data"))
        if data_key:
            keys.add(RecordType.DATA.key(str(data_key)))
        if record.get(SEARCHED) and "status" in record:
            keys |= {RecordType.SEARCH.key(record[SEARCHED]), f"{RecordType.TRIAL.key(record[SEARCHED])}/"}
    return keys


def _without_files(data: Record) -> Record:
    """Return the record of a dataset whose files are not there: who needs them prepares them again."""
    return {**data, "files": [], DROPPED: data.get(DROPPED) or data.get("finished") or "1970-01-01T00:00:00Z"}


def _portable(record: Record) -> Record:
    """Return a record without what says something on one machine alone."""
    members = {name: member for name, member in record.items() if name not in _OF_THIS_MACHINE}
    for member in OF_PHASES.values():
        if isinstance(members.get(member), dict):
            members[member] = {name: part for name, part in members[member].items() if name != "stat"}
    return members


def read_bundle(fit_key: str, content: bytes) -> Bundle:
    """Return the bundle that a text holds, after everything in it was looked at: it may come from anybody.

    Args:
        fit_key: The key of the item that it has to be about.
        content: The text.

    Raises:
        SharingError: It is not what ``Bundle.text`` makes, or not about this item.
    """
    if len(content) > _LARGEST_TEXT:
        raise SharingError(f"its text has over {_LARGEST_TEXT:,} bytes")
    lines = content.decode(errors="replace").split("\n")
    if len(lines) > _MOST_LINES:
        raise SharingError(f"its text has over {_MOST_LINES:,} lines")
    records: dict[str, Record] = {}
    for line in filter(None, lines):
        key, _, sealed = line.partition("\t")
        try:
            records[key] = record_of(key, sealed)
        except DamagedRecordError as error:
            raise SharingError(f"a record of it is damaged: {error}") from error
    return checked(Bundle(fit_key, records))


def checked(bundle: Bundle) -> Bundle:
    """Return a bundle whose records are those of its item, and agree with each other.

    Raises:
        SharingError: They do not.
    """
    fit_key, records = bundle.fit_key, bundle.records
    item = records.get(RecordType.ITEM.key(fit_key))
    if item is None or item["status"] != Status.DONE:
        raise SharingError("it has no record of its item as done")
    identity = item.get("identity")
    if not identity or sha256(recorded_text(identity)) != fit_key:
        raise SharingError("what the item was made of is not what its key is the digest of")
    if item.get("data_key", identity[1]["data"]) != identity[1]["data"]:
        raise SharingError("it names another dataset than the item's")
    if item.get(SEARCHED) and not isinstance(configuration_in(item).get("search"), dict):
        raise SharingError("it names a search, and what the item was made of has none")
    own = {key: record for key, record in records.items() if RecordType.of(key) in _OF_ITEM}
    allowed = referred(own)
    for key, record in records.items():
        trials = f"{RecordType.TRIAL.key(str(item.get(SEARCHED)))}/"
        if key in own:
            if record.get("fit_key") != fit_key:
                raise SharingError("a record of it belongs to another item")
        elif key not in allowed and not (RecordType.TRIAL.has(key) and trials in allowed and key.startswith(trials)):
            raise SharingError("it has a record that is not part of the item")
    _check_metrics(item, records)
    return bundle


def _check_metrics(item: Record, records: Mapping[str, Record]) -> None:
    """Refuse an item whose metrics are not those of its evaluations."""
    for label, metric in item["metrics"].items():
        evaluation = records.get(RecordType.EVAL.key(metric["key"]))
        if evaluation is None:
            raise SharingError(f"it has no record of the evaluation by which {str(label)[:60]} was measured")
        if evaluation["value"] != metric["value"]:
            raise SharingError("a metric of the item is not what its evaluation says")
    predict = records.get(RecordType.PREDICT.key(str(item.get("predict_key"))))
    if predict is None:
        raise SharingError("it has no record of the item's predictions")


def is_key(text: Any) -> bool:
    """Whether a text is the key of an item."""
    return isinstance(text, str) and _DIGITS.fullmatch(text) is not None

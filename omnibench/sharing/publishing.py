"""Publishing: finished items go into a place, each with its files before it, and none that is there is ever replaced."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omnibench.errors import SharingError
from omnibench.sharing.bundles import LARGEST_ENTRY, OF_PHASES, Bundle, read_bundle
from omnibench.sharing.comparing import additions, differences, with_metrics_of
from omnibench.sharing.directories import DirectoryLocation
from omnibench.sharing.layout import (
    INDEX,
    MARKER,
    entry_path,
    file_path,
    index_text,
    is_published,
    listed_keys,
    marker_text,
)
from omnibench.sharing.locations import Location
from omnibench.sharing.sources import StoreSource
from omnibench.sharing.taking import Conflict, provenances
from omnibench.store.item_names import title_of
from omnibench.store.schema import DROPPED, Record, RecordType

EXTENTS = ("results", "predictions", "models", "all")
"""What can be published: metrics with their values per user; beside them the lists, the models, or both."""

_LEFT_OUT = {
    "results": (RecordType.FIT, RecordType.PREDICT),
    "predictions": (RecordType.FIT,),
    "models": (RecordType.PREDICT,),
    "all": (),
}
"""The types of records whose files are left out."""

_OF_PEOPLE = ("host", "user", "cwd", "command", "platform", "git")
"""Members of a run's record that say whose it was."""


@dataclass
class Published:
    """What came of publishing.

    Attributes:
        new: The names of items that were not there.
        extended: The names of items that have got metrics, lists or models.
        equal: How many were there already, with all of that.
        conflicts: The items of which something else is published under the same keys; they were left alone.
        refused: Why an item cannot be published, by what people call it.
        files: How many files were written.
        size: Their bytes.
        named: How many items were published without names now, and stay with the names that they were published with before.
    """

    new: list[str] = field(default_factory=list)
    extended: list[str] = field(default_factory=list)
    equal: int = 0
    conflicts: list[Conflict] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    files: int = 0
    size: int = 0
    named: int = 0


def publish(
    source: StoreSource,
    location: Location,
    fit_keys: Sequence[str],
    extent: str = "results",
    *,
    hide: Callable[[str], str] | None = None,
) -> Published:
    """Publish items of a store; what is killed in between is completed when it is done again.

    Args:
        source: The store.
        location: The place.
        fit_keys: The keys of the items.
        extent: One of ``EXTENTS``.
        hide: Takes directories, users and hosts out of a text, where nobody is to be named; else None.

    Raises:
        SharingError: Nothing can be written there.
    """
    outcome = Published()
    _refuse_checkpoints(location)
    with location.writing() as scratch:
        if not is_published(location):
            location.write(MARKER, marker_text())
        listed = listed_keys(location)
        _write_index(location, {*(listed or ()), *fit_keys})
        for offer in source.offers(fit_keys):
            if offer.bundle is not None:
                is_new = listed is not None and offer.fit_key not in listed
                bundle = _cut(offer.bundle, extent, hide)
                earlier = _publish_item(source, location, bundle, outcome, scratch, is_new=is_new)
                outcome.named += hide is not None and earlier is not None and _names_somebody(earlier)
            elif offer.trouble:
                outcome.refused[offer.fit_key] = offer.trouble
    return outcome


def _write_index(location: Location, fit_keys: Collection[str]) -> None:
    """Bring the index up to date before items are published: one that it lacked would not be asked for."""
    content = index_text(fit_keys)
    if location.read(INDEX, len(content)) != content:
        location.write(INDEX, content)


def _refuse_checkpoints(location: Location) -> None:
    """Refuse a directory that holds records of a store.

    Raises:
        SharingError: It does.
    """
    if not isinstance(location, DirectoryLocation):
        return
    has_records = any((location.root / name).exists() for name in ("STORE.json", "store"))
    if has_records and not is_published(location):
        raise SharingError(
            f"{location.name} is a checkpoint directory; give another one to publish into, or use `omnibench merge`."
        )


def _cut(bundle: Bundle, extent: str, hide: Callable[[str], str] | None) -> Bundle:
    """Return what is published of a bundle."""
    records: dict[str, Record] = {}
    for key, record in bundle.records.items():
        left_out = any(of_type.has(key) for of_type in _LEFT_OUT[extent])
        published = {**record, DROPPED: record.get(DROPPED) or record["finished"]} if left_out else record
        if hide is not None:
            published = _impersonal(key, published, hide)
        records[key] = published
    return Bundle(bundle.fit_key, records)


_NAMED = ("identity", "parameters", "metrics", "predictions", "per_user", "model", "effective", "policy")
"""Members in which nobody is named; keys depend on the first of them."""


def _impersonal(key: str, record: Record, hide: Callable[[str], str]) -> Record:
    """Return a record in which nobody is named, nor a directory."""
    if RecordType.RUN.has(key):
        return {name: None if name in _OF_PEOPLE else member for name, member in record.items() if name != "policy"}
    free = (*_NAMED, "directory", "item", "fit_key", "data_key", "predict_key", "predicted", "test", "batch")
    return {name: member if name in free else _hidden(member, hide) for name, member in record.items()}


def _hidden(value: Any, hide: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, list):
        return [_hidden(element, hide) for element in value]
    if isinstance(value, dict):
        return {name: _hidden(member, hide) for name, member in value.items()}
    return value


def _publish_item(
    source: StoreSource, location: Location, bundle: Bundle, outcome: Published, scratch: Path, *, is_new: bool
) -> Bundle | None:
    """Publish an item, and return what stays of what was published of it before; None where nothing does, or nobody can use it."""
    title, path = title_of(bundle.item), entry_path(bundle.fit_key)
    try:
        content = None if is_new else location.read(path, LARGEST_ENTRY)
        earlier = None if content is None else read_bundle(bundle.fit_key, content)
    except SharingError as error:
        outcome.refused[title] = f"what is published of it already cannot be used: {error}"
        return None
    joined = bundle
    if earlier is not None:
        contradictions = differences(earlier.records, bundle)
        if contradictions:
            ours, theirs = provenances([(earlier.item, earlier.records), (bundle.item, bundle.records)])
            outcome.conflicts.append(Conflict(title, bundle.fit_key, contradictions, ours, theirs))
            return None
        joined = _joined(earlier, bundle)
        if joined.text == earlier.text:
            outcome.equal += 1
            return earlier
    trouble = _put_files(source, location, bundle, outcome, scratch)
    if trouble:
        outcome.refused[title] = trouble
        return earlier
    location.write(path, joined.text.encode())
    (outcome.new if earlier is None else outcome.extended).append(title)
    return earlier


def _names_somebody(bundle: Bundle) -> bool:
    runs = (record for key, record in bundle.records.items() if RecordType.RUN.has(key))
    return any(record.get(name) is not None for record in runs for name in _OF_PEOPLE)


def _joined(earlier: Bundle, bundle: Bundle) -> Bundle:
    """Return what is published, with what another bundle adds to it."""
    added = additions(earlier.records, bundle, models=True)
    item = with_metrics_of(earlier.item, bundle.item)
    if not added and item is None:
        return earlier
    context: Mapping[str, Record] = {
        key: record for key, record in bundle.records.items() if RecordType.of(key) not in OF_PHASES
    }
    own_item = {} if item is None else {RecordType.ITEM.key(bundle.fit_key): item}
    return Bundle(bundle.fit_key, {**context, **earlier.records, **added, **own_item})


def _put_files(source: StoreSource, location: Location, bundle: Bundle, outcome: Published, scratch: Path) -> str:
    """Write the files of a bundle that are not there yet; return why that cannot be, or nothing.

    Raises:
        SharingError: Nothing can be written there.
    """
    for artifact in {artifact["sha256"]: artifact for _, _, artifact in bundle.files()}.values():
        path = file_path(artifact["sha256"])
        if location.has(path):
            continue
        copy = scratch / uuid.uuid4().hex
        try:
            source.copy(artifact, copy)
        except SharingError as error:
            copy.unlink(missing_ok=True)
            return str(error)
        location.put(path, copy)
        outcome.files += 1
        outcome.size += artifact["size"]
    return ""

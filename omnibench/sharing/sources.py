"""Sources of finished items: another store, or a place in which items are published."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from omnibench.errors import SharingError
from omnibench.paths import expanded
from omnibench.sharing.bundles import LARGEST_ENTRY, Bundle, bundle_of, checked, is_key, read_bundle, referred
from omnibench.sharing.layout import ENTRIES, ENTRY_ENDING, entry_path, file_path, require_published
from omnibench.sharing.locations import CHUNK, Location
from omnibench.store.beneath import LinkedFileError, open_file
from omnibench.store.formats import SEALED_SINCE, refuse_newer
from omnibench.store.ownership import no_store
from omnibench.store.reader import Reader
from omnibench.store.reading import read
from omnibench.store.recovery import upgraded
from omnibench.store.schema import Artifact, Record, RecordType, Status
from omnibench.store.strangers import cannot_be_read

_AT_ONCE = 8
"""Files of a remote place that are asked for at once."""

_PORTION = 200
"""Items whose records are read at a time: a store may have a hundred thousand."""


class Offer(NamedTuple):
    """What a source has of an item.

    Attributes:
        fit_key: The item's key.
        bundle: What is recorded of it; None where there is nothing that is done.
        trouble: Why what there is cannot be used; empty otherwise.
    """

    fit_key: str
    bundle: Bundle | None
    trouble: str = ""


class Source(Protocol):
    """A source of finished items.

    Attributes:
        name: What people call it.
    """

    name: str

    def fit_keys(self) -> list[str] | None:
        """Return the keys of all items that it has; None where it cannot tell.

        Raises:
            SharingError: It cannot be read.
        """
        ...

    def offers(self, fit_keys: Sequence[str]) -> Iterator[Offer]:
        """Yield what it has of some items.

        Raises:
            SharingError: It cannot be read any more.
        """
        ...

    def copy(self, artifact: Artifact, target: Path) -> None:
        """Write a file that a bundle names into a new one, once its size and its digest are what the record says.

        Raises:
            SharingError: They are not, or the file is not there.
        """
        ...


class StoreSource:
    """Another store, which is only read, also while a run writes to it.

    Args:
        root: Its directory.

    Raises:
        StoreError: There is none, or a newer omnibench has made it.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(os.path.abspath(expanded(root)))
        self.name = str(self.root)
        unreadable = cannot_be_read(self.root)
        if unreadable is not None:
            raise unreadable
        if not (self.root / "store" / "cache.db").is_file():
            raise no_store(self.root)
        refuse_newer(self.root)
        self.unfinished = 0
        self._all: dict[str, Record] | None = None

    def fit_keys(self) -> list[str]:
        """Return the keys of its items that are done, and count the others in ``unfinished``."""

        def take(reader: Reader) -> tuple[list[str], int, dict[str, Record] | None]:
            everything = None
            if reader.version < SEALED_SINCE or not reader.is_indexed:
                everything = dict(reader.records())
                if reader.version < SEALED_SINCE:
                    everything = dict(upgraded(everything))
            items = (
                ((key, record) for key, record in everything.items() if RecordType.ITEM.has(key))
                if everything is not None
                else reader.records(RecordType.ITEM.prefix, in_order=True)
            )
            done, unfinished = [], 0
            for _, item in items:
                if item["status"] == Status.DONE:
                    done.append(str(item["fit_key"]))
                else:
                    unfinished += 1
            return done, unfinished, everything

        done, self.unfinished, self._all = read(self.root / "store", take, untouched=True)
        return done

    def offers(self, fit_keys: Sequence[str]) -> Iterator[Offer]:
        """Yield what it has of some items; of portions of them as of one moment each."""
        for start in range(0, len(fit_keys), _PORTION):
            portion = fit_keys[start : start + _PORTION]
            if self._all is not None:
                bundles = _bundles_in(self._all, portion)
            else:
                bundles = read(self.root / "store", lambda reader, keys=portion: _bundles(reader, keys), untouched=True)  # type: ignore[misc]  # mypy cannot infer a lambda's default
            for fit_key in portion:
                bundle = bundles.get(fit_key)
                try:
                    yield Offer(fit_key, bundle and checked(bundle))
                except SharingError as error:
                    yield Offer(fit_key, None, str(error))

    def copy(self, artifact: Artifact, target: Path) -> None:
        """Write a file that a bundle names into a new one; see ``Source.copy``."""
        path = artifact["path"]
        try:
            with os.fdopen(open_file(self.root, path), "rb") as file, target.open("xb+") as copy:
                if os.fstat(file.fileno()).st_size != artifact["size"]:
                    raise SharingError(f"{path} has not the {artifact['size']:,} bytes that its record says")
                shutil.copyfileobj(file, copy, CHUNK)
                _check(copy, artifact, path)
        except FileNotFoundError as error:
            raise SharingError(f"{path} is missing") from error
        except (LinkedFileError, OSError) as error:
            raise SharingError(f"{path} cannot be read: {error}") from error


def _bundles(reader: Reader, fit_keys: Iterable[str]) -> dict[str, Bundle]:
    """Return the bundles of items of an indexed store, by key."""
    own = {fit_key: dict(reader.of_item(fit_key)) for fit_key in fit_keys}
    keys = {fit_key: referred(records) for fit_key, records in own.items()}
    context: dict[str, Record] = {}
    for key in sorted(set().union(*keys.values())):
        if key.endswith("/"):
            context |= dict(reader.records(key))
        elif (record := reader.get(key)) is not None:
            context[key] = record
    return _joined(own, keys, context)


def _bundles_in(records: Mapping[str, Record], fit_keys: Iterable[str]) -> dict[str, Bundle]:
    """Return the bundles of items, by key, out of all records of a store."""
    own: dict[str, dict[str, Record]] = {fit_key: {} for fit_key in fit_keys}
    for key, record in records.items():
        if record.get("fit_key") in own and RecordType.of(key) is not RecordType.TRIAL:
            own[record["fit_key"]][key] = record
    keys = {fit_key: referred(its) for fit_key, its in own.items()}
    prefixes = tuple({key for its in keys.values() for key in its if key.endswith("/")})
    single = set().union(*keys.values()) if keys else set()
    context = {
        key: record for key, record in records.items() if key in single or (prefixes and key.startswith(prefixes))
    }
    return _joined(own, keys, context)


def _joined(
    own: Mapping[str, Mapping[str, Record]], keys: Mapping[str, set[str]], context: Mapping[str, Record]
) -> dict[str, Bundle]:
    bundles = {}
    for fit_key, records in own.items():
        prefixes = tuple(key for key in keys[fit_key] if key.endswith("/"))
        needed = {
            key: record
            for key, record in context.items()
            if key in keys[fit_key] or (prefixes and key.startswith(prefixes))
        }
        bundle = bundle_of(fit_key, records, needed)
        if bundle is not None:
            bundles[fit_key] = bundle
    return bundles


class PublishedSource:
    """A place in which items are published.

    Args:
        location: The place.

    Raises:
        SharingError: Nothing is published there, it cannot be reached, or a newer omnibench has published it.
    """

    def __init__(self, location: Location) -> None:
        self.location = location
        self.name = location.name
        require_published(location)

    def fit_keys(self) -> list[str] | None:
        """Return the keys of its items, or None where the place cannot list files."""
        names = self.location.names(ENTRIES, ENTRY_ENDING)
        return None if names is None else [key for name in names if is_key(key := name.removesuffix(ENTRY_ENDING))]

    def offers(self, fit_keys: Sequence[str]) -> Iterator[Offer]:
        """Yield what is published of some items, several of a remote place at once."""
        if not self.location.is_remote or len(fit_keys) == 1:
            yield from map(self._offer, fit_keys)
            return
        with ThreadPoolExecutor(_AT_ONCE, "omnibench-pull") as pool:
            try:
                yield from pool.map(self._offer, fit_keys)
            finally:
                pool.shutdown(cancel_futures=True)

    def _offer(self, fit_key: str) -> Offer:
        try:
            content = self.location.read(entry_path(fit_key), LARGEST_ENTRY)
            return Offer(fit_key, None if content is None else read_bundle(fit_key, content))
        except SharingError as error:
            return Offer(fit_key, None, str(error))

    def copy(self, artifact: Artifact, target: Path) -> None:
        """Write a published file into a new one; see ``Source.copy``."""
        path = file_path(artifact["sha256"])
        with target.open("xb+") as copy:
            if not self.location.copy(path, artifact["size"], copy):
                raise SharingError(f"{path} of {self.name} is missing")
            _check(copy, artifact, f"{path} of {self.name}")


def _check(file: BinaryIO, artifact: Artifact, name: str) -> None:
    """Refuse a file that differs from its record."""
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # typeshed asks for readinto
    if digest != artifact["sha256"] or file.tell() != artifact["size"]:
        raise SharingError(
            f"{name} differs from its record: its sha256 is {digest[:12]}..., not {artifact['sha256'][:12]}..."
        )

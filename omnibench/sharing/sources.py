"""Sources of finished items: another store, or a place in which items are published."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from omnibench.errors import SharingError
from omnibench.paths import expanded
from omnibench.sharing.bundles import LARGEST_ENTRY, Bundle, bundle_of, checked, read_bundle, referred
from omnibench.sharing.layout import MARKER, entry_path, file_path, indexed_keys, listed_keys, require_published
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

_WORTH_A_LIST = 20
"""From so many items on, a remote place is asked first which of them it has: that is one answer more, or a few."""

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
        """Yield what it has of some items, in any order.

        Raises:
            SharingError: It cannot be read any more.
        """
        ...

    def fetching(self, artifacts: Sequence[Artifact], directory: Path) -> AbstractContextManager[None]:
        """Return a context in which some files are about to be copied, so that a remote place is asked for several at once.

        Args:
            artifacts: The files.
            directory: An empty directory for them, on the disk that they are copied to.
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
        SharingError: Items are published there.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(os.path.abspath(expanded(root)))
        self.name = str(self.root)
        unreadable = cannot_be_read(self.root)
        if unreadable is not None:
            raise unreadable
        if not (self.root / "store" / "cache.db").is_file():
            if (self.root / MARKER).is_file():
                raise SharingError(
                    f"{self.name} has published items, and is no checkpoint directory; `omnibench pull` takes them over."
                )
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

    def fetching(self, artifacts: Sequence[Artifact], directory: Path) -> AbstractContextManager[None]:
        """Return a context in which nothing is fetched: files are copied from where they are."""
        return nullcontext()

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
        self._ahead: dict[str, Future[Path]] = {}
        require_published(location)

    def fit_keys(self) -> list[str] | None:
        """Return the keys of its items; None where the place lists no files, and has no index."""
        listed = listed_keys(self.location)
        keys = indexed_keys(self.location) if listed is None else listed
        return None if keys is None else sorted(keys)

    @cached_property
    def _published(self) -> frozenset[str] | None:
        """The keys of its items; None where each has to be asked for."""
        try:
            keys = self.fit_keys()
        except SharingError:  # what is wrong will be said of the items
            return None
        return None if keys is None else frozenset(keys)

    def offers(self, fit_keys: Sequence[str]) -> Iterator[Offer]:
        """Yield what is published of some items, several of a remote place at once, and only those that it has."""
        if not self.location.is_remote or len(fit_keys) == 1:
            yield from map(self._offer, fit_keys)
            return
        if len(fit_keys) >= _WORTH_A_LIST and self._published is not None:
            absent = [key for key in fit_keys if key not in self._published]
            yield from (Offer(key, None) for key in absent)
            fit_keys = [key for key in fit_keys if key in self._published]
        with ThreadPoolExecutor(_AT_ONCE, "omnibench-pull") as pool:
            try:
                yield from pool.map(self._offer, fit_keys)
            finally:
                pool.shutdown(cancel_futures=True)

    @contextmanager
    def fetching(self, artifacts: Sequence[Artifact], directory: Path) -> Iterator[None]:
        """Fetch files of a remote place before they are copied, several at once; see ``Source.fetching``."""
        if not self.location.is_remote:
            yield
            return
        with ThreadPoolExecutor(_AT_ONCE, "omnibench-pull") as pool:
            by_digest = {artifact["sha256"]: artifact for artifact in artifacts}
            self._ahead = {
                digest: pool.submit(self._fetched, artifact, directory / digest)
                for digest, artifact in by_digest.items()
            }
            try:
                yield
            finally:
                self._ahead = {}
                pool.shutdown(cancel_futures=True)

    def _offer(self, fit_key: str) -> Offer:
        try:
            content = self.location.read(entry_path(fit_key), LARGEST_ENTRY)
            return Offer(fit_key, None if content is None else read_bundle(fit_key, content))
        except SharingError as error:
            return Offer(fit_key, None, str(error))

    def copy(self, artifact: Artifact, target: Path) -> None:
        """Write a published file into a new one; see ``Source.copy``."""
        ahead = self._ahead.get(artifact["sha256"])
        if ahead is None:
            self._fetched(artifact, target)
            return
        fetched = ahead.result()
        if fetched.stat().st_size != artifact["size"]:  # another record says something else of the same file
            raise SharingError(f"{file_path(artifact['sha256'])} of {self.name} differs from its record in its size")
        shutil.copyfile(fetched, target)

    def _fetched(self, artifact: Artifact, target: Path) -> Path:
        path = file_path(artifact["sha256"])
        free = shutil.disk_usage(target.parent).free
        if artifact["size"] > free:  # whoever serves it could send so much
            raise SharingError(
                f"{path} of {self.name} has {artifact['size']:,} bytes by its record, and the disk of {target.parent} {free:,} left"
            )
        with target.open("xb+") as copy:
            if not self.location.copy(path, artifact["size"], copy):
                raise SharingError(f"{path} of {self.name} is missing")
            _check(copy, artifact, f"{path} of {self.name}")
        return target


def _check(file: BinaryIO, artifact: Artifact, name: str) -> None:
    """Refuse a file that differs from its record."""
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # typeshed asks for readinto
    if digest != artifact["sha256"] or file.tell() != artifact["size"]:
        raise SharingError(
            f"{name} differs from its record: its sha256 is {digest[:12]}..., not {artifact['sha256'][:12]}..."
        )

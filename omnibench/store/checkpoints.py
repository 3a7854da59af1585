"""The checkpoint store: a directory with records, artifacts, leases and logs, and how they hang together."""

from __future__ import annotations

import os
import re
import uuid
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from omnibench.errors import StoreError
from omnibench.owners import user_name
from omnibench.paths import expanded
from omnibench.store import artifacts, durable_names, leases, manifests, recovery, reserve, selftest, text_logs
from omnibench.store.beneath import open_file, refuse_links
from omnibench.store.claims import Claims
from omnibench.store.copies import encoded
from omnibench.store.damage import DamagedStoreError, ReplacedStoreError
from omnibench.store.filesystems import refuse_networked
from omnibench.store.formats import refuse_newer
from omnibench.store.leases import Lease
from omnibench.store.ownership import refuse_foreign
from omnibench.store.permissions import file_mode, is_own_work, is_shared, keep_to_oneself, open_to_group, sharing
from omnibench.store.reader import Reader
from omnibench.store.reading import Answer, read
from omnibench.store.records import Records
from omnibench.store.refusals import cannot_be_written
from omnibench.store.schema import Artifact, Record, RecordType
from omnibench.store.sealing import seal
from omnibench.store.sharing import make_root
from omnibench.store.strangers import refuse_strangers
from omnibench.store.unsynced_files import UnsyncedFiles
from omnibench.store.waiting import LockWait, TellLate, on_stderr
from omnibench.store.watching import Inputs, Stamp, stamp_of
from omnibench.store.workspaces import Workspace, workspace_in
from omnibench.terminal import terminal_line

PRESENCE = "leases/store.lock"
"""The lock of everybody who uses a store: shared among runs, exclusive for commands such as ``omnibench gc``."""

_LOCKABLE = re.compile(r"[\w-]{1,80}")
"""What the name of a lock file may be made of: a key, or ``data-`` and a key."""


class CheckpointStore:
    """Everything below one checkpoint directory. Open it once per process.

    Args:
        root: The directory; made when it is missing.
        verify: How closely files are looked at before they are used again; see ``artifacts.is_intact``.
        allow_network_fs: Whether it may lie on NFS, SMB and the like, or where locks do not work.
        shared: Whether a group shares it; one of ``schema.SHARED``, by default what ``OMNIREC_SHARED`` says.
        notify: Called with a sentence when the store had to be repaired, migrated or waited for; by default it goes to stderr.
        while_waiting: Called again and again while other processes keep the records locked; raising gives up.
        patience: Seconds that this may take; see ``waiting.LockWait``.

    Raises:
        StoreError: It cannot be written, a newer omnibench made it, or it holds others' files, or is another user's.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        verify: str = "full",
        allow_network_fs: bool = False,
        shared: str | None = None,
        notify: Callable[[str], None] | None = None,
        while_waiting: Callable[[], None] = lambda: None,
        patience: float | None = None,
    ) -> None:
        self.root = Path(os.path.abspath(expanded(root)))  # without `..`, which paths in records may not have
        self.verify = verify
        self._notify = notify or on_stderr
        self.waiting = LockWait(self._notify, while_waiting, patience)
        self._elsewhere: list[Workspace] = []
        self._stamps: dict[str, Stamp | None] = {}
        self._unsynced = durable_names.UnsyncedNames()
        if not allow_network_fs:
            refuse_networked(self.root)
        self._shared = sharing(shared)
        refuse_strangers(self.root, self._shared)
        refuse_newer(self.root)
        refuse_foreign(self.root)
        refuse_links(self.root, "leases", "tmp")  # what is written to before ``open_records`` looks at all
        with ExitStack() as opened:
            opened.callback(self._unsynced.close)
            with cannot_be_written(self.root):
                make_root(self.root, shared=self._shared != "no", notify=self._notify)
                opened.enter_context(leases.shared_use(self.root / PRESENCE, self._tell_waiting))
                self._workspace = Workspace(self.root / "tmp")
                opened.callback(self._workspace.remove)
                self._unsynced_files = UnsyncedFiles(self.root, self.lifeline, self._notify)
                opened.callback(self._unsynced_files.release)
                self._claims = Claims(self.root, self._workspace)
                with self.temporary() as scratch:
                    selftest.check_once(self.root, scratch, self._notify, insisted=allow_network_fs)
                    reserve.keep(self.root)
                self.records = self._open_records()
            self._opened = opened.pop_all()

    def _tell_waiting(self, _: str) -> None:
        self._notify(f"waiting for `omnibench gc` or the like to be done with {self.root}")

    def _open_records(self) -> Records:
        tell_late = TellLate(
            lambda holder: self._notify(f"waiting for {holder}, which opens the records in {self.root}")
        )
        with leases.lease(self.root / "leases" / "opening.lock", tell_late.note, tell_late.look):
            records, repairs = recovery.open_records(self.root, self.waiting)
        records.unsynced_files = self._unsynced_files
        for sentence in repairs:
            self._notify(sentence)
        return records

    def _open_records_again(self) -> None:
        self._unsynced_files.leave_database()
        self.records.close()
        self.records = self._open_records()

    @property
    def lifeline(self) -> str:
        """The lock file, relative to the root, that is held for as long as this process lives."""
        return self._workspace.lock.relative_to(self.root).as_posix()

    def register(self, records: Mapping[str, Record]) -> None:
        """Commit those records that are not there yet, and repeat them in manifests.

        What belongs to no item stands in the root's; of the others those that name a directory in that of this.
        """
        texts = {key: seal(key, record) for key, record in records.items()}
        self._append_manifests(
            records, {}, texts
        )  # before the transaction that they repeat: a kill may come in between
        of_no_item = {
            key: record for key, record in records.items() if RecordType.of(key) in (RecordType.RUN, RecordType.RECIPE)
        }
        manifests.append(self.root, self.root, of_no_item)
        self.records.add(records)

    def read(self, take: Callable[[Reader], Answer]) -> Answer:
        """Read records as of one moment; a damaged database is set aside and rebuilt first. See ``reading.read``."""
        try:
            return read(self.root / "store", take)
        except DamagedStoreError:
            self._open_records_again()
            return read(self.root / "store", take)

    def snapshot(self) -> dict[str, Record]:
        """Return every sound record, as of one moment."""
        return self.read(lambda reader: dict(reader.records()))

    def lease(
        self,
        key: str,
        on_wait: Callable[[str], None] = lambda _: None,
        while_waiting: Callable[[], None] = lambda: None,
    ) -> AbstractContextManager[Lease]:
        """Hold the lease of a key; see ``leases.lease``."""
        return leases.lease(self._lock_file(key), on_wait, while_waiting)

    def holder(self, key: str) -> str | None:
        """Return who holds the lease of a key right now, or None."""
        return leases.is_held(self._lock_file(key))

    def _lock_file(self, key: str) -> Path:
        if not _LOCKABLE.fullmatch(key):
            raise StoreError(f"{key!r} is no key, so there is no lock for it")
        return self.root / f"leases/{key}.lock"

    def temporary(self) -> AbstractContextManager[Path]:
        """Make a directory on the store's file system and remove it afterwards; what is published is moved out of it."""
        return self._workspace.temporary()

    def scratch(self, elsewhere: str | os.PathLike[str] | None = None) -> Path:
        """Make a working directory for guests; those of dead processes beside it are removed.

        Args:
            elsewhere: The directory to make it in; the store's own by default.

        Raises:
            StoreError: It cannot be made there.
        """
        if elsewhere is None:
            directory = self._workspace.directory / f"guests-{uuid.uuid4().hex[:8]}"
            with cannot_be_written(self.root):
                directory.mkdir(mode=0o700)
            return directory
        self._elsewhere.append(workspace_in(Path(os.path.abspath(expanded(elsewhere)))))
        return self._elsewhere[-1].directory

    def commit(
        self,
        leases_held: Lease | Sequence[Lease],
        records: Mapping[str, Record],
        forget: Mapping[str, Record] | None = None,
        *,
        is_durable: bool = True,
    ) -> None:
        """Commit records under their leases, durably, with a line each in the manifests beside their files.

        Args:
            leases_held: The lease, or the leases, of the items concerned; checked in the transaction. The token of a
                single one is kept in each record.
            records: By key; those with a ``directory`` are repeated in its manifest.
            forget: Records that go, by key.
            is_durable: Whether the disk is waited for; see ``Records.commit``.
        """
        all_leases = [leases_held] if isinstance(leases_held, Lease) else list(leases_held)
        token = {"token": leases_held.token} if isinstance(leases_held, Lease) else {}
        stamped = {key: {**record, **token} for key, record in records.items()}
        texts = {key: seal(key, record) for key, record in stamped.items()}
        removed_records = dict(forget or {})
        self._unsynced.sync()

        def check() -> None:
            for lease in all_leases:
                lease.check()
            self._append_manifests(stamped, removed_records, texts)

        try:
            self.records.commit_texts(texts, removed_records, check, is_durable=is_durable)
        except (ReplacedStoreError, DamagedStoreError) as error:
            if isinstance(error, ReplacedStoreError) and not (self.root / "store" / "cache.db").exists():
                raise
            # It broke while it was open, or another process found it broken and has rebuilt it meanwhile.
            self._open_records_again()
            self.records.commit_texts(texts, removed_records, check)

    def _append_manifests(
        self, records: Mapping[str, Record], removed_records: Mapping[str, Record], texts: Mapping[str, str]
    ) -> None:
        all_records = (*records.values(), *removed_records.values())
        for directory in sorted({record["directory"] for record in all_records if record.get("directory")}):
            manifests.append_texts(
                directory,
                self.root,
                {key: texts[key] for key, record in records.items() if record.get("directory") == directory},
                [key for key, record in removed_records.items() if record.get("directory") == directory],
            )

    def claim(self, parent: Path, name: str, key: str) -> Path:
        """Return the directory for a key, such as ``MovieLens100K-a3f8e2c1``, making it when needed; see ``Claims``."""
        return self._claims.claim(parent, name, key)

    def make_directory(self, directory: Path) -> None:
        """Make a directory of this store, whose name is made durable with that of the first file in it.

        Raises:
            StoreError: It would lie outside of the store.
        """
        artifacts.make_directories(directory, self.root, None)

    def inputs(self) -> Inputs:
        """Return the means to watch files that an item is computed from."""
        return Inputs(self.root, self._stamps)

    def usable(self, artifact: Artifact, verify: str = "") -> Path | None:
        """Return an artifact's path when it is what its record says; else set it aside, say so, return None.

        Args:
            artifact: The artifact.
            verify: How closely it is looked at; as this store does by default.
        """
        path = self.root / artifact["path"]
        self._stamps[artifact["path"]] = stamp_of(path)  # before it is read: what changes later is noticed
        if artifacts.is_intact(artifact, self.root, verify or self.verify):
            return path
        if artifacts.resolve(artifact, self.root) is None:
            damage = artifacts.UNRESOLVED
        else:
            aside = artifacts.set_aside(artifact, self.root)
            damage = f"differs from its record and was set aside as {aside.name}" if aside else "is missing"
        warnings.warn(f"{terminal_line(artifact['path'])} {damage}; it is computed again.", UserWarning, stacklevel=3)
        return None

    @property
    def loads_models_of_others(self) -> bool:
        """Whether models and snapshots of other members of the group may be loaded, which runs what is in them."""
        return self._shared == "models"

    def loadable(self, model: Path) -> bool:
        """Whether a model may be loaded, which runs what is in it: it is this user's, or was asked for.

        Args:
            model: The model's file; one that may not is told of in a warning.
        """
        if self.loads_models_of_others or is_own_work(model, shared=is_shared(self.root)):
            return True
        warnings.warn(
            f"{model.relative_to(self.root)} belongs to {user_name(model.stat().st_uid)}, and loading a model runs what is in it: "
            "it is fitted again. --omnirec-shared=models loads it.",
            UserWarning,
            stacklevel=3,
        )
        return False

    def publish(
        self,
        partial: Path,
        final: Path,
        *,
        until_commit: bool = False,
        is_unrecorded: bool = False,
        of_records: Sequence[str] = (),
    ) -> Artifact:
        """Move a finished file into place durably; see ``artifacts.publish``.

        Args:
            partial: The file, on the same file system.
            final: The path that it gets.
            until_commit: Whether the next commit, or file, makes its name durable; else it is so when this returns.
            is_unrecorded: Whether no record names the path, and nobody takes a file there for a whole one.
            of_records: The keys of the records that the next commit writes and that need the file. A small one that no record
                names so far is then made durable with them; see ``unsynced_files``.
        """
        if of_records and is_unrecorded and self._unsynced_files.takes(partial):
            artifact, content = artifacts.publish_unsynced(partial, final, self.root)
            self._unsynced_files.note(artifact["path"], of_records, content)
        else:
            artifact = artifacts.publish(partial, final, self.root, self._unsynced, is_unrecorded=is_unrecorded)
            self._unsynced_files.forget(artifact["path"])
            if not until_commit:
                self._unsynced.sync()
        self._stamps[artifact["path"]] = stamp_of(final)
        return artifact

    def publish_directory(self, partial: Path, final: Path, *, is_loaded: bool = False) -> list[Artifact]:
        """Move a finished directory into place durably and describe every file in it.

        What lies at the final place has no record (or a damaged one) and gives way.

        Args:
            partial: The directory, on the same file system.
            final: The path that it gets.
            is_loaded: Whether its files run what is in them when they are read, so that only this user may write them.

        Raises:
            StoreError: It would lie outside of the store.
        """
        artifacts.refuse_outside(final, self.root)
        artifacts.sync_tree(partial)
        files = [file for file in sorted(partial.rglob("*")) if file.is_file()]
        sums = {file.relative_to(partial): artifacts.sha256_of(file) for file in files}
        artifacts.make_directories(final.parent, self.root, self._unsynced)
        if is_shared(self.root):
            for path in (partial, *partial.rglob("*")):
                open_to_group(path)
                if is_loaded and path.is_file():
                    keep_to_oneself(path)
        with self.temporary() as scratch:
            if any(final.glob("**/*.damaged-*")):  # somebody was told that they can look at it
                final.rename(artifacts.aside_name(final))
            elif os.path.lexists(final):
                final.replace(scratch / "replaced")
            partial.replace(final)
        self._unsynced.note(final.parent)
        self._unsynced.note_ancestors(final.parent, self.root)
        self._unsynced.sync()
        described = [artifacts.describe(final / name, self.root, sha256) for name, sha256 in sums.items()]
        self._stamps |= {artifact["path"]: stamp_of(self.root / artifact["path"]) for artifact in described}
        return described

    def append_log(self, stream: str, lines: bytes) -> None:
        """Append whole lines to ``out.log`` or ``err.log``; concurrent writers do not tear each other's lines."""
        text_logs.append(self.root, f"{stream}.log", lines)

    def has_logged(self, stream: str, prefix: bytes) -> bool:
        """Return whether ``out.log`` or ``err.log`` has a line that begins with something."""
        return text_logs.has_line_of(self.root, f"{stream}.log", prefix)

    def replace_text(self, name: str, text: str) -> None:
        """Replace a readable export at the root atomically."""
        with self.temporary() as scratch:
            descriptor = open_file(scratch, name, os.O_WRONLY | os.O_CREAT, file_mode(self.root))
            with os.fdopen(descriptor, "wb") as file:
                file.write(encoded(text))
            (scratch / name).replace(self.root / name)

    def close(self) -> None:
        """Bring the records up to date on disk, close them, and remove the temporary files.

        Raises:
            StoreError: The records could not be brought up to date; what was committed is safe in their log.
        """
        try:
            self._unsynced_files.close(lambda change: self.records.change(change, patience=0.0))
            self.records.checkpoint()
        finally:
            self.records.close()
            for workspace in self._elsewhere:
                workspace.remove()
            self._opened.close()

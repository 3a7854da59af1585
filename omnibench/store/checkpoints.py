"""The checkpoint store: a directory with records, artifacts, leases and logs, and how they hang together."""

from __future__ import annotations

import json
import os
import re
import shutil
import uuid
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from omnibench.errors import StoreError
from omnibench.keys import DISPLAY_DIGITS
from omnibench.store import artifacts, leases
from omnibench.store.artifacts import Artifact
from omnibench.store.leases import Lease, Workspace
from omnibench.store.records import Record, Records, read_all

FORMAT = 1
_LONGEST_STEM = 150
"""Bytes of a name that go into a directory name; file systems allow 255 in all."""


class CheckpointStore:
    """Everything below one checkpoint directory. Open it once per process.

    Args:
        root: The directory; made when it is missing.

    Raises:
        StoreError: It cannot be written, or a newer omnibench made it.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(os.path.abspath(Path(root).expanduser()))  # without `..`, which paths in records may not have
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._workspace = Workspace(self.root / "tmp")
            self._elsewhere: list[Workspace] = []
            self._check_format()
        except OSError as error:
            raise StoreError(
                f"the checkpoint directory {str(self.root)!r} cannot be written ({error.strerror or error}). "
                "Choose another with --omnirec-checkpoint-dir, or make it writable."
            ) from error
        except StoreError:
            self._workspace.remove()
            raise
        self.records = Records(self.root / "store")

    def _check_format(self) -> None:
        marker = self.root / "STORE.json"
        if not marker.exists():
            with self.temporary() as scratch:
                (scratch / "marker").write_text(json.dumps({"format": FORMAT}), encoding="utf-8")
                artifacts.publish(scratch / "marker", marker, self.root)
            return
        try:
            found = int(json.loads(marker.read_text(encoding="utf-8"))["format"])
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{marker} is damaged; it should read {json.dumps({'format': FORMAT})}.") from error
        if found > FORMAT:
            raise StoreError(
                f"{self.root} was made by a newer omnibench (store format {found}; this one reads up to {FORMAT}). "
                "Upgrade omnibench, or choose another --omnirec-checkpoint-dir."
            )

    def snapshot(self) -> dict[str, Record]:
        """Return every record, in one read."""
        return read_all(self.root / "store")

    def lease(self, key: str, on_wait: Callable[[str], None] = lambda _: None) -> AbstractContextManager[Lease]:
        """Hold the lease of a key; see ``leases.lease``."""
        return leases.lease(self._lock_file(key), on_wait)

    def holder(self, key: str) -> str | None:
        """Return who holds the lease of a key right now, or None."""
        return leases.is_held(self._lock_file(key))

    def _lock_file(self, key: str) -> Path:
        return self.root / "leases" / f"{key}.lock"

    @contextmanager
    def temporary(self) -> Iterator[Path]:
        """A directory on the store's file system that is gone afterwards; what is published is moved out of it."""
        directory = self._workspace.directory / uuid.uuid4().hex[:12]
        directory.mkdir(mode=0o700)
        try:
            yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def scratch(self, elsewhere: str | os.PathLike[str] | None = None) -> Path:
        """Make a working directory for guests; those of dead processes beside it are removed.

        Args:
            elsewhere: The directory to make it in; the store's own by default.

        Raises:
            StoreError: It cannot be made there.
        """
        if elsewhere is None:
            directory = self._workspace.directory / f"guests-{uuid.uuid4().hex[:8]}"
            directory.mkdir(mode=0o700)
            return directory
        parent = Path(os.path.abspath(Path(elsewhere).expanduser()))
        try:
            self._elsewhere.append(Workspace(parent))
        except OSError as error:
            raise StoreError(
                f"the directory {str(parent)!r} for temporary files cannot be written ({error.strerror or error})."
            ) from error
        return self._elsewhere[-1].directory

    def commit(self, lease: Lease, records: Mapping[str, Record], delete: Iterable[str] = ()) -> None:
        """Commit records under a lease; its token is checked in the transaction and kept in each record."""
        stamped = {key: {**record, "token": lease.token} for key, record in records.items()}
        self.records.commit(stamped, delete, check=lease.check)

    def claim(self, parent: Path, name: str, key: str) -> Path:
        """Return the directory of a keyed thing, such as ``MovieLens100K-a3f8e2c1``, making it when needed.

        Two keys that begin with the same eight digits get longer names, as in git.

        Args:
            parent: A directory of this store.
            name: The thing's name; what a file name cannot hold is replaced.
            key: Its full key.

        Raises:
            StoreError: The parent is outside of the store, or what marks its directories is damaged.
        """
        stem = re.sub(r"[^\w.+-]", "_", name).encode()[:_LONGEST_STEM].decode(errors="ignore")
        artifacts.refuse_outside(parent / ".key", self.root)
        for digits in (DISPLAY_DIGITS, 12, 16, 32, len(key)):
            directory = parent / f"{stem}-{key[:digits]}"
            artifacts.make_directories(directory, self.root)
            if self._owner(directory, key) == key:
                return directory
        raise StoreError(f"{parent} holds another {name} with the key {key}; its .key files are damaged")

    def _owner(self, directory: Path, key: str) -> str:
        """Return the key that a directory belongs to, which is the given one when it was free."""
        owner = directory / ".key"
        if not owner.exists():
            with self.temporary() as scratch:
                (scratch / "key").write_text(key, encoding="utf-8")
                with suppress(FileExistsError):
                    owner.hardlink_to(scratch / "key")  # fails when the name exists: the first one wins
        return owner.read_text(encoding="utf-8")

    def usable(self, artifact: Artifact) -> Path | None:
        """Return an artifact's path when it is what its record says; else set it aside, say so, return None."""
        if artifacts.is_intact(artifact, self.root):
            return self.root / artifact["path"]
        aside = artifacts.set_aside(artifact, self.root)
        what = f"differs from its record and was set aside as {aside.name}" if aside else "is missing"
        warnings.warn(f"{artifact['path']} {what}; it is computed again.", UserWarning, stacklevel=3)
        return None

    def publish(self, partial: Path, final: Path) -> Artifact:
        """Move a finished file into place durably; see ``artifacts.publish``."""
        return artifacts.publish(partial, final, self.root)

    def publish_directory(self, partial: Path, final: Path) -> list[Artifact]:
        """Move a finished directory into place durably and describe every file in it.

        What lies at the final place has no record (or a damaged one) and gives way.

        Raises:
            StoreError: It would lie outside of the store.
        """
        artifacts.refuse_outside(final, self.root)
        artifacts.sync_tree(partial)
        described: list[Artifact] = [
            {
                "path": (final / file.relative_to(partial)).relative_to(self.root).as_posix(),
                "size": file.stat().st_size,
                "sha256": artifacts.sha256_of(file),
            }
            for file in sorted(partial.rglob("*"))
            if file.is_file()
        ]
        artifacts.make_directories(final.parent, self.root)
        with self.temporary() as scratch:
            if any(final.glob("**/*.damaged-*")):  # somebody was told that they can look at it
                final.rename(artifacts.aside_name(final))
            elif final.exists():
                final.replace(scratch / "replaced")
            partial.replace(final)
            artifacts.sync_directory(final.parent)
        return described

    def append_log(self, stream: str, lines: bytes) -> None:
        """Append whole lines to ``out.log`` or ``err.log``; concurrent writers do not tear each other's lines."""
        descriptor = os.open(self.root / f"{stream}.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, lines)
        finally:
            os.close(descriptor)

    def replace_text(self, name: str, text: str) -> None:
        """Replace a readable export at the root atomically."""
        with self.temporary() as scratch:
            # What a guest printed may hold half a character; backslashes are how JSON writes such things.
            (scratch / name).write_text(text, encoding="utf-8", errors="backslashreplace")
            (scratch / name).replace(self.root / name)

    def close(self) -> None:
        """Close the records and remove the temporary files."""
        self.records.close()
        for workspace in (*self._elsewhere, self._workspace):
            workspace.remove()

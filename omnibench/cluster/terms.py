"""What a session needs to know of the process that has submitted it, and how it finds out whether both see the same files."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from omnibench.runners.info import RunnerInfo
from omnibench.runners.registry import get_runner


@dataclass(frozen=True, slots=True)
class Terms:
    """What a session needs to know.

    Attributes:
        run: The run of the submitting process.
        version: The version of omnibench there.
        environments: Where frameworks run, as ``Environments`` takes it.
        directory: The working directory, in which classes of the user's own expect to be.
        probe: A file that the submitting process has written.
        threads: Threads per guest, where none other is asked for.
        patience: Seconds that the submitting process waits for its scheduler, and sessions for it at least.
    """

    run: str
    version: str
    environments: str | dict[str, str]
    directory: str
    probe: Probe
    threads: int
    patience: float


@dataclass(frozen=True, slots=True)
class Probe:
    """A file with a content that nobody else's has.

    Attributes:
        path: Its path.
        content: Its content.
    """

    path: str
    content: str

    def is_seen(self) -> bool:
        """Whether this process sees the file, and may write beside it."""
        path = Path(self.path)
        try:
            return path.read_text(encoding="utf-8") == self.content and os.access(path.parent, os.W_OK)
        except (OSError, UnicodeDecodeError):
            return False


@contextmanager
def probe_in(directory: Path) -> Iterator[Probe]:
    """Write a probe into a directory, for as long as it is needed."""
    path, content = directory / f".seen-{uuid.uuid4().hex}", uuid.uuid4().hex
    path.write_text(content, encoding="utf-8")
    try:
        yield Probe(str(path), content)
    finally:
        path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class GuestTerms:
    """Which guest a request is for.

    Attributes:
        runner: The name of its framework, or all of it where it is registered by the user.
        adapter: What keys say of the adapter.
        version: The version of the framework in the submitter's environments.
        device: ``cpu`` or ``cuda``.
        threads: The number of its threads.
        cards: The GPUs that it computes on, as ``CUDA_VISIBLE_DEVICES`` names them, where the submitter deals them out.
        n_gpus: How many its machine deals out; 0 for all that the worker sees.
    """

    runner: str | RunnerInfo
    adapter: int | str
    version: str
    device: str
    threads: int
    cards: tuple[str, ...] = ()
    n_gpus: int = 0

    def local_runner(self) -> RunnerInfo:
        """Return the framework as this machine has it.

        Raises:
            PlanError: It has none of that name.
        """
        return get_runner(self.runner) if isinstance(self.runner, str) else self.runner

"""The items that bench files name, as the plugin of a collecting pytest writes them down for another process to read."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

FILE_VARIABLE = "OMNIBENCH_PLANNED_FILE"
"""The environment variable that names the file to write."""


@dataclass(frozen=True)
class Collected:
    """The items that bench files name.

    Attributes:
        items: Fit keys of the items.
        datasets: Keys of their datasets.
        trouble: What keeps this from being the whole plan, a sentence each.
    """

    items: tuple[str, ...]
    datasets: tuple[str, ...]
    trouble: tuple[str, ...]

    def write(self, file: Path) -> None:
        """Write it into a file."""
        file.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, file: Path) -> Collected:
        """Return what a file says."""
        members = json.loads(file.read_text(encoding="utf-8"))
        return cls(**{name: tuple(texts) for name, texts in members.items()})

"""What a dataset says of itself beside its interactions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass
class DatasetMeta:
    """A dataset's name and origin.

    Attributes:
        canon_pth: The file in canonical form that it was read from or written to.
        raw_dir: The directory of its raw files.
        name: The dataset's name.
    """

    canon_pth: Path | None = None
    raw_dir: Path | None = None
    name: str = "UnnamedDataset"

    def format_details(self) -> str:
        """Return name and origin, a line each."""
        return f"Name: {self.name}\nCanonical path: {self.canon_pth or 'unknown'}\nRaw dir: {self.raw_dir or 'unknown'}"

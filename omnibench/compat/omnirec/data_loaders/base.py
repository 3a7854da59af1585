"""What a loader of one's own has to have."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


@dataclass
class DatasetInfo:
    """Where a dataset's raw files come from.

    Attributes:
        download_urls: One or several addresses, tried in order; None for files that lie there already.
        checksum: The file's sha256, or None to take what comes.
        download_file_name: What to call the file; the end of the address by default.
        verify_tls: Whether the server has to prove who it is.
        license_or_registration: Whether one has to agree or register first, so that nothing is downloaded.
    """

    download_urls: str | list[str] | None = None
    checksum: str | None = None
    download_file_name: str | None = None
    verify_tls: bool = True
    license_or_registration: bool = False


class Loader(ABC):
    """A loader of datasets, registered by name."""

    @staticmethod
    @abstractmethod
    def info(name: str) -> DatasetInfo:
        """Return where the raw files of a dataset come from.

        Args:
            name: The name under which the loader was registered.
        """

    @staticmethod
    @abstractmethod
    def load(source_dir: Path, name: str) -> pd.DataFrame:
        """Return a dataset as a frame with user and item, and rating and timestamp where there are any.

        Args:
            source_dir: The directory of the raw files.
            name: The name under which the loader was registered.
        """

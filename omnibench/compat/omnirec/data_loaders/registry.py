"""Datasets by name: loaders that were registered, what omnibench has, and the copies that OmniRec left."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from omnibench.compat.omnirec.data_loaders.base import DatasetInfo, Loader
from omnibench.compat.omnirec.settings import get_data_dir, root_logger
from omnibench.data.catalogue.names import definitions
from omnibench.data.loaders import dataset_names
from omnibench.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

logger = root_logger.getChild("registry")

_LOADERS: dict[str, type[Loader]] = {}


def register_dataloader(names: str | list[str], cls: type[Loader]) -> None:
    """Register a loader under one or several names; a name that is taken keeps its loader, and that is logged.

    Args:
        names: The names.
        cls: The loader's class.

    Raises:
        DataError: It is no class with ``info`` and ``load``.
    """
    argument: Any = cls
    if not isinstance(argument, type) or not all(callable(getattr(cls, name, None)) for name in ("info", "load")):
        raise DataError(
            f"{cls!r} is no loader; give a class with the static methods info(name) and load(source_dir, name)."
        )
    for name in [names] if isinstance(names, str) else names:
        if name in _LOADERS and _LOADERS[name] is not cls:
            logger.error("%s has a loader already; %s is not registered under that name.", name, cls.__name__)
        else:
            _LOADERS[name] = cls


def list_datasets() -> list[str]:
    """Return the names that ``RecSysDataSet.use_dataloader`` can load here and now."""
    left_by_omnirec = [path.stem for path in sorted((get_data_dir() / "canon").glob("*.csv"))]
    return sorted({*_LOADERS, *dataset_names(), *definitions(), *left_by_omnirec})


def has_loader(name: str) -> bool:
    """Return whether a loader of that name was registered."""
    return name in _LOADERS


def run_loader(name: str, raw_dir: Path | None = None, *, force_download: bool = False) -> pd.DataFrame:
    """Fetch the raw files of a registered dataset where they are missing, and load them.

    Args:
        name: The name under which the loader was registered.
        raw_dir: The directory of the raw files.
        force_download: Whether to fetch them although they are there.

    Raises:
        DataError: They cannot be had, or the loader returns no frame with user and item.
    """
    loader = _LOADERS[name]
    directory = raw_dir or get_data_dir() / "raw" / name
    info = loader.info(name)
    urls = [info.download_urls] if isinstance(info.download_urls, str) else list(info.download_urls or [])
    if info.license_or_registration and raw_dir is None:
        raise DataError(
            f"{name} may not be downloaded without your consent or registration. Fetch it yourself from "
            f"{', '.join(urls) or 'its home page'}, and give its directory: use_dataloader({name!r}, raw_dir=...)."
        )
    if urls:
        directory.mkdir(parents=True, exist_ok=True)
        _ensure(name, info, urls, directory, force_download=force_download)
    frame = loader.load(directory, name)
    missing = [column for column in ("user", "item") if column not in getattr(frame, "columns", ())]
    if missing:
        raise DataError(f"{loader.__name__}.load returned {type(frame).__name__} without {' and '.join(missing)}.")
    return frame


def _ensure(name: str, info: DatasetInfo, urls: list[str], directory: Path, *, force_download: bool) -> None:
    failures = []
    for url in urls:
        file = directory / (info.download_file_name or Path(urlsplit(url).path).name)
        if file.is_file() and not force_download and info.checksum in (None, _sha256(file)):
            return
        try:
            fetch(url, file, verify_tls=info.verify_tls)
        except Exception as error:  # requests, urllib3 and ssl raise many kinds; all mean the same here
            failures.append(f"{url} ({type(error).__name__}: {error})")
            continue
        actual = _sha256(file)
        if info.checksum in (None, actual):
            return
        failures.append(f"{url} (its sha256 is {actual}, not {info.checksum})")
    raise DataError(
        f"{name} could not be downloaded: {'; '.join(failures)}. Put the file into {directory}, or give another "
        f"directory: use_dataloader({name!r}, raw_dir=...)."
    )


def fetch(url: str, file: Path, *, verify_tls: bool = True) -> None:
    """Download a file.

    Args:
        url: Its address.
        file: Where it goes.
        verify_tls: Whether the server has to prove who it is.
    """
    import pooch

    partial = file.with_name(f"{file.name}.partial")
    pooch.HTTPDownloader(progressbar=True, timeout=20, verify=verify_tls)(url, partial, None)
    partial.replace(file)


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

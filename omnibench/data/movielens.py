"""MovieLens-100K: the same 100,000 ratings from any of the places that have them.

GroupLens does not allow redistribution, so the ratings are not in this repository. The recbole package
carries them (``recbole/dataset_example/ml-100k``); it is only looked into, never imported.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnibench.data.digests import table_digest
from omnibench.data.interactions import COLUMNS, Interactions, from_columns
from omnibench.errors import DataError
from omnibench.packages import uv_options, uv_variables
from omnibench.paths import cache_directory

if TYPE_CHECKING:
    import pandas as pd

    from omnibench.data.features.sources import FeatureSource

CONTENT = "762f71da0ab2b0d6ed44b8a24235a455e9516ae1c12139eb8a378f29f54b7752"
"""``table_digest`` of the 100,000 ratings in their original order."""

_PACKAGE = "recbole==1.2.1"
_IN_PACKAGE = Path("dataset_example", "ml-100k", "ml-100k.inter")


@dataclass(frozen=True)
class MovieLens100K:
    """The source behind ``load_dataset("MovieLens100K")``.

    Args:
        path: ``u.data``, ``ml-100k.inter``, ``ml-100k.zip``, or a directory that holds one of them; None to
            look into the recbole package, and to download them as the catalogue says when there is none.
    """

    path: Path | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        return COLUMNS

    @property
    def fingerprint(self) -> Any:
        return ["table", CONTENT]

    def load(self) -> Interactions:
        frame = self.read()
        return from_columns({name: frame[name] for name in COLUMNS}, "MovieLens100K")

    @property
    def features(self) -> Mapping[str, FeatureSource]:
        """What is known about movies and users; see ``RecSysDataSet.with_features``."""
        from omnibench.data.movielens_features import MovieLensFeatures  # which few runs need

        return {subject: MovieLensFeatures(subject, self._find) for subject in ("items", "users")}

    def _find(self) -> Path:
        return self.path or _find_earlier_download() or _find_in_recbole() or _download()

    def read(self) -> pd.DataFrame:
        """Return the ratings in the order of ``u.data``.

        Raises:
            DataError: They are not the original ones, or nowhere to be had.
        """
        path = self._find()
        frame = read_ratings(path)
        content = table_digest({name: frame[name] for name in COLUMNS})
        if content != CONTENT:
            raise DataError(
                f"{path} does not hold the original MovieLens-100K: {len(frame)} ratings with digest "
                f"{content[:12]} instead of 100000 with {CONTENT[:12]}. Use from_file for a changed copy."
            )
        return frame


def is_at_hand() -> bool:
    """Whether the ratings are on this machine already."""
    return (_find_earlier_download() or _find_in_recbole()) is not None


def read_ratings(path: Path) -> pd.DataFrame:
    """Read the ratings from any of the formats in which they are distributed.

    Raises:
        DataError: The file or directory is none of them.
    """
    import pandas as pd

    if path.is_dir():
        for name in ("u.data", "ml-100k.inter", "ml-100k/u.data", "ml-100k/ml-100k.inter", "ml-100k.zip"):
            if (path / name).is_file():
                return read_ratings(path / name)
        raise DataError(f"{path} holds neither u.data nor ml-100k.inter nor ml-100k.zip.")
    header = 0 if path.suffix == ".inter" else None
    options: dict[str, Any] = {"sep": "\t", "names": list(COLUMNS), "header": header}
    try:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive, archive.open("ml-100k/u.data") as file:
                frame: pd.DataFrame = pd.read_csv(file, **options)
        else:
            frame = pd.read_csv(path, **options)
        return frame.astype({"user": "int64", "item": "int64", "rating": "float64", "timestamp": "int64"})
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is no MovieLens-100K ratings file: {error}.") from error


def _find_earlier_download() -> Path | None:
    """Return the archive that an earlier omnibench has downloaded."""
    path = cache_directory() / "datasets" / "ml-100k.zip"
    return path if path.is_file() else None


def _find_in_recbole() -> Path | None:
    """Return the ratings file of a recbole package: in this environment, an isolated one, or the download cache."""
    spec = importlib.util.find_spec("recbole")
    packages = [Path(folder) for folder in (spec.submodule_search_locations or [])] if spec else []
    packages += sorted(cache_directory().glob("envs/RecBole-*/lib/python*/site-packages/recbole"))
    packages.append(cache_directory() / "datasets" / _PACKAGE / "recbole")
    for package in packages:
        if (package / _IN_PACKAGE).is_file():
            return package / _IN_PACKAGE
    return None


def _download() -> Path:
    """Download the ratings as the catalogue says; where that fails, inside recbole from the package index."""
    from omnibench.data.catalogue.folders import DataFolder  # which are hardly ever needed
    from omnibench.data.catalogue.names import definition
    from omnibench.data.catalogue.raw_files import fetch

    entry = definition("MovieLens100K")
    folder = DataFolder.of(entry)
    try:
        with folder.locked(entry.name):
            return fetch(entry, folder)[""].path
    except DataError as error:
        path = _fetch_from_package_index()
        if path is not None:
            return path
        raise DataError(
            f"{error} No recbole package holds the ratings either, and {_PACKAGE} could not be had from the package index."
        ) from error


def _fetch_from_package_index() -> Path | None:
    """Fetch the recbole package (2 MB) without what it depends on; return None where that fails."""
    import uv

    final = cache_directory() / "datasets" / _PACKAGE
    partial = final.with_name(f"{final.name}.partial-{os.getpid()}")
    command = [uv.find_uv_bin(), "pip", "install", *uv_options(), "--python", sys.executable, "--no-deps"]
    try:
        command += ["--target", str(partial), _PACKAGE]
        process = subprocess.run(command, capture_output=True, check=False, env=uv_variables())
        if process.returncode == 0:
            with contextlib.suppress(OSError):  # another process was faster
                partial.rename(final)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return _find_in_recbole()

"""``.rsds`` files: a zip archive of CSV and JSON texts, in the two formats that OmniRec has written.

Format 2 has ``manifest.json`` (``format``, ``schema_version``, ``dataset_variant``), ``meta.json`` and
``lineage.json``; format 1 ``VERSION``, ``VARIANT`` and ``META``. The frames are ``data.csv``, or ``train.csv``,
``val.csv`` and ``test.csv``, or these below a directory per fold. Nothing in a file is executed: there is no pickle in
it.
"""

from __future__ import annotations

import contextlib
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from omnibench.compat.omnirec.data_variants import PARTS, FoldedData, RawData, SplitData
from omnibench.compat.omnirec.lineage import SystemInfo, Trace
from omnibench.compat.omnirec.metadata import DatasetMeta
from omnibench.data.files.frames import read_csv_frame
from omnibench.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

LATEST = 2
_FIRST_VERSION = "1.0.0"
_COUNTS = ("before_rows", "before_columns", "after_rows", "after_columns")


class Archive(NamedTuple):
    """The content of a file."""

    data: RawData | SplitData | FoldedData
    meta: DatasetMeta
    lineage: list[Trace]


def write(path: Path, archive: Archive, schema_version: int = LATEST) -> None:
    """Write a file, replacing one of that name only when the new one is complete.

    Args:
        path: The file; its directory is made when it is missing.
        archive: The content. Format 1 has no lineage.
        schema_version: 1 or 2.

    Raises:
        DataError: There is no such format, or the file cannot be written.
    """
    if schema_version not in (1, LATEST):
        raise DataError(f"there is no .rsds format {schema_version}; there are 1 and {LATEST}.")
    variant = type(archive.data).__name__
    partial = path.with_name(f"{path.name}.partial-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as file:
            for name, frame in _files(archive.data).items():
                with file.open(name, "w") as stream:
                    frame.to_csv(stream, index=False)
            meta = json.dumps(asdict(archive.meta), default=str)
            if schema_version == 1:
                file.writestr("META", meta)
                file.writestr("VARIANT", variant)
                file.writestr("VERSION", _FIRST_VERSION)
            else:
                file.writestr("meta.json", meta)
                file.writestr("lineage.json", json.dumps([_plain(trace) for trace in archive.lineage], default=str))
                manifest = {"format": "rsds", "schema_version": schema_version, "dataset_variant": variant}
                file.writestr("manifest.json", json.dumps(manifest))
        partial.replace(path)
    except OSError as error:
        raise DataError(
            f"{path} cannot be written: {error}. Give a file in a directory that you may write to."
        ) from error
    finally:
        with contextlib.suppress(OSError):  # it was not made, or nothing can be
            partial.unlink()


def read(path: Path) -> Archive:
    """Read a file of either format.

    Raises:
        DataError: It is none, or of a later format.
    """
    try:
        with zipfile.ZipFile(path) as file:
            names = set(file.namelist())
            if "manifest.json" in names:
                return _read_second(file, names, path)
            if "VERSION" in names:
                return _read_first(file, path)
    except FileNotFoundError as error:
        raise DataError(
            f"there is no file {str(path)!r}; check the path (the working directory is {Path.cwd()})."
        ) from error
    except (
        OSError,
        zipfile.BadZipFile,
        KeyError,
        TypeError,
        ValueError,
    ) as error:  # JSON's and pandas' are ValueErrors
        raise DataError(f"{path} cannot be read as an .rsds file: {error}") from error
    raise DataError(f"{path} is no .rsds file: it has neither manifest.json nor VERSION, but {sorted(names)[:5]}.")


def _read_second(file: zipfile.ZipFile, names: set[str], path: Path) -> Archive:
    manifest = json.loads(file.read("manifest.json"))
    if manifest.get("schema_version") != LATEST:
        raise DataError(
            f"{path} is of the .rsds format {manifest.get('schema_version')!r}; this version of omnibench reads 1 and 2."
        )
    lineage = json.loads(file.read("lineage.json")) if "lineage.json" in names else []
    meta = _meta(json.loads(file.read("meta.json")))
    return Archive(_data(file, manifest["dataset_variant"], path), meta, [_trace(trace) for trace in lineage])


def _read_first(file: zipfile.ZipFile, path: Path) -> Archive:
    version = file.read("VERSION").decode().strip()
    if version != _FIRST_VERSION:
        raise DataError(
            f"{path} is of the .rsds version {version!r}; omnibench reads {_FIRST_VERSION} and the formats after it."
        )
    return Archive(_data(file, file.read("VARIANT").decode(), path), _meta(json.loads(file.read("META"))), [])


def _files(data: RawData | SplitData | FoldedData) -> dict[str, pd.DataFrame]:
    if isinstance(data, RawData):
        return {"data.csv": data.df}
    if isinstance(data, SplitData):
        return {f"{name}.csv": frame for name, frame in data.iter_splits()}
    return {f"{number}/{name}": frame for number, fold in data.folds.items() for name, frame in _files(fold).items()}


def _data(file: zipfile.ZipFile, variant: str, path: Path) -> RawData | SplitData | FoldedData:
    if variant == "RawData":
        return RawData(_frame(file, "data.csv"))
    if variant == "SplitData":
        return _split(file, "")
    if variant == "FoldedData":
        folders = (name.partition("/") for name in file.namelist())
        numbers = sorted({int(folder) for folder, slash, _ in folders if slash and folder.isdigit()})
        return FoldedData({number: _split(file, f"{number}/") for number in numbers})
    raise DataError(f"{path} holds {variant!r}; known are RawData, SplitData and FoldedData.")


def _split(file: zipfile.ZipFile, folder: str) -> SplitData:
    return SplitData(*(_frame(file, f"{folder}{name}.csv") for name in PARTS))


def _frame(file: zipfile.ZipFile, name: str) -> pd.DataFrame:
    import pandas as pd

    with file.open(name) as stream:
        try:
            frame: pd.DataFrame = read_csv_frame(stream)
        except pd.errors.EmptyDataError:  # a part without rows that was a frame without columns
            return pd.DataFrame()
    return frame


def _meta(values: Mapping[str, Any]) -> DatasetMeta:
    canon_path, raw_dir = (Path(value) if (value := values.get(name)) else None for name in ("canon_pth", "raw_dir"))
    return DatasetMeta(canon_path, raw_dir, values.get("name", "UnnamedDataset"))


def _plain(trace: Trace) -> dict[str, Any]:
    return {**asdict(trace), "executed_at": trace.executed_at.isoformat()}


def _trace(values: Mapping[str, Any]) -> Trace:
    system = dict(values["system_info"])
    system["gpu_vram"] = None if system.get("gpu_vram") is None else tuple(system["gpu_vram"])
    rest = {name: _count(values[name]) for name in _COUNTS if name in values}
    moment = datetime.fromisoformat(values["executed_at"])
    return Trace(**{**values, "executed_at": moment, "system_info": SystemInfo(**system), **rest})


def _count(value: Any) -> Any:
    """Return a count as it was before JSON made texts of the folds' numbers."""
    if isinstance(value, Mapping):
        return {int(name) if name.isdigit() else name: _count(part) for name, part in value.items()}
    return value

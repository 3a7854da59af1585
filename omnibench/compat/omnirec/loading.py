"""Where ``use_dataloader`` looks for a dataset, and the canonical form in which it returns it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnibench.compat.omnirec.data_loaders.registry import has_loader, list_datasets, run_loader
from omnibench.compat.omnirec.recipes import DerivedSource, NumberedSource
from omnibench.compat.omnirec.settings import get_data_dir
from omnibench.data.catalogue.definition import Definition
from omnibench.data.catalogue.names import definition, variants_of
from omnibench.data.dataset import RecSysDataSet
from omnibench.data.from_file import from_file
from omnibench.data.from_frame import from_frame
from omnibench.data.loaders import dataset_names, load_dataset
from omnibench.errors import DataError, nearest

if TYPE_CHECKING:
    import pandas as pd


def load(
    name: str, raw_dir: Path | None, canon_path: Path | None, *, force_download: bool, force_canonicalize: bool
) -> tuple[RecSysDataSet, Path | None]:
    """Return omnibench's dataset of a name, and the file in canonical form that belongs to it.

    A loader that was registered comes first, then what omnibench has without asking anybody, then the copy that OmniRec
    left, then omnibench's catalogue, which downloads.

    Raises:
        DataError: There is none of these.
    """
    if canon_path is not None and canon_path.is_file() and not force_canonicalize:
        return from_file(canon_path, name), canon_path
    if has_loader(name):
        dataset = from_frame(canonical(run_loader(name, raw_dir, force_download=force_download)), name)
    elif name in dataset_names() or (not _copy_of_omnirec(name).is_file() and _definition(name) is not None):
        is_local = raw_dir is not None and raw_dir.is_dir() and any(raw_dir.iterdir())
        native = load_dataset(name, raw_dir if is_local else None)
        if native.split is not None:  # a registered dataset may have steps of its own
            return native, canon_path
        dataset = RecSysDataSet(NumberedSource(DerivedSource(native) if native.steps else native.source), name)
    else:
        return _left_by_omnirec(name)
    if canon_path is None:
        return dataset, None
    _write(dataset, canon_path)
    return from_file(canon_path, name), canon_path  # as at the next call, so that the key is the same


def canonical(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame without repeated pairs (the last one stays), users and items numbered, times in whole seconds.

    Args:
        frame: Columns user and item, and any others.

    Raises:
        DataError: A timestamp is neither a number nor a date.
    """
    import pandas as pd

    frame = frame.drop_duplicates(subset=["user", "item"], keep="last").reset_index(drop=True)
    numbered: dict[str, Any] = {column: pd.factorize(frame[column])[0] for column in ("user", "item")}
    if "timestamp" in frame.columns and not pd.api.types.is_numeric_dtype(frame["timestamp"]):
        numbered["timestamp"] = _seconds(frame["timestamp"])
    return frame.assign(**numbered)


def _seconds(dates: Any) -> Any:
    """Return dates as whole seconds since 1970: ISO 8601, else in the format of the first of them."""
    import pandas as pd

    try:
        moments = pd.to_datetime(dates, utc=True, format="ISO8601")
    except (ValueError, TypeError):
        try:
            moments = pd.to_datetime(dates, utc=True)
        except (ValueError, TypeError) as error:
            raise DataError(f"a loader returned timestamps that are no dates: {error}") from error
    return moments.dt.tz_localize(None).astype("datetime64[s]").astype("int64")


def _copy_of_omnirec(name: str) -> Path:
    return get_data_dir() / "canon" / f"{name}.csv"


def _definition(name: str) -> Definition | None:
    """Return what omnibench's catalogue knows of a data set; None where it has none of that name, or several."""
    try:
        return definition(name)
    except DataError:
        return None


def _left_by_omnirec(name: str) -> tuple[RecSysDataSet, Path]:
    left = _copy_of_omnirec(name)
    if left.is_file():
        return from_file(left, name), left
    variants = variants_of(name)
    if variants:
        advice = f", which means several data sets: load one of {', '.join(variants)}."
    else:
        advice = nearest(name, list_datasets()) or "; list_datasets() has all names."
    raise DataError(
        f"there is no loader for {name!r} here{advice} Where OmniRec has loaded it on this machine, its copy {left} is read, or "
        "the one that canon_path names; register_dataloader takes a loader of your own; "
        "RecSysDataSet.of(omnibench.from_file(path)) takes a file."
    )


def _write(dataset: RecSysDataSet, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        dataset.interactions().frame().to_csv(path, index=False)
    except OSError as error:
        raise DataError(
            f"{dataset.name}: {path} cannot be written: {error}. Give another canon_path, or none."
        ) from error

"""Datasets by name: omnibench's own, and those that users register."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from omnibench.arguments import checked_call
from omnibench.data import movielens
from omnibench.data.dataset import RecSysDataSet
from omnibench.data.frames import is_table
from omnibench.data.from_frame import from_frame
from omnibench.data.matrices import is_sparse_matrix
from omnibench.errors import DataError, nearest
from omnibench.paths import absolute_paths, either, overlong_name

Loader = Callable[..., Any]

_BUILT_IN: dict[str, Loader] = {"MovieLens100K": movielens.MovieLens100K}
_LOADERS: dict[str, Loader] = dict(_BUILT_IN)


@checked_call
def register_dataset(name: str, loader: Loader) -> None:
    """Register a dataset, so that ``load_dataset(name)`` returns it.

    Every process that loads it has to register it, as a ``conftest.py``, a bench file or a module that they import
    does. A name that is registered again stands for the new loader.

    Args:
        name: The dataset's name.
        loader: A function without arguments, or one that takes the path given to ``load_dataset`` (or None). It returns
            a frame (see ``from_frame``), the path of a file (see ``from_file``), a dataset with steps of its
            own, or a source that reads its interactions only when somebody needs them
            (``omnibench.data.dataset.Source``).

    Raises:
        DataError: It is no function, or omnibench has a dataset of that name itself.
    """
    label: Any = name
    argument: Any = loader
    if not isinstance(label, str) or not label.strip():
        raise DataError(f"register_dataset got the name {name!r}; give a text, e.g. 'Shop'.")
    if not callable(argument):
        raise DataError(
            f"register_dataset({name!r}, ...) got {type(loader).__name__}; give a function that returns it, e.g. "
            f"register_dataset({name!r}, lambda: frame)."
        )
    if name in _BUILT_IN:
        raise DataError(f"omnibench has a dataset named {name!r} itself; choose another name.")
    _LOADERS[name] = loader


def dataset_names() -> list[str]:
    """Return the names that ``load_dataset`` takes beside those of the catalogue, in alphabetical order."""
    return sorted(_LOADERS)


@checked_call
def load_dataset(name: str, path: str | Path | None = None) -> RecSysDataSet:
    """Return a dataset by name. Nothing is read or downloaded yet: that is done where its key or its rows are asked for.

    A data set of the catalogue is downloaded once for all projects of a user, from the first source that has it, checked
    against its digest and its counts, and kept as it was read. One with a published split has that split.

    Args:
        name: A name of the catalogue (`omnibench data list` has them), or one that was given to ``register_dataset``.
        path: Where a copy lies, when you have one, relative as in ``from_file``: the file as its makers publish it, what was
            in it, or a folder that has it. It does not change the key.

    Raises:
        DataError: The name is unknown or means several data sets, there is nothing at the path, or a registered loader
            returned no dataset.
    """
    name, loader = _loader_of(name)
    problem = "" if path is None else overlong_name(path)
    if problem:
        raise DataError(f"{name}: {problem}; check the path, or leave it out.")
    paths = [] if path is None else absolute_paths(path)
    local = next((candidate for candidate in paths if candidate.exists()), None)
    if paths and local is None:
        raise DataError(f"{name}: there is nothing at {either(paths)}; check the path, or leave it out.")
    return _dataset_of(_loaded(loader, name, local), name)


def _loader_of(name: str) -> tuple[str, Loader]:
    """Return the loader of a name, and the name of what it loads: registered ones come first, then the catalogue.

    Raises:
        DataError: There is none, or several are meant.
    """
    label: Any = name
    if not isinstance(label, str):
        raise DataError(f"there is no dataset named {name!r}; give a text, e.g. 'MovieLens100K'.")
    if name in _LOADERS:
        return name, _LOADERS[name]
    from omnibench.data.catalogue.names import definition  # which bench files with data of their own do not need

    try:
        entry = definition(name)
    except DataError as error:
        registered = nearest(name, _LOADERS.keys() - _BUILT_IN.keys())
        raise DataError(f"{error} Of registered ones{registered}" if registered else str(error)) from None
    if entry.name in _BUILT_IN:
        return entry.name, _BUILT_IN[entry.name]
    from omnibench.data.catalogue.loading import catalogue_source  # which few runs need, and imports much

    return entry.name, lambda path: catalogue_source(entry, path)


def _loaded(loader: Loader, name: str, path: Path | None) -> Any:
    """Call a loader, with the path if it takes one."""
    try:
        signature = inspect.signature(loader)
    except (TypeError, ValueError):  # written in C: nothing is known
        return loader(path)
    for arguments in ((path,), ()):
        try:
            signature.bind(*arguments)
        except TypeError:
            continue
        if path is not None and not arguments:
            raise DataError(f"{name}: its loader takes no path; leave {str(path)!r} out, or let the loader take it.")
        return loader(*arguments)
    raise DataError(f"{name}: its loader has the arguments {signature}; let it take a path, or nothing.")


def _dataset_of(loaded: Any, name: str) -> RecSysDataSet:
    """Make a dataset of what a loader returned, under the name that it is registered by."""
    if isinstance(loaded, RecSysDataSet):
        return RecSysDataSet(loaded.source, name, loaded.steps, loaded.seed, features=loaded.features)
    if isinstance(loaded, str | Path):
        from omnibench.data.from_file import from_file  # which imports every format of file

        return from_file(loaded, name)
    missing = [member for member in ("load", "columns", "fingerprint") if member not in dir(loaded)]
    if not missing:  # told without pandas, which runs that find everything done do not import
        return RecSysDataSet(loaded, name)
    if is_table(loaded) or is_sparse_matrix(loaded):
        return from_frame(loaded, name)
    raise DataError(
        f"{name}: its loader returned {type(loaded).__name__}; return a frame with the columns user and item, the path "
        f"of a file, a dataset, or a source (which needs {', '.join(missing)})."
    )

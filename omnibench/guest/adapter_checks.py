"""What an adapter from outside of omnibench returns, checked where it returns it, with words for whoever wrote it."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .messages import packed
from .packages import PackageFinder

_PACKAGE = "omnibench"


def imported(name: str, package: Sequence[str] = ()) -> Any:
    """Import an adapter that is not beside this module, and check what it returns from now on.

    Args:
        name: The full name of a module, the path of a file, or that of the description of a program.
        package: Of a file within a package the folder that the package lies in, and its full name.
    """
    if name.endswith(".toml"):
        return CheckedAdapter(importlib.import_module(f"{__package__}.program").Program(Path(name)))
    if name.partition(".")[0] == _PACKAGE and importlib.util.find_spec(_PACKAGE) is None:
        _load_package()
    return CheckedAdapter(_of_file(Path(name), *package) if name.endswith(".py") else importlib.import_module(name))


def _load_package() -> None:
    """Import omnibench itself from where it lies, in an environment that does not have it, and nothing else from there."""
    folder = Path(__file__).parents[1]
    spec = importlib.util.spec_from_file_location(
        _PACKAGE, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    sys.modules[_PACKAGE] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


def _of_file(path: Path, folder: str = "", package: str = "") -> Any:
    """Import a file under a private name: its own may be that of the framework which it imports."""
    name = f"omnibench_adapter_{path.stem}"
    if package:  # its other modules can be imported: by dots, and by the name of the package where nothing else has it
        name = f"{package}.{name}"
        sys.meta_path.append(PackageFinder(package.partition(".")[0], Path(folder)))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where pickle finds the classes of models
    spec.loader.exec_module(module)
    return module


def described(adapter: Any) -> dict[str, Any]:
    """Return the version and the algorithms of an adapter, and those that it says not to run where it says so."""
    refused: dict[str, str] = getattr(adapter, "refused", dict)()
    catalogue = {"version": adapter.version(), "algorithms": adapter.catalogue()}
    return catalogue | ({"refused": refused} if refused else {})


class CheckedAdapter:
    """An adapter whose answers are checked.

    Args:
        module: The adapter.
    """

    def __init__(self, module: Any) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._module, name)
        checked = _CHECKED.get(name)
        return function if checked is None else checked(function)


def _fit(fit: Callable[..., Any]) -> Callable[..., Any]:
    def checked(task: Any, fold: Any) -> Any:
        answer = fit(task, fold)
        if not isinstance(answer, tuple) or len(answer) != 2 or not isinstance(answer[1], Mapping):  # noqa: PLR2004 - a pair
            raise TypeError(
                f"fit returned {_described(answer)}; return the model and a dictionary of all hyperparameters in effect: "
                "`return model, parameters`"
            )
        return answer[0], {name: _recordable(repr(name), value) for name, value in answer[1].items()}

    return checked


def _recordable(label: str, value: Any) -> Any:
    """Return a hyperparameter in Python's own types, with whatever is in it; ``label`` says where it stands."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Mapping) and all(isinstance(name, str | int) for name in value):
        return {name: _recordable(f"{label}[{name!r}]", inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_recordable(f"{label}[{place}]", inner) for place, inner in enumerate(value)]
    if not _is_recordable(value):
        raise TypeError(
            f"fit returned the hyperparameter {label} as {_described(value)}, which cannot be recorded; return numbers, texts, "
            "truth values, None, and lists or dictionaries of these (of an array `array.tolist()`, of a set `sorted(...)`)"
        )
    return value


def _is_recordable(value: Any) -> bool:
    if isinstance(value, bytes | bytearray | set | frozenset):  # a message may have them, a record may not
        return False
    try:
        packed({"": value})
    except TypeError:
        return False
    return True


def _save(save: Callable[..., Any]) -> Callable[..., Any]:
    def checked(model: Any, directory: Path) -> Path:
        answer = save(model, directory)
        path = Path(answer) if isinstance(answer, str | Path) else None
        if path is None or path.parent != directory or not path.is_file():
            there = sorted(file.name for file in directory.iterdir())
            raise TypeError(
                f"save returned {_described(answer)}, and there {'are ' + ', '.join(there) if there else 'is nothing'} in {directory}; "
                'write one file into that directory, which save is called with, and return its path: `directory / "model.npz"`'
            )
        if _MODEL_FILE.fullmatch(path.name) is None:
            raise TypeError(
                f"save wrote {path.name!r}; call it model.<ext>, e.g. `directory / {'model' + (path.suffix or '.bin')!r}`: letters, "
                "digits and any of _.+-"
            )
        return path

    return checked


_MODEL_FILE = re.compile(r"model[\w.+-]*")
"""What a record may name as the file of a model; see ``store.file_forms.ITEM_FILE``."""


def _batches(name: str, noun: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def of(function: Callable[..., Any]) -> Callable[..., Any]:
        def checked(model: Any, task: Any, fold: Any) -> Iterator[Any]:
            batches = function(model, task, fold)
            if not hasattr(batches, "__iter__") or isinstance(batches, np.ndarray):
                raise TypeError(f"{name} returned {_described(batches)}; {_ADVICE.format(noun)}")
            start = 0
            for batch in batches:
                if not isinstance(batch, tuple) or len(batch) != 2:  # noqa: PLR2004 - a pair
                    raise TypeError(f"{name} yielded {_described(batch)}; {_ADVICE.format(noun)}")
                users = np.asarray(batch[0])
                if not np.array_equal(users, fold.users[start : start + len(users)]):
                    raise ValueError(f"{name} yielded other users than fold.users has there; {_ADVICE.format(noun)}")
                start += len(users)
                yield users, batch[1]

        return checked

    return of


_ADVICE = (
    "yield pairs of users and their {}, some users at a time, in the order of fold.users: "
    "`yield fold.users[start:end], ...`"
)


def _rate(rate: Callable[..., Any]) -> Callable[..., Any]:
    def checked(model: Any, task: Any, fold: Any) -> Any:
        ratings = np.asarray(rate(model, task, fold))
        if ratings.shape != (len(fold.test),) or ratings.dtype.kind not in "fiu":
            raise TypeError(
                f"rate returned {_described(ratings)}; return one number for each of the {len(fold.test)} rows of fold.test"
            )
        return ratings

    return checked


_CHECKED: dict[str, Callable[[Callable[..., Any]], Callable[..., Any]]] = {
    "fit": _fit,
    "save": _save,
    "score": _batches("score", "scores, an array of users x fold.n_items"),
    "lists": _batches("lists", "lists"),
    "rate": _rate,
}


def _described(answer: Any) -> str:
    """Return what something is, in few words."""
    if isinstance(answer, np.ndarray):
        return f"an array of shape {answer.shape} and type {answer.dtype}"
    if isinstance(answer, tuple):
        return f"a tuple of {len(answer)} ({', '.join(type(element).__name__ for element in answer)})"
    if isinstance(answer, Path):
        return repr(str(answer))
    return repr(answer) if answer is None or isinstance(answer, str | int | float) else type(answer).__name__

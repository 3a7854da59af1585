"""What ``omnibench data describe`` is asked for: a data set by its name, a file of interactions, or a bench file."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import json
import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from glob import has_magic
from pathlib import Path
from types import ModuleType
from typing import Any

import omnibench
from omnibench.data.apply import Apply
from omnibench.data.dataset import RecSysDataSet
from omnibench.data.from_file import from_file
from omnibench.data.loaders import load_dataset
from omnibench.data.readers.keys import OPTION_TYPES
from omnibench.data.step import Step
from omnibench.errors import DataError, nearest
from omnibench.paths import expanded, relative_to
from omnibench.terminal import command_line

_BENCH_SUFFIX = ".py"


def datasets_of(target: str, options: Sequence[str], steps: Sequence[str]) -> list[RecSysDataSet]:
    """Return the datasets that a command line names.

    Args:
        target: The name of a data set, or the path of a file or of a bench file.
        options: How the file is read: arguments of ``from_file`` as ``key=value``.
        steps: Steps to be applied, as they are written in Python.

    Raises:
        DataError: There is no such data set or file, or an option or step is none.
    """
    path = expanded(target)
    if path.suffix == _BENCH_SUFFIX and path.is_file():
        if options:
            raise DataError(f"--read {options[0]}: {target} says itself how its files are read; leave the option out.")
        datasets = _of_bench_file(path)
    elif (path.exists() and not _is_name(target)) or has_magic(target):
        datasets = [_of_file(target, path, _options(options))]
    else:
        if options or path.suffix or os.sep in target:
            raise DataError(f"there is no file {str(path)!r}; check the path, or give the name of a data set.")
        datasets = [load_dataset(target)]
    applied = [_step(text) for text in steps]
    return [dataset.pipe(*applied) for dataset in datasets]


def _is_name(target: str) -> bool:
    """Whether a text is a data set's name, even where a file or folder of that name lies here; ``./name`` is the file."""
    from omnibench.data.catalogue.names import definitions

    return target in definitions()


def _of_file(target: str, path: Path, options: Mapping[str, Any]) -> RecSysDataSet:
    """Return the dataset of a file.

    Args:
        target: The path as the command line has it.
        path: The path.
        options: How the file is read.

    Raises:
        DataError: It cannot be read; a call that the error proposes is added as a command, on a line of its own, so that
            it can be copied.
    """
    try:
        return from_file(path, **options)
    except DataError as error:
        proposal = _as_options(str(error))
        if not proposal:
            raise
        command = command_line("omnibench", "data", "describe", target, *proposal)
        raise DataError(f"{error} On the command line:\n  {command}") from error


def _as_options(message: str) -> list[str]:
    """Return the call of ``from_file`` that an error proposes as options of the command line; nothing where none does."""
    start = message.rfind("from_file(")
    ends = [index + 1 for index, letter in enumerate(message) if letter == ")" and index > start >= 0]
    for end in ends:
        with suppress(SyntaxError, ValueError):
            call = ast.parse(message[start:end], mode="eval").body
            assert isinstance(call, ast.Call)
            values = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
            pairs = [
                f"{name}={value if isinstance(value, str) and value.isprintable() else json.dumps(value, ensure_ascii=False)}"
                for name, value in values.items()
            ]
            return [word for pair in pairs for word in ("--read", pair)]
    return []


def _options(texts: Iterable[str]) -> dict[str, Any]:
    """Return arguments of ``from_file`` of their texts: Python's literals, and texts without quotation marks.

    Raises:
        DataError: One has no value, or ``from_file`` has none of its name.
    """
    parameters = inspect.signature(from_file).parameters
    names = [
        name for name, parameter in parameters.items() if name != "path" and parameter.kind != parameter.VAR_KEYWORD
    ]
    if len(names) < len(parameters) - 1:  # it takes the options of every format
        names += [name for name in OPTION_TYPES if name not in names]
    options: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise DataError(f"--read {text}: give key=value, e.g. --read separator=';'.")
        if name not in names:
            raise DataError(
                f"--read {text}: from_file has no {name!r}{nearest(name, names)}; it has {', '.join(names)}."
            )
        options[name] = _value(value)
    return options


def _value(text: str) -> Any:
    """Return a value as JSON or Python has it, and any other text as it is: ``[1, 99]``, ``None``, ``true``, ``::``."""
    for parse in (json.loads, ast.literal_eval):
        with suppress(ValueError, SyntaxError):
            return parse(text)
    return text.encode().decode("unicode_escape") if text.startswith("\\") else text  # \t, as shells give it


def _step(text: str) -> Step:
    """Return the step that a text is, such as ``UserHoldout(test_size=0.2)``; nothing but omnibench's steps is called.

    Raises:
        DataError: It is none.
    """
    try:
        call = ast.parse(text.strip(), mode="eval").body
        if isinstance(call, ast.Name):
            call = ast.Call(call, [], [])
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            raise TypeError("it is no call")  # noqa: TRY301 - as what Python says of it
        name = call.func.id
        step_class: Any = getattr(omnibench, name, None)
        if not _is_step(step_class):
            steps = [public for public in dir(omnibench) if _is_step(getattr(omnibench, public))]
            raise DataError(
                f"--pipe {text}: there is no step {name!r}{nearest(name, steps)}; there are {', '.join(steps)}."
            )
        positional = [ast.literal_eval(argument) for argument in call.args]
        named = {keyword.arg or "": ast.literal_eval(keyword.value) for keyword in call.keywords}
        step: Step = step_class(*positional, **named)
    except (SyntaxError, ValueError, TypeError) as error:
        raise DataError(
            f"--pipe {text}: it is no step ({error}); write it as in Python, e.g. --pipe 'UserHoldout(test_size=0.2)'."
        ) from error
    return step


def _is_step(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, Step) and value is not Apply


@contextmanager
def modules_put_back() -> Iterator[None]:
    """Forget the modules that a bench file and what it imports from beside it have become, once its datasets are described.

    Whoever runs several commands in a process would otherwise get the modules of the first project in the second.
    """
    before = dict(sys.modules)
    try:
        yield
    finally:
        packages = {name.partition(".")[0] for name in before}
        for name, module in list(sys.modules.items()):
            if name in before:
                sys.modules[name] = before[name]
            elif name.partition(".")[0] not in packages and not _is_installed(module):
                del sys.modules[name]


def _is_installed(module: ModuleType) -> bool:
    """Whether a module belongs to Python or to an installed package."""
    file = getattr(module, "__file__", None)
    paths = (sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    return file is None or any(Path(file).is_relative_to(path) for path in paths)


def _of_bench_file(path: Path) -> list[RecSysDataSet]:
    """Import a bench file, and return the datasets in it.

    Raises:
        DataError: It cannot be imported, or has none.
    """
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent))  # as pytest does, for what it imports from beside it
    sys.modules[path.stem] = module
    try:
        with relative_to(path):
            spec.loader.exec_module(module)
    except Exception as error:
        raise DataError(f"{path} cannot be imported: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(path.parent))
    datasets = {id(dataset): dataset for value in vars(module).values() for dataset in _within(value)}
    if not datasets:
        raise DataError(
            f"{path} has no dataset; give one a name at the top level of the file, e.g. data = from_file(...)."
        )
    return list({(dataset.name, dataset.key): dataset for dataset in datasets.values()}.values())


def _within(value: Any) -> Iterator[RecSysDataSet]:
    """Yield the datasets that a name of a module stands for: itself, what a collection has, what a benchmark declares."""
    if isinstance(value, RecSysDataSet):
        yield value
    elif isinstance(value, Mapping):
        yield from (dataset for inner in value.values() for dataset in _within(inner))
    elif isinstance(value, list | tuple | set | frozenset):
        yield from (dataset for inner in value for dataset in _within(inner))
    elif hasattr(value, "__omnibench__"):
        yield from _within(value.__omnibench__.datasets)

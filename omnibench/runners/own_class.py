"""Import a user's class in a guest: as the host found it, and in the state that its key describes."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import linecache
import re
import sys
from collections.abc import Iterable
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from omnibench.code.files import content_digest
from omnibench.code.identity import Identity, identify
from omnibench.code.parsed import Signature, signature_of
from omnibench.code.resolve import Origin, origin_of
from omnibench.paths import relative_to
from omnibench.runners.own_calls import explaining_missing_packages

_loaded: dict[str, Signature] = {}
"""The state of each file of the project when this process had imported it."""

_FILES = "files"
"""What the description of a class has where it runs in an environment of its own: the sums of its files."""

_seen: set[str] = set()
"""The names of the modules that were looked at for that."""

_last_seen: tuple[int, str] = 0, ""
"""How many modules there were then, and the one that was imported last."""


class _Checked(NamedTuple):
    """A class whose code was compared with that in the key, and the files that it was read from."""

    algorithm: type
    files: tuple[Path, ...]

    @property
    def holds(self) -> bool:
        """Whether it is still what its module calls so, of files that nobody has changed."""
        module = sys.modules.get(self.algorithm.__module__)
        return getattr(module, self.algorithm.__name__, None) is self.algorithm and not _is_stale(self.files)


_checked: dict[str, _Checked] = {}
"""By what the host says of them: each Fit of a class asks, and to read its code takes longer than some Fits."""


def find(locator: str) -> type:
    """Import the class that the host describes in JSON, and check that its code is the code in the key.

    A process that imported it, or what it uses, before a file was changed imports all of the project's modules again.

    Raises:
        RuntimeError: A file has changed since the host read it.
    """
    description = json.loads(locator)
    sys.path[:] = [*description["path"], *(folder for folder in sys.path if folder not in description["path"])]
    if _FILES in description:
        return _of_another_environment(description)
    checked = _checked.get(locator)
    if checked is not None and checked.holds:
        _remember(checked.files)
        return checked.algorithm
    algorithm = _imported(description)
    identity = _identity(algorithm, description)
    if _is_stale(identity.files):
        _forget_project()
        algorithm = _imported(description)
        identity = _identity(algorithm, description)
    _remember(identity.files)
    codes = {description.get("code"), description.get("other_code")} - {None, ""}
    if codes and not codes & {identity.code, identity.before}:
        raise _changed(_origin(description))
    if not hasattr(algorithm, "depends_on"):  # which may name files of data, and what they hold is in the key
        _checked[locator] = _Checked(algorithm, identity.files)
    return algorithm


def has_own_environment(locator: str) -> bool:
    """Return whether the host describes a class that runs in an environment of its own."""
    return _FILES in json.loads(locator)


def _of_another_environment(description: dict[str, Any]) -> type:
    """Import a class whose key the host has made with other libraries, and perhaps another Python: its files are compared.

    Raises:
        RuntimeError: As ``find``.
    """
    digests = {Path(name): digest for name, digest in description[_FILES].items()}
    if _is_stale(digests):
        _forget_project()
    for file, digest in digests.items():
        if not file.is_file() or content_digest(file) != digest:
            raise _changed(str(file))
    with explaining_missing_packages(_origin(description), is_isolated=True):
        algorithm = _imported(description)
    _remember(digests)
    return algorithm


def _changed(origin: str) -> RuntimeError:
    return RuntimeError(
        f"{origin} has changed since this run began, or a file that it uses has; the result would be recorded for the old "
        "code. Run again."
    )


def _imported(description: dict[str, Any]) -> type:
    if "source" in description:
        module = _module_of_cells(description)
    else:
        with relative_to(Path(description["file"])):  # which may make datasets when it is imported
            module = _module(description["module"], description["file"])
    algorithm: type = getattr(module, description["name"])
    return algorithm


def _identity(algorithm: type, description: dict[str, Any]) -> Identity:
    return identify(algorithm, source=description.get("source", ""))


def _origin(description: dict[str, Any]) -> str:
    return str(description["file"] or f"the notebook's class {description['name']}")


def _module(name: str, file: str) -> ModuleType:
    """Import a module by name if sys.path finds the same file, else from the file under a private name."""
    private_name = "omnibench_own_" + re.sub(r"\W", "_", name)
    if private_name in sys.modules:
        return sys.modules[private_name]
    try:
        spec = importlib.util.find_spec(name) if name != "__main__" else None
    except (ImportError, ValueError):
        spec = None
    if spec is not None and spec.origin is not None and Path(spec.origin).resolve() == Path(file):
        return importlib.import_module(name)
    # The loader is named, since a script's name may end with anything.
    spec = importlib.util.spec_from_file_location(private_name, file, loader=SourceFileLoader(private_name, file))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[private_name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[private_name]
        raise
    return module


def _module_of_cells(description: dict[str, Any]) -> ModuleType:
    """Make a module of the source of a notebook's class.

    Its name follows from the key, so that a model of the same code can be read back in another process.
    """
    source = description["source"]
    identity = f"{description['name']} {description.get('code', '')}"
    name = "omnibench_cells_" + hashlib.sha256(identity.encode()).hexdigest()[:16]
    module = sys.modules.get(name)
    if module is not None and vars(module)["__source__"] == source:
        return module
    module = ModuleType(name)
    vars(module)["__source__"] = source
    file = f"<cells of {description['name']}>"
    linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file  # for tracebacks
    sys.modules[name] = module
    try:
        exec(compile(source, file, "exec"), vars(module))  # noqa: S102 - the user's own class, from the user's notebook
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _is_stale(files: Iterable[Path]) -> bool:
    """Whether a file has changed since this process imported it."""
    return any(_loaded.get(str(file), signature) != signature for file, signature in _states(files))


def _states(files: Iterable[Path]) -> Iterable[tuple[Path, Signature]]:
    for file in files:
        try:
            yield file, signature_of(file)
        except OSError:
            continue


def _remember(files: Iterable[Path]) -> None:
    """Note the state of the project's files that are imported now, whatever class needed them."""
    global _last_seen  # noqa: PLW0603 - as the module's other notes
    latest = len(sys.modules), next(reversed(sys.modules))
    added = sys.modules.keys() - _seen if latest != _last_seen else set()  # of hundreds, at each Fit
    _seen.update(added)
    _last_seen = latest
    imported = (getattr(sys.modules.get(name), "__file__", None) for name in added)
    ours = {file for file in imported if file and origin_of(Path(file)) is Origin.PROJECT} | set(map(str, files))
    for file, signature in _states(map(Path, ours - _loaded.keys())):
        _loaded[str(file)] = signature


def _forget_project() -> None:
    """Have the project's modules imported anew when they are needed next."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        is_ours = file is not None and origin_of(Path(file)) is Origin.PROJECT and name != "__main__"
        if is_ours or name.startswith("omnibench_cells_"):
            del sys.modules[name]
    global _last_seen  # noqa: PLW0603 - as the module's other notes
    _loaded.clear()
    _checked.clear()
    _seen.clear()
    _last_seen = 0, ""
    importlib.invalidate_caches()

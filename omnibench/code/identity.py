"""The identity of a user's class or function: its version, or a digest of what its results depend on."""

from __future__ import annotations

import hashlib
import inspect
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omnibench.caller_warnings import warn_caller
from omnibench.code.closure import Closure
from omnibench.code.files import content_digest, named_files
from omnibench.code.parsed import ParsedModule, parsed
from omnibench.code.resolve import Origin, origin_of
from omnibench.errors import PlanError

Definition = type | Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Identity:
    """What identifies the code of a class or function.

    Attributes:
        code: Its ``version``, or the digest of its source and of what that uses.
        before: The digest that earlier releases made of the same code, where that is another one; else empty.
        unfollowed: What it may depend on, but no reader of its source can follow.
        files: The source files that were read for it.
        source: The whole source as a module of its own, where it has no file: it stands in a notebook's cells.
    """

    code: str
    before: str = ""
    unfollowed: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    source: str = ""


def identify(definition: Definition, source: str = "", pins: Mapping[str, str] | None = None) -> Identity:
    """Return the identity of a class or function, without a warning; see ``omnibench.code.code_of``.

    Args:
        definition: The class or function.
        source: The source of its module, where that has no file and is known already.
        pins: The versions of libraries, where it runs in another environment than this process; None in this one.

    Raises:
        PlanError: The source or a file cannot be read.
    """
    name = getattr(definition, "__qualname__", "")
    version = getattr(definition, "__dict__", {}).get("version")
    if isinstance(version, str | int | float):  # a method or property of that name says nothing stable
        return Identity(f"version {version}", source=source or _source_of_cells(definition))
    if not isinstance(definition, type) and not inspect.isfunction(definition):
        raise PlanError(f"{definition!r} is no function with a source; give one that a `def` makes, or a `version`.")
    file = source_file(definition)
    if file is None:
        source = source or _cell_source(definition)
    try:
        module = ParsedModule(source) if file is None else parsed(file)
    except (OSError, SyntaxError) as error:
        raise _unreadable(definition, str(error)) from error
    top = name.partition(".")[0]
    if top not in module.definitions or "<locals>" in name:
        raise _unreadable(definition, "it is not defined at the top level of its file")
    closure = Closure(module, file, top, pins)
    names, files = _depends_on(definition, file)
    extras = [
        *closure.extras,
        *sorted(closure.distributions),
        *(f"file {label} {content_digest(path)}" for label, path in files),
    ]
    text, before = closure.root.text(), closure.root.full_text()
    code = _digest("\n".join([text, *extras]) if extras else text)
    return Identity(
        code,
        before="" if extras or before == text else _digest(before),
        unfollowed=() if names else tuple(closure.unfollowed),
        files=tuple(closure.files),
        source=source,
    )


def module_digest(file: Path) -> str:
    """Return a digest of a module and of what it uses of its project, without importing it.

    Raises:
        PlanError: It cannot be read.
    """
    try:
        closure = Closure(parsed(file), file, "")
    except (OSError, SyntaxError) as error:
        raise PlanError(f"{file} cannot be read ({error}).") from error
    return _digest("\n".join([closure.root.text(), *closure.extras]))


_warned: set[tuple[str, tuple[str, ...]]] = set()

_FIRST_WORKER = "gw0"


def warn_of_unfollowed(definition: Definition, identity: Identity) -> None:
    """Say once what a key does not cover.

    Args:
        definition: The class or function.
        identity: What was made of it.
    """
    name = f"{definition.__module__}.{definition.__qualname__}"
    if not identity.unfollowed or (name, identity.unfollowed) in _warned:
        return
    if os.environ.get("PYTEST_XDIST_WORKER", _FIRST_WORKER) != _FIRST_WORKER:
        return  # all workers read the same files
    _warned.add((name, identity.unfollowed))
    is_class = isinstance(definition, type)
    attribute = "" if is_class else f"{definition.__name__}."
    warn_caller(
        f"{definition.__qualname__}: its key does not cover {'; '.join(identity.unfollowed)}, so old results are used "
        f"when that changes. Name the files that it is made of, {attribute}depends_on = [...], or give a version and "
        f"raise it then: {attribute}version = 1."
    )


def source_file(definition: Definition) -> Path | None:
    """Return the file that a class or function is defined in, or None where that is no file."""
    module = sys.modules.get(definition.__module__)
    name = getattr(module, "__file__", None)
    if module is not None and name is None:  # a notebook, even where a debugger has written its cells into files
        return None
    if not isinstance(definition, type):
        code = getattr(inspect.unwrap(definition), "__code__", None)
        name = name if code is None else code.co_filename
    return Path(name) if name is not None and Path(name).is_file() else None


def _source_of_cells(definition: Definition) -> str:
    """Return the source of a class of a notebook, which its guest needs whatever identifies it."""
    if not isinstance(definition, type) or source_file(definition) is not None:
        return ""
    return _cell_source(definition)


def _cell_source(definition: Definition) -> str:
    from omnibench.code.cells import cell_source  # few runs have classes of notebooks

    return cell_source(definition)


def _depends_on(definition: Definition, file: Path | None) -> tuple[bool, list[tuple[str, Path]]]:
    """Return whether a class, a base of it or a function names files, and the files."""
    holders = definition.__mro__ if isinstance(definition, type) else (definition,)
    files, is_named = [], False
    for holder in holders:
        if "depends_on" in vars(holder):
            home = file if holder is definition else source_file(holder)
            if home is not None and origin_of(home) is not Origin.PROJECT:
                continue
            is_named = True
            folder = Path.cwd() if home is None else home.parent
            files += named_files(vars(holder)["depends_on"], folder, definition.__qualname__)
    return is_named, sorted(set(files))


def _unreadable(definition: Definition, reason: str) -> PlanError:
    return PlanError(
        f"the source of {definition.__qualname__} cannot be read ({reason}); give it a `version` attribute "
        "so that its results can be told apart."
    )


def _digest(text: str) -> str:
    return "source " + hashlib.sha256(text.encode()).hexdigest()

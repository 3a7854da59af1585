"""Directories: the user's cache, for everything that is not a result, and where relative paths of data begin."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from omnibench.errors import OmnibenchError
from omnibench.owners import who_can_write

MOST_BYTES = 255
"""Of the name of a file or directory, on the file systems that people have."""

_CONFTEST = "conftest.py"
_importing: list[Path] = []
"""The directories of the bench files that are being imported, the innermost last."""


def cache_directory() -> Path:
    """Return ``OMNIBENCH_CACHE_DIR``, or omnibench's folder in the user's cache directory.

    Raises:
        OmnibenchError: Other users can write into it.
    """
    override = os.environ.get("OMNIBENCH_CACHE_DIR")
    if override:
        return _trusted(expanded(override))
    import platformdirs

    return _trusted(platformdirs.user_cache_path("omnibench"))


_trusted_caches: set[Path] = set()


def _trusted(cache: Path) -> Path:
    """Refuse a cache that other users can write: it has programs that are run, and numbers that are believed."""
    if cache not in _trusted_caches:
        for directory in (cache, cache / "envs"):
            if writers := who_can_write(directory):
                raise OmnibenchError(
                    f"the cache directory {str(directory)!r} {writers}, and programs are run from there. Set OMNIBENCH_CACHE_DIR to "
                    "a directory of yours."
                )
        _trusted_caches.add(cache)
    return cache


@contextmanager
def relative_to(file: Path) -> Iterator[None]:
    """Let relative paths of data begin beside a file while that is imported."""
    _importing.append(file.parent)
    try:
        yield
    finally:
        _importing.pop()


def absolute_paths(path: str | Path) -> list[Path]:
    """Return the absolute paths that a path of data may mean, the first choice first.

    A relative one is looked for beside the bench file that is being imported, or beside the ``conftest.py`` that asks
    for it, and then in the working directory.
    """
    bases = [*_importing[-1:], *_conftest_directories()][:1]
    return list(dict.fromkeys(expanded(path, base) for base in [*bases, Path.cwd()]))


def short_path(path: Path) -> str:
    """Return an absolute path of data as a call would name it: relative where ``absolute_paths`` would find it so."""
    base = next((base for base in absolute_paths(".") if path.is_relative_to(base)), None)
    return str(path if base is None else path.relative_to(base))


def either(paths: Sequence[Path]) -> str:
    """Return paths that may be meant for a sentence, e.g. ``'/here/a.csv' or '/there/a.csv'``."""
    return " or ".join(repr(str(path)) for path in paths)


def expanded(path: str | os.PathLike[str], base: Path | None = None) -> Path:
    """Return a path as an absolute one, whose leading ``~`` or ``~user`` is a home directory: no shell may have seen it.

    Where there is no such user, and in ``./~``, that is a name like any other, and so is ``$NAME`` anywhere.

    Args:
        path: The path, as somebody has written it.
        base: Where a relative one begins; the working directory by default.
    """
    if not os.fspath(path).isprintable():
        from omnibench.terminal import note_names  # which is slow to import, and hardly ever needed

        note_names(path)
    return Path(os.path.join(base or os.getcwd(), os.path.expanduser(path)))


def overlong_name(path: str | Path) -> str:
    """Return the first name in a path that no file system takes, shortened for a message; nothing when there is none."""
    for part in Path(path).parts:
        size = len(os.fsencode(part))
        if size > MOST_BYTES:
            return f"the name {part[:20]}... has {size} bytes, and at most {MOST_BYTES} are possible"
    return ""


def dangling(path: str | Path) -> str:
    """Return which link on the way to a path leads nowhere, in words for a message; nothing when there is none."""
    for step in (Path(path), *Path(path).parents):
        if os.path.islink(step) and not os.path.exists(step):
            return f"{str(step)!r} is a link to {os.readlink(step)!r}, which does not exist"
    return ""


def _conftest_directories() -> Iterator[Path]:
    """Yield the directory of each ``conftest.py`` whose code is running, the innermost first."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - pytest imports these files without a hook
    while frame is not None:
        if frame.f_code.co_filename.endswith(_CONFTEST):
            yield Path(frame.f_code.co_filename).parent
        frame = frame.f_back


def remember(path: Path, text: str) -> None:
    """Write a file of the cache directory, in one step and without a word where that fails: it is a convenience."""
    partial = path.with_suffix(f".{os.getpid()}")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.write_text(text, encoding="utf-8")
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

"""Nothing in a store runs: pytest finds neither tests nor conftest files in one, whoever has put them there."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from omnibench.plugin.lines import usage_error
from omnibench.plugin.settings import checkpoint_dir

_MARKER = "STORE.json"
_PARTS = (_MARKER, "store/cache.db", "leases/store.lock")
"""What only a store has (see ``store.ownership``); of the checkpoint directory each of them is enough."""
_LARGEST_MARKER = 4096


class StoreDirectory(pytest.Collector):
    """A store that pytest has come across: there is nothing to collect in it."""

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        """Return nothing."""
        return []


def store_directory(path: Path, parent: pytest.Collector) -> StoreDirectory | None:
    """Return the collector of a directory that is a store, or lies in one where pytest begins; None of any other."""
    begun = (path, *path.parents) if isinstance(parent, pytest.Session) else (path,)
    for directory in begun:
        if _is_marked(directory) or _is_checkpoint_dir(directory, parent.config):
            if directory in _started_in(parent.config):  # somebody keeps the bench files there
                return None
            return StoreDirectory.from_parent(parent, name=path.name, path=path)
    return None


def refuse_conftest_files(config: pytest.Config) -> None:
    """Refuse a conftest file in a store that pytest would run before it collects.

    Args:
        config: What pytest knows when it looks for them: below the paths that it is given also in ``test*``.

    Raises:
        pytest.UsageError: There is one.
    """
    if config.known_args_namespace.noconftest:
        return
    started_in = _started_in(config)
    seen: set[Path] = set()
    for beginning in _beginnings(config):
        for directory in (beginning, *beginning.parents):
            if directory in seen or directory in started_in:
                break
            seen.add(directory)
            stores = [beneath for beneath in (directory, *directory.parents) if _is_marked(beneath)]
            if os.path.isfile(directory / "conftest.py") and not started_in.issuperset(stores):
                raise usage_error(
                    f"{str(directory / 'conftest.py')!r} lies in the checkpoints {str(stores[0])!r}, and pytest would run "
                    "it: nothing in checkpoints is to run. Remove that file, or name other paths."
                )


def _beginnings(config: pytest.Config) -> Iterator[Path]:
    invoked = config.invocation_params.dir
    named = config.known_args_namespace.file_or_dir
    if not named:
        patterns = config.getini("testpaths")
        named = [path for pattern in patterns for path in glob.glob(pattern, root_dir=invoked, recursive=True)] or ["."]
    for name in named:
        path = Path(os.path.abspath(invoked / name.partition("::")[0]))
        if path.is_dir():
            yield path
            yield from (directory for directory in path.glob("test*") if directory.is_dir())
        elif path.exists():
            yield path.parent


def _started_in(config: pytest.Config) -> frozenset[Path]:
    invoked = config.invocation_params.dir
    return frozenset((invoked, *invoked.parents))


def _is_marked(directory: Path) -> bool:
    marker = os.path.join(directory, _MARKER)
    if not os.path.isfile(marker):
        return False
    try:
        with open(marker, "rb") as file:
            return b'"format"' in file.read(_LARGEST_MARKER)
    except OSError:
        return False


def _is_checkpoint_dir(directory: Path, config: pytest.Config) -> bool:
    return any(os.path.isfile(os.path.join(directory, part)) for part in _PARTS) and directory == checkpoint_dir(config)

"""``pytest -f`` (of pytest-xdist): what a run writes is no change that asks for another run."""

from __future__ import annotations

from pathlib import Path

import pytest

from omnibench.plugin.options import BASELINE, EXPORT, TMP_DIR
from omnibench.plugin.settings import checkpoint_dir, path_of


def written_paths(config: pytest.Config) -> frozenset[Path]:
    """Return the directories and files that a run writes, links resolved."""
    paths = [checkpoint_dir(config), *map(Path, EXPORT.paths(config))]
    paths += [path_of(option, config) for option in (TMP_DIR, BASELINE) if option.value(config)]
    return frozenset(path.resolve() for path in paths)


def watch_sources_only(config: pytest.Config) -> None:
    """Have xdist's look at the files pass over what a run writes; without that, every run would cause the next one."""
    from xdist import looponfail

    written = written_paths(config)
    names = {path.name for path in written}

    def is_written(path: Path) -> bool:
        return path.name in names and path.resolve() in written

    class SourceRecorder(looponfail.StatRecorder):  # type: ignore[misc]  # xdist's classes are seen as untyped
        """Notices changes of files, except for those that runs write."""

        def fil(self, path: Path) -> bool:
            return super().fil(path) and not is_written(path)

        def rec(self, path: Path) -> bool:
            return super().rec(path) and not is_written(path)

    looponfail.StatRecorder = SourceRecorder  # xdist has no other way to leave something out

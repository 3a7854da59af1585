"""Files that results are computed from: whoever writes to one, or puts another in its place, is noticed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from omnibench.errors import StoreError
from omnibench.store.artifacts import publish
from omnibench.store.durable_names import UnsyncedNames
from omnibench.store.schema import Artifact
from omnibench.store.watching import ChangedInputError, Inputs


def _rewrite(path: Path) -> None:
    path.write_bytes(b"other")


def _replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    other.replace(path)


def _grow(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"!")


def _touch(path: Path) -> None:
    os.utime(path, (0, 0))


def _link(path: Path) -> None:
    path.with_name("another name").hardlink_to(path)


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    """A file that was published in a store."""
    (tmp_path / "partial").write_bytes(b"12345")
    return publish(tmp_path / "partial", tmp_path / "final", tmp_path, UnsyncedNames())


@pytest.mark.parametrize("change", [_rewrite, _replace, _grow, Path.unlink])
def test_a_file_that_has_changed_is_named(artifact: Artifact, change: Callable[[Path], None], tmp_path: Path) -> None:
    """Also one in the place of another that holds the same: nobody knows which of the two was read."""
    inputs = Inputs(tmp_path, {})
    inputs.add([artifact])
    inputs.check()
    change(tmp_path / "final")
    with pytest.raises(ChangedInputError, match=r"^final changed while it was in use.*see to the disk$") as caught:
        inputs.check()
    assert caught.value.artifacts == [artifact]
    with pytest.raises(ChangedInputError):
        inputs.check()


@pytest.mark.parametrize("change", [_touch, _link])
def test_a_file_whose_content_is_the_same_has_not_changed(
    artifact: Artifact, change: Callable[[Path], None], tmp_path: Path
) -> None:
    """It is read once more, and then no longer."""
    inputs = Inputs(tmp_path, {})
    inputs.add([artifact])
    change(tmp_path / "final")
    inputs.check()
    inputs.check()


def test_a_file_counts_as_it_was_found_intact(artifact: Artifact, tmp_path: Path) -> None:
    """What has changed since then, before an item began to use it, is noticed as well."""
    stamps: dict[str, tuple[int, int, int, int, int] | None] = {"final": (0, 0, 5, 0, 0)}
    inputs = Inputs(tmp_path, stamps)
    inputs.add([artifact])
    with pytest.raises(ChangedInputError):
        inputs.check()


def test_a_file_that_is_written_to_while_it_is_published_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its digest would be that of another content."""
    partial = tmp_path / "partial"
    partial.write_bytes(b"12345")
    replace = os.replace

    def vandalised(path: Path, name: str, **options: Any) -> None:
        path.write_bytes(b"other")
        os.utime(path, (0, 0))
        replace(path, name, **options)

    monkeypatch.setattr(os, "replace", vandalised)
    with pytest.raises(StoreError, match="was written to while it was published"):
        publish(partial, tmp_path / "final", tmp_path, UnsyncedNames())

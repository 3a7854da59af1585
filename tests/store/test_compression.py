"""Compressed models: only what saves more time than it takes, and what is read is what was written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from omnibench.store.compression import (
    LEAST_BYTES,
    compress_where_it_pays,
    decompress,
    is_compressed,
    written_per_second,
)

SPARE = b"neighbours and zeros" * (LEAST_BYTES // 10)
DENSE = os.urandom(LEAST_BYTES)


def model(directory: Path, content: bytes) -> Path:
    """A model that a guest has just written."""
    path = directory / "model.pt"
    path.write_bytes(content)
    return path


def test_what_saves_more_than_it_takes_is_compressed(tmp_path: Path) -> None:
    """On a disk that is slow enough; nothing is left of the file that was not to be written."""
    compressed = compress_where_it_pays(model(tmp_path, SPARE), lambda _: 1e3)
    assert compressed == tmp_path / "model.pt.zst"
    assert is_compressed(compressed)
    assert compressed.stat().st_size < len(SPARE) / 10
    assert list(tmp_path.iterdir()) == [compressed]
    (tmp_path / "loaded").mkdir()
    plain = decompress(compressed, tmp_path / "loaded")
    assert plain == tmp_path / "loaded" / "model.pt"
    assert plain.read_bytes() == SPARE


@pytest.mark.parametrize(
    ("content", "speed"), [(SPARE, 1e15), (DENSE, 1e3), (SPARE[: LEAST_BYTES - 1], 1.0)], ids=["fast", "dense", "small"]
)
def test_everything_else_stays_as_it_is(tmp_path: Path, content: bytes, speed: float) -> None:
    """A disk that writes faster than that, floats that have nothing to spare, and small files."""
    path = model(tmp_path, content)
    assert compress_where_it_pays(path, lambda _: speed) == path
    assert path.read_bytes() == content


def test_a_second_name_costs_nothing(tmp_path: Path) -> None:
    """The model of the chosen trial is linked, not written again; and what is compressed stays so."""
    path = model(tmp_path, SPARE)
    os.link(path, tmp_path / "of_the_trial.pt")
    assert compress_where_it_pays(path, lambda _: 1.0) == path
    (tmp_path / "of_the_trial.pt").unlink()
    compressed = compress_where_it_pays(path, lambda _: 1.0)
    assert compress_where_it_pays(compressed, lambda _: 1.0) == compressed


def test_small_models_do_not_ask_for_the_speed(tmp_path: Path) -> None:
    """Most are small, and a disk is measured by writing to it."""
    compress_where_it_pays(model(tmp_path, SPARE[:1000]), lambda _: pytest.fail("asked"))


def test_the_speed_of_a_disk(tmp_path: Path) -> None:
    """It is measured once per process; nothing is left there."""
    assert written_per_second(tmp_path) > 0
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "folder").mkdir()
    assert written_per_second(tmp_path / "folder") == written_per_second(tmp_path)

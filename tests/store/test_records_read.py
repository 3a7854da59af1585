"""How much of a store is read for small questions: as much of a large one as of a small one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.stored import compute, prepare

from omnibench.commands.main import main
from omnibench.store import CheckpointStore
from omnibench.store.plans import Planned
from omnibench.store.reader import Reader

SMALL, LARGE = "ab", "ab0123"


def made(root: Path, names: str) -> Path:
    """Make a store of so many done items, all of them in its plan."""
    store = CheckpointStore(root)
    prepare(store, "d")
    for name in names:
        compute(store, name)
    plan = Planned("bench.py::b", "/", {}, frozenset(name * 64 for name in names))
    store.records.commit({plan.key: plan.record})
    store.close()
    return root


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A store of few items, and one that has more."""
    directory = tmp_path_factory.mktemp("stores")
    return made(directory / "small", SMALL), made(directory / "large", LARGE)


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Collect the keys of the records that are read while this lasts."""
    keys: list[str] = []
    sound, text_of = Reader._sound, Reader.sound_text

    def read(reader: Reader, key: str, mode: int, value: bytes) -> object:
        keys.append(key)
        return sound(reader, key, mode, value)

    def read_text(reader: Reader, key: str) -> str | None:
        keys.append(key)
        return text_of(reader, key)

    with monkeypatch.context() as patch:
        patch.setattr(Reader, "_sound", read)
        patch.setattr(Reader, "sound_text", read_text)
        yield keys


@pytest.mark.parametrize("command", ["show D/a", "why D/a", "why D/a D/b", "logs", "logs D/a", "show aaaa", "why aaaa"])
def test_small_questions_read_as_few_records_of_a_large_store(
    command: str, stores: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of records that a question about an item reads does not depend on how many other items there are."""
    numbers = []
    for store in stores:
        with counted(monkeypatch) as keys:
            assert main([*command.split(), "--store", str(store)]) in (0, 1)
        numbers.append(len(keys))
    assert numbers[0] == numbers[1]


def test_the_count_sees_what_is_read(stores: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A question about all items reads more records of a store that has more: the counting itself works."""
    numbers = []
    for store in stores:
        with counted(monkeypatch) as keys:
            assert main(["status", "--store", str(store)]) == 0
        numbers.append(len(keys))
    assert numbers[1] - numbers[0] >= len(LARGE) - len(SMALL)


@pytest.mark.parametrize("command", ["show D/a", "why D/a", "logs D/a"])
def test_the_plan_is_read_once_at_most(
    command: str, stores: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan names all items, so it is the only record that is large in a large store, and nobody reads it twice."""
    with counted(monkeypatch) as keys:
        assert main([*command.split(), "--store", str(stores[0])]) in (0, 1)
    assert sum(key.startswith("plan/") for key in keys) <= 1

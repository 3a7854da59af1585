"""One look at many items says what a look at each would have said, whatever has happened to the store."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from faults import plant
from hypothesis import given, settings
from hypothesis import strategies as st

from omnibench.engine.coordinator import Coordinator
from omnibench.engine.items import Item
from omnibench.engine.survey import State, begun, count, look_up, look_up_all
from omnibench.errors import GuestError
from omnibench.experiment.evaluator import Evaluator
from omnibench.metrics import NDCG as FIRST
from omnibench.metrics.base import Metric
from omnibench.store.reader import Reader
from omnibench.store.schema import RESETS


class NDCG(FIRST):
    """A metric of the same name and columns whose meaning has changed."""

    version = 1000


METRICS: tuple[tuple[Metric, ...], ...] = (plant.METRICS, plant.ONE_MORE, plant.LONGER, (NDCG([5, 10]),))
EVALUATORS = tuple(Evaluator(*metrics) for metrics in METRICS)


class Guest(plant.InProcessGuest):
    """A guest that fails, or dies, when it is told to."""

    trouble: Callable[[], None] = staticmethod(lambda: None)

    def ask(self, request: Any, *arguments: Any, **more: Any) -> dict[str, Any]:
        """Answer, or not."""
        type(self).trouble()
        return super().ask(request, *arguments, **more)


def raising(*, died: bool) -> Callable[[], None]:
    def trouble() -> None:
        raise GuestError("as the test wants it", died=died)

    return trouble


def interrupting() -> None:
    """Ctrl-C."""
    raise KeyboardInterrupt


TROUBLES: dict[str, Callable[[], None]] = {
    "run": lambda: None,
    "fail": raising(died=False),
    "die": raising(died=True),
    "stop": interrupting,
}
numbers = st.integers(0, 3)
steps = st.one_of(
    st.tuples(st.sampled_from(sorted(TROUBLES)), numbers, numbers),
    st.tuples(st.just("run"), numbers, numbers),
    st.tuples(st.just("reset"), st.sets(numbers, min_size=1).map(sorted).map(tuple), st.sampled_from(RESETS)),
    st.tuples(st.just("lose"), numbers, st.just(0)),
    st.tuples(st.just("death"), numbers, st.just(0)),
)


def perform(coordinator: Coordinator, step: str, first: Any, second: Any) -> None:
    """Do something to a store."""
    items = plant.items()
    if step == "reset":
        coordinator.reset([items[number] for number in first], second)
    elif step == "lose":
        for file in coordinator.store.root.glob(f"{items[first].name}/**/predictions-*.npy"):
            file.unlink()
    elif step == "death":
        coordinator.note_death(items[first], "its worker died")
    else:
        Guest.trouble = staticmethod(TROUBLES[step])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what was lost is computed again, and it says so
            try:
                coordinator.run_item(Item.of(items[first], EVALUATORS[second]))
            except KeyboardInterrupt:
                assert step == "stop"


def memory() -> str | None:
    """A directory in memory where there is one, so that syncing costs nothing."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


@settings(max_examples=15)
@given(st.lists(steps, max_size=8))
def test_looking_up_all_is_looking_up_each(history: list[tuple[Any, Any, Any]]) -> None:
    """After every step of every history: for each item, and for metrics that were and were not measured, the same."""
    with tempfile.TemporaryDirectory(dir=memory()) as directory:
        root = Path(directory) / "store"
        with Coordinator(root, environments="current", threads=1, notify=lambda _: None) as coordinator:
            guests: Any = plant.InProcessGuests(plant.Work(Path(directory) / "work"))
            guests._guest = Guest(plant.Work(Path(directory) / "work"))
            coordinator.workbench.guests = guests
            lookups = [Item.of(experiment, evaluator) for evaluator in EVALUATORS for experiment in plant.items()]
            for step in history:
                perform(coordinator, *step)
                singly, together = coordinator.store.read(
                    lambda reader: ([look_up(reader.get, item) for item in lookups], look_up_all(reader, lookups))
                )
                assert together == singly, step


def test_items_that_are_done_need_no_other_record() -> None:
    """Their own record says it all, to whoever asks for what was measured or for less."""
    with tempfile.TemporaryDirectory(dir=memory()) as directory:
        root = Path(directory) / "store"
        with Coordinator(root, environments="current", threads=1, notify=lambda _: None) as coordinator:
            guests: Any = plant.InProcessGuests(plant.Work(Path(directory) / "work"))
            coordinator.workbench.guests = guests
            items = [Item.of(experiment, EVALUATORS[0]) for experiment in plant.items()]
            for item in items:
                coordinator.run_item(item)

            def refuse(key: str) -> None:
                pytest.fail(f"{key} was read")

            def look(reader: Reader) -> list[State]:
                reader.get = refuse  # type: ignore[method-assign]
                return look_up_all(reader, [*items, *(replace(item, columns=item.columns[1:]) for item in items)])

            assert all(state.is_done for state in coordinator.store.read(look))


def test_an_item_is_begun_when_anything_was_computed_or_tried() -> None:
    """A phase is recorded, a snapshot within its Fit or its search, whatever its own record says; to be planned alone is none."""
    item = Item.of(plant.items()[0], EVALUATORS[0])
    fit_key = item.experiment.fit_key

    def is_begun(*keys: str, item: Item = item, record: dict[str, Any] | None = None) -> bool:
        records: dict[str, dict[str, Any]] = {key: {"fit_key": fit_key} for key in keys}
        if record is not None:
            records[item.record_key] = record
        return list(begun(records, [item])) == [True]

    pending: dict[str, Any] = {"status": "pending", "phase": None}
    assert not is_begun()
    assert not is_begun(record=pending)
    for key in (item.fit_record_key, item.predict_record_key, f"snapshot/{fit_key}/night_000"):
        assert is_begun(key)
        assert is_begun(key, record=pending)
    for status in ("done", "failed", "interrupted"):
        assert is_begun(record={"status": status, "phase": "Fit"})
    assert is_begun("search/5", record=pending | {"search": "5"})
    assert not is_begun("search/5", record=pending | {"search": "6"}), "that is another's search"
    longer = Item.of(plant.items()[0], EVALUATORS[2])
    assert not is_begun(item.predict_record_key, item=longer), "the predictions are of another list length"


def test_counting() -> None:
    """What is said at the beginning of a run."""
    done, failed = State({"NDCG@10": 0.5}), State(error={"phase": "Fit"})
    assert count([done, failed, done]) == "3 items: 2 done, 1 failed, 0 pending"
    assert count([State()]) == "1 item: 0 done, 0 failed, 1 pending"

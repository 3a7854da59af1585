"""Generations: a reset takes records out of the way and loses none of them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnibench.errors import OmnibenchError
from omnibench.store import CheckpointStore, changes, generations, manifests
from omnibench.store.generations import Reset, reset
from omnibench.store.schema import RESETS, Record

pytestmark = pytest.mark.usefixtures("made_up_records")

LEFT_BEHIND = {
    "done": ("fit", "predict", "eval", "item"),
    "failed": ("fit", "item"),
    "failed at once": ("item",),
    "interrupted": ("fit", "predict", "item"),
    "killed": ("fit", "pending"),
    "unnoted": ("fit", "predict"),
    "pending": ("pending",),
}
"""What the records say of an item in each state; an item that was never planned has none."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CheckpointStore]:
    opened = CheckpointStore(tmp_path / "checkpoints")
    yield opened
    opened.close()


def record(store: CheckpointStore, key: str, state: str) -> str:
    """Record an item in a state; return its key."""
    place = f"D-1/A-{key}"
    (store.root / place).mkdir(parents=True, exist_ok=True)
    labels = {"item": f"D/{key}", "fit_key": key, "dataset": "D", "algorithm": "A", "parameters": {"k": key}, "fold": 0}
    made: dict[str, Record] = {}
    for what in LEFT_BEHIND[state]:
        item = store.records.get(f"item/{key}") or {}
        facts = {"metrics": {}, "generation": item.get("generation", 0), "status": state.split(maxsplit=1)[0]}
        if what == "pending":
            made[f"item/{key}"] = {**labels, **facts, "status": "pending"}
        elif what == "item":
            made[f"item/{key}"] = {**labels, **facts, "directory": place, "failures": 2, "identity": ["fit/1", key]}
        else:
            made[f"{what}/{'' if what == 'fit' else what}{key}"] = {**labels, "directory": place, "n": what}
    with store.lease(key) as lease:
        store.commit(lease, made)
    return key


def live(store: CheckpointStore) -> set[str]:
    return {key for key in store.snapshot() if not key.startswith("old/")}


def old(store: CheckpointStore) -> set[str]:
    return {key for key in store.snapshot() if key.startswith("old/")}


EVERYTHING = {"fit/a", "predict/predicta", "eval/evala", "item/a"}


@pytest.mark.parametrize(
    ("what", "state", "moved"),
    [
        ("all", "done", {"fit/a", "predict/predicta", "eval/evala", "item/a"}),
        ("Fit", "done", {"fit/a", "predict/predicta", "eval/evala", "item/a"}),
        ("Predict", "done", {"predict/predicta", "eval/evala", "item/a"}),
        ("Eval", "done", {"eval/evala", "item/a"}),
        ("failed", "done", set()),
        ("incomplete", "done", set()),
        ("all", "failed", {"fit/a", "item/a"}),
        ("failed", "failed", {"fit/a", "item/a"}),
        ("incomplete", "failed", {"fit/a", "item/a"}),
        ("Eval", "failed", {"item/a"}),
        ("Predict", "failed at once", {"item/a"}),
        ("failed", "interrupted", set()),
        ("incomplete", "interrupted", {"fit/a", "predict/predicta", "item/a"}),
        ("Eval", "interrupted", set()),
        ("Predict", "interrupted", {"predict/predicta", "item/a"}),
        ("all", "killed", {"fit/a", "item/a"}),
        ("incomplete", "killed", {"fit/a", "item/a"}),
        ("failed", "killed", set()),
        ("all", "unnoted", {"fit/a", "predict/predicta"}),
        ("incomplete", "unnoted", {"fit/a", "predict/predicta"}),
        ("Predict", "unnoted", {"predict/predicta"}),
        *((what, "pending", set()) for what in RESETS),
    ],
)
def test_what_moves(what: str, state: str, moved: set[str], store: CheckpointStore) -> None:
    """From the phase on, of the items that the word means; nothing of others, and nothing of other items."""
    record(store, "a", state)
    record(store, "b", "done")
    before = store.snapshot()
    assert reset(store, ["a"], what) == Reset(("a",) if moved else (), ())
    after = store.snapshot()
    assert old(store) == {f"old/0/{key}" for key in moved}
    assert live(store) == before.keys() - moved | ({"item/a"} if moved else set())
    unchanged = before.keys() - moved - {"item/a"}
    assert {key: after[key] for key in unchanged} == {key: before[key] for key in unchanged}
    for key in moved:
        assert after[f"old/0/{key}"].items() >= before[key].items()
        assert after[f"old/0/{key}"]["kept"] is False


def test_a_reset_item_is_pending_and_of_the_next_generation(store: CheckpointStore) -> None:
    """It keeps what it is called and what its key is made of, and forgets how it went."""
    before = store.records.get(f"item/{record(store, 'a', 'failed')}")
    assert before is not None
    for generation in (1, 2, 3):
        reset(store, ["a"])
        item = store.records.get("item/a")
        assert item is not None
        assert (item["status"], item["phase"], item["generation"], item["failures"]) == ("pending", None, generation, 0)
        assert {name: item[name] for name in generations._LABELS if name in before} == {
            name: before[name] for name in generations._LABELS if name in before
        }
        record(store, "a", "failed")
    assert old(store) == {f"old/{generation}/{key}" for generation in range(3) for key in ("fit/a", "item/a")}


def test_an_item_that_was_killed_before_it_said_anything_gets_a_record(store: CheckpointStore) -> None:
    """Made of what its phases know, so that its next generation is another one."""
    record(store, "a", "unnoted")
    reset(store, ["a"])
    item = store.records.get("item/a")
    assert item is not None
    assert (item["item"], item["status"], item["generation"]) == ("D/a", "pending", 1)


def test_what_is_to_be_kept_is_marked(store: CheckpointStore) -> None:
    """For `omnibench gc`, with the time of the reset."""
    for key, keep in (("a", True), ("b", False)):
        record(store, key, "done")
        reset(store, [key], keep=keep)
    marks = {
        key[-1]: (one["kept"], one["reset"][-1]) for key, one in store.snapshot().items() if key.startswith("old/")
    }
    assert marks == {"a": (True, "Z"), "b": (False, "Z")}


def test_a_reset_is_in_the_manifest(store: CheckpointStore) -> None:
    """A reset is written to the manifest, so that a rebuilt database does not bring back what was reset."""
    record(store, "a", "done")
    reset(store, ["a"], "Predict")
    said = manifests.read(store.root / "D-1" / "A-a")
    assert said == {key: one for key, one in store.snapshot().items() if "directory" in one}
    assert set(said) == {"fit/a", "item/a", "old/0/predict/predicta", "old/0/eval/evala", "old/0/item/a"}


def test_where_nothing_is_recorded_nothing_happens(store: CheckpointStore) -> None:
    """Unknown keys, planned items, the same item twice, no item at all."""
    record(store, "p", "pending")
    before = store.snapshot()
    for what in RESETS:
        assert reset(store, ["never", "p", "p"], what) == Reset((), ())
        assert reset(store, [], what) == Reset((), ())
    assert store.snapshot() == before
    record(store, "a", "done")
    assert reset(store, ["a", "a"]) == Reset(("a",), ())
    assert reset(store, ["a"]) == Reset((), ())


@pytest.mark.parametrize(("word", "near"), [("fail", "failed"), ("fit", "Fit"), ("incomplet", "incomplete")])
def test_an_unknown_word_is_refused(word: str, near: str, store: CheckpointStore) -> None:
    """An unknown word is refused with the nearest one and all choices; nothing is reset."""
    record(store, "a", "done")
    with pytest.raises(OmnibenchError, match=rf"'{word}' cannot be reset; did you mean '{near}'\?; choose from all, "):
        reset(store, ["a"], word)
    with pytest.raises(OmnibenchError, match="'' cannot be reset; choose from all, failed, incomplete, Tune, Fit"):
        reset(store, ["a"], "")
    assert old(store) == set()


@contextmanager
def computing(store: CheckpointStore, key: str) -> Iterator[subprocess.Popen[str]]:
    """Another process holds an item's lease."""
    code = """
import sys
from omnibench.store import CheckpointStore
store = CheckpointStore(sys.argv[1])
with store.lease(sys.argv[2]):
    print("held", flush=True)
    sys.stdin.read()
"""
    command = [sys.executable, "-c", code, str(store.root), key]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_items_that_somebody_computes_are_left_alone_and_named(store: CheckpointStore) -> None:
    """The others are reset; when he is done, so is that one."""
    for key in "abc":
        record(store, key, "done")
    before = store.snapshot()
    with computing(store, "b"):
        assert reset(store, "abc") == Reset(("a", "c"), ("b",))
        after = store.snapshot()
        assert {key: one for key, one in after.items() if one["fit_key"] == "b"} == {
            key: one for key, one in before.items() if one["fit_key"] == "b"
        }
    assert reset(store, "abc") == Reset(("b",), ())


def test_more_items_than_leases_can_be_held_at_once(store: CheckpointStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """More items than leases can be held are reset batch by batch, and no file stays open."""
    monkeypatch.setattr(changes, "MOST_ITEMS", 2)
    keys = tuple("abcde")
    for key in keys:
        record(store, key, "done")
    store.snapshot()  # SQLite keeps the descriptor of a closed reader for the next one
    descriptors = len(os.listdir("/proc/self/fd"))
    assert reset(store, keys) == Reset(keys, ())
    assert len(os.listdir("/proc/self/fd")) == descriptors
    assert {key.split("/")[1] for key in old(store)} == {"0"}


steps = st.lists(
    st.one_of(
        st.tuples(st.just("record"), st.sampled_from("ab"), st.sampled_from([*LEFT_BEHIND])),
        st.tuples(st.sampled_from(RESETS), st.sampled_from(["a", "b", "ab"]), st.booleans()),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=25)
@given(steps)
def test_no_sequence_of_resets_loses_a_record(sequence: list[tuple[str, str, Any]]) -> None:
    """Each record that was there is live or under old/, and generations only go up."""
    with tempfile.TemporaryDirectory() as directory:
        store = CheckpointStore(directory)
        generation = {"a": 0, "b": 0}
        for what, keys, more in sequence:
            before = store.snapshot()
            if what == "record":
                record(store, keys, more)
                continue
            done = reset(store, list(keys), what, keep=more).items
            after = [[*one.items()] for one in store.snapshot().values()]
            for key, was in before.items():
                same = was.items() if was.get("status") != "pending" else ()  # there is nothing to lose of those
                assert any(all(pair in one for pair in same) for one in after), key
            for key, number in generation.items():
                item = store.records.get(f"item/{key}") or {"generation": 0}
                assert item["generation"] == number + (key in done)
            generation = {key: number + (key in done) for key, number in generation.items()}
        store.close()

"""The table of phases is the one that parsing all of their records makes, to the type of every column."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support.stored import DATA, compute, prepare

from omnibench.store import CheckpointStore
from omnibench.store.builders import ItemLabels, Origin, eval_record, fit_record, predict_record
from omnibench.store.frames import PHASE_COLUMNS, phase_rows
from omnibench.store.phase_texts import costs_in, phase_in
from omnibench.store.queries import Store
from omnibench.store.reading import read
from omnibench.store.schema import Record, RecordType

COSTS: list[dict[str, Any]] = [
    {"seconds": 1.5e-7, "cpu_seconds": 0.1 + 0.2, "peak_rss": 2**40, "threads": 3},
    {"seconds": None, "cpu_seconds": None, "peak_rss": None, "threads": None, "start_seconds": None},
    {"seconds": 2, "cpu_seconds": 1, "peak_rss": 2**53 + 1, "gpu_peak": 0, "python_peak": 2**62 + 1},
    {"seconds": 0.5, "effective": {"phase": "Fit", "seconds": 3, "start_seconds": 1}},
    {"seconds": 0.5, "item": "D/\u00fc", "worker": 'a"b'},
    {"seconds": 0.5, "finished": None, "run": None},
    {"seconds": 0.5, "more": {"a": 1, "seconds": 0.75}},
    {"seconds": 0.5, "search": "5" * 64},
]


def built(store: CheckpointStore, name: str) -> dict[str, Record]:
    """The records of an item's phases as runs build them."""
    key = compute(store, name)
    fit, predict, evaluation = (
        store.records.get(at) or {} for at in (f"fit/{key}", f"predict/p{name}", f"eval/e{name}")
    )
    labels = ItemLabels(f"D/{name}", key, "D", f"Algorithm-{key[:8]}", {"k": [1, "x"]}, None, None, DATA)
    origin = Origin("run", f"run.main.{name}", fit["directory"])
    answer: dict[str, Any] = dict.fromkeys(("gpu_peak", "python_peak"))
    answer |= {"seconds": 0.25, "cpu_seconds": 0.125, "peak_rss": 2**27, "start_seconds": 0.0, "threads": 1, "rows": 3}
    answer |= {"effective": {}, "version": "1.0"}
    facts = {"value": 0.5, "stderr": None, "interval": None, "users": None, "place": None}
    made = fit_record(labels, origin, answer, fit["model"])
    del made["identity"]  # these items' keys are no digests
    return {
        f"fit/{key}": made,
        f"predict/p{name}": predict_record(labels, origin, answer, predict["predictions"]),
        f"eval/e{name}": eval_record(labels, origin, "HR@5", evaluation["per_user"], facts, answer),
    }


def made(root: Path, changes: dict[str, dict[str, Any]]) -> Store:
    """A store of two done items, of which some records have other members."""
    store = CheckpointStore(root)
    prepare(store, "d")
    records = built(store, "a") | built(store, "b")
    store.records.commit({key: {**record, **changes.get(key, {})} for key, record in records.items()})
    store.close()
    return Store(root)


@pytest.mark.parametrize("key", [f"fit/{'a' * 64}", "predict/pa", "eval/ea"])
@pytest.mark.parametrize("members", COSTS)
def test_rows_are_those_of_parsed_records(tmp_path: Path, key: str, members: dict[str, Any]) -> None:
    """Numbers keep their last digit and columns their types, also where a record is not as runs write it."""
    store = made(tmp_path / "store", {key: members})
    expected = pd.DataFrame(phase_rows(store.records()), columns=list(PHASE_COLUMNS)).sort_values(["item", "finished"])
    pd.testing.assert_frame_equal(store.phases(), expected, check_exact=True)


@pytest.mark.parametrize("large", [{"peak_rss": 2**60 + 1}, {"peak_rss": 2**60 + 1, "more": {", ": 1, "seconds": 2}}])
def test_metrics_that_were_computed_together_have_the_last_ones_row(tmp_path: Path, large: dict[str, Any]) -> None:
    """The row stays where the first one was; nothing of an earlier one is left."""
    together = {"batch": "D/a/per_user.npy", "fit_key": "a" * 64}
    changes = {"eval/ea": {**together, "seconds": 1, **large}, "eval/eb": {**together, "seconds": 2, "peak_rss": 7}}
    store = made(tmp_path / "store", changes)
    expected = pd.DataFrame(phase_rows(store.records()), columns=list(PHASE_COLUMNS)).sort_values(["item", "finished"])
    phases = store.phases()
    pd.testing.assert_frame_equal(phases, expected, check_exact=True)
    assert list(phases["phase"]).count("Eval") == 1


@pytest.mark.parametrize(
    "member",
    ['"run": "other"', '"fit_key" : "x"', '"gpu_peak":3', '"sec\\u006fnds": 7', '"item": null', '"threads": 2'],
)
def test_a_record_with_a_member_twice_is_parsed(tmp_path: Path, member: str) -> None:
    """In JSON the last one counts, however it is written; a search would take the first one."""
    store = made(tmp_path / "store", {})
    texts = read(store.root / "store", lambda reader: dict(reader.sound_texts_of(RecordType.FIT)))
    for text in texts.values():
        assert phase_in(text) is not None
        assert costs_in(text) is not None
        repeated = f"{text[:-1]}, {member}}}"
        assert json.loads(repeated) != json.loads(text)
        assert phase_in(repeated) is None
        assert costs_in(repeated) is None


def test_records_as_runs_write_them_are_not_parsed(tmp_path: Path) -> None:
    """The texts of usual records say their rows; those of trials, which have none, do not."""
    store = made(tmp_path / "store", {f"fit/{'b' * 64}": {"search": "5" * 64}})
    types = (RecordType.FIT, RecordType.PREDICT, RecordType.EVAL)
    texts = read(store.root / "store", lambda reader: dict(reader.sound_texts_of(*types)))
    records = store.records()
    for key, text in texts.items():
        phase = phase_in(text)
        assert (phase is None) == (key == f"fit/{'b' * 64}")
        if phase is not None:
            names = ("seconds", "cpu_seconds", "peak_rss", "gpu_peak", "python_peak", "start_seconds", "threads")
            assert repr(phase.costs) == repr(tuple(records[key].get(name) for name in names))
            assert (phase.item, phase.run, phase.worker) == tuple(
                records[key][name] for name in ("item", "run", "worker")
            )

"""``omnibench status --follow``: what a run looks like to somebody who watches it from another terminal."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from faults import plant
from support.runs import wait_until

from omnibench.commands import status
from omnibench.commands.main import main
from omnibench.store import CheckpointStore
from omnibench.store.records import Records
from omnibench.store.schema import RecordType
from omnibench.store.workers import Worker


def test_a_look_fits_into_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Items that wait are counted, not listed, and each worker has a short line, until nobody computes any more."""
    plant.finished_store(tmp_path)
    records = Records(tmp_path / "store")
    everything = records.all()
    items = {key: record for key, record in everything.items() if RecordType.ITEM.has(key)}
    pending: dict[str, Any] = {"status": "pending", "phase": None, "finished": None, "metrics": {}}
    phases = [key for key in everything if key.startswith(("fit/", "predict/", "eval/"))]
    records.commit({key: {**item, **pending} for key, item in items.items()}, delete=phases)
    records.close()
    store = CheckpointStore(tmp_path)
    worker = Worker(store, "20261127T173613Z-f37b63cf", "gw3")
    worker.note_host("node-7")
    worker.count_completed()
    worker.note_phase("elsewhere", "Fit")
    wait_until(lambda: bool((store.records.get(RecordType.WORKER.key(worker.id)) or {}).get("item")))
    looks: list[str] = []

    def end_meanwhile(_: float) -> None:
        looks.append(capsys.readouterr().out)
        worker.note_phase(None)
        worker.end()

    monkeypatch.setattr(time, "sleep", end_meanwhile)
    monkeypatch.setattr(status, "_is_computing", lambda _: not looks)
    capsys.readouterr()
    assert main(["status", "--follow", "--store", str(tmp_path)]) == 0
    store.close()
    (look,) = looks
    assert f"{len(items)} pending" in look
    assert not any(item["fit_key"][:8] in look for item in items.values())
    assert "  gw3 on node-7: 1 item completed; elsewhere (Fit)\n" in look
    last = capsys.readouterr().out
    assert last.startswith("\n"), "where the newest begins is seen at a glance"
    assert "gw3" not in last


@pytest.mark.parametrize(
    ("members", "line"),
    [
        ({"as_seed": 42}, "deterministic: equal predictions with another seed: 1 item of "),
        ({"seeds": 3}, "deterministic: fitted once, for several seeds: 1 item of "),
        (
            {"status": "failed", "phase": "Eval", "error": {"phase": "Eval", "message": "m", "details": ""}},
            "1 done item without ",
        ),
    ],
)
def test_what_is_said_of_items_that_are_done(
    members: dict[str, Any], line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of most nothing is; of those that lack something, or stand for several seeds, it is, with and without a list of all."""
    plant.finished_store(tmp_path)
    records = Records(tmp_path / "store")
    key, item = next((key, record) for key, record in records.all().items() if RecordType.ITEM.has(key))
    plans = [key for key in records.all() if RecordType.PLAN.has(key)]  # which say how many seeds items have
    records.commit({key: {**item, **members}}, delete=plans)
    records.close()
    for options in ([], ["--all"]):
        capsys.readouterr()
        main(["status", "--store", str(tmp_path), *options])
        assert line in capsys.readouterr().out

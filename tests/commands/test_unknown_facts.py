"""What a record does not say is said to be unknown: no message has None, or nothing, in the place of a name."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from faults import plant

from omnibench.commands.main import main
from omnibench.errors import PhaseError
from omnibench.store.item_records import failure_text
from omnibench.store.records import Records

pytestmark = pytest.mark.usefixtures("made_up_records")

FAILED = {"status": "failed", "phase": "Fit", "metrics": {}, "failures": 1}
ITEMS: dict[str, dict[str, Any]] = {
    "interrupted nowhere": {"status": "interrupted", "phase": None, "predict_key": ""},
    "failed nowhere": {**FAILED, "phase": None, "error": {"phase": None, "message": "it broke", "details": ""}},
    "failed without words": {**FAILED, "error": {"phase": "Fit", "message": "", "details": ""}},
    "failed without an error": {**FAILED, "error": None},
    "pending": {"status": "pending", "phase": None, "finished": None, "metrics": {}},
}
OTHERS = {
    "run": ("user", "host", "git"),
    "worker": ("pid", "host", "started", "heartbeat", "completed", "item", "phase"),
    "fit": ("finished", "run", "worker", "seconds", "peak_rss", "notes"),
    "predict": ("finished", "run", "worker", "seconds"),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a store of items that are done."""
    directory = tmp_path_factory.mktemp("unknown") / "checkpoints"
    plant.finished_store(directory)
    return directory


def outputs(made: Path, directory: Path, changes: dict[str, dict[str, Any]], capsys: Any) -> str:
    """What commands print of a store of which the first record of some types was changed."""
    shutil.copytree(made, directory)
    records = Records(directory / "store")
    everything = records.all()
    firsts = {prefix: next(key for key in everything if key.startswith(f"{prefix}/")) for prefix in (*changes, "item")}
    records.commit({firsts[prefix]: {**everything[firsts[prefix]], **change} for prefix, change in changes.items()})
    records.close()
    item = firsts["item"].partition("/")[2][:12]
    capsys.readouterr()
    for command in ("status --all", "status --all --follow", f"show {item}", f"why {item}", f"delete {item} --dry-run"):
        main([*command.split(), "--store", str(directory)])
    captured = capsys.readouterr()
    return str(captured.out + captured.err)


@pytest.mark.parametrize("change", ITEMS.values(), ids=ITEMS)
def test_items_of_which_little_is_recorded(
    change: dict[str, Any], made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An item that failed nobody knows where, or was interrupted before any phase, is told without None."""
    text = outputs(made, tmp_path / "s", {"item": change}, capsys)
    assert change["status"] in text
    assert not re.search(r"\bNone\b|\(\)$|: $|\(in \)", text.replace("Popular()", ""), re.MULTILINE), text


def test_runs_and_workers_of_which_nothing_is_recorded(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who computed, where and when may be unknown, and then that is what is said."""
    changes = {prefix: dict.fromkeys(members) for prefix, members in OTHERS.items()}
    text = outputs(made, tmp_path / "s", changes, capsys)
    assert "by an unknown user on an unknown host" in text
    assert "no heartbeat" in text
    assert not re.search(r"\bNone\b|\bnan\b", text), text


def test_a_worker_whose_run_is_not_recorded_is_followed(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is called as its record says, also where that is kept under another name."""
    shutil.copytree(made, tmp_path / "s")
    records = Records(tmp_path / "s" / "store")
    key, worker = next((key, record) for key, record in records.all().items() if key.startswith("worker/"))
    del worker["run"]
    records.commit({"worker/elsewhere": worker}, delete=[key])
    records.close()
    assert main(["status", "--all", "--follow", "--store", str(tmp_path / "s")]) == 0
    assert f"worker {worker['id']}: " in capsys.readouterr().out


def test_an_exception_without_words() -> None:
    """``raise RuntimeError`` has nothing to say, and its message does not end as if something followed."""
    assert str(PhaseError("Fit", "RuntimeError: ")) == "Fit failed: RuntimeError"
    assert failure_text({"phase": "Fit", "message": "", "details": ""}) == "Fit failed, and no reason is recorded"
    assert failure_text(None) == "it failed, and no reason is recorded"

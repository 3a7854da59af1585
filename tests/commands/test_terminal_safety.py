"""Names and messages that a terminal would obey, in every text of a store: what commands print is harmless."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from faults import plant

from omnibench.commands.main import main
from omnibench.store.logbook import NAME, LogBook
from omnibench.store.records import Records
from omnibench.terminal import terminal_line, terminal_text

PAYLOADS = {
    "title": "\x1b]0;EVIL\x07",
    "clear": "\x1b[2J\x1b[H\x1b[8mEVIL",
    "csi of the eighth bit": "\x9b2JEVIL",
    "link": "\x1b]8;;https://evil.example\x1b\\EVIL\x1b]8;;\x1b\\",
    "paste": "\x1bP+q544e\x1b\\EVIL\x1b[?2004h",
    "direction": "\u202eEVIL\u2066",
    "overwrite": "EVIL\r\x08\x08\x08GOOD",
    "line": "EVIL\n999 2026-01-01 INFO omnibench: GOOD",
    "separators": "EVIL\u2028GOOD\u2029\x85GOOD",
    "invisible": "E\u200bV\xadI\ufeffL\U000e0041",
    "null": "EVIL\x00\x7f",
}
"""What terminals obey, or people cannot see, each with a part that has to be seen."""

OBEYED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\U000e0041]"
)
TEXTS = (
    "item",
    "dataset",
    "algorithm",
    "user_label",
    "dataset_label",
    "message",
    "details",
    "host",
    "user",
    "id",
    "run",
)
"""The members of records whose texts people read."""


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_a_text_for_a_terminal_is_seen_and_not_obeyed(payload: str) -> None:
    """What a terminal obeys is spelled out, and all else stays."""
    for harmless in (terminal_text(payload), terminal_line(payload)):
        assert not OBEYED.search(harmless)
        assert "VI" in harmless or "V\\" in harmless
    assert "\n" not in terminal_line(payload)


def test_harmless_texts_stay_as_they_are() -> None:
    """Letters of any script, signs, emoji of several parts, line ends and indents are no danger; colours are left out."""
    text = "Ünïcödé 數據集 עברית ‎".rstrip("\u200e") + "a\u200db \N{FAMILY} ± ─\n\tindented"
    assert terminal_text(text) == text
    assert terminal_text("\x1b[1;31mred\x1b[0m\r\n") == "red\n"


def hostile(value: Any, payload: str, name: str = "") -> Any:
    """Return a record with a payload at the end of every text that people read."""
    if isinstance(value, dict):
        return {key: hostile(member, payload, key) for key, member in value.items()}
    if isinstance(value, str) and name in TEXTS:
        return value + payload
    return value


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a store in which one item has failed and the others are done."""
    directory = tmp_path_factory.mktemp("hostile") / "checkpoints"
    plant.finished_store(directory)
    return directory


def test_no_command_prints_what_a_terminal_obeys(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever stands in the names, labels, messages and log entries of a store: every command's output is harmless."""
    payload = " ".join(PAYLOADS.values())
    shutil.copytree(made, tmp_path / "checkpoints")
    monkeypatch.chdir(tmp_path)
    store = tmp_path / "checkpoints"
    records = Records(store / "store")
    changed = {key: hostile(record, payload) for key, record in records.all().items()}
    first = next(key for key in changed if key.startswith("item/"))
    error = {"phase": "Fit", "message": f"it broke {payload}", "details": f"Traceback {payload}"}
    changed[first] |= {"status": "failed", "phase": "Fit", "error": error, "failures": 1}
    labels = {key: record.pop("metrics") for key, record in changed.items() if record.get("metrics")}
    for key, metrics in labels.items():
        changed[key]["metrics"] = {label.replace("HR", f"HR{payload}"): metric for label, metric in metrics.items()}
    records.commit(changed)
    records.close()
    log = LogBook(store / NAME, f"run{payload}", "worker")
    log.add(30, f"guest{payload}", f"printed {payload}", changed[first]["item"])
    log.flush()
    outputs = {}
    item = changed[first]["fit_key"][:12]
    for command in (
        *(
            "status",
            "status --all",
            "tuning",
            f"show {item}",
            f"why {item}",
            "logs",
            f"logs {item}",
            "compare",
            "gc --dry-run",
        ),
        *("rebuild", "baseline b.parquet", "gate b.parquet -v", "export r.md r.csv", f"reset {item}", f"show {item}x"),
        *("delete *no* --dry-run", f"delete {item} --dry-run", "prune --failed --dry-run", f"diff {item} {item}"),
    ):
        try:
            main(command.split())
        except SystemExit:
            outputs[command] = "usage"
            capsys.readouterr()
            continue
        captured = capsys.readouterr()
        outputs[command] = captured.out + captured.err
    for command, output in outputs.items():
        assert not OBEYED.search(output), command
        assert not re.search("^(999|GOOD)", output, re.MULTILINE), command
    assert "usage" not in [outputs[command] for command in ("status", "logs", "compare", "rebuild")]
    assert "it broke" in outputs["status"]
    assert sum("VI" in output or "V\\" in output for output in outputs.values()) > len(outputs) / 3

"""Every command that takes items takes all forms of the one grammar, and says what it may mean where that is not clear."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from omnibench import open_store
from omnibench.commands.main import main
from omnibench.store.schema import Record

Command = Callable[..., str]


@pytest.fixture
def root(measured_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a store with three configurations of a class on two datasets."""
    copy = Path(shutil.copytree(measured_store, tmp_path / "checkpoints", symlinks=True))
    monkeypatch.setenv("OMNIREC_CHECKPOINT_DIR", str(copy))
    return copy


@pytest.fixture
def item(root: Path) -> Record:
    """An item of a dataset with folds, of a class with a hyperparameter."""
    return next(record for record in open_store(root).items().values() if record["fold"] == 1 and record["parameters"])


@pytest.fixture
def omnibench(root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run the command beside the store, expect how it ends, and return what it said."""
    monkeypatch.chdir(root.parent)

    def run(*arguments: str, ends: int = 0) -> str:
        assert main(arguments) == ends
        out, err = capsys.readouterr()
        return err or out

    return run


FORMS: dict[str, Callable[[Record], str]] = {
    "name": lambda item: str(item["item"]),
    "key": lambda item: str(item["fit_key"][:8]),
    "label": lambda item: f"Rotated(by={item['parameters']['by']})/fold_1",
    "label with blanks": lambda item: f"Rotated( by = {item['parameters']['by']} )/fold_1",
    "dataset and label": lambda item: f"crossed/Rotated(by={item['parameters']['by']})/fold_1",
    "dataset and hash": lambda item: f"crossed/{item['algorithm']}/fold_1",
    "node id": lambda item: f"bench_it.py::bench_it::{item['item']}",
    "pattern": lambda item: f"crossed*{item['algorithm'][-8:]}/fold_1",
}

COMMANDS: dict[str, tuple[str, ...]] = {
    "show": ("show", "{}"),
    "logs": ("logs", "{}"),
    "why": ("why", "{}"),
    "reset": ("reset", "{}", "--what", "Eval"),
    "delete": ("delete", "{}", "--dry-run"),
    "compare": ("compare", "{}", "Rotated(by=0)", "--dataset", "crossed", "--metric", "NDCG@10"),
    "export": ("export", "out.csv", "--algorithm", "{}"),
}


@pytest.mark.parametrize(
    ("command", "form"),
    # `why` asks pytest about a node id, which knows what a bench file says now.
    [(command, form) for command in COMMANDS for form in FORMS if (command, form) != ("why", "node id")],
)
def test_every_command_takes_every_form(command: str, form: str, item: Record, omnibench: Command) -> None:
    """What is shown, reset, removed, compared, exported is the item, or its configuration."""
    text = FORMS[form](item)
    told = omnibench(*(word.replace("{}", text) for word in COMMANDS[command]))
    if command in ("show", "why"):
        assert told.startswith(item["item"])
    elif command == "logs":
        assert told
        assert all(item["item"] in line or line.startswith(" ") for line in told.splitlines())
    elif command == "reset":
        assert told.startswith("1 item was reset")
    elif command == "delete":
        assert item["item"] in told.splitlines()[0]
        assert told.splitlines()[1].startswith("would remove 1 item (")
    elif command == "compare":
        assert told.splitlines()[0] == f"Rotated(by={item['parameters']['by']}) minus Rotated(by=0)"
    else:
        rows = Path("out.csv").read_text().splitlines()[1:]
        assert rows
        assert all(item["algorithm"] in row for row in rows)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_suggests_what_is_near(command: str, omnibench: Command) -> None:
    """Every command says in one sentence what is near, with exit status 2, and does nothing."""
    told = omnibench(*(word.replace("{}", "Rotatet") for word in COMMANDS[command]), ends=2)
    assert "'Rotatet': there is no such " in told
    assert "did you mean 'Rotated'?" in told
    assert told.count("\n") == 1


@pytest.mark.parametrize("command", ["show", "logs", "why", "compare"])
def test_where_one_is_needed_the_matches_are_listed(command: str, root: Path, omnibench: Command) -> None:
    """Where one item is needed its matches are listed with what tells them apart; nothing is guessed."""
    told = omnibench(*(word.replace("{}", "Rotated") for word in COMMANDS[command]), ends=2)
    algorithms = sorted({item["algorithm"] for item in open_store(root).items().values()})
    assert "'Rotated' may be any of " in told
    assert all(algorithm in told for algorithm in algorithms)


@pytest.mark.parametrize("command", ["reset", "delete", "export"])
def test_where_several_are_meant_all_of_them_are_taken(command: str, root: Path, omnibench: Command) -> None:
    """An algorithm stands for all of its items, in all folds."""
    items = open_store(root).items()
    arguments = [word.replace("{}", "crossed/Rotated") for word in COMMANDS[command]]
    told = omnibench(*arguments)
    crossed = [item for item in items.values() if item["dataset"].startswith("crossed")]
    if command == "reset":
        assert told.startswith(f"{len(crossed)} items were reset")
    elif command == "delete":
        assert f"would remove {len(crossed)} items (" in told
    else:
        assert len({line.split(",")[0] for line in Path("out.csv").read_text().splitlines()[1:]}) == 1

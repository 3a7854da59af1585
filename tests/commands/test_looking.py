"""The commands that look into stores: why, show, diff, logs, and the command line itself."""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from faults import plant

from omnibench import Coordinator, Evaluator, Policy, Store, __version__
from omnibench.commands.main import FAMILIES, families, main
from omnibench.store.logbook import NAME, LogBook
from omnibench.store.records import Records
from omnibench.store.superseded import BEGINS, OWN, FitBeginning

Command = Callable[..., str]


def computed(directory: Path, **options: Any) -> Store:
    """A store in which the small plan of the faults' plant is done."""
    with Coordinator(directory, environments="current", threads=1, notify=lambda _: None, **options) as coordinator:
        guests: Any = plant.InProcessGuests(plant.Work(directory / "work"))
        coordinator.workbench.guests = guests
        coordinator.run(plant.dataset(), plant.plan(), Evaluator(*plant.METRICS))
    return Store(directory)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a store of items that are done."""
    directory = tmp_path_factory.mktemp("looking") / "checkpoints"
    computed(directory)
    return directory


@pytest.fixture
def store(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A copy of it, in the directory where the command looks when nobody says otherwise."""
    shutil.copytree(made, tmp_path / "checkpoints")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OMNIREC_CHECKPOINT_DIR", raising=False)
    return Store(tmp_path / "checkpoints")


@pytest.fixture
def omnibench(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command, expect how it ends, and return what it said."""

    def run(*arguments: str, ends: int = 0) -> str:
        assert main(arguments) == ends
        return capsys.readouterr().out

    return run


def change(store: Store, prefix: str, **members: Any) -> None:
    """Change a member of every record of a type, as another machine would have written it."""
    records = Records(store.root / "store")
    changed = {key: {**record, **members} for key, record in store.records().items() if key.startswith(prefix)}
    assert changed
    records.commit(changed)
    records.close()


def test_why_of_a_finished_item_says_what_it_was_made_of(store: Store, omnibench: Command) -> None:
    """Recipe, algorithm, seed and code; when, where and with what it was computed."""
    name = store.completed[0]
    told = omnibench("why", name)
    assert told.startswith(f"{store.describe(name)['title']} is done ({name}).\n")
    assert "dataset          tiny: MakeImplicit(2), CorePruning(2), UserCrossValidation(2)\n" in told
    record = store.find(name)
    assert f"algorithm        {record['algorithm'].rpartition('-')[0]}(" in told
    assert "seed 42, " in told
    run = store.runs()[0]
    assert f"computed         on {run['host']}, run {run['id']}: Fit at {run['started'][:10]}" in told
    assert f"omnibench {__version__}, python " in told


def test_why_for_programs_is_json(store: Store, omnibench: Command) -> None:
    """The facts as data, of an item and of two."""
    a, b, *_ = store.completed
    facts = json.loads(omnibench("why", a, "--json"))
    assert facts.pop("why") == store.why(a)
    assert facts == json.loads(json.dumps(store.describe(a)))
    assert facts["dataset"]["words"] == "tiny: MakeImplicit(2), CorePruning(2), UserCrossValidation(2)"
    assert facts["phases"]["Fit"]["circumstances"]["threads"] == 1
    contrast = json.loads(omnibench("why", a, b, "--json"))
    assert (contrast["a"], contrast["b"]) == (a, b)
    assert contrast["keys"][0]["part"] == "fold"


def test_why_of_two_items_says_what_differs(store: Store, omnibench: Command) -> None:
    """Two folds of a configuration differ in the fold, in the data of the fold, and in their numbers."""
    a, b, *_ = store.completed
    assert a.replace("fold_0", "fold_1") == b
    lines = omnibench("why", a, b).splitlines()
    assert lines[:2] == [
        f"{side}: tiny/Popular/fold_{fold} ({name}, done)" for side, fold, name in (("A", 0, a), ("B", 1, b))
    ]
    assert lines[2:4] == ["What their keys are made of differs in", f"  {'fold':{len(lines[3]) - 10}}  0 -> 1"]
    assert any(line.startswith("  data.evaluated ") for line in lines)
    assert not any(line.startswith("  data.interactions ") for line in lines)
    items = store.items()
    first, second = (items[name]["metrics"]["NDCG@10"]["value"] for name in (a, b))
    assert any(line.split()[:4] == ["metrics.NDCG@10", f"{first:.6g}", "->", f"{second:.6g}"] for line in lines)


def test_show_says_dataset_steps_and_split_in_words(store: Store, omnibench: Command) -> None:
    """The recipe stands before the numbers, in words; the readable predictions are among the files."""
    name = store.completed[0]
    lines = omnibench("show", name).splitlines()
    assert lines[2] == "  dataset          tiny: MakeImplicit(2), CorePruning(2), UserCrossValidation(2)"
    copy = store.files(name)[-1]
    assert copy.name == "predictions.json"
    assert f"  {copy}" in lines
    assert store.item_of(copy) == name


def test_diff_of_a_store_and_its_copy_finds_nothing(store: Store, made: Path, omnibench: Command) -> None:
    """Exit status 0, as of diff."""
    told = omnibench("diff", str(made), str(store.root))
    total = len(store.completed)
    assert told.splitlines()[2] == f"{total} items are in both: {total} with the same key."
    assert "differ" not in told


def test_diff_tells_hosts_threads_and_versions(store: Store, made: Path, omnibench: Command) -> None:
    """Once for all items that have it, and no reason for exit status 1: no number differs."""
    change(store, "worker/", host="cluster")
    change(store, "run/", versions={**store.runs()[0]["versions"], "numpy": "1.0"})
    change(store, "fit/", threads=16)
    told = omnibench("diff", str(made), str(store.root))
    total = len(store.completed)
    lines = [" ".join(line.split()) for line in told.splitlines()]
    assert f'host "{os.uname().nodename}" -> "cluster" [{total} items]' in lines
    assert f"Fit.threads 1 -> 16 [{total} items]" in lines or f"threads 1 -> 16 [{total} items]" in lines
    assert any(line.startswith("versions.numpy ") and line.endswith(f'-> "1.0" [{total} items]') for line in lines)


def test_diff_tells_which_numbers_differ(store: Store, made: Path, omnibench: Command) -> None:
    """Exit status 1; items that only one store has are named."""
    name = store.completed[0]
    item = store.find(name)
    metrics = {**item["metrics"], "NDCG@5": {**item["metrics"]["NDCG@5"], "value": 0.5}}
    change(store, f"item/{item['fit_key']}", metrics=metrics)
    told = omnibench("diff", str(made), str(store.root), ends=1)
    before = item["metrics"]["NDCG@5"]["value"]
    title = store.describe(name)["title"]
    assert f"{title}  NDCG@5  {before:.6g} -> 0.5  ({0.5 - before:+.6g})" in told
    parsed = json.loads(omnibench("diff", str(made), str(store.root), "--json", ends=1))
    assert not parsed["agrees"]
    assert len(parsed["pairs"]) == len(store.completed)


def test_diff_matches_items_whose_keys_differ(made: Path, tmp_path: Path, omnibench: Command) -> None:
    """What was computed under other circumstances that are part of keys is matched by what it is about."""
    other = computed(tmp_path / "other", policy=Policy(salt="mine"))
    told = omnibench("diff", str(made), str(other.root), ends=1)
    total = len(other.completed)
    assert (
        f"{total} items are in both: 0 with the same key, {total} matched by dataset, configuration and fold." in told
    )
    assert f'salt  (not there) -> "mine"  [{total} items]' in " ".join(told.split(" "))


def test_logs_show_the_newest_and_say_what_they_leave_out(store: Store, omnibench: Command) -> None:
    """--tail says how many entries there are before, and how to see them; --since shows what follows, all of it."""
    entries = store.logs()
    ids = [str(entry["id"]) for entry in entries]

    def shown(*arguments: str) -> tuple[str, list[str]]:
        first, *rest = omnibench("logs", *arguments).splitlines() or [""]
        notice, lines = (first, rest) if first.startswith("...") else ("", [first, *rest])
        return notice, [line.split()[0] for line in lines if line]

    assert shown() == ("", ids)
    notice, tail = shown("--tail", "3")
    assert tail == ids[-3:]
    assert (
        notice == f"... {len(ids) - 3} earlier entries are left out; `--tail 30` shows more, `--tail all` all of them."
    )
    assert shown("--tail", "all") == ("", ids)
    assert shown("--tail", "0")[1] == []
    assert shown("--since", "0") == ("", ids)
    assert shown("--since", ids[-3]) == ("", ids[-2:])
    name = store.completed[0]
    of_item = [str(entry["id"]) for entry in entries if entry["item"] == name]
    notice, tail = shown(name, "--tail", "2")
    assert tail == of_item[-2:]
    assert notice.startswith(f"... {len(of_item) - 2} earlier entries")
    lines = omnibench("logs", "--tail", "2", "--json").splitlines()
    assert [json.loads(line) for line in lines] == entries[-2:]
    with pytest.raises(SystemExit, match="2"):
        main(["logs", "--tail", "few"])


def test_the_newest_200_entries_are_shown_by_default(store: Store, omnibench: Command) -> None:
    """A long log does not scroll the news away, and the pages of --since do not end at a thousand."""
    book = LogBook(store.root / NAME, "run", "worker")
    for number in range(2500):
        book.add(logging.INFO, "omnibench", f"entry {number}")
    book.flush()
    first, *rest = omnibench("logs").splitlines()
    assert first.startswith("... 2,")
    assert [line.rpartition(": ")[2] for line in rest] == [f"entry {number}" for number in range(2300, 2500)]
    assert len(omnibench("logs", "--since", "0").splitlines()) == store.count_logs()


def test_logs_show_one_history_and_with_all_what_was_superseded(store: Store, omnibench: Command) -> None:
    """Lines of a killed Fit behind the snapshot that the next attempt went on from are left out, and counted."""
    name = store.completed[0]
    for number, lines in enumerate(
        (("snapshot s after epoch 1 of 9", "second"), ("goes on after epoch 1 of 9 from snapshot s",))
    ):
        book = LogBook(store.root / NAME, "run", f"worker-{number}")
        book.add(logging.INFO, OWN, BEGINS, name)
        if number:
            book.begin_fit(FitBeginning(name, None, "s"))
        for line in lines:
            book.add_lines(logging.INFO, "guest.stdout", line.encode(), name)
        book.flush()

    def shown(*arguments: str) -> tuple[list[str], list[str]]:
        lines = omnibench("logs", *arguments).splitlines()
        notices = [line for line in lines if line.startswith("...")]
        return notices, [line.rpartition(": ")[2] for line in lines[len(notices) :]]

    left_out = "... 1 superseded line of earlier attempts is left out; `--all` shows what was superseded, too."
    history = ["snapshot s after epoch 1 of 9", "begins", "goes on after epoch 1 of 9 from snapshot s"]
    for arguments in (("--tail", "all"), ("--since", "0"), (name, "--tail", "all")):
        notices, messages = shown(*arguments)
        assert (notices, messages[-3:]) == ([left_out], history)
    assert shown("--tail", "2")[0][1:] == []  # the line is among the earlier ones
    notices, messages = shown("--tail", "all", "--all")
    assert (notices, messages[-4:]) == ([], [history[0], "second", *history[1:]])
    entries = [json.loads(line) for line in omnibench("logs", "--all", "--json").splitlines()]
    assert [entry["message"] for entry in entries if entry["superseded"] == entries[-1]["id"]] == ["second"]
    line = next(line for line in omnibench("logs", "--all").splitlines() if line.endswith("second"))
    assert f" (superseded by {entries[-1]['id']}): second" in line


@pytest.mark.parametrize("arguments", [[], ["envs"]])
def test_a_call_for_nothing_prints_help(arguments: list[str], omnibench: Command) -> None:
    """Whoever does not know what to ask for sees what there is; a script that does so has failed."""
    told = omnibench(*arguments, ends=2)
    assert told.startswith(f"usage: {' '.join(['omnibench', *arguments])} ")
    for command in ("status", "diff", "completion") if not arguments else ("build", "verify"):
        assert f"\n    {command} " in told or f"\n    {command}\n" in told


def test_a_command_imports_its_own_family_only() -> None:
    """The table that says which module has which command is what the modules declare, so that none is looked for in vain."""
    for family, names in FAMILIES.items():
        commands = argparse.ArgumentParser().add_subparsers()
        (module,) = {id(module): module for name in names for module in families([name, "--help"])}.values()
        module.add_parsers(commands)
        assert module.__name__ == f"omnibench.commands.{family}"
        assert tuple(commands.choices) == names
    assert len(families([])) == len(families(["--help"])) == len(families(["sta"])) == len(FAMILIES)


def test_the_command_imports_no_numpy_to_be_parsed() -> None:
    """Importing numpy takes longer than all that the help and the shell's completion need."""
    script = "import sys; from omnibench.commands.main import families; families([]); print('numpy' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "False\n"
    )


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """`omnibench --version`, as of every command."""
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"omnibench {__version__}\n"


COMPLETE = r"""
eval "$(omnibench completion bash)"
COMP_LINE="$1" COMP_POINT=${#1} COMP_TYPE=9 COMP_WORDBREAKS=$' \t\n"'"'"'@><=;|&(:'
COMPREPLY=()
_python_argcomplete omnibench
printf '%s\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def complete(store: Store) -> Callable[[str], list[str]]:
    """Return what bash offers for the beginning of a command line."""

    def offers(line: str) -> list[str]:
        environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        command = ["bash", "--norc", "-c", COMPLETE, "bash", line]
        done = subprocess.run(
            command, cwd=store.root.parent, env=environment, capture_output=True, text=True, check=True
        )
        return [word.strip() for word in done.stdout.splitlines()]

    return offers


@pytest.mark.slow
def test_bash_completes_commands_options_items_and_keys(
    complete: Callable[[str], list[str]], store: Store, tmp_path: Path
) -> None:
    """What the shell is given is what bash offers, also for the items of the store that the line names."""
    assert complete("omnibench sta") == ["status"]
    assert complete("omnibench logs --ta") == ["--tail"]
    assert complete("omnibench reset --what E") == ["Eval"]
    names = list(store.items())
    assert complete("omnibench show ") == names
    assert complete(f"omnibench why {names[0]} {names[1][:-1]}") == [
        name for name in names if name[:-1] == names[1][:-1]
    ]
    key = store.items()[names[0]]["fit_key"]
    assert complete(f"omnibench show {key[:7]}") == [key[:8]]
    assert complete(f"omnibench show --store {tmp_path / 'nowhere'} ") == [""]
    assert complete("omnibench diff check") == ["checkpoints/"]
    assert complete("omnibench data show MovieLens1") == [
        "MovieLens100K",
        "MovieLens10M",
        "MovieLens1BSynthetic",
        "MovieLens1M",
    ]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(shell: str, omnibench: Command) -> None:
    """`omnibench completion SHELL` prints what the shell is to evaluate."""
    assert "omnibench" in omnibench("completion", shell)

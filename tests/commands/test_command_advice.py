"""The ways out that the commands' errors name lead to success: each is followed on a store, as somebody who reads them would."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from support.measuring import measure

from omnibench import open_store
from omnibench.commands.main import main

Run = Callable[..., str]


@pytest.fixture
def run(
    measured_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run a command line beside a copy of a store, expect how it ends, and return what it said."""
    shutil.copytree(measured_store, tmp_path / "checkpoints", symlinks=True)
    monkeypatch.delenv("OMNIREC_CHECKPOINT_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "no_bench.py").write_text("")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "notes.txt").write_text("mine")

    def run_line(line: str, *, fails: bool = False) -> str:
        program, *arguments = shlex.split(line)
        if program == "rm":
            (tmp_path / arguments[0]).unlink()
        elif program == "mkdir":
            (tmp_path / arguments[0]).mkdir()
        else:
            assert program == "omnibench"
            capsys.readouterr()
            assert bool(main(arguments)) == fails, (line, capsys.readouterr())
            out, err = capsys.readouterr()
            assert not fails or not out or err, "what is wrong is said on stderr"
            return err if fails else out
        return ""

    return run_line


class Case(NamedTuple):
    """A command line that fails, what is advised (a regular expression), and the lines of every way of following it."""

    wrong: str
    advice: str
    ways: tuple[tuple[str, ...], ...]


AGAIN = ("omnibench baseline b.parquet", "omnibench gate b.parquet")
CASES = {
    "three configurations": Case(
        "omnibench compare a b c",
        "name two or none",
        (("omnibench compare Rotated(by=0) Rotated(by=9)",), ("omnibench compare",)),
    ),
    "no such metric": Case(
        "omnibench compare --metric NDCG@11", r"did you mean '?NDCG@10", (("omnibench compare --metric NDCG@10",),)
    ),
    "no such dataset": Case(
        "omnibench compare --dataset crosed", "did you mean 'crossed'", (("omnibench compare --dataset crossed",),)
    ),
    "no such item": Case(
        "omnibench show rotated(by=1)/fold_7", "`omnibench status --all` lists them", (("omnibench status --all",),)
    ),
    "everything is reset": Case(
        "omnibench reset", "say so with --yes, or name the items", (("omnibench reset --yes",), ("omnibench reset Rotated",))
    ),
    "nothing says what is pruned": Case(
        "omnibench prune", r"--plan benchmarks .*, --older 30d, or both", (("omnibench prune --older 30d",),)
    ),
    "an age that is none": Case(
        "omnibench prune --older soon",
        r"write e\.g\. 90s, 5m or 1h",
        tuple((f"omnibench prune --dry-run --older {age}",) for age in ("90s", "5m", "1h")),
    ),
    "a plan of nothing": Case(
        "omnibench prune --plan no_bench.py",
        r"`omnibench delete '\*'` removes everything",
        (("omnibench delete '*' --yes", "omnibench status"),),
    ),
    "deletion of which nobody was asked": Case(
        "omnibench delete Rotated",
        "say so with --yes, or look with --dry-run",
        (("omnibench delete Rotated --dry-run", "omnibench delete Rotated --yes"),),
    ),
    "no baseline": Case("omnibench gate b.parquet", "write it first: `omnibench baseline FILE`", (AGAIN,)),
    "no directory for a baseline": Case(
        "omnibench baseline new/b.parquet", "make it", (("mkdir new", "omnibench baseline new/b.parquet"),)
    ),
    "a file of somebody else's": Case(
        "omnibench baseline notes.txt",
        "remove it, or name another file",
        (("omnibench baseline b.parquet",), ("rm notes.txt", "omnibench baseline notes.txt")),
    ),
    "no file but a directory": Case("omnibench baseline foreign", "name another file", (AGAIN,)),
    "an ending that says no format": Case(
        "omnibench export results.docx",
        r"choose from \.md, \.tex, \.html, \.csv, \.parquet, \.json",
        tuple((f"omnibench export results{end}",) for end in (".md", ".tex", ".html", ".csv", ".parquet", ".json")),
    ),
    "no directory for an export": Case(
        "omnibench export new/results.csv",
        "make it, or name a file elsewhere",
        (("omnibench export results.csv",), ("mkdir new", "omnibench export new/results.csv")),
    ),
    "no store": Case(
        "omnibench status --store elsewhere",
        "give the directory that a run wrote to",
        (("omnibench status --store checkpoints",),),
    ),
    "somebody else's directory": Case(
        "omnibench gc --store foreign", "give the directory that a run wrote to", (("omnibench gc --store checkpoints",),)
    ),
    "no such framework": Case(
        "omnibench envs algorithms LensKitt", "did you mean 'LensKit'", (("omnibench envs algorithms LensKit",),)
    ),
}  # fmt: skip


@pytest.mark.guests
@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=name, marks=[pytest.mark.inner] * ("--plan" in case.wrong)) for name, case in CASES.items()],
)
def test_the_advice_of_a_command_leads_to_success(case: Case, run: Run) -> None:
    """The error gives its advice, and whoever follows it, in either way, gets no error."""
    said = run(case.wrong, fails=True)
    assert re.search(case.advice, said), said
    for way in case.ways:
        for line in way:
            run(line.replace("(", "'(").replace(")", ")'"))


@pytest.mark.guests
def test_whatever_an_ambiguous_name_may_be_can_be_given(run: Run) -> None:
    """Each name and each key that the error lists stands for one item, and for configurations each name."""
    listed = re.findall(r"^  (\w{8})  (\S+)$", run("omnibench show crossed/Rotated", fails=True), re.MULTILINE)
    assert len(listed) == 3 * 3
    for key, name in listed:
        assert name in run(f"omnibench show {key}")
        assert key in run(f"omnibench show {name} --json")
    names = re.findall(r"Rotated-\w{8}", run("omnibench compare Rotated Rotated", fails=True))
    assert len(names) == 3
    run(f"omnibench compare {names[0]} {names[1]}")


def cut_off(content: bytes) -> bytes:
    """Return the beginning of a file."""
    return content[: len(content) // 2]


def changed(content: bytes) -> bytes:
    """Return a file of which a byte has changed."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def another(content: bytes) -> bytes:
    """Return a text that is no baseline, of the same length."""
    return b"#" * len(content)


@pytest.mark.guests
@pytest.mark.parametrize("damage", [cut_off, changed, another])
def test_a_damaged_baseline_is_written_anew_as_its_error_says(
    damage: Callable[[bytes], bytes], run: Run, tmp_path: Path
) -> None:
    """Restored, another file named, or written anew; removed before where the error says so."""
    run(AGAIN[0])
    baseline, copy = tmp_path / "b.parquet", tmp_path / "copy.parquet"
    shutil.copy(baseline, copy)
    baseline.write_bytes(damage(copy.read_bytes()))
    said = run(AGAIN[1], fails=True)
    assert "restore it" in said
    run("omnibench gate copy.parquet")
    assert ("remove it and write it anew" in said) == (damage is not changed)
    for line in (["rm b.parquet"] if "remove it" in said else []) + list(AGAIN):
        run(line)


@pytest.mark.guests
@pytest.mark.parametrize(
    ("wrong", "advice", "right"),
    [
        ("--tolerance 5", r"give a share from 0 to below 1, e\.g\. 0\.01", "--tolerance 0.01"),
        ("--metric NDCG@11", "did you mean 'NDCG@10'", "--metric NDCG@10"),
        ("--metric Novelty", "it has .*NDCG@10", "--metric NDCG@10"),
    ],
)
def test_what_the_gate_is_asked_for(wrong: str, advice: str, right: str, run: Run) -> None:
    """A tolerance and a metric that cannot be name such as can."""
    run(AGAIN[0])
    assert re.search(advice, run(f"{AGAIN[1]} {wrong}", fails=True))
    run(f"{AGAIN[1]} {right}")


@pytest.mark.slow
@pytest.mark.guests
def test_damaged_values_per_user_are_made_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`verify ITEM --repair`, as the error says, and the next run: the comparison is what it was."""
    root = measure(tmp_path)
    compare = ["compare", "Rotated(by=0)", "Rotated(by=1)", "--dataset", "held", "--store", str(root)]
    capsys.readouterr()
    assert main(compare) == 0
    before = capsys.readouterr().out
    item = next(record for record in open_store(root).items().values() if record["dataset"].startswith("held"))
    for record in open_store(root).items().values():
        if record["dataset"] == item["dataset"]:
            (file,) = (root / record["directory"]).glob("per_user-*")
            file.write_bytes(changed(file.read_bytes()))
    assert main(compare) == 2
    said = capsys.readouterr().err
    command = re.search(
        r"`omnibench (verify [^`]+--repair[^`]*)` moves it aside, and the next run evaluates again", said
    )
    assert command, said
    assert main(shlex.split(command[1])) == 0  # of the item that was met first
    assert main(["verify", "--repair", "--store", str(root)]) == 0  # of the others
    measure(tmp_path)
    capsys.readouterr()
    assert main(compare) == 0
    assert capsys.readouterr().out == before


@pytest.mark.guests
@pytest.mark.parametrize(
    "line", ["baseline {}", "gate {}", "export {}.csv", "status --store {}", "gc --store {}", "rebuild --store {}"]
)
def test_a_name_that_no_file_system_takes(line: str, run: Run) -> None:
    """One sentence, as for any file or directory that cannot be."""
    said = run(f"omnibench {line.format('x' * 300)}", fails=True)
    assert len(said.splitlines()) == 1
    assert re.search(r"give (a shorter one|the directory that a run wrote to)|cannot be read|name another file", said)


def test_two_items_are_no_stores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever gives `diff` two items or keys is told which command compares them."""
    monkeypatch.chdir(tmp_path)
    assert main(["diff", "1a2b3c4d", "D/Popular (tuned)"]) == 2
    assert "`omnibench why 1a2b3c4d 'D/Popular (tuned)'`" in capsys.readouterr().err
    (tmp_path / "left").mkdir()
    assert main(["diff", "left", "1a2b3c4d"]) == 2
    assert "omnibench why" not in capsys.readouterr().err

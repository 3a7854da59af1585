"""Real runs: an algorithm added to a published table, stores that are merged, moved, and copied while a run writes."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.markers import starts_guests
from support.projects import Project

from omnibench import open_store
from omnibench.commands.main import main

STORES = Path(__file__).parent.parent / "assets" / "stores"
TUNED = 'plan.tune(Popular, {"noise": Choice([0, 1])}, tuning=Tuning("NDCG@10", trials=2))'
NEW = 'plan.add_algorithm(Popular, {"noise": 1})'


def values(store: Path) -> dict[tuple[str, str], float]:
    frame = open_store(store).results()
    return dict(zip(zip(frame["item"], frame["metric"], strict=True), frame["value"], strict=True))


@pytest.fixture
def table(project: Project, capsys: pytest.CaptureFixture[str]) -> Path:
    """What a first run has left, published; its store is gone."""
    root = project.pytester.path
    project.bench()
    project.first_run()
    assert main(["publish", str(root / "table"), "--store", str(root / "checkpoints")]) == 0
    assert "2 items published" in capsys.readouterr().out
    (root / "checkpoints").rename(root / "anns")
    return root / "table"


def test_an_algorithm_is_added_to_a_published_table(
    project: Project, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only the new algorithm is fitted; the table, status, show and files say what comes from whom; then all is cached."""
    project.bench(plan=f"plan.add_algorithm(Popular)\n{NEW}")
    before = project.count_fits()
    result = project.run("--omnirec-from", "table", "--omnirec-export", "out.csv", "--omnirec-export", "out.md")
    assert result.parse_summary_nouns(result.stdout.lines) == {"cached": 2, "passed": 2}
    assert project.count_fits() == before + 2
    result.stdout.fnmatch_lines(
        [
            f"omnibench: asking {table} for 4 items",
            f"omnibench: 2 of 4 taken over from {table}; the rest is computed",
            f"2 of 4 items were taken over, not computed here: 2 from {table}, computed by * on *",
        ]
    )
    own = values(project.pytester.path / "checkpoints")
    assert values(project.pytester.path / "anns").items() <= own.items()
    again = project.run("--omnirec-from", "table")
    assert again.parse_summary_nouns(again.stdout.lines) == {"cached": 4}
    assert "asking" not in again.stdout.str()
    item = next(name for name in open_store("checkpoints").completed if "noise" not in name and name in str(own))
    store = ["--store", str(project.pytester.path / "checkpoints")]
    capsys.readouterr()
    assert main(["status", *store]) == 0
    assert f"2 of 4 items were taken over, not computed here: 2 from {table}" in capsys.readouterr().out
    shown = [name for name, _ in own if name.startswith("tiny")]
    assert item in shown
    told = ""
    for name in dict.fromkeys(shown):
        assert main(["show", name, *store]) == 0
        told += capsys.readouterr().out
    assert told.count(f"taken over       from {table} at ") == 2
    assert main(["verify", *store]) == 0


@pytest.mark.usefixtures("table")
def test_a_wrong_address_ends_the_run_before_anything_is_computed(project: Project) -> None:
    """A run that would compute everything itself, against what was asked for, does not begin."""
    before = project.count_fits()
    result = project.run("--omnirec-from", "tabel")
    result.stderr.fnmatch_lines(["*nothing is published in *tabel: it has no omnibench-shared.json*"])
    assert project.count_fits() == before
    pytest.importorskip("fsspec")
    with socket.socket() as bound:  # nobody listens there
        bound.bind(("127.0.0.1", 0))
        address = f"ftp://127.0.0.1:{bound.getsockname()[1]}/table"
        result = project.run("--omnirec-from", address)
    result.stderr.fnmatch_lines([f"*{address} cannot be reached (ConnectionRefusedError:*"])
    assert project.count_fits() == before


@pytest.mark.usefixtures("table")
def test_a_script_pulls_as_well(project: Project) -> None:
    """``run_omnirec(..., pull_from=)`` finds what was published, and computes nothing."""
    before = project.count_fits()
    script = project.pytester.path / "script.py"
    bench = (project.pytester.path / "bench_tiny.py").read_text().partition("@benchmark")[0]
    script.write_text(
        f"{bench}\nfrom omnibench import run_omnirec\nrun_omnirec(data, plan, Evaluator(NDCG([5, 10]), HR(10)), pull_from='table')\n"
    )
    ended = subprocess.run(
        [sys.executable, script.name], cwd=script.parent, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert "2 of 2 taken over from" in ended.stderr
    assert "2 of 2 items were taken over, not computed here" in ended.stdout
    assert project.count_fits() == before


def test_two_real_stores_are_merged(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """A run finds everything done that either had computed, without a fit."""
    root = project.pytester.path
    project.bench()
    project.first_run()
    (root / "checkpoints").rename(root / "anns")
    project.bench(plan=NEW)
    project.run()
    fits = project.count_fits()
    store = ["--into", str(root / "checkpoints")]
    assert main(["merge", str(root / "anns"), *store]) == 0
    printed = capsys.readouterr().out
    assert f"{root / 'checkpoints'}: 2 items taken over ({root / 'anns'})" in printed
    assert "2 models left there" in printed
    project.bench(plan=f"plan.add_algorithm(Popular)\n{NEW}")
    result = project.run()
    assert result.parse_summary_nouns(result.stdout.lines) == {"cached": 4}
    assert project.count_fits() == fits
    assert main(["merge", str(root / "anns"), *store, "--models"]) == 0
    assert "2 completed with what they lacked" in capsys.readouterr().out
    project.bench(plan=f"plan.add_algorithm(Popular)\n{NEW}", metrics="NDCG([5, 10]), HR([10, 15])")
    assert project.run().ret == 0
    assert project.count_fits() == fits  # longer lists come of the models
    with pytest.raises(SystemExit):
        main(["merge"])


def test_the_pull_command_asks_for_the_items_of_the_plan(
    project: Project, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a plan it says how to get one; with one only its items come, and --all brings everything."""
    store = ["--into", str(project.pytester.path / "checkpoints")]
    assert main(["pull", str(table), *store]) == 2
    assert "--omnirec-from=" in capsys.readouterr().err
    project.bench(plan=NEW)
    assert project.run().ret == 0
    assert main(["pull", str(table), *store]) == 2
    assert main(["pull", str(table), *store, "--all"]) == 0
    assert "2 items taken over" in capsys.readouterr().out


def test_a_store_goes_on_wherever_it_is_moved(project: Project) -> None:
    """Another path, host and user change nothing: no key and no record depends on them."""
    project.bench()
    project.first_run()
    root = project.pytester.path
    (root / "elsewhere").mkdir()
    shutil.move(root / "checkpoints", root / "elsewhere" / "store")
    result = project.run("--omnirec-checkpoint-dir=elsewhere/store")
    assert result.parse_summary_nouns(result.stdout.lines) == {"cached": 2}
    assert not [line for line in result.stdout.lines if "omnibench:" in line and "2 done" not in line]
    project.bench(metrics="NDCG([5, 10]), HR([5, 10])")
    before = project.count_fits()
    assert project.run("--omnirec-checkpoint-dir=elsewhere/store").ret == 0
    assert project.count_fits() == before


@starts_guests
@pytest.mark.slow
def test_copies_that_are_made_while_a_run_writes_are_usable(project: Project) -> None:
    """Whatever moment ``cp -r`` has caught, a run on the copy computes the rest and has the numbers of the original."""
    root = project.pytester.path
    project.bench(plan='plan.add_algorithm(Popular, {"noise": Grid(list(range(12)))})')
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "bench_tiny.py"],
        cwd=root,
        stdout=subprocess.DEVNULL,
    )
    copies: list[Path] = []
    while process.poll() is None:
        if (root / "checkpoints" / "store" / "cache.db").exists() and len(copies) < 12:
            copy = root / f"copy{len(copies)}"
            subprocess.run(["cp", "-r", "checkpoints", copy.name], cwd=root, check=False, capture_output=True)
            copies.append(copy)
        time.sleep(0.2)
    assert process.returncode == 0
    assert len(copies) > 3
    expected = values(root / "checkpoints")
    for copy in copies:
        assert project.run(f"--omnirec-checkpoint-dir={copy.name}").ret == 0
        assert values(copy) == expected
        assert main(["verify", "--store", str(copy)]) == 0


@starts_guests
@pytest.mark.slow
def test_a_tuned_item_comes_with_its_search(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is tried again, and the trials can be listed."""
    root = project.pytester.path
    project.bench(plan=f"{TUNED}")
    bench = root / "bench_tiny.py"
    bench.write_text(
        bench.read_text().replace("UserCrossValidation(2)", "UserHoldout(validation_size=0.2, test_size=0.2)")
    )
    assert project.run().ret == 0
    assert main(["publish", str(root / "table"), "--store", str(root / "checkpoints")]) == 0
    (root / "checkpoints").rename(root / "anns")
    fits = project.count_fits()
    result = project.run("--omnirec-from=table")
    assert result.parse_summary_nouns(result.stdout.lines) == {"cached": 1}
    assert project.count_fits() == fits
    capsys.readouterr()
    assert main(["tuning", "--store", str(root / "checkpoints")]) == 0
    assert "2 of 2 trials" in capsys.readouterr().out


@pytest.mark.parametrize("number", [1, 2])
def test_stores_of_earlier_formats_are_merged(number: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Their items come over with the numbers of then, and the old store stays as it is."""
    old = Path(shutil.copytree(STORES / f"format-{number}", tmp_path / "old"))
    before = {path: path.read_bytes() for path in old.rglob("*") if path.is_file()}
    assert main(["merge", str(old), "--into", str(tmp_path / "new"), "--models"]) == 0
    assert "4 items taken over" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in old.rglob("*") if path.is_file()} == before
    assert values(tmp_path / "new") == values(old)
    assert main(["verify", "--store", str(tmp_path / "new")]) == 0

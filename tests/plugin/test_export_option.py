"""`--omnirec-export`: the results of a run's items, written at its end by the process that oversees it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pandas as pd
import pytest
from projects import Project

from omnibench import open_store

PLAN = """
plan.add_algorithm(Popular, {"noise": Grid([0, 1])})
plan.add_algorithm(Broken)
"""


def test_a_run_writes_what_its_table_shows(project: Project) -> None:
    """From workers, with what failed; byte for byte the same when all is cached, and by a table or without one."""
    project.bench(plan=PLAN)
    place = project.pytester.path
    run = project.run("-n", "2", "--omnirec-export=results.md", "--omnirec-export", "results.csv")
    run.assert_outcomes(passed=4, failed=2)
    run.stdout.fnmatch_lines([f"Exported: {place}/results.md, {place}/results.csv"])
    text, frame = (place / "results.md").read_text(), pd.read_csv(place / "results.csv")
    assert "> 2 of 6 items are missing" in text
    assert (
        len(re.findall(r"> - tiny-\w+/Broken-\w+/fold_[01] \(failed\): `Fit failed: .*the algorithm is broken`", text))
        == 2
    )
    expected = open_store(place / "checkpoints").results().set_index(["algorithm", "fold", "metric"])["value"]
    found = frame.set_index(["configuration", "fold", "metric"])["value"]
    assert found.to_dict() == expected.to_dict()
    cached = project.run("-n", "2", "--omnirec-table=none", "--omnirec-failed=replay", "--omnirec-export=again.md")
    assert cached.parse_summary_nouns(cached.stdout.lines) == {"cached": 4, "failed": 2}
    assert (place / "again.md").read_text() == text


def test_it_tells_of_this_run_only(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was deselected is not in the file; the variable counts more than the ini file, the command line most."""
    place = project.pytester.path
    (place / "below").mkdir()
    with (place / "tox.ini").open("a") as file:
        file.write("omnirec_export = below/ini.json 'below/with blank.csv'\n")
    project.run("-k", "fold_1")
    assert {one.name for one in (place / "below").iterdir()} == {"ini.json", "with blank.csv"}
    assert set(pd.read_csv(place / "below" / "with blank.csv")["fold"]) == {1}
    monkeypatch.setenv("OMNIREC_EXPORT", "below/variable.tex")
    project.run("--omnirec-table=none")
    assert "Popular" in (place / "below" / "variable.tex").read_text()
    project.run("--omnirec-export=below/line.md")
    names = {"ini.json", "with blank.csv", "variable.tex", "line.md"}
    assert {one.name for one in (place / "below").iterdir()} == names
    assert "every configuration: in 1 of 2 folds" not in (place / "below" / "line.md").read_text()


def test_an_impossible_file_is_refused_first(project: Project) -> None:
    """Before anything is collected or computed, once, also with workers."""
    for place in ("results.doc", "nowhere/results.md"):
        run = project.run("-n", "2", f"--omnirec-export={place}")
        assert run.ret == pytest.ExitCode.USAGE_ERROR
        assert len(re.findall("^ERROR: --omnirec-export: ", run.stderr.str(), re.MULTILINE)) == 1
    assert project.count_fits() == 0


def test_what_cannot_be_written_in_the_end_fails_the_run(project: Project) -> None:
    """Results are recorded all the same; a run that stops early says what was not run."""
    place = project.pytester.path
    (place / "out").mkdir()
    project.bench(body="import shutil; shutil.rmtree('out', ignore_errors=True); assert result.fold")
    run = project.run("--omnirec-export=out/results.md")
    assert run.ret == pytest.ExitCode.TESTS_FAILED
    run.stdout.fnmatch_lines(["omnibench: '*out/results.md' could not be written (No such file or directory)."])
    assert len(open_store(place / "checkpoints").completed) == 2
    (place / "out").mkdir()
    project.bench(body="import shutil; shutil.rmtree('out', ignore_errors=True)")
    run = project.run("--omnirec-export=out/results.md")
    assert run.parse_summary_nouns(run.stdout.lines) == {"cached": 2}
    assert run.ret == pytest.ExitCode.TESTS_FAILED


def test_without_a_store_and_without_benchmarks(project: Project) -> None:
    """A run that keeps nothing still writes its results; one of other tests leaves the file alone, and says so."""
    place = project.pytester.path
    project.bench(plan='plan.add_algorithm(Popular, {"noise": Grid([0, 1])})')
    project.run("--omnirec-resume=never", "--omnirec-export=results.html")
    text = (place / "results.html").read_text()
    assert len(re.findall('<tr class="fold">', text)) == 4
    assert not (place / "checkpoints").exists()
    project.pytester.makepyfile(test_other="def test_other(): ...")
    run = project.run("test_other.py", "--omnirec-export=results.html")
    run.stdout.fnmatch_lines(["omnibench: no benchmark was selected, so --omnirec-export wrote nothing"])
    assert run.ret == 0
    assert (place / "results.html").read_text() == text
    for looking in ("--omnirec-plan", "--collect-only"):
        project.run(looking, "--omnirec-export=other.md")
    assert not (place / "other.md").exists()


def test_readonly_leaves_the_store_alone(project: Project) -> None:
    """The files of results are elsewhere, and may be written; not one file of the store changes."""
    project.run()
    store: Path = project.pytester.path / "checkpoints"

    def state() -> dict[str, int]:
        return {str(one): one.stat().st_mtime_ns for one in store.rglob("*") if one.is_file()}

    before = state()
    project.run("--omnirec-readonly", "--omnirec-table=none", "--omnirec-export=results.html")
    assert (project.pytester.path / "results.html").exists()
    assert state() == before
    assert os.listdir(store / "store")

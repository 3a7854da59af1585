"""`--omnirec-export`: the results of a run's items, written at its end by the process that oversees it."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
from support.projects import Project

from omnibench import export_results, open_store
from omnibench.plugin.options import EXPORT

PLAN = """
plan.add_algorithm(Popular, {"noise": Grid([0, 1])})
plan.add_algorithm(Broken)
"""


def state(store: Path) -> dict[str, int]:
    """When each file of a store was written last, but for what SQLite's readers tell each other."""
    files = [one for one in store.rglob("*") if one.is_file() and one.suffix != ".db-shm"]
    return {str(one): one.stat().st_mtime_ns for one in files}


def test_a_run_writes_what_its_table_shows(project: Project) -> None:
    """A run on workers writes what its table shows and what failed; a read-only run writes the same bytes."""
    project.bench(plan=PLAN)
    place = project.pytester.path
    run = project.run("-n", "1", "--omnirec-export=results.md", "--omnirec-export", "results.csv")
    run.assert_outcomes(passed=4, failed=2)
    run.stdout.fnmatch_lines([f"Exported: {place}/results.md, {place}/results.csv"])
    text, frame = (place / "results.md").read_text(), pd.read_csv(place / "results.csv")
    assert "> 2 of 6 items are missing" in text
    said = r"> - tiny/Broken/fold_[01] \(failed\): `Fit failed: .*the algorithm is broken`"
    assert len(re.findall(said, text)) == 2
    expected = open_store(place / "checkpoints").results().set_index(["algorithm", "fold", "metric"])["value"]
    found = frame.set_index(["configuration", "fold", "metric"])["value"]
    assert found.to_dict() == expected.to_dict()
    before = state(place / "checkpoints")
    cached = project.run("-n", "1", "--omnirec-table=none", "--omnirec-readonly", "--omnirec-export=again.md")
    assert cached.parse_summary_nouns(cached.stdout.lines) == {"cached": 4, "failed": 2}
    assert (place / "again.md").read_text() == text
    assert state(place / "checkpoints") == before


def test_it_tells_of_this_run_only(project: Project) -> None:
    """What was deselected is not in the file, nor missing; a run that keeps no store writes its results, too."""
    place = project.pytester.path
    project.run(
        "-k", "fold_1", "--omnirec-resume=never", "--omnirec-export=results.csv", "--omnirec-export=results.html"
    )
    assert set(pd.read_csv(place / "results.csv")["fold"]) == {1}
    text = (place / "results.html").read_text()
    assert "in 1 of 2 folds" in text
    assert "missing" not in text
    assert not (place / "checkpoints").exists()


def test_files_may_be_named_elsewhere(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable counts more than the ini file, the command line most; blanks separate, quotation marks hold together."""
    pytester = project.pytester
    below = pytester.mkdir("below")
    pytester.makeini("[pytest]\nomnirec_export = ini.json 'with blank.csv'")

    def paths(*arguments: str) -> list[str]:
        return EXPORT.paths(pytester.parseconfig(*arguments))

    monkeypatch.chdir(below)
    assert paths(str(pytester.path)) == [f"{pytester.path}/ini.json", f"{pytester.path}/with blank.csv"]
    monkeypatch.setenv("OMNIREC_EXPORT", "variable.tex")
    assert paths() == [f"{below}/variable.tex"]
    assert paths("--omnirec-export=a b.md", "--omnirec-export=/c.md") == [f"{below}/a b.md", "/c.md"]
    monkeypatch.setenv("OMNIREC_EXPORT", "'variable.tex")
    with pytest.raises(pytest.UsageError, match=r"OMNIREC_EXPORT is .* which cannot be split"):
        paths()


@pytest.mark.parametrize(("looking", "writes"), [("-q", True), ("--omnirec-plan", False), ("--collect-only", False)])
def test_who_only_looks_writes_nothing(project: Project, looking: str, writes: bool) -> None:
    """There are no results of a run that runs nothing."""
    config = project.pytester.parseconfigure(looking, "--omnirec-export=results.md")
    assert config.pluginmanager.has_plugin("omnibench-export") == writes


def test_an_impossible_file_is_refused_first(project: Project) -> None:
    """An impossible file is refused once, before anything is collected or computed, also with workers."""
    run = project.run("-n", "1", "--omnirec-export=nowhere/results.md")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    (error,) = [line for line in run.stderr.lines if line.startswith("ERROR")]
    assert re.match("ERROR: --omnirec-export: there is no directory '.*nowhere'; make it", error)
    assert project.count_fits() == 0


def test_what_cannot_be_written_in_the_end_fails_the_run(project: Project) -> None:
    """Its items passed, and their results are recorded."""
    place = project.pytester.mkdir("out")
    project.bench(body="import shutil; shutil.rmtree('out', ignore_errors=True)")
    run = project.run("--omnirec-export=out/results.md")
    run.assert_outcomes(passed=2)
    assert run.ret == pytest.ExitCode.TESTS_FAILED
    run.stdout.fnmatch_lines([f"omnibench: '{place}/results.md' could not be written (No such file or directory)."])
    assert len(open_store(project.pytester.path / "checkpoints").completed) == 2


def test_costs_are_values_of_a_run_and_none_of_a_store(project: Project) -> None:
    """Where an item has no other metric its store exports whole files without rows."""
    project.bench(metrics="FitTime()")
    files = [project.pytester.path / name for name in ("results.csv", "results.parquet")]
    project.run(*(f"--omnirec-export={file}" for file in files)).assert_outcomes(passed=2)
    assert [len(frame) for frame in (pd.read_csv(files[0]), pd.read_parquet(files[1]))] == [2, 2]
    assert export_results(project.pytester.path / "checkpoints", *files) == []
    assert [len(frame) for frame in (pd.read_csv(files[0]), pd.read_parquet(files[1]))] == [0, 0]


def test_a_run_of_other_tests_leaves_the_file_alone(project: Project) -> None:
    """A run without benchmarks leaves the file alone, and says so if the command line asked for the file."""
    file = project.pytester.path / "results.md"
    file.write_text("old")
    project.pytester.makepyfile(test_other="def test_other(): ...")
    run = project.run("test_other.py", "--omnirec-export=results.md")
    run.stdout.fnmatch_lines(["omnibench: no benchmark was selected, so --omnirec-export wrote nothing"])
    assert (run.ret, file.read_text()) == (0, "old")

"""Runs of pytest with data sets of the catalogue: fetched while the bench file is collected, and said on stderr."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.catalogues import begin_project, define
from support.projects import Project
from support.servers import FileServer, breaking_off, file_server

BENCH = """
from omnibench import *
from own_algorithms import *

data = load_dataset("Shop").pipe(MakeImplicit(2), UserHoldout(validation_size=0.0, test_size=0.3))
plan = ExperimentPlan("tests")
plan.add_algorithm(Popular)

@benchmark(data, plan, Evaluator(NDCG(5)))
def bench_shop(result):
    ...
"""


@pytest.fixture(scope="module")
def running() -> Iterator[FileServer]:
    with file_server() as server:
        yield server


@pytest.fixture
def server(running: FileServer, project: Project, monkeypatch: pytest.MonkeyPatch) -> FileServer:
    """A server with a data set that a project defines, an empty cache, and a bench file that uses it."""
    begin_project(project.pytester.path, monkeypatch)
    running.cleared()
    numbers = random.Random(7)
    pairs = sorted({(numbers.randrange(20), numbers.randrange(30)) for _ in range(300)})
    rows = "".join(f"{user}::{item}::{numbers.randrange(1, 6)}::{1000 + item}\n" for user, item in pairs)
    define(running.add("/shop.dat", rows.encode()))
    Path("bench_tiny.py").write_text(BENCH)
    return running


def test_a_run_fetches_what_it_needs_and_the_next_needs_nothing(
    server: FileServer, project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    """What is downloaded is said while pytest captures; items are cached without network, raw file and arrays."""
    project.run().assert_outcomes(passed=1)
    assert "omnibench: downloading shop.dat from 127.0.0.1" in capfd.readouterr().err
    server.contents.clear()
    (folder,) = Path("cache", "datasets").iterdir()
    for path in [*folder.glob("*.arrow"), folder / "shop.dat"]:
        path.rename(path.name)
    (name,) = (path.name for path in Path().glob("*.arrow"))
    Path(name).rename(folder / name)
    result = project.run()
    result.stdout.fnmatch_lines(["*1 cached*"])
    assert len(server.requests) == 1


def test_a_quiet_run_says_as_little_as_it_is_asked_to(
    server: FileServer, project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    """-q has lines without a bar, -qq not a word."""
    project.run("-q")
    assert "downloading shop.dat" in capfd.readouterr().err
    for path in Path("cache", "datasets").glob("*/*"):
        path.unlink()
    project.run("-qq")
    assert "shop.dat" not in capfd.readouterr().err
    assert len(server.requests) == 2


def test_a_data_set_that_cannot_be_had_is_a_failed_item(server: FileServer, project: Project) -> None:
    """With every source, and what to do; the rest of the run goes on."""
    define(f"{server.url}/gone.dat", "http://127.0.0.1:1/gone.dat")
    Path("test_other.py").write_text("def test_other():\n    pass\n")
    result = project.run()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*answers 404: it has no such file; 127.0.0.1:1 cannot be reached*put gone.dat into*"])


def test_terms_are_accepted_on_the_command_line_of_pytest(server: FileServer, project: Project) -> None:
    """Once: the next run needs no option any more."""
    terms = '[licence]\nname = "No sale"\nurl = "https://shop.example/terms"\naccept = true\n'
    define(f"{server.url}/shop.dat", more=terms)
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*No sale (https://shop.example/terms)*--omnirec-accept-licence=Shop*"])
    project.run("--omnirec-accept-licence=Other,Shop").assert_outcomes(passed=1)
    project.run().stdout.fnmatch_lines(["*1 cached*"])


@pytest.mark.slow
def test_workers_and_runs_at_the_same_time_download_once(server: FileServer, project: Project) -> None:
    """Also where the server breaks off: one process goes on, the others wait."""
    server.answers["/shop.dat"] = breaking_off(2, 500)
    project.run_process("-n", "2").assert_outcomes(passed=1)
    assert [requested for _, _, requested in server.requests] == ["", "bytes=500-", "bytes=1000-"]

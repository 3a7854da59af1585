"""`omnibench prune --plan`: what bench files do not name goes, and nothing does where that is not certain."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from support.projects import Project

from omnibench import open_store
from omnibench.commands.main import main

Prune = Callable[..., str]


@pytest.fixture
def prune(project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Prune:
    """Run the command in a project that has run two configurations, expect how it ends, and return what it said."""
    monkeypatch.chdir(project.pytester.path)
    monkeypatch.setenv("COUNT_FITS_IN", str(project.fits))
    project.bench(plan='plan.add_algorithm(Popular, {"noise": Grid([0, 1])})')
    project.first_run()
    capsys.readouterr()

    def run(*arguments: str, ends: int = 0) -> str:
        assert main(["prune", *arguments]) == ends
        out, err = capsys.readouterr()
        return err if ends == 2 else out

    return run


def _left(project: Project) -> list[int]:
    items = open_store(project.pytester.path / "checkpoints").items().values()
    return [item["parameters"]["noise"] for item in items]


def test_what_no_bench_file_names_goes(project: Project, prune: Prune) -> None:
    """A configuration that was taken out goes when somebody says yes; what is deselected is planned all the same."""
    assert prune("--plan", "bench_tiny.py", "--yes") == "Nothing is to be removed.\n"
    project.bench(plan='plan.add_algorithm(Popular, {"noise": Grid([1])})')
    ini = project.pytester.path / "tox.ini"
    ini.write_text(ini.read_text().replace("addopts =", "addopts = -k nothing"))
    told = prune("--plan", "bench_tiny.py", "--dry-run").splitlines()
    assert told[-1].startswith("would remove 2 items (")
    assert len(_left(project)) == 4
    assert "say so with --yes" in prune("--plan", "bench_tiny.py", ends=2)
    assert prune("--plan", "bench_tiny.py", "--yes").splitlines()[-1].startswith("removed 2 items (")
    assert _left(project) == [1, 1]


def test_an_older_version_of_an_own_class_goes(project: Project, prune: Prune) -> None:
    """Its code is in the key, so that the class as it is now is another one; its dataset goes with the last of it."""
    path = project.pytester.path / "own_algorithms.py"
    path.write_text(path.read_text().replace("self.items[:k] for user", "self.items[1:][:k] for user"))
    project.run().assert_outcomes(passed=4)
    assert len(_left(project)) == 8
    prune("--plan", "bench_tiny.py", "--yes")
    assert len(_left(project)) == 4
    cached = project.run()
    assert cached.parse_summary_nouns(cached.stdout.lines) == {"cached": 4}
    bench = project.pytester.path / "bench_tiny.py"
    bench.write_text(bench.read_text().replace("CorePruning(4)", "CorePruning(3)"))
    told = prune("--plan", "bench_tiny.py", "--yes")
    assert told.splitlines()[-1].startswith("1 prepared dataset of no item were removed (") or "was removed" in told
    assert _left(project) == []
    assert list((project.pytester.path / "checkpoints" / "datasets").iterdir()) == []


@pytest.mark.parametrize(
    ("bench", "arguments", "message"),
    [
        ("raise RuntimeError('broken')", "bench_tiny.py", "pytest cannot collect 'bench_tiny.py' (exit status 2)"),
        ("", "bench_tiny.py", "pytest found no benchmark in 'bench_tiny.py'"),
        ("", "nowhere", "pytest cannot collect 'nowhere' (exit status 4)"),
        ("from omnibench import Grid\nfrom omnibench.errors import PlanError\nraise PlanError('no')", "bench_tiny.py", "is not the whole plan"),
    ],
)  # fmt: skip
def test_what_cannot_be_collected_whole_removes_nothing(
    bench: str, arguments: str, message: str, project: Project, prune: Prune
) -> None:
    """A broken file, an empty one, none: an error with what pytest said."""
    (project.pytester.path / "bench_tiny.py").write_text(bench)
    assert message in prune("--plan", arguments, "--yes", ends=2)
    assert len(_left(project)) == 4


def test_by_age_alone(project: Project, prune: Prune) -> None:
    """Without a plan everything that is older goes; without both there is nothing to go by."""
    assert "say what is to go: --plan" in prune(ends=2)
    assert prune("--older", "30d", "--yes") == "Nothing is to be removed.\n"
    assert prune("--older", "0s", "--models", "--yes").splitlines()[-1].startswith("removed the models of 4 items (")
    assert len(_left(project)) == 4
    assert prune("--older", "0s", "--yes").splitlines()[-1].startswith("removed 4 items (")
    assert _left(project) == []


@pytest.mark.parametrize(("answer", "left"), [("y\n", 0), ("n\n", 4), ("\n", 4), ("", 4)])
def test_on_a_terminal_it_asks(
    answer: str, left: int, project: Project, prune: Prune, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a yes removes anything; the question says how much of what."""
    terminal = io.StringIO(answer)
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdin", terminal)
    told = prune("--older", "0s", ends=0 if left == 0 else 1)
    assert f"Remove 4 items of {project.pytester.path / 'checkpoints'} for good? [y/N]" in told
    assert told.splitlines()[-1].startswith("removed 4 items (" if left == 0 else "Nothing was removed.")
    assert len(_left(project)) == left

"""What somebody has put into a store is not run by whoever runs pytest beside it."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.projects import Project

PLANTED = "from pathlib import Path\nPath({mark!r}).touch()\ndef test_planted():\n    pass\n"


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """A file that planted code would make."""
    return tmp_path / "planted"


def plant(store: Path, mark: Path) -> None:
    """Put files into a store, and into a directory of it, that pytest collects or imports."""
    inside = store / "datasets" / "tests"
    inside.mkdir(parents=True, exist_ok=True)
    for directory in (store, inside):
        for name in ("conftest.py", "test_planted.py", "bench_planted.py", "__init__.py"):
            (directory / name).write_text(PLANTED.format(mark=str(mark)))


@pytest.mark.parametrize("left", ["all", "STORE.json", "store/cache.db"])
def test_nothing_in_the_checkpoint_directory_runs(project: Project, mark: Path, left: str) -> None:
    """Neither tests nor bench files nor conftest files, also where a store has lost half of what it is known by."""
    project.bench()
    project.first_run()
    store = project.pytester.path / "checkpoints"
    (project.pytester.path / "test_own.py").write_text("def test_own():\n    pass\n")
    for part in ("STORE.json", "store/cache.db", "leases/store.lock"):
        if left not in ("all", part):
            (store / part).unlink()
    plant(store, mark)
    project.run("--collect-only", "-q").stdout.no_fnmatch_line("*planted*")
    result = project.run()
    assert result.ret == 0
    result.stdout.fnmatch_lines("*1 passed*" if left == "all" else "*passed*")
    assert not mark.exists()


def test_nothing_in_other_stores_runs(pytester: pytest.Pytester, mark: Path) -> None:
    """Stores that lie about, e.g. one to be merged: also for whoever names everything that there is."""
    pytester.makepyfile(test_own="def test_own():\n    pass\n")
    other = pytester.mkdir("downloaded")
    (other / "STORE.json").write_text('{"format": 2}')
    plant(other, mark)
    (other / "conftest.py").unlink()
    pytester.runpytest().assert_outcomes(passed=1)
    pytester.runpytest("downloaded", "test_own.py").assert_outcomes(passed=1)
    (other / "datasets" / "tests" / "conftest.py").unlink()
    for named in ("downloaded/datasets/tests/test_planted.py", "downloaded/datasets/tests"):
        assert pytester.runpytest(named).ret == pytest.ExitCode.USAGE_ERROR
    assert not mark.exists()


@pytest.mark.parametrize("name", ["test-store", "downloaded"])
def test_a_conftest_file_that_pytest_would_load_first_is_refused(
    pytester: pytest.Pytester, mark: Path, name: str
) -> None:
    """Those of ``test*`` and of paths that pytest is given are imported before anybody is asked."""
    pytester.makepyfile(test_own="def test_own():\n    pass\n")
    store = pytester.mkdir(name)
    (store / "STORE.json").write_text('{"format": 2}')
    plant(store, mark)
    result = pytester.runpytest(*(() if name == "test-store" else (name, f"{name}/datasets", "test_own.py")))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*conftest.py' lies in the checkpoints *nothing in checkpoints is to run. Remove*"])
    assert not mark.exists()


def test_other_directories_are_as_they_were(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of that name may be anybody's, directories may be called as ours are, and a store may hold its bench files."""
    for name, content in (
        ("shop/STORE.json", '{"name": "shop"}'),
        ("checkpoints/STORE", ""),
        ("own/STORE.json", '{"format": 2}'),
    ):
        directory = pytester.path / Path(name).parent
        directory.mkdir()
        (pytester.path / name).write_text(content)
        (directory / f"test_in_{directory.name}.py").write_text(
            "def test_it(request):\n    assert request.config.seen\n"
        )
        (directory / "conftest.py").write_text("def pytest_configure(config):\n    config.seen = True\n")
    (pytester.path / "pytest.ini").write_text("[pytest]\n")
    pytester.runpytest("shop", "checkpoints").assert_outcomes(passed=2)
    monkeypatch.chdir(pytester.path / "own")
    pytester.runpytest().assert_outcomes(passed=1)

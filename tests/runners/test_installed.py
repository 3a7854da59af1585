"""What is installed is compared file by file, and an environment that lacks something is told of as what it is."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.markers import starts_guests
from support.projects import Project

from omnibench.commands.main import main
from omnibench.errors import GuestEnvironmentError
from omnibench.runners.environments import Environment, Environments, environment_of
from omnibench.runners.info import RunnerInfo
from omnibench.runners.installed import differences
from omnibench.runners.pool import GuestPool
from omnibench.runners.registry import get_runner
from omnibench.store.queries import open_store


@pytest.fixture
@starts_guests
def six(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """An environment of one small package, and nothing that a guest needs."""
    monkeypatch.setenv("OMNIBENCH_CACHE_DIR", str(tmp_path / "cache"))
    lock = tmp_path / "six.txt"
    lock.write_text("six==1.16.0\n")
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    environment = Environment(RunnerInfo("Six", "six", "lenskit", 1, python=python, lock=lock), "cpu")
    environment.ensure()
    return environment


def site_of(environment: Environment) -> Path:
    """The directory of an environment's packages."""
    (site,) = environment.directory.glob("lib/python*/site-packages")
    return site


def rewrite(file: Path, content: str) -> None:
    """Change a file; not in place, which would change uv's cache."""
    file.unlink()
    file.write_text(content)


def test_every_file_is_looked_at(six: Environment) -> None:
    """Missing, shorter, of the same size but another content, of no package: each is named, and the package with it."""
    site = site_of(six)
    assert six.verify() == []
    text = (site / "six.py").read_text()
    rewrite(site / "six.py", text.replace("six", "siy", 1))
    assert six.verify() == ["six 1.16.0: 1 of 8 files is changed (six.py)"]
    rewrite(site / "six.py", text[:-1])
    (site / "six-1.16.0.dist-info" / "LICENSE").unlink()
    (site / "sitecustomize.py").write_text("import antigravity")
    assert six.verify() == [
        "six 1.16.0: 1 of 8 files is missing (six-1.16.0.dist-info/LICENSE)",
        "six 1.16.0: 1 of 8 files is changed (six.py)",
        "1 more files are there, of no package (sitecustomize.py)",
    ]
    shutil.rmtree(site / "six-1.16.0.dist-info")
    assert six.verify()[0] == "six 1.16.0 is missing"


def test_an_interpreter_that_does_not_run(six: Environment) -> None:
    """It is said, beside what is wrong with the packages."""
    six.python.unlink()
    assert differences(six.directory, {"six": "1.16.0"}) == ["its interpreter does not run (No such file or directory)"]


def test_old_ways_to_write_versions(six: Environment) -> None:
    """`0.1.1-2209072238`, as a package of RecBole's writes it, is `0.1.1.post2209072238` of the lock."""
    metadata = site_of(six) / "six-1.16.0.dist-info" / "METADATA"
    rewrite(metadata, metadata.read_text().replace("Version: 1.16.0", "Version: 1.16.0-22"))
    assert not any("instead of" in sentence for sentence in differences(six.directory, {"six": "1.16.0.post22"}))


def test_a_guest_that_cannot_begin(six: Environment, tmp_path: Path) -> None:
    """Without numpy: the environment's fault, with what mends it; who asks again hears it at once, and starts nothing."""
    environments = Environments()
    pool = GuestPool(environments, tmp_path, 1, lambda _stream, _lines: None, lambda _line: None)
    try:
        for _ in range(2):
            with pytest.raises(
                GuestEnvironmentError, match=r"Six is broken \(.*No module named 'numpy'\).*envs remove Six"
            ):
                pool.get(six.runner)
            six.python.unlink(missing_ok=True)  # the second time nothing looks for it
    finally:
        pool.close()
    assert environments.refusal(six.runner) is not None


@pytest.fixture
@starts_guests
def copy(environment_python: Callable[[str], Path], tmp_path: Path) -> Path:
    """A copy of RecPack's environment, in a cache of its own; what is removed there stays where it was made."""
    whole = environment_python("RecPack").parents[1]  # before `project` has another home
    directory = tmp_path / "cache" / "envs" / whole.name
    try:
        shutil.copytree(whole, directory, symlinks=True, copy_function=os.link)
    except OSError:
        pytest.skip("the cache is on another file system")
    return directory


@pytest.mark.slow
@pytest.mark.parametrize("lost", ["numpy", "recpack", "numpy/__init__.py"])
def test_items_of_a_broken_environment(
    copy: Path,
    project: Project,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    lost: str,
) -> None:
    """The first says so, the rest of the framework is skipped, nothing is recorded as failed; mended, all is computed."""
    monkeypatch.setenv("OMNIBENCH_CACHE_DIR", str(tmp_path / "cache"))
    (site,) = copy.glob("lib/python*/site-packages")
    (site / lost).rename(tmp_path / "lost")
    project.bench(
        plan="plan.add_algorithm(RecPack.Popularity)\nplan.add_algorithm(RecPack.ItemKNN)\nplan.add_algorithm(Popular)"
    )
    broken = project.run("-p", "no:randomly")
    broken.assert_outcomes(failed=1, skipped=3, passed=2)
    broken.stdout.fnmatch_lines(["*the environment of RecPack is broken (*", "*1 failed, 2 passed, 3 skipped*"])
    statuses = [item["status"] for item in open_store(project.pytester.path / "checkpoints").items().values()]
    assert sorted(statuses) == ["done", "done", "interrupted", "pending", "pending", "pending"]
    assert main(["envs", "verify", "RecPack"]) == 1
    said = capsys.readouterr().out
    assert "missing" in said
    assert lost.partition("/")[0] in said
    assert "`omnibench envs build RecPack`" in said
    (tmp_path / "lost").rename(site / lost)
    assert main(["envs", "verify", "RecPack"]) == 0
    project.run("-p", "no:randomly").assert_outcomes(passed=4)
    assert environment_of(get_runner("RecPack")).directory == copy

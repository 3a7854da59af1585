"""Real users of one machine: a group's store works for its members, and nobody can slip anybody a model."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.projects import Project

from faults.users import GROUP, users
from omnibench.store.queries import open_store

pytestmark = pytest.mark.faults


@pytest.fixture
def bench(project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project that everybody can read, and its copy with longer lists; pytest keeps its own directories to its user."""
    top = Path(tempfile.mkdtemp(prefix="users-"))
    top.chmod(0o755)
    directory = top / "project"
    shutil.copytree(project.pytester.path, directory, ignore=shutil.ignore_patterns("fits"))
    directory.chmod(0o755)
    text = (directory / "bench_tiny.py").read_text()
    (directory / "bench_longer.py").write_text(text.replace("NDCG([5, 10])", "NDCG([5, 30])"))
    monkeypatch.chdir(directory)
    monkeypatch.delenv("COUNT_FITS_IN")  # which only pytest's user can write
    yield directory
    shutil.rmtree(top)


def test_a_group_shares_a_store(bench: Path) -> None:
    """One computes, the other goes on with it, resets, collects; who is in no group sees nothing; all of it sound."""
    ann, ben, eve = users(bench.parent, (GROUP,), (GROUP,), ())
    lab = bench / "lab"
    lab.mkdir()
    os.chown(lab, ann.uid, GROUP)
    lab.chmod(0o2770)
    place, shared = "--omnirec-checkpoint-dir=lab/store", "--omnirec-shared"
    first = ann.run("pytest", "-q", "bench_tiny.py", place, shared, "-n2", umask=0o002)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "2 cached" in ben.run("pytest", "-q", "bench_tiny.py", place, shared, umask=0o002).stdout
    assert "nothing is written there" in ben.run("pytest", "-q", "bench_tiny.py", place).stderr
    yes = {"OMNIREC_SHARED": "yes"}
    for words in (["reset", "Popular/fold_0"], ["status"], ["logs"], ["gc"], ["rebuild"]):
        done = ben.run("omnibench", *words, "--store", "lab/store", umask=0o002, variables=yes)
        assert done.returncode == 0, (words, done.stderr)
    longer = ben.run("pytest", "-q", "bench_longer.py", place, shared, umask=0o002)
    assert longer.returncode == 0, longer.stdout + longer.stderr
    assert "it is fitted again" in longer.stdout
    again = ann.run("pytest", "-q", place, shared, "--omnirec-reset=Predict", "-n2", umask=0o002)
    assert again.returncode == 0, again.stdout + again.stderr
    refused = eve.run("pytest", "-q", "bench_tiny.py", place, shared)
    assert refused.returncode == pytest.ExitCode.USAGE_ERROR, refused.stdout
    assert "cannot be read by" in eve.run("omnibench", "status", "--store", "lab/store").stderr
    assert open_store(lab / "store").summary()["completed"] == 2
    assert {path.stat().st_gid for path in (lab / "store").rglob("*")} == {GROUP}


@pytest.mark.parametrize("resume", [[], ["-n2"]])
def test_nothing_that_others_have_planted_is_used(bench: Path, resume: list[str]) -> None:
    """Whatever an attacker makes first in the temporary directory, the victim's run does not touch it."""
    eve, ann = users(bench.parent, (), ())
    common = bench.parent / "common"
    common.mkdir()
    common.chmod(0o1777)
    for name in (f"omnibench-{ann.uid}", f"omnibench-{ann.uid}/checkpoints"):
        (common / name).mkdir()
        (common / name).chmod(0o777)
        os.chown(common / name, eve.uid, eve.uid)
    run = ann.run("pytest", "-q", "bench_tiny.py", "--omnirec-resume=never", *resume, variables={"TMPDIR": str(common)})
    assert run.returncode == 0, run.stdout + run.stderr
    assert not list((common / f"omnibench-{ann.uid}" / "checkpoints").iterdir())
    assert [path.name for path in common.glob("omnibench-*")] == [f"omnibench-{ann.uid}"]


def test_stores_and_caches_of_others(bench: Path) -> None:
    """Refused with whose they are; a readable one can be looked at, and is as it was afterwards."""
    ann, ben = users(bench.parent, (), ())
    (bench / "work").mkdir()
    os.chown(bench / "work", ann.uid, ann.uid)
    assert ann.run("pytest", "-q", "bench_tiny.py", "--omnirec-checkpoint-dir=work/store").returncode == 0
    for directory in (bench / "work" / "store", *(bench / "work" / "store").rglob("*")):
        directory.chmod(directory.stat().st_mode | (0o055 if directory.is_dir() else 0o044))
    before = {path: path.stat().st_mtime_ns for path in (bench / "work").rglob("*")}
    place = "--omnirec-checkpoint-dir=work/store"
    assert "belongs to uid" in ben.run("pytest", "-q", "bench_tiny.py", place).stderr
    assert "2 cached" in ben.run("pytest", "-q", "bench_tiny.py", place, "--omnirec-readonly").stdout
    for words in (["status"], ["logs"], ["show", "Popular/fold_0"]):
        seen = ben.run("omnibench", *words, "--store", "work/store")
        assert seen.returncode == 0, (words, seen.stderr)
    for words in (["reset", "Popular"], ["gc"], ["rebuild"], ["delete", "Popular", "--yes"]):
        refused = ben.run("omnibench", *words, "--store", "work/store")
        assert (refused.returncode, "Traceback" in refused.stderr) == (2, False), (words, refused.stderr)
        assert "nothing is written there" in refused.stderr
    assert {path: path.stat().st_mtime_ns for path in (bench / "work").rglob("*")} == before
    cache = {"OMNIBENCH_CACHE_DIR": str(ann.home)}
    assert "programs are run from there" in ben.run("omnibench", "envs", "list", variables=cache).stderr


@pytest.mark.skipif(shutil.which("unshare") is None, reason="another name of the machine is made by unshare")
def test_a_store_goes_on_at_another_path_as_another_user_and_on_another_host(bench: Path) -> None:
    """Moved and given away: what is done is cached, the rest is computed, and no word is lost about it."""
    ann, ben = users(bench.parent, (), ())
    lab = bench / "lab"
    lab.mkdir()
    lab.chmod(0o777)
    computed = ann.run(
        "pytest", "-q", "bench_tiny.py", "-k", "fold_0", "--omnirec-checkpoint-dir=lab/anns", host="workstation"
    )
    assert "1 passed" in computed.stdout, computed.stdout + computed.stderr
    (lab / "anns").rename(lab / "bens")
    for path in [lab / "bens", *(lab / "bens").rglob("*")]:
        os.chown(path, ben.uid, ben.uid)
    moved = ben.run("pytest", "bench_tiny.py", "--omnirec-checkpoint-dir=lab/bens", host="laptop")
    assert "1 passed, 1 cached" in moved.stdout, moved.stdout + moved.stderr
    assert moved.stderr == ""
    said = [line for line in moved.stdout.splitlines() if line.startswith("omnibench:")]
    assert [line.partition(" (")[0] for line in said] == ["omnibench: 2 items: 1 done, 0 failed, 1 pending"]
    hosts = [run["host"] for run in open_store(lab / "bens").runs()]
    assert sorted(hosts) == ["laptop", "workstation"]

"""What the options make of what earlier runs have left: resume, failed, reset, plan, salt, read-only."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from support.projects import Project

from omnibench import open_store
from omnibench.store import CheckpointStore

TWO = 'plan.add_algorithm(Popular, {"noise": Grid([0, 1])})'


def counts(result: pytest.RunResult) -> dict[str, int]:
    return result.parse_summary_nouns(result.stdout.lines)


def table(result: pytest.RunResult) -> list[str]:
    return [line for line in result.stdout.lines if "│" in line or "mean" in line or " std" in line]


def checkpoints(project: Project) -> Path:
    return project.pytester.path / "checkpoints"


@pytest.mark.parametrize("workers", ["1"])
def test_fresh_computes_anew_and_keeps_the_old_results(project: Project, workers: str) -> None:
    """A new generation has files of its own; the old one's records and files stay, also after a gc."""
    project.first_run().assert_outcomes(passed=2)
    old = {path: path.read_bytes() for path in checkpoints(project).rglob("*.npy")}
    fresh = project.run("--omnirec-resume=fresh", "-n", workers)
    assert counts(fresh) == {"passed": 2}
    assert project.count_fits() == 4
    subprocess.run([sys.executable, "-m", "omnibench", "gc"], cwd=project.pytester.path, check=True)
    assert {path: path.read_bytes() for path in old} == old
    records = open_store(checkpoints(project)).records()
    assert sum(key.startswith("old/0/fit/") for key in records) == 2
    assert counts(project.run()) == {"cached": 2}


def test_require_refuses_to_begin_from_nothing(project: Project) -> None:
    """`require` refuses an empty store before anything is computed or written; once there is something it goes on."""
    refused = project.run("--omnirec-resume=require")
    assert refused.ret == 4
    refused.stderr.fnmatch_lines(["*there is nothing to resume*--omnirec-checkpoint-dir*"])
    assert not checkpoints(project).exists()
    assert project.run("--omnirec-resume=require", "-n", "1").ret == 4
    project.run("-k", "fold_0").assert_outcomes(passed=1, deselected=1)
    assert counts(project.run("--omnirec-resume=require")) == {"passed": 1, "cached": 1}


@pytest.mark.parametrize("workers", ["0", "1"])
def test_never_neither_reads_nor_writes_a_store(
    project: Project, workers: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The results are shown all the same, and the temporary place is gone afterwards."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    first = project.first_run()
    before = {path: path.stat().st_mtime_ns for path in checkpoints(project).rglob("*")}
    never = project.run("--omnirec-resume=never", "-n", workers)
    assert counts(never) == {"passed": 2}
    assert table(never) == table(first) != []
    assert {path: path.stat().st_mtime_ns for path in checkpoints(project).rglob("*")} == before
    assert [path for path in tmp_path.rglob("*") if "work" in path.name or "checkpoints" in path.name] == []


@pytest.mark.parametrize("workers", ["1"])
def test_replay_fails_again_without_running(project: Project, workers: str) -> None:
    """The recorded failure is told as it was, and as an earlier run's; nothing is fitted, nothing turns green."""
    flag = project.pytester.path / "repaired"
    project.bench(plan=f'plan.add_algorithm(Broken, {{"unless": {str(flag)!r}}}); plan.add_algorithm(Popular)')
    project.run().assert_outcomes(failed=2, passed=2)
    flag.touch()
    fits = project.count_fits()
    replayed = project.run("--omnirec-failed=replay", "-n", workers)
    assert counts(replayed) == {"failed": 2, "cached": 2}
    replayed.stdout.fnmatch_lines(["*Fit failed: RuntimeError: the algorithm is broken*"])
    replayed.stdout.fnmatch_lines(["*failure of an earlier run; nothing was tried now*"])
    assert project.count_fits() == fits


RESETS = {
    "all": (4, {"passed": 4}),
    "Fit": (4, {"passed": 4}),
    "Predict": (0, {"passed": 4}),
    "Eval": (0, {"passed": 4}),
    "failed": (0, {"cached": 4}),
    "incomplete": (0, {"cached": 4}),
}


@pytest.mark.parametrize("what", RESETS)
def test_reset_computes_anew_from_where_it_says(project: Project, what: str) -> None:
    """Only what was reset is computed, the results are the same, and no file of before is touched."""
    project.bench(plan=TWO)
    first = project.first_run()
    fits, outcome = RESETS[what]
    begun = project.count_fits()
    old = {path: path.read_bytes() for path in checkpoints(project).rglob("*.npy")}
    result = project.run(f"--omnirec-reset={what}", "-n", "1" if what == "Predict" else "0")
    assert counts(result) == outcome
    assert project.count_fits() - begun == fits
    assert table(result) == table(first)
    assert {path: path.read_bytes() for path in old} == old
    assert counts(project.run()) == {"cached": 4}


def test_reset_takes_no_path_for_its_value(project: Project) -> None:
    """`pytest --omnirec-reset bench_tiny.py` resets the benchmarks of that file; an unknown word is refused."""
    project.first_run().assert_outcomes(passed=2)
    assert counts(project.run("--omnirec-reset", "bench_tiny.py")) == {"passed": 2}
    assert counts(project.run("--omnirec-reset", "failed", "bench_tiny.py")) == {"cached": 2}
    refused = project.run("--omnirec-reset=fit")
    assert refused.ret == 4
    refused.stderr.fnmatch_lines(
        ["*--omnirec-reset is 'fit'; choose from all, failed, incomplete, Tune, Fit, Predict, Eval*"]
    )


@pytest.mark.parametrize(("answer", "outcome"), [("n", {}), ("y", {"passed": 2})])
def test_reset_of_everything_asks_on_a_terminal(project: Project, answer: str, outcome: dict[str, int]) -> None:
    """A reset of everything asks on a terminal, and does nothing unless the answer or --omnirec-yes is yes."""
    project.first_run().assert_outcomes(passed=2)
    child = project.pytester.spawn_pytest("--omnirec-reset")
    child.expect("compute 2 items anew.*y/N")
    child.sendline(answer)
    child.expect("2 passed" if outcome else "nothing was reset")
    child.wait()
    assert project.count_fits() == (4 if outcome else 2)


def test_reset_leaves_alone_what_another_run_computes(project: Project) -> None:
    """It says so, resets the others, and ends the run: the old numbers of that one are not taken for new ones."""
    project.bench(plan=TWO)
    project.first_run().assert_outcomes(passed=4)
    store = CheckpointStore(checkpoints(project))
    busy = next(record for record in open_store(store.root).items().values())
    with store.lease(busy["fit_key"]):
        result = project.run("--omnirec-reset")
    store.close()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stdout.fnmatch_lines([f"*{busy['item']}: computed by another process right now, so not reset*"])
    result.stderr.fnmatch_lines(
        ["*tiny/Popular(noise=*)/fold_* could not be reset*so nothing ran. Wait for that process*"]
    )
    assert counts(project.run()) == {"passed": 3, "cached": 1}


@pytest.mark.parametrize("option", ["--omnirec-reset", "--omnirec-reset=Eval", "--omnirec-resume=fresh"])
def test_a_reset_that_cannot_be_done_ends_the_run(project: Project, option: str) -> None:
    """The old numbers are not served as if they were new; another user's lock file, too, is one that cannot be opened."""
    project.first_run().assert_outcomes(passed=2)
    for record in open_store(checkpoints(project)).items().values():
        lock = checkpoints(project) / "leases" / f"{record['fit_key']}.lock"
        lock.unlink()
        lock.mkdir()
    for workers in ("0", "1"):
        result = project.run(option, "-n", workers)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(
            [f"*{option.partition('=')[0]} could not be done, so nothing ran: *Is a directory*"]
        )
    assert counts(project.run()) == {"cached": 2}


def test_plan_tells_what_would_run_and_from_where(project: Project) -> None:
    """Nothing runs and nothing is written, with and without workers; -v names the part of the key that is new."""
    nothing = project.run("--omnirec-plan", "-n", "1")
    assert nothing.ret == 0
    nothing.stdout.fnmatch_lines(["*would run 2 items (2 from Fit); nothing was run*"])
    assert not checkpoints(project).exists()
    project.bench(plan='plan.add_algorithm(Popular, {"noise": 0})')
    project.run("-k", "fold_0").assert_outcomes(passed=1, deselected=1)
    project.bench(plan=TWO, metrics="NDCG(10), MRR(3)")
    before = {path: path.stat().st_mtime_ns for path in checkpoints(project).rglob("*")}
    result = project.run("--omnirec-plan", "-v")
    result.stdout.fnmatch_lines(
        [
            "*from Eval * tiny/Popular(noise=0)/fold_0  (MRR@3 is not recorded)",
            "*from Fit  * tiny/Popular(noise=0)/fold_1  (nothing is recorded under its key)",
            "*fold  0 -> 1",
            "*parameters.noise  0 -> 1",
            "*would run 4 items (3 from Fit, 1 from Eval); nothing was run*",
        ]
    )
    assert {path: path.stat().st_mtime_ns for path in checkpoints(project).rglob("*")} == before
    project.bench(plan='plan.add_algorithm(Popular, {"noise": 0})', metrics="NDCG(30)")
    project.run("--omnirec-plan").stdout.fnmatch_lines(["*from Predict *no predictions with lists of 30*"])


def test_why_names_the_split_that_changed(project: Project) -> None:
    """`omnibench why` compares an item with the nearest fitted one, down to the parameter of a dataset's step."""
    project.first_run().assert_outcomes(passed=2)
    path = project.pytester.path / "bench_tiny.py"
    path.write_text(path.read_text().replace("CorePruning(4)", "CorePruning(3)"))
    node = next(line for line in project.run("--collect-only", "-q").outlines if "fold_0" in line)
    done = project.pytester.run(sys.executable, "-m", "omnibench", "why", node)
    done.stdout.fnmatch_lines(["*dataset.steps?1?* 4 -> 3"])


def test_salt_disowns_what_was_computed_without_it(project: Project) -> None:
    """Everything is computed under other keys and names; without the salt everything is there as before."""
    first = project.first_run()
    salted = project.run("--omnirec-salt=suspicious")
    assert counts(salted) == {"passed": 2}
    assert project.count_fits() == 4
    assert counts(project.run("--omnirec-salt=suspicious", "-n", "1")) == {"cached": 2}
    again = project.run()
    assert counts(again) == {"cached": 2}
    assert table(again) == table(first)


@pytest.mark.parametrize("workers", ["0", "1"])
def test_readonly_serves_what_is_there_and_writes_nothing(project: Project, workers: str) -> None:
    """What is not recorded is skipped as not available, what failed fails again."""
    project.bench(plan="plan.add_algorithm(Popular); plan.add_algorithm(Broken)")
    project.run("-k", "fold_0").assert_outcomes(passed=1, failed=1, deselected=2)
    before = {path: path.stat().st_mtime_ns for path in checkpoints(project).rglob("*")}
    result = project.run("--omnirec-readonly", "-n", workers, "-rs")
    assert counts(result) == {"cached": 1, "failed": 1, "skipped": 2}
    result.stdout.fnmatch_lines(["*not available: *has no result of it, and --omnirec-readonly computes none*"])
    assert {path: path.stat().st_mtime_ns for path in checkpoints(project).rglob("*")} == before


def test_readonly_mount_serves_hits(project: Project) -> None:
    """On a read-only file system results are served without any option, and what is missing fails with the reason."""
    project.run("-k", "fold_0").assert_outcomes(passed=1, deselected=1)
    mount = (
        f"mount --bind {checkpoints(project)} {checkpoints(project)} && mount -o remount,ro,bind {checkpoints(project)}"
    )
    run = f"{mount} && exec {sys.executable} -m pytest -n 1"
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", run], cwd=project.pytester.path, capture_output=True, text=True, check=False
    )
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no mounts here: {done.stderr}")
    assert "1 failed, 1 cached" in done.stdout
    assert "cannot be written (Read-only file system" in done.stdout


def test_contradictory_options_are_refused(project: Project) -> None:
    """Contradictory options are refused before anything is collected."""
    for arguments in (
        ["--omnirec-readonly", "--omnirec-reset"],
        ["--omnirec-resume=never", "--omnirec-reset"],
        ["--omnirec-readonly", "--omnirec-resume=never"],
        ["--omnirec-grace=soon"],
        ["--omnirec-max-attempts=0"],
        ["--omnirec-track=everything"],
    ):
        assert project.run(*arguments).ret == 4, arguments


@pytest.mark.parametrize("verify", ["full", "stat", "off"])
def test_verify_decides_how_closely_a_file_is_looked_at(project: Project, verify: str) -> None:
    """A file that somebody changed is noticed by full and by stat; off trusts its size."""
    project.first_run().assert_outcomes(passed=2)
    (victim,) = checkpoints(project).glob("tiny-*/Popular-*/fold_1/predictions-*.npy")
    content = bytearray(victim.read_bytes())
    content[-1] ^= 1  # the last score: too little to change a metric
    victim.write_bytes(content)
    project.bench(metrics="MRR(10)")
    result = project.run(f"--omnirec-verify={verify}")
    assert counts(result)["passed"] == 2
    assert len(list(victim.parent.glob("*.damaged-*"))) == (0 if verify == "off" else 1)


def test_track_measures_what_is_wanted(project: Project) -> None:
    """Time always, memory of the process by default, what Python allocates on request."""
    project.run("-k", "fold_0", "--omnirec-track=none")
    project.run("-k", "fold_1", "--omnirec-track=rss,python")
    phases = open_store(checkpoints(project)).phases()
    none, all_of_it = (phases[phases["item"].str.endswith(fold)] for fold in ("fold_0", "fold_1"))
    assert list(none["phase"]) == ["Fit", "Predict", "Eval"]
    assert (phases["seconds"] > 0).all()
    assert (phases["cpu_seconds"] > 0).all()
    assert none[["peak_rss", "python_peak"]].isna().all(axis=None)
    assert (all_of_it["peak_rss"] > 2**24).all()
    assert (all_of_it["python_peak"] > 0).all()
    assert pd.isna(phases["gpu_peak"]).all()


def test_network_file_system_is_refused(project: Project, tmp_path: Path) -> None:
    """A network file system is refused with the way out, unless the user allows it."""
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        f"1 0 8:1 / / rw - ext4 /dev/sda rw\n2 1 0:9 / {os.path.realpath(project.pytester.path)} rw - nfs4 host:/ rw\n"
    )
    project.pytester.makeconftest(
        f"from pathlib import Path\nfrom omnibench.store import filesystems\n"
        f"filesystems.refuse_networked.__defaults__ = (Path({str(mounts)!r}),)\n"
    )
    refused = project.run()
    refused.assert_outcomes(failed=2)
    refused.stdout.fnmatch_lines(["*is on a network file system (nfs4)*--omnirec-allow-network-fs*"])
    assert not (checkpoints(project) / "store").exists()
    project.run("--omnirec-allow-network-fs").assert_outcomes(passed=2)

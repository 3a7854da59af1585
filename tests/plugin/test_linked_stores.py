"""Links at the names of a store: runs that compute nothing and commands refuse it alike, and once is looked."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
from support.markers import starts_guests
from support.projects import Project

from omnibench.commands.main import main
from omnibench.store import CheckpointStore, beneath


@pytest.mark.slow
@starts_guests
@pytest.mark.parametrize("option", ["-q", "--omnirec-readonly", "--omnirec-plan"])
def test_one_answer_for_runs_and_commands(project: Project, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A cached run, a look and a plan end before they begin, in the sentence that a command ends in."""
    project.first_run()
    root = project.pytester.path / "checkpoints"
    for name in (
        "STORE.json",
        "leases",
        "tmp",
        "datasets",
        "store/cache.db",
        "logs.db",
        "results.json",
        "records.jsonl",
    ):
        (root / name).rename(project.pytester.path / "elsewhere")
        (root / name).symlink_to(project.pytester.path / "elsewhere")
        ended = project.run(option)
        assert ended.ret == pytest.ExitCode.USAGE_ERROR, name
        capsys.readouterr()
        assert main(["status"]) == 2
        sentence = capsys.readouterr().err.removeprefix("omnibench: ").strip()
        assert f"{name!r}"[1:] in sentence.partition(" is a link to ")[0] + "'"
        assert sentence in ended.stderr.str()
        (root / name).unlink()
        (project.pytester.path / "elsewhere").rename(root / name)
    project.run().stdout.fnmatch_lines(["*2 cached*"])


def test_who_opens_a_store_looks_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of its names is looked at once; only those that are written to before the records are opened, again."""
    CheckpointStore(tmp_path).close()
    looks: Counter[str] = Counter()
    lstat = os.lstat

    def counted(path: Path) -> os.stat_result:
        looks[str(path)] += 1
        return lstat(path)

    monkeypatch.setattr(os, "lstat", counted)
    CheckpointStore(tmp_path).close()
    assert {looks[str(tmp_path / name)] for name in beneath.OF_ALL if name not in ("leases", "tmp")} == {1}

"""A store is made where nothing is: what somebody else keeps in a directory stays as it is."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from support.projects import IN_A_FRAME, Project

from omnibench import Coordinator
from omnibench.commands.main import main
from omnibench.errors import StoreError
from omnibench.store import CheckpointStore
from omnibench.store.ownership import refuse_foreign
from omnibench.store.schema import Record


def contents(directory: Path) -> dict[str, str]:
    """Return a digest of every file, and every directory, below a directory."""
    return {
        path.relative_to(directory).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in directory.rglob("*")
    }


@pytest.fixture
def omnirec(tmp_path: Path) -> Path:
    """OmniRec's checkpoints, as it lays them out."""
    root = tmp_path / "checkpoints"
    (root / "ML-1234" / "LensKit.PopScorer-5678").mkdir(parents=True)
    jobs: Record = {"ML-1234|LensKit.PopScorer-5678": {"next_phase": 3, "next_fold": None, "config": {}}}
    (root / "progress.json").write_text(json.dumps({"jobs": jobs}, indent=4))
    (root / "results.json").write_text(json.dumps({"ML-1234": []}))
    return root


def test_checkpoints_of_omnirec_are_left_alone(
    omnirec: Path, project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """Scripts, pytest and commands end in an error with the way out, before anything is written."""
    before = contents(omnirec)
    with pytest.raises(
        StoreError, match=r"holds the checkpoints of OmniRec.*checkpoint_dir=.*`omnibench import-omnirec"
    ):
        Coordinator(omnirec)
    project.bench()
    result = project.run(f"--omnirec-checkpoint-dir={omnirec}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*holds the checkpoints of OmniRec*"])
    for command in (["status"], ["reset", "--yes"], ["rebuild"], ["gc"], ["logs"], ["compare"]):
        capsys.readouterr()
        assert main([*command, "--store", str(omnirec)]) == 2
        assert f"`omnibench import-omnirec {omnirec} --store NEW` says" in capsys.readouterr().err
    assert contents(omnirec) == before


@pytest.mark.parametrize(
    "names", [("thesis.tex",), ("store/shop.py",), ("tmp/x", "leases/flat.pdf"), ("records.jsonl",)]
)
def test_a_directory_with_others_files_is_refused(names: tuple[str, ...], tmp_path: Path, project: Project) -> None:
    """A directory whose files are named as ours may be is refused, and so is the project's own directory."""
    root = tmp_path / "mine"
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("mine")
    before = contents(root)
    with pytest.raises(
        StoreError, match=rf"is not empty and no checkpoint directory of omnibench \(it holds .*{names[-1][:4]}"
    ):
        CheckpointStore(root)
    assert main(["rebuild", "--store", str(root)]) == 2
    assert contents(root) == before
    project.bench(data=IN_A_FRAME)  # of a file, its digest is noted below the home directory
    here = {name for name in contents(project.pytester.path) if "pycache" not in name}
    for arguments in (["--omnirec-checkpoint-dir=."], ["--omnirec-checkpoint-dir=.", "--omnirec-readonly"]):
        result = project.run(*arguments)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["*is not empty and no checkpoint directory of omnibench*"])
    assert {name for name in contents(project.pytester.path) if "pycache" not in name} == here


@pytest.mark.parametrize("name", ["mine", "mine/below"])
def test_a_file_is_no_directory(name: str, tmp_path: Path, project: Project) -> None:
    """Nor is what lies below one: said at the start, not by every item."""
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(StoreError, match=r"cannot be a checkpoint directory.*Give an empty or a new directory"):
        Coordinator(tmp_path / name)
    project.bench()
    assert project.run(f"--omnirec-checkpoint-dir={tmp_path / name}").ret == pytest.ExitCode.USAGE_ERROR
    assert (tmp_path / "mine").read_text() == "mine"


@pytest.mark.parametrize(
    "names", [(), (".gitignore", ".DS_Store"), ("lost+found/",), ("leases/",), ("leases/", "tmp/"), ("STORE.json",)]
)
def test_an_empty_or_half_made_directory_becomes_a_store(names: tuple[str, ...], tmp_path: Path) -> None:
    """A kill may have come anywhere while it was made; what systems leave in empty directories is no file of anybody."""
    root = tmp_path / "checkpoints"
    root.mkdir()
    for name in names:
        (root / name).mkdir() if name.endswith("/") else (root / name).write_text("")
    CheckpointStore(root).close()
    assert (root / "store" / "cache.db").exists()


def test_a_store_that_lost_parts_is_still_ours(tmp_path: Path) -> None:
    """Its marker, its database, its locks: each alone tells whose it is; others' files beside it are no matter."""
    for lost in (
        ("STORE.json", "leases/store.lock"),
        ("STORE.json", "store/cache.db"),
        ("store/cache.db", "leases/store.lock"),
    ):
        root = tmp_path / "-".join(lost).replace("/", "_")
        CheckpointStore(root).close()
        (root / "notes.txt").write_text("mine")
        for name in lost:
            (root / name).unlink()
        refuse_foreign(root)
        CheckpointStore(root).close()

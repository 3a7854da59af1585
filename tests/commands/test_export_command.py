"""`omnibench export`: what it says, and how it ends."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from omnibench.commands.main import main


def test_it_says_what_it_wrote(
    measured_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line per file, relative to where one is; options reach what is written."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMNIREC_CHECKPOINT_DIR", str(measured_store))
    chosen = ["--dataset", "held", "--metric", "HR@10", "--metric", "HR@3", "--sort", "HR@3", "--top", "2"]
    assert main(["export", "results.csv", "results.md", *chosen, "--test", "randomisation", "--alpha", "0.1"]) == 0
    out, err = capsys.readouterr()
    sizes = {file.name: file.stat().st_size for file in tmp_path.iterdir()}
    assert out.splitlines() == [f"{name}: {sizes[name]:,} bytes" for name in ("results.csv", "results.md")]
    assert not err
    assert set(pd.read_csv("results.csv")["metric"]) == {"HR@10", "HR@3"}
    text = Path("results.md").read_text()
    assert "The best 2 by HR@3 are shown" in text
    assert "paired randomisation test" in text
    assert "alpha = 0.1" in text


def test_what_could_not_be_tested_is_said(
    measured_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The files are there, and the status says that something is amiss."""
    store = Path(shutil.copytree(measured_store, tmp_path / "store"))
    for file in store.rglob("per_user-*"):
        file.unlink()
    assert main(["export", str(tmp_path / "results.md"), "--store", str(store)]) == 1
    assert capsys.readouterr().err.startswith("omnibench: what is not significantly worse than the best is not marked")
    assert (tmp_path / "results.md").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["results.doc"], "ends with '.doc', but the ending says the format"),
        (["results.md", "--dataset", "nowhere"], "there is no dataset 'nowhere'"),
        (["results.md", "--store", "nowhere"], "there are no checkpoints in"),
    ],
)
def test_what_cannot_be_done_is_an_error(
    measured_store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    """Exit status 2, one sentence, and nothing written."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMNIREC_CHECKPOINT_DIR", str(measured_store))
    assert main(["export", *arguments]) == 2
    out, err = capsys.readouterr()
    assert err.startswith("omnibench: ")
    assert message in err
    assert (out, err.count("\n"), list(tmp_path.iterdir())) == ("", 1, [])


@pytest.mark.parametrize(
    ("name", "meanwhile"), [("ARROW_DEFAULT_MEMORY_POOL", "system"), ("OPENBLAS_THREAD_TIMEOUT", "4")]
)
@pytest.mark.parametrize("chosen", [None, "20"])
def test_it_leaves_the_variables_as_they_were(
    name: str, meanwhile: str, chosen: str | None, measured_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Arrow and OpenBLAS read when they are imported is set meanwhile, where nobody has chosen something else."""
    seen = []
    monkeypatch.delenv(name, raising=False)
    if chosen is not None:
        monkeypatch.setenv(name, chosen)

    def noted(*_arguments: Any, **_options: Any) -> list[str]:
        seen.append(os.environ[name])
        return []

    monkeypatch.setattr("omnibench.commands.export.export_results", noted)
    (tmp_path / "results.parquet").touch()
    assert main(["export", str(tmp_path / "results.parquet"), "--store", str(measured_store)]) == 0
    assert seen == [chosen or meanwhile]
    assert os.environ.get(name) == chosen

"""OmniRec 1.1.0's own tests pass on the moved names: its metrics, its validation of steps, its files of datasets."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.inner
def test_omnirecs_own_tests_pass(distribution: Path, tmp_path: Path) -> None:
    """They are read from its source distribution; import lines are changed, and two type parameters that need Python 3.12."""
    shutil.copytree(distribution / "tests", tmp_path / "tests")
    for path in (tmp_path / "tests").rglob("*.py"):
        text = re.sub(r"\b(from|import) omnirec\b", r"\1 omnibench.compat.omnirec", path.read_text(encoding="utf-8"))
        text = text.replace("class MakeDataset[T: DataVariant](Protocol)", "class MakeDataset(Protocol[DataVariant_])")
        text = text.replace("def _make_dataset[T: DataVariant]", "def _make_dataset").replace("type[T]", "type")
        text = text.replace("RecSysDataSet[T]", "RecSysDataSet")
        if "DataVariant_" in text:
            text = f"from typing import TypeVar\n\nDataVariant_ = TypeVar('DataVariant_')\n{text}"
        path.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "tests"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
    assert re.search(r"^73 passed", ran.stdout, re.MULTILINE)

"""The code blocks of OmniRec 1.1.0's documentation run with ``omnirec`` changed to ``omnibench.compat.omnirec``.

The blocks are read from OmniRec's source distribution; nothing of them is changed but the names of packages in import
lines, ``/path/to``, which is a directory of the test's, and an ellipsis as an index, which stands for the reader's
code. A page's blocks share a namespace, as a reader's session does. What a page takes for granted, each block gets:

- ``dataset``: raw MovieLens-100K; split, where the block runs experiments or looks at parts; folded, where it looks at
  folds. Where a block shows several steps as alternatives (``dataset = step.process(dataset)`` twice), each gets it
  anew, because OmniRec cannot split, or make implicit, twice.
- ``plan``: an empty one, where the block adds algorithms; a plan of LensKit's PopScorer, where a page runs one that it
  has not made.
- ``evaluator``: NDCG@10 where the page has none.

60 blocks there are. Two ask for LensKit's ``center``, which LensKit has dropped. Two are refused by OmniRec itself, and
here: SLURM, and a run on raw data. One downloads from example.com, which is replaced by a file of the same form. All
others run to their end: those without a run on the whole MovieLens-100K, those with one on its first 120 users, and
RecBole's models for one epoch.
"""

from __future__ import annotations

import ast
import pydoc
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import omnibench.compat.omnirec as moved
from omnibench.compat.omnirec.data_loaders import registry
from omnibench.errors import DataError, OmnibenchError

BLOCKS = {
    "algorithms_overview": 1,
    "checkpointing": 2,
    "conf_algo": 11,
    "custom_algorithms": 3,
    "datasets_overview": 1,
    "evaluator": 10,
    "getting_started": 8,
    "loading_datasets": 10,
    "preprocessing": 13,
    "slurm_integration": 1,
}
"""The pages, and how many blocks of Python each has: 60."""

RUNNING = ("checkpointing", "custom_algorithms", "evaluator", "getting_started")
"""The pages that run a handful of models; ``conf_algo`` runs more."""

REFUSED: dict[tuple[str, int], tuple[type[Exception], str]] = {
    ("slurm_integration", 0): (NotImplementedError, "as in OmniRec 1.1.0"),
    ("conf_algo", 9): (DataError, "raw data without a split"),
}
"""The blocks that OmniRec refuses as well, by page and number."""

_FENCE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
_IMPORT = re.compile(r"^(\s*(?:from|import) )(omnirec(?:_runner)?)\b", re.MULTILINE)


def blocks_of(documentation: Path, page: str) -> list[str]:
    """Return the blocks of a page, with the import lines changed."""
    blocks = _FENCE.findall((documentation / f"{page}.md").read_text(encoding="utf-8"))
    return [_IMPORT.sub(r"\1omnibench.compat.\2", block).replace("[...]", "[:]") for block in blocks]


class Reader:
    """Somebody who goes through a page in a Python session.

    Args:
        directory: The working directory, which ``/path/to`` becomes as well.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.namespace: dict[str, Any] = {"__name__": "__main__"}

    def read(self, block: str) -> None:
        """Run a block, after giving it what the page takes for granted."""
        self._take_for_granted(block)
        before = self.namespace.get("dataset")
        processed = False
        for statement in ast.parse(block.replace("/path/to", str(self.directory))).body:
            if _processes(statement):
                if processed:
                    self.namespace["dataset"] = before
                processed = True
            exec(compile(ast.Module([statement], []), "block", "exec"), self.namespace)
            dataset = self.namespace.get("dataset")
            if _processes(statement) and isinstance(dataset, moved.RecSysDataSet):
                assert dataset.num_interactions()  # steps are computed when somebody looks

    def _take_for_granted(self, block: str) -> None:
        raw = moved.RecSysDataSet.use_dataloader("MovieLens100K")
        runs = "run_omnirec(" in block
        if "_data.folds" in block:
            self.namespace["dataset"] = moved.UserCrossValidation(5, 0.1).process(raw)
        elif runs or "_data.get(" in block:
            self.namespace["dataset"] = moved.Pipe(moved.MakeImplicit(3), moved.UserHoldout(0.1, 0.2)).process(raw)
        else:
            self.namespace["dataset"] = raw
        if "plan.add_algorithm(" in block:
            self.namespace["plan"] = moved.ExperimentPlan("a page's plan")
        if runs and "plan" not in self.namespace:
            self.namespace["plan"] = moved.ExperimentPlan("a plan of another page")
            self.namespace["plan"].add_algorithm(moved.LensKit.PopScorer)
        if runs:
            self.namespace.setdefault("evaluator", moved.Evaluator(moved.NDCG(10)))


def _processes(statement: ast.stmt) -> bool:
    return re.fullmatch(r"dataset = .*\.process\(dataset\)", ast.unparse(statement)) is not None


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reader:
    """A reader in an empty directory, whose downloads are a file of the form that the example wants."""

    def fetch(url: str, file: Path, *, verify_tls: bool = True) -> None:
        file.write_bytes(b"")
        pd.DataFrame({"user": ["a", "b", "a"], "item": [7, 7, 9]}).to_csv(file.parent / "data.csv", index=False)

    monkeypatch.setattr(registry, "fetch", fetch)
    monkeypatch.setattr(registry, "_sha256", lambda file: "sha256_checksum_here")
    monkeypatch.setattr(registry, "_LOADERS", dict(registry._LOADERS))
    monkeypatch.chdir(tmp_path)
    moved.set_data_dir(tmp_path / "data")
    return Reader(tmp_path)


def read_page(documentation: Path, page: str, reader: Reader) -> int:
    """Go through a page; return how many blocks ran to their end."""
    finished = 0
    for number, block in enumerate(blocks_of(documentation, page)):
        if "center" in block:
            with pytest.raises(OmnibenchError, match="has no hyperparameter 'center'"):
                reader.read(block)
            continue
        if (page, number) in REFUSED:
            error, message = REFUSED[page, number]
            with pytest.raises(error, match=message):
                reader.read(block)
            continue
        reader.read(block)
        finished += 1
    return finished


def test_there_are_as_many_blocks_as_this_test_knows(documentation: Path) -> None:
    """No page and no block of the documentation is overlooked; 58 of 60 do without ``center``."""
    counted = {path.stem: len(_FENCE.findall(path.read_text(encoding="utf-8"))) for path in documentation.rglob("*.md")}
    assert {page: number for page, number in counted.items() if number} == BLOCKS
    blocks = [block for page in BLOCKS for block in blocks_of(documentation, page)]
    assert sum("center" not in block for block in blocks) == 58


def test_every_documented_name_is_there(documentation: Path) -> None:
    """Every class, method and function of OmniRec's reference has its module and name here, with a docstring."""
    pages = [path.read_text(encoding="utf-8") for path in (documentation / "api").glob("*.md")]
    names = [name for page in pages for name in re.findall(r"^::: omnirec\.(\S+)", page, re.MULTILINE)]
    assert len(names) > 30
    for name in names:
        documented = pydoc.locate(f"omnibench.compat.omnirec.{name}")
        assert documented is not None, name
        assert pydoc.getdoc(documented), name


@pytest.mark.parametrize("page", ["algorithms_overview", "datasets_overview", "loading_datasets", "preprocessing"])
def test_pages_that_only_prepare_run_on_the_whole_data(
    documentation: Path, page: str, reader: Reader, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every block about loading, saving and preprocessing runs to its end, on the real MovieLens-100K."""
    assert read_page(documentation, page, reader) == BLOCKS[page]


@pytest.fixture
def brief_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """RecBole's models train for one epoch."""
    add: Callable[..., None] = moved.ExperimentPlan.add_algorithm

    def add_briefly(plan: moved.ExperimentPlan, algorithm: Any, *args: Any, **kwargs: Any) -> None:
        add(plan, algorithm, *args, **kwargs)
        if str(algorithm).startswith("RecBole."):
            plan.update_algorithm(algorithm, {"epochs": 1})

    monkeypatch.setattr(moved.ExperimentPlan, "add_algorithm", add_briefly)


def write_script(documentation: Path, reader: Reader) -> None:
    """Save the runner of the page about custom algorithms where the page says."""
    script = blocks_of(documentation, "custom_algorithms")[0]
    (reader.directory / "my_runner.py").write_text(script, encoding="utf-8")


@pytest.mark.guests
@pytest.mark.usefixtures("small_datasets", "brief_training")
@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=pytest.mark.slow) if page == "getting_started" else page for page in RUNNING]
)
def test_pages_that_run_experiments_run_them_in_the_real_frameworks(
    documentation: Path, page: str, reader: Reader, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every block runs to its end, the runs and what is made of their results included."""
    write_script(documentation, reader)
    assert read_page(documentation, page, reader) == BLOCKS[page]
    printed = capsys.readouterr().out
    assert "Evaluation Results" in printed
    assert "NDCG@10" in printed


@pytest.mark.slow
@pytest.mark.guests
@pytest.mark.usefixtures("small_datasets", "brief_training")
def test_the_page_about_configurations_runs_its_grids(documentation: Path, reader: Reader) -> None:
    """Grids and random samples of LensKit and RecBole run; the two blocks with ``center`` and the raw data are refused."""
    assert read_page(documentation, "conf_algo", reader) == BLOCKS["conf_algo"] - 3


def test_the_page_about_configurations_makes_its_plans(
    documentation: Path, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the runs, the blocks about plans make the configurations that they describe: 12 random ones, 5, and 6."""
    sizes = []

    def count(datasets: Any, plan: moved.ExperimentPlan, evaluator: moved.Evaluator) -> None:
        sizes.append(len(plan.configurations()))
        assert evaluator.native().labels

    monkeypatch.setattr("omnibench.compat.omnirec.util.run.run_omnirec", count)
    for number, block in enumerate(blocks_of(documentation, "conf_algo")):
        if "center" not in block and ("conf_algo", number) not in REFUSED:
            reader.read(block)
            if "RandomRange" in block:
                sizes.append(len(reader.namespace["plan"].configurations()))
    assert sizes == [12, 5, 6]


@pytest.mark.usefixtures("small_datasets")
def test_slurm_is_refused_as_in_omnirec(documentation: Path, reader: Reader) -> None:
    """OmniRec 1.1.0 does not implement SLURM; the same exception says so, and the way out."""
    assert read_page(documentation, "slurm_integration", reader) == 0

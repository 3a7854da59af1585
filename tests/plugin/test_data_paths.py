"""Where relative paths of data begin: beside the bench file, then where pytest was started."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.projects import Project

from omnibench import from_file, load_dataset
from omnibench.errors import DataError
from omnibench.paths import relative_to

ROWS = "user,item\n" + "".join(f"{user},{item}\n" for user in range(12) for item in range(10) if (user + item) % 3)
BENCH = """
from omnibench import *

class Mine:
    def fit(self, train):
        print("users:", train["user"].nunique())
        self.items = train["item"].unique().tolist()

    def recommend(self, users, k):
        return {{user: self.items[:k] for user in users}}

shop = {source}.pipe(UserCrossValidation(2))
plan = ExperimentPlan()
plan.add_algorithm(Mine)

@benchmark(shop, plan, Evaluator(NDCG(5)))
def bench_shop(result):
    assert result["NDCG@5"] > 0
"""


@pytest.fixture
def benchmarks(project: Project) -> Path:
    """A directory of its own for the bench files."""
    return project.pytester.mkdir("benchmarks")


@pytest.mark.parametrize(
    ("start", "workers"),
    [
        (".", "0"),
        ("benchmarks", "0"),
        ("elsewhere", "1"),
        pytest.param("elsewhere", "0", marks=pytest.mark.slow),
        pytest.param(".", "1", marks=pytest.mark.slow),
        pytest.param("benchmarks", "1", marks=pytest.mark.slow),
    ],
)
def test_beside_the_bench_file(
    project: Project, benchmarks: Path, monkeypatch: pytest.MonkeyPatch, start: str, workers: str
) -> None:
    """The same file from wherever pytest is started, on workers, and in the guest that imports a class of the file."""
    (benchmarks / "rows.csv").write_text(ROWS)
    (benchmarks / "bench_shop.py").write_text(BENCH.format(source="from_file('rows.csv')"))
    (project.pytester.path / start).mkdir(exist_ok=True)
    monkeypatch.chdir(project.pytester.path / start)
    result = project.run("-n", workers, str(benchmarks))
    assert result.parse_summary_nouns(result.stdout.lines) == {"passed": 2}


@pytest.mark.parametrize("name", ["bench_shop.py", "test_shop.py"])
def test_where_pytest_was_started(project: Project, benchmarks: Path, name: str) -> None:
    """A file that is not beside the bench file is found where pytest was started, as before."""
    (project.pytester.path / "rows.csv").write_text(ROWS)
    (benchmarks / name).write_text(BENCH.format(source="from_file('rows.csv')"))
    project.run("benchmarks").assert_outcomes(passed=2)


def test_the_file_beside_comes_first(project: Project, benchmarks: Path) -> None:
    """Of two files of that name the one beside the bench file counts."""
    (benchmarks / "rows.csv").write_text(ROWS)
    (project.pytester.path / "rows.csv").write_text(ROWS + "99,1\n99,2\n99,4\n")
    (benchmarks / "bench_shop.py").write_text(BENCH.format(source="from_file('rows.csv')"))
    result = project.run("-s", "-k", "fold_0", "benchmarks")
    result.stdout.fnmatch_lines(["*users: 12*"])


def test_helpers_and_conftest_files(project: Project, benchmarks: Path) -> None:
    """A helper that a bench file imports looks beside that file, and a conftest.py beside itself."""
    (benchmarks / "rows.csv").write_text(ROWS)
    (benchmarks / "conftest.py").write_text("from omnibench import from_file\nrows = from_file('rows.csv')\n")
    helpers = project.pytester.mkdir("helpers")
    (helpers / "my_data.py").write_text(
        "from omnibench import from_file\n\ndef rows():\n    return from_file('rows.csv')\n"
    )
    source = "__import__('helpers.my_data').my_data.rows()"
    (benchmarks / "bench_shop.py").write_text(BENCH.format(source=source))
    project.run("benchmarks").assert_outcomes(passed=2)


def test_the_error_names_every_path(project: Project, benchmarks: Path) -> None:
    """Both paths that were looked at, and nothing has run."""
    (benchmarks / "bench_shop.py").write_text(BENCH.format(source="from_file('gone.csv')"))
    result = project.run("benchmarks")
    result.assert_outcomes(failed=1)
    root = project.pytester.path
    result.stdout.fnmatch_lines([f"*there is no file '{benchmarks}/gone.csv' or '{root}/gone.csv'; check the path."])


def test_outside_of_pytest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script's paths begin in the working directory, also those of a copy of a known dataset."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text(ROWS)
    assert from_file("rows.csv").name == "rows"
    with pytest.raises(DataError, match=f"^there is no file '{tmp_path}/gone.csv'; check the path"):
        from_file("gone.csv")
    with relative_to(tmp_path / "benchmarks" / "bench_shop.py"):
        places = f"'{tmp_path}/benchmarks/copy' or '{tmp_path}/copy'"
        with pytest.raises(DataError, match=f"^MovieLens100K: there is nothing at {places}; check the path"):
            load_dataset("MovieLens100K", "copy")

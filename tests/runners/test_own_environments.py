"""Classes that need packages run in an environment of their own, whose lock is made with the plan and kept."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.own_environments import BOOSTED, LOCK, WALKS, write_class
from support.projects import Project

from omnibench import ExperimentPlan, open_store
from omnibench.commands.main import main
from omnibench.errors import OmnibenchError
from omnibench.experiment.circumstances import Circumstances
from omnibench.experiment.own import OwnAlgorithm
from omnibench.runners.environments import Environments, environment_of
from omnibench.runners.own_environment import OwnRunner, own_environment

FIT = (
    "    def fit(self, train):\n        import no_such_lib\n        import numpy as np\n        self.x = np.zeros(3)\n"
)


@pytest.fixture
def imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., type]:
    """Return a function that writes the class ``Needy`` into a module of a project and imports it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    numbers = iter(range(100))

    def make(body: str = FIT, lock: str = LOCK) -> type:
        name = f"needy_{tmp_path.name}_{next(numbers)}".replace("-", "_")
        write_class(tmp_path, name, body, lock)
        importlib.invalidate_caches()
        needy: type = importlib.import_module(name).Needy
        needy.__module__ = "needy"  # whose name is no part of what is compared
        needy.__module__ = name
        return needy

    return make


def key(algorithm: type) -> str:
    """Return the key of a class."""
    plan = ExperimentPlan()
    plan.add_algorithm(algorithm)
    (configuration,) = plan.configurations()
    return configuration.keyed(Circumstances(Environments().version(configuration.runner), 42, "cpu")).key


def environment(algorithm: type) -> OwnRunner:
    """Return the runner of a class that has one of its own."""
    runner = own_environment(algorithm)
    assert runner is not None
    return runner


def test_a_class_without_requirements_has_no_environment() -> None:
    """Nor one whose instances alone have something of that name."""

    class Plain:
        def fit(self, train: object) -> None: ...

    class Property(Plain):
        @property
        def requirements(self) -> list[str]:
            return ["six"]

    assert own_environment(Plain) is None
    assert own_environment(Property) is None


def test_the_lock_decides_versions_and_python(imported: Callable[..., type]) -> None:
    """It lies beside the class; what the class asks for is part of the key, and of the rest what it imports."""
    needy = imported()
    runner = environment(needy)
    assert runner.version("isolated") == "no-such-lib 9.1.2"
    assert runner.python == "3.12"
    assert runner.owner == f"{needy.__module__}.py::Needy"
    assert environment_of(runner).directory.name.startswith("Own-")
    keys = [
        key(imported(lock=lock))
        for lock in (
            LOCK,
            LOCK + "\n",
            LOCK.replace("pandas==3.0.0", "pandas==3.0.1"),
            LOCK.replace("numpy==2.4.6", "numpy==2.4.7"),
            LOCK.replace("lib==9.1.2", "lib==9.1.3"),
        )
    ]
    assert keys[0] == keys[1] == keys[2]
    assert len(set(keys)) == 3


def test_subclasses_share_the_lock_of_the_class_that_says_it(imported: Callable[..., type]) -> None:
    """And its processes; a class with other requirements has others."""
    needy = imported()
    child = type("Child", (needy,), {"__module__": needy.__module__})
    assert environment(child).lock == environment(needy).lock
    assert environment(child).guest_name == environment(needy).guest_name
    other = imported(lock=LOCK + "six==1.17.0\n")
    assert environment(other).guest_name != environment(needy).guest_name


def test_its_guest_gets_the_code_of_the_project_alone(imported: Callable[..., type], tmp_path: Path) -> None:
    """No folder of installed packages is on its path, and its files come with their sums; nothing is left out of the key."""
    own = OwnAlgorithm.of(imported())
    locator = own.locator
    path = locator["path"]
    assert isinstance(path, list)
    assert str(tmp_path) in path
    assert str(Path(np.__file__).parents[1]) not in path
    assert locator["files"] == {own.file: locator["files"][own.file]}  # type: ignore[index]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("['no-such-lib==9.*']", "[]", "Needy.requirements is []; give what pip is to install"),
        ("['no-such-lib==9.*']", "['./lib']", "does not begin with the name of a package"),
        ("'3.12'", "3.12", "Needy.python is 3.12; give a version as a text"),
        ("'3.12'", "'3.8'", "needs 3.11 or a later one"),
        ("9.*", "9.1.2.3.4", "uv finds no versions that satisfy the requirements of "),
    ],
)
def test_what_cannot_be_is_refused_with_the_plan(
    imported: Callable[..., type], monkeypatch: pytest.MonkeyPatch, old: str, new: str, says: str
) -> None:
    """Before anything runs; nothing is locked anew that cannot be."""
    needy = imported()
    monkeypatch.setattr(needy, "requirements", eval("['no-such-lib==9.*']".replace(old, new)))
    monkeypatch.setattr(needy, "python", eval("'3.12'".replace(old, new)))
    with pytest.raises(OmnibenchError) as refusal:
        ExperimentPlan().add_algorithm(needy)
    assert says in str(refusal.value)
    assert environment_lock(needy).read_text() == LOCK


def environment_lock(algorithm: type) -> Path:
    """Return where the lock of a class lies."""
    return Path(f"{algorithm.__module__}.Needy.lock")


@pytest.mark.slow
def test_the_command_line_knows_it(imported: Callable[..., type], capsys: pytest.CaptureFixture[str]) -> None:
    """By its file and name, without importing it; where no name is given, by the locks of the project."""
    needy = imported()
    name = f"{needy.__module__}.py::Needy"
    assert main(["envs", "list", name]) == 0
    assert "no-such-lib 9.1.2" in (listed := capsys.readouterr().out)
    assert "not built" in listed
    assert main(["envs", "list"]) == 0
    assert name in capsys.readouterr().out
    environment_lock(needy).unlink()
    for names, says in (
        (name, f"{name} has no lock of no-such-lib==9.*; `omnibench envs lock {name}` makes it"),
        (name.replace("Needy", "Nedy"), "has no class 'Nedy' with requirements = [...]; did you mean 'Needy'"),
        ("nowhere.py", "nowhere.py cannot be read"),
    ):
        assert main(["envs", "list", names]) != 0
        assert says in capsys.readouterr().err
    assert main(["envs", "lock", name]) != 0
    assert "uv finds no versions" in capsys.readouterr().err


PLAN = """
from walks import PageRank
plan.add_algorithm(PageRank, {"damping": Grid([0.3, 0.9])})
"""


@pytest.mark.guests
def test_it_runs_with_packages_that_we_do_not_have(project: Project) -> None:
    """It is locked, cached and seeded; fitted anew when it changes, and what its environment lacks is named."""
    assert importlib.util.find_spec("igraph") is None
    project.pytester.makepyfile(walks=WALKS)
    project.bench(PLAN, metrics="NDCG(10)")
    project.run("-k", "fold_0").stdout.fnmatch_lines(["*PageRank(damping=0.9)*", "*2 passed*"])
    folder = project.pytester.path
    lock = folder / "walks.PageRank.lock"
    assert lock.read_text().startswith("# igraph==1.* on Python 3.")
    assert "--hash=sha256:" in lock.read_text()
    out = (folder / "checkpoints" / "out.log").read_text()
    assert out.count("igraph 1.") == out.count("threads 1 seed 42") == 2
    made = lock.stat().st_mtime_ns
    project.run("-k", "fold_0").stdout.fnmatch_lines(["*2 cached*"])
    assert lock.stat().st_mtime_ns == made
    store = open_store(folder / "checkpoints")
    frame = store.results()
    assert frame["value"].between(0.05, 1).all()
    assert store.provenance(frame["item"][0])["configuration"]["version"].startswith("igraph 1.")
    (folder / "walks.py").write_text(WALKS.replace("import igraph\n", "import igraph, rich\n"))
    project.run("-k", "fold_0 and 0.9").stdout.fnmatch_lines(
        ["*No module named 'rich' in the isolated environment of PageRank: name its package in requirements*"]
    )


CONTRACT = """
from omnibench.testing import AlgorithmContract
from walks import PageRank


class TestPageRank(AlgorithmContract):
    algorithm = PageRank
"""

TUNED = """
import numpy as np
import pandas as pd
from omnibench import NDCG, Evaluator, ExperimentPlan, Float, Tuning, UserHoldout, benchmark, from_frame
from walks import PageRank

rng = np.random.default_rng(7)
frame = pd.DataFrame({"user": rng.integers(0, 30, 900), "item": rng.integers(0, 40, 900)}).drop_duplicates()
plan = ExperimentPlan("tuned", tuning=Tuning(trials=3, metric="NDCG@10"))
plan.tune(PageRank, {"damping": Float(0.1, 0.9)})


@benchmark(from_frame(frame, "tiny").pipe(UserHoldout(0.1, 0.2)), plan, Evaluator(NDCG(10)), seeds=[1, 2])
def bench_tuned(result): ...
"""


@pytest.mark.guests
@pytest.mark.inner
@pytest.mark.slow
def test_it_keeps_the_contract_of_all_classes(project: Project) -> None:
    """Seeds, snapshots after every iteration and the resume from them, other processes; and it is tuned like others."""
    project.pytester.makepyfile(walks=WALKS, test_walks=CONTRACT, bench_tuned=TUNED)
    outcomes = project.run_process("-q", "test_walks.py").parseoutcomes()
    assert outcomes["passed"] >= 9
    assert "failed" not in outcomes
    project.run("-q", "bench_tuned.py").stdout.fnmatch_lines(["*PageRank*tuned*", "*2 passed*"])


@pytest.mark.guests
@pytest.mark.slow
def test_boosted_trees_run_that_nobody_has_installed(project: Project) -> None:
    """By LightGBM: they know more than popularity does, and the same in every run."""
    project.pytester.makepyfile(boosted=BOOSTED)
    project.bench(
        "from boosted import Boosted\nplan.add_algorithm(Boosted); plan.add_algorithm(Popular)", metrics="NDCG(10)"
    )
    project.run("-k", "fold_0").stdout.fnmatch_lines(["*Boosted*", "*2 passed*"])
    again = project.run("-k", "fold_0 and Boosted", "--omnirec-checkpoint-dir=again")
    again.stdout.fnmatch_lines(["*1 passed*"])
    first, second = (open_store(project.pytester.path / name).results() for name in ("checkpoints", "again"))
    value = first.loc[first["item"].str.contains("Boosted"), "value"].item()
    assert value == second["value"].item()
    assert value > 0.3

"""Frameworks that users register: an adapter of theirs, run by a real guest in the current environment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support.projects import Project

from omnibench import ExperimentPlan, Int, RunnerInfo, Tuning, open_store, register_runner
from omnibench.errors import PlanError
from omnibench.runners import registry
from omnibench.runners.environments import Environments

ADAPTER = """
from importlib import metadata

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import svds

from svd_scores import scores_of


def version():
    return metadata.version("scipy")


def catalogue():
    return {}


def fit(task, fold):
    parameters = {"factors": 8, **task.parameters}
    train = fold.train
    matrix = csr_matrix((np.ones(len(train)), (train.user, train.item)), shape=(fold.n_users, fold.n_items))
    users, sizes, items = svds(matrix, parameters["factors"], random_state=task.seed)
    return {"users": users * sizes, "items": items}, parameters


def save(model, directory):
    path = directory / "model.npz"
    np.savez(path, **model)
    return path


def load(path, task, fold):
    return dict(np.load(path))


def score(model, task, fold):
    for start in range(0, len(fold.users), 100):
        users = fold.users[start : start + 100]
        yield users, scores_of(model, users)


def rate(model, task, fold):
    raise NotImplementedError
"""

SCORES = '''
def scores_of(model, users):
    """Return the scores of all items."""
    return (model["users"][users] @ model["items"]).astype("float32")
'''

REGISTER = """
from omnibench import RunnerInfo, register_runner
register_runner(RunnerInfo("Scipy", "scipy", "svd_adapter", 1, algorithms={"SVD": {"parameters": {"factors": 8}}}))
"""


@pytest.fixture(autouse=True)
def _unregistered() -> Iterator[None]:
    before = dict(registry._RUNNERS)
    yield
    registry._RUNNERS.clear()
    registry._RUNNERS.update(before)


@pytest.mark.guests
@pytest.mark.slow
def test_an_adapter_of_the_project_runs_in_a_guest(project: Project) -> None:
    """Its lists are judged as everybody's; cached, longer from the saved model, and anew when adapter or helper change."""
    project.pytester.makepyfile(svd_adapter=ADAPTER, svd_scores=SCORES)
    project.pytester.makeconftest(REGISTER)
    project.bench('plan.add_algorithm("Scipy.SVD", {"factors": Grid([2, 4])})', metrics="NDCG(10)")
    for arguments in (("-n", "2"), ()):
        result = project.run_process(*arguments)
        result.stdout.fnmatch_lines(["*Scipy.SVD*", "*4 passed*" if arguments else "*4 cached*"])
    project.bench('plan.add_algorithm("Scipy.SVD", {"factors": Grid([2, 4])})', metrics="NDCG([10, 30])")
    project.run_process("-k", "fold_0").stdout.fnmatch_lines(["*2 passed*"])
    for name, old, new in [
        ("svd_scores", "Return the scores", "Return scores"),
        ("svd_scores", '@ model["items"])', '@ -model["items"])'),
        ("svd_adapter", '"factors": 8', '"factors": 9'),
    ]:
        path = project.pytester.path / f"{name}.py"
        path.write_text(path.read_text().replace(old, new))
        outcome = "*4 cached*" if "Return" in old else "*4 passed*"
        if "Return" in old:
            project.run_process("-n", "2")  # the longer lists of the other folds
        project.run_process("-n", "2").stdout.fnmatch_lines([outcome])


DYING = """
        if iteration == 7 and os.path.exists({path!r}):
            os.unlink({path!r})
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.guests
@pytest.mark.slow
def test_the_adapter_of_the_page_goes_on_from_its_snapshots(project: Project) -> None:
    """Killed in its seventh iteration, and run again: predictions are those of the run that nobody has killed."""
    page = (Path(__file__).parents[2] / "docs" / "algorithms.md").read_text()
    adapter = page.partition('title="benchmarks/power_adapter.py"\n')[2].partition("```")[0]
    report = "        task.report(epoch=iteration"
    assert report in adapter
    script = project.pytester.path / "die"
    adapter = "import os, signal\n" + adapter.replace(report, DYING.format(path=str(script)) + report)
    project.pytester.makepyfile(power_adapter=adapter)
    parameters = '{"Power": {"parameters": {"iterations": 20}}}'
    project.pytester.makeconftest(
        "from omnibench import RunnerInfo, register_runner\n"
        f'register_runner(RunnerInfo("Mine", "numpy", "power_adapter", 1, algorithms={parameters}))\n'
    )
    project.bench('plan.add_algorithm("Mine.Power")', metrics="NDCG(10)")
    arguments = ("--omnirec-snapshots=1it", "-k", "fold_0")
    project.run_process(*arguments, "--omnirec-checkpoint-dir=whole").stdout.fnmatch_lines(["*1 passed*"])
    script.touch()
    for line in ("*killed by SIGKILL*", "*resumes at epoch 7 of 20 from the snapshot*"):
        project.run_process(*arguments, "--omnirec-checkpoint-dir=killed").stdout.fnmatch_lines([line])
    paths = [sorted((project.pytester.path / name).rglob("predictions*.npy")) for name in ("whole", "killed")]
    assert len(paths[0]) == len(paths[1]) == 1
    assert paths[0][0].read_bytes() == paths[1][0].read_bytes()


TUNED = """
data = from_file("tiny.csv").pipe(MakeImplicit(2), CorePruning(4), UserHoldout(validation_size=0.2, test_size=0.2))
plan = ExperimentPlan("tuned", tuning=Tuning("NDCG@10", trials=3, sampler="grid"))
plan.tune("Scipy.SVD", {"factors": Choice([2, 4, 16])})
"""


@pytest.mark.guests
def test_an_adapter_of_the_project_is_tuned(project: Project) -> None:
    """As any framework: trials in its guest, the defaults first, and the best by validation is what the test judges."""
    project.pytester.makepyfile(svd_adapter=ADAPTER, svd_scores=SCORES)
    project.pytester.makeconftest(REGISTER)
    project.bench(TUNED, metrics="NDCG(10)")
    project.run_process().stdout.fnmatch_lines(["*Scipy.SVD (tuned)*", "*1 passed*"])
    records = list(open_store(project.pytester.path / "checkpoints").records().values())
    trials = {record["number"]: record for record in records if record.get("number") is not None}
    assert trials[0]["parameters"] == {}
    assert len({trial["parameters"].get("factors") for trial in trials.values()} & {None, 2, 4, 16}) == 3
    (item,) = (record for record in records if record.get("chosen"))
    assert item["chosen"]["value"] == max(trial["value"] for trial in trials.values())
    assert item["chosen"]["parameters"] == trials[item["chosen"]["number"]]["parameters"]


@pytest.mark.slow
@pytest.mark.guests
def test_its_scores_rank_to_the_last_digit(project: Project) -> None:
    """Lists are the same whether scores are far apart or 1e-9; an adapter that has none for anybody is refused."""
    project.pytester.makepyfile(svd_adapter=ADAPTER, svd_scores=SCORES)
    project.pytester.makeconftest(REGISTER)
    project.bench('plan.add_algorithm("Scipy.SVD")', metrics="NDCG(10), MRR(10)")
    rank = 'scores = model["users"][users] @ model["items"]\n    scores = scores.argsort(1).argsort(1)\n'
    scores = project.pytester.path / "svd_scores.py"
    values = []
    for transformed in ("scores", "1 + scores * 1e-9", "1_700_000_000 + scores", "(scores + 1) * 1e300"):
        scores.write_text(f"def scores_of(model, users):\n    {rank}    return {transformed}\n")
        project.run_process("--omnirec-export=out.csv").assert_outcomes(passed=2)
        values.append(pd.read_csv(project.pytester.path / "out.csv")["value"].tolist())
    assert all(others == values[0] for others in values)
    assert min(values[0]) > 0
    scores.write_text(
        'import numpy as np\ndef scores_of(model, users):\n    return model["users"][users] @ model["items"] * np.nan\n'
    )
    refused = project.run_process()
    refused.assert_outcomes(failed=2)
    refused.stdout.fnmatch_lines(
        ["*SVD recommended nothing to any of the 30 users that it was asked for; NaN and -inf*"]
    )


def adapter_in(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (directory / "svd_adapter.py").write_text(ADAPTER)
    monkeypatch.syspath_prepend(str(directory))


def test_a_registered_framework_is_known_to_plans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plans know its algorithms, their hyperparameters and what is near to them, without importing the adapter."""
    (tmp_path / "svd_adapter.py").write_text("raise SystemExit\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    for _ in range(2):  # as a conftest that is imported twice does
        register_runner(
            RunnerInfo("Scipy", "scipy", "svd_adapter", 1, algorithms={"SVD": {"parameters": {"factors": 8}}})
        )
    plan = ExperimentPlan()
    plan.add_algorithm("Scipy.SVD", {"factors": 4})
    with pytest.raises(PlanError, match="no algorithm named 'SDV'; did you mean 'SVD'"):
        plan.add_algorithm("Scipy.SDV")
    with pytest.raises(PlanError, match="no hyperparameter 'factor'; did you mean 'factors'"):
        plan.add_algorithm("Scipy.SVD", {"factor": 4}, force=True)
    with pytest.raises(PlanError, match=r"write 'RecPack.SVD' or .* or 'Scipy.SVD'"):
        plan.add_algorithm("SVD")
    tuned = ExperimentPlan(tuning=Tuning("NDCG@10", trials=3))
    with pytest.raises(PlanError, match="no hyperparameter 'factor'; did you mean 'factors'"):
        tuned.tune("Scipy.SVD", {"factor": Int(2, 16)})
    with pytest.raises(PlanError, match=r"Scipy\.SVD has no search space"):
        tuned.tune("Scipy.SVD")
    tuned.tune("Scipy.SVD", {"factors": Int(2, 16)})
    assert [configuration.label for configuration in tuned.configurations()] == ["Scipy.SVD (tuned)"]


ALGORITHMS: dict[str, dict[str, dict[str, int]]] = {"SVD": {"parameters": {}}}


MINE = RunnerInfo("Mine", "scipy", "svd_adapter", 1, algorithms=ALGORITHMS)


@pytest.mark.parametrize(
    ("wrong", "says", "mended"),
    [
        ({"name": "LensKit"}, "has a framework named 'LensKit' itself; choose another name", {"name": "Mine"}),
        ({"name": "Own"}, "has a framework named 'Own' itself; choose another name", {"name": "Mine"}),
        ({"name": "My.Own"}, "give a name without dots and blanks, e.g. 'Mine'", {"name": "Mine"}),
        ({"distribution": ""}, "distribution is empty; give the name under which pip", {"distribution": "scipy"}),
        ({"adapter": "no_adapter"}, "no module 'no_adapter' for its adapter", {"adapter": "svd_adapter"}),
        ({"adapter": "recpack"}, "an adapter named 'recpack' itself; rename yours", {"adapter": "svd_adapter"}),
        (
            {"algorithms": {}},
            r'Mine has no algorithm; give them, e\.g\. algorithms=\{"Popularity": \{"parameters": \{"k": 20\}\}\}',
            {"algorithms": {"Popularity": {"parameters": {"k": 20}}}},
        ),
        (
            {"algorithms": {"SVD": {"parameter": {}}}},
            "'parameter' says nothing; did you mean 'parameters'",
            {"algorithms": {"SVD": {"parameters": {}}}},
        ),
        (
            {"algorithms": {"SVD": 3}},
            "is described by 3; give a dictionary",
            {"algorithms": {"Popularity": {"parameters": {"k": 20}}}},
        ),
        (
            {"algorithms": {"SVD": {"parameters": {"n_iter": 5}, "epochs": "iterations"}}},
            "'epochs' is 'iterations'; name the hyperparameter that is the number of its epochs, or leave it out",
            {"algorithms": {"SVD": {"parameters": {"n_iter": 5}, "epochs": "n_iter"}}},
        ),
        (
            {"algorithms": {"SVD": {"threads": 4}}},
            "'threads' is 4; give True or False, or leave it out",
            {"algorithms": {"SVD": {"threads": True}}},
        ),
        ({"lock": Path("no.txt")}, r"there is no lock 'no\.txt'; leave it out", {"lock": None}),
    ],
)
def test_what_cannot_run_is_refused_at_once(
    wrong: dict[str, Any], says: str, mended: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says what to give, and who gives it has a framework that plans know."""
    adapter_in(tmp_path, monkeypatch)
    with pytest.raises(PlanError, match=says):
        register_runner(replace(MINE, **wrong))
    register_runner(replace(MINE, **{**wrong, **mended}))
    plan = ExperimentPlan()
    plan.add_algorithm(f"Mine.{next(iter(mended.get('algorithms', ALGORITHMS)))}")
    assert len(plan.configurations()) == 1


def test_a_lock_says_the_version_and_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one the framework is isolated unless chosen otherwise; without one it runs in the current environment."""
    adapter_in(tmp_path, monkeypatch)
    lock = tmp_path / "lock.txt"
    lock.write_text("numpy==2.0.0\n    # via scipy\nscipy==1.2.3 \\\n    --hash=sha256:0\n")
    installed = metadata.version("scipy")
    for runner_lock, choice, version in [
        (lock, "isolated", "1.2.3"),
        (lock, "current", installed),
        (None, "isolated", installed),
    ]:
        register_runner(RunnerInfo("Scipy", "scipy", "svd_adapter", 1, lock=runner_lock, algorithms=ALGORITHMS))
        runner = registry.get_runner("Scipy")
        assert Environments(choice).version(runner) == version
        assert Environments(choice).is_built(runner) is (version == installed)


def test_a_framework_that_is_not_installed_is_named(project: Project) -> None:
    """The error has the command that installs it; nothing runs."""
    project.pytester.makepyfile(svd_adapter=ADAPTER, svd_scores=SCORES)
    project.pytester.makeconftest(REGISTER.replace('"scipy"', '"no-such-framework"'))
    project.bench('plan.add_algorithm("Scipy.SVD")')
    result = project.run_process()
    assert result.ret != 0
    result.stdout.fnmatch_lines(
        ["*no-such-framework is not installed in it. Install it (pip install no-such-framework).*"]
    )

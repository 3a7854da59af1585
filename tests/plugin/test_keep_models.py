"""Models as a cache: what is kept, what is fitted again without one, and that no number depends on it."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.projects import Project

from omnibench import open_store

FAT = '''
class Fat(Popular):
    """A popularity model with two megabytes of ballast, fitted in no time."""

    def fit(self, train):
        super().fit(train)
        self.ballast = os.urandom(2_000_000)
'''


def models(project: Project) -> set[str]:
    """Return the names of the items that have a model's file."""
    root = project.pytester.path / "checkpoints"
    return {path.parent.relative_to(root).as_posix() for path in root.glob("*-*/*-*/fold_*/model.*")}


def results(project: Project) -> list[tuple[str, str, float]]:
    frame = open_store(project.pytester.path / "checkpoints").results()
    return list(zip(frame["item"], frame["metric"], frame["value"], strict=True))


@pytest.fixture
def fat(project: Project) -> Project:
    """A project with a small model, and one that is large and quick to fit."""
    path = project.pytester.path / "own_algorithms.py"
    path.write_text(path.read_text() + FAT)
    project.bench(plan="plan.add_algorithm(Popular); plan.add_algorithm(Fat)")
    return project


@pytest.mark.parametrize(("keep", "kept"), [("auto", {"Popular"}), ("all", {"Popular", "Fat"}), ("none", set())])
def test_what_is_kept(fat: Project, keep: str, kept: set[str]) -> None:
    """Whatever goes, the items are cached, and new metrics need no fit; longer lists fit what has no model again."""
    option = f"--omnirec-keep-models={keep}"
    fat.run(option).assert_outcomes(passed=4)
    names = {name.split("/")[1].partition("-")[0] for name in models(fat)}
    assert names == kept
    assert fat.count_fits() == 4
    before = results(fat)
    cached = fat.run(option)
    assert cached.parse_summary_nouns(cached.stdout.lines) == {"cached": 4}
    fat.bench(plan="plan.add_algorithm(Popular); plan.add_algorithm(Fat)", metrics="NDCG([5, 10]), HR(10), MAP(5)")
    fat.run(option).assert_outcomes(passed=4)
    assert fat.count_fits() == 4
    assert set(before) < set(results(fat))
    fat.bench(plan="plan.add_algorithm(Popular); plan.add_algorithm(Fat)", metrics="NDCG([5, 30])")
    plan = fat.run(option, "--omnirec-plan")
    from_fit = [line for line in plan.stdout.lines if line.startswith("  from Fit")]
    assert len(from_fit) == 2 * (2 - len(kept))
    assert all("lists of 30 need its model, which was dropped to save space" in line for line in from_fit)
    fat.run(option).assert_outcomes(passed=4)
    assert fat.count_fits() == 4 + 2 * (2 - len(kept))
    assert {name.split("/")[1].partition("-")[0] for name in models(fat)} == kept
    longer = results(fat)
    assert {row for row in before if row[1] == "NDCG@5"} <= set(longer)


def test_best_keeps_one_configuration_of_each_algorithm(project: Project) -> None:
    """The first metric decides, by its mean over folds; also with workers."""
    plan = 'plan.add_algorithm(Popular, {"noise": Grid([0, 1])}); plan.add_algorithm(Worst)'
    path = project.pytester.path / "own_algorithms.py"
    worse = (
        "\n\nclass Worst(Popular):\n    def recommend(self, users, k):\n"
        "        return {user: self.items[::-1][self.noise:][:k] for user in users}\n"
    )
    path.write_text(path.read_text() + worse)
    project.bench(plan=plan.replace("Worst)", 'Worst, {"noise": Grid([0, 30])})'))
    project.run("--omnirec-keep-models=best").assert_outcomes(passed=8)
    frame = open_store(project.pytester.path / "checkpoints").results()
    means = frame[frame["metric"] == "NDCG@5"].groupby("algorithm")["value"].mean()
    stems = means.groupby(lambda name: name.partition("-")[0])
    expected = {name for _, values in stems for name in values.index[values == values.max()]}
    assert {name.split("/")[1] for name in models(project)} == expected
    assert project.run("--omnirec-keep-models=best").parse_summary_nouns(project.run().stdout.lines) == {"cached": 8}


def test_a_model_of_which_more_predictions_are_to_come_is_kept_until_then(project: Project) -> None:
    """Two benchmarks with lists of another length share one fit, although no model is kept."""
    project.bench(body="...\n\n@benchmark(data, plan, Evaluator(NDCG(30)))\ndef bench_longer(result):\n    ...")
    project.run("--omnirec-keep-models=none").assert_outcomes(passed=4)
    assert project.count_fits() == 2
    assert models(project) == set()


@pytest.mark.parametrize("setting", ["ini", "environment"])
def test_it_can_be_set_anywhere(project: Project, setting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is set as every option is; an impossible value is refused with the possible ones."""
    ini = Path(project.pytester.path / "tox.ini")
    if setting == "ini":
        ini.write_text(ini.read_text() + "\nomnirec_keep_models = none\n")
    else:
        monkeypatch.setenv("OMNIREC_KEEP_MODELS", "none")
    project.bench()
    project.run().assert_outcomes(passed=2)
    assert models(project) == set()
    refused = project.run("--omnirec-keep-models=some")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR

"""Names instead of hashes: labels in node ids, ``-k`` by hyperparameters, ids that survive a fix, datasets by their names."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
from support.projects import Project

from omnibench import (
    CorePruning,
    MakeImplicit,
    UserCrossValidation,
    UserHoldout,
    compare_with_best,
    export_results,
    from_frame,
)
from omnibench.commands.main import main
from omnibench.errors import DataError
from omnibench.experiment.labels import dataset_labels
from omnibench.store.queries import open_store

PLAN = 'plan.add_algorithm(Popular, {"noise": Grid([2, 20])}); plan.add_algorithm(Slow, {"seconds": 0.0})'


def selected(project: Project, *arguments: str) -> list[str]:
    """The names of the items that a selection leaves, without their keys."""
    lines = project.run("--collect-only", "-q", *arguments).stdout.lines
    return [re.sub(r"-\w{8}(?=/|$)", "", line.partition("bench_tiny::")[2]) for line in lines if "bench_tiny::" in line]


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("Popular and noise=2", ["tiny/Popular(noise=2)/fold_0", "tiny/Popular(noise=2)/fold_1"]),
        ("noise = 20 and fold_1", ["tiny/Popular(noise=20)/fold_1"]),
        ("Popular and not noise=20 and fold_0", ["tiny/Popular(noise=2)/fold_0"]),
        ("seconds=0.0 and fold_0", ["tiny/Slow/fold_0"]),
        ("seconds=0 and fold_0", ["tiny/Slow/fold_0"]),
        ("noise=2.0 and fold_0", ["tiny/Popular(noise=2)/fold_0"]),
        ("Popular(noise=20) and fold_1", ["tiny/Popular(noise=20)/fold_1"]),
        ("module=own_algorithms and seed=42 and noise=2 and fold_1", ["tiny/Popular(noise=2)/fold_1"]),
        ("noise=3", []),
    ],
)
def test_items_are_selected_by_hyperparameters(project: Project, expression: str, names: list[str]) -> None:
    """``-k`` takes ``name=value`` of whatever was given to the algorithm, whole values only, in the label or not."""
    project.bench(plan=PLAN)
    assert selected(project, "-k", expression) == names


def test_selection_by_hyperparameters_reaches_workers(project: Project) -> None:
    """With ``-n`` the workers select what the controller does, and compute nothing else."""
    project.bench(plan=PLAN)
    project.run("-n", "1", "-k", "noise=20").assert_outcomes(passed=2, deselected=4)
    assert open_store(project.pytester.path / "checkpoints").summary()["completed"] == 2


def test_pytest_refuses_what_it_refused(project: Project) -> None:
    """An expression that is wrong for other reasons still ends in pytest's own message, with what the user wrote."""
    project.bench(plan=PLAN)
    project.run("-k", "noise=2 and").stderr.fnmatch_lines(["*Wrong expression passed to '-k': noise=2 and: *"])


def test_an_id_survives_the_fix_of_its_class(project: Project) -> None:
    """``--lf`` and the printed command find an item again after its class was mended: its id has no key of the code."""
    project.bench(plan="plan.add_algorithm(Broken); plan.add_algorithm(Popular)")
    cached = ("-o", "addopts=-p no:hypothesispytest")  # with pytest's own cache, which knows what failed
    before = project.run_process(*cached)
    before.assert_outcomes(failed=2, passed=2)
    commands = re.findall(r"Run only this item: pytest (.*)", before.stdout.str())
    assert len(commands) == 2
    own = Path(project.pytester.path / "own_algorithms.py")
    own.write_text(own.read_text().replace('raise RuntimeError("the algorithm is broken")', "pass"))
    names = [item["item"] for item in open_store(project.pytester.path / "checkpoints").items().values()]
    command = commands[0].split("'")[1] if "'" in commands[0] else commands[0]
    project.run_process(command, *cached).assert_outcomes(passed=1)
    project.run_process("--lf", *cached).assert_outcomes(passed=1, deselected=3)
    after = open_store(project.pytester.path / "checkpoints").items()
    assert len(after) == len(names) + 2, "the store keeps both versions apart"


def test_tables_can_have_the_names_of_directories(project: Project) -> None:
    """``--omnirec-names=hash`` shows what the checkpoint tree is called."""
    project.bench(plan=PLAN)
    text = project.run("--omnirec-names=hash").stdout.str()
    directories = {path.name for path in (project.pytester.path / "checkpoints").glob("tiny-*/*-*")}
    assert set(re.findall(r"^ ((?:Popular|Slow)\S+)", text, re.MULTILINE)) == directories
    assert re.search(r"^tiny-\w{8}: Evaluation Results", text, re.MULTILINE)


def test_a_label_of_the_users_own_stands_for_the_name(project: Project) -> None:
    """``label=`` is in node ids, as far as they can have it, and as it is in tables and records."""
    project.bench(plan='plan.add_algorithm(Popular, {"noise": Grid([1, 2])}, label="most sold")')
    first = project.run("-v")
    first.assert_outcomes(passed=4)
    assert "/most_sold(noise=1)-" in first.stdout.str()
    first.stdout.re_match_lines([r" most sold\(noise=2\)  "])
    record, *_ = open_store(project.pytester.path / "checkpoints").items().values()
    assert (record["user_label"], record["dataset_label"]) == ("most sold", "tiny")


def test_items_that_are_done_are_called_by_the_latest_label(project: Project) -> None:
    """Giving a label, changing it and taking it away computes nothing; every command and file says what tables say."""
    root = project.pytester.path / "checkpoints"
    plans = {
        "Popular": "plan.add_algorithm(Popular)",
        "Ours (v2), 100 %": 'plan.add_algorithm(Popular, label="Ours (v2), 100 %")',
        "Theirs": 'plan.add_algorithm(Popular, label="Theirs")',
    }
    for number, (label, plan) in enumerate([*plans.items(), *list(plans.items())[:1]]):
        project.bench(plan=plan)
        result = project.run()
        result.stdout.fnmatch_lines(["*2 passed*" if number == 0 else "*2 cached*"])
        assert re.search(rf"^ {re.escape(label)}  ", result.stdout.str(), re.MULTILINE)
        store = open_store(root)
        assert {store.describe(item)["title"] for item in store.completed} == {
            f"tiny/{label}/fold_0",
            f"tiny/{label}/fold_1",
        }
        assert store.select(f"{label}/fold_1") == [store.completed[1]]
        files = [project.pytester.path / f"{number}.{ending}" for ending in ("csv", "tex")]
        export_results(root, *files)
        rows = pd.read_csv(files[0])
        assert (set(rows["label"]), set(rows["dataset_label"])) == ({label}, {"tiny"})
        assert r"\label{tab:tiny}" in files[1].read_text(), "a reference in a paper survives new data"


def test_a_dataset_is_called_as_it_was_named(project: Project) -> None:
    """``named`` takes any text; node ids and directories have something else in place of blanks and the like."""
    project.bench(plan='plan.add_algorithm(Popular); data = data.named("my shop / 2024 [all]")')
    text = project.run("-v").stdout.str()
    assert "::my_shop___2024__all_-" in text
    assert "\nmy shop / 2024 [all]: Evaluation Results" in text
    store = open_store(project.pytester.path / "checkpoints")
    assert store.select("my shop / 2024 [all]/Popular") == store.completed


def test_what_was_done_before_a_dataset_was_renamed_is_compared(project: Project) -> None:
    """Results under the earlier name are of the same data, so they are paired with the new ones."""
    project.bench(plan="plan.add_algorithm(Popular)")
    project.run("-q")
    project.bench(
        plan='plan.add_algorithm(Popular); plan.add_algorithm(Slow, {"seconds": 0.0}); data = data.named("new")'
    )
    text = project.run().stdout.str()
    assert re.search(r"2 passed, 2 cached|2 cached", text), "only what is new was computed"
    standing = compare_with_best(project.pytester.path / "checkpoints", "new", "NDCG@10")
    (comparison,) = standing.comparisons.values()
    assert comparison.pairs > 2
    assert comparison.units == "users"


def test_classes_of_one_name_are_told_apart_by_their_modules(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the table, in the commands, and where one names them."""
    (project.pytester.path / "others.py").write_text(
        "import own_algorithms\n\n"
        "class Popular(own_algorithms.Popular):\n"
        "    def fit(self, train):\n"
        "        super().fit(train.iloc[::2])\n"
    )
    project.bench(plan="import others; plan.add_algorithm(Popular); plan.add_algorithm(others.Popular)")
    text = project.run().stdout.str()
    root = project.pytester.path / "checkpoints"
    labels = {"Popular(module=own_algorithms)", "Popular(module=others)"}
    assert all(re.search(rf"^ {re.escape(label)}  ", text, re.MULTILINE) for label in labels)
    capsys.readouterr()
    assert main(["compare", "--metric", "NDCG@10", "--store", str(root)]) == 0
    compared = capsys.readouterr().out
    assert main(["status", "--all", "--store", str(root)]) == 0
    listed = capsys.readouterr().out
    assert all(f"  {label} " in compared and f"/{label}/fold_1" in listed for label in labels)
    store = open_store(root)
    assert {len(store.select(label)) for label in labels} == {2}
    assert len(store.select("Popular")) == 4


def test_datasets_of_one_name_are_told_apart_by_their_steps() -> None:
    """What not all of them have follows the name; a single one goes by its name, ``named`` gives another."""
    raw = from_frame(pd.DataFrame({"user": [1, 2], "item": [1, 2], "rating": [3, 4]}), "ml")
    split = UserCrossValidation(5)
    plain, pruned = raw.pipe(MakeImplicit(3), split), raw.pipe(MakeImplicit(3), CorePruning(5), split)
    other = raw.pipe(MakeImplicit(3), UserHoldout(0.1, 0.2))
    assert list(dataset_labels([plain]).values()) == ["ml"]
    labels = list(dataset_labels([plain, other, pruned.named("5-core")]).values())
    assert labels[0].startswith("ml(UserCrossValidation(")
    assert labels[-1] == "5-core"
    assert len(set(labels)) == len({plain.key, pruned.key, other.key})
    assert pruned.named("5-core").key == pruned.key
    with pytest.raises(DataError, match="the name is ''; give a text"):
        raw.named("")


def test_bench_functions_of_other_seeds_are_seeds_of_a_configuration(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their rows stand below one name, with their seeds, in CSV, too; commands say the seed, and they count once."""
    project.bench(plan='plan.add_algorithm(Popular, {"noise": Grid([0, 1])})')
    bench = Path(project.pytester.path / "bench_tiny.py")
    bench.write_text(
        bench.read_text()
        + "\nset_random_state(7)\n\n"
        + "@benchmark(data, plan, Evaluator(NDCG([5, 10]), HR(10)))\ndef bench_other_seed(result): ...\n"
    )
    text = project.run("-p", "no:randomly", "--omnirec-export=results.csv").stdout.str()
    assert re.findall(r"^ (Popular\S+)", text, re.MULTILINE) == ["Popular(noise=0)", "Popular(noise=1)"]
    assert re.findall(r"^ .* (7|42|mean|std) +\*?0\.", text, re.MULTILINE) == ["7", "42", "7", "42", "mean", "std"] * 2
    rows = pd.read_csv(project.pytester.path / "results.csv")
    assert set(zip(rows["label"], rows["seed"], strict=True)) == {
        (f"Popular(noise={noise})", seed) for noise in (0, 1) for seed in (7, 42)
    }
    monkeypatch.chdir(project.pytester.path)
    assert main(["status", "--all"]) == 0
    said = capsys.readouterr().out
    assert all(f"tiny/Popular(noise=1)/fold_{fold}/seed_{seed} " in said for fold in (0, 1) for seed in (7, 42))
    standing = compare_with_best(project.pytester.path / "checkpoints", "tiny", "NDCG@10")
    assert len(standing.comparisons) == len([p for p in standing.adjusted.values() if p is not None]) == 1

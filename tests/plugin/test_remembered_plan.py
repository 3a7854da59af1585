"""The plan that a store remembers: what bench functions declare, written when it changes, by runs that may write."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from support.projects import OWN_ALGORITHMS, Project

from omnibench import compare_configurations, compare_with_best, export_results, open_store
from omnibench.commands.main import main
from omnibench.comparison.configurations import measured
from omnibench.store.plans import Planned, plan_of
from omnibench.tables.names import recorded_names

TWO = 'plan.add_algorithm(Popular, {"noise": Grid([0, 1])})'


def store_of(project: Project) -> Path:
    """Return the checkpoint directory of a project."""
    return project.pytester.path / "checkpoints"


def plan_in(project: Project) -> dict[str, Planned]:
    """Return the plan that a project's store remembers, by source."""
    return {part.source: part for part in plan_of(open_store(store_of(project)).records().items())}


def content_of(project: Project) -> dict[str, bytes]:
    """Return every file of a project's store; without what SQLite's readers make beside the database."""
    root = store_of(project)
    files = (path for path in sorted(root.rglob("*")) if path.is_file() and not path.name.endswith(("-shm", "-wal")))
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def test_it_is_what_was_collected_before_deselection(project: Project) -> None:
    """A part of it that runs is remembered with the rest; columns are those that are compared, with their directions."""
    project.bench(plan=TWO, metrics="NDCG(5), FitTime()")
    project.run("-k", "fold_0", "-n", "1")
    (part,) = plan_in(project).values()
    assert (part.source, part.root) == ("bench_tiny.py::bench_tiny", str(project.pytester.path))
    assert part.columns == {"NDCG@5": True}
    assert len(part.items) == 4
    assert len(open_store(store_of(project)).completed) == 2


def test_nothing_is_written_where_nothing_changed(project: Project) -> None:
    """A run in which everything is cached, one of a part, and one that only looks write nothing."""
    project.bench(plan=TWO)
    project.first_run()
    project.run("--omnirec-table=none")  # in the directory of this test
    before = content_of(project)
    for arguments in ((), ("-k", "fold_1"), ("bench_tiny.py::bench_tiny",), ("-n", "1")):
        project.run("--omnirec-table=none", *arguments)
        assert content_of(project) == before, arguments
    project.bench(plan='plan.add_algorithm(Popular, {"noise": 0})')
    for arguments in (("--omnirec-readonly",), ("--omnirec-plan",), ("--collect-only",), ("--omnirec-resume=never",)):
        project.run("--omnirec-table=none", *arguments)
        assert content_of(project) == before, arguments
    project.run("--omnirec-table=none")  # everything is cached, but the plan has changed
    (part,) = plan_in(project).values()
    assert len(part.items) == 2


def test_two_bench_files_do_not_confuse_each_other(project: Project) -> None:
    """Each has its own part, whichever ran last; what does not exist any more is forgotten, what is broken is not."""
    bench = project.pytester.path / "bench_tiny.py"
    other = project.pytester.path / "bench_other.py"
    other.write_text(
        bench.read_text().replace("bench_tiny", "bench_other").replace("(Popular)", '(Popular, {"noise": 7})')
    )
    project.run()
    assert set(plan_in(project)) == {"bench_tiny.py::bench_tiny", "bench_other.py::bench_other"}
    both = bench.read_text()
    bench.write_text(both.replace("(Popular)", '(Popular, {"noise": 8})'))
    project.run("bench_tiny.py")
    assert {source: len(part.items) for source, part in plan_in(project).items()} == {
        "bench_tiny.py::bench_tiny": 2,
        "bench_other.py::bench_other": 2,
    }
    bench.write_text(both.replace("NDCG([5, 10])", "NDCG(0)"))  # refused
    project.run()
    assert len(plan_in(project)) == 2
    bench.write_text(both + "\n\n" + both[both.index("@benchmark") :].replace("bench_tiny", "bench_more"))
    project.run("bench_tiny.py")
    assert "bench_tiny.py::bench_more" in plan_in(project)
    bench.write_text(both)
    project.run("bench_tiny.py::bench_tiny")  # which says nothing about the others of its file
    assert len(plan_in(project)) == 3
    project.run("bench_tiny.py")
    assert set(plan_in(project)) == {"bench_tiny.py::bench_tiny", "bench_other.py::bench_other"}
    other.unlink()
    project.run()
    assert set(plan_in(project)) == {"bench_tiny.py::bench_tiny"}


@pytest.fixture
def drafts(project: Project) -> Project:
    """A project whose class has had two versions, and whose plan an algorithm more."""
    project.bench(plan=TWO)
    project.run()
    project.pytester.makepyfile(own_algorithms=OWN_ALGORITHMS.replace("self.items[:k]", "self.items[1 : k + 1]"))
    project.bench(plan='plan.add_algorithm(Popular, {"noise": 0})')
    project.run()
    return project


def algorithms_in(file: Path) -> set[str]:
    """Return the names of the configurations in an exported file."""
    return set(pd.read_csv(file)["configuration"])


def test_commands_take_the_last_plan(
    drafts: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Export and compare say how many items they left out and how to have them; --all has them; names always do."""
    monkeypatch.setenv("OMNIREC_CHECKPOINT_DIR", str(store_of(drafts)))
    monkeypatch.chdir(drafts.pytester.path)
    (name,) = (configuration for configuration in algorithms_of(drafts))
    old = sorted({record["algorithm"] for record in open_store(store_of(drafts)).items().values()} - {name})
    assert main(["export", "some.csv"]) == 0
    assert "4 done items left out, not in the last plan" in (said := capsys.readouterr().err)
    assert "--all has them too" in said
    assert algorithms_in(Path("some.csv")) == {name}
    assert main(["export", "all.csv", "--all"]) == 0
    assert not capsys.readouterr().err
    assert algorithms_in(Path("all.csv")) == {name, *old}
    assert main(["export", "named.csv", "--algorithm", old[0], "--algorithm", name]) == 0
    assert algorithms_in(Path("named.csv")) == {name, old[0]}
    capsys.readouterr()
    assert main(["compare"]) == 0
    out, err = capsys.readouterr()
    assert ("noise=1" in out, "4 done items left out" in err) == (False, True)
    assert main(["compare", "--all"]) == 0
    out, err = capsys.readouterr()
    called = recorded_names(open_store(store_of(drafts)).items().values()).configuration(old[0])
    assert (called in out, err) == (True, "")
    assert main(["compare", name, old[0]]) == 0
    assert not capsys.readouterr().err


def algorithms_of(project: Project) -> set[str]:
    """Return the configurations that the plan has, as tables name them."""
    keys = frozenset[str]().union(*(part.items for part in plan_in(project).values()))
    return {item["algorithm"] for item in open_store(store_of(project)).items().values() if item["fit_key"] in keys}


def test_scripts_have_the_same(drafts: Project, tmp_path: Path) -> None:
    """Functions warn of what they leave out; all_items takes everything; what is named is found wherever it is."""
    store = store_of(drafts)
    dataset = open_store(store).items().popitem()[1]["dataset"]
    for call in (
        lambda: export_results(store, tmp_path / "some.csv"),
        lambda: compare_with_best(store, dataset, "NDCG@5"),
    ):
        with pytest.warns(
            UserWarning, match="4 done items left out, not in the last plan .*; all_items=True takes them too"
        ) as said:
            call()
        assert [warning.filename for warning in said] == [__file__]
    export_results(store, tmp_path / "all.csv", all_items=True)
    assert len(algorithms_in(tmp_path / "some.csv")) == 1
    everything = sorted(algorithms_in(tmp_path / "all.csv"))
    assert len(everything) == 3
    first, second, *_ = everything
    assert compare_configurations(store, first, second, "NDCG@5").pairs == 30
    assert measured(store).left_out.startswith("4 done items")
    assert not measured(store, all_items=True).left_out

"""A store's results as files: what is chosen, what is tested, what is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from omnibench import OmnibenchError, compare_with_best, export_results, open_store
from omnibench.report.choices import Choices
from omnibench.report.contents import Contents
from omnibench.report.sections import Report, report_of
from omnibench.store.item_records import result_of
from omnibench.tables.names import display_names


def rows_of(file: Path) -> list[list[str]]:
    """The cells of a Markdown file's tables, without the rules."""
    lines = [line for line in file.read_text().splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if ":--" not in line]


def labels_of(root: Path, shown: Collection[str] = ()) -> dict[str, str]:
    """What people call the configurations of a store, by the names of their directories."""
    results = [result_of(item) for item in open_store(root).items().values()]
    return dict(display_names(result for result in results if not shown or result.algorithm in shown).configurations)


def test_marks_are_those_of_comparisons(measured_store: Path, tmp_path: Path) -> None:
    """The best, and what is not significantly worse, of each dataset and metric, as `compare_with_best` has them."""
    file = tmp_path / "results.md"
    assert export_results(measured_store, file) == []
    text = file.read_text()
    datasets = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
    assert datasets == ["crossed", "held", "Ranks over datasets"]
    rows = rows_of(file)
    for number, dataset in enumerate(datasets[:2]):
        (_, *labels), *lines = rows[4 * number : 4 * number + 4]
        for column, label in enumerate(labels, start=1):
            expected = compare_with_best(measured_store, dataset, label)
            bold = {row[0] for row in lines if row[column].startswith("**")}
            called = labels_of(measured_store)
            assert called[expected.best] in bold
            not_worse = {called[name] for name in expected.not_worse}
            assert {row[0] for row in lines if "†" in row[column]} | bold == not_worse | bold
    assert (
        "paired bootstrap test over 40 users, Holm-corrected in each column, alpha = 0.05; of these fitted models; other seeds"
        in text
    )
    assert "average ranks over 2 datasets; too few datasets to say" in text


def test_other_tests_and_levels(measured_store: Path, tmp_path: Path) -> None:
    """What is asked for is what is done, and what is said."""
    file = tmp_path / "results.html"
    export_results(measured_store, file, datasets=["held"], test="wilcoxon", alpha=0.2)
    text = file.read_text()
    assert "paired Wilcoxon test over" in text
    assert "alpha = 0.2; of these fitted models; other seeds may differ." in text
    assert "80 % interval" in text
    expected = compare_with_best(measured_store, "held", "NDCG@10", test="wilcoxon", alpha=0.2)
    (comparison, *_) = expected.comparisons.values()
    assert comparison.interval is not None
    assert f"{comparison.interval[0]:+.4f} to {comparison.interval[1]:+.4f}" in text


def test_what_is_chosen_is_what_is_written(measured_store: Path, tmp_path: Path) -> None:
    """Datasets and configurations by name or how it begins, metrics in their order, tables sorted and cut."""
    names = sorted({item["algorithm"] for item in open_store(measured_store).items().values()})
    files = [tmp_path / "results.md", tmp_path / "results.csv"]
    chosen = names[1:]
    export_results(
        measured_store, *files, datasets=["held"], algorithms=chosen, metrics=["HR@10", "NDCG@10"], sort="HR@10", top=1
    )
    frame = pd.read_csv(files[1])
    assert frame["metric"].tolist() == ["HR@10", "NDCG@10"] * 2
    assert frame["configuration"].drop_duplicates().tolist() == chosen
    assert {item.partition("-")[0] for item in frame["dataset"]} == {"held"}
    head, *rows = rows_of(files[0])
    assert head == ["Algorithm", "HR@10", "NDCG@10"]
    best = frame[frame["metric"] == "HR@10"].set_index("configuration")["value"].idxmax()
    assert [row[0] for row in rows] == [labels_of(measured_store, chosen)[str(best)]]
    assert "The best 1 by HR@10 are shown, 1 more are not; --top shows all." in files[0].read_text()
    hashes = [name.rpartition("-")[2] for name in chosen]
    export_results(open_store(measured_store), files[1], algorithms=hashes)
    assert set(pd.read_csv(files[1])["configuration"]) == set(chosen)
    export_results(measured_store, files[0], sort="HR@10")
    for number in (0, 4):
        values = [
            float(row[3].strip("*†").split("†")[0].split("*")[0].split()[0])
            for row in rows_of(files[0])[number + 1 : number + 4]
        ]
        assert values == sorted(values, reverse=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"datasets": ["nowhere"]}, "there is no dataset 'nowhere'; there are crossed-"),
        ({"datasets": ["helt"]}, "there is no dataset 'helt'; did you mean 'held'"),
        ({"algorithms": [""]}, "'': there is no such item"),
        ({"metrics": ["NDCG@11"]}, "'NDCG@11' was not measured; did you mean 'NDCG@10'"),
        ({"sort": "MAP@5"}, "there is no 'MAP@5' to sort by"),
        ({"top": 0}, "top is 0; give the number"),
        ({"alpha": 2}, "alpha is 2; give a level"),
        ({"test": "f"}, "test is 'f'; choose from bootstrap, t, randomisation, wilcoxon"),
        ({"better": "more"}, "better is 'more'; choose from higher, lower"),
    ],
)
def test_what_chooses_nothing_is_refused(
    measured_store: Path, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    """A filter that matches nothing is refused before anything is written."""
    with pytest.raises(OmnibenchError, match=message):
        export_results(measured_store, tmp_path / "results.md", **options)
    assert not list(tmp_path.iterdir())


def test_files_are_looked_at_first(tmp_path: Path) -> None:
    """Files are checked before the store is read, which may take long."""
    with pytest.raises(OmnibenchError, match=r"ends with '\.doc'"):
        export_results(tmp_path / "no store", tmp_path / "fine.md", tmp_path / "results.doc")
    with pytest.raises(OmnibenchError, match="there are no checkpoints in"):
        export_results(tmp_path / "no store", tmp_path / "results.md")
    assert not list(tmp_path.iterdir())


def test_a_damaged_file_costs_the_marks_and_no_more(measured_store: Path, tmp_path: Path) -> None:
    """The numbers are there, and the reason why nothing is marked stands with them and is returned."""
    store = Path(shutil.copytree(measured_store, tmp_path / "store"))
    for file in store.rglob("per_user-*"):
        file.write_bytes(b"nothing")
    written = [tmp_path / f"results.{ending}" for ending in ("md", "tex", "html", "csv")]
    (trouble,) = export_results(store, *written)
    assert trouble.startswith("what is not significantly worse than the best is not marked: ")
    assert all("is not marked" in file.read_text() for file in written[:3])
    assert not any("†" in file.read_text() or "dagger" in file.read_text() for file in written[:3])
    assert len(pd.read_csv(written[3])) == len(open_store(measured_store).results())


def test_items_without_results_are_told(measured_store: Path, tmp_path: Path) -> None:
    """Those that were reset, too: they are pending, and their dataset's means are over fewer folds."""
    store = Path(shutil.copytree(measured_store, tmp_path / "store"))
    item = next(name for name in open_store(store).completed if name.startswith("crossed"))
    open_store(store).reset_item(item)
    files = [tmp_path / "results.md", tmp_path / "results.json"]
    export_results(store, *files)
    text = files[0].read_text()
    assert "1 of 12 items is missing" in text
    assert f"> - {open_store(store).describe(item)['title']} (pending)" in text
    assert f"{labels_of(store)[item.split('/')[1]]}: in 2 of 3 folds" in text
    assert json.loads(files[1].read_text())["missing"] == [{"item": item, "status": "pending", "why": ""}]


@pytest.mark.parametrize(("endings", "expected"), [(("csv", "json", "parquet"), "False"), (("html",), "True")])
def test_files_of_values_import_nothing_of_documents(
    endings: tuple[str, ...], expected: str, measured_store: Path, tmp_path: Path
) -> None:
    """Nor what pairs values of users, which takes longer than small stores do."""
    modules = ("report.sections", "report.page.html", "comparison.measured")
    code = (
        "import sys; from omnibench.report.export import export_results; export_results(*sys.argv[1:]); "
        f"print(*(f'omnibench.{{name}}' in sys.modules for name in {modules}))"
    )
    files = [str(tmp_path / f"results.{ending}") for ending in endings]
    command = [sys.executable, "-c", code, str(measured_store), *files]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    assert answer.stdout.split() == [expected] * len(modules)


def test_only_documents_are_tested(measured_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests take the time, and frames have none; several documents share them."""
    reports: list[Choices] = []

    def counted(contents: Contents, root: Path, choices: Choices) -> Report:
        reports.append(choices)
        return report_of(contents, root, choices)

    monkeypatch.setattr("omnibench.report.sections.report_of", counted)
    export_results(measured_store, *(tmp_path / f"results.{ending}" for ending in ("csv", "json", "parquet")))
    assert reports == []
    export_results(measured_store, *(tmp_path / f"results.{ending}" for ending in ("md", "tex", "html")))
    assert len(reports) == 1

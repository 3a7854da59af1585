"""Stores of every format there has been open, are queried, go on, and are refused by what is older than them."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from support.projects import Project

from omnibench import open_store
from omnibench.store.formats import FORMAT

STORES = Path(__file__).parent.parent / "assets" / "stores"
FORMATS = sorted(STORES.glob("format-*"))

EXPECTED = {
    ("Frozen-a10477b7/fold_0", "NDCG@5"): 0.342774183,
    ("Frozen-a10477b7/fold_0", "HR@3"): 2 / 3,
    ("Frozen-d7c4cd88/fold_1", "NDCG@10"): 0.528338768,
}
"""Three of the twelve numbers, as they were when the first of these stores was made."""


def table(result: pytest.RunResult) -> list[str]:
    return [line for line in result.stdout.lines if re.match(r"^ .*\d\.\d{4}", line)]


@pytest.fixture(params=FORMATS, ids=lambda path: path.name)
def frozen(request: pytest.FixtureRequest, project: Project) -> Path:
    """A project with a copy of a frozen store as its checkpoints, and the benchmark that made it."""
    (project.pytester.path / "bench_tiny.py").unlink()
    shutil.copyfile(STORES / "frozen_bench.py", project.pytester.path / "bench_frozen.py")
    return Path(shutil.copytree(request.param, project.pytester.path / "checkpoints"))


def fits(root: Path) -> dict[str, str]:
    return {key: record["finished"] for key, record in open_store(root).records().items() if key.startswith("fit/")}


def test_every_format_has_its_frozen_store() -> None:
    """`python tests/assets/stores/freeze.py` makes one when the format changes."""
    assert [path.name for path in FORMATS] == [f"format-{number}" for number in range(1, FORMAT + 1)]


def test_frozen_store_is_served(project: Project, frozen: Path) -> None:
    """Everything is there for the present omnibench, with the numbers of then."""
    result = project.run("-n", "1")
    assert result.parse_summary_nouns(result.stdout.lines) == {"cached": 4}
    values = open_store(frozen).results().set_index(["item", "metric"])["value"]
    for (item, metric), value in EXPECTED.items():
        assert values[f"frozen-bec1fc7c/{item}", metric] == pytest.approx(value, abs=1e-8)


def test_frozen_store_is_looked_into(frozen: Path, tmp_path: Path) -> None:
    """What old records lack is left out: items have words, facts and contrasts, and the stores of all formats agree."""
    store = open_store(frozen)
    for name, item in store.items().items():
        words = store.why(name)
        assert words.startswith(
            f"{store.describe(name)['title']} is done ({name}).\n  dataset          frozen: UserCrossValidation(2)\n"
        )
        assert f"algorithm        Frozen(shift={item['parameters']['shift']})" in words
        assert store.describe(name)["dataset"]["interactions"] == 108
    first, second, *_ = store.completed
    assert [difference.part for difference in store.contrast(first, second).keys] == ["fold"]
    assert set(store.phases()["status"]) == {"done"}
    for directory in FORMATS:
        copy = shutil.copytree(directory, tmp_path / directory.name)  # a reader leaves files beside the database
        assert store.diff(open_store(copy)).agrees


def test_frozen_store_goes_on(project: Project, frozen: Path) -> None:
    """A new metric is computed from the old predictions, longer lists from the old models; nothing is fitted again.

    An older format is migrated, with a copy of its records, and said.
    """
    was = json.loads((frozen / "STORE.json").read_text())["format"]
    before = fits(frozen)
    served = table(project.run())
    bench = project.pytester.path / "bench_frozen.py"
    bench.write_text(bench.read_text().replace("NDCG([5, 10])", "NDCG([5, 10, 30])"))
    result = project.run("-n", "1")
    assert result.parse_summary_nouns(result.stdout.lines) == {"passed": 4}
    assert fits(frozen) == before
    assert [line.split()[:2] for line in table(result)] == [line.split()[:2] for line in served]
    assert json.loads((frozen / "STORE.json").read_text())["format"] == FORMAT
    if was < FORMAT:
        result.stdout.fnmatch_lines([f"*was of store format {was} and is now of {FORMAT}*store.format-{was}.db*"])
        assert (frozen / f"store.format-{was}.db").exists()
    store = open_store(frozen)
    assert len(store.completed) == 4
    assert store.provenance(store.completed[0])["configuration"]["parameters"] == {"shift": 3}


def test_a_newer_store_is_refused(project: Project, frozen: Path) -> None:
    """A newer store is refused with what to do, and nothing in it is changed."""
    (frozen / "STORE.json").write_text(json.dumps({"format": FORMAT + 1}))
    content = {path: path.read_bytes() for path in frozen.rglob("*") if path.is_file()}
    bench = project.pytester.path / "bench_frozen.py"
    bench.write_text(bench.read_text().replace("NDCG([5, 10])", "NDCG([5, 10, 30])"))
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*was made by a newer omnibench (store format {FORMAT + 1}; *Upgrade omnibench*"])
    assert {path: path.read_bytes() for path in frozen.rglob("*") if path.is_file()} == content

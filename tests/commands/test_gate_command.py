"""`omnibench baseline` and `omnibench gate` over a real store."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.measuring import measure

from omnibench import compare_configurations, compare_with_baseline, open_store, write_baseline
from omnibench.commands.main import main
from omnibench.comparison.configurations import measured
from omnibench.comparison.measured import Measured
from omnibench.errors import BaselineError
from omnibench.gate.entries import newest
from omnibench.gate.measurements import Measurements
from omnibench.gate.stores import measurements
from omnibench.statistics.paired import DEFAULT_TEST
from omnibench.store.evaluations import EvaluationsByLookup
from omnibench.store.queries import Store
from omnibench.store.schema import RecordType

Command = Callable[..., str]


@pytest.fixture
def command(measured_store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run a command on the store, expect how it ends, and return what it said."""
    monkeypatch.setenv("OMNIREC_CHECKPOINT_DIR", str(measured_store))
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments: object, ends: int = 0) -> str:
        assert main([str(one) for one in arguments]) == ends
        out, err = capsys.readouterr()
        assert bool(err) == (ends == 2), err
        return err or out

    return run


def changed(store: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[dict[str, Any]], None]) -> None:
    """Have a store's records read as if something in them were different."""
    records = without_plan(open_store(store).records())
    for record in records.values():
        change(record)
    read_as(records, monkeypatch)


def read_as(records: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have other records read than a store's."""
    items = {key: record for key, record in records.items() if RecordType.ITEM.has(key)}
    others = {key: record for key, record in records.items() if key not in items}
    evaluations = EvaluationsByLookup(records.get)
    monkeypatch.setattr(Store, "compared_in_turn", lambda _, use: use(others, iter(items.items()), evaluations))


def without_plan(records: dict[str, Any]) -> dict[str, Any]:
    """Return records as omnibench kept them before stores remembered a plan."""
    return {key: record for key, record in records.items() if not key.startswith("plan/")}


def later(by: int) -> Callable[[dict[str, Any]], None]:
    """As if the algorithm's code had changed: what another configuration measures is that of ``by=0`` now."""

    def change(record: dict[str, Any]) -> None:
        if "identity" in record and "configuration" in record["identity"][1]:
            configuration = record["identity"][1]["configuration"][1]
            if configuration["parameters"] == {"by": by}:
                configuration |= {"code": "source 2", "parameters": {"by": 0}}
                record["finished"] = "2100-01-01T00:00:00Z"

    return change


def test_what_was_written_is_what_is_there(command: Command, tmp_path: Path) -> None:
    """The gate passes over the store that the baseline was written from."""
    file = tmp_path / "baseline.parquet"
    said = command("baseline", file)
    assert said.startswith(f"{file}: 2 datasets, 6 configurations, 3 metrics, ")
    assert command("gate", file).splitlines()[0] == "18 comparisons: 18 same"
    assert command("gate", file).splitlines()[-1].startswith("gate passed (baseline of 20")


def test_what_is_worse_fails(
    command: Command, measured_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each configuration what was finished last counts; exit status 1, the same p as `compare`, for programs as well."""
    file = tmp_path / "baseline.parquet"
    command("baseline", file)
    known = measured(measured_store)
    place = known.datasets[0]
    names = sorted(known.means(place, "NDCG@10"), key=known.means(place, "NDCG@10").__getitem__)
    best, worst = names[-1], names[0]
    expected = compare_configurations(
        measured_store, worst, best, "NDCG@10", dataset=place, alternative="less", test=DEFAULT_TEST
    )
    changed(measured_store, monkeypatch, later(9))
    told = json.loads(command("gate", file, "--json", "--metric", "NDCG@10", ends=1))
    assert not told["passed"]
    (one,) = [one for one in told["verdicts"] if one["dataset"] == place and one["algorithm"] == worst]
    assert (one["verdict"], one["then"], one["pairs"]) == ("worse", best, expected.pairs)
    assert (one["now"], one["baseline"]) == (expected.first, expected.second)
    assert expected.p is not None
    assert one["p"] == pytest.approx(2 * expected.p, rel=1e-9)  # on both datasets, this being the smaller one
    lines = command("gate", file, ends=1).splitlines()
    assert lines[0].startswith("this store remembers no plan, so judged is what was finished last")
    assert "worse:" in lines
    assert lines[-1].startswith("gate failed")
    assert max(len(line) for line in lines) <= 80
    quiet = command("gate", file, "-q", ends=1)
    assert quiet.splitlines()[0] == lines[0]
    assert "in the baseline, but without a result" in " ".join(quiet.split())
    tolerant = ("--tolerance", "95%")
    assert command("gate", file, *tolerant, ends=1).splitlines()[-1].startswith("gate failed")
    assert command("gate", file, *tolerant, "--missing", "ok").splitlines()[-1].startswith("gate passed")


def test_without_values_per_user_folds_are_compared(
    command: Command, measured_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the training sets' overlap of the prepared data; of a single split nothing can be said."""
    file = tmp_path / "baseline.parquet"
    records = without_plan(open_store(measured_store).records())
    for key, record in records.items():
        if key.startswith("eval/"):
            record["place"] = None
    known = Measured(measured_store, records)
    place = known.datasets[0]
    means = known.means(place, "HR@10")
    best, worst = max(means, key=means.__getitem__), min(means, key=means.__getitem__)
    expected = compare_configurations(known, worst, best, "HR@10", dataset=place, alternative="less")
    items = {key: record for key, record in records.items() if RecordType.ITEM.has(key)}
    others = {key: record for key, record in records.items() if key not in items}
    evaluations = EvaluationsByLookup(records.get)
    monkeypatch.setattr(Store, "compared_in_turn", lambda _, use: use(others, iter(items.items()), evaluations))
    command("baseline", file)
    for record in records.values():
        later(9)(record)
    only = ("--metric", "HR@10", "--missing", "ok")
    told = json.loads(command("gate", file, "--json", *only, ends=int((expected.p or 1) <= 0.05)))
    both = {one["dataset"]: one for one in told["verdicts"] if one["algorithm"] == worst}
    assert (both[place]["p"], both[place]["units"], both[place]["pairs"]) == (expected.p, "folds", 3)
    assert [one["reason"] for name, one in both.items() if name != place] == [
        "too few folds to say: one difference tells nothing about chance"
    ]


def test_of_data_that_is_not_recorded_nothing_is_written(
    command: Command, measured_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What its test parts are is not known."""
    records = {key: one for key, one in open_store(measured_store).records().items() if not key.startswith("data/")}
    items = {key: record for key, record in records.items() if RecordType.ITEM.has(key)}
    others = {key: record for key, record in records.items() if key not in items}
    evaluations = EvaluationsByLookup(records.get)
    monkeypatch.setattr(Store, "compared_in_turn", lambda _, use: use(others, iter(items.items()), evaluations))
    said = command("baseline", tmp_path / "b.parquet", ends=2)
    assert "is not recorded as prepared; run its benchmark again." in said


def test_older_versions_are_left_out_of_a_baseline(
    command: Command, measured_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A baseline has the newest version of each configuration only, and the command says which others it left out."""
    changed(measured_store, monkeypatch, later(9))
    lines = command("baseline", tmp_path / "baseline.parquet").splitlines()
    assert ": 2 datasets, 4 configurations, 3 metrics, " in lines[0]
    assert lines[1].startswith("  crossed/Rotated(by=0), ")
    assert len(lines) == 4
    assert all(line.startswith("  left out, for another version was finished later: ") for line in lines[2:])


def test_data_that_was_measured_later_takes_the_place_of_the_old(
    command: Command, measured_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store keeps both; to compare the old results with themselves would be a silent pass."""
    file = tmp_path / "baseline.parquet"
    command("baseline", file)
    records = open_store(measured_store).records()
    fresh: dict[str, Any] = {}
    for key, record in records.items():
        if key.startswith("data/") and record["name"] == "held":
            fresh["data/new"] = {**record, "test": ["0" * 64]}
        if key.startswith("item/") and record["item"].startswith("held-"):
            again = {"data_key": "new", "dataset": "held-new", "finished": "2100-01-01T00:00:00Z"}
            fresh[f"{key}/new"] = {**record, **again}
    read_as(without_plan({**records, **fresh}), monkeypatch)
    said = command("gate", file, ends=1)
    assert "held-new has changed its data or its split (it was held-" in said
    assert "9 comparisons: 9 same" in said


def test_what_an_earlier_omnibench_did_not_note_is_refused(
    command: Command, measured_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store whose records lack a field that the gate needs is refused; the error names the field and the way out."""
    for what in ("data_key", "identity"):
        with monkeypatch.context() as patch:
            changed(measured_store, patch, lambda record, what=what: record.pop(what, None))  # type: ignore[misc]
            said = command("baseline", tmp_path / "b.parquet", ends=2)
            assert f"was recorded by an earlier omnibench, which did not note its {what}; `omnibench reset ITEM" in said


def test_items_that_are_not_done_are_left_out(measured_store: Path) -> None:
    """An entry has the folds that are."""
    records = open_store(measured_store).records()
    items = [one for key, one in records.items() if key.startswith("item/")]
    items[0] = {**items[0], "status": "failed"}
    found = Measurements(measured_store, records.get, items)
    folds = sorted(len(one.scores["HR@3"].folds) for one in found.entries)
    whole = sorted(len(one.scores["HR@3"].folds) for one in measurements(measured_store).entries)
    assert sum(whole) - sum(folds) == 1


def test_only_wanted_columns_are_taken(measured_store: Path) -> None:
    """An entry has only the columns that the plan wants, with the directions that the plan knows."""
    records = open_store(measured_store).records()
    items = [one for key, one in records.items() if key.startswith("item/")]
    wanted = {one["fit_key"]: {"HR@3": False, "Gini@3": False} for one in items}
    found = Measurements(measured_store, records.get, items, wanted)
    assert {tuple(one.scores) for one in found.entries} == {("HR@3", "Gini@3")}
    assert not any(score.higher_is_better for one in found.entries for score in one.scores.values())
    assert all(one.scores["HR@3"].folds and not one.scores["Gini@3"].folds for one in found.entries)
    assert len(newest(found.entries)[0]) == len(found.entries)


def test_scripts_have_the_same(measured_store: Path, tmp_path: Path) -> None:
    """Two functions; a baseline that was read may be used again."""
    written = write_baseline(measured_store, tmp_path / "b.parquet")
    found = compare_with_baseline(open_store(measured_store), written, metrics=["HR@3"])
    assert (found.passed, len(found.verdicts)) == (True, 6)
    assert repr(written).startswith("<Baseline ")
    with pytest.raises(BaselineError, match="there is no baseline"):
        compare_with_baseline(measured_store, tmp_path / "none.parquet")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--tolerance", "much"), "'much' is no share; write e.g. 0.01 or 1%"),
        (("--alpha", "2"), "alpha is 2.0"),
        (("--metric", "NDCG@11"), "has no metric 'NDCG@11'; did you mean"),
        (("--store", "/nowhere"), "there are no checkpoints in '/nowhere'"),
    ],
)
def test_what_cannot_be_judged_is_an_error(
    command: Command, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    """Exit status 2 and one sentence."""
    file = tmp_path / "baseline.parquet"
    command("baseline", file)
    said = command("gate", file, *arguments, ends=2)
    assert said.startswith("omnibench: ")
    assert message in said
    assert said.count("\n") == 1


FROZEN = Path(__file__).parent.parent / "assets" / "baselines"


@pytest.mark.guests
def test_a_frozen_baseline_is_read(tmp_path: Path) -> None:
    """It was written of the same measurements when the format was new."""
    from omnibench.gate.baseline import FORMAT

    store = measure(tmp_path, as_recorded=True)
    assert [path.name for path in sorted(FROZEN.iterdir())] == [f"format-{n}.parquet" for n in range(1, FORMAT + 1)]
    for path in FROZEN.iterdir():
        copy = shutil.copy(path, tmp_path / path.name)
        found = compare_with_baseline(store, copy)
        assert (found.passed, len(found.those("same"))) == (True, 18)

"""`omnibench compare`: what it says of two configurations, and of all of them."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

import omnibench.metrics
from omnibench import compare_configurations, compare_with_best, holm, rank_configurations
from omnibench.commands import compare as command
from omnibench.commands.main import main
from omnibench.comparison.configurations import measured
from omnibench.comparison.measured import Measured
from omnibench.report.comparisons import jsonable
from omnibench.store.queries import open_store

Command = Callable[..., str]


@pytest.fixture
def compare(measured_store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run the command on the store, expect how it ends, and return what it said."""
    monkeypatch.setenv("OMNIREC_CHECKPOINT_DIR", str(measured_store))

    def run(*arguments: str, ends: int = 0) -> str:
        assert main(["compare", *arguments]) == ends
        out, err = capsys.readouterr()
        assert bool(err) == (ends == 2), err
        return err or out

    return run


@pytest.fixture
def pair(measured_store: Path) -> tuple[str, str]:
    """The best configuration of both datasets by NDCG, and the worst."""
    known = measured(measured_store)
    means = known.means(known.datasets[0], "NDCG@10")
    return max(means, key=lambda name: means[name]), min(means, key=lambda name: means[name])


def test_two_configurations_are_told_apart(compare: Command, measured_store: Path, pair: tuple[str, str]) -> None:
    """A line per dataset and metric, with what `compare_configurations` says, and Holm's correction over all lines."""
    lines = compare(*pair).splitlines()
    called = measured(measured_store).names.configuration
    assert lines[0] == f"{called(pair[0])} minus {called(pair[1])}"
    assert [line.split(":")[0] for line in lines if ": paired over " in line] == ["crossed", "held"]
    rows = [line.split() for line in lines if line.startswith(("  NDCG", "  HR"))]
    assert [row[0] for row in rows] == ["NDCG@10", "HR@3", "HR@10"] * 2
    for place, row in zip(["crossed"] * 3 + ["held"] * 3, rows, strict=True):
        one = compare_configurations(measured_store, *pair, row[0], dataset=place)
        assert one.interval is not None
        assert row[1:4] == [f"{one.first:.4f}", f"{one.second:.4f}", f"{one.difference:+.4f}"]
        assert (row[4], row[6]) == tuple(f"{end:+.4f}" for end in one.interval)
    assert "the first is better" in lines[4]
    assert lines[-2].startswith("Paired bootstrap test; p (Holm) is corrected over 6 comparisons;")
    assert lines[-1] == (
        "The tests speak of these fitted models; other seeds may differ. With seeds=5 they speak of other seeds, too."
    )


def test_two_configurations_for_programs(compare: Command, measured_store: Path, pair: tuple[str, str]) -> None:
    """JSON, of one dataset and the metrics asked for, by another test."""
    asked = ("--dataset", "held", "--metric", "HR@10", "--metric", "NDCG@10", "--test", "randomisation")
    told = json.loads(compare(*pair, *asked, "--json"))
    assert [(one["metric"], one["test"], one["units"]) for one in told] == [
        ("HR@10", "randomisation", "users"),
        ("NDCG@10", "randomisation", "users"),
    ]
    assert [one["p_holm"] for one in told] == pytest.approx(holm([one["p"] for one in told]).tolist())
    for one in told:
        assert one["condition"] == "of these fitted models; other seeds may differ"
        expected = compare_configurations(measured_store, *pair, one["metric"], dataset="held", test="randomisation")
        assert (one["difference"], one["p"]) == (expected.difference, expected.p)
        assert one["means"] == [expected.first, expected.second]


def test_all_are_compared_with_the_best(compare: Command, measured_store: Path, pair: tuple[str, str]) -> None:
    """A table per dataset and metric, best first; then the ranks over datasets."""
    lines = compare("--metric", "NDCG@10").splitlines()
    first = next(place for place, line in enumerate(lines) if line.startswith("crossed,"))
    called = measured(measured_store).names.configuration
    assert lines[first + 2].split() == [called(pair[0]), *lines[first + 2].split()[1:2], "the", "best"]
    assert lines[first + 4].split()[0] == called(pair[1])
    assert lines[first + 4].endswith("  worse")
    means = [float(line.split()[1]) for line in lines[first + 2 : first + 5]]
    assert means == sorted(means, reverse=True)
    (ranks,) = [line for line in lines if "average ranks over 2 datasets" in line]
    assert ranks.startswith("NDCG@10: average ranks over 2 datasets; too few datasets to say: with 2")
    expected = rank_configurations(measured_store, "NDCG@10")
    below = itertools.takewhile(bool, lines[lines.index(ranks) + 1 :])
    told = {line.split()[1]: line.split()[0] for line in below}
    assert told == {
        called(name): f"{rank:.2f}" for name, rank in zip(expected.configurations, expected.ranking.ranks, strict=True)
    }
    assert list(told.values()) == sorted(told.values())


def test_a_ranking_of_a_grid_says_that_it_is_no_tuning(compare: Command) -> None:
    """In its last lines, once for all tables, with what to do instead; two that were named are a comparison, no choice."""
    lines = compare().splitlines()
    assert lines[-2].startswith("Picking the best Rotated by these numbers is tuning on the test part; to choose on ")
    assert lines[-1].startswith('  plan.tune(Rotated, {"by": Choice([0, ')
    assert sum("tuning on the test part" in line for line in lines) == 1
    first, second, *_ = (line.split()[0] for line in lines if line.strip().startswith("Rotated("))
    assert "tuning on the test part" not in compare(first, second)


def test_all_for_programs(compare: Command, measured_store: Path) -> None:
    """The standing by each metric of each dataset, and the ranks."""
    told = json.loads(compare("--json"))
    assert len(told["standings"]) == 6
    for one in told["standings"]:
        expected = compare_with_best(measured_store, one["dataset"], one["metric"])
        assert (one["best"], tuple(one["not_worse"])) == (expected.best, expected.not_worse)
        assert {name: row["p_holm"] for name, row in one["comparisons"].items()} == expected.adjusted
    for one in told["rankings"]:
        ranking = rank_configurations(measured_store, one["metric"]).ranking
        assert list(one["ranks"].values()) == ranking.ranks.tolist()
        assert one["critical_difference"] == ranking.critical_difference


def test_one_direction_may_be_said(compare: Command, pair: tuple[str, str]) -> None:
    """Where lower is better, the worst is the best."""
    told = json.loads(compare("--metric", "NDCG@10", "--dataset", "crossed", "--better", "lower", "--json"))
    assert told["standings"][0]["best"] == pair[1]
    assert "the second is better" in compare(*pair, "--metric", "NDCG@10", "--dataset", "crossed", "--better", "lower")


def test_a_metric_of_unknown_direction_is_told_apart_all_the_same(
    compare: Command, pair: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two configurations differ or not; which is the best, somebody has to say."""
    monkeypatch.delattr(omnibench.metrics, "NDCG")
    monkeypatch.delitem(omnibench.metrics._HOME_OF, "NDCG")  # or it would come back when it is asked for
    asked = ("--metric", "NDCG@10", "--dataset", "crossed")
    assert compare(*pair, *asked).splitlines()[4].endswith("  different")
    assert "NDCG@10: omnibench does not know whether more of it is better; say --better." in compare(*asked)
    assert "the best" in compare(*asked, "--better", "higher")


def test_datasets_without_the_metric_are_left_out(
    compare: Command, measured_store: Path, pair: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Datasets that lack the metric are left out, e.g. where ratings and rankings share a store."""
    records = open_store(measured_store).records()
    lacking = [
        key
        for key, record in records.items()
        if key.startswith("eval/") and record["label"] == "HR@3" and record["dataset"].startswith("held")
    ]
    for key in lacking:
        del records[key]
    monkeypatch.setattr(command, "measured", lambda _: Measured(measured_store, records))
    for told in (compare("--metric", "HR@3"), compare(*pair, "--metric", "HR@3")):
        assert "crossed" in told
        assert "held" not in told
    for key, record in [*records.items()]:
        if key.startswith("eval/") and record["label"] == "HR@10" and record["algorithm"] == pair[0]:
            del records[key]
    assert "have no such metric in common" in compare(*pair, "--metric", "HR@10", ends=2)


def test_json_has_no_infinity() -> None:
    """What JSON cannot say is null, wherever it stands."""
    assert jsonable({"a": [math.inf, (math.nan, 1.0)], "b": "inf"}) == {"a": [None, [None, 1.0]], "b": "inf"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("one",), "'one': two configurations can be compared, or all"),
        (("one", "two", "three"), "'one', 'two', 'three': two configurations can be compared, or all"),
        (("--alpha", "2"), "alpha is 2.0"),
        (("--dataset", "nowhere"), "there is no dataset 'nowhere'"),
        (("--metric", "MAP@5"), "'MAP@5' was not measured on crossed-"),
        (("one", "two"), "'one': there is no such configuration"),
        (("--store", "/nowhere"), "there are no checkpoints in '/nowhere'"),
    ],
)
def test_what_cannot_be_compared_is_an_error(compare: Command, arguments: tuple[str, ...], message: str) -> None:
    """Exit status 2 and one sentence."""
    told = compare(*arguments, ends=2)
    assert told.startswith("omnibench: ")
    assert message in told
    assert told.count("\n") == 1

"""Benchmarks with several seeds: items, fits, tables, what is found equal, and the commands that select a seed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support.projects import Project

from omnibench import open_store
from omnibench.commands.main import main

ALGORITHMS = '''
import numpy as np
from own_algorithms import Popular


class Settled(Popular):
    """Says that its seed changes nothing."""

    deterministic = True


class Silent(Popular):
    """Ignores its seed, and says nothing."""


class Drawn(Popular):
    """Draws the order of items."""

    def __init__(self, seed=None):
        self.seed = seed

    def fit(self, train):
        super().fit(train)
        self.items = np.random.default_rng(self.seed).permutation(self.items).tolist()
'''

BENCH = """
import numpy as np
import pandas as pd
from omnibench import *
from seeded import *

rng = np.random.default_rng(7)
frame = pd.DataFrame({{"user": rng.integers(0, 30, 1200), "item": (rng.pareto(1.0, 1200) * 8).astype(int) % 60}})
data = from_frame(frame.drop_duplicates(), "tiny").pipe(CorePruning(4), UserCrossValidation(2))
plan = ExperimentPlan("tests")
for algorithm in ({algorithms},):
    plan.add_algorithm(algorithm)

@benchmark(data, plan, Evaluator(NDCG(10), ItemCoverage(10)){seeds})
def bench_tiny(result):
    ...
"""


@pytest.fixture
def seeded(project: Project, monkeypatch: pytest.MonkeyPatch) -> Callable[..., pytest.RunResult]:
    """Write a bench file of some algorithms and seeds, and run it."""
    monkeypatch.setenv("COUNT_FITS_IN", str(project.fits))
    project.pytester.makepyfile(seeded=ALGORITHMS)

    def run(algorithms: str, seeds: str, *arguments: str) -> pytest.RunResult:
        declared = f", seeds={seeds}" if seeds else ""
        project.pytester.makepyfile(bench_tiny=BENCH.format(algorithms=algorithms, seeds=declared))
        return project.run(*arguments)

    return run


def counts(result: pytest.RunResult) -> dict[str, int]:
    return result.parse_summary_nouns(result.stdout.lines)


def rows(result: pytest.RunResult, first: str, last: str) -> list[list[str]]:
    """Return the words of the table's lines from that of an algorithm to the next blank line."""
    lines = [line.strip() for line in result.stdout.lines]
    start = next(place for place, line in enumerate(lines) if re.match(rf"{first}\s", line))
    end = next(place for place in range(start, len(lines)) if lines[place].startswith(last))
    return [line.split() for line in lines[start : end + 1]]


@pytest.mark.parametrize("workers", ["0", pytest.param("1", marks=pytest.mark.slow)])
def test_every_seed_is_an_item(project: Project, seeded: Callable[..., pytest.RunResult], workers: str) -> None:
    """What is deterministic is fitted once; each seed has a row, mean and deviation are over folds and seeds."""
    result = seeded("Settled, Drawn", "3", "-n", workers)
    assert counts(result) == {"passed": 2 + 2 * 3}
    assert project.count_fits() == 8
    drawn = rows(result, "Drawn", "std")
    values = [float(row[-2].strip("*~")) for row in drawn]
    assert [row[-3] for row in drawn] == ["42", "43", "44", "42", "43", "44", "mean", "std"]
    assert len(set(values[:6])) > 1
    assert values[6] == pytest.approx(sum(values[:6]) / 6, abs=1e-4)
    assert values[7] == pytest.approx(pd.Series(values[:6]).std(), abs=1e-4)
    assert [row[-3] for row in rows(result, "Settled", "std")] == ["once", "once", "mean", "std"]
    result.stdout.fnmatch_lines(["*std is over folds and seeds, n - 1", "  deterministic: fitted once (Settled)"])
    again = seeded("Settled, Drawn", "3", "-n", workers)
    assert counts(again) == {"cached": 8}
    assert rows(again, "Drawn", "std") == drawn
    assert project.count_fits() == 8


def test_what_two_seeds_made_alike_is_not_fitted_again(
    project: Project, seeded: Callable[..., pytest.RunResult]
) -> None:
    """Of a class that says nothing two seeds are fitted; the others take over their predictions, and count once."""
    result = seeded("Silent", "5", "-p", "no:randomly", "-rA")
    assert counts(result) == {"passed": 4, "equal": 6}
    assert project.count_fits() == 4
    assert [row[-3] for row in rows(result, "Silent", "std")] == ["once", "once", "mean", "std"]
    result.stdout.fnmatch_lines(["  deterministic: seeds made equal predictions, which count once (Silent)"])
    store = open_store(project.pytester.path / "checkpoints")
    by_seed: dict[int, set[float]] = {}
    for item in store.items_in(store.records()).values():
        by_seed.setdefault(item["seed"], set()).add(item["metrics"]["NDCG@10"]["value"])
    assert sorted(by_seed) == [42, 43, 44, 45, 46]
    assert all(values == by_seed[42] for values in by_seed.values())
    cached = seeded("Silent", "5", "-n", "1")
    assert counts(cached) == {"cached": 10}
    cached.stdout.fnmatch_lines(["  deterministic: seeds made equal predictions, which count once (Silent)"])


def test_seeds_are_added_to_what_one_seed_has_left(seeded: Callable[..., pytest.RunResult]) -> None:
    """The first seed keeps its key, so it is cached, and is then called by its seed; without seeds it is as before."""
    assert counts(seeded("Drawn", "")) == {"passed": 2}
    assert not re.search(r"Seed|seed_\d", "".join(seeded("Drawn", "").stdout.lines))
    grown = seeded("Drawn", "2")
    assert counts(grown) == {"cached": 2, "passed": 2}
    assert [row[-3] for row in rows(grown, "Drawn", "std")] == ["42", "43", "42", "43", "mean", "std"]
    assert counts(seeded("Drawn", "[43, 50]")) == {"cached": 2, "passed": 2}
    back = seeded("Drawn", "")
    assert counts(back) == {"cached": 2}
    assert [row[-3] for row in rows(back, "Drawn", "std")] == ["0", "1", "mean", "std"]


def test_seeds_that_are_none_are_an_item_that_fails(seeded: Callable[..., pytest.RunResult]) -> None:
    """It says what to write, and nothing is computed."""
    refused = seeded("Drawn", "[7, 7]")
    assert counts(refused) == {"failed": 1}
    refused.stdout.fnmatch_lines(["*PlanError: seeds has 7 twice; give each seed once."])


def test_commands_select_a_seed(
    project: Project,
    seeded: Callable[..., pytest.RunResult],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`show`, `reset` and `export` know an item by its seed; `compare` and exports have all seeds as one configuration."""
    seeded("Settled, Silent, Drawn", "3", "-p", "no:randomly")
    monkeypatch.chdir(project.pytester.path)

    def said(*arguments: str) -> str:
        assert main(list(arguments)) == 0
        return capsys.readouterr().out

    assert "seed 43," in said("show", "Drawn/fold_0/seed_43")
    assert "not fitted, because two seeds have made equal predictions" in said("show", "tiny/Silent/fold_1/seed_44")
    assert "fitted once for 3 seeds" in said("show", "Settled/fold_0")
    status = said("status")
    assert "fitted once, for several seeds: 2 items of Settled" in status
    assert "equal predictions with another seed: 4 items of Silent" in status

    compared = said("compare", "--metric", "NDCG@10")
    assert {"Drawn (3 seeds)", "Silent (deterministic)", "Settled (deterministic)"} <= set(
        re.findall(r"\w+ \([^)]*\)", compared)
    )
    assert "where the variance of a user's value comes from" in compared
    for first, second in (("Drawn/seed_42", "Drawn/seed_44"), ("Drawn/seed_42", "Silent"), ("Silent", "Drawn/seed_44")):
        pair = said("compare", first, second, "--metric", "NDCG@10", "--test", "randomisation")
        assert "seed 4" in pair.splitlines()[0]
        assert "significant" in pair or "is better" in pair  # there is a verdict, of one model of each
        assert "of these fitted models; other seeds may differ" in pair
        assert "With several seeds" not in pair
    settled = said("compare", "Settled", "Silent")
    assert "of these fitted models" not in settled
    assert "one seed of the first tells nothing" in said("compare", "Drawn/seed_42", "Drawn")
    assert "\nTest over users and seeds; p (Holm) is corrected over 2" in said("compare", "Drawn", "Silent")
    standing = json.loads(said("compare", "--metric", "NDCG@10", "--json"))
    (first,) = standing if isinstance(standing, list) else standing["standings"]
    assert sorted(len(members) for members in first["members"].values()) == [1, 3, 3]
    assert [sorted(parts) for parts in first["variances"].values()] == [["fold", "residual", "seed", "user"]]

    said("export", *(f"x.{ending}" for ending in ("csv", "json", "md", "tex", "html")))
    _exports_say_the_seeds(project.pytester.path)

    said("export", "one.csv", "--algorithm", "Drawn/seed_43")
    assert set(pd.read_csv("one.csv")["seed"]) == {43}
    assert "2 items were reset" in said("reset", "Drawn/seed_43")
    assert counts(seeded("Settled, Silent, Drawn", "3")) == {"passed": 2, "cached": 12}


def _exports_say_the_seeds(directory: Path) -> None:
    frame = pd.read_csv(directory / "x.csv")
    ranking = frame[frame["metric"] == "NDCG@10"]
    for algorithm, seeds, names in (("Drawn", 3, 6), ("Silent", 3, 2), ("Settled", 1, 2)):
        own = ranking[ranking["algorithm"] == algorithm]
        counted = own.drop_duplicates("fold") if names == 2 else own
        assert own["seeds"].tolist() == [seeds] * len(own)
        assert own["mean"].to_numpy() == pytest.approx(counted["value"].mean())
        assert own["std"].to_numpy() == pytest.approx(counted["value"].std())
        assert own["seed_variance"].notna().all() == (algorithm == "Drawn")
        assert own["seed"].tolist() == sorted(own["seed"])
    assert frame.loc[frame["metric"] == "ItemCoverage@10", "user_variance"].isna().all()
    nested: dict[str, Any] = json.loads((directory / "x.json").read_text())
    configurations = nested["datasets"][0]["configurations"]
    assert [(each["label"], each["seed"]) for each in configurations] == [
        *(("Drawn", seed) for seed in (42, 43, 44)),
        ("Settled", 42),
        *(("Silent", seed) for seed in (42, 43, 44)),
    ]
    drawn = configurations[0]
    assert drawn["summary"]["NDCG@10"]["mean"] == pytest.approx(
        ranking.loc[ranking["algorithm"] == "Drawn", "value"].mean()
    )
    for ending in ("md", "tex", "html"):
        text = (directory / f"x.{ending}").read_text()
        assert "Where the variance of a user" in text
        assert "over folds and seeds" in text
        assert "Deterministic: fitted once (Settled)" in text
    (drawn_row,) = re.findall(r"^\| Drawn \| 3 \| .* \|$", (directory / "x.md").read_text(), re.MULTILINE)
    assert drawn_row.count("±") == 2
    assert re.search(r"^\| Settled \| once \|", (directory / "x.md").read_text(), re.MULTILINE)
    assert "Drawn & 3 &" in (directory / "x.tex").read_text()
    assert "fold 1, seed 44" in (directory / "x.html").read_text()

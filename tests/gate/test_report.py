"""What a gate prints."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from omnibench.gate.report import lines
from omnibench.gate.verdicts import Gate, Verdict


def verdict(metric: str, result: str, change: float | None, **more: Any) -> Verdict:
    fields = {
        "dataset": "shop-aaaaaaaa",
        "algorithm": "Mine-22222222",
        "metric": metric,
        "verdict": result,
        "then": "Mine-11111111",
        "baseline": 0.5,
        "now": 0.5 + (change or 0) / 2,
        "change": change,
        "interval": None if change is None else (change - 0.01, change + 0.01),
        "p": 0.00002 if result == "worse" else 0.03,
        "pairs": 943,
        "units": "users",
        "folds": 5,
    }
    return Verdict(**{**fields, **more})


VERDICTS = (
    verdict("HR@10", "worse", -0.02, p=0.0123),
    verdict("NDCG@10", "worse", -0.1),
    verdict("NDCG@20", "tolerated", -0.005),
    verdict("Gini@10", "undecided", 0.4, p=None, interval=None, pairs=1, units="folds", reason="too few folds to say"),
    verdict("Novelty@10", "improved", 0.03),
    verdict("MRR@10", "same", 0.0, p=1.0, pairs=0, then="Mine-22222222", interval=None),
)


def gate(*verdicts: Verdict, **more: Any) -> Gate:
    return Gate("b.parquet", "of 2026-11-21", 0.01, 0.05, verdicts, **{"tested": 4, **more})


def printed(judged: Gate, width: int = 80, verbosity: int = 0) -> list[str]:
    return [line.text for line in lines(judged, width, verbosity=verbosity)]


def test_what_is_worse_comes_first() -> None:
    """What is worse comes first, the largest change on top; then the other verdicts, notes, counts, and the outcome."""
    judged = gate(*VERDICTS, problems=("a problem",), notes=("a note",))
    assert printed(judged) == [
        "worse:",
        "  shop-aaaaaaaa/Mine-22222222 (was Mine-11111111)",
        "    NDCG@10  0.5000 -> 0.4500  -10.00 %  (-11.00 to -9.00)  943 users  p <0.0001",
        "    HR@10    0.5000 -> 0.4900   -2.00 %   (-3.00 to -1.00)  943 users  p 0.0123",
        "a problem",
        "worse, but not significantly by more than the 1 % that are accepted:",
        "  shop-aaaaaaaa/Mine-22222222 (was Mine-11111111)",
        "    NDCG@20  0.5000 -> 0.4975  -0.50 %  (-1.50 to +0.50)  943 users  p 0.0300",
        "undecided:",
        "  shop-aaaaaaaa/Mine-22222222 (was Mine-11111111)",
        "    Gini@10  0.5000 -> 0.7000  +40.00 %    1 fold  too few folds to say",
        "improved:",
        "  shop-aaaaaaaa/Mine-22222222 (was Mine-11111111)",
        "    Novelty@10  0.5000 -> 0.5150  +3.00 %  (+2.00 to +4.00)  943 users  p 0.0300",
        "a note",
        "6 comparisons: 2 worse, 1 tolerated, 1 improved, 1 same, 1 undecided; p is",
        "    one-sided, Holm-corrected over the 4 in which anything differs",
        "gate failed (baseline of 2026-11-21)",
    ]


def test_quiet_is_what_fails_and_the_verdict() -> None:
    """`-q` prints the problems and the outcome; of a gate that passes, the outcome alone."""
    quiet = printed(gate(*VERDICTS, problems=("a problem",), notes=("a note",)), verbosity=-1)
    assert quiet == [*printed(gate(*VERDICTS, problems=("a problem",)))[:5], "gate failed (baseline of 2026-11-21)"]
    assert printed(gate(*VERDICTS[2:]), verbosity=-2) == ["gate passed (baseline of 2026-11-21)"]


def test_verbose_is_everything() -> None:
    """`-v` also prints what has not changed, and whole lists that are otherwise cut short."""
    many = [verdict(f"NDCG@{number}", "improved", number / 100) for number in range(30)]
    assert "    MRR@10  0.5000 -> 0.5000  +0.00 %    unchanged  p 1.0000" in printed(gate(*VERDICTS), verbosity=1)
    short, whole = printed(gate(*many)), printed(gate(*many), verbosity=1)
    assert short[1 + 1 + 20] == "  ... and 10 more, with smaller changes; `-v` shows all"
    assert sum(" -> " in line for line in whole) == 30


@pytest.mark.parametrize("width", [60, 80, 100])
def test_nothing_is_wider_than_the_terminal(width: int) -> None:
    """A long label has a line of its own, a long sentence several."""
    labels = [verdict(f"PopularityStratifiedRecall@{k}", "worse", -0.1, interval=None) for k in (5, 10)]
    text_lines = printed(gate(*labels, problems=("one word after the other " * 10,)), width)
    assert max(len(line) for line in text_lines) <= width
    assert ("    PopularityStratifiedRecall@10" in text_lines) == (width < 100)


def test_colours_say_what_is_good() -> None:
    """Red is what fails, green what is better."""
    colours = {line.text: line.colour for line in lines(gate(*VERDICTS, problems=("a problem",)))}
    assert [colours[text] for text in ("worse:", "a problem", "improved:")] == ["red", "red", "green"]
    assert colours["gate failed (baseline of 2026-11-21)"] == "red"
    assert [line.colour for line in lines(gate())][-1] == "green"


def test_configurations_are_called_by_their_hyperparameters() -> None:
    """Only another hyperparameter is said; where a label is that of two configurations, as with two seeds, their names are."""
    first = replace(verdict("NDCG@10", "worse", -0.1), label="shop/Mine(k=2)", then_label="shop/Mine(k=2)")
    assert "  shop/Mine(k=2)" in printed(gate(first))
    assert "  shop/Mine(k=2) (was shop/Mine(k=1))" in printed(gate(replace(first, then_label="shop/Mine(k=1)")))
    other_seed = replace(first, algorithm="Mine-33333333")
    assert [line for line in printed(gate(first, other_seed)) if "Mine" in line] == [
        "  shop-aaaaaaaa/Mine-22222222 (was Mine-11111111)",
        "  shop-aaaaaaaa/Mine-33333333 (was Mine-11111111)",
    ]

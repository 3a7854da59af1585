"""What stands below tables about tuned rows: chosen values per fold, budgets that differ, edges, other folds."""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import Any

import pytest

from omnibench.results import Result
from omnibench.tables.choices import choice_notes, choice_text
from omnibench.tables.layout import FOLDS, Layout, tables
from omnibench.tuning.budget import Tuning


def tuned(name: str, fold: int | None, parameters: dict[str, Any], value: float = 0.5, **chosen: Any) -> Result:
    choice = {
        "number": 1,
        "parameters": parameters,
        "value": 0.25,
        "metric": "NDCG@10",
        "trials": 30,
        "budget": {"trials": 30, "seconds": None},
        "edges": [],
        "override": False,
        "per_fold": True,
        **chosen,
    }
    return Result(
        "D-01234567",
        f"{name}-{zlib.crc32(name.encode()):08x}",
        f"{name} (tuned)",
        fold,
        {"NDCG@10": value},
        tuned=True,
        chosen=choice,
    )


def notes(*results: Result, detail: str = FOLDS) -> list[str]:
    (table,) = tables(results, Layout(detail=detail))
    return [note.strip() for note in table.notes]


@pytest.mark.parametrize("detail", [FOLDS, "mean"])
def test_a_tuned_row_says_what_was_chosen_in_each_fold(detail: str) -> None:
    """One row whose label says that it is tuned; its footer has the values per fold, and the effort."""
    rows = [tuned("RecPack.EASE", fold, {"l2": 512.34 + fold}) for fold in range(2)]
    (table,) = tables(rows, Layout(detail=detail))
    assert str(table.sections[0][0][0]) == "RecPack.EASE (tuned)"
    assert (
        "RecPack.EASE (tuned): l2=512.3 in fold 0, l2=513.3 in fold 1; 30 trials each, by NDCG@10 on validation data"
    ) in notes(*rows, detail=detail)


def test_equal_choices_are_said_once() -> None:
    """Folds that agree need no list; a single split has no folds; what the plan gives is not what was chosen."""
    rows = [tuned("EASE", fold, {"l2": 7, "solver": "als"}) for fold in range(3)]
    assert choice_text(rows).startswith("l2=7, solver=als everywhere; 30 trials each")
    assert choice_text([tuned("EASE", None, {})]) == "the defaults; 30 trials, by NDCG@10 on validation data"
    named = tuned("EASE", None, {}, defaults={"l2": 1000.0, "mode": "a"})
    assert choice_text([named]).startswith("the defaults (l2=1000, mode=a); 30 trials")
    fixed = Result("D", "E-1", "E (tuned, K=3)", None, {}, parameters={"K": 3}, tuned=True, chosen=rows[0].chosen)
    assert "K" not in choice_text([fixed])
    mixed = [*rows[:2], tuned("EASE", 2, {"l2": 8, "solver": "als"}, trials=12)]
    assert choice_text(mixed).startswith(
        "l2=7, solver=als in fold 0, fold 1, l2=8, solver=als in fold 2; 12 to 30 trials"
    )


def test_budgets_that_differ_are_told() -> None:
    """Unequal effort makes any algorithm the winner; equal budgets are not worth a line."""
    equal = [tuned("A", 0, {"x": 1}), tuned("B", 0, {"x": 1})]
    assert not any("budgets differ" in note for note in notes(*equal))
    more = tuned("B", 0, {"x": 1}, budget={"trials": 60, "seconds": 9.5}, override=True)
    (line,) = [note for note in notes(equal[0], more) if "budgets differ" in note]
    assert line.startswith("budgets differ: A (tuned) 30 trials, B (tuned) 60 trials or 9.5 s (overrides the plan's);")


@pytest.mark.parametrize(
    ("folds", "choice", "effort"),
    [
        (1, {"trials": 3, "failed": 2}, "3 trials (2 failed)"),
        (1, {"trials": 9, "failed": 1, "pruned": 5}, "9 trials (5 pruned, 1 failed)"),
        (3, {"trials": 9, "pruned": 5}, "9 trials each (15 pruned in all)"),
        (3, {"trials": 3, "per_fold": False, "failed": 1}, "3 trials once, on the first fold (1 failed)"),
        (3, {"trials": 4, "budget": {"trials": None, "seconds": 1.5}}, "1.5 s each (4 trials)"),
        (1, {"trials": 1, "budget": {"trials": None, "seconds": 20}}, "20 s (1 trial)"),
        (2, {"trials": 12, "budget": {"trials": None, "seconds": None}}, "the whole grid each (12 trials)"),
    ],
)
def test_the_effort_is_what_was_spent(folds: int, choice: dict[str, Any], effort: str) -> None:
    """Trials that came to nothing, a limit of seconds, and that one search was made for all folds."""
    rows = [tuned("A", fold if folds > 1 else None, {"x": 1}, **choice) for fold in range(folds)]
    assert f"; {effort}, by NDCG@10" in choice_text(rows)


def test_defaults_that_nothing_competes_with_are_told() -> None:
    """Where all other trials came to nothing, nothing was tuned."""
    lost = tuned("A", 0, {}, number=0, trials=3, failed=2, budget={"trials": 3, "seconds": None})
    fine = tuned("A", 1, {"x": 2}, trials=3, budget={"trials": 3, "seconds": None})
    wanted = "A (tuned): in fold 0 only the defaults have a value, so nothing was tuned: of 3 trials 2 failed"
    assert wanted in notes(lost, fine)
    assert not any("only the defaults" in note for note in notes(tuned("A", 0, {}, number=0, trials=3, failed=1)))


def test_what_was_tuned_by_other_metrics_or_means_is_told() -> None:
    """Equal numbers of trials are not equal effort, nor are choices by different metrics alike."""
    rows = [tuned("A", 0, {"x": 1}), tuned("B", 0, {"x": 1}, metric="Recall@10")]
    assert (
        "tuned by different metrics: A (tuned) NDCG@10, B (tuned) Recall@10; each is chosen for something else"
        in notes(*rows)
    )
    means = [Tuning("NDCG@10", trials=3), Tuning("NDCG@10", trials=3, sampler="random", pruner="halving")]
    a, b = (tuned(name, 0, {"x": 1}, tuning=mean.identity) for name, mean in zip("AB", means, strict=True))
    (line,) = [note for note in notes(a, b) if "different" in note]
    assert line.startswith("tuned by different means: A (tuned) (tpe, no pruner), B (tuned) (random, halving);")
    assert not any(
        "different" in note for note in notes(a, tuned("B", 0, {"x": 1}, tuning=a.chosen and a.chosen["tuning"]))
    )


def test_seeds_share_what_was_chosen() -> None:
    """One search serves all seeds of a fold: its choice is said once per fold."""
    seeded = [
        replace(tuned("A", fold, {"x": fold + 1}), seed=seed, seedless_key="A", seeds=2)
        for fold in (0, 1)
        for seed in (42, 43)
    ]
    assert choice_text(seeded).startswith("x=1 in fold 0, x=2 in fold 1; 30 trials each,")
    other = replace(seeded[1], chosen=tuned("A", 0, {"x": 9}).chosen)
    assert choice_text([seeded[0], other, *seeded[2:]]).startswith("x=1 in fold 0 seed 42, x=9 in fold 0 seed 43")


def test_edges_other_folds_and_short_searches_are_told() -> None:
    """Where the best value lies at an edge, where folds share a choice, where fewer trials were made than asked for."""
    at_edge: dict[str, Any] = {"edges": [["l2", 10000.0, "high"]]}
    rows = [tuned("A", 0, {"l2": 10000.0}, **at_edge), tuned("A", 1, {"l2": 5.0})]
    assert "A (tuned): in fold 0 l2 = 10000 lies at the upper edge of its range: widen it" in notes(*rows)
    both = [tuned("A", fold, {"l2": 9000.0 + fold}, edges=[["l2", 9000.0 + fold, "high"]]) for fold in range(2)]
    assert "A (tuned): l2 = 9000, 9001 lies at the upper edge of its range: widen it" in notes(*both)
    shared = [tuned("A", fold, {"l2": 5.0}, per_fold=False) for fold in range(2)]
    assert any("test interactions of the other folds took part" in note for note in notes(*shared))
    short = tuned("A", None, {"l2": 1}, trials=12, budget={"trials": 30, "seconds": 60})
    assert any("its 60 s were spent after 12 of 30 trials" in note for note in notes(short))
    grid = tuned("A", None, {"l2": 1}, trials=12, budget={"trials": 30, "seconds": None})
    assert any("no more than 12 points" in note for note in notes(grid))


def test_a_tuned_row_stands_beside_plain_ones() -> None:
    """The algorithm with given hyperparameters keeps its label and its legend, and nothing is said of a plain row."""
    plain = Result("D-01234567", "RecPack.EASE-1", "RecPack.EASE(l2=500)", 0, {"NDCG@10": 0.1}, parameters={"l2": 500})
    (table,) = tables([plain, tuned("RecPack.EASE", 0, {"l2": 7})], Layout())
    labels = (
        [str(section[0][0]) for section in table.sections]
        if len(table.sections) > 1
        else [str(row[0]) for row in table.sections[0]]
    )
    assert labels == ["RecPack.EASE", "RecPack.EASE (tuned)"]
    assert "RecPack.EASE: l2=500" in table.notes
    assert not any(note.strip().endswith(": tuned") for note in table.notes)
    assert list(choice_notes({"RecPack.EASE": [plain]})) == []


def test_a_tuned_row_without_a_record_says_nothing() -> None:
    """What was chosen is not known where no store can be read; the table is shown all the same."""
    row = Result("D-01234567", "A-1", "A (tuned)", None, {"NDCG@10": 0.1}, tuned=True)
    (table,) = tables([row], Layout())
    assert str(table.sections[0][0][0]) == "A (tuned)"
    assert not any("validation" in note for note in table.notes)


def test_values_that_a_terminal_obeys_are_spelled_out() -> None:
    """Hyperparameters and labels of metrics may be anybody's."""
    evil = tuned("A", None, {"\x1b[2J": "\x1b]0;x\x07"}, metric="\x1b[8m", edges=[["\x1b[1m", 1, "low"]])
    (table,) = tables([evil], Layout())
    assert "\x1b" not in "".join(table.notes)

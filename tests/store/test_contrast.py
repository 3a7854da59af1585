"""What two items do not share, of facts that are made up."""

from __future__ import annotations

import copy
from typing import Any

from omnibench.store.contrast import Difference, contrast

RUN = {"user": "ann", "platform": "Linux", "cores": 8, "cwd": "/home/ann", "command": ["pytest"], "git": None}


def facts(**algorithm: Any) -> dict[str, Any]:
    """The facts about an item that is done."""
    circumstances = {**RUN, "host": "lab", "versions": {"numpy": "2.0", "python": "3.11"}}
    costs = {"seconds": 2.0, "peak_rss": 100 * 2**20, "finished": "2026-01-01T00:00:00Z"}
    computed = {
        "Fit": {**circumstances, "threads": 2},
        "Predict": {**circumstances, "threads": 2},
        "Eval": circumstances,
    }
    return {
        "item": "tiny/Knn/fold_0",
        "title": "tiny/Knn(k=5)/fold_0",
        "status": "done",
        "dataset": {
            "key": "d" * 64,
            "recipe": {"source": ["table", "a" * 64], "steps": [["MakeImplicit", 1, {"threshold": 3}]], "seed": 42},
            "digests": {"test": "b" * 64},
        },
        "fold": 0,
        "algorithm": {
            "name": "Knn",
            "words": "Knn(k=5)",
            "parameters": {"k": 5},
            "effective": {"k": 5, "shrink": 1},
            "seed": 42,
            **algorithm,
        },
        "metrics": {"NDCG@10": 0.25, "HR@10": 0.5},
        "predictions": "c" * 64,
        "phases": {name: {**costs, "circumstances": where} for name, where in computed.items()},
    }


def test_equal_items_differ_in_nothing() -> None:
    """Metrics that are the same to the last digit are listed."""
    same = contrast(facts(), facts())
    assert (same.keys, same.circumstances, same.numbers, same.equal) == ((), (), (), ("NDCG@10", "HR@10"))
    assert "Nothing differs in what their keys are made of." in same.lines()


def test_parts_of_keys_are_named_one_by_one() -> None:
    """Hyperparameters, versions, and single parameters of the recipe."""
    other = facts(parameters={"k": 9, "depth": 2}, version="2.0")
    other["dataset"]["recipe"] = copy.deepcopy(other["dataset"]["recipe"])
    other["dataset"]["recipe"]["steps"][0][2]["threshold"] = 4
    assert contrast(facts(version="1.0"), other).keys == (
        Difference("dataset.steps[0].threshold", 3, 4),
        Difference("parameters.k", 5, 9),
        Difference("parameters.depth", None, 2),
        Difference("version", "1.0", "2.0"),
    )


def test_recipes_of_different_lengths_are_told_in_words() -> None:
    """A step more is not a difference in every step behind it."""
    other = facts()
    recipe = other["dataset"]["recipe"]
    other["dataset"]["recipe"] = {**recipe, "steps": [*recipe["steps"], ["CorePruning", 1, {"core": 5}]]}
    (difference,) = contrast(facts(), other).keys
    assert difference == Difference("dataset.steps", "MakeImplicit(3)", "MakeImplicit(3), CorePruning(5)")


def test_circumstances_are_told_once_where_all_phases_share_them() -> None:
    """Host and threads without a phase; what one phase alone has, with its name."""
    other = facts()
    for phase in other["phases"].values():
        phase["circumstances"] = {**phase["circumstances"], "host": "cluster"}
    for name in ("Fit", "Predict"):
        other["phases"][name]["circumstances"]["threads"] = 16
    other["phases"]["Eval"]["circumstances"]["versions"] = {"numpy": "2.1", "python": "3.11"}
    other["dataset"]["digests"] = {"test": "e" * 64}
    other["algorithm"]["effective"] = {"k": 5, "shrink": 2}
    assert contrast(facts(), other).circumstances == (
        Difference("host", "lab", "cluster"),
        Difference("threads", 2, 16),
        Difference("Eval.versions.numpy", "2.0", "2.1"),
        Difference("data.test", "b" * 64, "e" * 64),
        Difference("effective.shrink", 1, 2),
    )


def test_files_of_data_are_compared_where_both_items_have_them() -> None:
    """Another release may have written the same data as other files; what is evaluated has a digest in all of them."""
    earlier, other = facts(), facts()
    earlier["dataset"]["digests"] = {"interactions": "a" * 64, "test": "b" * 64, "evaluated": "c" * 64}
    other["dataset"]["digests"] = {"shared": "d" * 64, "parts": "e" * 64, "evaluated": "c" * 64}
    assert contrast(earlier, other).circumstances == ()
    other["dataset"]["digests"]["evaluated"] = "f" * 64
    assert contrast(earlier, other).circumstances == (Difference("data.evaluated", "c" * 64, "f" * 64),)


def test_numbers_are_told_with_their_difference() -> None:
    """Metrics and costs; people get rounded numbers, MiB, short digests, and what is missing in words."""
    other = facts()
    other["metrics"] = {"NDCG@10": 0.3, "HR@10": 0.5, "MRR@10": 0.1}
    other["phases"]["Fit"] = {**other["phases"]["Fit"], "seconds": 3.0, "peak_rss": 200 * 2**20}
    other["predictions"] = "f" * 64
    found = contrast(facts(), other)
    assert found.metrics == (Difference("metrics.NDCG@10", 0.25, 0.3), Difference("metrics.MRR@10", None, 0.1))
    assert found.equal == ("HR@10",)
    lines = [" ".join(line.split()) for line in found.lines()]
    assert f'predictions "{"c" * 12}" -> "{"f" * 12}"' in lines
    assert "metrics.NDCG@10 0.25 -> 0.3 (+0.05)" in lines
    assert "metrics.MRR@10 (not there) -> 0.1" in lines
    assert "Fit.seconds 2 -> 3 (+1)" in lines
    assert "Fit.peak_rss 100 MiB -> 200 MiB" in lines
    assert "Equal to the last digit: HR@10" in lines

"""How much memory Fits need at four sizes of data, beside what is estimated for them before they run.

    python benchmarks/scale/memory.py [--frameworks LensKit RecPack RecBole] [--algorithms EASE ...] --raw FILE
    python benchmarks/scale/memory.py --fitted FILE [--write]

The first fits, each in a process of its own, and adds a line to FILE for each. The sizes differ in one thing at a time (items;
users and interactions), so that they tell the terms of a formula apart. The second finds the bytes per term, and prints what was
needed, what the formula says, and the quotient, which is to lie between 1/1.5 and 1.5; ``--write`` puts the formulas
into ``omnibench/runners/measured``, where estimates take them from. Which terms an algorithm has stands in ``memory_terms.py``, by
what it computes; those without any have what all of their framework have. Models of features get one of users and one of items, each
of twenty texts; others by ``--widths``. ``--validation 0.2`` has RecBole judge by a fifth of the data. Nothing is predicted. Each has one thread: on a busy machine those of PyTorch wait for each other for minutes.

Networks of sequences need most for what their layers return for a batch, and for scores of all items; both are told apart by
batches of two sizes: ``--sizes 300,1000,6000 300,6000,6100 --parameters '{"train_batch_size": 1024}'``, and ``300,1000,1500`` with
batches of 128.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
from memory_derived import DERIVED
from memory_settings import FEATURES, QUICK
from memory_terms import LEAST, SAME_WORK, SIMPLE, TERMS

from omnibench import (
    NDCG,
    RMSE,
    Coordinator,
    Evaluator,
    ExperimentPlan,
    RandomHoldout,
    from_frame,
    open_store,
)
from omnibench.data.data_size import COUNTS, DataSize
from omnibench.engine import phases
from omnibench.engine.policy import Policy
from omnibench.engine.requirements import size_in
from omnibench.runners.info import RunnerInfo, algorithm_info
from omnibench.runners.learned import learned_from
from omnibench.runners.registry import get_runner
from omnibench.runners.requirements import GUEST, grown_bytes, required

SIZES = ((3_000, 1_000, 100_000), (3_000, 4_000, 100_000), (30_000, 1_000, 1_000_000), (12_000, 6_000, 500_000))
"""Users, items and interactions."""

SPARSE = ((2_000, 1_000, 60_000), (60_000, 1_000, 120_000), (2_000, 30_000, 60_000))
"""The same with few interactions, for algorithms that take minutes per epoch: users and items are what is told apart."""

_COUNTED = (*COUNTS, "features", "validated", "longest_user", "longest_item")
"""What is kept of the record of the data."""

TELLING_INTERACTIONS = 300_000
"""So many have to be in the largest data, for Fits to tell what each of them needs."""


def interactions(users: int, items: int, rows: int) -> pd.DataFrame:
    """Return about as many interactions; each user has as many, and popular items have more of them than others."""
    random = np.random.default_rng(1)
    user = np.repeat(np.arange(users), rows // users)
    item = (items * random.random(len(user)) ** 2).astype(np.int64)
    item[:items] = random.permutation(items)
    rating = random.integers(1, 6, len(user))
    frame = pd.DataFrame({"user": user, "item": item, "rating": rating, "timestamp": np.arange(len(user))})
    return frame.drop_duplicates(["user", "item"], ignore_index=True)


def _letters(number: int) -> str:
    """Return a number in letters: Cornac takes digits out of texts before it counts their words."""
    return str(number).translate(str.maketrans("0123456789", "abcdefghij"))


def known_about(frame: pd.DataFrame, column: str, texts: int, numbers: int, lists: int) -> pd.DataFrame:
    """Return features of all users or items: one of some texts, and perhaps numbers, and lists of some texts.

    Args:
        frame: The interactions.
        column: ``user`` or ``item``.
        texts: How many different texts the one has.
        numbers: How many features are numbers; only items have them.
        lists: How many texts a list has, of as many different ones as ``texts``; 0 for no lists. Only items have them.
    """
    random, codes = np.random.default_rng(2), np.sort(frame[column].unique())
    known: dict[str, Any] = {column: codes}
    known[{"user": "group", "item": "kind"}[column]] = [f"text {code % texts}" for code in codes]
    if column == "item":
        known |= {f"number {number}": random.random(len(codes)) for number in range(numbers)}
        if lists:
            known["tags"] = [
                [f"tag{_letters(tag)}" for tag in row] for row in random.integers(0, texts, (len(codes), lists))
            ]
    return pd.DataFrame(known)


def peak_of_fit(
    framework: str,
    algorithm: str,
    frame: pd.DataFrame,
    timeout: float,
    parameters: dict[str, Any],
    widths: tuple[int, int, int] = (20, 0, 0),
    validation: float = 0.001,
) -> dict[str, Any]:
    """Return the record of a Fit in a process of its own; an empty one where it fails."""
    runner = get_runner(framework)
    described = algorithm_info(runner, algorithm)
    ranks = bool(described["ranking"])
    quick = {name: value for name, value in QUICK.items() if name in described["parameters"]}
    if "max_iter" in quick:
        quick.pop("epochs", None)  # LensKit takes either name of the same number, and refuses both
    features = {name: value for name, value in FEATURES.items() if name in described["parameters"]}
    known = {f"{column}s": known_about(frame, column, *widths) for column in ("user", "item") if features}
    of_items = [name for name in known["items"].columns if name != "item"] if known else []
    features |= {name: of_items for name in ("item_features", "selected_features") if name in features}
    dataset = from_frame(
        frame if not ranks else frame.drop(columns="rating"),
        name="Sized",
        users=known.get("users"),
        items=known.get("items"),
    )
    plan = ExperimentPlan("memory")
    plan.add_algorithm(f"{framework}.{algorithm}", {**quick, **features, **parameters})
    evaluator = Evaluator(NDCG(10) if ranks else RMSE())
    with tempfile.TemporaryDirectory() as folder:
        policy = Policy(keep_models="none", threads=1, timeout=timeout, device="cpu", snapshots="off", memory="ignore")
        failure = ""
        try:
            with (
                mock.patch.object(phases, "predict", side_effect=NotImplementedError("nothing is predicted here")),
                Coordinator(folder, policy=policy, notify=lambda _: None) as coordinator,
            ):
                coordinator.run([dataset.pipe(RandomHoldout(validation))], plan, evaluator, quiet=True)
        except Exception as error:  # there is one after each Fit
            failure = str(error).splitlines()[0][:200]
        records = open_store(folder).records()
        data = next(record for key, record in records.items() if key.startswith("data/"))
        fit = next((record for key, record in records.items() if key.startswith("fit/")), None)
        if fit is None:
            print(f"{framework}.{algorithm}: {failure}", file=sys.stderr)
            return {}
        counts: dict[str, Any] = {name: data[name] for name in _COUNTED if name in data}
        return {**counts, "peak": fit["peak_rss"], "parameters": fit["effective"]}


def size_of(row: dict[str, Any]) -> DataSize:
    """Return the size of the data of a measurement, with the features that the algorithm learned from."""
    size = size_in(row)
    assert size is not None, "it is a record of memory.py"
    return learned_from(size, algorithm_info(get_runner(row["framework"]), row["algorithm"]), row["parameters"])


def formula(rows: list[dict[str, Any]], terms: tuple[str, ...], base: dict[str, float]) -> dict[str, float]:
    """Return the bytes per term that come closest to what was needed, by quotients; none is negative.

    Of terms that do the same the first one stays: what only varies together was not told apart.

    Args:
        rows: What was measured.
        terms: The terms; one with a plus has the same bytes for each of its parts.
        base: What is needed anyway.
    """
    sizes = [size_of(row) for row in rows]
    peaks = np.array([row["peak"] for row in rows], dtype=float)
    rest = np.array(
        [row["peak"] - required(base, size, row["parameters"]).size for size, row in zip(sizes, rows, strict=True)]
    )
    units = np.array(
        [
            [
                1.0 if term == GUEST else grown_bytes(dict.fromkeys(term.split("+"), 1.0), size, row["parameters"])
                for term in terms
            ]
            for size, row in zip(sizes, rows, strict=True)
        ]
    )
    best, least = np.zeros(len(terms)), np.square(rest / peaks).sum()
    for number in sorted(range(1, 2 ** len(terms)), key=int.bit_count):
        chosen = [bool(number >> position & 1) for position in range(len(terms))]
        if sum(chosen) > len(rows):
            continue
        columns = units[:, chosen] / peaks[:, None]
        solution, *_ = np.linalg.lstsq(columns, rest / peaks, rcond=None)
        loss = np.square(columns @ solution - rest / peaks).sum()
        if (solution >= 0).all() and loss < 0.9 * least - 1e-5:
            least, best = loss, np.zeros(len(terms))
            best[chosen] = solution
    found: dict[str, float] = {}
    for term, value in zip(terms, best, strict=True):
        for part in term.split("+") if value else ():
            found[part] = float(f"{base.get(part, 0.0) + value:.3g}")
    return found


def _ordered(terms: tuple[str, ...], rows: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """Return the terms of an algorithm, first those that count where sizes do not tell them apart.

    A single size tells nothing apart: then what the algorithm computes counts. Of few interactions the framework's term stays:
    what they need is less than what Fits differ by for no reason, and would be gigabytes of large data.
    """
    if len(rows) == 1:
        return (*terms, GUEST)
    if max(row["interactions"] for row in rows) < TELLING_INTERACTIONS:
        return (GUEST, *terms)
    return (GUEST, *terms, "interactions")


def same_formula(algorithms: dict[str, Any], names: Sequence[str]) -> dict[str, float]:
    """Return the terms that some algorithms have together; of a term that several have, the most bytes.

    Args:
        algorithms: What was measured of the algorithms of a framework.
        names: The algorithms, with their framework.
    """
    formulas = [algorithms[name.split(".")[1]].get("memory", {}) for name in names]
    return {term: max(each.get(term, 0.0) for each in formulas) for each in formulas for term in each}


def _formulas(
    runner: RunnerInfo, algorithms: dict[str, list[dict[str, Any]]], of_all: dict[str, float]
) -> dict[str, dict[str, float]]:
    """Return the formulas of a framework's algorithms that were measured, and of those that do the same.

    Args:
        runner: The framework.
        algorithms: What was measured of each algorithm.
        of_all: What all of the framework need.
    """
    formulas: dict[str, dict[str, float]] = {}
    for name, rows in algorithms.items():
        if f"{runner.name}.{name}" in DERIVED:
            formulas[name] = DERIVED[f"{runner.name}.{name}"]
            continue
        terms, least = TERMS.get(f"{runner.name}.{name}", ()), LEAST.get(f"{runner.name}.{name}", {})
        formulas[name] = {**least, **(formula(rows, _ordered(terms, rows), {**of_all, **least}) if terms else {})}
    described = {**runner.catalogue["algorithms"], **{name: {"memory": formulas[name]} for name in formulas}}
    for name, others in SAME_WORK.items():
        if name.startswith(f"{runner.name}."):
            formulas[name.split(".")[1]] = same_formula(described, others)
    return formulas


def _compare(name: str, rows: list[dict[str, Any]], whole: dict[str, float]) -> None:
    """Print what Fits of an algorithm needed beside what its formula says."""
    for row in rows:
        size = size_of(row)
        estimate = required(whole, size, row["parameters"]).size
        quotient = row["peak"] / estimate
        print(
            f"{name:30} {size.users:7,} {size.items:6,} {size.interactions:10,} "
            f"{row['peak'] / 1e6:7.0f} MB {estimate / 1e6:7.0f} MB {quotient:5.2f}"
            f"{'' if 1 / 1.5 <= quotient <= 1.5 else '  off'}"
        )


def fit_formulas(path: Path, *, write: bool) -> None:
    """Find the formulas of all algorithms that were measured, print how close they come, and write them.

    Those of other algorithms stay as they are; so does what all of a framework need, unless its simplest were measured.
    """
    measured: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        measured.setdefault(row["framework"], {}).setdefault(row["algorithm"], []).append(row)
    for framework, algorithms in measured.items():
        runner = get_runner(framework)
        simple = [row for name in SIMPLE[framework] for row in algorithms.get(name, [])]
        if simple:
            guest = float(min(row["peak"] for row in simple) * 0.97)
            base = {GUEST: float(f"{guest:.3g}"), "interactions": 0.0}
            of_all = {**base, **formula(simple, ("interactions", "users"), base)}
        else:  # some algorithms were measured later than the others
            of_all = dict(runner.catalogue["memory"])
        formulas = _formulas(runner, algorithms, of_all)
        for name, rows in algorithms.items():
            _compare(f"{framework}.{name}", rows, {**of_all, **formulas[name]})
        if write:
            assert runner.measured_file is not None
            content = json.loads(runner.measured_file.read_text(encoding="utf-8"))
            for name, described in content["algorithms"].items():
                if name in algorithms:
                    described.pop("memory", None)
                if formulas.get(name):
                    described["memory"] = formulas[name]
            content = {
                "version": content["version"],
                "unknown": content["unknown"],
                "memory": of_all,
                "algorithms": content["algorithms"],
            }
            runner.measured_file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Print a line per Fit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--frameworks",
        nargs="+",
        default=["LensKit", "RecPack", "RecBole", "Implicit", "Cornac", "Surprise", "RecTools"],
    )
    parser.add_argument("--algorithms", nargs="+", help="all of the frameworks by default")
    parser.add_argument("--sparse", action="store_true", help="data of few interactions, for slow algorithms")
    parser.add_argument(
        "--sizes", nargs="+", metavar="USERS,ITEMS,ROWS", help="sizes of the data in place of those four"
    )
    parser.add_argument("--parameters", type=json.loads, default={}, metavar="JSON", help="hyperparameters of all Fits")
    parser.add_argument(
        "--widths",
        nargs=3,
        type=int,
        default=(20, 0, 0),
        metavar=("TEXTS", "NUMBERS", "LISTS"),
        help="different texts of users and of items, features of items that are numbers, and texts of an item's list (default: 20 0 0)",
    )
    parser.add_argument("--validation", type=float, default=0.001, help="share of the validation part (default: 0.001)")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds for a Fit (default: 120)")
    parser.add_argument("--raw", type=Path, help="a file to which each measurement is added, a line of JSON")
    parser.add_argument("--fitted", type=Path, help="find formulas for the measurements of this file, and fit nothing")
    parser.add_argument("--write", action="store_true", help="write the formulas where estimates take them from")
    arguments = parser.parse_args()
    if arguments.fitted:
        fit_formulas(arguments.fitted, write=arguments.write)
        return
    sizes: Sequence[tuple[int, ...]] = SPARSE if arguments.sparse else SIZES
    if arguments.sizes:
        sizes = [tuple(map(int, size.split(","))) for size in arguments.sizes]
    frames = [interactions(*size) for size in sizes]
    for framework in arguments.frameworks:
        for algorithm in arguments.algorithms or get_runner(framework).catalogue["algorithms"]:
            for size, frame in zip(sizes, frames, strict=True):
                more = tuple(arguments.widths), arguments.validation
                measured = peak_of_fit(framework, algorithm, frame, arguments.timeout, arguments.parameters, *more)
                if not measured:
                    break
                print(f"{framework}.{algorithm:22} {size}  {measured['peak'] / 1e6:8.0f} MB", flush=True)
                if arguments.raw:
                    with arguments.raw.open("a", encoding="utf-8") as file:
                        file.write(json.dumps({"framework": framework, "algorithm": algorithm, **measured}) + "\n")


if __name__ == "__main__":
    main()

"""Which kinds of values each hyperparameter refuses, found by Fits on a few interactions.

``python benchmarks/catalogue/refused_values.py --raw values.jsonl`` fits every algorithm of the catalogues with texts, None,
fractions, zero, negative numbers and so on, one hyperparameter at a time, and adds a line to the file for each of these kinds.
``--write`` puts the kinds of which every value that was tried ended in an error into ``omnibench/runners/measured``, as
``"refuses"``: a plan refuses these before anything runs. What was not tried, took longer than ``--limit``, or may depend on the data
(a value that is too large) is not among them. It takes an hour of one core.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from repeatability import answers_of_script

from omnibench import MakeImplicit, RecSysDataSet, UserHoldout, from_frame
from omnibench.data.prepare import prepare
from omnibench.runners.info import RunnerInfo, algorithm_info
from omnibench.runners.registry import get_runner
from omnibench.runners.thread_variables import thread_variables

TRIED = Path(__file__).with_name("tried_values.py")

INTERRUPTED = 75
"""The exit status with which ``tried_values.py`` asks for another process."""

TEXTS = ("five", "auto", "same")
"""Texts that are no numbers; some frameworks take words of their own beside numbers, such as ``auto``."""

FORMS = ("3", "P3D", "1998-03-01", "all", "0.5", "1,2")
"""Texts that say something where a hyperparameter is None by default, and may be anything: numbers, times, and lists of them."""

QUICK: dict[str, Any] = {
    **dict.fromkeys(("epochs", "max_epochs", "iterations", "n_epochs", "num_epochs", "model.iterations"), 1),
    **dict.fromkeys(("pretrain_epochs", "max_iter", "max_iters"), 1),
    "MAX_ITEM_LIST_LENGTH": 8,
    "critic_pretrain": {"pretrain_epochs": 1},
    "distillation": {"epochs": 1},
    "finetuning": {"epochs": 1},
}
FEATURES: dict[str, Any] = {
    "item_features": ["kind"],
    "user_features": ["group"],
    "selected_features": ["kind"],
    "item_attribute": "kind",
    "category_feature": "kind",
}
NEEDED: dict[str, dict[str, Any]] = {
    "LensKit.TimeBoundedPopScore": {"cutoff": "1970-01-01"},
    "LensKit.NMFScorer": {"embedding_size": 4},
    "LensKit.BiasedSVDScorer": {"embedding_size": 4},
    "RecPack.SVD": {"num_components": 4},
    "RecPack.SVDItemToItem": {"num_components": 4},
    "RecPack.ItemPNN": {"K": 5, "pdf": "softmax_empirical"},
    "RecBole.NCL": {"num_clusters": 5, "warm_up_step": 1},
    "RecBole.RaCT": {"metrics_k": 10},
    "Cornac.CTR": {"item_features": ["plot"]},
    "Cornac.HFT": {"item_features": ["plot"]},
}
"""What algorithms get that cannot learn from these data by their defaults."""

COMMON = {"RecBole": "BPR"}
"""The algorithm that stands for all that are trained in epochs by the same code of a framework: RecBole's trainer."""

EVALUATING = ("RecBole",)
"""What evaluates all texts, so that digits need not be tried."""

DOUBTFUL = (
    *("Ran out of input", "nan", "NaN", "sequence length", "input size", "out of range for", "list index out of range"),
    *(
        "Decay parameter",
        "multiple of the num",
        "divisible",
        "duplicate registrations",
        "has no attribute 'item_context'",
    ),
    *("variable 'kl_weight'", "`learning_rate` should be float", "Buffer dtype mismatch", "no attribute 'astype'"),
)
"""What errors have in them that other data, or other values of other hyperparameters, would not have made."""


def datasets() -> dict[str, RecSysDataSet]:
    """Sixty users and forty items with features, as rankers and as rating models see them."""
    random = np.random.default_rng(3)
    users, items = 60, 40
    user = np.repeat(np.arange(users), 14)
    item = np.concatenate([random.permutation(items)[:14] for _ in range(users)])
    frame = pd.DataFrame(
        {"user": user, "item": item, "rating": random.integers(1, 6, len(user)), "timestamp": np.arange(len(user))}
    )
    words = [f"word{number}" for number in range(30)]
    of_items = pd.DataFrame(
        {
            "item": np.arange(items),
            "kind": [f"kind {number % 5}" for number in range(items)],
            "plot": [" ".join(random.permutation(words)[:12]) for _ in range(items)],
        }
    )
    of_users = pd.DataFrame({"user": np.arange(users), "group": [f"group {number % 4}" for number in range(users)]})
    raw = from_frame(frame, name="Sixty", users=of_users, items=of_items)
    split = UserHoldout(0.2, 0.2)
    return {"ranking": raw.pipe(MakeImplicit(1), split), "ratings": raw.pipe(split)}


def prepare_all(scratch: Path) -> None:
    """Prepare the data sets, each in a folder of its name."""
    for name, dataset in datasets().items():
        folder = scratch / name
        folder.mkdir()
        prepare(dataset, folder)


def kinds_of(default: Any) -> dict[str, list[Any]]:
    """Return the values that are tried in the place of a default, by kind."""
    if isinstance(default, bool):
        return {"None": [None]}  # words beside them are known to the frameworks alone, e.g. LensKit's "prefer"
    if isinstance(default, int | float):
        kinds: dict[str, list[Any]] = {
            "text": [*TEXTS],
            "digits": [str(default)],
            "None": [None],
            "zero": [0],
            "negative": [-1, -3],
        }
        if isinstance(default, int):
            return {**kinds, "fraction": [2.5, 0.5, default + 0.5], "float": [3.0, float(default)]}
        return {**kinds, "negative": [-0.001, -0.5, -3.0], "above 1": [1.001, 1.5, 3]} if 0 <= default < 1 else kinds
    if isinstance(default, str):
        return {"number": [3, 0.5], "None": [None]}
    if default is None:
        return {"any text": [*TEXTS, *FORMS], "number": [1, 3, 0.5], "negative": [-1, -3, -0.5]}
    if isinstance(default, list):
        return {"number": [3, 0.5], "text": [*TEXTS], "None": [None]}
    return {"number": [3, 0.5], "text": [*TEXTS], "None": [None]}


def tries_of(runner: RunnerInfo, name: str, folder: Path) -> list[list[Any]]:
    """Return what is to be tried with an algorithm; first its defaults, without which nothing else tells anything."""
    info = algorithm_info(runner, name)
    accepted = info["parameters"]
    parameters = {key: value for key, value in {**QUICK, **FEATURES}.items() if key in accepted}
    if "max_iter" in parameters and "epochs" in parameters and runner.name == "LensKit":
        del parameters["epochs"]  # two names of the same number
    if runner.name == "RecBole" and not info["gpu"]:
        parameters.pop("epochs", None)
    parameters |= NEEDED.get(f"{runner.name}.{name}", {})
    dataset = str(folder / ("ranking" if info["ranking"] else "ratings"))
    tries: list[list[Any]] = [[name, parameters, dataset, "", "defaults", [None]]]
    for hyperparameter, default in accepted.items():
        if hyperparameter in FEATURES or hyperparameter in info.get("stages", {}):
            continue
        if is_common(runner, name, hyperparameter):
            continue
        others = {
            key: value
            for key, value in parameters.items()
            if info.get("aliases", {}).get(key, key) != info.get("aliases", {}).get(hyperparameter, hyperparameter)
        }
        for kind, values in kinds_of(default).items():
            if kind != "digits" or runner.name not in EVALUATING:
                tries.append([name, others, dataset, hyperparameter, kind, values])
    return tries


def closer(runner: RunnerInfo, tries: Sequence[list[Any]], found: dict[tuple[str, str, str], bool]) -> list[list[Any]]:
    """Return what tells more of numbers of which one with a fraction went through: perhaps since it is more than there are items.

    Args:
        runner: The framework.
        tries: What is tried at first.
        found: What came of it: whether all values were refused, by algorithm, hyperparameter and kind.
    """
    kinds = {"halves": [2.5, 3.5], "two": [2], "three": [3]}
    numbers = [
        [*one[:4], kind, values]
        for one in tries
        if one[4] == "fraction" and not found.get((one[0], one[3], "fraction"), True)
        for kind, values in kinds.items()
        if kind == "halves" or found.get((one[0], one[3], "halves"), False)
    ]
    return numbers + [
        [*one[:4], "given", [algorithm_info(runner, one[0])["parameters"][one[3]]]]
        for one in tries
        if one[4] == "text" and is_always_refused(found, one[0], one[3])
    ]


def is_always_refused(found: dict[tuple[str, str, str], bool], algorithm: str, hyperparameter: str) -> bool:
    """Whether no value of a hyperparameter went through: perhaps none does, beside what the others are."""
    tried = [
        refused
        for (name, other, kind), refused in found.items()
        if name == algorithm and other == hyperparameter and kind != "given"
    ]
    return bool(tried) and all(tried)


def is_common(runner: RunnerInfo, name: str, hyperparameter: str) -> bool:
    """Whether a hyperparameter is one of all algorithms of a framework, and tried with another one."""
    representative = COMMON.get(runner.name, name)
    if name == representative:
        return False
    shared = algorithm_info(runner, "Pop")["parameters"] if runner.name == "RecBole" else {}
    return hyperparameter in shared and hyperparameter != "train_neg_sample_args"  # which losses need, or do not


def answers(runner: RunnerInfo, tries: Sequence[list[Any]], limit: int) -> Iterator[dict[str, Any]]:
    """Yield what ``tried_values.py`` says of each, of one process after another where one dies: that it refuses, too."""

    def died(attempt: list[Any], status: int) -> dict[str, Any] | None:
        if status == INTERRUPTED:
            return None
        name, _, _, hyperparameter, kind, _ = attempt
        refusal = {"algorithm": name, "hyperparameter": hyperparameter, "kind": kind, "refused": True}
        return {**refusal, "errors": [f"died with {status}"]}

    return answers_of_script(runner, TRIED, (limit,), tries, thread_variables(1), died)


def is_doubtful(line: Mapping[str, Any]) -> bool:
    """Whether a refusal may be due to these data, to another hyperparameter, or to the process."""
    evaluates = line["framework"] in EVALUATING and line["kind"] == "digits"
    return evaluates or any(words in error for error in line["errors"] for words in DOUBTFUL)


def refusals(runner: RunnerInfo, found: Sequence[dict[str, Any]], name: str) -> dict[str, list[str]]:
    """Return the kinds that an algorithm refuses, by hyperparameter; nothing where its defaults do not fit these data."""
    info = algorithm_info(runner, name)
    of = {
        (line["algorithm"], line["hyperparameter"], line["kind"]): line["refused"] and not is_doubtful(line)
        for line in found
    }
    refused: dict[str, list[str]] = {}
    for hyperparameter, default in info["parameters"].items():
        tried = COMMON[runner.name] if is_common(runner, name, hyperparameter) else name
        if tried != name and not info["gpu"]:  # fitted in one pass, by other code
            continue
        if of.get((tried, "", "defaults"), True):
            continue
        kinds = [kind for kind in kinds_of(default) if of.get((tried, hyperparameter, kind), False)]
        if of.get((tried, hyperparameter, "given"), False):  # it is refused itself, beside what the others are
            continue
        if "any text" in kinds:
            kinds[kinds.index("any text")] = "text"
        halves, two, three = (of.get((tried, hyperparameter, kind)) for kind in ("halves", "two", "three"))
        if halves and two is False and three is False:
            kinds.append("fraction")
        if default is None and "number" in kinds:  # it may take neither, or something that was not tried
            kinds = []
        if kinds:
            refused[hyperparameter] = kinds
    return refused


def read(paths: Sequence[Path]) -> dict[str, list[dict[str, Any]]]:
    """Return the lines of files by framework."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path in paths:
        for line in path.read_text().splitlines() if path.exists() else ():
            told = json.loads(line)
            found.setdefault(told["framework"], []).append(told)
    return found


def write(found: dict[str, list[dict[str, Any]]]) -> None:
    """Put what was found of frameworks into their catalogues."""
    for framework, lines in found.items():
        runner = get_runner(framework)
        assert runner.measured_file is not None
        present = json.loads(runner.measured_file.read_text(encoding="utf-8"))
        for name, entry in present["algorithms"].items():
            entry.pop("refuses", None)
            refused = refusals(runner, lines, name)
            if refused:
                entry["refuses"] = refused
        runner.measured_file.write_text(json.dumps(present, indent=2) + "\n", encoding="utf-8")


def try_all(raw: Path, only: Sequence[str], limit: int) -> None:
    """Try what a file does not have yet, and add what came of it."""
    with tempfile.TemporaryDirectory() as scratch, raw.open("a") as out:
        prepare_all(Path(scratch))
        for framework in ("Surprise", "Implicit", "LensKit", "RecPack", "Cornac", "RecTools", "RecBole"):
            runner = get_runner(framework)
            names = [
                name
                for name in runner.catalogue["algorithms"]
                if not only or framework in only or f"{framework}.{name}" in only
            ]
            for _ in range(3):  # what was found tells what else is to be tried
                known = {
                    (line["algorithm"], line["hyperparameter"], line["kind"]): line["refused"]
                    for line in read([raw]).get(framework, ())
                }
                tries = [one for name in names for one in tries_of(runner, name, Path(scratch))]
                tries = [
                    one for one in [*tries, *closer(runner, tries, known)] if (one[0], one[3], one[4]) not in known
                ]
                for answer in answers(runner, tries, limit):
                    print(json.dumps({"framework": framework, **answer}), file=out, flush=True)
                    if answer["kind"] == "defaults" and answer["refused"]:
                        print(framework, answer, file=sys.stderr, flush=True)


def main() -> None:
    """Try, or write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--raw", type=Path, nargs="+", required=True, help="the file that is added to; with --write, all"
    )
    parser.add_argument("--limit", type=int, default=30, help="seconds of a Fit")
    parser.add_argument("--only", nargs="*", default=[], help="e.g. LensKit or RecBole.BPR (default: everything)")
    parser.add_argument("--write", action="store_true", help="put what the files have into omnibench/runners/measured")
    given = parser.parse_args()
    if given.write:
        write(read(given.raw))
    else:
        try_all(given.raw[0], given.only, given.limit)


if __name__ == "__main__":
    main()

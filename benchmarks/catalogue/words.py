"""Which words each hyperparameter takes whose default is a text, found by Fits on a few interactions.

``python benchmarks/catalogue/words.py --raw words.jsonl`` fits every such algorithm of the catalogues with two words that mean
nothing, and, where both are refused, with every text of those files of the framework that have the default among their texts. A word
that is not refused as those are (another error may be due to other hyperparameters) is one that the algorithm takes. ``--write``
puts them into ``omnibench/runners/measured``, as ``"words"``: a plan refuses others before anything runs. It takes half an hour.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from refused_values import answers, is_common, prepare_all, tries_of

from omnibench.runners.environments import Environments
from omnibench.runners.info import RunnerInfo, algorithm_info, refused_algorithms
from omnibench.runners.registry import get_runner

PACKAGES = {
    "LensKit": ("lenskit", "implicit", "sklearn/decomposition"),
    "RecBole": ("recbole/model", "recbole/trainer", "recbole/sampler", "recbole/data"),
    "RecPack": ("recpack",),
    "RecTools": ("rectools", "implicit", "lightfm"),
    "Cornac": ("cornac",),
    "Implicit": ("implicit",),
    "Surprise": ("surprise",),
}
"""Where the algorithms of a framework are written, within its environment."""

OPEN = ("not understood", "not enough values to unpack", "No module named", "neg sampling", "is not defined")
"""What errors have in them of hyperparameters whose words are not counted (types of NumPy, names of classes), or not told apart."""

NO_WORDS = ("value", "param", "user_defined")
"""Variables of the function in which RecBole evaluates texts, and what it leaves to be written by who uses it."""

NONSENSE = ("unknownword",)

NOT_TRIED = ("backend",)
"""What names a library that is loaded for it."""

BESIDE: dict[str, dict[str, Any]] = {"loss_type": {"train_neg_sample_args": None}}
"""What others are, by hyperparameters whose words are told apart by it alone: RecBole refuses an unknown loss while it draws for it, with
words that are not of the loss, and without drawing by its models, which know the losses."""

LONGEST = 300
"""Characters of an error, at which ``tried_values.py`` cuts it."""

WORD = re.compile(r"[A-Za-z][\w.-]{0,29}")


def words_beside(runner: RunnerInfo, name: str, default: str) -> list[str]:
    """Return the texts of a framework's files that have a default among their own.

    Files of other algorithms are left out, unless one of the algorithm's own names what they define.
    """
    python = Environments.parse("isolated").python(runner, print)
    files = [
        _contents(path)
        for packages in python.parents[1].glob("lib/python*/site-packages")
        for package in PACKAGES[runner.name]
        for path in packages.joinpath(package).rglob("*.py")
    ]
    others = {*runner.catalogue["algorithms"], *refused_algorithms(runner)}
    others -= {name}.union(*(names for _, classes, names in files if name in classes))
    beside = [texts for texts, classes, _ in files if default in texts and others.isdisjoint(classes)]
    own = [texts for texts, classes, _ in files if default in texts and name in classes]
    return sorted({default}.union(*beside, *own))


@cache
def _contents(path: Path) -> tuple[set[str], set[str], set[str]]:
    """Return the texts of a file that may be words, the classes that it defines, and all of its names."""
    nodes = [*ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    texts |= {key.arg for node in nodes if isinstance(node, ast.Call) for key in node.keywords if key.arg}
    classes = {node.name for node in nodes if isinstance(node, ast.ClassDef)}
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    return {text for text in texts if WORD.fullmatch(text)}, classes, names


def tries_with_words(
    runner: RunnerInfo, folder: Path, only: Sequence[str], lines: Sequence[dict[str, Any]]
) -> Iterator[list[Any]]:
    """Yield what is to be tried of a framework.

    Args:
        runner: The framework.
        folder: Where the data sets are.
        only: Frameworks, e.g. ``RecBole``, their algorithms, e.g. ``RecBole.CDAE``, and hyperparameters, e.g. ``RecBole.CDAE.loss_type``.
        lines: What came of it so far: first of what means nothing, then, where that was refused, of the framework's own texts, and
            then once more of those that took too long.
    """
    tried = {(line["algorithm"], line["hyperparameter"]): line["by_value"] for line in merged(lines)}
    for name in runner.catalogue["algorithms"]:
        parameters = algorithm_info(runner, name)["parameters"]
        for attempt in tries_of(runner, name, folder):
            default = parameters.get(attempt[3])
            if attempt[3] in NOT_TRIED or attempt[4] != "number" or not isinstance(default, str):
                continue
            if {runner.name, f"{runner.name}.{name}", f"{runner.name}.{name}.{attempt[3]}"}.isdisjoint(only):
                continue
            if not WORD.fullmatch(default) or "." in default:
                continue
            by_value = tried.get((name, attempt[3]), {})
            words = [*NONSENSE, f"{default}x"]
            if by_value and refusal_of(by_value, default):
                words = [*words_beside(runner, name, default), default.upper(), default.capitalize()]
            words = [word for word in words if by_value.get(word) is None]
            if words:
                beside = {key: value for key, value in BESIDE.get(attempt[3], {}).items() if key in parameters}
                yield [name, {**attempt[1], **beside}, *attempt[2:4], "words", words]


def merged(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one line of each hyperparameter, with what came of all of its words that were tried."""
    by_hyperparameter: dict[tuple[str, str, str], dict[str, Any]] = {}
    for line in lines:
        key = line["framework"], line["algorithm"], line["hyperparameter"]
        earlier = by_hyperparameter.get(key, {"by_value": {}})
        by_hyperparameter[key] = {**line, "by_value": {**earlier["by_value"], **line.get("by_value", {})}}
    return list(by_hyperparameter.values())


def refusal_of(by_value: dict[str, str | None], default: str) -> str:
    """Return the error of words that mean nothing, with WORD in their place; empty where they are not refused alike, or taken."""
    word, other = *NONSENSE, f"{default}x"
    refusal, again = by_value.get(word), by_value.get(other)
    if not refusal or not again or not _is_refused_as(word, refusal, other, again):
        return ""
    refusal = refusal.replace(word, "WORD")
    is_open = any(words in refusal for words in OPEN) or refusal.endswith("Error: ")
    return "" if is_open else refusal


def accepted(by_value: dict[str, str | None], default: str) -> list[str]:
    """Return the words that an algorithm takes: those that are not refused as words that mean nothing are; none where that is unclear.

    Args:
        by_value: What came of each word: an error, empty where there was none, None where it took too long.
        default: The hyperparameter's default.
    """
    refusal = refusal_of(by_value, default)
    others = {word: error for word, error in by_value.items() if word not in (*NONSENSE, f"{default}x")}
    if not refusal or None in others.values():
        return []
    others = {word: error for word, error in others.items() if word not in NO_WORDS}
    taken = [word for word, error in others.items() if not _is_refused_as("WORD", refusal, word, error or "")]
    if len({word.casefold() for word in taken}) < len(taken):  # in any case: which words it takes then is not known
        return []
    return sorted(taken, key=lambda word: (word != default, word)) if default in taken else []


def _is_refused_as(word: str, refusal: str, other: str, error: str) -> bool:
    """Return whether the error of a word is that of another, but for the word; errors are cut, and may tell the type of a value."""
    texts = refusal.replace(word, other).partition("[type=")[0], error.partition("[type=")[0]
    length = min(map(len, texts)) if max(map(len, texts)) > LONGEST - len(word) - len(other) else None
    return texts[0][:length] == texts[1][:length]


def read(path: Path) -> list[dict[str, Any]]:
    """Return what a file has."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def try_all(raw: Path, only: Sequence[str], limit: int) -> None:
    """Try what a file does not have yet, and add what came of it."""
    with tempfile.TemporaryDirectory() as scratch, raw.open("a") as out:
        prepare_all(Path(scratch))
        for framework in sorted({name.partition(".")[0] for name in only}):
            runner = get_runner(framework)
            for _ in range(3):  # what means nothing, the framework's own texts, and those that took too long
                lines = [line for line in read(raw) if line["framework"] == framework]
                for answer in answers(runner, list(tries_with_words(runner, Path(scratch), only, lines)), limit):
                    print(json.dumps({"framework": framework, **answer}), file=out, flush=True)


def write(raw: Sequence[Path]) -> None:
    """Put the words that are taken into the catalogues."""
    lines = merged([line for path in raw for line in read(path)])
    for framework in sorted({line["framework"] for line in lines}):
        runner = get_runner(framework)
        assert runner.measured_file is not None
        measured = json.loads(runner.measured_file.read_text(encoding="utf-8"))
        for line in lines:
            name, hyperparameter = line["algorithm"], line["hyperparameter"]
            if line["framework"] != framework or is_common(runner, name, hyperparameter):
                continue
            entry = measured["algorithms"][name]
            words_of_entry = entry.pop("words", {})
            words_of_entry.pop(hyperparameter, None)
            words = accepted(line["by_value"], algorithm_info(runner, name)["parameters"][hyperparameter])
            if words:
                words_of_entry[hyperparameter] = words
            if words_of_entry:
                entry["words"] = words_of_entry
        runner.measured_file.write_text(json.dumps(measured, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Try, or write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--raw", type=Path, nargs="+", required=True, help="the file that is added to; with --write, all that are read"
    )
    parser.add_argument(
        "--only", nargs="*", default=sorted(PACKAGES), help="e.g. LensKit or RecBole.CDAE.loss_type (default: all)"
    )
    parser.add_argument("--limit", type=int, default=20, help="seconds of a Fit")
    parser.add_argument("--write", action="store_true", help="put what the file has into omnibench/runners/measured")
    arguments = parser.parse_args()
    if arguments.write:
        write(arguments.raw)
    else:
        try_all(arguments.raw[0], arguments.only, arguments.limit)


if __name__ == "__main__":
    main()

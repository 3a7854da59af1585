"""``omnibench score``: the metrics of lists that somebody else made."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnibench.commands.parsing import add_parser, say, say_text
from omnibench.errors import EvaluationError, ExportError
from omnibench.metrics.base import DEFAULT_CONVENTION, PEERS
from omnibench.metrics.ordered import ORDERS
from omnibench.report.comparisons import aligned, jsonable
from omnibench.report.files import replace
from omnibench.scoring.compared import compare_scores, corrected_together
from omnibench.scoring.score import score
from omnibench.scoring.scores import Scores
from omnibench.statistics.paired import DEFAULT_TEST, TESTS, check_alpha

if TYPE_CHECKING:
    import pandas as pd

_PER_USER_SUFFIXES = (".csv", ".parquet")


def score_files(arguments: argparse.Namespace) -> int:
    """Measure lists or predicted ratings in files that somebody else made, and compare several with each other."""
    check_alpha(arguments.alpha)
    inputs = [*arguments.predictions, arguments.test_part, arguments.train, arguments.validation]
    output = _checked_output(arguments.per_user, [*inputs, arguments.users, arguments.items])
    names = _names(arguments.predictions)
    scores = [
        score(
            file,
            arguments.test_part,
            *arguments.metric,
            train=arguments.train,
            validation=arguments.validation,
            users=arguments.users,
            items=arguments.items,
            lists=_mapping(arguments.lists, "--lists"),
            convention=arguments.convention,
            relevant=arguments.relevant,
            order=arguments.order,
            repeats=arguments.repeats,
            unknown=arguments.unknown,
            allow_overlap=arguments.allow_overlap,
            columns=_columns(arguments.columns),
            test_columns=_mapping(arguments.test_columns, "--test-columns"),
            name=name,
        )
        for file, name in zip(arguments.predictions, names, strict=True)
    ]
    comparisons = corrected_together(
        [compare_scores(scores[0], second, test=arguments.paired_test, alpha=arguments.alpha) for second in scores[1:]]
    )
    if output is not None:
        _write(output, scores)
    if arguments.json:
        compared = [row for comparison in comparisons for row in comparison.plain()]
        report = {"scores": [of_file.plain() for of_file in scores], "comparisons": compared}
        say_text(json.dumps(jsonable(report), indent=1))
        return 0
    printed: set[str] = set()
    for number, of_file in enumerate(scores):
        if number:
            say()
        _say_scores(of_file, printed)
    for comparison in comparisons:
        say()
        say(comparison.title)
        for line in aligned(comparison.rows()):
            say(line)
        for note in comparison.notes:
            say(note)
    return 0


def _names(files: Sequence[str]) -> list[str]:
    """Return what to call files: their names, or their paths where two have the same name."""
    names = [Path(file).name for file in files]
    return names if len(set(names)) == len(names) else list(files)


def _say_scores(scores: Scores, printed: set[str]) -> None:
    """Print the scores of a file, with those of its notes that no file before had."""
    say(scores.title)
    for line in aligned([[*row, ""] for row in scores.rows()]):
        say(line)
    for note in scores.notes:
        if note not in printed:
            say(f"  {note}")
    printed.update(scores.notes)


def _mapping(text: str | None, option: str) -> dict[str, str] | None:
    """Return columns as they are written on the command line, ``uid=user,iid=item``."""
    if text is None:
        return None
    pairs = [part.rpartition("=") for part in text.split(",")]
    if not all(name and separator and role for name, separator, role in pairs):
        raise EvaluationError(f"{option} is {text!r}; write NAME=ROLE for each column, e.g. uid=user,iid=item.")
    return {name.strip(): role.strip() for name, _, role in pairs}


def _columns(text: str | None) -> Mapping[str, str] | list[str | None] | None:
    """Return what the columns of the predictions are; without ``=`` these are the names of all."""
    if text is None or "=" in text:
        return _mapping(text, "--columns")
    return [name.strip() or None for name in text.split(",")]


def _checked_output(file: str | None, inputs: Sequence[str | None]) -> Path | None:
    if file is None:
        return None
    path = Path(file).resolve()
    if any(name and path == Path(name).resolve() for name in inputs):
        raise ExportError(f"--per-user {file!r} is a file that is read, and would be lost; name another one.")
    if path.suffix.lower() not in _PER_USER_SUFFIXES:
        raise ExportError(
            f"--per-user {file!r}: the ending says the format; choose from {', '.join(_PER_USER_SUFFIXES)}."
        )
    if not path.parent.is_dir():
        raise ExportError(f"--per-user: there is no directory {str(path.parent)!r}; make it, or name a file elsewhere.")
    return path


def _write(path: Path, scores: Sequence[Scores]) -> None:
    """Write the values per user: predictions, user, and a column per metric."""
    import pandas as pd

    frames = [_with_name(of_file.per_user.reset_index(), of_file.name) for of_file in scores]
    frame = pd.concat(frames, ignore_index=True)
    content: Any = (
        frame.to_csv(index=False).encode() if path.suffix.lower() == ".csv" else frame.to_parquet(index=False)
    )
    replace(path, content)


def _with_name(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    frame.insert(0, "predictions", name)
    return frame


def add_parsers(commands: Any) -> None:
    """Declare the command to argparse."""
    parser = add_parser(commands, "score", score_files, of_store=False)
    file = {"metavar": "FILE"}
    parser.add_argument(
        "--predictions",
        action="extend",
        nargs="+",
        required=True,
        help="lists or predicted ratings: predictions.json, CSV, TSV, Parquet, JSON, or a run of trec_eval; the first of several "
        "is compared with each of the others",
        **file,
    )
    parser.add_argument(
        "--test",
        dest="test_part",
        required=True,
        help="what is relevant: CSV, TSV, Parquet, or qrels of trec_eval",
        **file,
    )
    parser.add_argument("--train", help="the training part, for metrics such as Novelty", **file)
    parser.add_argument("--validation", help="what else users have seen", **file)
    parser.add_argument("--users", help="what is known about users, for metrics such as 'NDCG@10 by gender'", **file)
    parser.add_argument("--items", help="what is known about items, likewise", **file)
    parser.add_argument(
        "--lists",
        metavar="NAME=SEPARATOR,...",
        help="what separates the members of features that hold several, e.g. genres=|",
    )
    parser.add_argument(
        "--metric",
        action="extend",
        nargs="+",
        required=True,
        metavar="LABEL",
        help="e.g. NDCG@10, NDCG@10,20, RMSE, NDCG[relevant=4]@10, Recall[lenskit]@10 or 'NDCG@10 by "
        "popularity'; may be repeated",
    )
    parser.add_argument(
        "--convention",
        choices=[DEFAULT_CONVENTION, *PEERS],
        default=DEFAULT_CONVENTION,
        help="as which package (default: omnibench)",
    )
    parser.add_argument("--relevant", type=float, metavar="RATING", help="the lowest rating in test that is relevant")
    parser.add_argument(
        "--order", choices=ORDERS, help="what decides where an item stands (default: the rank; in a run the score)"
    )
    for option, words in (("repeats", "the user has in train or validation"), ("unknown", "are not in train")):
        parser.add_argument(f"--no-{option}", dest=option, action="store_false", help=f"take out items that {words}")
    parser.add_argument("--allow-overlap", action="store_true", help="test pairs may be in train or validation, too")
    parser.add_argument(
        "--columns",
        metavar="NAME=ROLE,...",
        help="what the columns of predictions are, e.g. uid=user,iid=item,est=score",
    )
    parser.add_argument("--test-columns", metavar="NAME=ROLE,...", help="likewise of test, train and validation")
    parser.add_argument("--per-user", help="write the values of the users: .csv or .parquet", **file)
    parser.add_argument(
        "--paired-test", choices=TESTS, default=DEFAULT_TEST, help=f"the test of comparisons (default: {DEFAULT_TEST})"
    )
    parser.add_argument("--alpha", type=float, default=0.05, help="the level of comparisons (default: 0.05)")
    parser.add_argument("--json", action="store_true", help="for programs")

"""The tables at the end of a script's run, as pytest prints them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from omnibench.data.leakage import read_split_counts, split_sentence
from omnibench.engine.group_sizes import group_sentences
from omnibench.errors import OmnibenchError, StoreError
from omnibench.experiment.experiment import Experiment
from omnibench.notebooks import display, in_notebook
from omnibench.results import Result
from omnibench.store.beneath import tree
from omnibench.store.reader import Reader
from omnibench.store.reading import read
from omnibench.store.schema import Record, RecordType
from omnibench.store.taken import taken_sentences
from omnibench.tables.layout import Layout, NotWorse, ResultTable, tables
from omnibench.tables.names import DisplayNames, display_names
from omnibench.tables.terminal import render
from omnibench.terminal import terminal_text

MOST_ALGORITHMS = 100
"""Default number of algorithms of a dataset that are shown; if there are more, their folds are not shown."""


def default_layout(
    results: Sequence[Result], lower_is_better: Collection[str], width: int | None, detail: str = "", sort: str = ""
) -> Layout:
    """Return the layout of tables at the end of a run: of many configurations the best ones, without their folds.

    Args:
        results: All results.
        lower_is_better: The columns where the smallest value is the best.
        width: Characters per line.
        detail: ``folds`` or ``mean`` where the user has chosen, which shows everything.
        sort: The column to sort by, or nothing.
    """
    is_shortened = not detail and len({(result.dataset, result.algorithm) for result in results}) > MOST_ALGORITHMS
    chosen = detail or ("mean" if is_shortened else "folds")
    return Layout(lower_is_better, width, chosen, sort, MOST_ALGORITHMS if is_shortened else None)


def split_sentences(
    root: Path, planned: Iterable[Experiment], titles: DisplayNames, *, untouched: bool = False
) -> list[str]:
    """Return which datasets have test users and items that are unknown in training, or leakage, a sentence each.

    Args:
        root: The checkpoint directory.
        planned: The experiments; of a dataset, their folds are counted.
        titles: What the tables call the datasets.
        untouched: Whether nothing in the checkpoint directory may be written for it.
    """
    names: dict[str, str] = {}
    folds: dict[str, set[int]] = {}
    unknown_ranked: set[str] = set()
    seen_ranked: set[str] = set()
    for experiment in planned:
        key, candidates = experiment.dataset.key, experiment.candidates
        if candidates.unknown:
            unknown_ranked.add(key)
        if candidates.repeats:
            seen_ranked.add(key)
        names.setdefault(key, titles.dataset(experiment.dataset_name))
        folds.setdefault(key, set()).add(experiment.fold)

    def take(reader: Reader) -> list[str]:
        records = {key: reader.get(RecordType.DATA.key(key)) for key in names}
        sentences = {
            key: split_sentence(
                read_split_counts(tree(root, record["directory"]), record),
                folds[key],
                unknown_ranked=key in unknown_ranked,
                seen_ranked=key in seen_ranked,
            )
            for key, record in records.items()
            if record is not None
        }
        return [f"{names[key]}: {sentence}" for key, sentence in sentences.items() if sentence]

    try:
        return read(root / "store", take, untouched=untouched)
    except StoreError:  # whoever needed more of it has said so
        return []


def not_worse_or_notice(
    directory: Path,
    results: Sequence[Result],
    lower_is_better: Collection[str],
    remember: Callable[[dict[str, Record]], None],
    notify: Callable[[str], None],
) -> NotWorse:
    """Return which configurations are not significantly worse than the best; where that cannot be tested, say so.

    Args:
        directory: The checkpoint directory, which has the values per user.
        results: The results of a table.
        lower_is_better: The columns where the smallest value is the best.
        remember: Called with what the next run need not test again.
        notify: Called with a sentence when it cannot be tested.
    """
    from omnibench.comparison.marks import not_worse

    try:
        return not_worse(directory, results, lower_is_better, remember=remember)
    except OmnibenchError as error:
        notify(f"what is not significantly worse than the best is not marked: {error}")
        return {}


def show_tables(
    directory: Path,
    planned: Iterable[Experiment],
    results: Sequence[Result],
    lower_is_better: Collection[str],
    remember: Callable[[dict[str, Record]], None],
    notify: Callable[[str], None],
) -> None:
    """Print a table per dataset to stdout, or display it in a notebook.

    Args:
        directory: The checkpoint directory, whose values per user say what is significantly worse.
        planned: The experiments, of whose datasets cold users and items, and leakage, are counted below the tables.
        results: The results in the order of their rows.
        lower_is_better: The columns where the smallest value is the best.
        remember: Called with what the next run need not test again.
        notify: Called with a sentence when that could not be tested.
    """
    if not results:
        return

    def marked(listed: Sequence[Result]) -> NotWorse:
        return not_worse_or_notice(directory, listed, lower_is_better, partial(_remember, remember), notify)

    width = None if in_notebook() else shutil.get_terminal_size().columns
    layout = replace(default_layout(results, lower_is_better, width), all_shown_by="evaluator.get_tables()")
    for table in tables(results, layout, marked):
        _show(table)
    names = display_names(results)
    fit_keys = [result.fit_key for result in results if result.fit_key]
    for sentence in (
        *group_sentences(directory, results, names),
        *split_sentences(directory, planned, names),
        *taken_sentences(directory, fit_keys),
    ):
        print(terminal_text(sentence), flush=True)  # noqa: T201 - a script's results


def _remember(commit: Callable[[dict[str, Record]], None], records: Mapping[str, Record]) -> None:
    with suppress(StoreError, OSError):  # the next run tests again
        commit(dict(records))


def _show(table: ResultTable) -> None:
    if in_notebook():
        from omnibench.markup import written
        from omnibench.tables.notebook import notebook_table

        forms = {"text/html": written(notebook_table(table)), "text/plain": render(table, colour=False)}
        display(forms)
        return
    encoding = sys.stdout.encoding or "utf-8"
    print(f"\n{render(table, colour=sys.stdout.isatty(), encoding=encoding)}", flush=True)  # noqa: T201 - a script's results

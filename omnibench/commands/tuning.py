"""``omnibench tuning``: what searches for hyperparameters have tried, what they have chosen, and what that cost."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from typing import Any

from omnibench.commands.parsing import ITEM, add_parser, counted, say, say_text
from omnibench.errors import StoreError
from omnibench.store.item_names import title_of
from omnibench.store.light_records import light_records
from omnibench.store.queries import open_store
from omnibench.store.schema import Record, Status, TrialStatus
from omnibench.store.tuned_items import TunedItem, by_value, facts_of, parameters_text, tuned_items
from omnibench.tables.names import recorded_names

_GAP = "  "


def tuning(arguments: argparse.Namespace) -> int:
    """Show searches for hyperparameters: what they have chosen, and of an item all trials, what the budget went into."""
    store = open_store(arguments.store)
    records = light_records(store.root).records
    items = store.items_in(records)
    tuned = {search.item["item"]: search for search in tuned_items(records, items)}
    if arguments.item is None:
        chosen = list(tuned.values())
    else:
        chosen = [tuned[name] for name in store.select(arguments.item) if name in tuned]
        if not chosen:
            raise StoreError(
                f"no item that {arguments.item!r} stands for is tuned; `plan.tune(algorithm, space)` tunes one, and `omnibench "
                "tuning` lists those that are."
            )
    if arguments.json:
        whole = arguments.item is not None
        text = json.dumps([facts_of(search, with_trials=whole) for search in chosen])
        # JSON has no infinity, which a hyperparameter may be: a text stands for it.
        say_text(json.dumps(json.loads(text, parse_constant=str), indent=1))
    elif arguments.item is None:
        for line in _overview(str(store.root), chosen):
            say(line)
    else:
        for position, search in enumerate(chosen):
            for line in (*([""] if position else []), *_details(search)):
                say(line)
    return 0


def _overview(root: str, tuned: Sequence[TunedItem]) -> Iterator[str]:
    """Yield a line per search, and below it what a reader has to know."""
    yield f"{root}: {counted(len(tuned), 'tuned item')}"
    if not tuned:
        yield "  plan.tune(algorithm, space) has the hyperparameters of an algorithm chosen on validation data"
        return
    names = recorded_names(search.item for search in tuned)
    rows = [_overview_row(search, names.recorded_item(search.item)) for search in tuned]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for search, row in zip(tuned, rows, strict=True):
        yield _GAP + _GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        yield from (f"{_GAP}{' ' * widths[0]}{_GAP}{sentence}" for sentence in search.statements)


def _overview_row(search: TunedItem, name: str) -> tuple[str, ...]:
    best = "" if search.value is None else f"{search.metric} {search.value:.4f}"
    parameters = "" if search.best is None else search.parameters_text
    seconds = f"{search.seconds:.1f} s" if search.finished else ""
    return search.state, name, search.counts_text, best, seconds, parameters


def _details(search: TunedItem) -> Iterator[str]:
    words = search.words
    yield f"{title_of(search.item)}: {search.state}"
    yield f"  item             {search.item['item']}"
    for position, (name, text) in enumerate(words.space.items() or [("", words.space_text)]):
        yield f"  {'' if position else 'search space':16} {name}{': ' if name else ''}{text}"
    if search.search_record.get("fixed"):
        yield f"  in all trials    {parameters_text(search.search_record['fixed'], {})}"
    override = "; another budget than the plan's" if search.chosen.get("override") else ""
    yield f"  budget           {words.budget_text}{override}"
    yield f"  proposed by      {search.sampler_text}"
    fold = search.search_record.get("fold")
    yield f"  judged by        {search.metric} on the validation part{'' if fold is None else f' of fold {fold}'}"
    yield f"  tried            {search.counts_text}{_reused_text(search)}"
    if search.finished:
        yield f"  spent            {_spent_text(search)}"
    if search.best is not None:
        noun = "chosen" if search.state == Status.DONE else "best so far"
        yield f"  {noun:16} trial {search.best['number']}: {search.parameters_text}, {search.metric} {search.value:.6f}{_gain(search)}"
    yield from (f"  note             {sentence}" for sentence in search.statements)
    if search.trials:
        yield "  trials by value"
        yield from _trial_lines(search)


def _reused_text(search: TunedItem) -> str:
    count, seconds = len(search.reused), sum(trial.get("seconds") or 0.0 for trial in search.reused)
    return f"; {count} of them taken over from earlier ones, which took {seconds:.1f} s" if count else ""


def _spent_text(search: TunedItem) -> str:
    """Return what the budget went into: seconds by phase, and the shares of what came to nothing."""
    phases = ", ".join(f"{phase} {seconds:.1f} s" for phase, seconds in search.phase_seconds.items())
    shares = [
        f"{status.value} trials {search.seconds_of(status) / search.seconds:.0%}"
        for status in (TrialStatus.PRUNED, TrialStatus.FAILED)
        if search.count(status) and search.seconds
    ]
    return f"{search.seconds:.1f} s: {phases}" + (f"; {', '.join(shares)}" if shares else "")


def _gain(search: TunedItem) -> str:
    """Return what the algorithm's defaults have come to, which are trial 0."""
    defaults = next((trial for trial in search.finished if trial["number"] == 0), None)
    if defaults is None or search.best is None or search.best["number"] == 0:
        return ""
    value = defaults.get("value") if defaults["status"] == TrialStatus.DONE else None
    return f" (the defaults, trial 0: {defaults['status'] if value is None else f'{value:.6f}'})"


def _trial_lines(search: TunedItem) -> Iterator[str]:
    rows = [_trial_row(search, trial) for trial in by_value(search)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield f"  {_GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()}"


def _trial_row(search: TunedItem, trial: Record) -> tuple[str, ...]:
    is_chosen = search.best is not None and trial["number"] == search.best["number"] and search.state == Status.DONE
    parameters = parameters_text(trial["parameters"], search.search_record)
    seconds = "" if trial.get("seconds") is None else f"{trial['seconds']:.2f} s"
    return f"{'*' if is_chosen else ' '} {trial['number']}", _outcome(trial), parameters, seconds, _remark(trial)


def _outcome(trial: Record) -> str:
    value = trial.get("value")
    return f"{value:.6f}" if trial["status"] == TrialStatus.DONE and value is not None else str(trial["status"])


def _remark(trial: Record) -> str:
    """Return what there is to say of a trial: its best epoch, why it was pruned or failed, that it was taken over."""
    remarks = [f"epoch {trial['epochs']}"] if trial.get("epochs") else []
    pruned, error = trial.get("pruned"), trial.get("error")
    if pruned:
        value = pruned.get("value")
        reached = "" if value is None else f" with {value:.4f}"
        reason = f": {pruned['reason']}" if pruned.get("reason") else ""
        remarks.append(f"in epoch {pruned['epoch']}{reached}{reason}")
    if error:
        remarks.append(f"in {error['phase']}: {error['message'].partition(chr(10))[0]}")
    if trial.get("reused"):
        remarks.append("taken over")
    return ", ".join(remarks)


def add_parsers(commands: Any) -> None:
    """Declare the command to argparse."""
    parser = add_parser(commands, "tuning", tuning)
    parser.add_argument("item", metavar="ITEM", nargs="?", help=f"{ITEM}; all tuned items, a line search, without one")
    parser.add_argument("--json", action="store_true", help="for programs")

"""``omnibench tuning``: what searches for hyperparameters have tried, what they have chosen, and what that cost."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from typing import Any

from omnibench.commands.parsing import ITEM, add_parser, counted, say, say_text
from omnibench.errors import StoreError
from omnibench.store.item_names import title_of
from omnibench.store.queries import open_store
from omnibench.store.schema import Record, Status, TrialStatus
from omnibench.store.tuned_items import TunedItem, by_value, facts_of, parameters_text, tuned_items

_GAP = "  "


def tuning(arguments: argparse.Namespace) -> int:
    """Show searches for hyperparameters: what they have chosen, and of an item all trials, what the budget went into."""
    store = open_store(arguments.store)
    records = store.records()
    items = store.items_in(records)
    tuned = {each.item["item"]: each for each in tuned_items(records, items)}
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
        say_text(json.dumps([facts_of(each, with_trials=whole) for each in chosen], indent=1))
    elif arguments.item is None:
        for line in _overview(str(store.root), chosen):
            say(line)
    else:
        for position, each in enumerate(chosen):
            for line in (*([""] if position else []), *_details(each)):
                say(line)
    return 0


def _overview(root: str, tuned: Sequence[TunedItem]) -> Iterator[str]:
    """Yield a line per search, and below it what a reader has to know."""
    yield f"{root}: {counted(len(tuned), 'tuned item')}"
    if not tuned:
        yield "  plan.tune(algorithm, space) has the hyperparameters of an algorithm chosen on validation data"
        return
    rows = [_overview_row(each) for each in tuned]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for each, row in zip(tuned, rows, strict=True):
        yield _GAP + _GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        yield from (f"{_GAP}{' ' * widths[0]}{_GAP}{sentence}" for sentence in each.statements)


def _overview_row(each: TunedItem) -> tuple[str, ...]:
    best = "" if each.value is None else f"{each.metric} {each.value:.4f}"
    parameters = "" if each.best is None else each.parameters_text
    seconds = f"{each.seconds:.1f} s" if each.finished else ""
    return each.state, title_of(each.item), each.counts_text, best, seconds, parameters


def _details(each: TunedItem) -> Iterator[str]:
    words = each.words
    yield f"{title_of(each.item)}: {each.state}"
    yield f"  item             {each.item['item']}"
    for position, (name, text) in enumerate(words.space.items() or [("", words.space_text)]):
        yield f"  {'' if position else 'search space':16} {name}{': ' if name else ''}{text}"
    if each.search.get("fixed"):
        yield f"  in all trials    {parameters_text(each.search['fixed'], {})}"
    override = "; another budget than the plan's" if each.chosen.get("override") else ""
    yield f"  budget           {words.budget_text}{override}"
    yield f"  proposed by      {words.sampler_text}"
    fold = each.search.get("fold")
    yield f"  judged by        {each.metric} on the validation part{'' if fold is None else f' of fold {fold}'}"
    yield f"  tried            {each.counts_text}{_reused_text(each)}"
    if each.finished:
        yield f"  spent            {_spent_text(each)}"
    if each.best is not None:
        noun = "chosen" if each.state == Status.DONE else "best so far"
        yield f"  {noun:16} trial {each.best['number']}: {each.parameters_text}, {each.metric} {each.value:.6f}{_gain(each)}"
    yield from (f"  note             {sentence}" for sentence in each.statements)
    if each.trials:
        yield "  trials by value"
        yield from _trial_lines(each)


def _reused_text(each: TunedItem) -> str:
    count, seconds = len(each.reused), sum(trial.get("seconds") or 0.0 for trial in each.reused)
    return f"; {count} of them taken over from earlier ones, which took {seconds:.1f} s" if count else ""


def _spent_text(each: TunedItem) -> str:
    """Return what the budget went into: seconds by phase, and the shares of what came to nothing."""
    phases = ", ".join(f"{phase} {seconds:.1f} s" for phase, seconds in each.phase_seconds.items())
    shares = [
        f"{status.value} trials {each.seconds_of(status) / each.seconds:.0%}"
        for status in (TrialStatus.PRUNED, TrialStatus.FAILED)
        if each.count(status) and each.seconds
    ]
    return f"{each.seconds:.1f} s: {phases}" + (f"; {', '.join(shares)}" if shares else "")


def _gain(each: TunedItem) -> str:
    """Return what the algorithm's defaults have come to, which are trial 0."""
    defaults = next((trial for trial in each.finished if trial["number"] == 0), None)
    if defaults is None or each.best is None or each.best["number"] == 0:
        return ""
    value = defaults.get("value") if defaults["status"] == TrialStatus.DONE else None
    return f" (the defaults, trial 0: {defaults['status'] if value is None else f'{value:.6f}'})"


def _trial_lines(each: TunedItem) -> Iterator[str]:
    rows = [_trial_row(each, trial) for trial in by_value(each)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield f"  {_GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()}"


def _trial_row(each: TunedItem, trial: Record) -> tuple[str, ...]:
    is_chosen = each.best is not None and trial["number"] == each.best["number"] and each.state == Status.DONE
    parameters = parameters_text(trial["parameters"], each.search)
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
    parser.add_argument("item", metavar="ITEM", nargs="?", help=f"{ITEM}; all tuned items, a line each, without one")
    parser.add_argument("--json", action="store_true", help="for programs")

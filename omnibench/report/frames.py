"""Results for analysis: a row or an object for every value, with all recorded facts and every digit."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any

from omnibench.keys import encode_of
from omnibench.report.contents import Contents
from omnibench.report.folds import Folds, folds_of
from omnibench.report.numbers import finite
from omnibench.report.plain_blocks import plain_facts_of
from omnibench.report.plain_nested import fold_texts
from omnibench.report.rows import COLUMN_TYPES, origin_facts, rows_of, tuning_facts
from omnibench.report.summaries import Summaries, WithSeeds, with_all_seeds
from omnibench.results import Result
from omnibench.store.phase_facts import Uncertainty
from omnibench.tables.conditional import algorithm_of
from omnibench.tables.names import DisplayNames, display_names

if TYPE_CHECKING:
    import pandas as pd

RESULTS_AT_HAND = 1000
"""How many results' facts are had at a time."""

FORMAT = "omnibench.results/1"
"""The format that the JSON file names; its number changes when readers have to change."""


def frame(contents: Contents) -> pd.DataFrame:
    """Return one row per dataset, configuration, fold and metric.

    Columns: dataset (as its directory is called), dataset_label (as tables call it), dataset_key; algorithm (e.g.
    ``RecPack.EASE``), configuration (as its directory is called), label (as tables call it), configuration_key,
    parameters (canonical JSON of those that were given), seed, refit (the parts that the model was fitted on where
    that is not training alone), framework, framework_version; fold (missing for single splits), metric, value;
    stderr, low, high (standard error over users and 95 % interval), users; cold_users
    and cold_items (those of the test part that are unknown in training; missing where that was not counted);
    before_training_end (the test interactions that are earlier than the latest one of training; missing without times);
    fit_seconds, predict_seconds, start_seconds (of the framework's process, part of neither), peak_memory (bytes) of
    the item; fit_key; and of the configuration with all of its seeds: seeds (how many), mean and std (over folds and
    seeds, n - 1), and, where there are several seeds, the variance of a user's value by what contributes to it:
    user_variance, fold_variance, seed_variance, residual_variance. Of what was tuned: chosen (canonical JSON of the chosen
    hyperparameters), tuning_metric and tuning_value (on validation data), tuning_trials, tuning_pruned and
    tuning_failed (of these), tuning_seconds (what the search has cost), tuning_budget (canonical JSON), tuning_override
    (whether it is another budget than the plan's), tuning_per_fold (False where all folds take the first one's choice). Of what was taken over from another store: taken_from
    (which one), taken_by (who has computed it), taken_time (when), taken_sha256 (the digest of the text that was verified).
    """
    import pandas as pd

    return pd.DataFrame(list(rows_of(contents)), columns=list(COLUMN_TYPES)).astype(COLUMN_TYPES)


def nested(contents: Contents) -> Iterator[bytes]:
    """Yield the values as nested JSON: datasets, configurations, folds, metrics; and the items that are missing."""
    all_folds = folds_of(contents.results)
    names = display_names(folds.alike for folds in all_folds)
    with_seeds = with_all_seeds(all_folds)
    summaries = Summaries(contents, with_seeds.values())
    yield _encoded(f'{{\n "format": {json.dumps(FORMAT)},\n "datasets": [')
    separator = "\n"
    for group in _grouped(all_folds, lambda folds: folds.alike.dataset):
        head = {
            "name": group[0].alike.dataset,
            "label": names.dataset(group[0].alike.dataset),
            "key": group[0].data_key or contents.facts_of(group[0].first).dataset_key,
            **_counts_by_fold(contents, group[0].alike.dataset),
        }
        opened = _indented(head, 2).removesuffix("\n  }")
        yield _encoded(f'{separator}{opened},\n   "configurations": [')
        separator = "\n"
        for configurations in _blocks(_grouped(group, lambda folds: folds.alike.algorithm)):
            for text in _configuration_texts(contents, configurations, names, with_seeds, summaries):
                yield _encoded(f"{separator}{text}")
                separator = ",\n"
        yield b"\n   ]\n  }"
    missing = [{"item": item.item, "status": item.status, "why": item.reason} for item in contents.missing]
    closed = "\n ]" if contents.results else "]"
    yield _encoded(f'{closed},\n "missing": {_indented(missing, 1).lstrip()}\n}}\n')


def _indented(data: Any, levels: int) -> str:
    """Return JSON as it stands inside of so many objects and lists; line breaks in texts are escaped."""
    return " " * levels + _json(data, levels)


_NESTED = (dict, list)


def _json(data: Any, levels: int) -> str:
    """Return what ``json.dumps`` does with an indent, for which it would go through every value in Python."""
    if not data or not isinstance(data, _NESTED):
        return _scalar(data)
    indent = "\n" + " " * (levels + 1)
    values = data.values() if isinstance(data, dict) else data
    if not any(isinstance(value, _NESTED) for value in values):
        text = _encoder(indent)(data)[1:-1]
    elif isinstance(data, dict):
        text = f",{indent}".join([f"{_scalar(name)}: {_json(member, levels + 1)}" for name, member in data.items()])
    else:
        text = f",{indent}".join([_json(element, levels + 1) for element in data])
    opening, closing = "{}" if isinstance(data, dict) else "[]"
    return f"{opening}{indent}{text}{indent[:-1]}{closing}"


@lru_cache(maxsize=64)
def _encoder(indent: str) -> Callable[[Any], str]:
    """Return what writes an object or a list of plain values, each in a line of its own."""
    return encode_of(json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(f",{indent}", ": ")))


def _scalar(data: Any) -> str:
    if data is None:
        return "null"
    if type(data) is int or (type(data) is float and math.isfinite(data)):
        return repr(data)
    return encode_basestring(data) if type(data) is str else json.dumps(data, ensure_ascii=False, allow_nan=False)


def _encoded(text: str) -> bytes:
    return text.encode(errors="backslashreplace")


def _counts_by_fold(contents: Contents, dataset: str) -> dict[str, Any]:
    """Return how many test users and items are unknown in training, and what leaks, by fold; nothing where not counted."""
    summary = contents.dataset_summaries.get(dataset)
    if summary is None:
        return {}
    named = {"unknown_in_training": summary.counts.cold, "leakage": summary.counts.leakage}
    return {name: list(counted["folds"]) for name, counted in named.items() if counted}


def _blocks(configurations: Iterable[list[Folds]]) -> Iterator[list[list[Folds]]]:
    """Yield the results of configurations, so many at a time as have facts at hand."""
    block: list[list[Folds]] = []
    count = 0
    for rows in configurations:
        block.append(rows)
        count += sum(map(len, rows))
        if count >= RESULTS_AT_HAND:
            yield block
            block, count = [], 0
    if block:
        yield block


def _configuration_texts(
    contents: Contents,
    configurations: Sequence[list[Folds]],
    names: DisplayNames,
    with_seeds: Mapping[tuple[str, str], WithSeeds],
    summaries: Summaries,
) -> Iterator[str]:
    """Yield the JSON of configurations, as it stands inside of their dataset."""
    block = [folds for rows in configurations for folds in rows]
    plain = plain_facts_of(contents, block)
    texts, begin = iter(()) if plain is None else fold_texts(block, plain), 0
    for rows in configurations:
        alike = rows[0].alike
        of_seeds = with_seeds[alike.dataset, alike.algorithm]
        if plain is None:
            results = [result for folds in rows for result in folds.results]
            facts = contents.facts_of(results[0])
            made_of = (facts.configuration_key, facts.parameters, facts.framework, facts.version)
            members = _configuration(summaries, rows, names, of_seeds, *made_of)
            yield _indented({**members, "folds": [_fold(contents, result) for result in results]}, 4)
        else:
            making, version = plain.makings[begin], plain.versions[begin]
            made_of = (making.configuration_key, making.parameters, making.framework, version)
            members = _configuration(summaries, rows, names, of_seeds, *made_of)
            count = sum(map(len, rows))
            listed = ",\n".join(islice(texts, count))
            yield f'{_indented(members, 4)[: -len(_END)]},\n     "folds": [\n{listed}\n     ]{_END}'
            begin += count


_END = "\n    }"
"""The end of a configuration."""


def _configuration(
    summaries: Summaries,
    rows: list[Folds],
    names: DisplayNames,
    with_seeds: WithSeeds,
    key: str,
    parameters: str,
    framework: str,
    version: str,
) -> dict[str, Any]:
    """Return what is said of a configuration beside its folds."""
    members, alike = summaries.members_of(with_seeds), rows[0].alike
    summary = {label: members[label] for folds in rows for label in folds.labels}
    return {
        "algorithm": algorithm_of(alike),
        "name": alike.algorithm,
        "label": names.configuration(alike.algorithm),
        "key": key,
        "parameters": _plain(parameters),
        "seed": alike.seed,
        "refit": alike.refit or None,
        "framework": framework,
        "framework_version": version,
        "seeds": len(with_seeds.seeds),
        "summary": summary,
    }


def _plain(text: str) -> Any:
    """Return recorded data, in which texts stand for numbers that JSON does not have, e.g. ``Infinity``."""
    return json.loads(text, parse_constant=str)


def _fold(contents: Contents, result: Result) -> dict[str, Any]:
    facts = contents.facts_of(result)
    metrics: dict[str, dict[str, Any]] = {}
    for label, value in result.metrics.items():
        uncertainty = facts.uncertainties.get(label, Uncertainty())
        metrics[label] = {
            "value": finite(value),
            "stderr": finite(uncertainty.stderr),
            "low": finite(uncertainty.low),
            "high": finite(uncertainty.high),
            "users": uncertainty.users,
        }
        origin = facts.origin_of(label)
        if origin is not None:
            metrics[label]["taken"] = origin_facts(origin)
    return {
        "fold": result.fold,
        "fit_key": result.fit_key,
        "fit_seconds": facts.fit_seconds,
        "predict_seconds": facts.predict_seconds,
        "start_seconds": facts.start_seconds,
        "peak_memory": facts.peak_memory,
        **({"attempts": [dict(attempt) for attempt in facts.attempts]} if facts.attempts else {}),
        "metrics": metrics,
        **({"tuning": _nested_tuning(result)} if result.chosen is not None else {}),
    }


def _nested_tuning(result: Result) -> dict[str, Any]:
    facts = tuning_facts(result)
    return {**facts, "chosen": _plain(facts["chosen"]), "budget": _plain(facts["budget"])}


def _grouped(all_folds: Iterable[Folds], key_of: Callable[[Folds], str]) -> list[list[Folds]]:
    groups: dict[str, list[Folds]] = {}
    for folds in all_folds:
        groups.setdefault(key_of(folds), []).append(folds)
    return list(groups.values())

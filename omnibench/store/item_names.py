"""What the items of a store are called: whether a dataset, a configuration or an item has a name that somebody wrote."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from omnibench.keys import DISPLAY_DIGITS, recorded_text, sha256
from omnibench.naming import full_value_text, number_text, plain_label, tuned_label
from omnibench.store.schema import SEARCHED, Record, configuration_in
from omnibench.store.written_names import hash_of, is_digits, literal, node_parts, stem_of, written_names
from omnibench.terminal import terminal_line

_CIRCUMSTANCES = ("seed", "version", "device", "threads", "salt", "module", "refit", "search")
"""What labels may show beside hyperparameters; the identity of an item says it."""

_TRAIN = "train"
"""What a model is fitted on where its identity says nothing of a refit."""


def call_text(record: Record) -> str:
    """Return what an item's configuration is called, with all hyperparameters, e.g. ``RecPack.ItemKNN(K=100)``."""
    name = record.get("user_label") or stem_of(record["algorithm"])
    values = dict(record.get("parameters") or {})
    refit = configuration_in(record).get("refit")
    if refit:
        values.setdefault("refit", refit)
    arguments = [f"{key}={full_value_text(value)}" for key, value in values.items()]
    if record.get(SEARCHED):
        return terminal_line(tuned_label(name, arguments))
    return terminal_line(f"{name}({','.join(arguments)})" if arguments else name)


def title_of(record: Record) -> str:
    """Return what people call an item, e.g. ``MovieLens100K/RecPack.ItemKNN(K=100)/fold_0``."""
    dataset = terminal_line(record.get("dataset_label") or stem_of(record["dataset"]))
    return f"{dataset}/{call_text(record)}{last_parts(record)}"


def last_parts(record: Record) -> str:
    """Return the end of an item's name: its fold, where there are folds, and its seed, where its benchmark has several."""
    fold, seed = record.get("fold"), record.get("seed")
    return ("" if fold is None else f"/fold_{fold}") + ("" if seed is None else f"/seed_{seed}")


def seed_of(record: Record) -> int | None:
    """Return the seed that an item is fitted with, or None where it is not recorded."""
    seed = configuration_in(record).get("seed")
    return None if seed is None else int(seed)


def asks_once(record: Record) -> bool:
    """Whether an item is fitted once for several seeds, because its configuration is known to be deterministic."""
    return record.get("seeds", 1) > 1 and record.get("seed") is None


def search_hash(record: Record) -> str:
    """Return what labels tell a search by from another one for the same algorithm; empty where there is none.

    It is that of ``experiment.search.TuningRequest``.
    """
    search = configuration_in(record).get("search")
    if not isinstance(search, dict) or not {"space", "tuning"} <= search.keys():
        return ""
    return sha256(recorded_text([search["space"], search["tuning"]]))[:DISPLAY_DIGITS]


def seedless_key(record: Record) -> str:
    """Return what identifies a configuration without its seed, or an empty text where that is not recorded."""
    identity = record.get("identity")
    if not identity:
        return ""
    configuration = identity[1]["configuration"]
    with_key = _seedless_keys.get(id(configuration))
    if with_key is None or with_key[0] is not configuration:
        if len(_seedless_keys) >= _AT_HAND:
            _seedless_keys.clear()
        form, members = configuration
        members = {name: member for name, member in members.items() if name != "seed"}
        with_key = _seedless_keys[id(configuration)] = configuration, sha256(recorded_text([form, members]))
    return with_key[1]


_seedless_keys: dict[int, tuple[Any, str]] = {}
"""The keys of configurations that were asked for last, with these, by their ids: the items of one share it, and nobody changes it."""
_AT_HAND = 4096


def dataset_names(record: Record) -> list[str]:
    """Return what an item's dataset is called: its full name, its label, and the name without its hash."""
    label = record.get("dataset_label") or ""
    names = (record["dataset"], label, plain_label(label), stem_of(record["dataset"]))
    return list(dict.fromkeys(name for name in names if name))


def is_dataset(text: str, record: Record) -> bool:
    """Whether an item is of the dataset that a text names, with or without the beginning of its hash."""
    base, _, digits = text.rpartition("-")
    return text in dataset_names(record) or (
        is_digits(digits) and hash_of(record["dataset"]).startswith(digits) and base in dataset_names(record)
    )


def algorithm_names(record: Record) -> list[str]:
    """Return what an item's algorithm is called: with its framework or without, or by the user's label."""
    stem, label = stem_of(record["algorithm"]), record.get("user_label") or ""
    framework, dot, short = stem.partition(".")
    names = [stem, label, plain_label(label), *((short, framework) if dot else ())]
    return list(dict.fromkeys(name for name in names if name))


def is_algorithm(text: str, record: Record) -> bool:
    """Whether an item is of a configuration that a text names, with or without hyperparameters and hash."""
    if text == record["algorithm"]:
        return True
    bases = algorithm_names(record)
    return any(
        part.base in bases
        and (not part.tuned or bool(record.get(SEARCHED)))
        and any(own_hash.startswith(part.digits) for own_hash in hashes(record))
        and all(_has_argument(record, name, value) for name, value in part.arguments.items())
        for part in written_names(text)
    )


def hashes(record: Record) -> list[str]:
    """Return the hashes that an item's algorithm goes by: in its name, and in node ids."""
    node = node_parts(record.get("node") or "")
    return [hash_of(record["algorithm"]), *([hash_of(node.algorithm)] if node else [])]


def _has_argument(record: Record, name: str, text: str) -> bool:
    """Whether an item has a hyperparameter, a seed or the like, with the value that a text says."""
    values: dict[str, Any] = dict(record.get("parameters") or {})
    if name not in values and name in _CIRCUMSTANCES:
        values |= {"module": record.get("module"), "refit": _TRAIN, **configuration_in(record)}
        values["search"] = search_hash(record)
    if name not in values:
        return False
    own = full_value_text(values[name])
    written = plain_label(re.sub(r"\s+", "", text))  # as labels show it, or as Python does
    if written.endswith(".."):  # a label cuts long values
        return own.startswith(written[:-2])
    return number_text(own) in (number_text(written), number_text(full_value_text(literal(text))))


def group_names(record: Record) -> Iterator[str]:
    """Yield every name of an item without its fold."""
    algorithms = dict.fromkeys([record["algorithm"], *algorithm_names(record), call_text(record)])
    for algorithm in algorithms:
        yield algorithm
        for dataset in dataset_names(record):
            yield f"{dataset}/{algorithm}"


def exact_names(record: Record) -> list[str]:
    """Return what outputs call an item, with and without its dataset and its fold."""
    words, dataset = call_text(record), record.get("dataset_label") or stem_of(record["dataset"])
    return [f"{start}{words}{end}" for start in ("", f"{dataset}/") for end in ends_of(record)]


def ends_of(record: Record) -> list[str]:
    """Return the ends that an item's name may have behind its configuration: nothing, its fold, its seed, or both."""
    fold = "" if record.get("fold") is None else f"/fold_{record['fold']}"
    return list(dict.fromkeys(["", fold, f"{fold}/seed_{seed_of(record)}", f"/seed_{seed_of(record)}"]))


def has_name(name: str, record: Record) -> bool:
    """Whether an item has exactly this full name, with its seed or without."""
    return name in (record["item"], f"{record['item']}/seed_{seed_of(record)}")


def has_hashes(name: str, record: Record) -> bool:
    """Whether the last part of a node id, e.g. ``D-a3f8e2c1/A(K=100)-b7d4a9f1/fold_0``, has an item's hashes."""
    written = node_parts(name)
    recorded = (node_parts(record.get("node") or ""), node_parts(record["item"]))
    if written is None or written.seed not in (None, seed_of(record)):
        return False
    return written.hashes in [parts.hashes for parts in recorded if parts]


def was_called(name: str, record: Record) -> bool:
    """Whether an own class's record, of before node ids had a hash of their own, is called as a node id says."""
    written = node_parts(name)
    if written is None or "node" in record or configuration_in(record).get("code") is None:
        return False
    return (
        hash_of(written.dataset) == hash_of(record["dataset"])
        and written.fold == record.get("fold")
        and written.seed in (None, seed_of(record))
        and is_algorithm(written.algorithm.rpartition("-")[0], record)
    )

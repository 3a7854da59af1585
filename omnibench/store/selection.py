"""Which items a text stands for: one grammar for every command that takes items. Records in, names out.

Forms, from the narrowest on: an item's name; a pytest node id; ``dataset/algorithm``; an algorithm, a label with
hyperparameters; the beginning of a key; a pattern. Nothing is guessed: what fits several items means all of them, and
where one is needed that is an error that lists them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from omnibench.errors import StoreError, nearest
from omnibench.naming import TUNED
from omnibench.store.item_names import (
    algorithm_names,
    call_text,
    dataset_names,
    ends_of,
    exact_names,
    group_names,
    has_hashes,
    has_name,
    hashes,
    is_algorithm,
    is_dataset,
    search_hash,
    seed_of,
    seedless_key,
    title_of,
    was_called,
)
from omnibench.store.schema import Record, configuration_in
from omnibench.store.search_words import search_words
from omnibench.store.written_names import (
    FEWEST_DIGITS,
    WrittenItem,
    hash_of,
    is_digits,
    is_pattern,
    node_names,
    pattern_of,
    splits,
    written_names,
)

_LONGEST_LIST = 10
"""Items that an error lists; of more, the others are counted."""

_MOST_COMPARED = 2000
"""Items of a store whose full names are suggested, too; of more that would take seconds."""


def select(text: str, items: Mapping[str, Record], noun: str = "item") -> list[str]:
    """Return the names of all items that a text stands for, at least one.

    Args:
        text: The text; see ``docs/store.md``, "Naming items".
        items: The items' records, by name.
        noun: What an error calls that which does not exist.

    Raises:
        StoreError: It fits no item, or means two things at once.
    """
    stripped = text.strip().rstrip("/")
    if stripped in items:
        return [stripped]
    if "::" in stripped:
        names = _nodes(stripped, items)
        if names:
            return names
    names = _named(stripped, items)
    keyed = [name for name, record in items.items() if record["fit_key"].startswith(stripped) and is_digits(stripped)]
    if names and keyed and names != keyed:
        raise StoreError(
            f"{text!r} is both a name and the beginning of a key; write more of the key, or the name with its dataset:"
            + _listed([*names, *(name for name in keyed if name not in names)], items)
        )
    matches = names or keyed or _hashed(stripped, items) or _fitting(stripped, items)
    if not matches:
        advice = _advice(stripped, items)
        raise StoreError(f"{text!r}: there is no such {noun}{advice} `omnibench status --all` lists them.")
    return matches


def select_one(text: str, items: Mapping[str, Record]) -> str:
    """Return the name of the only item that a text stands for.

    Args:
        text: The text.
        items: The items' records, by name.

    Raises:
        StoreError: It fits no item, or several, which are listed.
    """
    names = select(text, items)
    if len(names) > 1:
        raise StoreError(
            f"{text!r} may be any of {len(names)} items; give one of their names or keys:{_listed(names, items)}"
        )
    return names[0]


def select_all(texts: Iterable[str], items: Mapping[str, Record]) -> list[str]:
    """Return the names of all items that any of several texts stands for, each once.

    Raises:
        StoreError: One of the texts fits no item.
    """
    return list(dict.fromkeys(name for text in texts for name in select(text, items)))


def select_configuration(text: str, items: Mapping[str, Record]) -> tuple[tuple[str, ...], set[str]]:
    """Return the only configuration whose items a text stands for, and the datasets that these are of.

    Configurations that differ by the seed alone are one, of which a text that says a seed leaves that one.

    Args:
        text: The text.
        items: The items' records, by name.

    Raises:
        StoreError: It fits no item, or items of several configurations, which are listed.
    """
    names = select(text, items, "configuration")
    firsts: dict[str, str] = {}
    for name in names:
        firsts.setdefault(_configuration_of(items[name]), name)
    if len(firsts) > 1:
        lines = [f"  {items[name]['algorithm']}  {call_text(items[name])}" for name in firsts.values()]
        raise StoreError(
            f"{text!r} may be any of {len(lines)} configurations; give one of their names:\n"
            + "\n".join(_shortened(lines))
        )
    chosen = [items[name] for name in names]
    if not _says_seed(text):
        (configuration,) = firsts
        chosen = [record for record in items.values() if _configuration_of(record) == configuration]
    by_seed = sorted({(seed_of(record) or 0, record["algorithm"]) for record in chosen})
    return tuple(algorithm for _, algorithm in by_seed), {items[name]["dataset"] for name in names}


def _configuration_of(record: Record) -> str:
    """Return what identifies an item's configuration, whatever its seed."""
    return seedless_key(record) or record["algorithm"]


def _says_seed(text: str) -> bool:
    """Whether a text says a seed: ``BPR/seed_43`` or ``BPR(seed=43)``."""
    stripped = text.strip().rstrip("/")
    return any(
        words.seed is not None or any("seed" in part.arguments for part in written_names(words.algorithm))
        for words in splits(stripped)
    )


def select_datasets(text: str, items: Mapping[str, Record]) -> list[str]:
    """Return the names of the datasets that a text stands for, at least one.

    Args:
        text: A name, a label, a name with the beginning of its hash, such a beginning alone, or a pattern.
        items: The items' records, by name.

    Raises:
        StoreError: It fits no dataset.
    """
    by_dataset = {record["dataset"]: record for record in items.values()}
    stripped = text.strip().rstrip("/")
    names = [name for name, record in by_dataset.items() if is_dataset(stripped, record)]
    if not names and is_digits(stripped):
        names = [name for name in by_dataset if hash_of(name).startswith(stripped)]
    if not names and is_pattern(stripped):
        pattern = pattern_of(stripped)
        names = [name for name, record in by_dataset.items() if any(map(pattern.fullmatch, dataset_names(record)))]
    if not names:
        called = dict.fromkeys(word for record in by_dataset.values() for word in dataset_names(record))
        near = nearest(stripped, called) or f"; there are {', '.join(by_dataset) or 'none'}."
        raise StoreError(f"there is no dataset {text!r}{near}")
    return names


def _named(text: str, items: Mapping[str, Record]) -> list[str]:
    """Return the items whose algorithm, or dataset and algorithm, a text names."""
    readings = list(splits(text))
    fits: dict[tuple[str, str], list[WrittenItem]] = {}  # the folds of a configuration have its names
    names = []
    for name, record in items.items():
        group = (record["dataset"], record["algorithm"])
        if group not in fits:
            fits[group] = [
                words
                for words in readings
                if (words.dataset is None or is_dataset(words.dataset, record))
                and is_algorithm(words.algorithm, record)
            ]
        if any(words.is_of(record.get("fold"), seed_of(record)) for words in fits[group]):
            names.append(name)
    if f"({TUNED}" not in text:
        return names
    # What outputs call a search is its name, although others are called so with more in the parentheses.
    exact = [name for name in names if text in exact_names(items[name])]
    return exact or names


def _nodes(node_id: str, items: Mapping[str, Record]) -> list[str]:
    """Return the items that a pytest node id stands for; its file and function are not recorded, and not looked at.

    What a name says exactly comes before what its hashes say, which does not depend on the labels of a plan; last come
    the records of own classes from before node ids had a hash of their own.
    """
    names = node_names(node_id)
    for is_node in (has_name, has_hashes, was_called):
        matches = [item for item, record in items.items() if any(is_node(name, record) for name in names)]
        if matches:
            return matches
    return []


def _hashed(text: str, items: Mapping[str, Record]) -> list[str]:
    """Return the items whose algorithm has a hash that begins as a text does."""
    if not is_digits(text):
        return []
    return [name for name, record in items.items() if any(own_hash.startswith(text) for own_hash in hashes(record))]


def _fitting(text: str, items: Mapping[str, Record]) -> list[str]:
    """Return the items that have a name which fits a pattern."""
    if not is_pattern(text):
        return []
    pattern = pattern_of(re.sub(r"\s*([,=])\s*", r"\1", text))
    fits: dict[tuple[str, str], list[str]] = {}
    names = []
    for name, record in items.items():
        group = (record["dataset"], record["algorithm"])
        if group not in fits:
            fits[group] = list(group_names(record))
        if any(pattern.fullmatch(words + end) for words in fits[group] for end in ends_of(record)):
            names.append(name)
    return names


def _listed(names: Sequence[str], items: Mapping[str, Record]) -> str:
    titles = Counter(title_of(items[name]) for name in names)
    lines = [
        f"  {items[name]['fit_key'][:8]}  {title_of(items[name])}"
        + (_search_remark(items[name]) if titles[title_of(items[name])] > 1 else "")
        for name in names
    ]
    return "\n" + "\n".join(_shortened(lines))


def _search_remark(record: Record) -> str:
    """Return what tells a tuned item from another one of the same title: its budget, and the hash of its search."""
    search = search_hash(record)
    if not search:
        return ""
    return f"  ({search_words({}, configuration_in(record)['search']['tuning']).budget_text}, search={search})"


def _shortened(lines: Sequence[str]) -> list[str]:
    if len(lines) <= _LONGEST_LIST:
        return list(lines)
    return [*lines[:_LONGEST_LIST], f"  and {len(lines) - _LONGEST_LIST} more"]


def _advice(text: str, items: Mapping[str, Record]) -> str:
    """Return what somebody may have meant, behind the words ``there is no such item``."""
    if not items:
        return ", as the store has no items."
    groups = {(record["dataset"], record["algorithm"]): record for record in items.values()}.values()
    if any(is_dataset(text, record) for record in groups):
        return f", but a dataset is called so; '{text}/*' is all of its items."
    if re.fullmatch(rf"[0-9a-f]{{1,{FEWEST_DIGITS - 1}}}", text) and any(
        record["fit_key"].startswith(text) for record in items.values()
    ):
        return f"; of a key, give at least {FEWEST_DIGITS} digits."
    tail = text.rpartition("::")[2]
    names = dict.fromkeys(name for record in groups for name in (*algorithm_names(record), *dataset_names(record)))
    if len(items) <= _MOST_COMPARED:
        names |= dict.fromkeys(name for record in groups for name in group_names(record)) | dict.fromkeys(items)
    return nearest(tail, names) or "."

"""Which items a text stands for: one grammar for every command that takes items. Records in, names out.

Forms, from the narrowest on: an item's name; a pytest node id; ``dataset/algorithm``; an algorithm, a label with
hyperparameters; the beginning of a key; a pattern. Nothing is guessed: what fits several items means all of them, and
where one is needed that is an error that lists them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from omnibench.errors import StoreError, nearest
from omnibench.naming import number_text
from omnibench.store.schema import Record

FEWEST_DIGITS = 4
"""Digits that the beginning of a key or of a name's hash has at least; fewer are taken for a name."""

_LONGEST_LIST = 10
"""Items that an error lists; of more, the others are counted."""

_DIGITS = re.compile(rf"[0-9a-f]{{{FEWEST_DIGITS},64}}")
_HASHED = re.compile(rf"(?P<body>.+)-(?P<digits>[0-9a-f]{{{FEWEST_DIGITS},64}})", re.DOTALL)
_FOLD = re.compile(r"(?P<body>.*)/fold_(?P<fold>\d+)", re.DOTALL)
_UNSAFE = re.compile(r"[^\w.+()=,-]")
"""What labels do not have; a user's own label gets ``_`` in its place."""

_CIRCUMSTANCES = ("seed", "version", "device", "salt", "module")
"""What labels may show beside hyperparameters; the identity of an item says it."""


_MOST_COMPARED = 2000
"""Items of a store whose full names are suggested, too; of more that would take seconds."""


class _Part(NamedTuple):
    """A name as somebody wrote it, e.g. ``ItemKNN(K=100)-b7d4``.

    Attributes:
        base: The name without the rest.
        arguments: The texts of hyperparameters by name.
        digits: The beginning of the name's hash, or nothing.
    """

    base: str
    arguments: Mapping[str, str]
    digits: str


class _Words(NamedTuple):
    """A text, split at one of its slashes: it may name a dataset, and it may name a fold."""

    dataset: str | None
    algorithm: str
    fold: int | None


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
    keyed = [name for name, record in items.items() if record["fit_key"].startswith(stripped) and _is_digits(stripped)]
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


def select_configuration(text: str, items: Mapping[str, Record]) -> tuple[str, set[str]]:
    """Return the only configuration whose items a text stands for, and the datasets that these are of.

    Args:
        text: The text.
        items: The items' records, by name.

    Raises:
        StoreError: It fits no item, or items of several configurations, which are listed.
    """
    names = select(text, items, "configuration")
    configurations = dict.fromkeys(items[name]["algorithm"] for name in names)
    if len(configurations) > 1:
        firsts = [
            next(name for name in names if items[name]["algorithm"] == configuration)
            for configuration in configurations
        ]
        lines = [f"  {items[name]['algorithm']}  {call_text(items[name])}" for name in firsts]
        raise StoreError(
            f"{text!r} may be any of {len(lines)} configurations; give one of their names:\n"
            + "\n".join(_shortened(lines))
        )
    return next(iter(configurations)), {items[name]["dataset"] for name in names}


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
    names = [name for name, record in by_dataset.items() if _is_dataset(stripped, record)]
    if not names and _is_digits(stripped):
        names = [name for name in by_dataset if name.rpartition("-")[2].startswith(stripped)]
    if not names and _is_pattern(stripped):
        pattern = _pattern(stripped)
        names = [name for name, record in by_dataset.items() if any(map(pattern.fullmatch, _dataset_names(record)))]
    if not names:
        known = dict.fromkeys(word for record in by_dataset.values() for word in _dataset_names(record))
        near = nearest(stripped, known) or f"; there are {', '.join(by_dataset) or 'none'}."
        raise StoreError(f"there is no dataset {text!r}{near}")
    return names


def call_text(record: Record) -> str:
    """Return what an item's configuration is called, with all hyperparameters, e.g. ``RecPack.ItemKNN(K=100)``."""
    name = record.get("user_label") or _stem(record["algorithm"])
    arguments = ",".join(f"{key}={_value_text(value)}" for key, value in record.get("parameters", {}).items())
    return f"{name}({arguments})" if arguments else name


def title_of(record: Record) -> str:
    """Return what people call an item, e.g. ``MovieLens100K/RecPack.ItemKNN(K=100)/fold_0``."""
    fold = "" if record.get("fold") is None else f"/fold_{record['fold']}"
    return f"{record.get('dataset_label') or _stem(record['dataset'])}/{call_text(record)}{fold}"


def _named(text: str, items: Mapping[str, Record]) -> list[str]:
    """Return the items whose algorithm, or dataset and algorithm, a text names."""
    splits = list(_splits(text))
    fits: dict[tuple[str, str], list[_Words]] = {}  # the folds of a configuration have its names
    names = []
    for name, record in items.items():
        group = (record["dataset"], record["algorithm"])
        if group not in fits:
            fits[group] = [
                words
                for words in splits
                if (words.dataset is None or _is_dataset(words.dataset, record))
                and _is_algorithm(words.algorithm, record)
            ]
        if any(words.fold in (None, record.get("fold")) for words in fits[group]):
            names.append(name)
    return names


def _splits(text: str) -> Iterator[_Words]:
    """Yield every way to read a text as an algorithm, with or without a dataset, with or without a fold.

    A hyperparameter's value may have slashes, and a class may be called ``fold_1``.
    """
    match = _FOLD.fullmatch(text)
    bodies: list[tuple[str, int | None]] = [(text, None)]
    if match:
        bodies.append((match["body"], int(match["fold"])))
    for body, fold in bodies:
        yield _Words(None, body, fold)
        for slash in (position for position, character in enumerate(body) if character == "/"):
            yield _Words(body[:slash], body[slash + 1 :], fold)


def _is_dataset(text: str, record: Record) -> bool:
    if text in _dataset_names(record):
        return True
    match = _HASHED.fullmatch(text)
    own_hash = record["dataset"].rpartition("-")[2]
    return bool(match and own_hash.startswith(match["digits"]) and match["body"] in _dataset_names(record))


def _dataset_names(record: Record) -> list[str]:
    label = record.get("dataset_label") or ""
    names = (record["dataset"], label, _UNSAFE.sub("_", label), _stem(record["dataset"]))
    return list(dict.fromkeys(name for name in names if name))


def _is_algorithm(text: str, record: Record) -> bool:
    if text == record["algorithm"]:
        return True
    bases = _algorithm_names(record)
    return any(
        part.base in bases
        and any(own_hash.startswith(part.digits) for own_hash in _hashes(record))
        and all(_has_argument(record, name, value) for name, value in part.arguments.items())
        for part in _parts(text)
    )


def _algorithm_names(record: Record) -> list[str]:
    """Return what an item's algorithm is called: with its framework or without, or by the user's label."""
    stem, label = _stem(record["algorithm"]), record.get("user_label") or ""
    framework, dot, short = stem.partition(".")
    names = [stem, label, _UNSAFE.sub("_", label), *((short, framework) if dot else ())]
    return list(dict.fromkeys(name for name in names if name))


def _hashes(record: Record) -> list[str]:
    """Return the hashes that an item's algorithm goes by: in its name, and in node ids."""
    node = _node_parts(record.get("node") or "")
    return [record["algorithm"].rpartition("-")[2], *([node[1].rpartition("-")[2]] if node else [])]


def _parts(text: str) -> Iterator[_Part]:
    """Yield every way to read the name of a configuration; a user's label may end like a hash, and have brackets."""
    match = _HASHED.fullmatch(text)
    for body, digits in ((text, ""), *([(match["body"], match["digits"])] if match else [])):
        yield _Part(body.strip(), {}, digits)
        for bracket in (position for position, character in enumerate(body) if character == "("):
            arguments = _arguments(body[bracket + 1 : -1]) if body.endswith(")") else None
            if arguments is not None:
                yield _Part(body[:bracket].strip(), arguments, digits)


def _arguments(text: str) -> dict[str, str] | None:
    """Return the texts of hyperparameters by name, or None when these are none; ``+3``, as labels end, says nothing."""
    arguments: dict[str, str] = {}
    for piece in _pieces(text):
        name, equals, value = piece.partition("=")
        if equals:
            arguments[name.strip()] = value.strip()
        elif piece.strip() and not re.fullmatch(r"\s*\+\d+\s*", piece):
            return None
    return arguments


def _pieces(text: str) -> Iterator[str]:
    """Yield what stands between the commas of a text, except for those inside of brackets or quotation marks."""
    depth, start, quote = 0, 0, ""
    for position, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif character == "," and depth <= 0:
            yield text[start:position]
            start = position + 1
    yield text[start:]


def _has_argument(record: Record, name: str, text: str) -> bool:
    """Whether an item has a hyperparameter, a seed or the like, with the value that a text says."""
    values: dict[str, Any] = dict(record.get("parameters") or {})
    if name not in values and name in _CIRCUMSTANCES:
        values |= {"module": record.get("module"), **_configuration(record)}
    if name not in values:
        return False
    own = _value_text(values[name])
    written = re.sub(r"[^\w.+(),=-]", "_", re.sub(r"\s+", "", text))  # as labels show it, or as Python does
    if written.endswith(".."):  # a label cuts long values
        return own.startswith(written[:-2])
    return number_text(own) in (number_text(written), number_text(_value_text(_value(text))))


def _configuration(record: Record) -> dict[str, Any]:
    """Return what an item's key says of its configuration; nothing for a record that lacks it."""
    try:
        configuration: dict[str, Any] = record["identity"][1]["configuration"][1]
    except (KeyError, IndexError, TypeError):
        return {}
    return configuration


def _value(text: str) -> Any:
    """Return the value that a text stands for: a literal of Python, else the text itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def _value_text(value: Any) -> str:
    """Return a value as labels show it, at full length."""
    if isinstance(value, Mapping):
        members = (f"{_value_text(name)}={_value_text(inner)}" for name, inner in value.items())
        return f"({','.join(members)})"
    if isinstance(value, list | tuple):
        return f"({','.join(_value_text(element) for element in value)})"
    return re.sub(r"[^\w.+-]", "_", str(value))


def _nodes(node_id: str, items: Mapping[str, Record]) -> list[str]:
    """Return the items that a pytest node id stands for; its file and function are not recorded, and not looked at.

    What a name says exactly comes before what its hashes say, which does not depend on the labels of a plan; last come
    the records of own classes from before node ids had a hash of their own.
    """
    _, *parts = node_id.split("::")
    tails = ["::".join(parts[start:]) for start in range(len(parts))]
    names = dict.fromkeys(
        name for tail in tails for name in (tail, re.sub(r"\[[^\[\]]*\]$", "", tail), tail.partition("[")[0])
    )
    for is_node in (_has_name, _has_hashes, _was_called):
        matches = [item for item, record in items.items() if any(is_node(name, record) for name in names)]
        if matches:
            return matches
    return []


def _has_name(name: str, record: Record) -> bool:
    return bool(name == record["item"])


def _has_hashes(name: str, record: Record) -> bool:
    """Whether the last part of a node id, e.g. ``D-a3f8e2c1/A(K=100)-b7d4a9f1/fold_0``, has an item's hashes."""
    written = _hashed_parts(name)
    recorded = (_hashed_parts(record.get("node") or ""), _hashed_parts(record["item"]))
    return written is not None and written in recorded


def _hashed_parts(name: str) -> tuple[str, str, int | None] | None:
    """Return the hashes of dataset and algorithm and the fold in an item's name, or None when it is none."""
    parts = _node_parts(name)
    return parts and (parts[0].rpartition("-")[2], parts[1].rpartition("-")[2], parts[2])


def _was_called(name: str, record: Record) -> bool:
    """Whether an own class's record, of before node ids had a hash of their own, is called as a node id says."""
    written = _node_parts(name)
    if written is None or "node" in record or _configuration(record).get("code") is None:
        return False
    dataset, algorithm, fold = written
    return (
        dataset.rpartition("-")[2] == record["dataset"].rpartition("-")[2]
        and fold == record.get("fold")
        and _is_algorithm(algorithm.rpartition("-")[0], record)
    )


def _node_parts(name: str) -> tuple[str, str, int | None] | None:
    """Return dataset, algorithm and fold of an item's name, or None when it is none."""
    match = _FOLD.fullmatch(name)
    body, fold = (match["body"], int(match["fold"])) if match else (name, None)
    dataset, slash, algorithm = body.partition("/")
    return (dataset, algorithm, fold) if slash else None


def _hashed(text: str, items: Mapping[str, Record]) -> list[str]:
    """Return the items whose algorithm has a hash that begins as a text does."""
    if not _is_digits(text):
        return []
    return [name for name, record in items.items() if any(own_hash.startswith(text) for own_hash in _hashes(record))]


def _is_digits(text: str) -> bool:
    return _DIGITS.fullmatch(text) is not None


def _is_pattern(text: str) -> bool:
    return "*" in text or "?" in text


def _pattern(text: str) -> re.Pattern[str]:
    """Return the pattern of a text with ``*`` (anything, slashes included) and ``?``; brackets stand for themselves."""
    wild = {"*": ".*", "?": "."}
    return re.compile("".join(wild.get(character) or re.escape(character) for character in text), re.DOTALL)


def _fitting(text: str, items: Mapping[str, Record]) -> list[str]:
    """Return the items that have a name which fits a pattern."""
    if not _is_pattern(text):
        return []
    pattern = _pattern(re.sub(r"\s*([,=])\s*", r"\1", text))
    fits: dict[tuple[str, str], list[str]] = {}
    names = []
    for name, record in items.items():
        group = (record["dataset"], record["algorithm"])
        if group not in fits:
            fits[group] = list(_group_names(record))
        fold = "" if record.get("fold") is None else f"/fold_{record['fold']}"
        if any(pattern.fullmatch(words) or (fold and pattern.fullmatch(words + fold)) for words in fits[group]):
            names.append(name)
    return names


def _group_names(record: Record) -> Iterator[str]:
    """Yield every name of an item without its fold."""
    algorithms = dict.fromkeys([record["algorithm"], *_algorithm_names(record), call_text(record)])
    for algorithm in algorithms:
        yield algorithm
        for dataset in _dataset_names(record):
            yield f"{dataset}/{algorithm}"


def _stem(name: str) -> str:
    return name.rpartition("-")[0] or name


def _listed(names: Sequence[str], items: Mapping[str, Record]) -> str:
    lines = [f"  {items[name]['fit_key'][:8]}  {title_of(items[name])}" for name in names]
    return "\n" + "\n".join(_shortened(lines))


def _shortened(lines: Sequence[str]) -> list[str]:
    if len(lines) <= _LONGEST_LIST:
        return list(lines)
    return [*lines[:_LONGEST_LIST], f"  and {len(lines) - _LONGEST_LIST} more"]


def _advice(text: str, items: Mapping[str, Record]) -> str:
    """Return what somebody may have meant, behind the words ``there is no such item``."""
    if not items:
        return ", as the store has no items."
    groups = {(record["dataset"], record["algorithm"]): record for record in items.values()}.values()
    if any(_is_dataset(text, record) for record in groups):
        return f", but a dataset is called so; '{text}/*' is all of its items."
    if re.fullmatch(rf"[0-9a-f]{{1,{FEWEST_DIGITS - 1}}}", text) and any(
        record["fit_key"].startswith(text) for record in items.values()
    ):
        return f"; of a key, give at least {FEWEST_DIGITS} digits."
    tail = text.rpartition("::")[2]
    names = dict.fromkeys(name for record in groups for name in (*_algorithm_names(record), *_dataset_names(record)))
    if len(items) <= _MOST_COMPARED:
        names |= dict.fromkeys(name for record in groups for name in _group_names(record)) | dict.fromkeys(items)
    return nearest(tail, names) or "."

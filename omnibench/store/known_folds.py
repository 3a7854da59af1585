"""Items whose texts begin as that of another fold of their configuration does: what they say alike is looked at once.

The first of a configuration is read as any item is; of the next its text has to be the same there, which takes one comparison.
"""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

from omnibench.store.file_forms import ITEM_DIRECTORY
from omnibench.store.item_texts import TextsAroundFold, light_item_in, outcome_in, with_outcome
from omnibench.store.packed_metrics import MetricsPacker
from omnibench.store.schema import Record

T = TypeVar("T")
"""What is kept of a configuration."""

_NAME_BEGIN = len('{"item": "')
_FIT_KEY = '", "fit_key": "'
_FOLDS: dict[str, int] = {str(fold): fold for fold in range(1000)}
"""Folds by their texts; those with higher numbers are read as the first of a configuration is."""

_AT_HAND = 1024
"""Configurations whose text is kept: their folds mostly follow each other."""


class KnownFold(NamedTuple, Generic[T]):
    """What is known of an item by the text of another fold of its configuration.

    Attributes:
        name: Its name.
        fold: Its fold.
        of_configuration: What is kept of the configuration.
        outcome_begin: Where the text begins that is its own; see ``item_texts.outcome_in``.
        directory: Its name where that could be the name of a directory.
    """

    name: str
    fold: int
    of_configuration: T
    outcome_begin: int
    directory: str | None


class _Configuration(NamedTuple, Generic[T]):
    """What the texts of a configuration's folds have alike.

    Attributes:
        around_fold: The texts before and behind both places where the fold stands; see ``item_texts.TextsAroundFold``.
        is_directory: Whether their names could be those of directories.
        of_configuration: What is kept of it.
    """

    around_fold: tuple[str, str, str]
    is_directory: bool
    of_configuration: T


class KnownFolds(Generic[T]):
    """Finds items whose configuration has been met, by their texts."""

    def __init__(self) -> None:
        self._configurations: dict[str, _Configuration[T]] = {}

    def find(self, fit_key: str, text: str) -> KnownFold[T] | None:
        """Return what is known of an item; None where no other fold has begun alike.

        Args:
            fit_key: Its key.
            text: The JSON of its record.
        """
        end = text.find('"', _NAME_BEGIN)
        begin = text.rfind("_", _NAME_BEGIN, end) + 1
        configuration = self._configurations.get(text[_NAME_BEGIN:begin])
        fold_text = text[begin:end]
        fold = _FOLDS.get(fold_text)
        if configuration is None or fold is None:
            return None
        (first, second, third), is_directory, of_configuration = configuration
        shared_text = f"{_FIT_KEY}{fit_key}{first}{fold_text}{second}{fold_text}{third}"
        if not text.startswith(shared_text, end):
            return None
        name = text[_NAME_BEGIN:end]
        return KnownFold(name, fold, of_configuration, end + len(shared_text), name if is_directory else None)

    def keep(self, name: str, fold: int | None, around_fold: TextsAroundFold, of_configuration: T) -> None:
        """Keep something of an item's configuration, unless the item has no fold, or its name does not end with it.

        Args:
            name: The item's name.
            fold: Its fold, which its identity has, too.
            around_fold: What its text has told; see ``item_texts.light_item_in``.
            of_configuration: What ``find`` returns of other folds.
        """
        prefix, separator, number = name.rpartition("_")
        if fold is None or number != str(fold):
            return
        if len(self._configurations) >= _AT_HAND:
            self._configurations.clear()
        is_directory = ITEM_DIRECTORY.fullmatch(name) is not None
        self._configurations[prefix + separator] = _Configuration(around_fold.texts, is_directory, of_configuration)


class LightItems:
    """Returns what ``item_texts.light_item_in`` does of items that are read one after the other.

    Args:
        with_node: See there.
        with_metrics: See there.
    """

    def __init__(self, *, with_node: bool = False, with_metrics: bool = True) -> None:
        self._with_node = with_node
        self._with_metrics = with_metrics
        self._packer = MetricsPacker()
        self._folds = KnownFolds[Record]()

    def record_in(self, key: str, fit_key: str, text: str) -> Record | None:
        """Return the record of a done item without what only runs need; None where it has to be parsed to tell.

        Args:
            key: The record's key.
            fit_key: The item's, which is part of that.
            text: The record's JSON, without its checksum.
        """
        known = self._folds.find(fit_key, text)
        if known is None:
            return self._first_record_in(key, text)
        outcome = outcome_in(text, known.outcome_begin, self._packer, known.directory, with_metrics=self._with_metrics)
        if outcome is None:
            return None
        record = known.of_configuration.copy()
        record["item"], record["fit_key"], record["fold"] = known.name, fit_key, known.fold
        tag, members = record["identity"]
        identity = members.copy()
        identity["fold"] = known.fold
        record["identity"] = [tag, identity]
        if outcome.node is None:
            record.pop("node", None)
        elif self._with_node and "node" not in record:  # it has its place among the members
            return self._first_record_in(key, text)
        return with_outcome(record, outcome, with_node=self._with_node, with_metrics=self._with_metrics)

    def _first_record_in(self, key: str, text: str) -> Record | None:
        around_fold = TextsAroundFold()
        record = light_item_in(
            key, text, self._packer, with_node=self._with_node, with_metrics=self._with_metrics, around_fold=around_fold
        )
        if record is not None and record["identity"][1]["fold"] == record["fold"]:
            self._folds.keep(record["item"], record["fold"], around_fold, record.copy())
        return record

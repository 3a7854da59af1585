"""How the metrics of a done item are read from the text of its record: 100,000 of them are searched, not parsed.

The search relies on the order of members in what ``item_records.done_item`` builds and on how ``json.dumps`` writes it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from omnibench.store.schema import GROUPS


def alike_seed_in(text: str) -> int | None:
    """Return the other seed that has made an item's predictions, too, from the text of its record.

    The text is searched as by ``DoneText.metrics_in``: right before the status of an item that is done.
    """
    status = text.rfind(_DONE)
    match = _AS_SEED.search(text, max(0, status - _LONGEST_AS_SEED), status)
    return None if match is None else int(match[1])


class MetricText(NamedTuple):
    """A wanted metric, as an item's record has it.

    Attributes:
        label: Its label.
        identity: The text that identifies it.
        of_group: Where the label stands for all groups, from a group to its own metric; else None.
    """

    label: str
    identity: str
    of_group: Callable[[str], MetricText] | None = None

    @property
    def around_value(self) -> tuple[str, str]:
        """The texts before its value and behind its key."""
        return f'{json.dumps(self.label)}: {{"value": ', f'", "metric": {json.dumps(self.identity)}}}'


class DoneText(NamedTuple):
    """Texts to look for in an item's record: they show that the wanted metrics are recorded and up to date.

    Attributes:
        origin: The end of the text, except for the token; it tells what the metrics were computed from.
        metrics: Each metric, and the texts before its value and behind its key.
        is_divided: Whether some of them stand for all groups.
    """

    origin: str
    metrics: tuple[tuple[MetricText, str, str], ...]
    is_divided: bool = False

    @classmethod
    def of(cls, predicted: str, test: str, metrics: Iterable[MetricText]) -> DoneText:
        """Return the parts to look for.

        Args:
            predicted: What the predictions depend on beside the model; see ``Experiment.predicted``.
            test: The sha256 of the test part.
            metrics: The wanted metrics.
        """
        wanted = tuple((metric, *metric.around_value) for metric in metrics)
        return cls(
            f'"predicted": {json.dumps(predicted)}, "test": {json.dumps(test)}{_TOKEN}',
            wanted,
            any(metric.of_group is not None for metric, _, _ in wanted),
        )

    def metrics_in(self, text: str) -> dict[str, float] | None:
        """Return the wanted metrics by label, or None when the text does not hold all of them as they are wanted.

        The text is searched, not parsed, which takes a third of the time. That is safe: only records that ``done_item``
        builds end with ``origin``. In these the last match of ``_DONE`` is the item's own status: behind it only the
        metrics are objects, and JSON escapes the quotation marks inside of strings. Where the text is different, the
        caller reads the other records.

        Args:
            text: The JSON of an item's record, without its checksum.
        """
        begin = text.rfind(_DONE)
        if begin < 0 or not text.startswith(self.origin, len(text) - len(self.origin) - _TOKEN_DIGITS - len('"}')):
            return None
        begin += len(_DONE)  # a metric may be called "metrics"
        values = {}
        for metric, prefix, suffix in self._of_groups(text, begin) if self.is_divided else self.metrics:
            start = text.find(prefix, begin)
            while text[start - 1] == "\\":  # the end of a longer label that has a quotation mark in it
                start = text.find(prefix, start + 1)
            end = text.find(_KEY, start)
            if start < 0 or not text.startswith(suffix, end + len(_KEY) + _KEY_DIGITS):
                return None
            value = text[start + len(prefix) : end]
            if value == "null":
                return None
            try:
                values[metric.label] = float(value)
            except ValueError:  # no text that `done_item` has made
                return None
        return values

    def _of_groups(self, text: str, begin: int) -> Iterator[tuple[MetricText, str, str]]:
        """Yield the metrics with those of recorded groups in the place of the ones that stand for all groups.

        Args:
            text: The JSON of an item's record.
            begin: Where its metrics begin.
        """
        groups: Mapping[str, Any] | None = None
        for metric, prefix, suffix in self.metrics:
            if metric.of_group is None:
                yield metric, prefix, suffix
                continue
            groups = _groups_in(text, begin) if groups is None else groups
            entry = groups.get(metric.label)
            if entry is None or entry["metric"] != metric.identity:
                yield metric, prefix, suffix  # which is not there
                continue
            for group in entry["names"]:
                member = metric.of_group(group)
                yield member, *member.around_value


def _groups_in(text: str, begin: int) -> Mapping[str, Any]:
    """Return the groups in the text of a done item's record; nothing where it has none.

    Args:
        text: The JSON of the record.
        begin: Where its metrics begin.
    """
    start = text.rfind(_GROUPS, 0, begin)
    if start < 0:
        return {}
    groups, end = json.JSONDecoder().raw_decode(text, start + len(_GROUPS))
    # Anything else with this name, e.g. a hyperparameter, does not stand right before the status.
    return groups if isinstance(groups, dict) and _STATUS.fullmatch(text, end, begin) else {}


_DONE = '"status": "done", "metrics": {'
_GROUPS = f'"{GROUPS}": '
_STATUS = re.compile(rf', (?:"as_seed": \d+, )?{re.escape(_DONE)}')
_AS_SEED = re.compile(r'"as_seed": (\d+), \Z')
_LONGEST_AS_SEED = 30
_KEY = ', "key": "'
_KEY_DIGITS = 64
_TOKEN = ', "token": "'  # noqa: S105 - of a lease
"""``CheckpointStore.commit`` puts the token of the item's lease behind all else."""
_TOKEN_DIGITS = 32

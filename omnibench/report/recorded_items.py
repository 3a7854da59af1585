"""What the own records of items say that facts about them take, and how items were made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from omnibench.keys import recorded_text, sha256
from omnibench.store.schema import Record


class RecordedItem(NamedTuple):
    """What facts about an item take of its own record.

    Attributes:
        configuration: The tagged fields that the key of its configuration is made of; None where they are not recorded.
        data_key: Identifies its dataset.
        parameters: The explicit hyperparameters.
        predict_key: Identifies its predictions; empty where that is not recorded.
        finished: When it was done, as an ISO timestamp, or empty.
        metrics: Its metrics by label, each with the ``key`` of its evaluation.
    """

    configuration: list[Any] | None
    data_key: str
    parameters: Mapping[str, Any]
    predict_key: str
    finished: str
    metrics: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, item: Record) -> RecordedItem:
        """Return that part of an item's record, which may be a light one with metrics."""
        fields = identity[1] if (identity := item.get("identity")) else {}
        return cls(
            fields.get("configuration"),
            item.get("data_key") or fields.get("data", ""),
            item["parameters"],
            item.get("predict_key") or "",  # store format 1 has none
            item.get("finished") or "",
            item["metrics"],
        )


class Making(NamedTuple):
    """What says how an item was made: the digest of its configuration, its hyperparameters as text, framework and version."""

    configuration_key: str
    parameters: str
    framework: str
    version: str


def making_of(configuration: list[Any] | None, parameters: Mapping[str, Any]) -> Making:
    """Return how an item was made.

    Args:
        configuration: The tagged fields that the key of its configuration is made of; None where they are not recorded.
        parameters: The explicit hyperparameters.
    """
    fields = configuration[1] if configuration else {}
    return Making(
        sha256(recorded_text(configuration)) if configuration else "",
        recorded_text(fields.get("parameters", parameters)),
        fields.get("runner", ""),
        fields.get("version", ""),
    )

"""What a fit is made of, cut out of the text of its record, is what parsing the record returns."""

from __future__ import annotations

import json
from typing import Any

import pytest

from omnibench.store.builders import ItemLabels, Origin, fit_record
from omnibench.store.phase_numbers import versions_in
from omnibench.store.phase_texts import origin_in
from omnibench.store.schema import COSTS, Artifact

CONFIGURATION = ["configuration/1", {"runner": "Own", "algorithm": "A", "parameters": {"epochs": 9}, "seed": 42}]
IDENTITY = ["fit/1", {"configuration": CONFIGURATION, "data": "d" * 64, "fold": 1}]
FILE: Artifact = {"path": "D-dddddddd/A-aaaaaaaa/model.bin", "size": 3, "sha256": "c" * 64, "stat": [7, 1, 3]}
ANSWER = {
    **dict.fromkeys(COSTS, 0.25),
    "start_seconds": 0.0,
    "threads": 2,
    "effective": {"epochs": 9},
    "version": "1.0",
}


def text_of(**answer: Any) -> str:
    """The text of a fit's record as a run writes it."""
    labels = ItemLabels("D/a", "a" * 64, "D", "A-aaaaaaaa", {"epochs": 9}, 1, IDENTITY, "d" * 64)
    origin = Origin("run", "run.main.x", "D-dddddddd/A-aaaaaaaa")
    return json.dumps(fit_record(labels, origin, {**ANSWER, **answer}, FILE))


@pytest.mark.parametrize("epochs", [None, 0, 1, 300, 10**17])
def test_fits_of_any_number_of_epochs_are_cut_out(epochs: int | None) -> None:
    """A model that was trained for a number of epochs says it between the version and the identity; neither way parses it."""
    text = text_of(epochs=epochs)
    record = json.loads(text)
    assert ("epochs" in record) == (epochs is not None)
    origin = origin_in(text)
    assert origin is not None
    assert (origin.version, origin.identity) == (record["version"], record["identity"]) == ("1.0", IDENTITY)
    assert versions_in([text.encode()]) == [b"1.0"]


@pytest.mark.parametrize("epochs", ['"300"', "-1", "1.5", "true", "{}", '300, "version": "2.0"'])
def test_epochs_of_another_form_are_left_to_parsing(epochs: str) -> None:
    """What no run writes is not guessed at."""
    text = text_of(epochs=300).replace('"epochs": 300', f'"epochs": {epochs}')
    assert origin_in(text) is None or origin_in(text) == (json.loads(text)["version"], json.loads(text)["identity"])
    assert versions_in([text.encode()])[0] in (None, json.loads(text)["version"].encode())

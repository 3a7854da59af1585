"""Trials as proposals, pruners and choices see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["done", "failed", "pruned"]


@dataclass(frozen=True, slots=True)
class Trial:
    """A configuration that a search has judged on the validation part, or tried to.

    Attributes:
        number: Its number in the search; 0 has the algorithm's defaults.
        parameters: What was proposed, without constants.
        state: Whether it is done, failed or was pruned.
        value: The metric on the validation part; None unless it is done.
        history: The metric after epochs, in their order: epoch (from 1) and value.
        seconds: What it cost: Fit, Predict and Eval together.
    """

    number: int
    parameters: Mapping[str, Any] = field(hash=False)
    state: State
    value: float | None = None
    history: tuple[tuple[int, float], ...] = ()
    seconds: float = 0.0

"""Why a plan refuses hyperparameters."""

from __future__ import annotations

from typing import Any

from omnibench import ExperimentPlan
from omnibench.errors import PlanError


def refusal(algorithm: Any, parameters: dict[str, Any]) -> str:
    """Why a plan refuses hyperparameters; nothing where it takes them."""
    try:
        ExperimentPlan("values").add_algorithm(algorithm, parameters)
    except PlanError as error:
        return str(error)
    return ""

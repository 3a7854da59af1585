"""The hyperparameters and features that ``memory.py`` fits all algorithms with."""

from __future__ import annotations

from typing import Any

QUICK: dict[str, Any] = {
    "epochs": 1,
    "max_epochs": 1,
    "iterations": 1,
    "n_epochs": 1,
    "num_epochs": 1,
    "max_iter": 1,
    "model.iterations": 1,
    "pretrain_epochs": 1,
    "critic_pretrain": {"pretrain_epochs": 1},
    "distillation": {"epochs": 1},
    "finetuning": {"epochs": 1},
}
"""Hyperparameters that change how long a Fit takes and not what it needs."""

FEATURES: dict[str, Any] = {
    "item_features": ["kind"],
    "user_features": ["group"],
    "selected_features": ["kind"],
    "item_attribute": "kind",
    "category_feature": "kind",
}
"""What is learned from by which hyperparameter; texts of which there are few."""

"""Tuning: spaces of hyperparameters, budgets, and which trial is tried next. It knows no experiment, store or guest."""

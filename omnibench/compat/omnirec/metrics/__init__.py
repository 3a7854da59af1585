"""Metrics with ``calculate(predictions, test)``."""

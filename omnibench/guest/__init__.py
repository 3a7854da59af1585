"""The guest, which runs inside a framework's environment: reads a fold, drives the framework, answers with plain data.

It may touch numpy, the framework and what is in this room; nothing else of omnibench is there.
"""

TRAIN_AND_VALIDATION = "train+validation"
"""The value of ``refit`` with which a model is fitted on the training and the validation part together."""

VALIDATION = "validation"
"""The value of ``judged`` with which predictions are made for the validation part and judged by it."""

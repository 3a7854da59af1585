"""Errors of a GPU that need words of ours: no memory left, and an operation that no two runs do alike."""

from __future__ import annotations

import re

_NO_MEMORY = (
    "cuda out of memory",
    "cuda error: out of memory",
    "cublas_status_alloc_failed",
    "oom when allocating tensor",
)
_NOT_DETERMINISTIC = "does not have a deterministic implementation"

_SIZE = r"([\d.]+ [KMGT]iB)"
_AMOUNTS = (
    ("{} were wanted", rf"tried to allocate {_SIZE}"),
    ("{} were free", rf"{_SIZE} is free|; {_SIZE} free;"),
    ("the GPU has {}", rf"total capacity of {_SIZE}|{_SIZE} total capacity"),
    ("PyTorch had {}", rf"{_SIZE} is allocated by pytorch|{_SIZE} already allocated"),
)
"""What PyTorch says from 2.1 on, and what it said before."""

_LESS_MEMORY = (
    "smaller batches or fewer factors need less, resources=Resources(gpus=1) keeps other Fits off its GPU, "
    "and --omnirec-device=cpu computes without one"
)
_OTHER_OPERATIONS = "--omnirec-device=cuda-deterministic allows no other; --omnirec-device=cuda does"


def gpu_error(error: str) -> str:
    """Return an error of a GPU with what it means and what helps; empty for every other error.

    Args:
        error: The error's text, of which the first sentence is kept.
    """
    folded = error.casefold()
    if any(phrase in folded for phrase in _NO_MEMORY):
        return f"{_first_sentence(error, 'memory')} ({'; '.join(filter(None, [_amounts(error), _LESS_MEMORY]))})"
    if _NOT_DETERMINISTIC in folded:
        return f"{_first_sentence(error, 'implementation')} ({_OTHER_OPERATIONS})"
    return ""


def _amounts(error: str) -> str:
    """Return how much memory there was, as far as the error tells."""
    known = ((words, re.search(pattern, error, re.IGNORECASE)) for words, pattern in _AMOUNTS)
    return ", ".join(words.format(next(filter(None, met.groups()))) for words, met in known if met is not None)


def _first_sentence(error: str, last_word: str) -> str:
    """Return the beginning of an error up to a word, or its first line."""
    head, word, _ = error.partition(last_word)
    return f"{head}{word}" if word and "\n" not in head else error.partition("\n")[0]

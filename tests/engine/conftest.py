"""Guests of users' classes are forked, as in inner runs: how they start is what ``tests/runners`` is about."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.forked_guests import forked_guests


@pytest.fixture(autouse=True)
def _forked_guests() -> Iterator[None]:
    """Fork the guests that a test starts in its own process."""
    with forked_guests():
        yield

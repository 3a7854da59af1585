"""What pytest's reports of benchmark items say: no secrets, which JUnit files would keep, and nothing that a terminal obeys."""

from __future__ import annotations

from typing import Any

import pytest

from omnibench.masking import masked
from omnibench.plugin.items import ExperimentItem, Refused
from omnibench.terminal import terminal_text


def mask_report(report: Any, item: pytest.Item) -> None:
    """Mask the secrets in a benchmark item's report and in the output captured beside it, and spell escapes out.

    Args:
        report: The report.
        item: The item that it is about; those of others are left alone.
    """
    if not isinstance(item, ExperimentItem | Refused):
        return
    if report.sections:
        report.sections[:] = [(title, masked(text)) for title, text in report.sections]
    if report.longrepr is not None:
        report.longrepr = _harmless(report.longrepr)


def _harmless(part: Any) -> Any:
    """Return a part of what a report says of a failure: a text, or one of pytest's objects, which is changed."""
    if isinstance(part, str):
        return terminal_text(masked(part))
    if isinstance(part, list):
        return [_harmless(element) for element in part]
    if isinstance(part, tuple):
        return tuple(_harmless(element) for element in part)
    if type(part).__module__.startswith("_pytest."):  # e.g. an ExceptionChainRepr, of entries, of lines
        for name, value in vars(part).items():
            object.__setattr__(part, name, _harmless(value))
    return part

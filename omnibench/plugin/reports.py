"""What pytest's reports of benchmark items say and hold of captured output, without secrets: JUnit files keep it."""

from __future__ import annotations

from typing import Any

import pytest

from omnibench.masking import masked
from omnibench.plugin.items import ExperimentItem, Refused


def mask_report(report: Any, item: pytest.Item) -> None:
    """Mask the secrets in what a benchmark item's report says of a failure, and in the output captured beside it."""
    if not isinstance(item, ExperimentItem | Refused):
        return
    if report.sections:
        report.sections[:] = [(title, masked(text)) for title, text in report.sections]
    if report.longrepr is not None:
        report.longrepr = _masked(report.longrepr)


def _masked(part: Any) -> Any:
    """Return a part of a report with secrets masked: a text, or one of pytest's objects, which is changed."""
    if isinstance(part, str):
        return masked(part)
    if isinstance(part, list):
        return [_masked(element) for element in part]
    if isinstance(part, tuple):
        return tuple(_masked(element) for element in part)
    if type(part).__module__.startswith("_pytest."):  # e.g. an ExceptionChainRepr, of entries, of lines
        for name, value in vars(part).items():
            object.__setattr__(part, name, _masked(value))
    return part

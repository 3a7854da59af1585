"""What pytest's reports of benchmark items say: no secrets, which JUnit files would keep, and nothing that a terminal obeys."""

from __future__ import annotations

from typing import Any

import pytest

from omnibench.masking import masked
from omnibench.plugin.collect import BenchModule
from omnibench.plugin.items import ExperimentItem, Refused
from omnibench.terminal import terminal_text


def mask_report(report: Any, node: pytest.Item | pytest.Collector) -> None:
    """Mask secrets in the report of a benchmark item or a bench file, and in what was captured; spell escapes out.

    Args:
        report: The report.
        node: What it is about; reports of other tests are left alone.
    """
    if not isinstance(node, ExperimentItem | Refused | BenchModule):
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

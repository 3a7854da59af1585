"""Items that are done: reported without the ceremony of running them, or in one go where nobody reads the reports."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal

import pytest

from omnibench.plugin.items import BenchItem, ExperimentItem
from omnibench.plugin.summary import Summary

if TYPE_CHECKING:
    from omnibench.plugin.session import BenchSession

_CONDITIONS = ("skip", "skipif", "xfail", "usefixtures")
_RUNNING = ("pytest_runtest_setup", "pytest_runtest_call", "pytest_runtest_teardown", "pytest_runtest_makereport")

_COUNTED = SimpleNamespace(count_towards_summary=True)
"""Stands for each item in pytest's last line, ``9990 cached``."""


def report_together(session: BenchSession, items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Report items that are done all at once, where nothing reads reports of single ones.

    That is a fraction of the cost of a report each. Their bodies are checked; an item whose body fails, warns or
    is otherwise remarkable takes the ordinary way.

    Args:
        session: This process's benchmarks.
        items: The items to be run.

    Returns:
        The items that are still to be run.
    """
    config = session.config
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    summary = config.pluginmanager.get_plugin("omnibench-summary")
    if reporter is None or not isinstance(summary, Summary) or _reports_are_read(config):
        return list(items)
    failed_before = getattr(config.pluginmanager.get_plugin("lfplugin"), "lastfailed", None)
    hooked = _hooks_of_users(config)
    plain: dict[pytest.Collector, bool] = {}
    rest: list[pytest.Item] = []
    together: list[BenchItem] = []
    with _unseen(config):
        for item in items:
            if not isinstance(item, BenchItem) or not item.is_done:
                rest.append(item)
                continue
            function = item.parent
            if function not in plain:
                plain[function] = not _has_conditions(item) and (function.is_trivial or not hooked)
            if plain[function] and not (failed_before and item.nodeid in failed_before) and _body_passes(session, item):
                together.append(item)
            else:
                rest.append(item)
    summary.take(together)
    if together:
        reporter._add_stats("cached", [_COUNTED] * len(together))  # noqa: SLF001 - so that the last line knows the word
    return rest


def _body_passes(session: BenchSession, item: BenchItem) -> bool:
    if not item.has_body:
        return True
    try:
        item.check(session.cached(item).result)
    except (Exception, pytest.skip.Exception, pytest.fail.Exception, pytest.exit.Exception):
        return False  # it runs again where pytest can show what happened
    return True


@contextmanager
def _unseen(config: pytest.Config) -> Iterator[None]:
    """Capture what bodies print, as pytest does of tests that pass, and make every warning remarkable."""
    capture = config.pluginmanager.get_plugin("capturemanager")
    if config.option.capture == "no":
        capture = None
    if capture is not None:
        capture.resume_global_capture()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield
    finally:
        if capture is not None:
            capture.suspend_global_capture()
            capture.read_global_capture()


def _reports_are_read(config: pytest.Config) -> bool:
    """Whether anything wants to see the report of every item."""
    option = config.option
    if option.verbose > 0 or set("pPAa") & set(option.reportchars):
        return True
    if any(getattr(option, name, False) for name in ("stepwise", "setupshow", "setupplan", "setuponly", "trace")):
        return True
    ordinary = ("_pytest.", "omnibench.", "xdist.")
    readers = ("_pytest.junitxml", "_pytest.stepwise")
    for implementation in config.hook.pytest_runtest_logreport.get_hookimpls():
        home = implementation.function.__module__
        if not home.startswith(ordinary) or home in readers:
            return True
    return False


def _hooks_of_users(config: pytest.Config) -> bool:
    """Whether a conftest.py has a say in how items run; then bodies run in pytest's own way."""
    return any(
        Path(str(getattr(implementation.plugin, "__file__", ""))).name == "conftest.py"
        for name in _RUNNING
        for implementation in getattr(config.hook, name).get_hookimpls()
    )


def report_alone(session: BenchSession, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """Report one item that is done without running it; False when it must take the ordinary way."""
    if not isinstance(item, BenchItem) or not item.is_done or item.has_body or _has_conditions(item):
        return False
    item.tell(session.cached(item))
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    item.ihook.pytest_runtest_logreport(report=_report(item, "call", omnibench=item.told))
    item.ihook.pytest_runtest_logreport(report=_report(item, "teardown"))  # when JUnit files take properties
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    item.session._setupstate.teardown_exact(nextitem)  # noqa: SLF001 - as pytest's own protocol ends
    return True


def _report(item: ExperimentItem, when: Literal["call", "teardown"], **told: Any) -> pytest.TestReport:
    return pytest.TestReport(
        nodeid=item.nodeid,
        location=item.location,
        keywords=dict.fromkeys(item.keywords, 1),
        outcome="passed",
        longrepr=None,
        when=when,
        user_properties=item.user_properties,
        **told,
    )


def _has_conditions(item: BenchItem) -> bool:
    """Whether a mark decides about the item when it is set up."""
    return any(next(item.iter_markers(name), None) is not None for name in _CONDITIONS)


def run_all(items: Sequence[Any], session: pytest.Session) -> None:
    """Run items in this process, as pytest's own loop does."""
    for index, item in enumerate(items):
        nextitem = items[index + 1] if index + 1 < len(items) else None
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=nextitem)
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)

"""Reports of items that are done: all at once, or each without pytest's own protocol."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, Literal

import pytest

from omnibench.engine.run import CACHED, Outcome
from omnibench.plugin.items import BenchItem, ExperimentItem
from omnibench.plugin.session import BenchSession
from omnibench.plugin.summary import Summary

_CONDITIONS = ("skip", "skipif", "xfail", "usefixtures")
_RUNNING = (
    "pytest_runtest_protocol",
    "pytest_runtest_setup",
    "pytest_runtest_call",
    "pytest_runtest_teardown",
    "pytest_runtest_makereport",
)
_READING = ("pytest_runtest_logstart", "pytest_runtest_logfinish", "pytest_report_teststatus")
_protocol_key = pytest.StashKey[bool]()
"""Whether a session's items have to go through pytest's own protocol."""

_COUNTED = SimpleNamespace(count_towards_summary=True)
"""Stands for each item in pytest's last line, ``9990 cached``."""


def report_together(session: BenchSession, items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Report all items that are done at once, unless something reads the report of each.

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
    if _needs_protocol(config):
        return list(items)
    failed_before = getattr(config.pluginmanager.get_plugin("lfplugin"), "lastfailed", None)
    plain: dict[pytest.Collector, bool] = {}
    remaining: list[pytest.Item] = []
    cached_items: list[BenchItem] = []
    with _captured(config) as warned:
        for item in items:
            if not isinstance(item, BenchItem) or not item.is_done:
                remaining.append(item)
                continue
            function = item.parent
            if function not in plain:
                plain[function] = not _has_conditions(item) and (not item.has_body or _output_is_dropped(config))
            failed = failed_before and item.nodeid in failed_before
            if plain[function] and not failed and _body_passes(item, warned):
                cached_items.append(item)
            else:
                remaining.append(item)
    summary.add_cached(cached_items)
    if cached_items:
        reporter._add_stats(CACHED, [_COUNTED] * len(cached_items))  # noqa: SLF001 - so that the last line knows the word
    return remaining


def _body_passes(item: BenchItem, warned: list[warnings.WarningMessage]) -> bool:
    """Whether a body passes in silence; otherwise it runs again under pytest's protocol, which shows what happened."""
    if not item.has_body:
        return True
    warned.clear()
    try:
        item.check(item.recorded_copy())
    except KeyboardInterrupt:
        raise
    except BaseException:  # pytest's own outcomes, and SystemExit, are the failure of an item
        return False
    return not warned


@contextmanager
def _captured(config: pytest.Config) -> Iterator[list[warnings.WarningMessage]]:
    """Capture the output of bodies, as pytest does for tests that pass; yield the list of their warnings."""
    capture = config.pluginmanager.get_plugin("capturemanager")
    if capture is not None:
        capture.resume_global_capture()
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            yield warned
    finally:
        if capture is not None:
            capture.suspend_global_capture()
            capture.read_global_capture()


def _output_is_dropped(config: pytest.Config) -> bool:
    """Whether nobody sees what bodies print and log as long as they pass."""
    has_log = config.pluginmanager.has_plugin("logging")
    live_log = has_log and (
        config.getoption("log_cli_level", None) or config.getini("log_cli") or config.getini("log_file")
    )
    return getattr(config.option, "capture", "no") != "no" and not live_log and not config.getoption("log_file", None)


def _reports_are_read(config: pytest.Config) -> bool:
    """Whether anything wants to see the report of every item."""
    option = config.option
    if option.verbose > 0 or set("pPAa") & set(option.reportchars):
        return True
    if any(getattr(option, name, False) for name in ("stepwise", "setupshow", "setupplan", "setuponly", "trace")):
        return True
    readers = ("_pytest.junitxml", "_pytest.stepwise")
    reports = ("pytest_runtest_logreport",)
    implementations = config.hook.pytest_runtest_logreport.get_hookimpls()
    if any(implementation.function.__module__ in readers for implementation in implementations):
        return True
    return _others_implement(config, reports, installed=False) or _others_implement(config, _READING)


def _needs_protocol(config: pytest.Config) -> bool:
    """Whether a conftest.py, a plugin that is not installed, or an option like --setup-only has a say in how items run."""
    if _protocol_key not in config.stash:
        config.stash[_protocol_key] = config.getoption("setupshow", False) or _others_implement(config, _RUNNING)
    return config.stash[_protocol_key]


def _others_implement(config: pytest.Config, names: Sequence[str], *, installed: bool = True) -> bool:
    """Whether a plugin other than pytest, xdist and omnibench implements one of some hooks.

    Args:
        config: pytest's configuration.
        names: The hooks.
        installed: Whether installed plugins may: they are made for every run, and not for the items of this one.
    """
    allowed = {"_pytest", "xdist", "omnibench"}
    if installed:
        allowed |= {_package_of(plugin) for plugin, _ in config.pluginmanager.list_plugin_distinfo()}
    implementations = [hookimpl for name in names for hookimpl in getattr(config.hook, name).get_hookimpls()]
    modules = {hookimpl.function.__module__ for hookimpl in implementations}
    return any(module.partition(".")[0] not in allowed or module.endswith("conftest") for module in modules)


def _package_of(plugin: Any) -> str:
    """Return the package of a plugin, which may be a module or an object."""
    return str(getattr(plugin, "__name__", type(plugin).__module__)).partition(".")[0]


def report_alone(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """Report an item that is done without running it; return False when it needs pytest's protocol."""
    if not isinstance(item, BenchItem) or not item.is_done or item.has_body or _has_conditions(item):
        return False
    if _needs_protocol(item.config):
        return False
    item.tell(Outcome(CACHED, item.recorded))
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    report = _report(item, "call")
    if item.message is not None:
        item.message.attach(report)
    item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logreport(report=_report(item, "teardown"))  # when JUnit files take properties
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    item.session._setupstate.teardown_exact(nextitem)  # noqa: SLF001 - as pytest's own protocol ends
    return True


def _report(item: ExperimentItem, when: Literal["call", "teardown"]) -> pytest.TestReport:
    return pytest.TestReport(
        nodeid=item.nodeid,
        location=item.location,
        keywords=dict.fromkeys(item.keywords, 1),
        outcome="passed",
        longrepr=None,
        when=when,
        user_properties=item.user_properties,
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

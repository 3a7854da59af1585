"""The hooks of the plugin. Every pytest session of the environment loads them, so they import nothing expensive."""

from __future__ import annotations

import sys
from collections.abc import Generator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from omnibench.paths import relative_to
from omnibench.plugin import audience
from omnibench.plugin.mistaken_paths import refuse_mistaken_paths
from omnibench.plugin.options import BASELINE, CLUSTER, DETACH, EXPORT, GATE, PLAN, add_options, with_whole_reset
from omnibench.plugin.settings import check_options
from omnibench.plugin.state import BENCH_FILES, automatic_key, existing_session, only_running
from omnibench.plugin.stores import refuse_conftest_files, store_directory
from omnibench.plugin.summary import Summary
from omnibench.plugin.wire import ItemMessage, RunMessage, pack, unpack

_random_state_key = pytest.StashKey[int]()
"""The random state that the conftest files have set."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the hooks that others may implement."""
    from omnibench.plugin import hookspec

    pluginmanager.add_hookspecs(hookspec)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, args: list[str]) -> None:
    """Keep ``--omnirec-reset`` from taking the path that follows it for its value, and pytest from taking a value for a path.

    No conftest file of a store is loaded.
    """
    args[:] = with_whole_reset(args)
    refuse_mistaken_paths(early_config, args)
    refuse_conftest_files(early_config)


@pytest.hookimpl(tryfirst=True)
def pytest_collect_directory(path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect nothing in a store, nor load its conftest files, as pytest does for directories of its own alone."""
    return store_directory(path, parent)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Start no workers where nothing is to run, and let ``-f`` watch sources only; xdist looks at its options after us."""
    if config.getoption("looponfail", False):
        from omnibench.plugin.looponfail import watch_sources_only

        watch_sources_only(config)
    if DETACH.is_on(config):
        from omnibench.plugin.detach import attach

        attach(config)
    if PLAN.is_on(config) and hasattr(config.option, "numprocesses"):
        config.option.numprocesses, config.option.tx, config.option.dist = None, [], "no"


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> None:
    """Note that the number of workers is automatic, so that items and memory limit it."""
    config.stash[automatic_key] = True


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Check the options; register the plugins of the overseeing process, such as the summary."""
    check_options(config)
    audience.begin(config)
    if "=" in config.option.keyword:  # which pytest refuses
        from omnibench.plugin.keywords import readable_by_pytest

        config.option.keyword = readable_by_pytest(config.option.keyword)
    if not config.pluginmanager.has_plugin("python"):
        return  # nobody collects Python files
    if BENCH_FILES not in config.getini("python_files"):  # collects them, and has their assertions rewritten
        config.addinivalue_line("python_files", BENCH_FILES)
    if hasattr(config, "workerinput"):
        return
    manager = config.pluginmanager
    summary = Summary(config)
    manager.register(summary, "omnibench-summary")
    if EXPORT.paths(config) and not (config.option.collectonly or PLAN.is_on(config)):
        from omnibench.plugin.export import Export

        manager.register(Export(config, summary), "omnibench-export")
    if (GATE.value(config) or BASELINE.value(config)) and not config.option.collectonly:
        from omnibench.plugin.gate import RegressionGate

        manager.register(RegressionGate(config), "omnibench-gate")
    if CLUSTER.value(config) and not config.option.collectonly:
        from omnibench.plugin.cluster import ClusterLoop

        manager.register(ClusterLoop(), "omnibench-cluster")
    distributed = getattr(config.option, "dist", "no") != "no" and getattr(config.option, "tx", None)
    if distributed and not config.option.collectonly:  # xdist, too, collects in this process when only asked to
        from omnibench.plugin.distribute import Distribution
        from omnibench.plugin.sent_paths import make_sendable

        make_sendable(config)
        # Of those that start last, pytest calls the first registered first: pytest's terminal, we, then xdist.
        xdist_session = manager.unregister(name="dsession") if manager.has_plugin("dsession") else None
        manager.register(Distribution(config), "omnibench-distribution")
        if xdist_session is not None:
            manager.register(xdist_session, "dsession")


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """Make bench files modules in which an impossible benchmark is a failed item, not a broken run."""
    if not fnmatch(module_path.name, BENCH_FILES):
        return None
    from omnibench.plugin.surroundings import Unread, has_little_address_space

    if has_little_address_space(parent.config):
        return Unread.from_parent(parent, path=module_path)
    from omnibench.plugin.collect import BenchModule

    return BenchModule.from_parent(parent, path=module_path)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Note the random state that the conftest files have set, if they have."""
    if "omnibench.seed" in sys.modules:
        session.config.stash[_random_state_key] = sys.modules["omnibench.seed"].get_random_state()


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, object, object]:
    """Start every module with the same random state, whatever the module before it has set, and its paths beside it."""
    if not isinstance(collector, pytest.Module):
        return (yield)
    if "omnibench.seed" in sys.modules:
        seed = sys.modules["omnibench.seed"]
        seed.set_random_state(collector.config.stash.get(_random_state_key, seed.DEFAULT_RANDOM_STATE))
    with relative_to(collector.path):
        report: Any = yield
    if report.longrepr is not None and "omnibench.plugin.collect" in sys.modules:
        from omnibench.plugin.reports import mask_report

        mask_report(report, collector)
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: pytest.Collector, name: str, obj: object) -> Any:
    """Collect functions under ``@benchmark``, and classes that have some."""
    if "omnibench.plugin.declare" not in sys.modules:  # nothing can be under a decorator that nobody has imported
        return None
    from omnibench.plugin.declare import declaration_of, has_benchmarks

    declaration = declaration_of(obj)
    if declaration is None and not has_benchmarks(obj):
        return None
    from omnibench.plugin import collect

    if declaration is None:
        return collect.class_of_benchmarks(collector, name, obj)
    return collect.BenchFunction.from_parent(collector, name=name, function=obj, declaration=declaration)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On a worker, leave out what the controller's snapshot says is done."""
    message = RunMessage.received(config)
    if message is not None and message.done:
        from omnibench.plugin.collect import without_done

        items[:] = without_done(items, message)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Start Python's garbage collector again when everything is collected; see ``garbage``."""
    try:
        return (yield)
    finally:
        if "omnibench.plugin.surroundings" in sys.modules:  # else there is no bench file
            sys.modules["omnibench.plugin.surroundings"].refuse(session.config)
        if "omnibench.plugin.garbage" in sys.modules:  # else nothing has paused
            sys.modules["omnibench.plugin.garbage"].resume()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Start a run whose collection succeeded; a distributed one was started before, by ``distribute``."""
    config = session.config
    if hasattr(config, "workerinput"):
        ended = yield
        benchmarks = existing_session(config)
        if benchmarks is not None:
            from omnibench.plugin.helping import help_others

            help_others(benchmarks, session)
        return ended
    if config.option.collectonly or config.pluginmanager.has_plugin("dsession"):
        return (yield)
    if session.testsfailed and not config.option.continue_on_collection_errors:
        return (yield)
    benchmarks = existing_session(config)
    if benchmarks is None:
        return (yield)
    from omnibench.plugin.begin import start_run

    start_run(benchmarks, session.items)
    if PLAN.is_on(config) or (DETACH.is_on(config) and benchmarks.pending):
        from omnibench.plugin.items import Refused

        session.items[:] = [item for item in session.items if isinstance(item, Refused)]  # which say why
        return (yield)
    from omnibench.plugin.cached import report_together

    remaining = report_together(benchmarks, session.items)
    if not benchmarks.pending:
        with only_running(session, remaining):
            return (yield)
    from omnibench.plugin.live import estimates_of, live_display

    with benchmarks.stopping, only_running(session, remaining), live_display(benchmarks, estimates_of(benchmarks)):
        benchmarks.build_environments()
        return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Report an item that is done, and has nothing to check, without pytest's own protocol."""
    if existing_session(item.config) is None:
        return None
    from omnibench.plugin.cached import report_alone

    return True if report_alone(item, nextitem) else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Let the reports of benchmark items carry their messages, and no secrets."""
    report: Any = yield
    if (report.sections or report.longrepr is not None) and existing_session(item.config) is not None:
        from omnibench.plugin.reports import mask_report  # most have nothing to mask

        mask_report(report, item)
    message = getattr(item, "message", None)  # others' items may have one of their own
    if isinstance(message, ItemMessage) and report.when == "call":
        message.attach(report)
        report.duration += getattr(item, "seconds_before", 0.0)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_report_to_serializable(config: pytest.Config) -> Generator[None, Any, Any]:
    """Send the reports of a run with benchmarks in one piece."""
    data = yield
    return pack(data) if isinstance(data, dict) and existing_session(config) is not None else data


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_report_from_serializable(data: dict[str, Any]) -> Generator[None, Any, Any]:
    """Take apart what came in one piece, before pytest and others look at it."""
    unpack(data)
    return (yield)


def pytest_report_teststatus(report: Any) -> tuple[str, str, Any] | None:
    """Show cached items as ``c``, those that another seed stands for as ``=``, and count both by a name of their own."""
    message = ItemMessage.carried(report)
    if message is None or not report.passed:
        return None
    from omnibench.engine.run import CACHED

    if message.status == CACHED:
        return (CACHED, "c", (CACHED.upper(), {"cyan": True}))
    if message.taken_over:
        return ("equal", "=", (f"AS seed_{message.result.as_seed}", {"cyan": True}))
    return None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, object, object]:
    """End in one line when somebody presses Ctrl-C while the tables are made or files are written."""
    try:
        return (yield)
    except KeyboardInterrupt:
        if existing_session(session.config) is None:
            raise
        _end_early(session)
        return None


@pytest.hookimpl(wrapper=True, trylast=True, specname="pytest_sessionfinish")
def pytest_sessionfinish_without_files(session: pytest.Session) -> Generator[None, object, object]:
    """Show the tables of a run all the same when pytest cannot write a file of its own, such as ``--junitxml``."""
    try:
        return (yield)
    except OSError as error:
        benchmarks = existing_session(session.config)
        if benchmarks is None or not benchmarks.items:
            raise
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        name = f" {str(error.filename)!r}" if error.filename else ""
        benchmarks.notify(
            f"a file that pytest writes at its end{name}, such as that of --junitxml, could not be written "
            f"({error.strerror or error}); what was computed is recorded"
        )
        return None


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the guests and close the store."""
    audience.end(config)
    benchmarks = existing_session(config)
    if benchmarks is None:
        return
    try:
        benchmarks.close()
    except KeyboardInterrupt:  # the interpreter ends what is left
        session = config.pluginmanager.get_plugin("session")
        if not isinstance(session, pytest.Session):
            raise
        _end_early(session)


def _end_early(session: pytest.Session) -> None:
    session.exitstatus = pytest.ExitCode.INTERRUPTED
    benchmarks, reporter = existing_session(session.config), session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.write_line("")  # behind the ^C that the terminal shows
    if benchmarks is not None:
        benchmarks.notify(
            "stopped before the end of the summary; what was computed is recorded, and the next run shows it"
        )

"""What several tests need: a small project with benchmarks, modules, and the frameworks' environments."""

from __future__ import annotations

import gc
import importlib.util
import os
import signal
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
from support.markers import made_once, starts_guests

if TYPE_CHECKING:
    from support.markers import StartedProcesses
    from support.projects import FirstRuns, Project
    from support.shared_guests import WatchedGuest

    from omnibench.runners.gateway import Guest

pytest_plugins = ["pytester"]

COMPANIONS = ("randomly", "timeout", "rerunfailures", "pytest_cov", "typeguard", "anyio")
"""Plugins that others have brought; only tests/plugin/test_companions.py lets any into its inner runs: half of their start."""

NEVER_EVERYDAY = ("test_contract_of_frameworks.py",)
"""Modules whose tests are all slow, or tried with the catalogue."""

started_processes: pytest.StashKey[StartedProcesses] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    """Let hypothesis take its time: a busy machine is no counterexample. Benchmarks run without it.

    The everyday suite tries few examples of each property, and other ones every time; ``tox run -e slow`` tries many.

    A shell starts what runs in its background with Ctrl-C ignored, and that is inherited; the tests send it themselves.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if importlib.util.find_spec("importlib_metadata") is not None:
        # Dask imports it, and it takes the place of the standard library's finder in sys.meta_path. Imported within a test,
        # pytester would take it away from there afterwards, and nobody would find any distribution, or plugin, any more.
        importlib.import_module("importlib_metadata")
    if config.pluginmanager.hasplugin("hypothesispytest"):
        from hypothesis import HealthCheck, settings

        slow = [HealthCheck.too_slow]
        patient = settings(deadline=None, print_blob=True, suppress_health_check=slow)
        settings.register_profile("everyday", patient, max_examples=30)
        settings.register_profile("thorough", patient, max_examples=100)
        settings.load_profile("everyday")  # what --hypothesis-profile names is loaded after this


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep Python's garbage collector from what stays anyway: ten thousand tests, and everything that they import.

    It would look through all of that every time, and an inner run of pytest collects twice when it ends.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    """Mark the tests that start an inner run of pytest or a guest, before markers select any."""
    tests = [item for item in items if item.path.is_relative_to(config.rootpath / "tests")]
    if tests:
        from support.markers import mark, name_group

        for item in tests:
            mark(item)
    yield
    if tests and config.getoption("loadgroup", default=False):
        for item in items:
            name_group(item)


@pytest.fixture(scope="module")
def made_up_records() -> Iterator[None]:
    """Let records be shorter than real ones, with keys of one letter: for tests of what does not look at their form."""
    from omnibench.store import forms

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forms, "flaw", lambda *_: "")
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Wait for no disk, but in tests of how results survive a loss of power."""
    if item.get_closest_marker("syncs") or not item.path.is_relative_to(item.config.rootpath / "tests"):
        return (yield)
    from support.syncs import without_syncs

    with without_syncs():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Let a test fail that has started what its markers do not say."""
    yield
    if started_processes in item.config.stash and item.path.is_relative_to(item.config.rootpath / "tests"):
        item.config.stash[started_processes].check(item)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Begin to note which processes tests start."""
    if any(item.path.is_relative_to(session.config.rootpath / "tests") for item in session.items):
        from support.markers import StartedProcesses

        session.config.stash[started_processes] = StartedProcesses()
        session.config.stash[started_processes].listen()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave the ground truth and the seven frameworks to those who name them: they take minutes, and every environment.

    The everyday suite does without the 2,400 tests of a module that it runs none of: to make them takes each worker seconds.
    """
    folder = collection_path.name
    if folder in NEVER_EVERYDAY and config.getoption("markexpr") in config.getini("addopts"):
        return True
    by_name = collection_path.parent.name == "benchmarks" and folder in ("ground_truth", "frameworks")
    return True if by_name and not any(folder in argument for argument in config.args) else None


@pytest.fixture(scope="session", autouse=True)
def _importable_neighbours() -> None:
    """Let scripts that tests start import their neighbours; tox keeps the checkout itself from being imported."""
    os.environ.pop("PYTHONSAFEPATH", None)


@pytest.fixture(autouse=True)
def _own_random_state() -> Iterator[None]:
    """Leave the random state to the next test as this one got it: it is part of keys."""
    seed = sys.modules.get("omnibench.seed")
    before = seed.get_random_state() if seed is not None else None
    yield
    seed = sys.modules.get("omnibench.seed")
    if seed is not None:
        seed.set_random_state(seed.DEFAULT_RANDOM_STATE if before is None else before)


@pytest.fixture(autouse=True)
def _forked_guests(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fork the guests of users' classes that tests of the engine start, as in inner runs; tests/runners is about their start."""
    if request.path.parent != request.config.rootpath / "tests" / "engine":
        yield
        return
    from support.forked_guests import forked_guests

    with forked_guests():
        yield


@pytest.fixture(scope="session")
def _everything_imported() -> None:
    """Import what inner runs import: pytester forgets what a test has imported, and numpy cannot be imported twice."""
    from support.inner import import_everything

    import_everything()
    gc.freeze()


@pytest.fixture
def pytester(_everything_imported: None, pytester: pytest.Pytester) -> Iterator[pytest.Pytester]:
    """pytest's, after the imports; it forgets as :func:`support.inner.modules_before` says."""
    from support.distributions import known_distributions
    from support.inner import modules_before

    pytester._sys_modules_snapshot = modules_before()  # noqa: SLF001 - there is no other way to say so
    pytester._Pytester__take_sys_modules_snapshot = modules_before  # type: ignore[attr-defined]  # noqa: SLF001
    with known_distributions():
        yield pytester


@pytest.fixture(scope="session")
def first_runs(tmp_path_factory: pytest.TempPathFactory) -> FirstRuns:
    """What the first runs of projects have left, by their files."""
    from support.projects import FirstRuns
    from support.sharing import shared_directory

    return FirstRuns(shared_directory(tmp_path_factory, "first_runs"))


@pytest.fixture
def _no_companions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep others' plugins out of inner runs: their imports take as long as the rest of a start."""
    monkeypatch.setenv("PYTEST_ADDOPTS", " ".join(f"-p no:{name}" for name in COMPANIONS))


@pytest.fixture
def project(
    first_runs: FirstRuns, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, _no_companions: None
) -> Project:
    """A project with a bench file of two items that pass."""
    from support.projects import Project

    made = Project(pytester, first_runs)
    monkeypatch.setenv("COUNT_FITS_IN", str(made.fits))
    for name in [name for name in os.environ if name.startswith(("OMNIREC_", "PYTEST_XDIST_"))]:
        monkeypatch.delenv(name)
    made.bench()
    return made


@pytest.fixture(scope="session")
@made_once
@starts_guests
def measured_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of three configurations on two datasets, one of them in random cross-validation; not to be changed."""
    from support.measuring import measure

    return measure(tmp_path_factory.mktemp("measured"))


@pytest.fixture(scope="session")
@starts_guests
def environment_python() -> Callable[[str], Path]:
    """Return the interpreter of a framework's isolated environment, building it when it is missing."""
    from omnibench.runners.environments import environment_of
    from omnibench.runners.registry import get_runner

    def find(framework: str) -> Path:
        return environment_of(get_runner(framework)).ensure(lambda line: print(line, file=sys.stderr))

    return find


@pytest.fixture(scope="session")
@made_once
@starts_guests
def framework_guests(
    tmp_path_factory: pytest.TempPathFactory, environment_python: Callable[[str], Path]
) -> Iterator[Callable[[str], WatchedGuest]]:
    """Start the guest of a framework, or give the one that runs since a test of any module has asked for it."""
    from support.shared_guests import running_guests

    with running_guests(environment_python, tmp_path_factory) as start:
        yield start


@pytest.fixture(scope="module")
def watched_guests(
    tmp_path_factory: pytest.TempPathFactory,
    environment_python: Callable[[str], Path],
    framework_guests: Callable[[str], WatchedGuest],
) -> Iterator[Callable[[str], WatchedGuest]]:
    """As ``framework_guests``; a guest of a user's class, which imports modules by their names, is the test module's own."""
    from support.shared_guests import running_guests

    with running_guests(environment_python, tmp_path_factory) as start_own:
        yield lambda name: start_own(name) if name == "Own" else framework_guests(name)


@pytest.fixture(scope="module")
def guests(watched_guests: Callable[[str], WatchedGuest]) -> Callable[[str], Guest]:
    """The guests of ``watched_guests`` by themselves."""
    return lambda name: watched_guests(name).guest


@pytest.fixture
def imported(tmp_path: Path) -> Iterator[Callable[[str], ModuleType]]:
    """Import a source text as a module of a file of its own."""
    names: list[str] = []

    def import_text(text: str) -> ModuleType:
        name = f"own_module_{len(names)}"
        path = tmp_path / f"{name}.py"
        path.write_text(text, encoding="utf-8")
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        names.append(name)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return module

    yield import_text
    for name in names:
        del sys.modules[name]


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory of a real SLURM of this machine with two nodes, whose configuration commands find."""
    from support.slurm import running_slurm

    with running_slurm(tmp_path_factory.mktemp("slurm")) as directory:
        yield directory


@pytest.fixture
def slurm_settings(project: Project, slurm: Path) -> None:
    """What jobs of SLURM are asked for in the project."""
    (project.pytester.path / "pyproject.toml").write_text(
        "[tool.omnibench.slurm]\njobs = 2\npartition = 'debug'\nwalltime = '00:20:00'\nmemory = '1GiB'\n"
        f"interface = 'lo'\nshared-directory = {str(slurm / 'shared')!r}\nprologue = ['export BY_PROLOGUE=1']\n"
    )

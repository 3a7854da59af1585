"""The runners: all frameworks, by name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from omnibench.errors import OmnibenchError, PlanError, nearest
from omnibench.runners.adapters import adapter_files, adapter_names, find_adapter, unmatched_patterns
from omnibench.runners.described import EXAMPLE, check_algorithms
from omnibench.runners.info import GUEST_FOLDER, RUNNERS_FOLDER, RunnerInfo


def _built_in(name: str, size: str, distribution: str = "") -> RunnerInfo:
    package = name.lower()
    return RunnerInfo(
        name=name,
        distribution=distribution or package,
        adapter=package,
        adapter_version=1,
        lock=RUNNERS_FOLDER / "locks" / f"{package}.txt",
        catalogue_file=RUNNERS_FOLDER / "catalogue" / f"{package}.json",
        size=size,
        measured_file=RUNNERS_FOLDER / "measured" / f"{package}.json",
    )


_RUNNERS = {
    runner.name: runner
    for runner in (
        _built_in("LensKit", "1.3 GB"),
        _built_in("RecBole", "1.3 GB"),
        _built_in("RecPack", "1.1 GB"),
        _built_in("Implicit", "190 MB"),
        _built_in("Cornac", "2.5 GB"),
        _built_in("Surprise", "190 MB", "scikit-surprise"),
        _built_in("RecTools", "1.1 GB"),
        RunnerInfo(name="Own", distribution="", adapter="omnibench.runners.own_guest", adapter_version=1),
    )
}


_BUILT_IN = frozenset(_RUNNERS)


def register_runner(runner: RunnerInfo) -> None:
    """Register a framework that is described by hand, so that plans can name its algorithms: ``plan.add_algorithm("Mine.Popularity")``.

    Every process that makes plans has to do it, as a ``conftest.py``, a bench file or a module that they import does. A
    framework that is registered again replaces the earlier one.

    Raises:
        PlanError: omnibench itself has a framework of that name, the adapter cannot be found, or something is missing.
    """
    if runner.name in _BUILT_IN:
        raise PlanError(f"omnibench has a framework named {runner.name!r} itself; choose another name.")
    if not runner.name.isidentifier():
        raise PlanError(
            f"a framework cannot be named {runner.name!r}; give a name without dots and blanks, e.g. 'Mine'."
        )
    if not runner.distribution:
        raise PlanError(
            f"{runner.name}: distribution is empty; give the name under which pip installs the framework, whose version is "
            "part of every key. A class of your own needs no runner: plan.add_algorithm(Class)."
        )
    if runner.lock is not None and not runner.lock.is_file():
        raise PlanError(
            f"{runner.name}: there is no lock {str(runner.lock)!r}; leave it out, or make it with uv pip compile."
        )
    if runner.catalogue_file is None and not runner.algorithms:
        raise PlanError(f"{runner.name} has no algorithm; give them, e.g. {EXAMPLE}, or a catalogue_file.")
    check_algorithms(runner.name, runner.algorithms)
    _RUNNERS[runner.name] = replace(runner, adapter_file=_adapter_file(runner))


def _adapter_file(runner: RunnerInfo) -> Path:
    if (GUEST_FOLDER / f"{runner.adapter}.py").is_file():
        raise PlanError(f"{runner.name}: omnibench has an adapter named {runner.adapter!r} itself; rename yours.")
    from omnibench.code.resolve import find_module  # few register a framework

    module = find_module(runner.adapter)
    if module.file is None or not module.has_source:
        raise PlanError(
            f"{runner.name}: there is no module {runner.adapter!r} for its adapter in {', '.join(filter(None, sys.path))}; "
            "give its full name, and put its directory on the path (pytest: the ini setting pythonpath)."
        )
    return module.file.absolute()


def runners(on_broken: Callable[[OmnibenchError], None] | None = None) -> list[RunnerInfo]:
    """Return the frameworks that can run, without the runner of the user's own classes.

    Args:
        on_broken: Called with what is wrong with a framework of the project or of an installed plugin, which is left out then; by
            default it is raised.

    Raises:
        OmnibenchError: What a file says of a framework is wrong.
    """
    known = [runner for runner in _RUNNERS.values() if runner.distribution]
    for adapter in adapter_files(on_broken):
        if adapter.name in _RUNNERS or not adapter.is_locked:
            continue
        try:
            known.append(adapter.runner())
        except OmnibenchError as error:  # its lock is of other requirements
            if on_broken is None:
                raise
            on_broken(error)
    return known


def runner_names(*, is_complete: bool = True) -> list[str]:
    """Return the names of all frameworks, also of those that have no lock yet.

    Args:
        is_complete: Whether all files that the project names have to be there.
    """
    built_in = (name for name, runner in _RUNNERS.items() if runner.distribution)
    return list(dict.fromkeys([*built_in, *adapter_names(is_complete=is_complete)]))


def get_runner(name: str) -> RunnerInfo:
    """Return a runner by name: one that is built in or registered, a file of the project, or a plugin's.

    Raises:
        OmnibenchError: There is none, or it has no lock, or what its file says is wrong.
    """
    if name in _RUNNERS:
        return _RUNNERS[name]
    adapter = find_adapter(name)
    if adapter is None:
        names = runner_names()
        raise PlanError(
            f"there is no framework named {name!r}{nearest(name, names)}; known are: {', '.join(names)}.{unmatched_patterns()}"
        )
    return adapter.runner()

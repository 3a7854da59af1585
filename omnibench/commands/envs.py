"""``omnibench envs``: the frameworks' isolated environments."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from omnibench.commands import envs_adapters, spaces
from omnibench.commands.parsing import complain, explain, say, say_text
from omnibench.errors import OmnibenchError, PlanError
from omnibench.runners.environments import Environment, environment_of
from omnibench.runners.gateway import Guest
from omnibench.runners.info import CURRENT, NO_USE, RunnerInfo, refused_algorithms, use_of_validation
from omnibench.runners.own_locks import class_runners, names_class, project_classes
from omnibench.runners.registry import get_runner, runners
from omnibench.sizes import size_text


class _Selection:
    """What the words of a command name: frameworks, and classes as ``own_locks.names_class`` has them.

    Args:
        command: The command, for what is said of them.
        names: The words. Where there are none, all is meant, and what is wrong with one keeps nobody from the others.

    Attributes:
        broken: What was wrong with those that were left out.
    """

    def __init__(self, command: str, names: Sequence[str]) -> None:
        self.command = command
        self.names = names
        self.broken: list[OmnibenchError] = []

    def only_frameworks(self) -> list[RunnerInfo]:
        """Return the runners of the frameworks.

        Raises:
            PlanError: A class is named: no framework says what its algorithms are.
        """
        for name in filter(names_class, self.names):
            raise PlanError(
                f"`{self.command}` is about the algorithms of frameworks, and {name!r} names a class or a file of classes; "
                "give names of frameworks, e.g. LensKit, or none for all."
            )
        return self._frameworks()

    def _frameworks(self) -> list[RunnerInfo]:
        frameworks = [name for name in self.names if not names_class(name)]
        return [get_runner(name) for name in frameworks] if self.names else runners(self.broken.append)

    def runners(self, *, locks: bool = False) -> list[RunnerInfo]:
        """Return the runners of frameworks and classes.

        Args:
            locks: Whether to make the lock of a class that has none; else that is refused.
        """
        selected = self._frameworks()
        for name in self.names or project_classes():
            try:
                selected += class_runners(name, locks=locks) if names_class(name) else []
            except OmnibenchError as error:
                if self.names:
                    raise
                self.broken.append(error)
        return selected

    def environments(self, *, locks: bool = False) -> list[Environment]:
        """Return the environments of those that have one, and say of others that were named that they have none."""
        selected = self.runners(locks=locks)
        for runner in selected if self.names else ():
            if not runner.has_environment:
                say(f"{runner.title}: without an environment of its own")
        return [environment_of(runner) for runner in selected if runner.has_environment]


def envs_list(selection: _Selection) -> int:
    """Show the environment of each framework and class: version, whether it is built, where, how large."""
    for runner in selection.runners():
        if not runner.has_environment:
            say(f"{runner.title:8} {runner.version(CURRENT):10} {'':11} without an environment of its own")
            say(f"{'':8} {runner.adapter_file}")
            continue
        environment = environment_of(runner)
        size = f" ({runner.size})" if runner.size else ""
        state = f"built, {size_text(environment.size())}" if environment.is_built else f"not built{size}"
        torch = f"torch {environment.backend:5}" if environment.needs_torch else ""
        say(f"{runner.title:8} {runner.version('isolated'):10} {torch:11} {state}")
        say(f"{'':8} {environment.directory}")
    return 0


def envs_build(selection: _Selection) -> int:
    """Build the environments that are missing."""
    for environment in selection.environments(locks=True):
        say(f"{environment.runner.title}: {environment.ensure(say_text)}")
    return 0


def envs_remove(selection: _Selection) -> int:
    """Remove environments; the next use builds them anew."""
    for environment in selection.environments():
        was = environment.is_built
        environment.remove()
        say(f"{environment.runner.title}: {'removed ' + str(environment.directory) if was else 'was not built'}")
    return 0


def envs_verify(selection: _Selection) -> int:
    """Compare what is installed with the lock, and every file with its sha256; the exit status is 1 when anything differs."""
    differs = False
    for environment in selection.environments():
        if not environment.is_built:
            say(f"{environment.runner.title}: not built")
            continue
        differences = environment.verify()
        differs = differs or bool(differences)
        say(f"{environment.runner.title}: {'; '.join(differences) or 'as locked'}")
        if differences:
            name = environment.runner.title
            say(f"{'':8} `omnibench envs remove {name}` and `omnibench envs build {name}` make it anew")
    return int(differs)


def envs_algorithms(selection: _Selection) -> int:
    """Show every algorithm with its hyperparameters, their defaults, and other words that they take."""
    for runner in selection.only_frameworks():
        for name, facts in runner.catalogue["algorithms"].items():
            abilities = " and ".join(
                word for word, offered in (("ranks", "ranking"), ("rates", "ratings")) if facts[offered]
            )
            use = use_of_validation(facts)
            validation = f"; validation: {use}" if use != NO_USE else ""
            say(f"{runner.name}.{name} ({abilities}{validation})")
            for parameter, default in facts["parameters"].items():
                example = facts.get("required", {}).get(parameter)
                alias_of = facts.get("aliases", {}).get(parameter)
                text = f" = {default!r}" if example is None else f" (required, e.g. {example!r})"
                others = [repr(word) for word in facts.get("words", {}).get(parameter, ()) if word != default]
                text += f", or {', '.join(others)}" if others else ""
                say(f"    {parameter}" + (text if alias_of is None else f" (instead of {alias_of})"))
        for name, reason in refused_algorithms(runner).items():
            say(f"{runner.name}.{name} (does not run: {reason})")
    return 0


def envs_catalogue(selection: _Selection) -> int:
    """Ask each framework itself for its algorithms; print the JSON that runners/catalogue keeps."""
    for runner in selection.only_frameworks():
        if not runner.has_environment:
            advice = f"`omnibench envs algorithms {runner.name}` shows what is described of it"
            without = PlanError(f"{runner.name} has no environment of its own in which it could be asked; {advice}.")
            if selection.names:
                raise without
            complain(str(without))
            continue
        environment = environment_of(runner)
        python = environment.ensure(complain)
        with (
            tempfile.TemporaryDirectory() as scratch,
            Guest(
                environment.runner, python, Path(scratch), Path(scratch), 1, {}, lambda _stream, _lines: None
            ) as guest,
        ):
            answer = guest.ask({"op": "catalogue"})
        say_text(
            json.dumps(
                {name: answer[name] for name in ("version", "algorithms", "refused") if name in answer}, indent=2
            )
        )
    return 0


_ENVS: dict[str, Callable[[_Selection], int]] = {
    "list": envs_list,
    "build": envs_build,
    "remove": envs_remove,
    "verify": envs_verify,
    "algorithms": envs_algorithms,
    "catalogue": envs_catalogue,
}


def _run(name: str, frameworks: Sequence[str]) -> int:
    """Run an action, and then say what could not be among all that it is about; the exit status is 2 then."""
    selection = _Selection(f"omnibench envs {name}", frameworks)
    status = _ENVS[name](selection)
    for error in selection.broken:
        complain(str(error))
    return 2 if selection.broken else status


def add_parsers(commands: Any) -> None:
    """Declare ``envs`` and its actions to argparse."""
    envs = commands.add_parser("envs", help="the frameworks' isolated environments")
    envs.set_defaults(run=lambda _: explain(envs))
    actions = envs.add_subparsers(dest="action", metavar="ACTION")
    for name, action in _ENVS.items():
        description = (action.__doc__ or "").splitlines()[0]
        parser = actions.add_parser(name, help=description, description=description)
        parser.add_argument(
            "frameworks",
            nargs="*",
            metavar="FRAMEWORK",
            help="LensKit, RecBole, RecPack, Implicit, Cornac, Surprise, RecTools, one of the project, or a class that needs "
            "packages, as file.py::Class (default: all)",
        )
        parser.set_defaults(run=lambda arguments, name=name: _run(name, arguments.frameworks))
    envs_adapters.add_parsers(actions)
    spaces.add_parser(actions)

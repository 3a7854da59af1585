"""``omnibench envs spaces``: the search spaces that omnibench ships, and where they were published."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from omnibench.commands.parsing import complain, say, say_text
from omnibench.runners.info import algorithm_info
from omnibench.runners.registry import get_runner, runners
from omnibench.tuning.dimensions import Dimension
from omnibench.tuning.distributions import WHOLE, Choice, Distribution, Float, Int, Log
from omnibench.tuning.shipped import ShippedSpace, shipped_space
from omnibench.tuning.values import in_words

_SCALES: dict[type[Distribution], str] = {Choice: "choice", Int: "linear, whole", Float: "linear", Log: "log"}


def envs_spaces(arguments: argparse.Namespace) -> int:
    """Show the algorithms that have a search space, or an algorithm's: ranges, source, and how to use it."""
    names = list(_selected(arguments.names))
    spaces = {name: space for name in names if (space := shipped_space(name)) is not None}
    missing = [name for name in names if name not in spaces]
    if arguments.json:
        say_text(json.dumps([_plain(space) for space in spaces.values()], indent=1))
    elif any("." in name for name in arguments.names):
        for line in _descriptions(spaces.values()):
            say(line)
        for name in missing:
            say(f"{name}: omnibench knows of no published search space; give one: plan.tune({name}, {{...}})")
    else:
        for name, space in spaces.items():
            say(f"{name:{max(map(len, names))}}  {', '.join(space.space.names)}")
        say(
            f"`omnibench envs spaces {next(iter(spaces), 'ALGORITHM')}` shows its ranges, their source, and how to use them"
        )
        if missing:
            say(f"without a published space: {', '.join(missing)}")
    return int(not spaces)


def _selected(names: Sequence[str]) -> Iterator[str]:
    """Yield the full names of the algorithms that a command line names: all, a framework's, or itself.

    Raises:
        PlanError: There is no framework, or no algorithm, of that name.
    """
    for name in names or [runner.name for runner in runners(lambda error: complain(str(error)))]:
        framework, dot, algorithm = name.partition(".")
        runner = get_runner(framework)
        if dot:
            algorithm_info(runner, algorithm)
        yield from [name] if dot else [f"{framework}.{each}" for each in runner.catalogue["algorithms"]]


def _defaults(space: ShippedSpace) -> dict[str, Any]:
    framework, _, name = space.algorithm.partition(".")
    parameters: dict[str, Any] = algorithm_info(get_runner(framework), name)["parameters"]
    return parameters


def _plain(space: ShippedSpace) -> dict[str, Any]:
    """Return all that the command says of a space, for programs."""
    identity, defaults = space.space.identity, _defaults(space)
    return {
        "algorithm": space.algorithm,
        "parameters": identity["parameters"],
        "constants": identity["constants"],
        "words": space.space.plain,
        "defaults": {name: defaults[name] for name in (*space.space.names, *space.space.constants)},
        "source": space.source,
        "note": space.note,
    }


def _descriptions(spaces: Iterable[ShippedSpace]) -> Iterator[str]:
    """Yield the lines that say spaces, with an empty line between two."""
    for number, space in enumerate(spaces):
        if number:
            yield ""
        yield from _description(space)


def _description(space: ShippedSpace) -> Iterator[str]:
    """Yield the lines that say an algorithm's space, where it comes from, and how to use and change it."""
    defaults = _defaults(space)
    rows = [("hyperparameter", "default", "searched", "scale", "")]
    rows += [
        (dimension.name, in_words(defaults[dimension.name]), *searched(dimension))
        for dimension in space.space.dimensions
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    yield space.algorithm
    for row in rows:
        yield f"  {'  '.join(text.ljust(width) for text, width in zip(row, widths, strict=True))}".rstrip()
    for name, value in space.space.constants.items():
        yield f"  {name} is {in_words(value)} in all trials (default: {in_words(defaults[name])})"
    yield f"  source: {space.source}"
    if space.note:
        yield f"  note: {space.note}"
    first = space.space.dimensions[0]
    yield f"  to search it: plan.tune({space.algorithm})"
    yield (
        f"  with another range: plan.tune({space.algorithm}, space_of({space.algorithm}) | "
        f'{{"{first.name}": {first.distribution!r}}})'
    )


def searched(dimension: Dimension) -> tuple[str, str, str]:
    """Return the values of a hyperparameter in words, its scale, and the condition under which it exists."""
    distribution = dimension.distribution
    scale = _SCALES[type(distribution)]
    if isinstance(distribution, Log) and distribution.is_whole:
        scale += ", whole"
    words = distribution.words.removeprefix("log ").removesuffix(WHOLE)
    return words, scale, dimension.words.removeprefix(distribution.words).strip()


def add_parser(actions: Any) -> None:
    """Declare the action to argparse."""
    description = (envs_spaces.__doc__ or "").splitlines()[0]
    parser = actions.add_parser("spaces", help=description, description=description)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="a framework, or an algorithm such as RecBole.BPR (default: all)"
    )
    parser.add_argument("--json", action="store_true", help="for programs: all of it")
    parser.set_defaults(run=envs_spaces)

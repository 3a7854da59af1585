"""Which installed distribution a module of a library belongs to, and its version."""

from __future__ import annotations

from functools import cache
from importlib import metadata


@cache
def distributions_of(module: str) -> tuple[tuple[str, str], ...]:
    """Return the names and versions of the distributions that a module belongs to; nothing where none has it.

    Args:
        module: Its full name, e.g. ``google.protobuf.message``.
    """
    top = module.partition(".")[0]
    try:
        distribution = metadata.distribution(top)  # most are called like their module, and this one costs nothing
    except (metadata.PackageNotFoundError, ValueError):
        pass
    else:
        if _has(distribution, top):
            return ((_name(distribution), distribution.version),)
    names = sorted(set(_distributions_by_module().get(top, ())))
    distributions = [metadata.distribution(name) for name in names]
    parts = module.split(".")
    for length in range(len(parts), 1, -1):  # of the parts of a namespace, the one that has the module
        owners = [one for one in distributions if _has(one, "/".join(parts[:length]))]
        if owners:
            distributions = owners
            break
    return tuple(sorted((_name(distribution), distribution.version) for distribution in distributions))


def _has(distribution: metadata.Distribution, path: str) -> bool:
    """Whether a distribution has a module or package of this path."""
    record = distribution.read_text("RECORD") or distribution.read_text("installed-files.txt")
    if record is None:
        return path in (distribution.read_text("top_level.txt") or "").split()
    lines = f"\n{record}"
    return f"\n{path}/" in lines or f"\n{path}." in lines or f"../{path}/" in lines


def _name(distribution: metadata.Distribution) -> str:
    return str(distribution.metadata["Name"]).lower().replace("_", "-")


@cache
def _distributions_by_module() -> dict[str, list[str]]:
    # A tenth of a second in an environment of a hundred distributions, so only where a name does not tell.
    return dict(metadata.packages_distributions())

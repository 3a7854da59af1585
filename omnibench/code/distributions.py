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
    top, *rest = module.split(".")
    try:
        distribution = metadata.distribution(top)  # most are called like their module, and this one costs nothing
    except (metadata.PackageNotFoundError, ValueError):
        pass
    else:
        if _has(distribution, top):
            return _described([distribution])
    # packages_distributions() does the same for every module, which takes several times as long.
    owners = [distribution for distribution in metadata.distributions() if _has(distribution, top)]
    for length in range(len(rest), 0, -1):  # of the parts of a namespace, the one that has the module
        path = "/".join([top, *rest[:length]])
        owners_of_part = [distribution for distribution in owners if _has(distribution, path)]
        if owners_of_part:
            return _described(owners_of_part)
    return _described(owners)


def _has(distribution: metadata.Distribution, path: str) -> bool:
    """Whether a distribution has a module or package of this path."""
    record = distribution.read_text("RECORD") or distribution.read_text("installed-files.txt")
    if record is None:
        return path in (distribution.read_text("top_level.txt") or "").split()
    lines = f"\n{record}"
    return f"\n{path}/" in lines or f"\n{path}." in lines or f"../{path}/" in lines


def _described(distributions: list[metadata.Distribution]) -> tuple[tuple[str, str], ...]:
    names = {str(distribution.metadata["Name"]): distribution.version for distribution in distributions}
    return tuple(sorted((name.lower().replace("_", "-"), version) for name, version in names.items()))

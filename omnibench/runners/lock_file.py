"""Locks: files of exact versions, with the sums of what may be installed as them or without."""

from __future__ import annotations

from pathlib import Path


def pins_of(lock: Path) -> dict[str, str]:
    """Return the versions of a lock, by the names of the packages as it has them."""
    lines = (line.split("#")[0].split(";")[0] for line in lock.read_text(encoding="utf-8").splitlines())
    pins = (
        line.partition("==") for line in lines if not line.startswith(" ")
    )  # what is indented says more of a package
    return {name.strip(): version.strip(" \\") for name, equals, version in pins if equals}

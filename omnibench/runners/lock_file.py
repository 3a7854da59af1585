"""Locks: files of exact versions, with the sums of what may be installed as them or without."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omnibench.errors import PlanError

_HEADING = re.compile(r"# (?P<requirements>.*) on Python (?P<python>[\d.]+)\n?")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
"""The name of a distribution, with which each requirement begins."""

GUEST_NEEDS = ("numpy>=1.23.2", "scipy>=1.9.2")
"""What omnibench's own side of a framework's process imports: the oldest that its Python has wheels of, for frameworks that are old."""


@dataclass(frozen=True, slots=True)
class LockRequest:
    """What a lock is to be made of.

    Attributes:
        lock: Where it lies, or will.
        requirements: What is to be installed, as pip takes it.
        python: The version of Python, e.g. ``3.12``.
        owner: Who says so, for errors: the path of an adapter, or a class.
        needs: What omnibench's own side of the process imports.
    """

    lock: Path
    requirements: tuple[str, ...]
    python: str
    owner: str
    needs: tuple[str, ...] = GUEST_NEEDS

    @property
    def heading(self) -> str:
        """The first line of its lock."""
        return f"# {'; '.join(self.requirements)} on Python {self.python}"

    @property
    def is_made(self) -> bool:
        """Whether there is a lock of these requirements."""
        return heading_of(self.lock) == ("; ".join(self.requirements), self.python)


def heading_of(lock: Path) -> tuple[str, str] | None:
    """Return the requirements and the Python that a lock was made of; None where there is none, or it does not say so."""
    try:
        with lock.open(encoding="utf-8") as lines:
            match = _HEADING.fullmatch(lines.readline())
    except OSError:
        return None
    return None if match is None else (match["requirements"], match["python"])


def pins_of(lock: Path) -> dict[str, str]:
    """Return the versions of a lock, by the names of the packages as it has them."""
    lines = (line.split("#")[0].split(";")[0] for line in lock.read_text(encoding="utf-8").splitlines())
    pins = (
        line.partition("==") for line in lines if not line.startswith(" ")
    )  # what is indented says more of a package
    return {name.strip(): version.strip(" \\") for name, equals, version in pins if equals}


def normalized(name: str) -> str:
    """Return a package's name as locks have it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def is_requirement(text: str) -> bool:
    """Say whether a text is a requirement as pip takes them: a name, possibly extras, versions or an address, and markers."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        Requirement(text)
    except InvalidRequirement:
        return False
    return True


def distribution_of(requirement: str) -> str:
    """Return the name with which a requirement begins, as locks have it; an empty text where it begins with none."""
    match = _NAME.match(requirement)
    return normalized(match.group()) if match else ""


def checked_requirements(label: str, value: Any) -> tuple[str, ...]:
    """Return what is to be installed.

    Args:
        label: What says it, as errors begin.
        value: What it says: a text, or a list of texts.

    Raises:
        PlanError: It is neither, or a text is no requirement.
    """
    texts = (value,) if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not texts or not all(isinstance(text, str) for text in texts):
        raise PlanError(
            f"{label} is {value!r}; give what pip is to install, the framework first, e.g. "
            'requirements = ["lightfm==1.17"].'
        )
    requirements = tuple(" ".join(text.split()) for text in texts)
    for requirement in requirements:
        if not distribution_of(requirement):
            raise PlanError(
                f"{label}: the requirement {requirement!r} does not begin with the name of a package; give e.g. 'lightfm==1.17'."
            )
        if not is_requirement(requirement):
            raise PlanError(
                f"{label}: {requirement!r} is no requirement as pip takes them; give the name of a package, possibly with a "
                "version, e.g. 'lightfm==1.17'."
            )
    return requirements

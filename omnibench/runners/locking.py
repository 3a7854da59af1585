"""Make the lock of a framework that is a file, or of a class: exact versions of all that its environment has, with hashes."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable

from omnibench.errors import GuestEnvironmentError
from omnibench.masking import masked
from omnibench.packages import uv_options, uv_variables, where_from
from omnibench.runners.environments import FROM_INDEX, torch_backend
from omnibench.runners.lock_file import LockRequest, pins_of

_OF_A_BACKEND = ("torch", "torchvision", "torchaudio", "triton")
"""Packages whose build depends on the machine (see ``environments.torch_backend``), so that no hash is theirs everywhere."""


def make_lock(request: LockRequest) -> list[str]:
    """Resolve requirements, and write their lock.

    Args:
        request: What it is to be made of.

    Returns:
        What has changed since the earlier lock, a package each, e.g. ``numpy 2.3.0 -> 2.4.6``.

    Raises:
        GuestEnvironmentError: uv cannot resolve them; the message has its words.
    """
    import uv

    before = pins_of(request.lock) if request.lock.is_file() else {}
    command = ["pip", "compile", "-", "--python-version", request.python, "--generate-hashes", "--no-header"]
    command += ["--no-annotate", "--quiet", *uv_options(), *_torch_options()]
    process = subprocess.run(
        [uv.find_uv_bin(), *command],
        input="\n".join([*request.requirements, *request.needs, ""]),
        capture_output=True,
        text=True,
        check=False,
        env=uv_variables(),
    )
    if process.returncode != 0:
        raise GuestEnvironmentError(
            f"uv finds no versions that satisfy the requirements of {request.owner} ({', '.join(request.requirements)}) on Python "
            f"{request.python}. Its words:\n{masked(process.stderr.strip()[-3000:])}\nChange requirements or python there. "
            f"uv was told: {where_from()}."
        )
    _write(request, process.stdout)
    after = pins_of(request.lock)
    names = sorted(before.keys() | after.keys())
    return [_change(name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)]


def _torch_options() -> list[str]:
    """Return uv's options for torch: a lock is complete for the CPU; other builds bring libraries of their own."""
    return [] if torch_backend() == FROM_INDEX else ["--torch-backend", "cpu"]


def _write(request: LockRequest, compiled: str) -> None:
    partial = request.lock.with_name(f"{request.lock.name}.{os.getpid()}.partial")
    request.lock.parent.mkdir(parents=True, exist_ok=True)
    partial.write_text("\n".join([request.heading, *_without_builds(compiled.splitlines()), ""]), encoding="utf-8")
    partial.replace(request.lock)


def _without_builds(lines: Iterable[str]) -> Iterable[str]:
    """Yield the lines of a lock, without what belongs to one build of torch."""
    is_of_build = False
    for line in lines:
        if not line.startswith(" "):
            is_of_build = line.partition("==")[0] in _OF_A_BACKEND
            yield re.sub(r"\+[\w.]+", "", line).rstrip(" \\") if is_of_build else line
        elif not is_of_build:
            yield line


def _change(name: str, before: str | None, after: str | None) -> str:
    if before is None:
        return f"{name} {after}"
    return f"{name} {before} is no longer needed" if after is None else f"{name} {before} -> {after}"

"""Make the lock of a framework that is a file: exact versions of all that its environment has, with hashes."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable

from omnibench.errors import GuestEnvironmentError
from omnibench.masking import masked
from omnibench.packages import uv_options, uv_variables, where_from
from omnibench.runners.adapter_file import AdapterFile
from omnibench.runners.environments import FROM_INDEX, torch_backend
from omnibench.runners.lock_file import pins_of

_GUEST_NEEDS = ("numpy>=1.26", "scipy>=1.11")
"""What omnibench's own side of the process imports."""

_OF_A_BACKEND = ("torch", "torchvision", "torchaudio", "triton")
"""Packages whose build depends on the machine (see ``environments.torch_backend``), so that no hash is theirs everywhere."""


def make_lock(adapter: AdapterFile) -> list[str]:
    """Resolve an adapter's requirements, and write its lock.

    Args:
        adapter: What the adapter says.

    Returns:
        What has changed since the earlier lock, a package each, e.g. ``numpy 2.3.0 -> 2.4.6``.

    Raises:
        GuestEnvironmentError: uv cannot resolve them; the message has its words.
    """
    import uv

    before = pins_of(adapter.lock) if adapter.lock.is_file() else {}
    command = ["pip", "compile", "-", "--python-version", adapter.python, "--generate-hashes", "--no-header"]
    command += ["--no-annotate", "--quiet", *uv_options(), *_torch_options()]
    process = subprocess.run(
        [uv.find_uv_bin(), *command],
        input="\n".join([*adapter.requirements, *_GUEST_NEEDS, ""]),
        capture_output=True,
        text=True,
        check=False,
        env=uv_variables(),
    )
    if process.returncode != 0:
        raise GuestEnvironmentError(
            f"uv finds no versions that satisfy the requirements of {adapter.path} ({', '.join(adapter.requirements)}) on Python "
            f"{adapter.python}. Its words:\n{masked(process.stderr.strip()[-3000:])}\nChange requirements or python in that file. "
            f"uv was told: {where_from()}."
        )
    _write(adapter, process.stdout)
    after = pins_of(adapter.lock)
    names = sorted(before.keys() | after.keys())
    return [_change(name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)]


def _torch_options() -> list[str]:
    """Return uv's options for torch: a lock is complete for the CPU; other builds bring libraries of their own."""
    return [] if torch_backend() == FROM_INDEX else ["--torch-backend", "cpu"]


def _write(adapter: AdapterFile, compiled: str) -> None:
    partial = adapter.lock.with_suffix(".lock.partial")
    partial.write_text("\n".join([adapter.heading, *_without_builds(compiled.splitlines()), ""]), encoding="utf-8")
    partial.replace(adapter.lock)


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

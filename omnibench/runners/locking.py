"""Make the lock of a framework that is a file, or of a class: exact versions of all that its environment has, with hashes."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from omnibench.errors import GuestEnvironmentError
from omnibench.masking import masked
from omnibench.packages import uv_options, uv_variables, where_from
from omnibench.runners.environments import FROM_INDEX, local_wheels, torch_backend
from omnibench.runners.lock_file import LockRequest, pins_of

_OF_A_BACKEND = ("torch", "torchvision", "torchaudio", "triton")
"""Packages whose build depends on the machine (see ``environments.torch_backend``), so that no hash is theirs everywhere."""


_CONSTRAINTS = "UV_CONSTRAINT"

_TORCH_ADVICE = (
    " torch is locked as the CPU's build of it, from PyTorch's own index (download.pytorch.org/whl/cpu) or a wheel folder that has "
    f"torch-VERSION+cpu; OMNIBENCH_TORCH_BACKEND={FROM_INDEX} takes the build that your indexes have."
)

_BUILD_ADVICE = (
    "Ask for a version of {name} that has wheels for Python {python}, or build one yourself: `pip wheel --no-deps -w wheels "
    "'{package}'` with that Python (and --no-build-isolation, beside setuptools, wheel and what its setup.py imports, where its words "
    "are of setuptools), then set UV_FIND_LINKS to the folder `wheels`, for this command and for builds of the environment."
)


def make_lock(request: LockRequest) -> list[str]:
    """Resolve requirements, and write their lock.

    Args:
        request: What it is to be made of.

    Returns:
        What has changed since the earlier lock, a package each, e.g. ``numpy 2.3.0 -> 2.4.6``.

    Raises:
        GuestEnvironmentError: uv cannot resolve them; the message has its words.
    """
    before = pins_of(request.lock) if request.lock.is_file() else {}
    for options, constraint in _torch_choices():
        process = _compile(request, options, constraint)
        if process.returncode == 0:
            break
    else:
        wanted = f"the requirements of {request.owner} ({', '.join(request.requirements)}) on Python {request.python}"
        unbuilt = re.search(r"Failed to (?:download and )?build `([^`]+)`", process.stderr)
        finding = f"uv finds no versions that satisfy {wanted}"
        advice = "Change requirements or python there."
        if unbuilt is not None:
            finding = f"uv cannot build {unbuilt[1]}, of which there is no wheel for this machine, for {wanted}"
            advice = _BUILD_ADVICE.format(package=unbuilt[1], python=request.python, name=unbuilt[1].partition("==")[0])
        raise GuestEnvironmentError(
            f"{finding}. Its words:\n{masked(process.stderr.strip()[-3000:])}\n{advice} "
            f"uv was told: {where_from()}.{_TORCH_ADVICE if 'pytorch' in process.stderr else ''}"
        )
    _write(request, process.stdout)
    after = pins_of(request.lock)
    names = sorted(before.keys() | after.keys())
    return [_change(name, before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)]


def _compile(request: LockRequest, options: Sequence[str], constraint: str) -> subprocess.CompletedProcess[str]:
    """Resolve a request, with a constraint beside those of the user's."""
    import uv

    command = ["pip", "compile", "-", "--python-version", request.python, "--generate-hashes", "--no-header"]
    command += ["--no-annotate", "--quiet", *uv_options(), *options]
    variables = uv_variables()
    with tempfile.TemporaryDirectory() as folder:
        if constraint:
            file = Path(folder, "constraint.txt")
            file.write_text(f"{constraint}\n", encoding="utf-8")
            variables[_CONSTRAINTS] = f"{variables.get(_CONSTRAINTS, '')} {file}".strip()
        return subprocess.run(
            [uv.find_uv_bin(), *command],
            input="\n".join([*request.requirements, *request.needs, ""]),
            capture_output=True,
            text=True,
            check=False,
            env=variables,
        )


def _torch_choices() -> Iterator[tuple[list[str], str]]:
    """Yield uv's options and a constraint for torch, those first that need no index of PyTorch's.

    A lock is complete for the CPU; other builds bring libraries of their own. Where a wheel folder of the user's has the
    CPU's build, that is it; else PyTorch's own index is asked, whatever indexes there are.
    """
    if torch_backend() == FROM_INDEX:
        yield [], ""
        return
    builds = {wheel.name.split("-")[1] for wheel in local_wheels("torch-*+cpu")}
    for build in sorted(builds, key=_numbers, reverse=True):
        yield [], f"torch=={build}"
    yield ["--torch-backend", "cpu"], ""


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


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

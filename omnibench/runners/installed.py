"""What is installed in an isolated environment, compared with its lock and with what each package says of its own files."""

from __future__ import annotations

import base64
import csv
import hashlib
import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from omnibench.naming import first_few
from omnibench.runners.lock_file import normalized

_RECORD = "RECORD"
_IMPORTABLE = (".py", ".pth", ".so")
_OF_THE_ENVIRONMENT = frozenset({"_virtualenv.py", "_virtualenv.pth"})
"""What uv puts beside the packages of every environment."""

_MOST_NAMES = 3
"""Files that a sentence names."""


@dataclass
class _Package:
    """An installed package: its name and version as it says them, and what is wrong with its files."""

    title: str
    version: str
    missing: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    files: int = 0


def differences(directory: Path, pins: Mapping[str, str]) -> list[str]:
    """Return how an environment differs from its lock, a sentence each: packages, and every file's size and sha256.

    Args:
        directory: The environment's directory.
        pins: The versions of the lock by name.
    """
    packages: dict[str, _Package] = {}
    owned: set[str] = set()
    sites = sorted(directory.glob("lib/python*/site-packages"))
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for site in sites:
            for package in metadata.distributions(path=[str(site)]):
                packages[normalized(package.name or "")] = _checked(site, package, owned, pool)
        sentences = [*_of_interpreter(directory), *_of_lock(packages, pins)]
    for checked in packages.values():
        for state, names in (("missing", checked.missing), ("changed", checked.changed)):
            if names:
                verb = f"is {state}" if len(names) == 1 else f"are {state}"
                listed = first_few(names, _MOST_NAMES)
                sentences.append(f"{checked.title}: {len(names)} of {checked.files} files {verb} ({listed})")
    strange = sorted(name for site in sites for name in _importable(site) if name not in owned)
    if strange:
        sentences.append(f"{len(strange)} more files are there, of no package ({first_few(strange, _MOST_NAMES)})")
    return sentences


def _of_lock(packages: Mapping[str, _Package], pins: Mapping[str, str]) -> Iterable[str]:
    for name, version in pins.items():
        package = packages.get(normalized(name))
        if package is None:
            yield f"{name} {version} is missing"
        elif _plain(package.version) != version:
            yield f"{name} is {package.version} instead of {version}"


def _plain(version: str) -> str:
    """Return a version as locks have it: 2.13.0+cpu is 2.13.0 for a backend, and 1-2 an old way to write 1.post2."""
    return re.sub(r"-(\d+)$", r".post\1", version.split("+", maxsplit=1)[0])


def _of_interpreter(directory: Path) -> Iterable[str]:
    try:
        process = subprocess.run(
            [directory / "bin" / "python", "-I", "-c", ""], capture_output=True, text=True, check=False
        )
    except OSError as error:
        yield f"its interpreter does not run ({error.strerror})"
        return
    if process.returncode:
        yield f"its interpreter does not run: {process.stderr.strip()[-500:]}"


def _checked(site: Path, package: metadata.Distribution, owned: set[str], pool: ThreadPoolExecutor) -> _Package:
    """Compare a package's files with the sizes and sums that it has recorded; its names are added to those that are owned."""
    result = _Package(f"{package.name} {package.version}", str(package.version))
    rows = [row for row in csv.reader((package.read_text(_RECORD) or "").splitlines()) if row and row[0][-4:] != ".pyc"]
    if not rows:
        result.missing.append(f"{package.name}-{package.version}.dist-info/{_RECORD}")
    for name, sha256, size in ((*row, "", "")[:3] for row in rows):
        owned.add(os.path.normpath(name))
        try:
            status = (site / name).stat()
        except OSError:
            result.missing.append(name)
            continue
        result.files += 1
        if sha256 and size and status.st_size != int(size):
            result.changed.append(name)
    result.files += len(result.missing)
    summed = [(row[0], row[1]) for row in rows if len(row) > 1 and row[1].startswith("sha256=")]
    absent = {*result.missing, *result.changed}
    names = [(name, sha256.partition("=")[2]) for name, sha256 in summed if name not in absent]
    sums = pool.map(_sum_of, [site / name for name, _ in names])
    result.changed += [name for (name, recorded), sha256 in zip(names, sums, strict=True) if sha256 != recorded]
    return result


def _sum_of(file: Path) -> str:
    """Return a file's sha256 as packages write it, or nothing where it cannot be read."""
    try:
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").digest()
    except OSError:
        return ""
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _importable(site: Path) -> Iterable[str]:
    """Yield the files that Python could import or run, relative to the directory of packages."""
    for folder, _, names in os.walk(site):
        for name in names:
            if name.endswith(_IMPORTABLE) and name not in _OF_THE_ENVIRONMENT:
                yield os.path.relpath(os.path.join(folder, name), site)

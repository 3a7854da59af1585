"""How much is to be downloaded for a lock: what the indexes say of the files, before any of them is fetched."""

from __future__ import annotations

import subprocess
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from omnibench.packages import uv_options, uv_variables

_SECONDS = 30.0


def download_size(lock: Path, python: str, options: Sequence[str] = ()) -> int | None:
    """Return the bytes of all files of a lock; None where an index does not say, or cannot be asked.

    Args:
        lock: The lock.
        python: The version of Python that they are for.
        options: Further options of uv, e.g. for the choice of torch.
    """
    import uv

    command = ["pip", "compile", str(lock), "--no-deps", "--format", "pylock.toml", "--quiet", "--no-header"]
    command += ["--python-version", python, *uv_options(), *options]
    with suppress(OSError, subprocess.SubprocessError, ValueError, KeyError):
        process = subprocess.run(
            [uv.find_uv_bin(), *command],
            capture_output=True,
            text=True,
            check=True,
            env=uv_variables(),
            timeout=_SECONDS,
            cwd=lock.parent,
        )
        return summed(tomllib.loads(process.stdout)["packages"], lock.parent)
    return None


def summed(packages: Iterable[Mapping[str, Any]], folder: Path) -> int:
    """Return the bytes of the packages of a ``pylock.toml``, as PEP 751 has them.

    Args:
        packages: Its packages; of each the first wheel counts, or else the source.
        folder: Its folder, to which paths are relative.

    Raises:
        KeyError, OSError: The size of one is not known.
    """
    files = (next(iter(package.get("wheels", ())), None) or package["sdist"] for package in packages)
    return sum(_size(file, folder) for file in files)


def _size(file: Mapping[str, Any], folder: Path) -> int:
    if "size" in file:
        return int(file["size"])
    if "path" in file:
        return Path(folder, str(file["path"])).stat().st_size
    url = urlsplit(file["url"])
    if url.scheme != "file":
        raise KeyError("size")
    return Path(unquote(url.path)).stat().st_size

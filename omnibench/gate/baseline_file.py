"""The bytes of a baseline's file: read whole, checked by its digest, and never put in the place of something else."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from omnibench.errors import BaselineError
from omnibench.paths import overlong_name

DIGEST_KEY = b"omnibench.sha256"
"""The name of the digest in Parquet's metadata."""

DIGEST_PLACEHOLDER = b"0" * 64
"""What stands in the place of the digest while it is computed."""

REWRITE_HINT = "write it anew: `omnibench baseline FILE`, or a run of pytest with --omnirec-baseline=FILE"

_MAGIC = b"PAR1"
_LFS_POINTER = b"version https://git-lfs"


def with_digest(content: bytes) -> Iterator[bytes | memoryview]:
    """Yield the parts of a baseline's content with its digest, which are no copies: there may be a hundred megabytes."""
    start, whole = content.rindex(DIGEST_PLACEHOLDER), memoryview(content)
    yield whole[:start]
    yield hashlib.sha256(content).hexdigest().encode()
    yield whole[start + len(DIGEST_PLACEHOLDER) :]


def read(path: Path) -> bytes:
    """Return the content of a file.

    Raises:
        BaselineError: It is not there, or cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise BaselineError(f"there is no baseline {str(path)!r}; {REWRITE_HINT.replace('anew', 'first')}.") from None
    except OSError as error:
        raise BaselineError(f"the baseline {str(path)!r} cannot be read ({error}); name another file.") from error


def _digest_match(content: bytes) -> re.Match[bytes] | None:
    """Find the digest, which stands behind its key, Parquet's mark of a text, and its length."""
    position = content.rfind(DIGEST_KEY)
    if position < 0:
        return None
    return re.compile(rb".{2}([0-9a-f]{64})", re.DOTALL).match(content, position + len(DIGEST_KEY))


def verified(path: Path, content: bytes) -> bytes:
    """Return the content of a baseline, once its digest has been checked.

    Raises:
        BaselineError: It is something else, or damaged.
    """
    if content.startswith(_LFS_POINTER):
        raise BaselineError(f"{str(path)!r} is Git LFS's pointer to a baseline; `git lfs pull` fetches the file.")
    match = _digest_match(content)
    if match is None:
        cut_off = content.startswith(_MAGIC) and not content.endswith(_MAGIC)
        trouble = "is cut off" if cut_off else "is no baseline of omnibench's"
        raise BaselineError(f"{str(path)!r} {trouble}; restore it, name another file, or remove it and {REWRITE_HINT}.")
    begin, end = match.span(1)
    digest = hashlib.sha256()
    whole = memoryview(content)  # of which slices are no copies
    for part in (whole[:begin], DIGEST_PLACEHOLDER, whole[end:]):
        digest.update(part)
    if digest.hexdigest().encode() != match[1]:
        raise BaselineError(
            f"the baseline {str(path)!r} is damaged (its sha256 differs); restore it, or {REWRITE_HINT}."
        )
    return content


def refuse_other_files(path: Path) -> None:
    """Refuse to replace a file that is not a baseline.

    Raises:
        BaselineError: The file is something else, or its directory does not exist.
    """
    if overlong := overlong_name(path):
        raise BaselineError(f"{overlong}; give a shorter one.")
    if not path.parent.is_dir():
        raise BaselineError(f"{str(path.parent)!r} is no directory, so {path.name!r} cannot be written there; make it.")
    if not path.exists():
        return
    content = read(path)
    if content and _digest_match(content) is None and not content.startswith(_LFS_POINTER):
        raise BaselineError(
            f"{str(path)!r} is no baseline of omnibench's, so it is not replaced; remove it, or name another file."
        )

"""Arguments of Snapshots: what each of them may be, and the sentence that refuses everything else."""

from __future__ import annotations

import math
import os
import re
from datetime import datetime
from pathlib import Path
from typing import Any

from omnibench.errors import OmnibenchError
from omnibench.paths import dangling, expanded, overlong_name
from omnibench.snapshots.names import free_name, keys_of

NAMING_FORMAT = "snapshot_%(date)_%(time)"


def either_name(value: Any, default: Any, alias_value: Any, name: str, alias: str) -> tuple[Any, str]:
    """Return an argument's value, and the name under which it was written."""
    if alias_value is None:
        return value, name
    if value != default:
        raise OmnibenchError(f"{name} and {alias} are the same; give one of them.")
    return alias_value, alias


def interval(value: Any, name: str) -> float:
    """Return an interval in seconds."""
    number = _number(value)
    if not number > 0:
        raise OmnibenchError(
            f"{name} is {value!r}; give seconds above 0{_as_text(value)}. Without it, or with inf, there is no interval."
        )
    return number


def whole_interval(value: Any, name: str) -> float:
    """Return an interval in iterations."""
    number = _number(value)
    if not number >= 1 or (math.isfinite(number) and not number.is_integer()):
        raise OmnibenchError(
            f"{name} is {value!r}; give a whole number from 1 on{_as_text(value)}. Without it, or with inf, there is no interval."
        )
    return int(number) if math.isfinite(number) else number


def _as_text(value: Any) -> str:
    """Return where a text that says an interval may stand: in the place of Snapshots, not in it."""
    is_interval = isinstance(value, str) and re.fullmatch(r"[0-9]+(it|(\.[0-9]+)?[smhd])", value)
    return f", or write snapshots={value!r} in the place of Snapshots(...)" if is_interval else ""


def _number(value: Any) -> float:
    """Return a real number of whatever type as Python's; NaN for what is none."""
    from numbers import Real

    return math.nan if isinstance(value, bool) or not isinstance(value, Real) else float(value)


def truth(value: Any, name: str) -> bool:
    """Return a truth value."""
    if not isinstance(value, bool):
        raise OmnibenchError(f"{name} is {value!r}; give True or False.")
    return value


def number_kept(value: Any) -> int:
    """Return how many snapshots stay beside the newest, or -1."""
    from numbers import Integral

    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < -1:
        raise OmnibenchError(
            f"keep_past is {value!r}; give how many snapshots stay beside the newest: a whole number from 0 on, or -1 for all."
        )
    return int(value)


def checked_format(value: Any) -> str:
    """Return a format of names that a file system takes, and that tell snapshots apart."""
    if not isinstance(value, str):
        raise OmnibenchError(f"naming_format is {value!r}; give a text such as {NAMING_FORMAT!r}.")
    if not keys_of(value):
        raise OmnibenchError(
            f"naming_format is {value!r}, which gives all snapshots the same name; add %(count), or %(date)_%(time)."
        )
    if "/" in value:
        raise OmnibenchError(
            f"naming_format is {value!r}, and a name has no slash; directory= says where the snapshots lie."
        )
    if not value.isprintable():
        raise OmnibenchError(f"naming_format is {value!r}; names have printable characters only.")
    example = free_name(value, datetime.fromisoformat("2000-12-31T23:59:59"), ())
    if overlong_name(example):
        raise OmnibenchError(f"naming_format is {value[:20] + '...'!r}: {overlong_name(example)}; give a shorter one.")
    return value


def absolute_directory(value: Any, name: str) -> Path | None:
    """Return a directory's absolute path; it need not be there."""
    if value is None:
        return None
    if not isinstance(value, (str, os.PathLike)) or not isinstance(os.fspath(value), str) or not os.fspath(value):
        raise OmnibenchError(f"{name} is {value!r}; give the path of a directory.")
    path = Path(os.path.abspath(expanded(value)))
    problem = overlong_name(path) or dangling(path)
    if not problem:
        present = next(step for step in (path, *path.parents) if os.path.lexists(step))
        problem = "" if present.is_dir() else f"{str(present)!r} is a file"
    if problem:
        raise OmnibenchError(f"{name} is {str(value)!r}: {problem}; give the path of a directory.")
    return path

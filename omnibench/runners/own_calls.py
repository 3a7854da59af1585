"""What is around the calls of a user's own class: the report of its progress, and errors that say what to do."""

from __future__ import annotations

import contextlib
import functools
import inspect
import pickle
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

TRAIN = "train"
"""The name of ``fit``'s argument for the training part; it may have another name if it is the first."""

VALIDATION = "validation"
"""The name of ``fit``'s argument for the validation part."""

BEST_EPOCH = "best_epoch"
"""The name under which a report says which epoch a class keeps, where that is not the last."""

REPORT = "report"
"""The name of ``fit``'s argument for the function that reports its progress."""

OPTIONAL = (VALIDATION, "items", "users", REPORT)
"""The names of what else ``fit`` may ask for."""

_SECONDS_BETWEEN = 0.1
"""The host is told of progress this often at most; the log has all of it."""


def takes(algorithm: type, argument: str) -> bool:
    """Return whether a class's ``fit`` names an argument."""
    try:
        return argument in inspect.signature(algorithm.fit).parameters  # type: ignore[attr-defined]
    except (TypeError, ValueError):  # not written in Python
        return False


def unknown_arguments(algorithm: type) -> list[str]:
    """Return the arguments that a class's ``fit`` needs and nobody gives it."""
    function: Any = inspect.getattr_static(algorithm, "fit", None)
    bound = getattr(algorithm, "fit", None) if isinstance(function, staticmethod | classmethod) else None
    try:
        parameters = list(inspect.signature(bound or functools.partial(function, None)).parameters.values())
    except (TypeError, ValueError):  # not written in Python
        return []
    by_name = {TRAIN, *OPTIONAL}
    return [
        parameter.name
        for position, parameter in enumerate(parameters)
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        and parameter.name not in by_name
        and (position > 0 or parameter.kind is parameter.KEYWORD_ONLY)
    ]


def progress_report(
    name: str, send: Callable[..., None], keep: Callable[[int], None] = lambda _: None
) -> Callable[..., None]:
    """Return the function that ``fit`` may call to report its progress.

    Args:
        name: The class's name, for the log.
        send: Tells the host.
        keep: Notes for how many epochs the class is trained that is stored: it says so with ``best_epoch``, else it is
            the last epoch.
    """
    last_sent = -_SECONDS_BETWEEN
    counter = _KeptEpoch()

    def report(**values: Any) -> None:
        """Report progress as numbers and short texts, e.g. ``report(epoch=3, epochs=20, loss=0.4, validation=0.31)``."""
        nonlocal last_sent
        plain = {key: _plain(key, value) for key, value in values.items()}
        if (epochs := counter.after(plain)) is not None:
            keep(epochs)
        print(f"{name}: {', '.join(f'{key}={_formatted(value)}' for key, value in plain.items())}")  # noqa: T201 - into the log
        moment = time.monotonic()
        if VALIDATION in plain:  # which the host needs of every epoch
            send(**plain)
        elif moment - last_sent >= _SECONDS_BETWEEN or plain.get("epoch") == plain.get("epochs", ...):
            last_sent = moment
            send(**plain)

    return report


class _KeptEpoch:
    """Counts for how many epochs a class has been trained, by what it reports; it may count them from 0."""

    def __init__(self) -> None:
        self._best: int | None = None
        self._last: int | None = None
        self._first_number = 1

    def after(self, report: Mapping[str, Any]) -> int | None:
        """Return the number after a report; None while none is known."""
        epoch, best = (report.get(name) for name in ("epoch", BEST_EPOCH))
        if _is_whole(epoch):
            self._last = epoch
        if _is_whole(best):
            self._best = best
        if self._last == 0:
            self._first_number = 0
        number = self._last if self._best is None else self._best
        return None if number is None else number + 1 - self._first_number


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _formatted(value: float | str | None) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _plain(name: str, value: Any) -> int | float | str | None:
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        value = value.item()
    if value is None or isinstance(value, int | float | str):
        return value
    raise TypeError(f"report({name}=...) got {type(value).__name__}; it takes numbers and texts, e.g. loss.mean().")


def unpicklable(instance: Any, error: Exception) -> str:
    """Return the message for an instance that cannot be pickled: which attribute it is, and what to do."""
    guilty = []
    for name, value in getattr(instance, "__dict__", {}).items():
        try:
            pickle.dumps(value)
        except Exception:  # any means that it is one of them
            guilty.append(f"{name} ({type(value).__name__})")
    reason = f"its attribute {', '.join(guilty)} cannot be pickled" if guilty else "it cannot be pickled"
    return (
        f"{type(instance).__name__} cannot be stored: {reason} ({error}). The fitted object is pickled after fit(). Use "
        "functions at the top level of the file instead of lambdas, close files and connections, or leave attributes "
        "out in __getstate__ and make them anew in __setstate__."
    )


@contextlib.contextmanager
def explaining_missing_columns(train: pd.DataFrame) -> Iterator[None]:
    """Say which columns there are when ``fit`` asks pandas for something that there is not.

    Raises:
        LookupError: In the place of pandas' KeyError, which holds little but the name.
    """
    try:
        yield
    except KeyError as error:
        name = error.args[0] if error.args else None
        in_pandas = any("pandas" in frame.filename for frame in traceback.extract_tb(error.__traceback__))
        if not in_pandas or not isinstance(name, str) or name in train.columns:
            raise
        raise LookupError(
            f"fit() asked pandas for {name!r}, which is not there. If it is a column: train has "
            f"{', '.join(train.columns)}. {_advice(name)}"
        ) from error


def _advice(name: str) -> str:
    if "rating" in name:
        return 'MakeImplicit drops ratings; MakeImplicit(..., keep="rating") keeps them.'
    if "timestamp" in name:
        return 'Name the column that holds the times, e.g. from_file(..., columns={"time": "timestamp"}).'
    return (
        "A dataset keeps user, item, rating and timestamp; the class is given anything else as a parameter of its "
        "constructor, or reads it itself."
    )

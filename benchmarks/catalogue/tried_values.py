"""Fits and predictions with values of hyperparameters that a framework may refuse, in one process of its environment.

``python tried_values.py GUEST_DIRECTORY MODULE LIMIT`` reads ``[[algorithm, parameters, dataset, hyperparameter, kind, values], ...]``
as JSON from stdin, and prints a line of JSON for each: whether a Fit with any of the values and its predictions end without an error,
and the errors; of words, those of each. ``refused_values.py`` and ``words.py`` run it.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from typing import Any

BY_CONFIGURATION = ("rectools",)
"""Adapters of frameworks whose configurations look at values themselves, before a model is made: what they take is fitted with."""

INTERRUPTED = 75
"""The exit status of a process in which a Fit took too long, and others are still to be tried."""

LENGTH = 5
"""Recommendations per user."""

Try = Callable[[str, dict[str, Any], str], str | None]
"""Returns the error that some hyperparameters of an algorithm end in; empty where they do not, None where that took too long."""


def made_by(create: Callable[..., Any], fit: Try) -> Try:
    """Return what makes a model by its framework's own configuration, and fits it where that has nothing against it."""

    def error_of(algorithm: str, parameters: dict[str, Any], dataset: str) -> str | None:
        try:
            create(algorithm, parameters, 7, 1)
        except NotImplementedError:  # it has none, as RecTools' DSSM
            pass
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return fit(algorithm, parameters, dataset)

    return error_of


def fitted_in(session: Any, limit: int) -> Try:
    """Return what fits, and predicts."""

    def end(*_: object) -> None:
        raise TimeoutError(f"took more than {limit} s")

    signal.signal(signal.SIGALRM, end)

    def error_of(algorithm: str, parameters: dict[str, Any], dataset: str) -> str | None:
        request = {"algorithm": algorithm, "parameters": parameters, "seed": 7, "device": "cpu", "threads": 1}
        request |= {"dataset": dataset, "fold": 0, "fit_key": algorithm}
        with tempfile.TemporaryDirectory() as output:
            signal.alarm(limit)
            try:
                answer = session.answer({**request, "op": "fit", "output": output})
                if answer["ok"]:
                    files = {"model": f"{output}/{answer['file']}", "output": f"{output}/predictions.npy"}
                    answer = session.answer({**request, "op": "predict", "k": LENGTH, **files})
            except TimeoutError:
                return None
            finally:
                signal.alarm(0)
        if not answer["ok"] and "TimeoutError" in answer["error"]:
            return None
        return "" if answer["ok"] else str(answer["error"]) or "an error"

    return error_of


def main(directory: str, module: str, limit: str) -> None:
    """Try one list of values after the other."""
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # frameworks print, some of them from compiled code
    guest_package: Any = importlib.import_module("guest_package")
    session = guest_package.open_session(directory, module)
    tried = fitted_in(session, int(limit))
    if module in BY_CONFIGURATION:
        tried = made_by(sys.modules[f"guest.{module}_models"].create, tried)
    for algorithm, parameters, dataset, hyperparameter, kind, values in json.load(sys.stdin):
        errors: list[str | None] = []
        for value in values:
            given = {**parameters, hyperparameter: value} if hyperparameter else parameters
            errors.append(tried(algorithm, given, dataset))
            if kind != "words" and not errors[-1]:
                break
        told = {"algorithm": algorithm, "hyperparameter": hyperparameter, "kind": kind}
        if kind == "words":  # each of them counts
            told["by_value"] = {value: error and error[:300] for value, error in zip(values, errors, strict=True)}
        print(
            json.dumps({**told, "refused": all(errors), "errors": [error[:200] for error in errors if error]}),
            file=out,
            flush=True,
        )
        if None in errors:  # perhaps in the midst of an import, so that nothing else would tell anything here
            sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main(*sys.argv[1:])

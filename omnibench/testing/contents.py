"""Whether two models are the same, and two predictions: byte for byte, and where they differ if they do."""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnibench.guest.predictions import Predictions

if TYPE_CHECKING:
    import numpy as np
else:
    from omnibench.lazy import np

_PRIVATE = ("omnibench_own_", "omnibench_cells_")
"""How the modules begin that a guest has imported under a name of its own."""

_MOST_NAMED, _LONGEST = 3, 60


def difference_of_predictions(first: Predictions, second: Predictions) -> str:
    """Say how two predictions differ, or return nothing where they are the same to the last bit."""
    for name, left, right in zip(("lists", "ratings"), first, second, strict=True):
        if left is None or right is None:
            continue
        if left.tobytes() == right.tobytes():
            continue
        if left.shape != right.shape or left.dtype != right.dtype:
            return f"the {name} have another form ({left.dtype}, {len(left)} rows; {right.dtype}, {len(right)} rows)"
        differing = [n for n in range(len(left)) if left[n].tobytes() != right[n].tobytes()]
        column = "rating" if name == "ratings" else "score"
        apart = float(np.abs(left[column].astype(float) - right[column].astype(float)).max())
        unit = "test pairs" if name == "ratings" else "users"
        items = name == "lists" and any(not np.array_equal(left[n]["item"], right[n]["item"]) for n in differing)
        noun = "ratings" if name == "ratings" else "lists" if items else "scores"
        return f"the {noun} of {len(differing)} of {len(left)} {unit} differ, by up to {apart:.3g}"
    return ""


def difference_of_models(first: Path, second: Path, algorithm: object, ignored: Iterable[str] = ()) -> str | None:
    """Say which attributes of two stored models differ; nothing where they are the same, None where nobody can tell.

    Files with the same bytes are the same model. Others are read, if they are a user's own class: pickles of equal values
    may differ.

    Args:
        first: The file of a model.
        second: The file of another one.
        algorithm: The class, if it is the user's.
        ignored: Attributes that do not count.
    """
    if first.read_bytes() == second.read_bytes():
        return ""
    if not isinstance(algorithm, type):
        return None
    try:
        left, right = (_Reader(path.read_bytes(), algorithm).load() for path in (first, second))
        states = [
            {name: value for name, value in vars(model).items() if name not in set(ignored)} for model in (left, right)
        ]
        return _difference_of_states(*states)
    except Exception:  # whatever a class does when it is read in another process than its own
        return None


class _Reader(pickle.Unpickler):
    """Reads a model where its class is known under another name than in the guest."""

    def __init__(self, content: bytes, algorithm: type) -> None:
        super().__init__(io.BytesIO(content))
        self._module = algorithm.__module__

    def find_class(self, module: str, name: str) -> Any:
        """Return a class; one of a module that the guest has named itself is of the algorithm's module."""
        own = sys.modules.get(self._module)
        if module.startswith(_PRIVATE) and hasattr(own, name):
            return getattr(own, name)
        return super().find_class(module, name)


def _difference_of_states(first: Mapping[str, Any], second: Mapping[str, Any]) -> str:
    """Say at which attributes two objects differ, with the first place in each."""
    names = [*first, *(name for name in second if name not in first)]
    places = [
        f"self.{name}, which only one of them has"
        if (name in first) != (name in second)
        else next(_differences(first[name], second[name], f"self.{name}", set()), "")
        for name in names
    ]
    differing = list(filter(None, places))
    more = f" and {len(differing) - _MOST_NAMED} more" if len(differing) > _MOST_NAMED else ""
    return ", ".join(differing[:_MOST_NAMED]) + more


def _differences(left: Any, right: Any, path: str, compared: set[tuple[int, int]]) -> Iterator[str]:
    """Yield the places at which two values differ, as ``self.vectors[3]``."""
    if left is right or (id(left), id(right)) in compared:
        return
    compared.add((id(left), id(right)))
    if type(left) is not type(right):
        yield f"{path} (a {type(left).__name__}, and a {type(right).__name__})"
        return
    children, others = _children(left), _children(right)
    if children is None or others is None:
        if _content(left) != _content(right):
            shown = f" ({left!r} and {right!r})" if isinstance(left, str | int | float) else ""
            yield f"{path}{shown if len(shown) <= _LONGEST else ''}"
    elif list(children) != list(others):
        yield f"{path} ({len(children)} and {len(others)} elements, not the same ones)"
    else:
        for name, child in children.items():
            yield from _differences(child, others[name], f"{path}{name}", compared)


def _children(value: Any) -> dict[str, Any] | None:
    """Return what a value consists of, by what follows its name; None where it is compared as a whole."""
    if isinstance(value, Mapping):
        return {f"[{key!r}]": child for key, child in value.items()}
    if isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.dtype == object):
        return {f"[{number}]": child for number, child in enumerate(value)}
    if isinstance(value, type) or _is_tensor(value):
        return None
    return {f".{name}": child for name, child in vars(value).items()} if hasattr(value, "__dict__") else None


def _content(value: Any) -> object:
    """Return what two values of one type have to have in common."""
    if _is_tensor(value):  # whose framework need not be imported for this
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray):
        return value.dtype, value.shape, value.tobytes()
    if isinstance(value, set | frozenset):
        return sorted(map(repr, value))
    if isinstance(value, str | bytes | int | float | complex | None):
        return repr(value)
    return pickle.dumps(value)


def _is_tensor(value: Any) -> bool:
    return hasattr(value, "detach") and hasattr(value, "numpy")

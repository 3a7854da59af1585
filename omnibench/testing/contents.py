"""Whether two models are the same, and two predictions: byte for byte, and where they differ if they do."""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnibench.guest.predictions import Predictions

if TYPE_CHECKING:
    import numpy as np
else:
    from omnibench.lazy import np

_PRIVATE = ("omnibench_own_", "omnibench_cells_")
"""How the modules begin that a guest has imported under a name of its own."""

_LONGEST = 60


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


def differing_attributes(first: Path, second: Path, algorithm: object) -> dict[str, str]:
    """Return the attributes at which two stored models of a class differ, each with the first place in it.

    Files with the same bytes are the same model. Others are read, if they are of a user's own class: pickles of equal
    values may differ. Of a framework's model nobody here can read more than that.

    Args:
        first: The file of a model.
        second: The file of another one.
        algorithm: The class, if it is the user's.
    """
    if not isinstance(algorithm, type) or first.read_bytes() == second.read_bytes():
        return {}
    try:
        left, right = (vars(_Reader(path.read_bytes(), algorithm).load()) for path in (first, second))
        locations = {
            name: next(_differences(left[name], right[name], f"self.{name}", set()), "")
            if name in left and name in right
            else f"self.{name} (only one of them has it)"
            for name in left | right
        }
    except Exception:  # whatever a class does when it is read in another process than its own
        return {}
    return {name: location for name, location in locations.items() if location}


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


def _differences(left: Any, right: Any, path: str, compared: set[tuple[int, int]]) -> Iterator[str]:
    """Yield the places at which two values differ, as ``self.vectors[3]``."""
    if left is right or (id(left), id(right)) in compared:
        return
    compared.add((id(left), id(right)))
    if type(left) is not type(right):
        yield f"{path} (a {type(left).__name__}, and a {type(right).__name__})"
        return
    children, counterparts = _children(left), _children(right)
    if children is None or counterparts is None:
        if _content(left) != _content(right):
            values = f" ({left!r} and {right!r})" if isinstance(left, str | int | float) else ""
            yield f"{path}{values if len(values) <= _LONGEST else ''}"
    elif list(children) != list(counterparts):
        yield f"{path} ({len(children)} and {len(counterparts)} elements, not the same ones)"
    else:
        for name, child in children.items():
            yield from _differences(child, counterparts[name], f"{path}{name}", compared)


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

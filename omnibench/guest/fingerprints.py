"""Fingerprints of objects: whether training has changed one, and whether two processes have made it alike.

A fingerprint reads an object as pickle would, into a hash: nothing is copied. Of tensors it takes their identity and
PyTorch's count of changes, which costs nothing; or, to compare processes, their bytes.
"""

from __future__ import annotations

import hashlib
import logging
import math
import pickle
import types
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

OPAQUE = (
    torch.nn.Module,
    torch.nn.Parameter,
    torch.optim.Optimizer,
    torch.optim.lr_scheduler.LRScheduler,
    torch.Generator,
    types.FunctionType,
    types.MethodType,
    types.ModuleType,
    weakref.ref,
    logging.Logger,
)
"""Types of objects of which only the identity counts: they have no state, or one that is stored apart."""

_COLLECTIONS = (set, frozenset, list, tuple)
_NUMBERS = {int, float, bool, *(np.dtype(code).type for code in "bBhHiIlLqQefd")}
"""Types of which many are read at once: sets of training pairs have millions, and pickle reads each with its type."""

LIGHT = 1024
"""Bytes below which an object is light as long as it has no tensors."""


@dataclass
class Fingerprint:
    """What an object was.

    Attributes:
        digest: Equal for equal objects; empty where the object cannot be read.
        is_light: Whether the object is small, and so has no training data.
        tensors: The tensors in it, which stay so that no other gets their identity.
        opaque: The objects in it of which only the identity counts.
    """

    digest: bytes
    is_light: bool
    tensors: list[Any] = field(default_factory=list)
    opaque: list[Any] = field(default_factory=list)


def fingerprint(value: Any, opaque: tuple[type, ...] = OPAQUE, *, by_content: bool = False) -> Fingerprint:
    """Return the fingerprint of any object.

    Args:
        value: The object.
        opaque: The types of which only the identity counts.
        by_content: Whether the bytes of tensors count, and the types of opaque objects, as another process has them.
    """
    sink = _Sink()
    pickler = _Reader(sink, opaque, by_content=by_content)
    try:
        pickler.dump(value)
    except Exception:  # something in it cannot be pickled: its identity has to do
        identity = type(value).__qualname__ if by_content else str(id(value))
        return Fingerprint(identity.encode(), is_light=False, opaque=[value])
    is_light = sink.length < LIGHT and not pickler.tensors
    return Fingerprint(sink.hash.digest(), is_light, pickler.tensors, pickler.opaque)


class _Sink:
    """A file that keeps a hash of what is written, and its length."""

    def __init__(self) -> None:
        self.hash = hashlib.blake2b(digest_size=16)
        self.length = 0

    def write(self, data: bytes | memoryview) -> int:
        view = memoryview(data).cast("B")
        self.hash.update(view)
        self.length += view.nbytes
        return view.nbytes


class _Reader(pickle.Pickler):
    """Reads an object into a sink, without regard to which equal parts of it are the same object."""

    def __init__(self, sink: _Sink, opaque: tuple[type, ...], *, by_content: bool) -> None:
        super().__init__(sink, protocol=5, buffer_callback=_raw_into(sink))
        self.fast = True
        self.tensors: list[Any] = []
        self.opaque: list[Any] = []
        self._sink, self._opaque, self._by_content = sink, opaque, by_content

    def persistent_id(self, value: Any) -> tuple[Any, ...] | None:
        """Return what is written in the place of a tensor or an opaque object."""
        if isinstance(value, self._opaque) and not _is_importable(value):
            self.opaque.append(value)
            return ("object", type(value).__qualname__ if self._by_content else id(value))
        if type(value) in _COLLECTIONS and value and _NUMBERS.issuperset(map(type, value)):
            total = _exact_sum(value)
            if math.isfinite(total):  # a NaN has the hash of its identity
                numbers = frozenset(value) if isinstance(value, set | frozenset) else tuple(value)
                self._sink.length += len(value)
                # Of numbers the hash is the same in every process; those of -1 and -2 are equal, their sums are not.
                return (type(value).__name__, len(value), hash(numbers), total)
        if isinstance(value, torch.Tensor):
            self.tensors.append(value)
            if not self._by_content:
                return ("tensor", id(value), value._version)
            for part in _dense_parts(value.detach()):
                self._sink.write(_bytes_of(part))
            return ("tensor", str(value.dtype), tuple(value.shape))
        return None


def _exact_sum(numbers: Iterable[Any]) -> float:
    """Return the sum of numbers, whatever their order; NaN where no float holds it."""
    try:
        return math.fsum(numbers)
    except (OverflowError, ValueError):
        return math.nan


def _is_importable(value: Any) -> bool:
    """Whether an object is a function with a name of its own, which pickle writes."""
    return isinstance(value, types.FunctionType) and "<" not in value.__qualname__


def _raw_into(sink: _Sink) -> Callable[[pickle.PickleBuffer], None]:
    def write(buffer: pickle.PickleBuffer) -> None:
        sink.write(buffer.raw())

    return write


def _dense_parts(tensor: Any) -> list[Any]:
    """Return the dense tensors that a sparse one consists of."""
    if tensor.layout == torch.sparse_coo:
        return [tensor._indices(), tensor._values()]
    if tensor.layout == torch.sparse_csr:
        return [tensor.crow_indices(), tensor.col_indices(), tensor.values()]
    return [tensor]


def _bytes_of(tensor: Any) -> memoryview:
    flat = tensor.cpu().contiguous().reshape(-1)
    return memoryview(flat.view(torch.uint8).numpy() if flat.numel() else b"")

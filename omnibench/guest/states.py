"""States of training on disk: any graph of objects, its arrays beside it, and by name what every Fit makes alike.

The graph is pickled; the bytes of its numpy arrays and PyTorch tensors go into a file of their own, without a copy in
memory. Tensors that share memory do so after loading, too: an optimizer's parameters are those of its network.
Gradients are not stored. Objects that every Fit makes alike (the training data, a configuration, a logger) are stored by
their names only.

Only the process of a Fit loads a state, after its sha256 was checked: unpickling runs what is in the file.
"""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

GRAPH, ARRAYS, SIZES = "state.pkl", "state.bin", "state.json"
"""The names of a state's files: the graph, the bytes of its arrays, and how many bytes each array has."""

_ALIGNMENT = 64
"""Bytes that the beginning of an array is a multiple of, in memory as in the file: PyTorch allocates so, and where an
array begins may decide in which order a processor adds its numbers."""

_Bytes = npt.NDArray[np.uint8]


def save(
    directory: Path,
    state: Any,
    shared: Mapping[str, Any] | None = None,
    alone: Mapping[str, Any] | None = None,
) -> None:
    """Write a graph of objects as files of a directory.

    Args:
        directory: The directory, which is there.
        state: The graph, e.g. a dict of an optimizer, a network and numbers.
        shared: Objects that are stored by name: they themselves, and arrays that lie in the memory of their arrays.
        alone: Objects that are stored by name, without what they consist of.

    Raises:
        OSError: It cannot be written.
        Exception: Something in it cannot be pickled.
    """
    sizes: list[int] = []
    with (directory / GRAPH).open("wb") as graph, (directory / ARRAYS).open("wb") as arrays:

        def write(buffer: pickle.PickleBuffer) -> bool:
            raw = buffer.raw()
            arrays.write(bytes(-arrays.tell() % _ALIGNMENT))
            arrays.write(raw)
            sizes.append(raw.nbytes)
            return False  # not into the graph

        _StatePickler(graph, write, _Shared(shared or {}, alone)).dump(state)
    (directory / SIZES).write_text(json.dumps(sizes), encoding="ascii")


def check(
    state: Any,
    shared: Mapping[str, Any] | None = None,
    alone: Mapping[str, Any] | None = None,
    visit: Callable[[Any], object] | None = None,
) -> None:
    """Do what ``save`` does, and write nothing.

    Args:
        state: The graph.
        shared: As for ``save``.
        alone: As for ``save``.
        visit: Is called with every object of the graph, but for numbers and texts.

    Raises:
        Exception: Something in it cannot be pickled.
    """
    _StatePickler(_Nowhere(), lambda _: False, _Shared(shared or {}, alone), visit).dump(state)


def load(directory: Path, shared: Mapping[str, Any] | None = None, alone: Mapping[str, Any] | None = None) -> Any:
    """Return a graph of objects that ``save`` has written.

    Args:
        directory: The directory.
        shared: The objects of this Fit by the names that ``save`` had.
        alone: Likewise.

    Raises:
        LookupError: The state names an object that is not among them.
        Exception: It cannot be unpickled, e.g. because a class has changed.
    """
    sizes = json.loads((directory / SIZES).read_text(encoding="ascii"))
    with (directory / GRAPH).open("rb") as graph, (directory / ARRAYS).open("rb") as arrays:
        return _StateUnpickler(graph, _read(arrays, sizes), _Shared(shared or {}, alone)).load()


def _read(file: IO[bytes], sizes: list[int]) -> Iterator[_Bytes]:
    """Yield the arrays' bytes, each when it is needed and in memory of its own."""
    for size in sizes:
        file.seek(-file.tell() % _ALIGNMENT, 1)
        memory = np.empty(size + _ALIGNMENT, dtype=np.uint8)
        start = -memory.ctypes.data % _ALIGNMENT
        data = memory[start : start + size]
        if file.readinto(data) != size:  # type: ignore[attr-defined]  # a buffered reader has it
            raise EOFError(f"{ARRAYS} ends before its {size} bytes")
        yield data


class _Nowhere:
    """A file of which nothing is kept."""

    def write(self, data: Any) -> int:
        """Take bytes."""
        return len(data)


class _Shared:
    """The objects that are stored by name, and the arrays that they consist of.

    Args:
        objects: The objects by name.
        alone: Further ones, whose arrays are not stored by name.
    """

    def __init__(self, objects: Mapping[str, Any], alone: Mapping[str, Any] | None = None) -> None:
        self.by_name = {**objects, **(alone or {})}
        for name, shared in objects.items():
            for member, value in _members(shared):
                self.by_name.setdefault(f"{name}.{member}", value)
        self._names = {id(value): name for name, value in self.by_name.items()}
        self._views = {view: name for name, value in self.by_name.items() if (view := _view(value)) is not None}

    def name_of(self, value: Any) -> str | None:
        """Return the name of an object, or None where it is none of them."""
        name = self._names.get(id(value))
        if name is None and self._views and (view := _view(value)) is not None:
            name = self._views.get(view)
        return name


def _members(shared: Any) -> list[tuple[str, Any]]:
    """Return the arrays that an object keeps as attributes, such as those of a sparse matrix; a network's are its state."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(shared, torch.nn.Module):
        return []
    attributes = getattr(shared, "__dict__", {})
    return [(name, value) for name, value in attributes.items() if _view(value) is not None]


def _view(value: Any) -> tuple[Any, ...] | None:
    """Return which memory an array or tensor shows, and how; None for what is none, or is empty."""
    if type(value) is np.ndarray:
        if value.size == 0 or value.dtype.hasobject:
            return None
        return value.ctypes.data, value.dtype.str, value.shape, value.strides
    torch = sys.modules.get("torch")
    if torch is not None and type(value) is torch.Tensor and value.layout is torch.strided and value.numel():
        return value.data_ptr(), str(value.dtype), tuple(value.shape), tuple(value.stride())
    return None


class _Storage:
    """The memory that tensors share, on its way into a file."""

    def __init__(self, tensor: Any) -> None:
        import torch

        untyped = tensor.untyped_storage()
        on_device = torch.empty(0, dtype=torch.uint8, device=untyped.device).set_(untyped)
        self.device = str(untyped.device)
        self.data: _Bytes = on_device.cpu().numpy()


class _StatePickler(pickle.Pickler):
    """Pickles tensors as views of their memory, whose bytes go beside the graph as those of numpy's arrays do."""

    def __init__(self, file: Any, write: Any, shared: _Shared, visit: Callable[[Any], object] | None = None) -> None:
        super().__init__(file, protocol=5, buffer_callback=write)
        self._shared = shared
        self._visit = visit
        self._storages: dict[int, _Storage] = {}

    def persistent_id(self, value: Any) -> str | None:
        """Return the name of an object that is shared."""
        if self._visit is not None:
            self._visit(value)
        return self._shared.name_of(value)

    def reducer_override(self, value: Any) -> Any:
        """Return how a dense tensor is made again; everything else is pickled as always."""
        if (
            isinstance(value, np.dtype) and value.isbuiltin == 1
        ):  # numpy makes a copy, which pickles of the model would show
            return np.dtype, (value.str,)
        if type(value) is _Storage:
            data: Any = value.data
            return _RestoredStorage, (pickle.PickleBuffer(data), value.device)
        torch = sys.modules.get("torch")
        if torch is None or type(value) not in (torch.Tensor, torch.nn.Parameter) or value.layout is not torch.strided:
            return NotImplemented
        if value.is_quantized or value.is_meta or value.is_conj() or value.is_neg():
            return NotImplemented
        detached = value.detach()
        address = detached.untyped_storage().data_ptr()
        storage = self._storages.get(address) if address else None
        if storage is None:
            storage = _Storage(detached)
            self._storages[address or -id(storage)] = storage  # also so that its id stays its own
        dtype = str(detached.dtype).removeprefix("torch.")
        view = dtype, detached.storage_offset(), tuple(detached.shape), tuple(detached.stride())
        is_parameter = type(value) is torch.nn.Parameter
        attributes = vars(value) or None
        setter = () if attributes is None else (dict(attributes), None, None, _set_attributes)
        return _restored_tensor, (storage, *view, bool(value.requires_grad), is_parameter), *setter


class _RestoredStorage:
    """The memory that tensors share, read from a file.

    Args:
        data: Its bytes, which become the memory of the tensors.
        device: The device that they are on.
    """

    def __init__(self, data: Any, device: str) -> None:
        import torch

        data = np.frombuffer(data, dtype=np.uint8)
        self.untyped = (torch.from_numpy(data) if len(data) else torch.empty(0, dtype=torch.uint8)).to(device)

    def view(self, dtype: str, offset: int, shape: tuple[int, ...], stride: tuple[int, ...]) -> Any:
        """Return a tensor; the offset and the strides count elements."""
        import torch

        empty = torch.empty(0, dtype=getattr(torch, dtype), device=self.untyped.device)
        return empty.set_(self.untyped.untyped_storage(), offset, shape, stride)


def _restored_tensor(
    storage: _RestoredStorage,
    dtype: str,
    offset: int,
    shape: tuple[int, ...],
    stride: tuple[int, ...],
    requires_gradient: bool,
    is_parameter: bool,
) -> Any:
    import torch

    tensor = storage.view(dtype, offset, shape, stride)
    if is_parameter:
        return torch.nn.Parameter(tensor, requires_grad=requires_gradient)
    return tensor.requires_grad_(requires_gradient) if requires_gradient else tensor


def _set_attributes(tensor: Any, attributes: dict[str, Any]) -> None:
    vars(tensor).update(attributes)


class _StateUnpickler(pickle.Unpickler):
    """Reads a graph, with the objects of this Fit by their names."""

    def __init__(self, file: IO[bytes], buffers: Iterator[_Bytes], shared: _Shared) -> None:
        super().__init__(file, buffers=buffers)
        self._shared = shared

    def persistent_load(self, pid: Any) -> Any:
        """Return the object with a name."""
        try:
            return self._shared.by_name[pid]
        except KeyError:
            raise LookupError(f"the state names {pid!r}, which this Fit does not have") from None

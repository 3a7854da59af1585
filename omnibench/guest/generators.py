"""The global random generators of this process: seeded together, also those of packages that are imported later."""

from __future__ import annotations

import contextlib
import importlib.abc
import os
import random
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import numpy as np

DETERMINISTIC_MARK = "OMNIBENCH_DETERMINISTIC"
"""The environment variable of a guest that is to compute only by operations whose results are the same in every run."""


def _seed_torch(torch: Any, seed: int) -> None:
    torch.manual_seed(seed)  # of the CPU and of every GPU
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    if DETERMINISTIC_MARK in os.environ:
        torch.use_deterministic_algorithms(True)  # an operation that has no such algorithm fails, and says so


def _seed_tensorflow(tensorflow: Any, seed: int) -> None:
    tensorflow.random.set_seed(seed)
    if DETERMINISTIC_MARK in os.environ:
        tensorflow.config.experimental.enable_op_determinism()


def _seed_keras(keras: Any, seed: int) -> None:
    keras.utils.set_random_seed(seed)


def _seed_numba(numba: Any, seed: int) -> None:
    """Seed the generators of compiled code, which are others than numpy's and Python's, and can be seeded there only."""
    global _seed_compiled  # noqa: PLW0603 - compiled once per process
    if _seed_compiled is None:

        def compiled(value: int) -> None:
            np.random.seed(value)
            random.seed(value)

        _seed_compiled = numba.njit(compiled)
    _seed_compiled(seed)


_seed_compiled: Callable[[int], None] | None = None

_PACKAGES: dict[str, Callable[[Any, int], None]] = {
    "torch": _seed_torch,
    "tensorflow": _seed_tensorflow,
    "keras": _seed_keras,
    "numba": _seed_numba,
}
"""Packages with generators of their own. JAX has none: it draws from keys that its users make."""


def _seed_package(name: str, module: ModuleType, seed: int) -> None:
    with contextlib.suppress(AttributeError):  # a module or folder of the user's own may have the same name
        _PACKAGES[name](module, seed)


class SeededImports(importlib.abc.MetaPathFinder):
    """Finds what everybody else would, and has packages with a generator seeded when their import is complete.

    Attributes:
        seed: The seed, below 2**32.
    """

    def __init__(self) -> None:
        self.seed = 0

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the specification that the other finders have for a package with a generator."""
        if fullname not in _PACKAGES:
            return None
        for finder in sys.meta_path:
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec = find(fullname, path, target) if find is not None else None
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    self._seed_after(spec.loader, fullname)
                return spec  # type: ignore[no-any-return]
        return None

    def _seed_after(self, loader: Any, name: str) -> None:
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            _seed_package(name, module, self.seed)

        loader.exec_module = exec_module


_imports = SeededImports()


def seed_everything(seed: int) -> None:
    """Seed Python's, numpy's and the imported packages' global generators; what is imported later is seeded then.

    Args:
        seed: Any whole number; its last 32 bits count, as for the frameworks.
    """
    seed %= 2**32
    random.seed(seed)
    np.random.seed(seed)
    _imports.seed = seed
    if _imports not in sys.meta_path:
        sys.meta_path.insert(0, _imports)
    for name in _PACKAGES:
        module = sys.modules.get(name)
        if module is not None:
            _seed_package(name, module, seed)

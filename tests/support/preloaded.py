"""An interpreter that has imported pandas and forks itself: what runs in it, by its path, imports nothing of ours.

Each guest of a user's class imports pandas, which takes as long as the rest of most tests. Here it is imported once, by a
process that forks a child for each guest. By ``CLONE_PARENT``, which glibc's ``fork`` does not offer, the child belongs to
the process that asked, as one started by ``subprocess`` does: its supervisor looks at its parent, and who asked waits for it.
Such a child has no copies of other threads' locks to fear, because this process has none, and is no more than the
supervisor: the guest itself is forked by that, as ever.
"""

from __future__ import annotations

import array
import ctypes
import gc
import importlib
import json
import os
import platform
import signal
import socket
import sys

_CLONE_PARENT = 0x8000
_CLONE_CALLS = {"x86_64": 56, "aarch64": 220}
"""The number of the system call ``clone`` by machine."""
MESSAGE_BYTES = 2**20
"""No request is longer: an environment, a directory and a program's text."""
_BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
"""With more than one, OpenBLAS has threads that a child made by ``clone`` does not have, and waits for them for ever when that forks."""
IMPORTED = (
    *("ctypes", "dataclasses", "difflib", "email.message", "encodings.ascii", "glob", "importlib.metadata"),
    *("importlib.resources", "inspect", "pickle", "resource", "symtable", "tempfile", "tracemalloc"),
    *("numpy", "pandas", "pyarrow.pandas_compat"),
)
"""What every guest of a user's class imports, and nothing of ours."""


def serve(descriptor: int) -> str:
    """Fork whenever the parent asks for it; return the text of the program in each child, and never in this process.

    A request is JSON with ``environment``, ``directory``, ``arguments`` and ``program``, and three descriptors, for its
    standard streams; the answer is the child's process id.

    It ends when nobody can ask any more.

    Args:
        descriptor: A socket of packets, whose other end the parent has.
    """
    os.environ |= dict.fromkeys(
        _BLAS_THREADS, "1"
    )  # of this process alone: each child gets the environment of its request
    for name in IMPORTED:
        importlib.import_module(name)
    gc.freeze()
    requests = socket.socket(fileno=descriptor)
    numbers = array.array("i")
    while True:
        message, ancillary, *_ = requests.recvmsg(MESSAGE_BYTES, socket.CMSG_LEN(3 * numbers.itemsize))
        if not message:
            os._exit(0)
        streams = array.array("i", ancillary[0][2]).tolist()
        child = _clone()
        if child == 0:
            requests.close()
            return _become(json.loads(message), streams)
        for stream in streams:
            os.close(stream)
        requests.send(str(child).encode())


def _clone() -> int:
    """Fork a child of this process's parent; return its process id, and 0 within it.

    Raises:
        OSError: The kernel refuses.
    """
    python, call = ctypes.pythonapi, ctypes.PyDLL(None, use_errno=True).syscall
    python.PyOS_BeforeFork()
    child = int(call(_CLONE_CALLS[platform.machine()], _CLONE_PARENT | int(signal.SIGCHLD), 0, 0, 0, 0))
    if child == 0:
        python.PyOS_AfterFork_Child()
        return 0
    python.PyOS_AfterFork_Parent()
    if child < 0:
        raise OSError(ctypes.get_errno(), "clone")
    return child


def _become(request: dict, streams: list[int]) -> str:  # type: ignore[type-arg]
    """Take over what a process that is started has of its own, and return the program's text."""
    import numpy as np

    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["directory"])
    sys.argv[:] = request["arguments"]
    np.random.seed()  # noqa: NPY002 - an interpreter that starts draws other numbers than the one before
    importlib.invalidate_caches()
    program: str = request["program"]
    return program

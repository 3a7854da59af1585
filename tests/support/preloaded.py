"""An interpreter that has imported pandas and forks itself: what runs in it, by its path, imports nothing of ours.

Each guest of a user's class imports pandas, which takes as long as the rest of most tests. Here it is imported once, by a
process that forks a child for each guest. By ``CLONE_PARENT``, which glibc's ``fork`` does not offer, the child belongs to
the process that asked, as one started by ``subprocess`` does: its supervisor looks at its parent, and who asked waits for it.
Such a child has no copies of other threads' locks to fear, because this process has none, and is no more than the
supervisor: the guest itself is forked by that, as ever.

An interpreter for runs has imported pytest and omnibench as well. Each run that it forks, and each worker of such a run, has
an interpreter of its own, forked before anything else, for the workers and the guests of it: they are its children.
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
import threading
from types import ModuleType

_CLONE_PARENT = 0x8000
_CLONE_CALLS = {"x86_64": 56, "aarch64": 220}
"""The number of the system call ``clone`` by machine."""
_THREAD_BYTES = 1024
"""What the C library keeps of a thread is longer than that, and the thread's number is among the first of it."""
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
_OF_RUNS = ("_pytest", "execnet", "omnibench", "pluggy", "pytest", "xdist")
"""What an interpreter for runs has imported, and a guest that it forks has not."""
ROOM = "ROOM_FOR_VARIABLES"
"""A variable whose length is that of the longest environment that others can see of a child."""


def serve(descriptor: int, tests: str = "") -> str:
    """Fork whenever somebody asks for it; return the text of the program in each child, and never in this process.

    A request is JSON with ``environment``, ``directory``, ``arguments`` and ``program``, and three descriptors, for its
    standard streams; the answer is the child's process id. With ``session``, the child is a run of pytest or a worker of
    xdist: it leads a session of its own where that is true, and has an interpreter of its own, for guests and workers.

    It ends when nobody can ask any more.

    Args:
        descriptor: A socket of packets, whose other end the parent has.
        tests: The directory of these tests, where it is to fork runs as well; else it forks guests only.
    """
    os.environ |= dict.fromkeys(
        _BLAS_THREADS, "1"
    )  # of this process alone: each child gets the environment of its request
    for name in IMPORTED:
        importlib.import_module(name)
    runs = _imported_for_runs(tests) if tests else None
    own_number = _thread_number()
    # It has the group of the tests, of which some send signals to their group.
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    gc.freeze()
    requests = socket.socket(fileno=descriptor)
    numbers = array.array("i")
    while True:
        message, ancillary, *_ = requests.recvmsg(MESSAGE_BYTES, socket.CMSG_LEN(3 * numbers.itemsize))
        if not message:
            os._exit(0)
        streams = array.array("i", ancillary[0][2]).tolist()
        child = _clone(own_number)
        if child:
            for stream in streams:
                os.close(stream)
            requests.send(str(child).encode())
            continue
        requests.close()
        request = json.loads(message)
        if "session" not in request:
            _forget(_OF_RUNS)
            return _become(request, streams)
        if request["session"]:
            os.setsid()
        ours, requests = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if os.fork():
            requests.close()
            program = _become(request, streams)
            runs.begin(ours, request)  # type: ignore[union-attr]
            return program
        ours.close()
        for stream in streams:
            os.close(stream)
        # It has the group of the run that it belongs to, whose signals are not for it.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())


def _imported_for_runs(tests: str) -> ModuleType:
    """Import what runs need; return what makes a child one, which is no module of any name there."""
    sys.path.insert(0, tests)
    runs = importlib.import_module("support.forked_runs")
    runs.prepare()
    sys.path.remove(tests)
    _forget(("support",))
    return runs


def _forget(packages: tuple[str, ...]) -> None:
    """Have packages imported anew by whoever wants them."""
    for name in [name for name in sys.modules if name.partition(".")[0] in packages]:
        del sys.modules[name]


def _clone(own_number: ctypes.c_int) -> int:
    """Fork a child of this process's parent; return its process id, 0 within it, and -1 where the kernel refuses.

    Args:
        own_number: Where the C library keeps the number of the main thread.
    """
    python, call = ctypes.pythonapi, ctypes.PyDLL(None).syscall
    python.PyOS_BeforeFork()
    child = int(call(_CLONE_CALLS[platform.machine()], _CLONE_PARENT | int(signal.SIGCHLD), 0, 0, 0, 0))
    if child == 0:
        own_number.value = os.getpid()
        python.PyOS_AfterFork_Child()
        return 0
    python.PyOS_AfterFork_Parent()
    return child


def _thread_number() -> ctypes.c_int:
    """Return where the C library keeps the number that the main thread has for the kernel.

    ``fork`` sets it in the child; ``pthread_kill`` sends signals to the thread that it names. It lies where two threads each
    have their own number: by chance the main thread's stands at other places as well.

    Raises:
        OSError: It is not found.
    """
    of_another: list[set[int]] = []
    another = threading.Thread(target=lambda: of_another.append(_offsets_of_number(threading.current_thread())))
    another.start()
    another.join()
    main = threading.main_thread()
    offsets = _offsets_of_number(main).intersection(*of_another)
    if len(offsets) != 1:
        raise OSError(f"the C library keeps the number of a thread at {len(offsets)} places")
    return ctypes.c_int.from_address((main.ident or 0) + offsets.pop())


def _offsets_of_number(thread: threading.Thread) -> set[int]:
    """Return where a running thread's number for the kernel stands in what the C library keeps of it."""
    begin = thread.ident or 0
    places = {offset: ctypes.c_int.from_address(begin + offset) for offset in range(0, _THREAD_BYTES, 4)}
    return {offset for offset, place in places.items() if place.value == thread.native_id}


def _become(request: dict, streams: list[int]) -> str:  # type: ignore[type-arg]
    """Take over what a process that is started has of its own, and return the program's text."""
    import numpy as np

    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(request["environment"])
    _show(request["environment"])
    os.chdir(request["directory"])
    sys.argv[:] = request["arguments"]
    np.random.seed()  # noqa: NPY002 - an interpreter that starts draws other numbers than the one before
    importlib.invalidate_caches()
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    program: str = request["program"]
    return program


def _show(environment: dict[str, str]) -> None:
    """Write an environment where the kernel shows that of a process to others: ``/proc/PID/environ``."""
    with open("/proc/self/stat", "rb") as file:
        start, end = map(int, file.read().rpartition(b")")[2].split()[47:49])
    text = b"".join(os.fsencode(f"{name}={value}") + b"\0" for name, value in environment.items())
    ctypes.memmove(start, text[: end - start].ljust(end - start, b"\0"), end - start)

"""Guests give the memory of a request back to the system."""

from __future__ import annotations

import gc
import os
import subprocess
import sys

import pytest

from omnibench.guest import memory

FREED = """
import gc
from omnibench.guest import memory
freeing, before = memory.Freeing(), memory.private()
blocks = [bytes(2000) for _ in range(150_000)]
blocks.append(blocks)  # a cycle, which only the collector frees
above = bytes(2000)
assert memory.private() > before + 2 * memory.LARGE
gc.disable()
del blocks
freeing.give_back()
assert above
assert memory.private() < before + memory.LARGE
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc, and glibc has the function")
def test_freed_memory_goes_back_to_the_system() -> None:
    """Freed blocks below one that is in use are the system's again, those of cycles included; C's library alone keeps them.

    In a process of its own: in one that has done other things, blocks come from what those have freed.
    """
    subprocess.run([sys.executable, "-c", FREED], check=True)


REUSED = """
import resource, sys
from omnibench.guest import memory
def pages_cleared():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        [bytearray(7 << 20) for _ in range(3)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(pages_cleared())
memory.reuse_freed()
pages_cleared()
print(pages_cleared())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc has the function")
def test_freed_memory_is_taken_again() -> None:
    """Arrays of some megabytes lie where those before lay, which glibc gives back to the system each time by default."""
    done = subprocess.run([sys.executable, "-c", REUSED], check=True, capture_output=True, text=True)
    before, after = map(int, done.stdout.split())
    assert before > 10_000
    assert after < 100


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc has the function")
@pytest.mark.parametrize(
    "setting", [{"MALLOC_MMAP_THRESHOLD_": "131072"}, {"GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=131072"}]
)
def test_thresholds_that_the_user_has_set_stay(setting: dict[str, str]) -> None:
    """Who wants large arrays to be given back at once gets that."""
    done = subprocess.run(
        [sys.executable, "-c", REUSED], check=True, capture_output=True, text=True, env={**os.environ, **setting}
    )
    _, after = map(int, done.stdout.split())
    assert after > 10_000


def test_little_is_not_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that leaves little behind costs neither a collection nor a walk through the heap."""
    collections: list[int] = []
    monkeypatch.setattr(gc, "collect", lambda: collections.append(1))
    sizes = iter([100 << 20, 150 << 20, 90 << 20, 210 << 20, 300 << 20, 120 << 20])
    monkeypatch.setattr(memory, "private", lambda: next(sizes))
    freeing = memory.Freeing()
    freeing.give_back()  # 50 MB more
    freeing.give_back()  # the model before has gone by itself
    freeing.give_back()  # 120 MB more than at the least
    assert not collections
    freeing.give_back()  # 210 MB more
    assert collections == [1]


COLLECTED = """
import gc, weakref
from omnibench.guest import memory, meter
class Model: pass
def left_behind():
    model = Model()
    model.itself = model
    return weakref.ref(model)
gc.disable()
garbage = memory.Garbage()
small = left_behind()
meter.forget_peak()
garbage.collect()
assert small() is not None  # little was added, so nobody has looked
large = left_behind()
kept = bytearray(2 * memory.LARGE)
kept[::4096] = bytes(len(kept[::4096]))
meter.forget_peak()
garbage.collect()
assert small() is None and large() is None
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_garbage_is_collected_where_there_may_be_much_of_it() -> None:
    """Memory that is in use now counts: the peak of an earlier request was forgotten, and of this one there is none yet."""
    subprocess.run([sys.executable, "-c", COLLECTED], check=True)

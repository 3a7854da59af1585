"""The rings of sessions: each is heard once, also one that came before anybody waited for it."""

from __future__ import annotations

import threading

from omnibench.cluster.rings import Rings


def test_a_ring_is_heard_once() -> None:
    """Whether it comes before somebody waits, or meanwhile."""
    rings = Rings()
    rings.expect("session")
    rings.ring("session")
    assert rings.wait("session", 0.0)
    assert not rings.wait("session", 0.0)
    later = threading.Timer(0.01, rings.ring, ["session"])
    later.start()
    assert rings.wait("session", 30.0)


def test_nobody_waits_for_a_session_that_was_forgotten() -> None:
    """It is to be called, which says what has become of it; its rings are nobody's."""
    rings = Rings()
    rings.expect("session")
    rings.forget("session")
    rings.forget("session")
    rings.ring("session")
    assert rings.wait("session", 30.0)


def test_many_sessions_wait_longer() -> None:
    """A thousand that each look after themselves every second would fill the submitter's core; a few hear of everything at once."""
    rings = Rings()
    stretches = []
    for number in range(2000):
        rings.expect(str(number))
        stretches.append(rings._stretch)
    assert (stretches[0], stretches[199], stretches[399], stretches[1999]) == (1.0, 1.0, 2.0, 5.0)

"""``--omnirec-from``: what somebody has published of a run's items is taken over before anything is computed."""

from __future__ import annotations

import os

from omnibench.engine.pulling import pull, source_at
from omnibench.engine.survey import State
from omnibench.plugin.options import FROM, RESUME
from omnibench.plugin.session import BenchSession
from omnibench.sharing.locations import SCHEME


def with_pulled(session: BenchSession, states: list[State]) -> list[State]:
    """Return the states of the items after those that are not done were taken over, as far as they are published.

    Args:
        session: The benchmarks of the overseeing process.
        states: Their states before.

    Raises:
        SharingError: Nothing is published there, or it cannot be reached.
        StoreError: The store cannot be read or written.
    """
    pending = [item.experiment.fit_key for item, state in zip(session.items, states, strict=True) if not state.is_done]
    if session.policy.resume in ("never", "fresh"):
        session.notify(f"nothing is pulled, because {RESUME.flag}={session.policy.resume} computes everything itself")
        return states
    if not pending:
        return states
    source = source_at(_address(session))
    outcome = pull(session.coordinator.store, source, list(dict.fromkeys(pending)), session.notify)
    if not outcome.gained and not outcome.extended:
        return states
    return session.look_at_records(session.items)


def _address(session: BenchSession) -> str:
    """Return the address, or the directory, which is relative to what all paths of options are relative to."""
    text = FROM.value(session.config)
    return text if SCHEME.match(text) else os.path.join(FROM.base(session.config), os.path.expanduser(text))

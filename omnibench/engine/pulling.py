"""Pulling: items that somebody has published are taken over before a run computes anything."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from omnibench.sharing.addresses import location_of
from omnibench.sharing.sources import PublishedSource
from omnibench.sharing.taking import Outcome, take_over
from omnibench.store import CheckpointStore


def source_at(address: str | os.PathLike[str]) -> PublishedSource:
    """Return what is published in a directory or at an address.

    Raises:
        SharingError: Nothing is published there, or it cannot be reached.
    """
    return PublishedSource(location_of(address))


def pull(
    store: CheckpointStore, source: PublishedSource, fit_keys: Sequence[str], notify: Callable[[str], None]
) -> Outcome:
    """Take over what is published of items, without models, and say what came of it.

    Args:
        store: The store.
        source: What is published.
        fit_keys: The keys of the items that are not done.
        notify: Called with a line for people.

    Raises:
        StoreError: The store cannot be written.
    """
    notify(f"asking {source.name} for {len(fit_keys)} item{'' if len(fit_keys) == 1 else 's'}")
    outcome = take_over(store, source, fit_keys)
    parts = [f"{len(outcome.gained)} of {len(fit_keys)} taken over"]
    if outcome.extended:
        parts.append(f"{len(outcome.extended)} completed with what they lacked")
    rest = "" if len(outcome.gained) == len(fit_keys) else "; the rest is computed"
    notify(f"{', '.join(parts)} from {source.name}{rest}")
    for title, reason in list(outcome.refused.items())[:1]:
        more = f" (and {len(outcome.refused) - 1} more)" if len(outcome.refused) > 1 else ""
        notify(f"what {source.name} has of {title} is not used{more}: {reason}")
    for conflict in outcome.conflicts[:1]:
        more = f" (and {len(outcome.conflicts) - 1} more)" if len(outcome.conflicts) > 1 else ""
        notify(
            f"{source.name} contradicts what is recorded here of {conflict.title}{more}: {conflict.differences[0]}; nothing of it "
            "is used"
        )
    return outcome

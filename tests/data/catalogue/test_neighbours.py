"""The sets of the catalogue that are nearest to some figures."""

from __future__ import annotations

import math

import pytest

from omnibench.data.catalogue.names import definitions
from omnibench.data.catalogue.neighbours import neighbours


def test_a_set_is_nearest_to_itself() -> None:
    """At no distance; the others follow by theirs."""
    nearest = neighbours(definitions().values(), 6_040, 3_706, 1_000_209)
    assert nearest[0].definition.name == "MovieLens1M"
    assert [neighbour.distance for neighbour in nearest] == sorted(neighbour.distance for neighbour in nearest)
    assert nearest[0].distance == 0
    assert len(nearest) == 5
    assert nearest[0].density == pytest.approx(1_000_209 / (6_040 * 3_706))


def test_the_distance_counts_factors() -> None:
    """A set with ten times the users is at distance 1, and one with a tenth of them as well."""
    entry = definitions()["MovieLens1M"]
    (more,), (less,) = (neighbours([entry], users, 3_706, 1_000_209) for users in (60_400, 604))
    assert more.distance == pytest.approx(1)
    assert less.distance == pytest.approx(1)
    (both,) = neighbours([entry], 60_400, 37_060, 1_000_209)
    assert both.distance == pytest.approx(math.sqrt(2))


def test_sets_of_unknown_size_are_left_out() -> None:
    """And of those with known pairs alone, these count."""
    entries = [entry for entry in definitions().values() if entry.counts.users is None]
    assert neighbours(entries, 1, 1, 1) == []
    by_pairs = [entry for entry in definitions().values() if entry.counts.pairs and not entry.counts.interactions]
    nearest = neighbours(by_pairs, 10, 10, 10)
    assert nearest
    assert all(neighbour.interactions == neighbour.definition.counts.pairs for neighbour in nearest)

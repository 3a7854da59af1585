"""Two stores that compute and merge in any order: nothing is lost, nothing decided in silence."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from support.shared_items import RUN, assert_sound, key_of, record_item, substance

from omnibench.sharing.sources import StoreSource
from omnibench.sharing.taking import Outcome, take_over
from omnibench.store import CheckpointStore
from omnibench.store.generations import reset

NAMES = ("A", "B", "C")
SIDES = (0, 1)
VALUES = {"NDCG@10": 0.25, "HR@10": 0.5}

Told = dict[str, tuple[int, dict[str, float]]]
"""By item: what its predictions are, and its metrics. The model that stores are compared with."""


class TwoStores(RuleBasedStateMachine):
    """Two stores beside two dictionaries that say what has to be in them."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.stores = [CheckpointStore(self.directory / str(side)) for side in SIDES]
        self.told: list[Told] = [{}, {}]

    @rule(
        side=st.sampled_from(SIDES),
        name=st.sampled_from(NAMES),
        predictions=st.integers(1, 2),
        label=st.sampled_from(sorted(VALUES)),
    )
    def compute(self, side: int, name: str, predictions: int, label: str) -> None:
        """Compute a metric of an item; another attempt at an item that is done has the same predictions."""
        present, metrics = self.told[side].get(name, (predictions, {}))
        value = VALUES[label] + present
        record_item(
            self.stores[side],
            name,
            metrics={label: value},
            predictions=present,
            run={**RUN, "id": f"20260101T000000Z-0000000{side}"},
        )
        self.told[side][name] = present, {**metrics, label: value}

    @rule(side=st.sampled_from(SIDES), name=st.sampled_from(NAMES))
    def forget(self, side: int, name: str) -> None:
        """Reset an item."""
        reset(self.stores[side], [key_of(name)])
        self.told[side].pop(name, None)

    @rule(side=st.sampled_from(SIDES), models=st.booleans())
    def merge(self, side: int, models: bool) -> None:
        """Merge one store into the other, and do it again."""
        own, other = self.told[side], self.told[1 - side]
        outcome = self._merged(side, models)
        conflicts = {name for name in own.keys() & other.keys() if own[name][0] != other[name][0]}
        assert {conflict.title for conflict in outcome.conflicts} == {f"D/{name}/fold_0" for name in conflicts}
        assert all("00000000" not in conflict.ours for conflict in outcome.conflicts)
        for name, (predictions, metrics) in other.items():
            if name not in conflicts:
                own[name] = predictions, {**metrics, **own.get(name, (predictions, {}))[1]}
        before = self.stores[side].snapshot()
        again = self._merged(side, models)
        assert (again.gained, again.extended, len(again.conflicts)) == ([], [], len(conflicts))
        assert self.stores[side].snapshot() == before

    @rule()
    def merge_both_ways(self) -> None:
        """Where nothing contradicts, both stores say the same when each was merged into the other."""
        self.merge(0, models=False)
        self.merge(1, models=False)
        shared = [
            name for name in self.told[0].keys() & self.told[1].keys() if self.told[0][name] == self.told[1][name]
        ]
        parts = [
            {
                key: value
                for key, value in substance(store).items()
                if key in {f"item/{key_of(name)}" for name in shared}
            }
            for store in self.stores
        ]
        assert parts[0] == parts[1]

    def _merged(self, side: int, models: bool) -> Outcome:
        source = StoreSource(self.stores[1 - side].root)
        return take_over(self.stores[side], source, source.fit_keys(), models=models)

    @invariant()
    def says_what_it_has_to(self) -> None:
        """Each store has the metrics of its dictionary, and no others."""
        for store, told in zip(self.stores, self.told, strict=True):
            items = {
                key: value for key, value in substance(store).items() if key.startswith("item/") and value[0] == "done"
            }
            assert items == {f"item/{key_of(name)}": ("done", metrics) for name, (_, metrics) in told.items()}

    def teardown(self) -> None:
        """Look at all files, and rebuild both stores."""
        for store in self.stores:
            store.close()
        for side in SIDES:
            assert_sound(self.directory / str(side))
            with closing(CheckpointStore(self.directory / str(side))):
                pass
        shutil.rmtree(self.directory)


TestTwoStores = TwoStores.TestCase
TestTwoStores.settings = settings(max_examples=5, stateful_step_count=6, deadline=None, derandomize=True)


@pytest.mark.slow
def test_many_more_ways() -> None:
    """The same with many more steps."""
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(TwoStores, settings=settings(max_examples=60, stateful_step_count=20, deadline=None))

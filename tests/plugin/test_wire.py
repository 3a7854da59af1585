"""Messages between controller and workers arrive as they were sent, through what execnet lets pass."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import execnet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibench.plugin import hooks
from omnibench.plugin.wire import ItemMessage, RunMessage, digest, pack, unpack
from omnibench.results import Result
from omnibench.store.schema import Phase, Status

NODE_IDS = st.text(min_size=1)
SECONDS = st.floats(0, 1e6)


def sent(fields: Any) -> Any:
    """What is left of something on the other end."""
    return execnet.loads(execnet.dumps(fields))


@given(st.text(), st.text(), st.sets(NODE_IDS), NODE_IDS)
def test_a_worker_learns_what_was_done(run_id: str, directory: str, done: set[str], nodeid: str) -> None:
    """The run, the directory, and of any node id whether it was done when the run began."""
    message = RunMessage(run_id, directory, frozenset(digest(name) for name in done))
    workerinput: dict[str, Any] = {"workerid": "gw0"}
    message.send(workerinput)
    received = RunMessage.received(SimpleNamespace(workerinput=sent(workerinput)))
    assert received == message
    assert (digest(nodeid) in message.done) == (nodeid in done)


def test_processes_without_a_message() -> None:
    """The overseeing process gets none, nor does a worker of a run without benchmarks."""
    assert RunMessage.received(SimpleNamespace()) is None
    assert RunMessage.received(SimpleNamespace(workerinput={"workerid": "gw0"})) is None


@given(
    st.sampled_from([Status.DONE.value, "cached", Status.FAILED.value, "skipped"]),
    st.none() | st.integers(0, 20),
    st.dictionaries(st.text(), st.floats(allow_nan=False)),
    st.dictionaries(st.sampled_from([phase.value for phase in Phase]), SECONDS),
    st.booleans(),
)
def test_a_report_tells_how_its_item_ended(
    status: str, fold: int | None, metrics: dict[str, float], seconds: dict[str, float], replayed: bool
) -> None:
    """A report that came from a worker carries the same message as the one that the worker has made."""
    parameters = {"low": -(2**63), "high": 2**70, "pair": [-(2**40), "a"]}
    result = Result("D-1", "LensKit.PopScorer-f", "PopScorer()", fold, metrics, "ab" * 32, parameters=parameters)
    message = ItemMessage(status, result, seconds, replayed, tuple(metrics))
    report = SimpleNamespace()
    message.attach(report)
    assert ItemMessage.carried(SimpleNamespace(**sent(vars(report)))) == message


def test_reports_of_other_items() -> None:
    """An ordinary test's report carries no message."""
    assert (
        ItemMessage.carried(
            pytest.TestReport("test_a.py::test_a", ("test_a.py", 0, "test_a"), {}, "passed", None, "call")
        )
        is None
    )


@pytest.mark.parametrize("phase", ["setup", "call", "teardown"])
def test_only_the_report_of_the_call_carries_a_message(phase: str) -> None:
    """Once per item; and another plugin's items may have a message of their own, which is none of ours."""
    message = ItemMessage("done", Result("D", "A", "A()", None), {}, replayed=False, lower_is_better=())
    for item_message, expected in ((message, message if phase == "call" else None), ("a text", None), (None, None)):
        item: Any = SimpleNamespace(message=item_message)
        report = SimpleNamespace(when=phase, sections=[], longrepr=None, duration=0.0)
        wrapper = hooks.pytest_runtest_makereport(item)
        next(wrapper)
        with pytest.raises(StopIteration):
            wrapper.send(report)
        assert ItemMessage.carried(report) == expected


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), PLAIN))
def test_a_report_in_one_piece_has_all_members(members: dict[str, Any]) -> None:
    """Tuples stay tuples, and what xdist adds on the way stays beside them."""
    data = sent({**pack(members), "worker_id": "gw0"})
    unpack(data)
    assert repr(data) == repr({"worker_id": "gw0"} | members)


def test_what_cannot_be_packed_travels_member_by_member() -> None:
    """A subclass of a plain type, e.g. in a property of the user's, is left to execnet."""

    class Name(str):
        __slots__ = ()

    data = {"user_properties": [("who", Name("I"))]}
    assert pack(data) is data
    unpack(data)
    assert data == {"user_properties": [("who", "I")]}

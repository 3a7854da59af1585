"""Records that are read by the hundred are those that are read one by one, and so are their numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.stored import compute, prepare

from omnibench.store import CheckpointStore, reader
from omnibench.store.packed_metrics import MetricsPacker, PackedMetrics
from omnibench.store.phase_facts import _hashes, _hashes_of_encoded
from omnibench.store.reading import read
from omnibench.store.schema import RecordType
from omnibench.store.sealing import seal

TYPES = (RecordType.FIT, RecordType.PREDICT, RecordType.EVAL)
VALUES = st.floats(allow_nan=False, allow_infinity=False)
DIGESTS = st.text("0123456789abcdef", min_size=64, max_size=64)


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    """A store with three done items."""
    made = CheckpointStore(tmp_path / "store")
    prepare(made, "d")
    for name in "abc":
        compute(made, name)
    return made


@pytest.mark.parametrize("at_once", [1, 2, 100])
def test_blocks_have_the_sound_records_and_no_others(
    store: CheckpointStore, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """One flipped bit, a text of another key, what is no text, and a name beyond ASCII: as one by one, and the damaged ones are told."""
    monkeypatch.setattr(reader, "_BLOCK", at_once)
    connection = store.records._connection
    fit = store.records.get(f"fit/{'a' * 64}") or {}
    store.records.commit({f"fit/{'a' * 64}": {**fit, "version": "ü"}})
    text = seal(f"fit/{'b' * 64}", fit)
    changed = {
        f"fit/{'c' * 64}": text,
        "predict/pa": text.encode()[:-3],
        "predict/pb": b"\xff" + text.encode(),
        "eval/ea": 5,
        "eval/eb": seal("eval/eb", {"ü": 1}).replace("\\u00fc", "ü"),
    }
    for key, value in changed.items():
        assert connection.execute("UPDATE Cache SET value = ? WHERE key = ?", (value, key)).rowcount == 1
    store.close()
    told: list[list[str]] = [[], []]
    one_by_one = read(store.root / "store", lambda opened: [*opened.sound_texts_of(*TYPES)], told[0].append)
    blocks = read(store.root / "store", lambda opened: [*opened.sound_blocks_of(*TYPES)], told[1].append)
    by_block = [
        (key.decode(), content.decode()) for _, keys, texts in blocks for key, content in zip(keys, texts, strict=True)
    ]
    assert sorted(by_block) == sorted(one_by_one)
    assert sorted(told[0]) == sorted(told[1]) == sorted(changed)
    assert all(record_type.has(key.decode()) for record_type, keys, _ in blocks for key in keys)


@given(
    st.dictionaries(
        st.text(max_size=5),
        st.tuples(VALUES | st.integers(-9, 9), DIGESTS, st.text(max_size=5)),
        min_size=1,
        max_size=3,
    )
)
def test_packed_metrics_are_those_that_are_parsed(members: dict[str, tuple[float, str, str]]) -> None:
    """Values with every digit, keys and identities, of what comes first and of what comes again; whole numbers stay such."""
    metrics = {label: {"value": value, "key": key, "metric": name} for label, (value, key, name) in members.items()}
    text = json.dumps(metrics)
    packer = MetricsPacker()
    for packed in (packer.packed(text), packer.packed(text)):
        assert repr(dict(packed.items())) == repr(json.loads(text))
        assert repr([packed[label] for label in packed]) == repr(list(metrics.values()))
        if isinstance(packed, PackedMetrics):
            assert packed.numbers.texts == [repr(value) for value, *_ in members.values()]
            assert packed.digests.hex() == "".join(key for _, key, _ in members.values())


@given(st.lists(DIGESTS | st.text(max_size=3) | DIGESTS.map(str.upper) | DIGESTS.map(lambda key: f" {key[1:]}")))
def test_a_key_has_one_hash_whatever_stands_beside_it(keys: list[str]) -> None:
    """Alone, among others, encoded, and as a digest."""
    together = list(_hashes(keys))
    assert together == [_hashes([key])[0] for key in keys]
    assert together == list(_hashes_of_encoded([key.encode() for key in keys]))
    digests = [key for key in keys if len(key) == 64 and key == key.lower() and " " not in key]
    assert list(_hashes(bytes.fromhex("".join(digests)))) == list(_hashes(digests))


def test_what_looks_like_a_digest_is_another_key() -> None:
    """Capital letters, blanks that are passed over in digits, a digit too few: each has a hash of its own."""
    digest = "ab" * 32
    alike = [digest, digest.upper(), f" {digest}", f"{digest[:-2]}  ", digest[:-1]]
    assert len({_hashes([key])[0] for key in alike}) == len(alike)

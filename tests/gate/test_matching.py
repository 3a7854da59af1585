"""Which entry is which: by keys, then by what people call the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from support.gated import SHOP, Made

from omnibench.gate.entries import Dataset, Entry
from omnibench.gate.matching import match

VALUES = {"NDCG@10": [[0.1, 0.2]]}
OTHER_CUT = replace(SHOP, display_name="shop-bbbbbbbb", key="b" * 64, tests=("u" * 64,))


def entries(*given: dict[str, Any]) -> list[Entry]:
    made = Made()
    for one in given:
        made.add(one.pop("algorithm", "Mine"), VALUES, **one)
    return made.entries


def test_the_same_key_is_the_same_thing() -> None:
    """Whatever else there is of the algorithm."""
    now = entries({"parameters": {"k": 1}}, {"parameters": {"k": 2}})
    found = match(now, list(reversed(now)))
    assert (
        sorted(one.display_name for pair in found.pairs for one in pair)
        == ["Mine-00000000"] * 2 + ["Mine-00000001"] * 2
    )
    assert all(one.key == other.key for one, other in found.pairs)
    assert not any((found.new, found.missing, found.reparametrised, found.ambiguities, found.resplit))


def test_changed_code_and_versions_are_what_a_gate_is_for() -> None:
    """Algorithm and hyperparameters decide, a seed or a device that both sides have helps."""
    now = entries(
        {"code": "2"}, {"code": "2", "seed": 7}, {"algorithm": "RecPack.EASE", "version": "2", "device": "cuda"}
    )
    then = entries({"algorithm": "RecPack.EASE", "version": "1"}, {"code": "1", "seed": 7}, {"code": "1"})
    found = match(now, then)
    paired = {(now.index(one), then.index(other)) for one, other in found.pairs}
    assert paired == {(0, 2), (1, 1), (2, 0)}
    assert not found.reparametrised


def test_types_of_hyperparameters_are_kept_apart() -> None:
    """As keys do: 1 is not 1.0."""
    now, then = entries({"parameters": {"k": 1}}, {"parameters": {"k": 1.0}}), entries({"parameters": {"k": 1.0}})
    assert [one.parameters for one, _ in match(now, then).pairs] == ['{"k":1.0}']


def test_one_that_is_left_on_each_side_has_changed_its_hyperparameters() -> None:
    """And that is said; of a grid nobody knows which is which."""
    now = entries({"parameters": {"k": 1}}, {"parameters": {"k": 3}})
    then = entries({"parameters": {"k": 1}}, {"parameters": {"k": 2}})
    found = match(now, then)
    assert found.reparametrised == [(now[1], then[1])]
    assert len(found.pairs) == 2
    grid = match(entries({"parameters": {"k": 3}}, {"parameters": {"k": 4}}), then)
    assert not grid.pairs
    assert (len(grid.new), len(grid.missing)) == (2, 2)


def test_twins_that_cannot_be_told_apart_are_said() -> None:
    """Two classes of one name, both changed: pairing them at random would be a silent mistake."""
    now = entries({"code": "3"}, {"code": "4"})
    found = match(now, entries({"code": "1"}, {"code": "2"}))
    assert not any((found.pairs, found.new, found.missing))
    (said,) = found.ambiguities
    assert said.startswith("shop-aaaaaaaa/Mine-00000000, shop-aaaaaaaa/Mine-00000001 may be any of the baseline's ")


def test_new_and_gone_are_told() -> None:
    """By algorithm, and by dataset."""
    books = Dataset("books", "books-cccccccc", "c" * 64, ("v" * 64,))
    now = entries({}, {"algorithm": "New"}, {"dataset": books})
    then = entries({}, {"algorithm": "Old"})
    found = match(now, then)
    assert [one.name for one in found.new] == ["shop-aaaaaaaa/New-00000001", "books-cccccccc/Mine-00000002"]
    assert [one.name for one in found.missing] == ["shop-aaaaaaaa/Old-00000001"]


def test_another_recipe_with_the_same_test_part_is_the_same_dataset() -> None:
    """Users can be paired wherever the test parts are equal, e.g. when training is filtered."""
    found = match(entries({"dataset": replace(SHOP, key="d" * 64)}), entries({}))
    assert len(found.pairs) == 1
    assert not found.resplit


def test_another_test_part_cannot_be_paired() -> None:
    """Nor one of the same recipe that came out differently."""
    for other in (OTHER_CUT, replace(SHOP, tests=("u" * 64,))):
        found = match(entries({"dataset": other}), entries({}))
        assert found.resplit == [(other, SHOP)]
        assert not any((found.pairs, found.new, found.missing))


def test_a_second_split_of_the_data_is_new() -> None:
    """As long as the first one is still there."""
    now = entries({}, {"dataset": OTHER_CUT})
    found = match(now, entries({}))
    assert found.pairs[0][0] == now[0]
    assert found.new == [now[1]]


def test_several_splits_that_changed_are_unclear() -> None:
    """Of one name, with no test part in common."""
    third = replace(OTHER_CUT, display_name="shop-cccccccc", key="c" * 64, tests=("w" * 64,))
    found = match(entries({"dataset": OTHER_CUT}, {"dataset": third}), entries({}))
    assert found.ambiguities == ["shop-bbbbbbbb, shop-cccccccc may be any of the baseline's shop-aaaaaaaa"]

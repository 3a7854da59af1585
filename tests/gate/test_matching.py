"""Which entry is which: by keys, then by what people call the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from support.gated import SHOP, Measurements

from omnibench.gate.entries import Dataset, Entry
from omnibench.gate.matching import match
from omnibench.gate.series import Series

VALUES = {"NDCG@10": [[0.1, 0.2]]}
OTHER_CUT = replace(SHOP, display_name="shop-bbbbbbbb", key="b" * 64, tests=("u" * 64,))


def entries(*fields: dict[str, Any]) -> list[Entry]:
    store = Measurements()
    for entry in fields:
        store.add(entry.pop("algorithm", "Mine"), VALUES, **entry)
    return store.entries


def test_the_same_key_is_the_same_thing() -> None:
    """Entries of the same key are matched, whatever other entries the algorithm has."""
    current = entries({"parameters": {"k": 1}}, {"parameters": {"k": 2}})
    matched = match(current, list(reversed(current)))
    assert (
        sorted(series.display_name for pair in matched.pairs for series in pair)
        == ["Mine-00000000"] * 2 + ["Mine-00000001"] * 2
    )
    assert all(series.key == baseline_series.key for series, baseline_series in matched.pairs)
    assert not any((matched.new, matched.missing, matched.reparametrised, matched.ambiguities, matched.resplit))


def positions(all_entries: list[Entry], series: Series) -> tuple[int, ...]:
    return tuple(all_entries.index(entry) for entry in series.entries)


def test_changed_code_and_versions_are_what_a_gate_is_for() -> None:
    """Algorithm and hyperparameters decide, a device that both sides have helps."""
    current = entries(
        {"code": "2"}, {"code": "2", "device": "cuda"}, {"algorithm": "RecPack.EASE", "version": "2", "device": "cuda"}
    )
    baseline = entries({"algorithm": "RecPack.EASE", "version": "1"}, {"code": "1", "device": "cuda"}, {"code": "1"})
    matched = match(current, baseline)
    paired = {(*positions(current, series), *positions(baseline, before)) for series, before in matched.pairs}
    assert paired == {(0, 2), (1, 1), (2, 0)}
    assert not matched.reparametrised


def test_seeds_of_a_configuration_are_one_series() -> None:
    """One seed is matched with all of the baseline's, whatever its own; none of them is new or missing."""
    current = entries({"code": "2", "seed": 9}, {"parameters": {"k": 1}, "seed": 42})
    baseline = entries(
        {"seed": 44},
        {"parameters": {"k": 1}, "seed": 43},
        {"seed": 43},
        {"parameters": {"k": 1}, "seed": 42},
        {"seed": 42},
    )
    matched = match(current, baseline)
    paired = {(positions(current, series), positions(baseline, before)) for series, before in matched.pairs}
    assert paired == {((0,), (4, 2, 0)), ((1,), (3, 1))}
    assert not any((matched.new, matched.missing, matched.reparametrised, matched.ambiguities))


def test_types_of_hyperparameters_are_kept_apart() -> None:
    """Hyperparameters of different types are different, as in keys: 1 is not 1.0."""
    current, baseline = (
        entries({"parameters": {"k": 1}}, {"parameters": {"k": 1.0}}),
        entries({"parameters": {"k": 1.0}}),
    )
    assert [series.parameters for series, _ in match(current, baseline).pairs] == ['{"k":1.0}']


def test_one_that_is_left_on_each_side_has_changed_its_hyperparameters() -> None:
    """If one entry is left on each side, they are matched, and noted as changed hyperparameters; a grid is not."""
    current = entries({"parameters": {"k": 1}}, {"parameters": {"k": 3}})
    baseline = entries({"parameters": {"k": 1}}, {"parameters": {"k": 2}})
    matched = match(current, baseline)
    assert matched.reparametrised == [(Series((current[1],)), Series((baseline[1],)))]
    assert len(matched.pairs) == 2
    grid = match(entries({"parameters": {"k": 3}}, {"parameters": {"k": 4}}), baseline)
    assert not grid.pairs
    assert (len(grid.new), len(grid.missing)) == (2, 2)


def test_twins_that_cannot_be_told_apart_are_said() -> None:
    """Two classes of one name, both changed: pairing them at random would be a silent mistake."""
    current = entries({"code": "3"}, {"code": "4"})
    matched = match(current, entries({"code": "1"}, {"code": "2"}))
    assert not any((matched.pairs, matched.new, matched.missing))
    (sentence,) = matched.ambiguities
    assert sentence.startswith("shop-aaaaaaaa/Mine-00000000, shop-aaaaaaaa/Mine-00000001 may be any of the baseline's ")


def test_new_and_gone_are_told() -> None:
    """New and missing entries are told apart by algorithm and by dataset."""
    books = Dataset("books", "books-cccccccc", "c" * 64, ("v" * 64,))
    current = entries({}, {"algorithm": "New"}, {"dataset": books})
    baseline = entries({}, {"algorithm": "Old"})
    matched = match(current, baseline)
    assert [series.name for series in matched.new] == ["shop-aaaaaaaa/New-00000001", "books-cccccccc/Mine-00000002"]
    assert [series.name for series in matched.missing] == ["shop-aaaaaaaa/Old-00000001"]


def test_another_recipe_with_the_same_test_part_is_the_same_dataset() -> None:
    """Users can be paired wherever the test parts are equal, e.g. when training is filtered."""
    matched = match(entries({"dataset": replace(SHOP, key="d" * 64)}), entries({}))
    assert len(matched.pairs) == 1
    assert not matched.resplit


def test_another_test_part_cannot_be_paired() -> None:
    """A dataset with another test part is not paired, nor one of the same recipe that came out differently."""
    for dataset in (OTHER_CUT, replace(SHOP, tests=("u" * 64,))):
        matched = match(entries({"dataset": dataset}), entries({}))
        assert matched.resplit == [(dataset, SHOP)]
        assert not any((matched.pairs, matched.new, matched.missing))


def test_a_second_split_of_the_data_is_new() -> None:
    """A second split of the data is new as long as the first one is still there."""
    current = entries({}, {"dataset": OTHER_CUT})
    matched = match(current, entries({}))
    assert matched.pairs[0][0].entries == (current[0],)
    assert matched.new == [Series((current[1],))]


def test_several_splits_that_changed_are_unclear() -> None:
    """Several splits of one name are ambiguous if none of them has a test part of the baseline."""
    third = replace(OTHER_CUT, display_name="shop-cccccccc", key="c" * 64, tests=("w" * 64,))
    matched = match(entries({"dataset": OTHER_CUT}, {"dataset": third}), entries({}))
    assert matched.ambiguities == ["shop-bbbbbbbb, shop-cccccccc may be any of the baseline's shop-aaaaaaaa"]


def test_what_is_fitted_on_other_parts_is_told_apart() -> None:
    """Beside each other each goes with its like; alone it goes with the other, which its label tells."""
    alone, both = entries({"code": "2"}, {"code": "2", "refit": "train+validation"})
    was_both, was_alone = entries({"code": "1", "refit": "train+validation"}, {"code": "1"})
    paired = match([alone, both], [was_both, was_alone]).pairs
    assert {(str(now), str(then)) for now, then in paired} == {(str(each), str(each)) for each in (alone, both)}
    ((now, then),) = match([alone], [was_both]).pairs
    assert (str(now), str(then)) == ("shop/Mine", "shop/Mine(refit=train+validation)")

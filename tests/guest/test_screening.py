"""Scores in float32 that tell which items have to be scored in float64: the lists are those of float64."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.cases import ranking_case
from support.guest_scripts import GUEST, run

from omnibench.guest import factors, screening
from omnibench.guest.factors import FactorScores, ItemFactors
from omnibench.guest.folds import Fold
from omnibench.guest.ranking import recommend
from omnibench.guest.screening import RoughFactors, Screen


@pytest.fixture(scope="module")
def fold(tmp_path_factory: pytest.TempPathFactory) -> Fold:
    """A prepared fold with unknown items, and users with few candidates."""
    return Fold(ranking_case(tmp_path_factory.mktemp("screening"), full=False).fold.directory, 0)


def lists(
    fold: Fold, user: npt.NDArray[Any], item: npt.NDArray[Any], k: int, *, is_rough: bool
) -> npt.NDArray[np.void]:
    """The lists of products of factors, by way of float32 or without it."""
    items = ItemFactors.of(item, np.arange(fold.n_items), fold)
    assert items.rough is not None
    if not is_rough:
        items = ItemFactors(items.factor, items.code)
    return recommend(fold, [(fold.users, FactorScores(user, items, np.ones(len(user), dtype=bool)))], k)


@given(
    seed=st.integers(0, 2**32 - 1),
    scale=st.sampled_from([1e-42, 1e-20, 1e-3, 1.0, 1e12]),
    difference=st.sampled_from([0.0, 1e-14, 1e-10, 1e-7, 1e-3, 1.0]),
    mean=st.sampled_from([0.0, 3.0]),
    k=st.sampled_from([1, 5, 40]),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_lists_are_those_of_float64(
    fold: Fold, seed: int, scale: float, difference: float, mean: float, k: int
) -> None:
    """As good in every place, also of items that float32 does not tell apart, of tiny and of huge numbers, and of like ones."""
    random = np.random.default_rng(seed)
    user = random.standard_normal((len(fold.users), 4)) + mean
    item = np.repeat(random.standard_normal((-(-fold.n_items // 3), 4)) + mean, 3, axis=0)[: fold.n_items] * scale
    item *= 1 + difference * random.standard_normal((fold.n_items, 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(factors, "_TILE", 24)
        screened, plain = (lists(fold, user, item, k, is_rough=is_rough) for is_rough in (True, False))
    is_full = plain["item"] >= 0
    assert np.array_equal(screened["item"] >= 0, is_full)
    rounding = 1e-13 * scale * (1 + mean) ** 2
    best, expected = (
        np.einsum("uf,ukf->uk", user, item[rows["item"]], dtype=np.longdouble)[is_full] for rows in (screened, plain)
    )
    np.testing.assert_allclose(best, expected, rtol=1e-13, atol=rounding)
    np.testing.assert_allclose(screened["score"], plain["score"], rtol=1e-13, atol=rounding)


@given(seed=st.integers(0, 2**32 - 1), width=st.integers(1, 300), scale=st.sampled_from([1e-30, 1.0, 1e15]))
def test_no_score_is_wrong_by_more_than_is_said(seed: int, width: int, scale: float) -> None:
    """The bound holds for sums whose terms cancel, and with biases, in each tile; and it is no more than ten roundings a term."""
    random = np.random.default_rng(seed)
    user, item = random.standard_normal((20, width)) * scale, random.standard_normal((30, width))
    user[:, width // 2 :] *= -1
    item[20:] /= 64
    bias = random.standard_normal(30) * scale
    rough = RoughFactors.of(item, bias, 20)
    assert rough is not None
    errors = rough.errors_for(user, rough.rounded(user))
    assert errors is not None
    scores = np.empty((20, 30), dtype=np.float32)
    rough.multiply(rough.rounded(user), slice(0, 30), scores)
    assert (np.abs(scores - (user @ item.T + bias)) <= errors[:, np.arange(30) // 20]).all()
    for tile, items in enumerate((slice(0, 20), slice(20, 30))):
        largest = np.linalg.norm(user, axis=1) * np.linalg.norm(item[items], axis=1).max() + np.abs(bias[items]).max()
        assert (errors[:, tile] < 10 * (width + 2) * 2.0**-24 * largest + 1e-30).all()


@given(seed=st.integers(0, 2**32 - 1), has_bias=st.booleans(), spread=st.sampled_from([1e-7, 1e-3, 1.0]))
def test_what_reaches_a_bound_is_not_lost(seed: int, has_bias: bool, spread: float) -> None:
    """Bounds that are scores of items themselves: these items are among what may reach them, and nothing that pads is."""
    random = np.random.default_rng(seed)
    user, item = random.standard_normal((9, 5)), 1 + spread * random.standard_normal((45, 5))
    bias = random.standard_normal(9) * 100 if has_bias else None
    item_bias = random.standard_normal(45) if has_bias else None
    scores = user @ item.T
    if bias is not None and item_bias is not None:
        scores = scores + item_bias + bias[:, None]
    rough = RoughFactors.of(item, item_bias, 40)
    assert rough is not None
    screen = Screen.of(rough, user, 40)
    assert screen is not None
    none = np.zeros(0, dtype=np.int64)
    for tile, columns in enumerate((slice(0, 40), slice(40, 45))):
        for place in (0, 3, columns.stop - columns.start - 1):
            bounds = scores[:, columns][:, place]
            row, column = screen.reaching(tile, columns, (none, none), bounds, bias)
            found = np.zeros(scores[:, columns].shape, dtype=bool)
            found[row, column] = True
            assert found[scores[:, columns] >= bounds[:, None]].all()


@pytest.mark.parametrize("number", [np.nan, np.inf, 1e60])
def test_numbers_out_of_range_are_not_screened(fold: Fold, number: float) -> None:
    """Numbers that float32 has none for are multiplied in float64, as ever."""
    random = np.random.default_rng(1)
    user, item = random.standard_normal((len(fold.users), 4)), random.standard_normal((fold.n_items, 4))
    user[3] *= number
    rough = RoughFactors.of(item, None, 24)
    assert rough is not None
    assert Screen.of(rough, user, 24) is None
    with np.errstate(invalid="ignore"):
        screened, plain = (lists(fold, user, item, 10, is_rough=is_rough) for is_rough in (True, False))
    assert screened.tobytes() == plain.tobytes()


def test_items_that_are_all_alike_are_multiplied_in_float64(fold: Fold, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where float32 tells too few items apart, all are multiplied in full, and it is given up after some tiles."""
    random = np.random.default_rng(1)
    user = random.standard_normal((len(fold.users), 4))
    item = 1 + 1e-12 * random.standard_normal((fold.n_items, 4))
    n_asked = 0
    reaching = Screen.reaching

    def counted(self: Screen, *arguments: Any) -> Any:
        nonlocal n_asked
        n_asked += 1
        return reaching(self, *arguments)

    monkeypatch.setattr(Screen, "reaching", counted)
    monkeypatch.setattr(factors, "_TILE", 12)
    monkeypatch.setattr(factors, "_USERS", -(-len(fold.users) // 2))
    screened, plain = (lists(fold, user, item, 2, is_rough=is_rough) for is_rough in (True, False))
    assert np.array_equal(screened["item"], plain["item"])
    assert n_asked == factors._IN_VAIN + 1  # of the first half of the users


def test_the_lists_of_some_tiles_may_need_all_products(fold: Fold, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tile whose items are alike is multiplied in full, and others by pairs, in the same lists."""
    random = np.random.default_rng(5)
    user = 1 + 0.1 * random.standard_normal((len(fold.users), 4))
    item = 1e-3 * random.standard_normal((fold.n_items, 4))
    item[10:80] = 1 + 1e-12 * random.standard_normal((70, 4))
    monkeypatch.setattr(factors, "_TILE", 24)
    n_multiplied, n_asked = 0, 0
    multiply, pairs = FactorScores._multiply, FactorScores._scores_of_pairs

    def multiplied(self: FactorScores, *arguments: Any) -> None:
        nonlocal n_multiplied
        n_multiplied += 1
        multiply(self, *arguments)

    def asked(self: FactorScores, *arguments: Any) -> Any:
        nonlocal n_asked
        n_asked += 1
        return pairs(self, *arguments)

    monkeypatch.setattr(FactorScores, "_multiply", multiplied)
    monkeypatch.setattr(FactorScores, "_scores_of_pairs", asked)
    screened = lists(fold, user, item, 60, is_rough=True)
    assert 1 < n_multiplied < -(-int(fold.candidates.sum()) // 24)
    assert n_asked > 0
    plain = lists(fold, user, item, 60, is_rough=False)
    assert np.array_equal(screened["item"], plain["item"])


def test_ties_of_items_in_two_tiles_are_by_item_code(fold: Fold, monkeypatch: pytest.MonkeyPatch) -> None:
    """Items with the same factors, of which one tile is multiplied in full and another by pairs, which rounds otherwise."""
    random = np.random.default_rng(2)
    width = 61
    user = random.standard_normal((len(fold.users), width))
    distinct = random.standard_normal((3, width))
    distinct /= np.linalg.norm(distinct, axis=1)[:, None]
    item = 1e-3 * random.standard_normal((fold.n_items, width))
    item[fold.candidates] = 1e-3 * distinct[0]
    alike = np.flatnonzero(fold.candidates)[::3][:40]
    item[alike] = distinct[0]
    monkeypatch.setattr(factors, "_TILE", 24)
    pairs = FactorScores._scores_of_pairs

    def rounded_otherwise(self: FactorScores, *arguments: Any) -> Any:
        return pairs(self, *arguments) * (1 + 2.0**-52)

    monkeypatch.setattr(FactorScores, "_scores_of_pairs", rounded_otherwise)
    screened, plain = (lists(fold, user, item, 7, is_rough=is_rough) for is_rough in (True, False))
    assert np.array_equal(screened["item"], plain["item"])


def test_zeros_that_are_none_are_those_of_full_products(fold: Fold, monkeypatch: pytest.MonkeyPatch) -> None:
    """In full lists, short ones and those of scores below zero, where a pair's product that is zero is rounded to a tiny number."""
    random = np.random.default_rng(8)
    user, item = np.zeros((len(fold.users), 4)), np.zeros((fold.n_items, 4))
    user[:, :2] = random.uniform(1, 2, (len(user), 2))
    user[4:6] = 0
    user[5, 2] = 1
    item[random.permutation(np.flatnonzero(fold.candidates))[:60], :2] = random.uniform(1e-3, 1, (60, 2))
    item[::3, 2] = -1e-3
    item[:, 3] = random.uniform(1, 2, len(item))  # of no use to anybody
    monkeypatch.setattr(factors, "_TILE", 24)
    n_asked = 0
    pairs = FactorScores._scores_of_pairs

    def rounded_otherwise(self: FactorScores, *arguments: Any) -> Any:
        nonlocal n_asked
        scores = pairs(self, *arguments)
        n_asked += len(scores)
        return np.where(scores == -np.inf, 2.0**-55, scores)

    monkeypatch.setattr(FactorScores, "_scores_of_pairs", rounded_otherwise)
    is_scored = np.ones(len(user), dtype=bool)
    items = ItemFactors.of(item, np.arange(fold.n_items), fold, zero_is_none=True)
    assert items.rough is not None
    assert items.is_split is None  # ties of equal items are another reason to multiply all
    plain = ItemFactors(items.factor, items.code, zero_is_none=True)
    screened, expected = (
        recommend(fold, [(fold.users, FactorScores(user, some, is_scored))], 20) for some in (items, plain)
    )
    assert n_asked > 0
    assert (expected["item"][4] == -1).all()
    assert (expected["score"][5] < 0).all()
    assert np.array_equal(screened["item"], expected["item"])
    np.testing.assert_allclose(screened["score"], expected["score"], rtol=1e-13)


class _NobodySaw:
    """What factors ask of a fold, with users who have seen nothing.

    Args:
        n_users: The number of users.
        n_items: The number of items.
    """

    def __init__(self, n_users: int, n_items: int) -> None:
        self.n_items = n_items
        self.candidates = np.ones(n_items, dtype=bool)
        self.users = np.arange(n_users, dtype=np.int32)

    def masked_pairs(self, users: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return no pairs, whoever the users are."""
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)


def lists_with_zeros(
    user: npt.NDArray[Any], item: npt.NDArray[Any], k: int, *, is_rough: bool
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """The items and scores of lists in which a score of zero is none, by way of float32 or without it."""
    nobody_saw = cast("Fold", _NobodySaw(len(user), len(item)))
    items = ItemFactors.of(item, np.arange(len(item)), nobody_saw, zero_is_none=True)
    assert items.rough is not None
    if not is_rough:
        items = ItemFactors(items.factor, items.code, zero_is_none=True)
    parts = FactorScores(user, items, np.ones(len(user), dtype=bool)).lists(nobody_saw, nobody_saw.users, k, None)
    _, item_lists, scores = zip(*parts, strict=True)
    return np.concatenate(item_lists), np.concatenate(scores)


@pytest.mark.parametrize("seed", range(5))
def test_one_tile_is_multiplied_once(seed: int) -> None:
    """One user has products that are zero but for what BLAS rounds, and rounds otherwise for a user alone."""
    random = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(random.standard_normal((8, 8)))
    user = np.abs(random.standard_normal((100, 4))) @ basis[:4]
    item = np.abs(random.standard_normal((200, 4))) @ basis[:4]
    item[::2] = random.standard_normal((100, 4)) @ basis[4:]
    user[7] *= -1
    screened, plain = (lists_with_zeros(user, item, 60, is_rough=is_rough) for is_rough in (True, False))
    assert np.flatnonzero(plain[1][:, -1] < 1e-10).tolist() == [7]
    assert [part.tobytes() for part in screened] == [part.tobytes() for part in plain]


@pytest.mark.parametrize("seed", range(5))
def test_doubtful_lists_are_made_of_the_products_of_all_users(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several tiles, and one user whose list goes on with products that are zero but for what BLAS rounds."""
    random = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(random.standard_normal((8, 8)))
    user = np.abs(random.standard_normal((300, 4))) @ basis[:4]
    is_doubtful = np.arange(300) == 7
    user[~is_doubtful] += 5 * basis[4]
    item = -np.abs(random.standard_normal((4000, 4))) @ basis[:4]
    zeros = random.choice(np.arange(100, 4000), 12, replace=False)
    item[zeros] = random.standard_normal((12, 3)) @ basis[5:]
    # The first tile: 30 items for all other users, and longer ones with products just below zero.
    item[:30] = 20 * basis[4] - 0.01 * np.abs(random.standard_normal((30, 4))) @ basis[:4]
    item[30:100] = 20 * basis[5] - 1e-3 * np.abs(random.standard_normal((70, 4))) @ basis[:4]
    n_pairs = 0
    pairs = FactorScores._scores_of_pairs

    def counted(self: FactorScores, *arguments: Any) -> Any:
        nonlocal n_pairs
        scores = pairs(self, *arguments)
        n_pairs += len(scores)
        return scores

    monkeypatch.setattr(FactorScores, "_scores_of_pairs", counted)
    screened, plain = (lists_with_zeros(user, item, 20, is_rough=is_rough) for is_rough in (True, False))
    assert n_pairs > 0
    assert (plain[1][~is_doubtful] > 0).all()
    assert (plain[1][is_doubtful, -1] < 0).all()
    assert np.isin(plain[0][is_doubtful], zeros).any()
    assert [part.tobytes() for part in screened] == [part.tobytes() for part in plain]


@pytest.mark.slow
@pytest.mark.guests
@pytest.mark.parametrize("framework", ["LensKit", "RecPack", "RecBole"])
def test_bfloat16_gives_the_lists_of_float32(
    framework: str, fold: Fold, tmp_path: Path, environment_python: Callable[[str], Path]
) -> None:
    """With the torch of each framework: its products are as wrong as is said at most, and lists are as good."""
    run(environment_python(framework), "screened_lists.py", GUEST, framework.lower(), fold.directory, cwd=tmp_path)


@pytest.mark.parametrize(
    ("flags", "is_native"), [("fpu avx512_bf16 sse", True), ("fpu amx_bf16", True), ("fpu avx512f avx512_vnni", False)]
)
def test_bfloat16_is_for_processors_that_multiply_it(
    flags: str, is_native: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what Linux says of the processor; elsewhere float32 is multiplied as it is."""
    (tmp_path / "cpuinfo").write_text(
        f"processor\t: 0\nvendor_id\t: AuthenticAMD\nflags\t\t: {flags}\nbugs\t\t: none\n"
    )
    for path, expected in ((tmp_path / "cpuinfo", is_native), (tmp_path / "missing", False)):
        monkeypatch.setattr(screening, "_PROCESSOR", path)
        screening.has_bfloat16.cache_clear()
        assert screening.has_bfloat16() is expected
    screening.has_bfloat16.cache_clear()

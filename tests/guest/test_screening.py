"""Scores in float32 that tell which items have to be scored in float64: the lists are those of float64."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

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
from omnibench.guest.screening import RoughFactors, ScreenedTiles


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
    """The bound holds for sums whose terms cancel, and with biases."""
    random = np.random.default_rng(seed)
    user, item = random.standard_normal((20, width)) * scale, random.standard_normal((30, width))
    user[:, width // 2 :] *= -1
    bias = random.standard_normal(30) * scale
    rough = RoughFactors.of(item, bias)
    assert rough is not None
    error = rough.error_for(user)
    assert error is not None
    scores = np.empty((20, 30), dtype=np.float32)
    rough.multiply(user.astype(np.float32), slice(0, 30), scores)
    assert (np.abs(scores - (user @ item.T + bias)) <= error[:, None]).all()


@pytest.mark.parametrize("number", [np.nan, np.inf, 1e60])
def test_numbers_out_of_range_are_not_screened(fold: Fold, number: float) -> None:
    """Numbers that float32 has none for are multiplied in float64, as ever."""
    random = np.random.default_rng(1)
    user, item = random.standard_normal((len(fold.users), 4)), random.standard_normal((fold.n_items, 4))
    user[3] *= number
    rough = RoughFactors.of(item, None)
    assert rough is not None
    assert rough.error_for(user) is None
    with np.errstate(invalid="ignore"):
        screened, plain = (lists(fold, user, item, 10, is_rough=is_rough) for is_rough in (True, False))
    assert screened.tobytes() == plain.tobytes()


def test_items_that_are_all_alike_are_multiplied_in_float64(fold: Fold, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where float32 tells too few items apart, it is given up."""
    random = np.random.default_rng(1)
    user = random.standard_normal((len(fold.users), 4))
    item = 1 + 1e-12 * random.standard_normal((fold.n_items, 4))
    seen: list[ScreenedTiles] = []

    class Watched(ScreenedTiles):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            seen.append(self)

    monkeypatch.setattr(factors, "ScreenedTiles", Watched)
    monkeypatch.setattr(screening, "SPARE", 1)
    monkeypatch.setattr("omnibench.guest.tiles.SPARE", 1)
    screened, plain = (lists(fold, user, item, 2, is_rough=is_rough) for is_rough in (True, False))
    assert any(tiles.is_crowded for tiles in seen)
    assert screened.tobytes() == plain.tobytes()


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

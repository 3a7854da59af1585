"""What adapters of others return is checked where they return it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from omnibench.code.resolve import package_of
from omnibench.guest import snapshots
from omnibench.guest.adapter_checks import CheckedAdapter, imported
from omnibench.store.file_forms import ITEM_FILE

FOLD = SimpleNamespace(users=np.arange(4, dtype=np.int32), test=range(3), n_items=5)
SCORES = np.zeros((2, 5))


def checked(name: str, answer: Any) -> Callable[..., Any]:
    """Return a function of an adapter that gives this answer."""
    adapter = CheckedAdapter(SimpleNamespace(**{name: lambda *_: answer}))
    function: Callable[..., Any] = getattr(adapter, name)
    return function


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (None, "fit returned None; return the model and a dictionary of all hyperparameters"),
        (np.zeros(2), r"an array of shape \(2,\)"),
        (("model", 3), r"a tuple of 2 \(str, int\)"),
        (("model", {}, 1), r"a tuple of 3"),
    ],
)
def test_fit_returns_a_model_and_hyperparameters(answer: Any, says: str) -> None:
    """Anything else is described, with what to write."""
    with pytest.raises(TypeError, match=says):
        checked("fit", answer)("task", FOLD)
    assert checked("fit", ("model", {"k": 3}))("task", FOLD) == ("model", {"k": 3})


def test_save_returns_the_file_that_it_has_written(tmp_path: Path) -> None:
    """In the directory that it is called with, as a path or a text; what is there instead is named."""
    with pytest.raises(
        TypeError, match=r"save returned None, and there is nothing in .*; write one file into that directory"
    ):
        checked("save", None)("model", tmp_path)
    (tmp_path / "model.npz").touch()
    for answer in (None, str(tmp_path / "other.npz"), tmp_path / "other.npz", tmp_path, tmp_path.parent / "x", 3):
        with pytest.raises(
            TypeError, match=r"save returned .*and there are model\.npz in .*; write one file into that"
        ):
            checked("save", answer)("model", tmp_path)
    for answer in (tmp_path / "model.npz", str(tmp_path / "model.npz")):
        assert checked("save", answer)("model", tmp_path) == tmp_path / "model.npz"

    for name in ("weights.bin", "my model.bin", "model of all"):
        (tmp_path / name).touch()
        ending = Path(name).suffix or ".bin"
        with pytest.raises(TypeError, match=rf"save wrote '{name}'; call it model\.<ext>, .*'model\{ending}'"):
            checked("save", tmp_path / name)("model", tmp_path)
        assert ITEM_FILE.fullmatch(f"items/a/{name}") is None


def test_hyperparameters_in_effect_can_be_recorded() -> None:
    """Numbers of numpy become Python's; an array, a function or an object is refused by the hyperparameter's name."""
    _, effective = checked("fit", ("model", {"k": np.int64(3), "rate": np.float32(0.5), "layers": [1, 2]}))(
        "task", FOLD
    )
    assert effective == {"k": 3, "rate": 0.5, "layers": [1, 2]}
    assert [type(value) for value in effective.values()] == [int, float, list]
    inner = {"layers": [np.float64(3), {"size": np.int32(2)}], "pair": (np.int8(1), 2)}
    _, effective = checked("fit", ("model", inner))("task", FOLD)
    assert json.dumps(effective) == '{"layers": [3.0, {"size": 2}], "pair": [1, 2]}'
    value: Any
    for value, where in (
        ({"a": {1}}, r"'wrong'\['a'\] as set"),
        ([1, b"x"], r"'wrong'\[1\] as bytes"),
        ({1}, "'wrong' as set"),
    ):
        with pytest.raises(TypeError, match=f"the hyperparameter {where}, which cannot be recorded"):
            checked("fit", ("model", {"wrong": value}))("task", FOLD)
    for value, called in (
        (np.arange(2), "an array of shape"),
        (print, "builtin_function_or_method"),
        (object(), "object"),
    ):
        with pytest.raises(TypeError, match=f"the hyperparameter 'wrong' as {called}.*which cannot be recorded"):
            checked("fit", ("model", {"k": 3, "wrong": value}))("task", FOLD)


def test_a_module_of_a_package_imports_its_neighbours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By dots and by the name of their package, of which nothing else in that folder can be imported."""
    package = tmp_path / "apart_from_the_path" / "inner"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").touch()
    (tmp_path / "somebody_elses.py").touch()
    (package / "helping.py").write_text("COUNT = 3\n")
    adapter = package / "driver.py"
    adapter.write_text(
        "from .helping import COUNT\nfrom apart_from_the_path.inner import helping\n"
        "def version():\n    import somebody_elses\n"
        "def fit(task, fold):\n    return COUNT, {'count': helping.COUNT}\n"
    )
    monkeypatch.setattr("sys.meta_path", [*sys.meta_path])
    monkeypatch.setattr("sys.modules", {**sys.modules})
    folder, name = package_of(adapter)
    assert (folder, name) == (tmp_path, "apart_from_the_path.inner")
    module = imported(str(adapter), (str(folder), name))
    assert module.fit("task", FOLD) == (3, {"count": 3})
    with pytest.raises(ModuleNotFoundError, match="somebody_elses"):
        module.version()


@pytest.mark.parametrize("name", ["score", "lists"])
@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (np.zeros((4, 5)), r"returned an array of shape \(4, 5\).*yield pairs"),
        (None, r"returned None; yield pairs of users"),
        ([SCORES], r"yielded an array of shape \(2, 5\)"),
        ([([0, 1], SCORES), ([3, 2], SCORES)], "yielded other users than fold.users has there"),
        ([([0, 1, 2, 3, 4], SCORES)], "yielded other users than fold.users has there"),
    ],
)
def test_scores_come_in_batches_of_users_in_order(name: str, answer: Any, says: str) -> None:
    """An array of all, scores without users, and other users are refused by the name of the function."""
    with pytest.raises((TypeError, ValueError), match=f"{name} {says}"):
        list(checked(name, answer)("model", "task", FOLD))
    batches = list(checked(name, [([0, 1], SCORES), ([2, 3], SCORES)])("model", "task", FOLD))
    assert [users.tolist() for users, _ in batches] == [[0, 1], [2, 3]]


def test_a_rating_comes_for_every_pair() -> None:
    """As numbers, one for each row of the test part."""
    for answer in (3.0, np.zeros(4), np.zeros((3, 1)), ["a", "b", "c"]):
        with pytest.raises(TypeError, match=r"one number for each of the 3 rows of fold\.test"):
            checked("rate", answer)("model", "task", FOLD)
    assert checked("rate", [1, 2, 3])("model", "task", FOLD).tolist() == [1, 2, 3]


def test_a_file_is_imported_beside_what_it_is_named_after(tmp_path: Path) -> None:
    """An adapter may have the name of the framework that it imports; what it lacks it seems to lack."""
    path = tmp_path / "numpy.py"
    path.write_text("import numpy\n\ndef version():\n    return numpy.__version__\n")
    adapter = imported(str(path))
    assert adapter.version() == np.__version__
    assert not hasattr(adapter, "score")


@pytest.mark.parametrize(
    ("answer", "names"), [(None, []), ([], []), (["optimizer"], ["optimizer"]), (("a", "b"), ["a", "b"])]
)
def test_who_saves_a_snapshot_returns_what_is_missing(answer: Any, names: list[str]) -> None:
    """Nothing, or names."""
    assert snapshots._names_of(answer) == names


@pytest.mark.parametrize("answer", [1723, "optimizer"])
def test_the_count_that_writing_returns_is_no_part(answer: Any) -> None:
    """As of `lambda folder: (folder / "state").write_bytes(...)`, which would be the reason why no snapshot is kept."""
    with pytest.raises(
        TypeError, match=f"returned {answer!r}; return nothing, or the names of the parts that it could not"
    ):
        snapshots._names_of(answer)

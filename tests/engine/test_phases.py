"""Fit and Predict: what a guest is asked, and that whatever breaks the contract of its answer is refused by name."""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.cases import LENGTH, ranking_case, rating_case
from support.newest import Newest

from omnibench import ExperimentPlan, GivenCandidates, MakeImplicit, SampledNegatives, UserHoldout, from_frame
from omnibench.engine import exported_predictions, phases
from omnibench.engine.epochs import EpochMetric
from omnibench.engine.phases import PhaseOptions
from omnibench.errors import EvaluationError, GuestError
from omnibench.experiment.candidates import UNSEEN, Candidates
from omnibench.experiment.configuration import plain
from omnibench.experiment.experiment import Experiment
from omnibench.experiment.outputs import Outputs
from omnibench.experiment.planning import experiments
from omnibench.guest import VALIDATION
from omnibench.guest.folds import LIST_SCORE, NO_ITEM, RATING_DTYPE, Fold, recommendation_dtype
from omnibench.metrics import NDCG
from omnibench.runners.replies import OnEpoch, OnSnapshot

Rows = Any


class Guest:
    """A guest that writes what a test wants it to.

    Args:
        predictions: The predictions that it writes, or None to write nothing.
        answer: What it answers.
    """

    threads = 3
    fitted = ""

    def __init__(self, predictions: Rows = None, **answer: Any) -> None:
        self.predictions = predictions
        self.answer = answer
        self.requests: list[dict[str, Any]] = []
        self.waits: list[tuple[Any, ...]] = []

    def ask(
        self,
        request: Mapping[str, Any],
        on_progress: Callable[[dict[str, Any]], None] | None = None,
        while_waiting: Callable[[], None] = lambda: None,
        timeout: float | None = None,
        on_silence: Callable[[float, bool], None] = lambda *_: None,
        on_epoch: OnEpoch | None = None,
        on_snapshot: OnSnapshot | None = None,
    ) -> dict[str, Any]:
        """Keep the request, and write the predictions."""
        self.requests.append(dict(request))
        self.waits.append((on_progress, while_waiting, timeout, on_silence))
        if self.predictions is not None:
            np.save(request["output"], self.predictions)
        return self.answer


class Dead:
    """A guest whose process dies of every request."""

    threads = 1
    fitted = ""

    def ask(self, request: Mapping[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
        """Die."""
        raise GuestError("the Own process 7 was killed by SIGKILL", "last words", died=True)


def experiment(candidates: Candidates = UNSEEN, **parameters: Any) -> Experiment:
    """One experiment of a class of the user's own; the phases take its dataset by path."""
    frame = pd.DataFrame({"user": [1, 1, 1, 2, 2, 2], "item": [1, 2, 3, 1, 2, 3], "rating": 5})
    data = from_frame(frame, "phases").pipe(MakeImplicit(2), UserHoldout(0, 0.4))
    plan = ExperimentPlan("phases")
    plan.add_algorithm(Newest)
    (single,) = experiments(data, plan, [NDCG(10)], versions=lambda _: "", seeds=[7], candidates=candidates)
    return replace(single, configuration=replace(single.configuration, parameters=parameters))


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Rows]:
    """A prepared dataset, and lists for it that keep the contract; some are short or empty, and scores tie."""
    case = ranking_case(tmp_path_factory.mktemp("lists"), full=False)
    return case.directory, case.rows


@pytest.fixture(scope="module")
def ratings(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Rows]:
    """A prepared dataset, and predicted ratings for it that keep the contract."""
    case = rating_case(tmp_path_factory.mktemp("ratings"))
    return case.directory, case.rows


def predict(dataset: Path, rows: Rows, scratch: Path, candidates: Candidates = UNSEEN) -> dict[str, Any]:
    """Have a guest predict such rows."""
    output = scratch / "predictions.npy"
    return phases.predict(Guest(rows, rows=1), experiment(candidates), dataset, scratch / "model.pkl", LENGTH, output)


def refusal(dataset: Path, rows: Rows, scratch: Path, candidates: Candidates = UNSEEN) -> str:
    """Return what is said of predictions that break the contract."""
    with pytest.raises(GuestError) as caught:
        predict(dataset, rows, scratch, candidates)
    prefix = "Newest broke the contract of predictions: "
    assert str(caught.value).startswith(prefix)
    assert not caught.value.died
    return str(caught.value).removeprefix(prefix)


def longest(rows: Rows) -> Any:
    """Return the first row whose list has the full length; changing it changes the rows."""
    return rows[np.flatnonzero((rows["item"] != NO_ITEM).all(axis=1))[0]]


def test_a_fit_asks_for_all_that_the_model_depends_on(tmp_path: Path) -> None:
    """Algorithm, explicit hyperparameters, seed, device, fold and data by path; and where to write."""
    (tmp_path / "model.pkl").touch()
    guest, single = Guest(file="model.pkl", version=""), experiment(k=np.int64(3))
    answer = phases.fit(guest, single, tmp_path / "data", tmp_path, PhaseOptions(track=("rss", "gpu")))
    assert answer == {"file": "model.pkl", "version": "", "threads": 3, "notes": []}
    (request,) = guest.requests
    locator = json.loads(request.pop("algorithm"))
    assert (locator["module"], locator["name"]) == ("support.newest", "Newest")
    assert request == {
        "op": "fit",
        "parameters": {"k": 3},
        "seed": 7,
        "device": "cpu",
        "threads": 3,
        "dataset": str(tmp_path / "data"),
        "fold": 0,
        "refit": "",
        "fit_key": single.fit_key,
        "track": ["rss", "gpu"],
        "output": str(tmp_path),
    }


def test_a_fit_that_is_watched_says_so_and_leaves_nothing_beside_its_model(
    tmp_path: Path, lists: tuple[Path, Rows]
) -> None:
    """What is measured, of what, and where predictions go: to a folder that is gone in the end."""
    (tmp_path / "model.pkl").touch()
    guest = Guest(file="model.pkl", version="")
    metric = EpochMetric("NDCG@10", 10, Outputs(lists=True, ratings=False), lambda _: 0.5, frozenset({4, 2}))
    phases.fit(guest, experiment(), lists[0], tmp_path, judge=lambda *_: False, metric=metric)
    (request,) = guest.requests
    validate = request["validate"]
    assert request["prunable"]
    assert Path(validate.pop("output")).is_relative_to(tmp_path)
    assert validate == {
        "metric": "NDCG@10",
        "k": 10,
        "outputs": ["lists"],
        "epochs": [2, 4],
        "candidates": {"policy": "unseen"},
    }
    assert [path.name for path in tmp_path.iterdir()] == ["model.pkl"]


def test_predictions_for_validation_may_have_what_is_in_validation(tmp_path: Path, lists: tuple[Path, Rows]) -> None:
    """Which is refused of predictions for the test part; what is in training is refused of both."""
    rows, fold = lists[1].copy(), Fold(lists[0], 0)
    row = longest(rows)
    row["item"][0] = fold.validation.item[fold.validation.user == row["user"]][0]
    row["score"][0] += 1
    assert refusal(lists[0], rows, tmp_path) == "a list has an item that the user has in training or validation"
    arguments = experiment(), lists[0], tmp_path / "model.pkl", LENGTH, tmp_path / "predictions.npy"
    guest = Guest(rows, rows=1)
    phases.predict(guest, *arguments, judged=VALIDATION)
    assert guest.requests[0]["judged"] == VALIDATION
    row["item"][0] = fold.train.item[fold.train.user == row["user"]][0]
    with pytest.raises(GuestError, match="an item that the user has in training or validation"):
        phases.predict(guest, *arguments, judged=VALIDATION)


def test_options_reach_the_guest(tmp_path: Path) -> None:
    """The time limit, what is called while waiting, and what hears of progress and of silence."""

    def heard(progress: dict[str, Any]) -> None: ...

    def checked() -> None: ...

    def missed(seconds: float, is_stopped: bool) -> None: ...

    (tmp_path / "model.pkl").touch()
    guest = Guest(file="model.pkl")
    options = PhaseOptions(timeout=4.5, while_waiting=checked, on_progress=heard, on_silence=missed)
    phases.fit(guest, experiment(), tmp_path, tmp_path, options)
    assert guest.waits == [(heard, checked, 4.5, missed)]


def test_what_a_guest_notes_of_its_model_is_said_with_the_users_own_ids(tmp_path: Path) -> None:
    """Codes become ids, of which the first five are named; the note is warned of once, and kept."""
    (tmp_path / "model.pkl").touch()
    (tmp_path / "users.json").write_text(json.dumps([f"u{code}" for code in range(9)]), encoding="utf-8")
    notes = [{"text": "left out: {users}", "users": list(range(1, 8)), "items": []}]
    sentence = "left out: users 'u1', 'u2', 'u3', 'u4', 'u5' and 2 more"
    with pytest.warns(UserWarning, match=re.escape(sentence)):
        answer = phases.fit(Guest(file="model.pkl", notes=notes), experiment(), tmp_path, tmp_path)
    assert answer["notes"] == [sentence]


def test_a_model_that_was_not_written_fails_fit(tmp_path: Path) -> None:
    """A model that was not written fails Fit, whatever the guest answers."""
    with pytest.raises(GuestError, match=r"Newest reported the model 'model\.pkl' but wrote none"):
        phases.fit(Guest(file="model.pkl"), experiment(), tmp_path, tmp_path)


def test_the_death_of_a_guest_is_not_hidden(tmp_path: Path, lists: tuple[Path, Rows]) -> None:
    """Neither phase makes anything else of it: the next attempt needs to know that a process died."""
    with pytest.raises(GuestError, match="SIGKILL") as in_fit:
        phases.fit(Dead(), experiment(), lists[0], tmp_path)
    with pytest.raises(GuestError, match="SIGKILL") as in_predict:
        phases.predict(Dead(), experiment(), lists[0], tmp_path, LENGTH, tmp_path / "predictions.npy")
    for caught in (in_fit, in_predict):
        assert caught.value.died
        assert caught.value.details == "last words"


def test_lists_that_keep_the_contract_pass(tmp_path: Path, lists: tuple[Path, Rows]) -> None:
    """Short and empty lists and ties included; the answer is the guest's."""
    assert predict(*lists, tmp_path) == {"rows": 1, "threads": 3}


def too_short(rows: Rows) -> Rows:
    cut = np.zeros(len(rows), dtype=recommendation_dtype(LENGTH - 1))
    cut["user"], cut["item"], cut["score"] = rows["user"], rows["item"][:, :-1], rows["score"][:, :-1]
    return cut


def in_half_precision(rows: Rows) -> Rows:
    names = [("user", "<i4"), ("item", "<i4", (LENGTH,)), ("score", "<f2", (LENGTH,))]
    return rows.astype(np.dtype(names))


WRONG_LISTS: dict[str, tuple[Callable[[Rows], Rows], str]] = {
    "too short": (too_short, "they are not lists of 20 items for the test users with a history"),
    "another dtype": (in_half_precision, "they are not lists of 20 items for the test users with a history"),
    "a flat array": (lambda rows: rows["user"], "they are not lists of 20 items for the test users with a history"),
    "a user too few": (lambda rows: rows[1:], "they are not lists of 20 items for the test users with a history"),
    "users in another order": (
        lambda rows: rows[::-1],
        "they are not lists of 20 items for the test users with a history",
    ),
    "a user twice": (
        lambda rows: np.concatenate([rows[:1], rows[:1], rows[2:]]),
        "they are not lists of 20 items for the test users with a history",
    ),
}


@pytest.mark.parametrize("wrong", WRONG_LISTS)
def test_lists_of_a_wrong_shape_are_refused(wrong: str, tmp_path: Path, lists: tuple[Path, Rows]) -> None:
    """Length, dtype, and one list for each test user with a history, in the order of their codes."""
    change, message = WRONG_LISTS[wrong]
    assert refusal(lists[0], change(lists[1].copy()), tmp_path) == message


def gap(row: Any) -> None:
    row["item"][4] = NO_ITEM


def strange_item(row: Any) -> None:
    row["item"][4] = 90


def negative_item(row: Any) -> None:
    row["item"][4] = -2


def not_a_number(row: Any) -> None:
    row["score"][4] = np.nan


def endless(row: Any) -> None:
    row["score"][0] = np.inf


def rising(row: Any) -> None:
    row["score"][4] = row["score"][3] + 1


def swapped_tie(row: Any) -> None:
    row["score"][3:5] = row["score"][3]
    row["item"][3:5] = sorted(row["item"][3:5], reverse=True)


def repeated(row: Any) -> None:
    row["item"][4], row["score"][4] = row["item"][3], row["score"][3] - 1e-3
    row["score"][5:] = row["score"][4] - np.arange(1, LENGTH - 4)


NOT_FINITE = "a score is no finite number; leave out items that have no score"

WRONG_ENTRIES: dict[str, tuple[Callable[[Any], None], str]] = {
    "gap": (gap, "a list has a gap"),
    "an item that is too large": (strange_item, "an item code does not exist"),
    "an item that is too small": (negative_item, "an item code does not exist"),
    "NaN": (not_a_number, NOT_FINITE),
    "infinity": (endless, NOT_FINITE),
    "rising scores": (rising, "a list is not in the order of its scores (ties by item code)"),
    "a tie in the wrong order": (swapped_tie, "a list is not in the order of its scores (ties by item code)"),
    "an item twice": (repeated, "a list has an item twice"),
}


@pytest.mark.parametrize("wrong", WRONG_ENTRIES)
def test_lists_with_wrong_entries_are_refused(wrong: str, tmp_path: Path, lists: tuple[Path, Rows]) -> None:
    """One entry of one list is enough."""
    change, message = WRONG_ENTRIES[wrong]
    rows = lists[1].copy()
    change(longest(rows))
    assert refusal(lists[0], rows, tmp_path) == message


@pytest.mark.parametrize("part", ["train", "validation"])
def test_items_that_the_user_has_are_refused(part: str, tmp_path: Path, lists: tuple[Path, Rows]) -> None:
    """In training or in validation: the host decides what is masked, the same for every framework."""
    rows = lists[1].copy()
    row, fold = longest(rows), Fold(lists[0], 0)
    interactions = getattr(fold, part)
    row["item"][0] = interactions.item[interactions.user == row["user"]][0]
    row["score"][0] += 1
    assert refusal(lists[0], rows, tmp_path) == "a list has an item that the user has in training or validation"


def test_items_that_are_no_candidates_are_refused(tmp_path: Path, lists: tuple[Path, Rows]) -> None:
    """Lists over all unseen items, where only some of them are to be ranked."""
    with pytest.warns(UserWarning, match="sampled negatives"):
        sampled = SampledNegatives(1)
    message = "a list has an item that is no candidate of its user"
    assert refusal(*lists, tmp_path, sampled) == message
    every_item = GivenCandidates({user: range(90) for user in range(60)})
    assert predict(*lists, tmp_path, every_item) == {"rows": 1, "threads": 3}
    row = longest(lists[1].copy())
    without = {user: range(90) for user in range(60)}
    without[int(row["user"])] = [item for item in range(90) if item != row["item"][0]]  # type: ignore[assignment]
    assert refusal(*lists, tmp_path, GivenCandidates(without)) == message


def test_candidates_without_anything_in_common_with_the_data_are_refused(
    tmp_path: Path, lists: tuple[Path, Rows]
) -> None:
    """Candidates that share nothing with the data are refused before the guest is asked."""
    with pytest.raises(EvaluationError, match="none of the given candidates"):
        predict(*lists, tmp_path, GivenCandidates({"nobody": ["nothing"]}))
    assert not (tmp_path / "predictions.npy").exists()


def test_candidates_of_nobody_who_is_tested_are_refused_before_the_fit(
    tmp_path: Path, lists: tuple[Path, Rows]
) -> None:
    """Every list would be empty and every metric 0, with any split; nothing is trained for that."""
    fold = Fold(lists[0], 0)
    stranger = int(np.setdiff1d(np.arange(fold.n_users), fold.users)[0])
    guest = Guest(file="model.pkl")
    with pytest.raises(
        EvaluationError, match=rf"none of the {len(fold.users)} users that are tested has .*such as {stranger}"
    ):
        phases.fit(guest, experiment(GivenCandidates({stranger: range(90)})), lists[0], tmp_path)
    assert guest.requests == []


def test_pickled_predictions_are_not_read(tmp_path: Path, lists: tuple[Path, Rows]) -> None:
    """An array of objects would run whatever its pickle says."""
    with pytest.raises(ValueError, match=r"allow_pickle=False|Python objects"):
        predict(lists[0], np.array([{"user": 1}], dtype=object), tmp_path)


def test_ratings_that_keep_the_contract_pass(tmp_path: Path, ratings: tuple[Path, Rows]) -> None:
    """One for each test pair, in the order of the test part."""
    assert predict(*ratings, tmp_path) == {"rows": 1, "threads": 3}


def one_is(value: float) -> Callable[[Rows], Rows]:
    def change(rows: Rows) -> Rows:
        rows["rating"][2] = value
        return rows

    return change


UNRATED = "1 of {} ratings are no finite number; rate each pair, by the mean of training where nothing else is known"

WRONG_RATINGS: dict[str, tuple[Callable[[Rows], Rows], str]] = {
    "another dtype": (
        lambda rows: rows.astype(np.dtype([*RATING_DTYPE.descr[:2], ("rating", "<f8")])),
        "they are not the ratings of the test pairs",
    ),
    "a pair too few": (lambda rows: rows[:-1], "they are not the ratings of the test pairs"),
    "another order": (lambda rows: rows[::-1], "they are not the ratings of the test pairs"),
    "NaN": (one_is(np.nan), UNRATED),
    "infinity": (one_is(-np.inf), UNRATED),
}


@pytest.mark.parametrize("wrong", WRONG_RATINGS)
def test_wrong_ratings_are_refused(wrong: str, tmp_path: Path, ratings: tuple[Path, Rows]) -> None:
    """Shape, order and values."""
    change, message = WRONG_RATINGS[wrong]
    assert refusal(ratings[0], change(ratings[1].copy()), tmp_path) == message.format(len(ratings[1]))


class Loss(enum.Enum):
    """A hyperparameter as users write it."""

    BPR = "bpr"


def test_hyperparameters_travel_as_plain_values() -> None:
    """What carries them (execnet) takes neither enum members nor numpy scalars."""
    values = {"loss": Loss.BPR, "k": np.int32(3), "layers": (np.float64(0.5), [Loss.BPR, None]), "on": True}
    assert plain(values) == {"loss": "bpr", "k": 3, "layers": [0.5, ["bpr", None]], "on": True}
    assert type(plain(values)["k"]) is int


def test_the_export_of_lists_has_the_users_own_ids(tmp_path: Path, lists: tuple[Path, Rows]) -> None:
    """A column each of user, item, score and rank; the padding of short lists is left out."""
    (export,) = exported_predictions.export_predictions(lists[0], saved(lists[1], tmp_path), tmp_path)
    assert export.name == "predictions.json"
    columns = json.loads(export.read_text(encoding="utf-8"))
    rows = [
        (user, item, score, rank)
        for user, items, scores in zip(*(lists[1][name].tolist() for name in ("user", "item", "score")), strict=True)
        for rank, (item, score) in enumerate(zip(items, scores, strict=True), start=1)
        if item != NO_ITEM
    ]
    assert list(columns) == ["user", "item", "score", "rank"]
    assert list(zip(*columns.values(), strict=True)) == rows


def test_the_export_of_ratings_has_no_ranks(tmp_path: Path, ratings: tuple[Path, Rows]) -> None:
    """A column each of user, item and rating."""
    (export,) = exported_predictions.export_predictions(ratings[0], saved(ratings[1], tmp_path), tmp_path)
    columns = json.loads(export.read_text(encoding="utf-8"))
    assert columns == {name: ratings[1][name].tolist() for name in ("user", "item", "rating")}


def test_large_exports_are_parquet(tmp_path: Path, lists: tuple[Path, Rows], monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same rows as the JSON; where the ids in a column have several types they become texts."""
    predictions = saved(lists[1], tmp_path)
    as_json = json.loads(
        exported_predictions.export_predictions(lists[0], predictions, tmp_path)[0].read_text(encoding="utf-8")
    )
    monkeypatch.setattr(exported_predictions, "JSON_ROWS", 10)
    (export,) = exported_predictions.export_predictions(lists[0], predictions, tmp_path)
    assert export.name == "predictions.parquet"
    assert pd.read_parquet(export).to_dict("list") == as_json
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    for name in ("users.json", "items.json"):
        encoded = json.loads((lists[0] / name).read_text(encoding="utf-8"))
        (mixed / name).write_text(json.dumps(["zero", *encoded[1:]]), encoding="utf-8")
    frame = pd.read_parquet(exported_predictions.export_predictions(mixed, predictions, tmp_path)[0])
    assert frame["user"].tolist() == as_json["user"]  # none of them is the one whose id is a text
    assert frame["item"].tolist() == ["zero" if item == 0 else str(item) for item in as_json["item"]]


def test_whole_numbers_beyond_64_bits_become_texts_in_parquet(
    tmp_path: Path, lists: tuple[Path, Rows], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no type for them; up to 64 bits they stay numbers, also beyond what a float can count."""
    predictions = saved(lists[1], tmp_path)
    monkeypatch.setattr(exported_predictions, "JSON_ROWS", 10)
    shifted = tmp_path / "shifted"
    shifted.mkdir()
    for name, first in (("users", 2**62), ("items", 2**64)):
        own_ids = json.loads((lists[0] / f"{name}.json").read_text(encoding="utf-8"))
        (shifted / f"{name}.json").write_text(json.dumps([first + code for code in range(len(own_ids))]))
    (file,) = exported_predictions.export_predictions(shifted, predictions, tmp_path)
    frame = pd.read_parquet(file)
    assert frame["user"].dtype == "int64"
    assert frame["user"].min() >= 2**62
    assert frame["item"].map(int).min() >= 2**64


def saved(rows: Rows, directory: Path) -> Path:
    """Write predictions as a guest does."""
    np.save(directory / "predictions.npy", rows)
    return directory / "predictions.npy"


def test_lists_with_an_order_of_their_own_may_tie_in_any_order(tmp_path: Path, lists: tuple[Path, Rows]) -> None:
    """A class of the user's own has ordered what it scores alike; its scores are float64, and must not rise either."""
    rows = lists[1].astype(recommendation_dtype(LENGTH, LIST_SCORE))
    swapped_tie(longest(rows))
    assert predict(lists[0], rows, tmp_path)["rows"] == 1
    rising(longest(rows))
    assert refusal(lists[0], rows, tmp_path) == "a list is not in the order of its scores"


def test_the_export_tells_scores_apart_that_float32_cannot(tmp_path: Path, lists: tuple[Path, Rows]) -> None:
    """What predictions.json has is enough to sort by, and its ranks are the order of the list."""
    rows = lists[1].astype(recommendation_dtype(LENGTH, LIST_SCORE))
    row = longest(rows)
    row["score"] = 1_700_000_000 - np.arange(LENGTH) * 1e-6
    columns = json.loads(
        exported_predictions.export_predictions(lists[0], saved(rows, tmp_path), tmp_path)[0].read_text("utf-8")
    )
    own = [number for number, user in enumerate(columns["user"]) if user == row["user"]]
    scores = [columns["score"][number] for number in own]
    assert scores == sorted(set(scores), reverse=True)
    assert [columns["rank"][number] for number in own] == list(range(1, LENGTH + 1))

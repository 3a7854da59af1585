"""The metrics of an entry, packed: of tens of thousands of entries on each side, the gate looks at one after the other."""

from __future__ import annotations

from array import array
from collections.abc import ItemsView, Iterator, Mapping, ValuesView
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Score:
    """A metric of an entry.

    Attributes:
        identity: The canonical text of what was computed: name, parameters, version, convention.
        higher_is_better: Whether larger values are better, or None where nobody has said.
        folds: The value of each fold, as tables have it; none where it was asked for, and is not defined.
        per_user: Whether there are values per user.
    """

    identity: str
    higher_is_better: bool | None
    folds: Mapping[int, float]
    per_user: bool


class _Form(NamedTuple):
    """All of a score but its values, which most entries have alike."""

    label: str
    identity: str
    higher_is_better: bool | None
    per_user: bool
    folds: tuple[int, ...]


class PackedScores(Mapping[str, Score]):
    """The scores of an entry by label, in a sixth of the memory that dictionaries of them take.

    Args:
        forms: What each score is of.
        values: The values of the folds of all scores, one score after the other.
    """

    __slots__ = ("_forms", "_values")

    def __init__(self, forms: tuple[_Form, ...], values: array[float]) -> None:
        self._forms = forms
        self._values = values

    def __iter__(self) -> Iterator[str]:
        return (form.label for form in self._forms)

    def __len__(self) -> int:
        return len(self._forms)

    def __contains__(self, label: object) -> bool:
        return any(form.label == label for form in self._forms)

    def __getitem__(self, label: str) -> Score:
        start = 0
        for form in self._forms:
            if form.label == label:
                folds = dict(zip(form.folds, self._values[start : start + len(form.folds)], strict=True))
                return Score(form.identity, form.higher_is_better, folds, form.per_user)
            start += len(form.folds)
        raise KeyError(label)

    def items(self) -> ItemsView[str, Score]:
        """Return labels and scores."""
        start = 0
        scores = {}
        for label, identity, higher_is_better, per_user, folds in self._forms:
            values = self._values[start : start + len(folds)]
            scores[label] = Score(identity, higher_is_better, dict(zip(folds, values, strict=True)), per_user)
            start += len(folds)
        return scores.items()

    def values(self) -> ValuesView[Score]:
        """Return the scores."""
        return dict(self.items()).values()

    def __repr__(self) -> str:
        return repr(dict(self.items()))


def packed_scores(scores: Mapping[str, Score]) -> Mapping[str, Score]:
    """Return scores packed where all of their values are floats.

    Args:
        scores: The scores by label.
    """
    values = [value for score in scores.values() for value in score.folds.values()]
    if not scores or not all(type(value) is float for value in values):
        return scores
    forms = (
        _Form(label, score.identity, score.higher_is_better, score.per_user, tuple(score.folds))
        for label, score in scores.items()
    )
    return PackedScores(_shared(tuple(forms)), array("d", values))


@lru_cache(maxsize=1024)
def _shared(forms: tuple[_Form, ...]) -> tuple[_Form, ...]:
    """Return forms that other entries have alike, once for all of them."""
    return forms

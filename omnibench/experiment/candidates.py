"""Candidate policies: which items are ranked for each user."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable, Iterable, Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from omnibench.arguments import checked_arguments
from omnibench.caller_warnings import warn_caller
from omnibench.data import ids
from omnibench.errors import DataError, EvaluationError
from omnibench.keys import DISPLAY_DIGITS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
else:
    from omnibench.lazy import np, npt


class KnownIds(NamedTuple):
    """The ids of a dataset, as candidates are looked up by them.

    Attributes:
        users: The user's own user ids, by code.
        items: The user's own item ids, by code.
        sessions: The session that each user is a position of, by code; None where users are no positions.
        tested: The codes of the users that lists are judged of, ascending; None for all.
    """

    users: Sequence[Hashable]
    items: Sequence[Hashable]
    sessions: Sequence[Hashable] | None = None
    tested: npt.NDArray[np.integer[Any]] | None = None


class Candidates:
    """The default: all items known in training that the user has neither in training nor in validation.

    Attributes:
        repeats: Whether items that the user has seen are ranked as well.
        unknown: Whether items unknown in training are.
    """

    repeats: bool = False
    unknown: bool = False

    @property
    def identity(self) -> Any:
        """The part of the key of Predict that is the policy's."""
        return "unseen"

    @property
    def note(self) -> str:
        """The note on the policy beside a metric's name; empty for the default."""
        return ""

    @property
    def _allowed(self) -> dict[str, bool]:
        """What is ranked that is not by default."""
        return {name: True for name in ("repeats", "unknown") if getattr(self, name)}

    def _allow(self, repeats: Any, unknown: Any) -> None:
        for name, value in (("repeats", repeats), ("unknown", unknown)):
            if not isinstance(value, bool):
                raise EvaluationError(f"{type(self).__name__}: {name} is {value!r}; give True or False.")
            setattr(self, name, value)

    def described(self, directory: Path, ids: KnownIds) -> dict[str, Any]:
        """Return the policy as plain data for a guest; see ``guest.candidates``.

        Args:
            directory: Where files for the guest may be written.
            ids: The dataset's.

        Raises:
            EvaluationError: The policy has nothing for those who are tested.
        """
        return {"policy": "unseen"}

    def check(self, ids: KnownIds) -> None:
        """Refuse a policy that has nothing for those who are tested.

        Args:
            ids: The dataset's.

        Raises:
            EvaluationError: It has not.
        """

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


UNSEEN = Candidates()


@checked_arguments
class AllItems(Candidates):
    """All items, for whoever wants less left out: by default those known in training that the user has not seen.

    Args:
        repeats: Rank items that the user has in training or validation as well. Where the data keeps repeats
            (``KeepRepeats``), they may be relevant.
        unknown: Rank items unknown in training as well, where an algorithm recommends them: a class of the user's own
            may; the frameworks give them no place.

    Raises:
        EvaluationError: One of them is neither True nor False.
    """

    def __init__(self, *, repeats: bool = False, unknown: bool = False) -> None:
        self._allow(repeats, unknown)

    @property
    def identity(self) -> Any:
        return ["all/1", self._allowed] if self._allowed else "unseen"

    @property
    def note(self) -> str:
        return ", ".join(self._allowed)

    def described(self, directory: Path, ids: KnownIds) -> dict[str, Any]:
        return {"policy": "unseen", **self._allowed}

    def __repr__(self) -> str:
        return f"AllItems({', '.join(f'{name}=True' for name in self._allowed)})"


@checked_arguments
class SampledNegatives(Candidates):
    """A user's test items and some others, drawn at random from the unseen items known in training.

    Every framework ranks the same ones. Metrics of such lists are inconsistent: they may order algorithms otherwise
    than the same metrics over all items do (Krichene & Rendle, "On sampled metrics for item recommendation", KDD 2020).

    Args:
        negatives: How many others for each user.
        seed: The seed of the draw.

    Raises:
        EvaluationError: The number is not positive, or the seed is no integer from 0 to 2**63 - 1.
    """

    def __init__(self, negatives: int = 100, seed: int = 42) -> None:
        arguments: list[tuple[str, Any, int]] = [("negatives", negatives, 1), ("seed", seed, 0)]
        for name, value, least in arguments:
            if isinstance(value, bool) or not isinstance(value, Integral) or not least <= int(value) < 2**63:
                raise EvaluationError(f"SampledNegatives: {name} is {value!r}; give an integer of at least {least}.")
        self.negatives, self.seed = int(negatives), int(seed)
        warn_caller(
            "metrics over sampled negatives are inconsistent: they may order algorithms otherwise than over all items "
            "(Krichene & Rendle, KDD 2020). Leave the candidates out to rank all unseen items."
        )

    @property
    def identity(self) -> Any:
        return ["sampled/1", {"negatives": self.negatives, "seed": self.seed}]

    @property
    def note(self) -> str:
        return f"{self.negatives} negatives, seed {self.seed}"

    def described(self, directory: Path, ids: KnownIds) -> dict[str, Any]:
        return {"policy": "sampled", "negatives": self.negatives, "seed": self.seed}

    def __repr__(self) -> str:
        return f"SampledNegatives({self.negatives}, seed={self.seed})"


@checked_arguments
class GivenCandidates(Candidates):
    """The items that are given for each user; of these, what is known in training and unseen by the user is ranked.

    With ``repeats`` or ``unknown`` what is given is ranked also if the user has seen it, or if training lacks it.

    Args:
        items: From user id to item ids, or a frame with the columns user and item. A user without an entry gets no
            recommendations. What is given for a session counts for each of its positions that has no entry of its own
            (``SessionSplit(positions="each")``). The content is part of the key; its order is not.
        repeats: Rank items that the user has in training or validation as well.
        unknown: Rank items unknown in training as well, where an algorithm recommends them.

    Raises:
        EvaluationError: It is neither, is empty, or an id has no stable form; later, that the dataset has no such ids, or that
            nobody who is tested has candidates.
    """

    def __init__(
        self, items: Mapping[Any, Iterable[Any]] | pd.DataFrame, *, repeats: bool = False, unknown: bool = False
    ) -> None:
        self._allow(repeats, unknown)
        self._items: dict[Hashable, set[Hashable]] = {}
        for user, item in _pairs(items):
            self._items.setdefault(_plain(user), set()).add(_plain(item))
        try:
            lines = sorted(
                json.dumps([ids.encode(user, "the candidates"), ids.encode(item, "the candidates")])
                for user, user_items in self._items.items()
                for item in user_items
            )
        except DataError as error:
            raise EvaluationError(str(error)) from error
        if not lines:
            raise EvaluationError("the given candidates are empty; give each user at least one item.")
        self._digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()

    @property
    def identity(self) -> Any:
        return ["given/1", self._digest, *([self._allowed] if self._allowed else [])]

    @property
    def note(self) -> str:
        return ", ".join([f"candidates {self._digest[:DISPLAY_DIGITS]}", *self._allowed])

    def __repr__(self) -> str:
        return (
            f"GivenCandidates({', '.join([f'{len(self._items)} users', *(f'{name}=True' for name in self._allowed)])})"
        )

    def described(self, directory: Path, ids: KnownIds) -> dict[str, Any]:
        from omnibench.guest.folds import save_array

        path = directory / "candidates.npy"
        save_array(path, self._coded(ids))
        return {"policy": "given", "file": str(path), **self._allowed}

    def check(self, ids: KnownIds) -> None:
        items = set(ids.items)
        tested = range(len(ids.users)) if ids.tested is None else ids.tested.tolist()
        if not any(item in items for code in tested for item in self._of(ids, code)):
            self._coded(ids)  # which says what is wrong

    def _coded(self, ids: KnownIds) -> npt.NDArray[np.int32]:
        """Return the pairs of user and item by code, ascending; shape (n, 2).

        Raises:
            EvaluationError: None of them is there, or none is of a user who is tested.
        """
        item_code = {item: code for code, item in enumerate(ids.items)}
        pairs = [
            (code, item_code[item])
            for code in range(len(ids.users))
            for item in self._of(ids, code)
            if item in item_code
        ]
        if not pairs:
            user, user_items = next(iter(self._items.items()))
            raise EvaluationError(
                "none of the given candidates is an item for a user of the dataset: they are like "
                f"{next(iter(user_items))!r} for {user!r}, but its items are like {ids.items[0]!r} and its users like "
                f"{(ids.sessions or ids.users)[0]!r}. Give the ids as the dataset has them."
            )
        coded = np.array(sorted(pairs), dtype=np.int32).reshape(-1, 2)
        if ids.tested is not None and len(ids.tested) and not np.isin(ids.tested, coded[:, 0]).any():
            raise EvaluationError(
                f"none of the {len(ids.tested):,} users that are tested has given candidates, so that every list would be empty: a "
                f"tested one is {ids.users[int(ids.tested[0])]!r}, and those with candidates are {len(np.unique(coded[:, 0])):,} "
                f"others, such as {ids.users[int(coded[0, 0])]!r}. Give items for those of the test part (of the validation part where "
                "it judges lists)."
            )
        return coded

    def _of(self, ids: KnownIds, code: int) -> Iterable[Hashable]:
        """Return the items of a user; those of its session where a position of one has none of its own."""
        own = self._items.get(ids.users[code])
        if own is not None:
            return own
        return () if ids.sessions is None else self._items.get(ids.sessions[code], ())


def _pairs(items: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(items, Mapping):
        for user, user_items in items.items():
            if isinstance(user_items, str) or not isinstance(user_items, Iterable):
                raise EvaluationError(f"the candidates of user {user!r} are {user_items!r}; give several items.")
        return [(user, item) for user, user_items in items.items() for item in user_items]
    if hasattr(items, "columns") and {"user", "item"} <= set(items.columns):
        return list(zip(items["user"].tolist(), items["item"].tolist(), strict=True))
    raise EvaluationError(
        f"the candidates are {items!r}; give a mapping from user ids to items, or a frame with user and item."
    )


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "dtype") and hasattr(value, "item") else value

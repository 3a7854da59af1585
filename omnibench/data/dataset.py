"""RecSysDataSet: a source and steps, run only when somebody needs the interactions; its key is known without them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from omnibench.arguments import checked_arguments, checked_methods
from omnibench.data.apply import Apply, FrameFunction
from omnibench.data.content import CanonicalRows
from omnibench.data.features.sources import FeatureSource, features_from
from omnibench.data.interactions import Interactions, warn_of_repeats
from omnibench.data.parts import Parts, Split
from omnibench.data.preprocess import MakeImplicit
from omnibench.data.repeats import Deduplicate, KeepRepeats
from omnibench.data.sessions import Sessions
from omnibench.data.step import Preprocessing, Step, seeded_generators
from omnibench.errors import DataError, OmnibenchError
from omnibench.keys import digest, display, overlong_label
from omnibench.markup import heading_and_list, one_line
from omnibench.seed import get_random_state

if TYPE_CHECKING:
    import pandas as pd


class Source(Protocol):
    """Where interactions come from."""

    @property
    def fingerprint(self) -> Any:
        """What identifies the content, in canonical form; computed without coding the interactions."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the source has, of user, item, rating and timestamp."""

    def load(self) -> Interactions:
        """Read the interactions."""


@dataclass(frozen=True)
class RawData:
    """All interactions as one frame."""

    df: pd.DataFrame


@dataclass(frozen=True)
class SplitData:
    """The three parts of a single split, and the given histories where test users are not in training."""

    train: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame
    given: pd.DataFrame | None = None


@dataclass(frozen=True)
class FoldedData:
    """The parts of each fold, by fold number."""

    folds: Mapping[int, SplitData]


@checked_methods
@checked_arguments
class RecSysDataSet:
    """A source and the steps applied to it. Nothing is read until somebody needs the interactions.

    Args:
        source: Where the interactions come from.
        name: What to call the dataset in tables and directories; a label, not part of the key.
        steps: The steps so far.
        seed: The seed of every random step; the random state of the moment when not given.
        canonical: Whether the order of rows counts only where a step depends on it; not so of datasets that an earlier
            omnibench has recorded.
        features: What is known about ``items`` and ``users``; part of the key.

    Raises:
        DataError: The name is too long for a directory.
    """

    def __init__(
        self,
        source: Source,
        name: str,
        steps: tuple[Step, ...] = (),
        seed: int | None = None,
        *,
        canonical: bool = True,
        features: Mapping[str, FeatureSource] | None = None,
    ) -> None:
        problem = overlong_label(name)
        if problem:
            raise DataError(f"the dataset's name {name[:20]}... {problem}; give a shorter one, e.g. name='shop'.")
        self.source = source
        self._canonical = canonical
        self.name = name
        self.steps = steps
        self.seed = get_random_state() if seed is None else seed
        self.features = dict(features or {})

    def __repr__(self) -> str:
        steps = "".join(f" | {step}" for step in self._steps_and_published_split)
        features = f" with features of {' and '.join(self.features)}" if self.features else ""
        return one_line(f"<RecSysDataSet {self._display_name}{features}{steps}>")

    def _repr_html_(self) -> str:
        steps = [str(step) for step in self._steps_and_published_split] or ["no steps"]
        return heading_and_list(f"{self._display_name} ({self.feedback}, seed {self.seed})", steps)

    @property
    def _published_split(self) -> Split | None:
        """The split that the source has of its own: each row's part is content, so that it is no step."""
        return getattr(self.source, "published_split", None)

    @property
    def _steps_and_published_split(self) -> list[Step]:
        return [*self.steps, *([] if self._published_split is None else [self._published_split])]

    @property
    def _display_name(self) -> str:
        """The name with the key's first digits; without them while the source cannot be read."""
        try:
            return display(self.name, self.key)
        except (OmnibenchError, OSError):
            return f"{self.name} (its source cannot be read)"

    def pipe(self, *steps: Step | FrameFunction) -> RecSysDataSet:
        """Return a dataset with steps appended; this one stays as it is.

        Args:
            steps: Steps, or functions of your own from frame to frame, which become ``Apply(function)``.

        Raises:
            DataError: A step is none, comes after a split, or needs a column that is not there.
        """
        piped = self
        for argument in steps:
            step: Any = Apply(argument) if callable(argument) and not isinstance(argument, type | Step) else argument
            piped._check_next(step)
            piped = piped._with(steps=(*piped.steps, step))
        return piped

    def named(self, name: str) -> RecSysDataSet:
        """Return the dataset under another name, for tables, node ids and directories; its key stays as it is.

        Args:
            name: The name, e.g. ``"ml-100k, 5-core"``.

        Raises:
            DataError: It is no text, or empty.
        """
        argument: Any = name
        if not isinstance(argument, str) or not argument.strip():
            raise DataError(f"{self.name}: the name is {name!r}; give a text.")
        return self._with(name=argument)

    def with_features(
        self, items: Any = None, users: Any = None, *, lists: Mapping[str, str] | None = None
    ) -> RecSysDataSet:
        """Return the dataset with what is known about its items and users, in the place of what it has of these.

        The content is part of the key, whatever the order of rows and columns. Own classes get it where their ``fit`` asks
        for ``items`` or ``users``, and metrics take a feature by its name. Rows of ids that are not in the interactions do
        not matter; users and items without a row have missing values.

        Args:
            items: A frame with a column ``item`` (the ids of the interactions, each once), every other column a feature:
                numbers, truth values, texts, dates (which become seconds since 1970), or lists or sets of texts; or the
                path of a file of such columns. True for what the catalogue has.
            users: The same for users, with a column ``user``.
            lists: What separates the members of columns that hold several, e.g. ``{"genres": "|"}``.

        Without any argument, it has what the catalogue has of both.

        Raises:
            DataError: Nothing is there, or it has no such form.
        """
        arguments = {"items": items, "users": users}
        features = features_from(arguments, lists or {}, self.name, getattr(self.source, "features", {}))
        return self._with(features={**self.features, **features})

    def as_recorded(self) -> RecSysDataSet:
        """Return the dataset as omnibench read and identified it before the order of rows stopped to count.

        Docstrings of a function that is applied did count then, and whether an argument was written as 0 or 0.0.
        """
        steps = tuple(step.as_recorded() for step in self.steps)
        return self._with(steps=steps, canonical=False)

    def _with(
        self,
        *,
        name: str | None = None,
        steps: tuple[Step, ...] | None = None,
        canonical: bool | None = None,
        features: Mapping[str, FeatureSource] | None = None,
    ) -> RecSysDataSet:
        return RecSysDataSet(
            self.source,
            self.name if name is None else name,
            self.steps if steps is None else steps,
            self.seed,
            canonical=self._canonical if canonical is None else canonical,
            features=self.features if features is None else features,
        )

    @cached_property
    def _rows(self) -> Source:
        """The source, with its rows in the order that counts."""
        source: Any = self.source
        if not (self._canonical and hasattr(type(source), "content")):  # which reading it takes to tell
            return self.source
        needs_order = any(step.needs_order for step in self.steps)
        if self._published_split is not None:
            rows: Source = source.rows(needs_order=needs_order)
            return rows
        return CanonicalRows(source, needs_order)

    def _check_next(self, step: Any) -> None:
        if not isinstance(step, Preprocessing | Split):
            hint = f" Write {step.__name__}(...) with its arguments." if isinstance(step, type) else ""
            raise DataError(f"{self.name}: {step!r} is no step of a dataset.{hint}")
        if self._published_split is not None and isinstance(step, Split):
            raise DataError(
                f"{self.name} has a {self._published_split!r}, which is a part of what it is, so {type(step).__name__} cannot split "
                "it again. Leave it out, or make a dataset of all rows with from_frame or from_file."
            )
        if self._published_split is None and self.split is not None:
            raise DataError(
                f"{self.name}: {type(step).__name__} comes after {type(self.split).__name__}, but a split is the "
                "last step. Pipe it earlier."
            )
        if isinstance(step, Deduplicate | KeepRepeats) and {type(step), *map(type, self.steps)} >= {
            Deduplicate,
            KeepRepeats,
        }:
            raise DataError(f"{self.name}: KeepRepeats and Deduplicate contradict each other; pipe one of them.")
        if "rating" in step.needs and not self.has_ratings:
            raise DataError(
                f"{self.name}: {type(step).__name__} needs ratings, but the dataset has none (it is implicit)."
            )
        if "timestamp" in step.needs and "timestamp" not in self.source.columns:
            raise DataError(
                f"{self.name}: {type(step).__name__} needs timestamps, but the dataset has no column 'timestamp'. Add "
                "one, or tell which it is, e.g. from_file(..., columns={'date': 'timestamp'})."
            )

    @property
    def identity(self) -> Any:
        """Source, steps, seed and features as canonical data; the key is its digest."""
        return self._identity([step.keyed_identity for step in self.steps])

    def _identity(self, steps: list[Any]) -> Any:
        digests = {subject: features.digest for subject, features in sorted(self.features.items())}
        features = {"features": digests} if digests else {}
        return ["data/1", {"source": self._rows.fingerprint, "steps": steps, "seed": self.seed, **features}]

    @cached_property
    def key(self) -> str:
        """The dataset's identity: 64 hex digits that depend on content, steps, seed and features."""
        return digest(self.identity)

    @cached_property
    def node_key(self) -> str:
        """The key in node ids: the same as ``key``, except that it does not depend on the code of the user's own steps."""
        steps = [_without_code(step.identity) for step in self.steps]
        if steps == [step.keyed_identity for step in self.steps]:
            return self.key
        return digest(self._identity(steps))

    @cached_property
    def split(self) -> Split | None:
        """The split that ends the recipe, or that the source has of its own; None for raw data."""
        last_step = self.steps[-1] if self.steps else None
        return last_step if isinstance(last_step, Split) else self._published_split

    @property
    def variant(self) -> type[RawData | SplitData | FoldedData]:
        """The class of ``data``: RawData, SplitData or FoldedData."""
        if self.split is None:
            return RawData
        return SplitData if self.split.folds is None else FoldedData

    @cached_property
    def folds(self) -> int | None:
        """The number of folds, or None for raw data and single splits."""
        return None if self.split is None else self.split.folds

    @cached_property
    def feedback(self) -> str:
        """``explicit`` when there are ratings to predict, else ``implicit``."""
        implied = any(isinstance(step, MakeImplicit) for step in self.steps)
        return "explicit" if "rating" in self.source.columns and not implied else "implicit"

    @cached_property
    def has_ratings(self) -> bool:
        """Whether interactions have ratings: explicit data, and implicit data that keeps them."""
        dropped = any(isinstance(step, MakeImplicit) and step.keep != "rating" for step in self.steps)
        return "rating" in self.source.columns and not dropped

    @cached_property
    def keeps_repeats(self) -> bool:
        """Whether a user may have an item several times."""
        return any(isinstance(step, KeepRepeats) for step in self.steps)

    def tested_rows(self, rows: Interactions) -> Interactions:
        """Return the rows that ``parts`` takes, of ``interactions()``: each position that is asked for is a session of its own."""
        return rows if self.split is None else self.split.tested_rows(rows)

    def interactions(self) -> Interactions:
        """Read the source and apply every step before the split; canonical rows, without repeats unless they are kept.

        Repeats go first, so that a step such as CorePruning counts what will be there, unless a Deduplicate decides.
        """
        source = self._rows
        rows = source.canonical() if isinstance(source, CanonicalRows) else source.load()
        if len(rows) == 0:
            raise DataError(f"{self.name} has no interactions.")
        rows = rows if isinstance(source, CanonicalRows) else rows.canonical()
        rows = self._without_repeats(rows, self.steps)
        if rows.parts is None and not any(isinstance(step, Preprocessing) for step in self.steps):
            return rows  # of each repeated pair one row stays, and so do its user, its item and the order
        for position, step in enumerate(self.steps):
            if isinstance(step, Preprocessing):
                with seeded_generators(self.seed, position):
                    rows = step.apply(rows, self.seed, position)
            if isinstance(step, Apply | Sessions):
                rows = self._without_repeats(rows.canonical(), self.steps[position + 1 :])
        return rows.canonical()

    def _without_repeats(self, rows: Interactions, steps: tuple[Step, ...]) -> Interactions:
        """Drop repeated pairs and warn of them, unless a later step handles them."""
        if self.keeps_repeats or any(isinstance(step, Deduplicate | Sessions) for step in steps):
            return rows
        rows, repeats = rows.without_repeats()
        warn_of_repeats(self.name, repeats, within_parts=rows.parts is not None)
        return rows

    def parts(self, interactions: Interactions) -> Sequence[Parts]:
        """Split ``tested_rows()``; return the parts of each fold, or of the only one for a single split.

        Raises:
            DataError: The dataset has no split, or the split is impossible.
        """
        if self.split is None:
            raise DataError(
                f"{self.name} is raw data without a split, so there is nothing to test on. End its recipe with a "
                "split, e.g. .pipe(UserHoldout(validation_size=0.1, test_size=0.2))."
            )
        position = max(0, len(self.steps) - 1)
        with seeded_generators(self.seed, position):
            return self.split.split(interactions, self.seed, position)

    @property
    def data(self) -> RawData | SplitData | FoldedData:
        """The interactions as pandas frames with the user's own ids."""
        rows = self.tested_rows(self.interactions())
        if self.split is None:
            return RawData(rows.frame())
        folds = {}
        for number, parts in enumerate(self.parts(rows)):
            history = rows.frame(self.split.history_rows(rows, parts)) if self.split.folds_in else None
            train, validation, test = (rows.frame(part) for part in parts)
            folds[number] = SplitData(train, validation, test, history)
        return folds[0] if self.split.folds is None else FoldedData(folds)


def _without_code(identity: Any) -> Any:
    """Return the identity of a step without what it says of the user's code."""
    return [
        {name: value for name, value in part.items() if name != "code"} if isinstance(part, Mapping) else part
        for part in identity
    ]


@checked_arguments
class Pipe:
    """Steps without a dataset, to be applied to several.

    Example:
        ``Pipe(MakeImplicit(3), CorePruning(5), UserHoldout()).process(dataset)``
    """

    def __init__(self, *steps: Step | FrameFunction) -> None:
        self.steps = steps

    def process(self, dataset: RecSysDataSet) -> RecSysDataSet:
        """Return the dataset with the steps appended.

        Raises:
            DataError: It is no dataset, or a step does not fit.
        """
        if not isinstance(dataset, RecSysDataSet):
            raise DataError(f"{dataset!r} is no dataset; make one with load_dataset, from_frame or from_file.")
        return dataset.pipe(*self.steps)

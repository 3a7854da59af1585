"""RecSysDataSet with OmniRec's methods, over an omnibench dataset: nothing is computed until somebody looks."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

from omnibench.compat.omnirec import archive
from omnibench.compat.omnirec.data_loaders import registry
from omnibench.compat.omnirec.data_loaders.datasets import DataSet
from omnibench.compat.omnirec.data_variants import DataVariant, FoldedData, RawData, SplitData
from omnibench.compat.omnirec.lineage import Trace, append_field
from omnibench.compat.omnirec.loading import load
from omnibench.compat.omnirec.metadata import DatasetMeta
from omnibench.compat.omnirec.recipes import DerivedSource, digest_of, frames_of, recipe_of
from omnibench.compat.omnirec.settings import get_random_state, root_logger
from omnibench.compat.omnirec.types import CountSummary
from omnibench.data import dataset as native
from omnibench.data.parts import Split
from omnibench.data.step import Step
from omnibench.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DataSet", "DataVariant", "DatasetMeta", "FoldedData", "RawData", "RecSysDataSet", "SplitData", "registry"]

T = TypeVar("T", bound=DataVariant)
R = TypeVar("R", bound=DataVariant)

logger = root_logger.getChild("data")


class RecSysDataSet(Generic[T]):
    """A dataset as OmniRec's scripts know it; ``recipe`` is omnibench's dataset of it.

    Frames that are changed in place, such as ``dataset._data.df``, count from then on.

    Args:
        data: RawData, SplitData or FoldedData of pandas frames.
        meta: Name and origin.
    """

    def __init__(self, data: T | None = None, meta: DatasetMeta | None = None) -> None:
        self._meta = meta or DatasetMeta()
        self._lineage: list[Trace] = []
        self._uncounted: list[tuple[Trace, RecSysDataSet[Any], RecSysDataSet[Any]]] = []
        self._recipe: native.RecSysDataSet | None = None
        self._frames: Any = data
        self._digest = ""

    @classmethod
    def of(
        cls, dataset: native.RecSysDataSet | RecSysDataSet[Any], meta: DatasetMeta | None = None
    ) -> RecSysDataSet[Any]:
        """Return an omnibench dataset as one with OmniRec's methods.

        Raises:
            DataError: It is no dataset.
        """
        if isinstance(dataset, RecSysDataSet):
            return dataset
        if not isinstance(dataset, native.RecSysDataSet):
            raise DataError(
                f"{dataset!r} is no dataset; make one with RecSysDataSet.use_dataloader(DataSet.MovieLens100K)."
            )
        moved: RecSysDataSet[Any] = RecSysDataSet(None, meta or DatasetMeta(name=dataset.name))
        moved._recipe = dataset
        return moved

    @staticmethod
    def use_dataloader(
        data_set: DataSet | str,
        raw_dir: os.PathLike[str] | str | None = None,
        canon_path: os.PathLike[str] | str | None = None,
        force_download: bool = False,
        force_canonicalize: bool = False,
    ) -> RecSysDataSet[RawData]:
        """Return a dataset by name, with users and items numbered from 0 and repeated pairs dropped but for the last.

        Args:
            data_set: A member of ``DataSet``, or the name of a loader that was registered.
            raw_dir: Where its raw files lie, or go to.
            canon_path: A CSV file in canonical form: read when it is there, else written.
            force_download: Fetch raw files although they are there (of loaders that were registered; omnibench checks
                its own by their sha256).
            force_canonicalize: Write ``canon_path`` anew although it is there.

        Raises:
            DataError: There is no way to load it here; the error says which there are.
        """
        name = str(data_set)
        raw, canon = (None if path is None else Path(path) for path in (raw_dir, canon_path))
        anew = force_download or force_canonicalize
        source, canon = load(name, raw, canon, force_download=force_download, force_canonicalize=anew)
        return RecSysDataSet.of(source, DatasetMeta(canon, raw, name))

    @property
    def recipe(self) -> native.RecSysDataSet:
        """The omnibench dataset: for ``omnibench.run_omnirec``, ``@benchmark`` and all else that omnibench offers."""
        if self._frames is not None:
            digest = digest_of(self._frames)
            if self._recipe is None or digest != self._digest:
                self._recipe = recipe_of(self._frames, self._meta.name)
                self._digest = digest
        if self._recipe is None:
            raise DataError(f"{self._meta.name} has no data yet; make it with RecSysDataSet.use_dataloader(...).")
        return self._recipe

    @property
    def _data(self) -> Any:
        if self._frames is None:
            data = self.recipe.data
            if isinstance(data, native.RawData):
                self._frames = RawData(data.df)
            elif isinstance(data, native.SplitData):
                self._frames = _split_of(data)
            else:
                self._frames = FoldedData({number: _split_of(fold) for number, fold in data.folds.items()})
            self._digest = digest_of(self._frames)
        return self._frames

    @_data.setter
    def _data(self, data: Any) -> None:
        self._frames = data

    def with_steps(self, *steps: Step, trace: Trace | None = None) -> RecSysDataSet[Any]:
        """Return a dataset with steps of omnibench appended; this one stays as it is.

        Random steps draw from the random state of this moment. A split of split data replaces that split, and says so.

        Args:
            steps: The steps.
            trace: What the lineage says about them.

        Raises:
            DataError: A step does not fit.
        """
        recipe, seed = self.recipe, get_random_state()
        if recipe.split is not None and any(isinstance(step, Split) for step in steps):
            logger.warning("%s is split by %s already, which %s replaces.", recipe.name, recipe.split, steps[-1])
            steps_before = recipe.steps[:-1]
            recipe = native.RecSysDataSet(
                recipe.source, recipe.name, steps_before, recipe.seed, features=recipe.features
            )
        if recipe.seed != seed:
            source = DerivedSource(recipe) if recipe.steps else recipe.source
            recipe = native.RecSysDataSet(source, recipe.name, (), seed, features=recipe.features)
        extended = RecSysDataSet.of(recipe.pipe(*steps), self._meta)
        extended._lineage, extended._uncounted = list(self._lineage), list(self._uncounted)
        if trace is not None:
            extended._lineage.append(trace)
            extended._uncounted.append((trace, self, extended))
        return extended

    def pipe(self, *steps: Any) -> RecSysDataSet[Any]:
        """Return a dataset with steps appended, of this package or of omnibench; this one stays as it is.

        Raises:
            DataError: A step does not fit.
        """
        piped: RecSysDataSet[Any] = self
        for step in steps:
            piped = step.process(piped) if callable(getattr(step, "process", None)) else piped.with_steps(step)
        return piped

    def replace_data(self, new_data: R) -> RecSysDataSet[R]:
        """Return a dataset of the same name and lineage with other frames."""
        replaced = cast("RecSysDataSet[R]", RecSysDataSet(new_data, self._meta))
        replaced._lineage, replaced._uncounted = list(self._lineage), list(self._uncounted)
        return replaced

    def iter_dataframes(self) -> Iterator[tuple[str, pd.DataFrame]]:
        """Yield every frame with its name: ``raw``, ``train``, ``validation``, ``test``, or these behind ``fold_0/``."""
        yield from frames_of(self._data)

    @property
    def feedback(self) -> str:
        """``explicit`` when there are ratings, else ``implicit``; nothing is read for it."""
        return "explicit" if self.has_column("rating") else "implicit"

    def has_column(self, name: str) -> bool:
        """Return whether the frames have a column; nothing is read for it."""
        if self._frames is not None:
            return all(name in frame.columns for _, frame in frames_of(self._frames))
        return name in self.recipe.source.columns and (name != "rating" or self.recipe.feedback == "explicit")

    @overload
    def num_interactions(self: RecSysDataSet[RawData]) -> int: ...
    @overload
    def num_interactions(self: RecSysDataSet[SplitData]) -> dict[str, int]: ...
    @overload
    def num_interactions(self: RecSysDataSet[FoldedData]) -> dict[int, dict[str, int]]: ...
    @overload
    def num_interactions(self) -> CountSummary: ...
    def num_interactions(self) -> CountSummary:
        """Return the number of interactions: one, one per part, or one per fold and part."""
        return self._count(len)

    @overload
    def num_columns(self: RecSysDataSet[RawData]) -> int: ...
    @overload
    def num_columns(self: RecSysDataSet[SplitData]) -> dict[str, int]: ...
    @overload
    def num_columns(self: RecSysDataSet[FoldedData]) -> dict[int, dict[str, int]]: ...
    @overload
    def num_columns(self) -> CountSummary: ...
    def num_columns(self) -> CountSummary:
        """Return the number of columns: one, one per part, or one per fold and part."""
        return self._count(_width)

    def _count(self, count: Callable[[pd.DataFrame], int]) -> CountSummary:
        data = self._data
        if isinstance(data, RawData):
            return count(data.df)
        if isinstance(data, SplitData):
            return _counts(data, count)
        return {number: _counts(fold, count) for number, fold in data.folds.items()}

    def min_rating(self) -> float:
        """Return the lowest rating of raw data.

        Raises:
            DataError: The data is split, or has no ratings.
        """
        return float(self._ratings("min_rating").min())

    def max_rating(self) -> float:
        """Return the highest rating of raw data.

        Raises:
            DataError: The data is split, or has no ratings.
        """
        return float(self._ratings("max_rating").max())

    def _ratings(self, asker: str) -> Any:
        data = self._data
        if not isinstance(data, RawData):
            raise DataError(
                f"{self._meta.name}: {asker}() is of raw data, and this is {type(data).__name__}; ask before the split."
            )
        if "rating" not in data.df.columns:
            raise DataError(f"{self._meta.name} has no ratings (it is implicit), so there is no {asker}().")
        return data.df["rating"]

    @property
    def meta(self) -> DatasetMeta:
        """A copy of the name and origin."""
        return copy.copy(self._meta)

    @property
    def lineage(self) -> tuple[Trace, ...]:
        """Copies of the traces of all steps so far, counts before and after each included."""
        self.fill_in_counts()
        return tuple(copy.deepcopy(self._lineage))

    def fill_in_counts(self) -> None:
        """Count what the steps left; not before somebody wants to know, because it computes every step."""
        for trace, before, after in self._uncounted:
            trace.before_rows, trace.before_columns = before.num_interactions(), before.num_columns()
            trace.after_rows, trace.after_columns = after.num_interactions(), after.num_columns()
        self._uncounted.clear()

    def format_lineage(self, details: bool = False) -> str:
        """Return the steps so far as text: a line each, or everything that is noted."""
        if not self._lineage:
            return "No preprocessing lineage recorded."
        if not details:
            return "\n".join(f"{number}. {trace!r}" for number, trace in enumerate(self._lineage, start=1))
        self.fill_in_counts()
        return "\n\n".join(
            f"Step {number}\n{trace.format_details()}" for number, trace in enumerate(self._lineage, start=1)
        )

    def format_details(self, include_lineage: bool = True, lineage_details: bool = False) -> str:
        """Return everything about the dataset as text.

        Args:
            include_lineage: Whether the steps are listed.
            lineage_details: Whether everything that is noted of them is.
        """
        lines = [f"RecSysDataSet: {self._meta.name}"]
        append_field(lines, "Variant", self._variant)
        append_field(lines, "Interactions", self._count(len))
        append_field(lines, "Columns", self._count(_width))
        lines += ["  Metadata:", *(f"    {line}" for line in self._meta.format_details().splitlines())]
        append_field(lines, "Lineage steps", len(self._lineage))
        if include_lineage:
            lines += ["  Lineage:", *(f"    {line}" for line in self.format_lineage(lineage_details).splitlines())]
        return "\n".join(lines)

    @property
    def _variant(self) -> str:
        return type(self._frames).__name__ if self._frames is not None else self.recipe.variant.__name__

    def __repr__(self) -> str:
        if self._frames is None and self._recipe is None:
            return f"RecSysDataSet(name={self._meta.name!r}, no data)"
        return (
            f"RecSysDataSet(name={self._meta.name!r}, variant={self._variant!r}, interactions={self._count(len)!r}, "
            f"columns={self._count(_width)!r}, lineage_steps={len(self._lineage)})"
        )

    __str__ = __repr__

    def save(self, file: str | os.PathLike[str]) -> None:
        """Write the dataset, its lineage included, into an ``.rsds`` file that OmniRec 1.1.0 reads, too.

        Args:
            file: The file; ``.rsds`` is added to a name without an ending.

        Raises:
            DataError: It cannot be written.
        """
        path = Path(file)
        self.write(path if path.suffix else path.with_suffix(".rsds"), archive.LATEST)

    def write(self, file: str | os.PathLike[str], schema_version: int) -> None:
        """Write the dataset into a file of the given format; see ``archive.write``."""
        if schema_version == archive.LATEST:
            self.fill_in_counts()
        archive.write(Path(file), archive.Archive(self._data, self._meta, self._lineage), schema_version)

    @staticmethod
    def load(file: str | os.PathLike[str]) -> RecSysDataSet[Any]:
        """Read an ``.rsds`` file, of OmniRec or of omnibench; nothing in it is executed.

        Raises:
            DataError: It is none.
        """
        content = archive.read(Path(file))
        loaded: RecSysDataSet[Any] = RecSysDataSet(content.data, content.meta)
        loaded._lineage = content.lineage
        return loaded


def _width(frame: pd.DataFrame) -> int:
    return len(frame.columns)


def _counts(data: SplitData, count: Callable[[pd.DataFrame], int]) -> dict[str, int]:
    return {name: count(frame) for name, frame in data.iter_splits()}


def _split_of(data: native.SplitData) -> SplitData:
    return SplitData(data.train, data.validation, data.test)

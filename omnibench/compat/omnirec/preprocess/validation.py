"""Rules that a step's input has to satisfy, as pandera schemas."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from omnibench.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


class ValidationFailureMode(StrEnum):
    """What happens to a step whose input breaks a rule.

    Attributes:
        RAISE: It raises PreprocessorValidationError.
        WARN: It logs a warning and is applied.
        SKIP: It logs a warning and is left out.
    """

    RAISE = "raise"
    WARN = "warn"
    SKIP = "skip"


class PreprocessorValidationError(DataError):
    """A step's input breaks a rule of it."""


@dataclass(frozen=True)
class RequiredColumn:
    """The rule of built-in steps: a column has to be there. It is checked without reading the interactions."""

    name: str


@dataclass
class ValidationRule:
    """A rule of a step.

    Attributes:
        schema: A ``pandera`` DataFrameSchema or DataFrameModel, or a column that has to be there.
        on_error: What happens when the input breaks it.
        message: What to say then, instead of what pandera says.
    """

    schema: Any
    on_error: ValidationFailureMode = ValidationFailureMode.RAISE
    message: str | None = None

    def is_valid(
        self, df: pd.DataFrame, df_name: str = "Unnamed", dataset_name: str = "UnnamedDataset"
    ) -> tuple[bool, str | None]:
        """Check a frame; what pandera would change in it is not kept.

        Args:
            df: The frame.
            df_name: Its name, e.g. ``fold_0/test``.
            dataset_name: The dataset's name.

        Returns:
            Whether it satisfies the rule, and what is wrong if not.
        """
        if isinstance(self.schema, RequiredColumn):
            return self.holds(self.schema.name in df.columns, f"{dataset_name}/{df_name}")
        try:
            self.schema.validate(df, lazy=True)
        except Exception as error:
            if not hasattr(error, "failure_cases"):  # pandera's SchemaErrors, which is imported by who has a schema
                raise
            return self.holds(False, f"{dataset_name}/{df_name}", _summary(error.failure_cases))
        return True, None

    def holds(self, satisfied: bool, frame: str, reason: str = "") -> tuple[bool, str | None]:
        """Return a verdict, with the message that belongs to it."""
        if satisfied:
            return True, None
        column = f"it has no column {self.schema.name!r}" if isinstance(self.schema, RequiredColumn) else reason
        return False, f"{frame}: {self.message or column}"


def _summary(failures: pd.DataFrame) -> str:
    """Return the first kind of failure, and how many kinds there are beside it."""
    if len(failures) == 0:
        return "the frame does not match the schema"
    targets = failures["column"].where(failures["column"].notna(), failures["failure_case"])
    issues = failures.assign(target=targets.astype(str)).groupby(["target", "check"], sort=False, dropna=False).size()
    target, check = issues.index[0]
    more = f", +{len(issues) - 1} more issue(s)" if len(issues) > 1 else ""
    return f"{target!r} failed {check} ({int(issues.iloc[0])} failing rows){more}"

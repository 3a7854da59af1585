"""The result of a gate: a verdict per comparison, and whether the gate passed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

WORSE, TOLERATED, IMPROVED, SAME, UNDECIDED = "worse", "tolerated", "improved", "same", "undecided"
VERDICTS = (WORSE, TOLERATED, IMPROVED, SAME, UNDECIDED)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on a metric of a configuration on a dataset.

    Attributes:
        dataset: The dataset, as its directory is called.
        algorithm: The configuration, as its directory is called.
        metric: The metric's label.
        verdict: ``worse`` (significantly, by more than the tolerance), ``tolerated`` (significantly worse, but not
            significantly by more than the tolerance), ``improved``, ``same`` (no significant difference),
            ``undecided``.
        then: The baseline's name of the configuration, which differs where its key does.
        baseline: The baseline's mean over the pairs.
        now: The mean now.
        change: Their difference, divided by the baseline's absolute value; None where that is 0.
        interval: The two-sided confidence interval of the change, at 1 - alpha, of this comparison alone; see
            ``relative_change``.
        p: The probability of a loss beyond the tolerance as large by chance alone, or of a gain as large where it is
            one; one-sided, Holm-corrected. None where nothing can be said.
        pairs: The number of users or folds; 0 where nothing is tested, since the baseline has the same experiment.
        units: ``users`` or ``folds``.
        folds: The number of folds that both have.
        reason: Why it is undecided.
        label: What people call dataset and configuration, with its hyperparameters; empty where that is not known.
        then_label: What they called the baseline's.
        test: The test that p is of: ``seeds`` where it is over seeds and users, else as in ``compare``; empty where
            nothing is tested.
        seeds: The numbers of seeds that were tested, now and in the baseline; None where the test is not over seeds.
        of_fitted_models: Whether it holds for these fitted models alone: the algorithm is not known to be deterministic,
            and how much it differs from seed to seed is not known, either.
    """

    dataset: str
    algorithm: str
    metric: str
    verdict: str
    then: str
    baseline: float
    now: float
    change: float | None
    interval: tuple[float, float] | None
    p: float | None
    pairs: int
    units: str
    folds: int
    reason: str = ""
    label: str = ""
    then_label: str = ""
    test: str = ""
    seeds: tuple[int, int] | None = None
    of_fitted_models: bool = False

    @property
    def basis(self) -> str:
        """What the verdict holds for, in brackets behind a blank; empty where it is what the algorithm does."""
        if self.seeds is not None:
            return f" ({self.seeds[1]} -> {self.seeds[0]} seeds)"
        return " (of these fitted models)" if self.of_fitted_models else ""


@dataclass(frozen=True, slots=True)
class Gate:
    """The verdicts of a gate, and what could not be compared.

    Attributes:
        baseline: The baseline's file.
        age: The date and the commit of the baseline.
        tolerance: The relative loss that is accepted.
        alpha: The probability that a run fails although nothing is worse by more than that.
        verdicts: One per comparison.
        problems: Comparisons that had to be made and could not be, a sentence each; any of them fails the gate.
        missing: What the baseline has and the plan, or the run, has not, a sentence each; fails the gate as well.
        missing_ok: Whether somebody said that it does not.
        failed: The items that failed, by name; nothing passes beside them.
        basis: What was judged, where that is not what a run of pytest has just measured, in a sentence.
        notes: Other facts that the reader has to know, a sentence each.
        tested: Over how many comparisons p is corrected.
        condition: Which verdicts hold for the fitted models alone, in a sentence; empty where none does.
        retuned: Those of the notes that say that a tuned algorithm has another search space, budget or the like.
    """

    baseline: str
    age: str
    tolerance: float
    alpha: float
    verdicts: tuple[Verdict, ...] = ()
    problems: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    missing_ok: bool = False
    failed: tuple[str, ...] = ()
    basis: str = ""
    notes: tuple[str, ...] = ()
    tested: int = 0
    condition: str = ""
    retuned: frozenset[str] = frozenset()

    @property
    def passed(self) -> bool:
        """Whether nothing is worse, nothing failed or is missing, and everything could be compared."""
        missing = self.missing and not self.missing_ok
        return not (self.problems or missing or self.failed or self.those(WORSE))

    def those(self, verdict: str) -> list[Verdict]:
        """Return the comparisons that have a verdict, those with the largest relative change first."""
        verdicts = [comparison for comparison in self.verdicts if comparison.verdict == verdict]
        return sorted(verdicts, key=lambda comparison: -abs(comparison.change or 0.0))

    def properties(self) -> dict[str, str]:
        """Return the verdicts as names and texts, for reports of CI: the counts, and every comparison that has changed."""
        counts = {verdict: len(self.those(verdict)) for verdict in VERDICTS}
        return {
            "omnibench.gate": "passed" if self.passed else "failed",
            "omnibench.gate.baseline": f"{self.baseline} {self.age}",
            **{f"omnibench.gate.{verdict}": str(number) for verdict, number in counts.items()},
            "omnibench.gate.failed_items": str(len(self.failed)),
            **{f"omnibench.gate.missing.{number}": text for number, text in enumerate(self.missing, start=1)},
            **({"omnibench.gate.condition": self.condition} if self.condition else {}),
            **{
                f"{comparison.dataset}/{comparison.algorithm} {comparison.metric}": (
                    f"{verdict}: {comparison.baseline:.6g} -> {comparison.now:.6g}{comparison.basis}"
                )
                for verdict in (WORSE, TOLERATED, UNDECIDED, IMPROVED)
                for comparison in self.those(verdict)
            },
        }

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {"passed": self.passed, **asdict(self), "retuned": sorted(self.retuned)}


def count(number: int, word: str) -> str:
    """Return a number with its noun, e.g. ``1 configuration`` or ``2 configurations``."""
    return f"{number} {word}{'' if number == 1 else 's'}"

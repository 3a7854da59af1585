"""What documents say: per dataset a table, how its configurations stand, and what has to be known to read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from omnibench.comparison.configurations import DatasetRanking
from omnibench.comparison.standings import rankings, standings
from omnibench.errors import OmnibenchError
from omnibench.report.comparisons import pairs
from omnibench.report.contents import Contents, Missing
from omnibench.statistics.best import Standing
from omnibench.tables.layout import Layout, Shown, shown

MOST = 100
"""Configurations of a dataset that documents show when nobody said how many."""

LISTED = 20
"""Missing items that documents name at first."""

TESTS = {"t": "t test", "randomisation": "randomisation test", "wilcoxon": "Wilcoxon test"}


@dataclass(frozen=True, slots=True)
class Choices:
    """What documents show, and how it is tested.

    Attributes:
        sort: The column by whose mean configurations are sorted, best first; as they come without one.
        most: How many configurations of a dataset are shown, the best ones.
        alpha: The level of each column's tests.
        test: ``t``, ``randomisation`` or ``wilcoxon``.
        show_all: What one has to say to see more.
    """

    sort: str = ""
    most: int | None = MOST
    alpha: float = 0.05
    test: str = "t"
    show_all: str = ""


@dataclass(frozen=True)
class Section:
    """What is said of a dataset.

    Attributes:
        shown: Its results, and the marks.
        standings: By column, how configurations stand against the best.
        about: Its size and its steps.
        gaps: Which means are over fewer folds than there are.
        notes: What has to be known to read the table, a sentence each; without what the marks look like.
        tested: What ``~`` says, or nothing where nothing is tested.
    """

    shown: Shown
    standings: Mapping[str, Standing]
    about: str
    gaps: list[str]
    notes: list[str]
    tested: str

    @property
    def labels(self) -> list[str]:
        """The columns."""
        return self.shown.means.labels


@dataclass(frozen=True)
class Report:
    """What documents say.

    Attributes:
        sections: One per dataset.
        rankings: By metric that several datasets have, how configurations rank over them, or why that is not said.
        missing: The items without results.
        total: How many items there are.
        choices: What is shown, and how it was tested.
        contents: Everything that is known.
        trouble: What could not be tested, a sentence each.
    """

    sections: list[Section]
    rankings: Mapping[str, DatasetRanking | str]
    missing: list[Missing]
    total: int
    choices: Choices
    contents: Contents
    trouble: list[str]

    def say_missing(self) -> str:
        """Return what to say of the items without results, or nothing."""
        count = len(self.missing)
        return f"{count} of {self.total} items {'is' if count == 1 else 'are'} missing" if count else ""


def report_of(contents: Contents, root: Path, choices: Choices) -> Report:
    """Return what documents say.

    Args:
        contents: The results.
        root: The store that has the values per user; where it lacks them, the report says so in ``trouble``.
        choices: What is shown, and how it is tested.
    """
    layout = Layout(contents.lower_is_better, sort=choices.sort, most=choices.most, undirected=contents.undirected)
    some = shown(contents.results, layout)
    trouble: list[str] = []
    found: Mapping[tuple[str, str], Standing] = {}
    try:
        found = standings(
            root,
            [result for one in some for result in one.comparable],
            contents.lower_is_better,
            undirected=contents.undirected,
            test=choices.test,
            alpha=choices.alpha,
        )
    except OmnibenchError as error:
        trouble.append(f"what is not significantly worse than the best is not marked: {error}")
    # Neither what a fit cost nor what a plugin has added to the table is a measure of algorithms.
    recorded = {label for facts in contents.facts.values() for label in facts.spreads}
    means = {
        label: {
            one.dataset: {
                name: mean
                for name, mean in one.means.means(label).items()
                if mean is not None and name in one.compared[label]
            }
            for one in some
            if label in one.means.labels
        }
        for label in contents.labels
        if label in recorded and label not in contents.undirected
    }
    ranked = rankings(means, contents.lower_is_better, alpha=choices.alpha)
    sections = [
        _section(
            one, {label: standing for (of, label), standing in found.items() if of == one.dataset}, contents, choices
        )
        for one in some
    ]
    items = len({result.fit_key for result in contents.results}) + len(contents.missing)
    return Report(sections, ranked, contents.missing, items, choices, contents, trouble)


def _section(one: Shown, found: Mapping[str, Standing], contents: Contents, choices: Choices) -> Section:
    decided = {
        label: standing for label, standing in found.items() if set(standing.comparisons) - {*standing.undecided}
    }
    marked = replace(one, tied={label: standing.not_worse for label, standing in decided.items()})
    about = contents.about.get(one.dataset)
    folds = max(about.folds if about else 1, len({row.fold for rows in one.means.algorithms.values() for row in rows}))
    return Section(
        marked,
        found,
        about.text if about else "",
        list(_gaps(one, folds)),
        list(_notes(marked, found, contents, choices)),
        f"not significantly worse than the best: {_tested(decided, choices)}" if decided else "",
    )


def _tested(decided: Mapping[str, Standing], choices: Choices) -> str:
    """Say how columns were tested, e.g. ``paired t test over 943 users, Holm-corrected in each column, alpha = 0.05``."""
    over: dict[str, list[str]] = {}
    for label, standing in decided.items():
        over.setdefault(pairs(standing.comparisons.values()), []).append(label)
    if len(over) == 1:
        said = next(iter(over))
    else:
        said = "; ".join(f"{units} ({', '.join(labels)})" for units, labels in over.items())
    return f"paired {TESTS[choices.test]} over {said}, Holm-corrected in each column, alpha = {choices.alpha:g}"


def _notes(one: Shown, found: Mapping[str, Standing], contents: Contents, choices: Choices) -> Iterator[str]:
    if one.hidden:
        how = f"; {choices.show_all} shows all" if choices.show_all else ""
        yield f"The best {len(one.names)} by {one.by} are shown, {one.hidden:,} more are not{how}."
    if one.means.folded:
        yield "Mean ± standard deviation (n - 1) over folds."
    for label, standing in found.items():
        reasons = dict.fromkeys(standing.comparisons[name].reason for name in standing.undecided)
        for reason in reasons:
            yield f"{label}: {reason}."
    for label in one.means.labels:
        if label in contents.undirected:
            yield f"{label}: omnibench does not know whether more of it is better; --better says so."


def _gaps(one: Shown, folds: int) -> Iterator[str]:
    """Say of which configurations there are fewer folds than the dataset has."""
    lacking: dict[tuple[str, int], list[str]] = {}
    for name in one.names:
        counts = {label: len(one.means.values(name, label)) for label in one.means.labels}
        counts = {label: count for label, count in counts.items() if count}
        if len({*counts.values()}) == 1 and len(counts) > 1:
            counts = {"": next(iter(counts.values()))}
        for label, count in counts.items():
            if count < folds:
                lacking.setdefault((label, count), []).append(name)
    for (label, count), names in lacking.items():
        whose = "every configuration" if len(names) == len(one.names) > 1 else ", ".join(names)
        yield f"{whose}: {f'{label} ' if label else ''}in {count} of {folds} folds"

"""The report behind documents: per dataset a table, comparisons with the best, and the notes that explain them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from omnibench.comparison.configurations import DatasetRanking
from omnibench.comparison.standings import rankings, standings
from omnibench.comparison.variance import Variances
from omnibench.data.leakage import NOTHING_COUNTED, split_sentence
from omnibench.errors import OmnibenchError
from omnibench.metrics.labels import notes_of
from omnibench.report.choices import Choices
from omnibench.report.comparisons import TESTS, VARIANCE_HEADS, pairs, variance_cells
from omnibench.report.contents import Contents, MissingItem
from omnibench.report.tuning import TunedRow, tuned_rows
from omnibench.statistics.best import Standing
from omnibench.statistics.paired import SEEDS_TEST
from omnibench.store.taken import taken_sentence
from omnibench.tables.conditional import conditional_note
from omnibench.tables.layout import Layout, MarkedResults, marked_results
from omnibench.tables.seeds import seeds_of

VARIANCE = "Where the variance of a user's value comes from"
VARIANCE_HEAD = ["Algorithm", "Metric", *VARIANCE_HEADS]
"""The heading, and those of the columns, of ``Section.variance_rows``."""

MAX_LISTED = 20
"""How many missing items, or gaps, documents list before they cut the list short."""


@dataclass(frozen=True, slots=True)
class Section:
    """The section of a report about one dataset.

    Attributes:
        marked: Its results, and the marks.
        standings: By column, the comparisons of configurations with the best.
        summary: Its size and its steps.
        gaps: Which means are over fewer folds than there are, a sentence each.
        notes: Sentences that explain the table, except for the look of the marks, which depends on the format.
        tested: What the mark of a tie means, or nothing where nothing is tested.
        variances: By configuration with several seeds and by column, what contributes to the variance of a user's value.
        tuned: The configurations that searches have chosen, with these.
    """

    marked: MarkedResults
    standings: Mapping[str, Standing]
    summary: str
    gaps: list[str]
    notes: list[str]
    tested: str
    variances: Mapping[str, Mapping[str, Variances]] = field(default_factory=dict)
    tuned: Sequence[TunedRow] = ()

    @property
    def variance_rows(self) -> list[list[str]]:
        """Rows that say where the variance of a user's value comes from: configuration, metric, shares."""
        return [
            [self.marked.label(name), label, *variance_cells(variances)]
            for name, by_label in self.variances.items()
            for label, variances in by_label.items()
        ]

    @property
    def labels(self) -> list[str]:
        """The labels of the metrics, a column each."""
        return self.marked.means.labels


@dataclass(frozen=True, slots=True)
class Report:
    """A report, of which every document format is made.

    Attributes:
        sections: One per dataset.
        rankings: By metric that several datasets have, the ranks of configurations over them, or why there are none.
        missing: The items without results.
        total: How many items there are.
        choices: The choices of the user.
        contents: All results and facts.
        trouble: The columns that could not be tested, a sentence each.
    """

    sections: list[Section]
    rankings: Mapping[str, DatasetRanking | str]
    missing: list[MissingItem]
    total: int
    choices: Choices
    contents: Contents
    trouble: list[str]

    def called(self, configuration: str) -> str:
        """Return what people call a configuration."""
        return self.sections[0].marked.label(configuration) if self.sections else configuration

    def missing_summary(self) -> str:
        """Return how many items have no results, as a text without its end; empty when all have some."""
        count = len(self.missing)
        return f"{count} of {self.total} items {'is' if count == 1 else 'are'} missing" if count else ""


def report_of(contents: Contents, root: Path, choices: Choices) -> Report:
    """Make the report on results.

    Args:
        contents: The results.
        root: The store that has the values per user; where it lacks them, the report says so in ``trouble``.
        choices: The choices of the user.
    """
    layout = Layout(contents.lower_is_better, sort=choices.sort, limit=choices.limit, undirected=contents.undirected)
    datasets = marked_results(contents.results, layout)
    trouble: list[str] = []
    column_standings: Mapping[tuple[str, str], Standing] = {}
    try:
        column_standings = standings(
            root,
            [result for marked in datasets for result in marked.comparable],
            contents.lower_is_better,
            undirected=contents.undirected,
            test=choices.test,
            alpha=choices.alpha,
        )
    except OmnibenchError as error:
        trouble.append(f"what is not significantly worse than the best is not marked: {error}")
    # Neither what a fit cost nor what a plugin has added to the table is a measure of algorithms.
    means = {
        label: {
            marked.dataset: {
                name: mean
                for name, mean in marked.means.means(label).items()
                if mean is not None and name in marked.compared[label]
            }
            for marked in datasets
            if label in marked.means.labels
        }
        for label in contents.labels
        if label in (contents.recorded or ()) and label not in contents.undirected
    }
    dataset_rankings = rankings(means, contents.lower_is_better, alpha=choices.alpha)
    standings_by_dataset: dict[str, dict[str, Standing]] = {marked.dataset: {} for marked in datasets}
    for (dataset, label), standing in column_standings.items():
        standings_by_dataset[dataset][label] = standing
    sections = [_section(marked, standings_by_dataset[marked.dataset], contents, choices) for marked in datasets]
    items = len({result.fit_key for result in contents.results}) + len(contents.missing)
    return Report(sections, dataset_rankings, contents.missing, items, choices, contents, trouble)


def _section(
    untested: MarkedResults, standings_by_label: Mapping[str, Standing], contents: Contents, choices: Choices
) -> Section:
    decided = {
        label: standing
        for label, standing in standings_by_label.items()
        if set(standing.comparisons) - {*standing.undecided}
    }
    marked = replace(untested, tied={label: standing.not_worse for label, standing in decided.items()})
    summary = contents.dataset_summaries.get(marked.dataset)
    measured_folds = {row.fold for rows in marked.means.algorithms.values() for row in rows}
    folds = max(summary.folds if summary else 1, len(measured_folds))
    return Section(
        marked,
        standings_by_label,
        summary.text if summary else "",
        list(_gaps(marked, folds)),
        list(_notes(marked, standings_by_label, contents, choices)),
        _tested(decided, marked, choices) if decided else "",
        {name: by_label for name in marked.names if (by_label := contents.variances.get((marked.dataset, name)))},
        tuned_rows({marked.label(name): marked.means.algorithms[name] for name in marked.names}, contents.tuned),
    )


def _tested(decided: Mapping[str, Standing], marked: MarkedResults, choices: Choices) -> str:
    """Return what the mark of a tie means: how columns were tested, and that other seeds may differ where they may.

    E.g. ``not significantly worse than the best: paired bootstrap test over 943 users, Holm-corrected in each column, alpha =
    0.05``.
    """
    labels_by_sample: dict[str, list[str]] = {}
    for label, standing in decided.items():
        labels_by_sample.setdefault(pairs(standing.comparisons.values()), []).append(label)
    if len(labels_by_sample) == 1:
        samples = next(iter(labels_by_sample))
    else:
        samples = "; ".join(f"{units} ({', '.join(labels)})" for units, labels in labels_by_sample.items())
    compared = (comparison for standing in decided.values() for comparison in standing.comparisons.values())
    seeded = (
        " (with several seeds these are a random factor)" if any(each.test == SEEDS_TEST for each in compared) else ""
    )
    test = f"paired {TESTS[choices.test]}{seeded} over {samples}"
    condition = conditional_note(marked.results)
    return (
        f"not significantly worse than the best: {test}, Holm-corrected in each column, alpha = {choices.alpha:g}"
        f"{f'; {condition}' if condition else ''}"
    )


def _notes(
    marked: MarkedResults, standings_by_label: Mapping[str, Standing], contents: Contents, choices: Choices
) -> Iterator[str]:
    """Yield the sentences that explain a table."""
    if marked.hidden:
        hint = f"; {choices.show_all} shows all" if choices.show_all else ""
        yield f"The best {len(marked.names)} by {marked.ranked_by} are shown, {marked.hidden:,} more are not{hint}."
    yield from _test_part_notes(marked, contents)
    if marked.means.averaged:
        yield f"Mean ± standard deviation (n - 1) over {marked.means.averaged_over}."
    elif marked.means.only_fold is not None:
        yield f"All values are of fold {marked.means.only_fold}."
    for note in marked.seed_notes:
        yield f"{note[0].upper()}{note[1:]}."
    if marked.fitted_on:
        yield f"{marked.fitted_on[0].upper()}{marked.fitted_on[1:]}."
    yield from _origin_notes(marked, contents)
    for label, standing in standings_by_label.items():
        reasons = dict.fromkeys(standing.comparisons[name].reason for name in standing.undecided)
        for reason in reasons:
            yield f"{label}: {reason}."
    for label in marked.means.labels:
        if label in contents.undirected:
            yield f"{label}: omnibench does not know whether more of it is better; --better says so."


def _origin_notes(marked: MarkedResults, contents: Contents) -> Iterator[str]:
    """Yield how many results of a table were not computed in its store."""
    rows = [result for name in marked.names for result in marked.means.algorithms[name]]
    origins = [facts.origins for result in rows if (facts := contents.facts_of(result)).origins]
    if sentence := taken_sentence(origins, len(rows)):
        yield f"{sentence}."


def _test_part_notes(marked: MarkedResults, contents: Contents) -> Iterator[str]:
    """Yield who and what in the test part is unknown in training, what of it leaks, and who does not count."""
    summary = contents.dataset_summaries.get(marked.dataset)
    unknown_ranked, seen_ranked = (
        any(note in notes_of(label) for label in marked.means.labels) for note in ("unknown", "repeats")
    )
    counts = NOTHING_COUNTED if summary is None else summary.counts
    sentence = split_sentence(counts, unknown_ranked=unknown_ranked, seen_ranked=seen_ranked)
    if sentence:
        yield f"{sentence}."
    for label in marked.means.labels:
        counted, users = _counted_users(marked, label, contents)
        if counted < users:
            yield f"{label}: over {counted:,} of {users:,} test users; the others have nothing relevant in test."


def _counted_users(marked: MarkedResults, label: str, contents: Contents) -> tuple[int, int]:
    """Return how many users count in a column that judges by test ratings, and how many there are, over all folds."""
    totals = [0, 0]
    if any(note.startswith(("relevant=", "gains=")) for note in notes_of(label)):
        folds = {result.fold: result for rows in marked.means.algorithms.values() for result in rows}
        for result in folds.values():
            uncertainties = contents.facts[result.fit_key].uncertainties if result.fit_key in contents.facts else {}
            counts = {name: uncertainty.users for name, uncertainty in uncertainties.items() if uncertainty.users}
            if label in counts:
                totals[0] += counts[label]
                totals[1] += max(counts.values())
    return totals[0], totals[1]


def _gaps(marked: MarkedResults, folds: int) -> Iterator[str]:
    """Yield which configurations have fewer folds than the dataset, with one of their seeds."""
    lacking: dict[tuple[str, int, int, str], list[str]] = {}
    for name in marked.names:
        counts = {label: len(marked.means.values(name, label)) for label in marked.means.labels}
        counts = {label: count for label, count in counts.items() if count}
        if len({*counts.values()}) == 1 and len(counts) > 1:
            counts = {"": next(iter(counts.values()))}
        seeds = len(seeds_of(marked.means.algorithms[name])) or 1
        noun = "folds" if seeds == 1 else "fits (folds and seeds)"
        for label, count in counts.items():
            if count < folds * seeds:
                lacking.setdefault((label, count, folds * seeds, noun), []).append(name)
    for (label, count, total, noun), names in lacking.items():
        subject = "every configuration" if len(names) == len(marked.names) > 1 else ", ".join(map(marked.label, names))
        yield f"{subject}: {f'{label} ' if label else ''}in {count} of {total} {noun}"

"""Results for a pull request: tables in GitHub's Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from omnibench.report.comparisons import ranking_head
from omnibench.report.contents import one_line
from omnibench.report.ranks import rank_rows
from omnibench.report.sections import LISTED, Report, Section
from omnibench.tables.layout import BEST, SPREAD, TIED, printed

_ACTIVE = re.compile(
    r"[\\`*\[\]<>|~$]"
    r"|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])"  # within a word it means nothing
    r"|(?<!\w)[@#]"  # somebody's name, or an issue's number
    r"|&(?=#?\w+;)|:(?=[\w+-]+:)"  # an entity, an emoji
)


def markdown(report: Report) -> bytes:
    """Return a report as Markdown, as GitHub renders it."""
    parts = [*_missing(report)]
    for section in report.sections:
        parts += _section(section)
    parts += _ranks(report)
    parts += [escaped(f"{one[0].upper()}{one[1:]}") for one in report.trouble]
    if not report.sections:
        parts.append("There are no results.")
    return ("\n\n".join(parts) + "\n").encode(errors="backslashreplace")


def escaped(text: str) -> str:
    """Return what renders as a text, also in the cell of a table."""
    return _ACTIVE.sub(r"\\\g<0>", one_line(text))


def code(text: str) -> str:
    """Return what renders as a text in a fixed width, where nothing means anything."""
    line = one_line(text)
    fence = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    edge = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{edge}{line}{edge}{fence}" if line else ""


def _missing(report: Report) -> Iterator[str]:
    said = report.say_missing()
    if not said:
        return
    lines = ["> [!WARNING]", f"> {said}; what is below is without them.", ">"]
    for one in report.missing[:LISTED]:
        why = f": {code(one.why)}" if one.why else ""
        lines.append(f"> - {escaped(one.item)} ({one.status}){why}")
    if len(report.missing) > LISTED:
        lines.append(f"> - ... and {len(report.missing) - LISTED:,} more")
    yield "\n".join(lines)


def _section(section: Section) -> Iterator[str]:
    one = section.shown
    yield f"## {escaped(one.dataset)}"
    if section.about:
        yield escaped(section.about)
    if section.gaps:
        yield "\n".join(
            ["> [!WARNING]", "> Fewer folds than there are:", ">", *(f"> - {escaped(gap)}" for gap in section.gaps)]
        )
    rows = [[escaped(name), *(_cell(section, name, label) for label in section.labels)] for name in one.names]
    yield _table(["Algorithm", *map(escaped, section.labels)], rows)
    notes = [*map(escaped, section.notes), "**Bold**: the best mean of its column."]
    yield " ".join([*notes, *([f"†: {escaped(section.tested)}."] if section.tested else [])])
    if one.legend:
        yield "\n".join(f"- {escaped(name)}: {code(given)}" for name, given in one.legend.items())


def _cell(section: Section, name: str, label: str) -> str:
    means, mark = section.shown.means, section.shown.mark(name, label)
    mean, spread = printed(means.mean(name, label)), means.spread(name, label)
    text = f"**{mean}**" if mark == BEST else mean
    return text + ("†" if mark == TIED else "") + ("" if spread is None else f"{SPREAD}{printed(spread)}")


def _ranks(report: Report) -> Iterator[str]:
    if report.rankings:
        yield "## Ranks over datasets"
    for label, found in report.rankings.items():
        if isinstance(found, str):
            yield escaped(f"{label}: {found}")
            continue
        yield escaped(ranking_head(label, found.ranking, report.choices.alpha))
        rows, note = rank_rows(found, report.choices.most)
        yield _table(["Algorithm", "Average rank", "Group"], [[escaped(row.name), row.rank, row.group] for row in rows])
        yield escaped(note)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = [":--", *("--:" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))

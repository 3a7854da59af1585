"""Results for a pull request: tables in GitHub's Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from omnibench.markup import one_line
from omnibench.report.comparisons import ranking_head
from omnibench.report.ranks import rank_rows
from omnibench.report.sections import MAX_LISTED, VARIANCE, VARIANCE_HEAD, Report, Section
from omnibench.report.tuning import TUNING, tuning_notes, tuning_table
from omnibench.tables.layout import BEST, SPREAD, TIED, printed

_ACTIVE = re.compile(
    r"[\\`*\[\]<>|~$]"
    r"|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])"  # within a word it means nothing
    r"|(?<!\w)[@#]"  # somebody's name, or an issue's number
    r"|:(?=//)|(?<=\bwww)\."  # an address, which would be a link
    r"|^[-+=]|(?<=^\d)[.)](?=\s|$)|(?<=^\d\d)[.)](?=\s|$)"  # a list, or a line below a heading
    r"|&(?=#?\w+;)|:(?=[\w+-]+:)"  # an entity, an emoji
)


def markdown(report: Report) -> bytes:
    """Return a report as Markdown, as GitHub renders it."""
    parts = [*_missing(report)]
    for section in report.sections:
        parts += _section(section)
    parts += _ranks(report)
    parts += [escaped(f"{problem[0].upper()}{problem[1:]}") for problem in report.trouble]
    if not report.sections:
        parts.append("There are no results.")
    return ("\n\n".join(parts) + "\n").encode(errors="backslashreplace")


def escaped(text: str) -> str:
    """Return a text with Markdown's special characters escaped, also for the cell of a table."""
    return _ACTIVE.sub(r"\\\g<0>", one_line(text))


def code(text: str) -> str:
    """Return a text as inline code, in which no character is special."""
    line = one_line(text)
    fence = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    edge = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{edge}{line}{edge}{fence}" if line else ""


def _missing(report: Report) -> Iterator[str]:
    summary = report.missing_summary()
    if not summary:
        return
    lines = ["> [!WARNING]", f"> {summary}; what is below is without them.", ">"]
    for item in report.missing[:MAX_LISTED]:
        reason = f": {code(item.reason)}" if item.reason else ""
        lines.append(f"> - {escaped(item.title)} ({item.status}){reason}")
    if len(report.missing) > MAX_LISTED:
        lines.append(f"> - ... and {len(report.missing) - MAX_LISTED:,} more")
    yield "\n".join(lines)


def _section(section: Section) -> Iterator[str]:
    marked, seeded = section.marked, section.marked.means.seeded
    yield f"## {escaped(marked.title)}"
    if section.summary:
        yield escaped(section.summary)
    if section.gaps:
        yield "\n".join(
            ["> [!WARNING]", "> Fewer folds than there are:", ">", *(f"> - {escaped(gap)}" for gap in section.gaps)]
        )
    rows = [
        [
            escaped(marked.label(name)),
            *([marked.seeds(name)] if seeded else []),
            *(_cell(section, name, label) for label in section.labels),
        ]
        for name in marked.names
    ]
    yield _table(["Algorithm", *(["Seeds"] if seeded else []), *map(escaped, section.labels)], rows)
    notes = [*map(escaped, section.notes), "**Bold**: the best mean of its column."]
    yield " ".join([*notes, *([f"†: {escaped(section.tested)}."] if section.tested else [])])
    if marked.legend:
        yield "\n".join(
            f"- {escaped(marked.label(name))}: {code(parameters)}" for name, parameters in marked.legend.items()
        )
    if (picked := marked.picking) is not None:
        yield f"{escaped(f'{picked.sentence[0].upper()}{picked.sentence[1:]}')}: {code(picked.call)}"
    if section.variance_rows:
        yield f"### {VARIANCE}"
        yield _table(VARIANCE_HEAD, [[escaped(cell) for cell in row] for row in section.variance_rows])
    if section.tuned:
        yield f"### {TUNING}"
        head, cells = tuning_table(section.tuned)
        rows = [["<br>".join(map(escaped, lines)) for lines in row] for row in cells]
        yield _table([escaped(name) for name in head], rows, numbers=False)
        if notes := tuning_notes(section.tuned):
            yield "\n".join(f"- {escaped(note)}" for note in notes)


def _cell(section: Section, name: str, label: str) -> str:
    means, mark = section.marked.means, section.marked.mark(name, label)
    mean, spread = printed(means.mean(name, label)), means.spread(name, label)
    text = f"**{mean}**" if mark == BEST else mean
    return text + ("†" if mark == TIED else "") + ("" if spread is None else f"{SPREAD}{printed(spread)}")


def _ranks(report: Report) -> Iterator[str]:
    if report.rankings:
        yield "## Ranks over datasets"
    for label, ranked in report.rankings.items():
        if isinstance(ranked, str):
            yield escaped(f"{label}: {ranked}")
            continue
        yield escaped(ranking_head(label, ranked.ranking, report.choices.alpha))
        rows, note = rank_rows(ranked, report.choices.limit)
        cells = [[escaped(report.called(row.name)), row.rank, row.group] for row in rows]
        yield _table(["Algorithm", "Average rank", "Group"], cells)
        yield escaped(note)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: bool = True) -> str:
    rule = [":--", *("--:" if numbers else ":--" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))

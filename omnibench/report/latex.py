"""Results for a paper: LaTeX tables with booktabs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from omnibench.markup import one_line
from omnibench.report.comparisons import ranking_head
from omnibench.report.latex_tuning import tuning_tables
from omnibench.report.ranks import rank_rows
from omnibench.report.sections import MAX_LISTED, VARIANCE, VARIANCE_HEAD, Report, Section
from omnibench.tables.fitting import fitting
from omnibench.tables.layout import BEST, TIED, printed

_ROWS = 40
"""Rows that fit on a page; more of them make several tables, because LaTeX cuts off what does not fit."""

_WIDTH, _LETTER, _GAP = 360, 4.6, 4
"""In points: the width of a page's text, a little over LaTeX's usual one, a letter in ``\\small``, the gap at a column."""

_HEAD = r"""% Tables of results, made by omnibench. They need, in the preamble of the document:
%   \usepackage[T1]{fontenc}
%   \usepackage{booktabs}"""

_LAST_LATIN = "\N{LATIN SMALL LETTER Z WITH CARON}"
"""The last letter that pdfLaTeX has in its usual fonts."""

_LIGATURES = re.compile("-(?=-)|,(?=,)")
_ESCAPES = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "{": r"\{",
        "}": r"\}",
        "$": r"\$",
        "&": r"\&",
        "#": r"\#",
        "_": r"\_",
        "%": r"\%",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        '"': r"\textquotedbl{}",
        "'": r"\textquotesingle{}",
        "`": r"\textasciigrave{}",
        "±": r"$\pm$",
    }
)


def latex(report: Report) -> bytes:
    r"""Return a report as LaTeX tables, to be read by a document with ``\usepackage[T1]{fontenc}`` and ``{booktabs}``."""
    parts = [_HEAD]
    missing = report.missing_summary()
    if missing:
        missing_lines = [
            one_line(f"{item.title} ({item.status}) {item.reason}") for item in report.missing[:MAX_LISTED]
        ]
        if len(report.missing) > MAX_LISTED:
            missing_lines.append(f"... and {len(report.missing) - MAX_LISTED:,} more")
        parts.append("\n%   ".join([f"% {missing}:", *missing_lines]))
    for section, anchor in zip(report.sections, _anchors(report.sections), strict=True):
        parts += _section(section, missing, anchor)
    parts += _ranks(report)
    parts += [f"% {one_line(sentence)}" for sentence in report.trouble]
    text = "\n\n".join(parts) + "\n"
    if any(letter > _LAST_LATIN for letter in text):
        text = text.replace(_HEAD, f"{_HEAD}\n%   and XeLaTeX or LuaLaTeX with a font that has these letters", 1)
    return text.encode(errors="backslashreplace")


def escaped(text: str) -> str:
    """Return a text with LaTeX's special characters escaped."""
    return _LIGATURES.sub(r"\g<0>{}", one_line(text).translate(_ESCAPES))


def _section(section: Section, missing: str, anchor: str) -> Iterator[str]:
    marked = section.marked
    notes = [*section.notes, "Bold: the best mean of its column."]
    captions = [escaped(note) for note in notes]
    if section.tested:
        captions.append(rf"$^{{\dagger}}$: {escaped(section.tested)}.")
    captions += [escaped(f"Fewer folds than there are: {'; '.join(section.gaps)}.")] if section.gaps else []
    captions += [rf"\textbf{{{escaped(missing)}.}}"] if missing else []
    title, label = escaped(marked.title), anchor
    for start in range(0, len(marked.names), _ROWS):
        names = marked.names[start : start + _ROWS]
        for labels in _groups(section, names):
            seeded = marked.means.seeded
            head = ["Algorithm", *(["Seeds"] if seeded else []), *map(escaped, labels)]
            rows = [
                [
                    escaped(marked.label(name)),
                    *([marked.seeds(name)] if seeded else []),
                    *(_cell(section, name, label) for label in labels),
                ]
                for name in names
            ]
            last = labels[-1:] == section.labels[-1:]
            explained = [name for name in names if last and name in marked.legend]
            legend = [f"{escaped(marked.label(name))}: {escaped(marked.legend[name])}" for name in explained]
            legend += _picking(section) if last and names[-1] == marked.names[-1] else []
            yield _table(title, " ".join(captions), label, head, rows, legend)
            title, captions, label = f"{escaped(marked.title)} (continued)", [], ""
    variances = [[escaped(cell) for cell in row] for row in section.variance_rows]
    for start in range(0, len(variances), _ROWS):
        caption = escaped(f"{VARIANCE}{' (continued)' if start else ''}.")
        anchor_of = "" if start else f"{anchor}-variance"
        yield _table(escaped(marked.title), caption, anchor_of, VARIANCE_HEAD, variances[start : start + _ROWS], [])
    yield from tuning_tables(section.tuned, escaped(marked.title), f"{_plain(anchor)}-tuning", escaped)


def _picking(section: Section) -> list[str]:
    """Return the line about several configurations of one algorithm, if there is something to say."""
    picked = section.marked.picking
    if picked is None:
        return []
    return [rf"{escaped(f'{picked.sentence[0].upper()}{picked.sentence[1:]}')}: \texttt{{{escaped(picked.call)}}}"]


def _groups(section: Section, names: Sequence[str]) -> list[list[str]]:
    """Cut the metrics into groups that fit onto a page, by an estimate of the width of letters and digits."""
    seeds = 2 * _GAP + 5 * _LETTER if section.marked.means.seeded else 0
    room = _WIDTH - seeds - _LETTER * max(len(section.marked.label(name)) for name in names)
    means = section.marked.means
    cell = 56 if means.folded or means.seeded else 28
    return fitting(section.labels, lambda label: 2 * _GAP + max(cell, _LETTER * len(label)), room)


def _cell(section: Section, name: str, label: str) -> str:
    means, mark = section.marked.means, section.marked.mark(name, label)
    mean, spread = printed(means.mean(name, label)), means.spread(name, label)
    text = rf"\textbf{{{mean}}}" if mark == BEST else mean
    text += r"$^{\dagger}$" if mark == TIED else ""
    return text if spread is None else rf"{text} {{\scriptsize$\pm${printed(spread)}}}"


def _ranks(report: Report) -> Iterator[str]:
    for label, ranked in report.rankings.items():
        if isinstance(ranked, str):
            yield f"% {one_line(f'{label} over datasets: {ranked}')}"
            continue
        rows, note = rank_rows(ranked, min(_ROWS, report.choices.limit or _ROWS))
        caption = f"{escaped(ranking_head(label, ranked.ranking, report.choices.alpha))}. {escaped(note)}".strip()
        cells = [[escaped(report.called(row.name)), row.rank, row.group] for row in rows]
        yield _table(
            "Ranks over datasets", caption, f"ranks-{label}", ["Algorithm", "Average rank", "Group"], cells, []
        )


def _table(
    title: str, caption: str, label: str, head: Sequence[str], rows: Sequence[Sequence[str]], legend: Sequence[str]
) -> str:
    lines = [
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{title}.{f' {caption}' if caption else ''}}}",
        *([rf"  \label{{tab:{_plain(label)}}}"] if label else []),
        rf"  \small\setlength{{\tabcolsep}}{{{_GAP}pt}}",
        rf"  \begin{{tabular}}{{@{{}}l{'r' * (len(head) - 1)}@{{}}}}",
        r"    \toprule",
        f"    {' & '.join(head)} \\\\",
        r"    \midrule",
        *(f"    {_row_beginning(cells)}{' & '.join(cells)} \\\\" for cells in rows),
        r"    \bottomrule",
        r"  \end{tabular}",
        *([r"  \par\medskip\raggedright\footnotesize", *(f"  {line}\\par" for line in legend)] if legend else []),
        r"\end{table}",
    ]
    return "\n".join(lines)


def _row_beginning(cells: Sequence[str]) -> str:
    r"""Return what keeps the end of the row before from taking a row's beginning for its own argument, as in ``\\ [2ex]``."""
    return "{}" if cells[0].startswith(("[", "*")) else ""


def _anchors(sections: Sequence[Section]) -> list[str]:
    """Return what the table of each dataset is referred to by: what it is called, so that it stays when its data changes."""
    anchors = [_plain(section.marked.title) for section in sections]
    return [
        anchor if anchors.count(anchor) == 1 and anchor.strip("-") else section.marked.dataset
        for anchor, section in zip(anchors, sections, strict=True)
    ]


def _plain(label: str) -> str:
    """Return a label for references, of characters that every package leaves alone."""
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in label)

"""Results for a paper: LaTeX tables with booktabs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from omnibench.report.comparisons import ranking_head
from omnibench.report.contents import one_line
from omnibench.report.layout import BEST, TIED, printed
from omnibench.report.ranks import rank_rows
from omnibench.report.sections import Report, Section

_ROWS = 40
"""Rows that fit on a page; more of them make several tables, because LaTeX cuts off what does not fit."""

_HEAD = r"""% Tables of results, made by omnibench. They need, in the preamble of the document:
%   \usepackage[T1]{fontenc}
%   \usepackage{booktabs}"""

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
    missing = report.say_missing()
    if missing:
        listed = "".join(f"\n%   {one_line(f'{one.item} ({one.status}) {one.why}')}" for one in report.missing)
        parts.append(f"% {missing}:{listed}")
    for section in report.sections:
        parts += _section(section, missing)
    parts += _ranks(report)
    parts += [f"% {one_line(one)}" for one in report.trouble]
    return ("\n\n".join(parts) + "\n").encode(errors="backslashreplace")


def escaped(text: str) -> str:
    """Return what LaTeX sets as a text."""
    return _LIGATURES.sub(r"\g<0>{}", one_line(text).translate(_ESCAPES))


def _section(section: Section, missing: str) -> Iterator[str]:
    one = section.shown
    notes = [*section.notes, "Bold: the best mean of its column."]
    said = [escaped(note) for note in notes]
    if section.tested:
        said.append(rf"$^{{\dagger}}$: {escaped(section.tested)}.")
    said += [escaped(f"Fewer folds than there are: {'; '.join(section.gaps)}.")] if section.gaps else []
    said += [rf"\textbf{{{escaped(missing)}.}}"] if missing else []
    for start in range(0, len(one.names), _ROWS):
        names = one.names[start : start + _ROWS]
        title = escaped(one.dataset) + (" (continued)" if start else "")
        head = ["Algorithm", *map(escaped, section.labels)]
        rows = [[escaped(name), *(_cell(section, name, label) for label in section.labels)] for name in names]
        legend = [f"{escaped(name)}: {escaped(one.legend[name])}" for name in names if name in one.legend]
        yield _table(title, " ".join(said) if not start else "", one.dataset if not start else "", head, rows, legend)


def _cell(section: Section, name: str, label: str) -> str:
    means, mark = section.shown.means, section.shown.mark(name, label)
    mean, spread = printed(means.mean(name, label)), means.spread(name, label)
    text = rf"\textbf{{{mean}}}" if mark == BEST else mean
    text += r"$^{\dagger}$" if mark == TIED else ""
    return text if spread is None else rf"{text} {{\scriptsize$\pm${printed(spread)}}}"


def _ranks(report: Report) -> Iterator[str]:
    for label, found in report.rankings.items():
        if isinstance(found, str):
            yield f"% {one_line(f'{label} over datasets: {found}')}"
            continue
        rows, note = rank_rows(found, min(_ROWS, report.choices.most or _ROWS))
        said = f"{escaped(ranking_head(label, found.ranking, report.choices.alpha))}. {escaped(note)}".strip()
        cells = [[escaped(row.name), row.rank, row.group] for row in rows]
        yield _table("Ranks over datasets", said, f"ranks-{label}", ["Algorithm", "Average rank", "Group"], cells, [])


def _table(
    title: str, said: str, label: str, head: Sequence[str], rows: Sequence[Sequence[str]], legend: Sequence[str]
) -> str:
    lines = [
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{title}.{f' {said}' if said else ''}}}",
        *([rf"  \label{{tab:{_plain(label)}}}"] if label else []),
        r"  \small\setlength{\tabcolsep}{4pt}",
        rf"  \begin{{tabular}}{{@{{}}l{'r' * (len(head) - 1)}@{{}}}}",
        r"    \toprule",
        f"    {' & '.join(head)} \\\\",
        r"    \midrule",
        *(f"    {' & '.join(cells)} \\\\" for cells in rows),
        r"    \bottomrule",
        r"  \end{tabular}",
        *([r"  \par\medskip\raggedright\footnotesize", *(f"  {one}\\par" for one in legend)] if legend else []),
        r"\end{table}",
    ]
    return "\n".join(lines)


def _plain(label: str) -> str:
    """Return a label for references, of characters that every package leaves alone."""
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in label)

"""A report as one HTML page that needs no other file."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from omnibench.comparison.configurations import DatasetRanking
from omnibench.markup import breakable, element, written
from omnibench.metrics.labels import has_label
from omnibench.report.comparisons import heads, p_text, percent, ranking_head, standing_rows
from omnibench.report.page.charts import ChartRow, chart
from omnibench.report.page.epochs import epoch_parts
from omnibench.report.page.scores import score_tables, unfolds, values_per
from omnibench.report.page.tuning import tuning_parts
from omnibench.report.ranks import rank_rows
from omnibench.report.sections import MAX_LISTED, VARIANCE, VARIANCE_HEAD, Report, Section
from omnibench.statistics.best import Standing
from omnibench.tables.layout import printed

_FILES = Path(__file__).parent
_CHART_LIMIT = 25
_OVER_DATASETS = "Ranks over datasets"


def html(report: Report) -> bytes:
    """Return a report as a page: no network, no other file, and no script but that which sorts and unfolds tables."""
    script = (_FILES / "page.js").read_text(encoding="utf-8")
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{allowed}'"
    names = ", ".join(section.marked.title for section in report.sections)
    page = element(
        "html",
        element(
            "head",
            element("meta", charset="utf-8"),
            element("meta", http_equiv="Content-Security-Policy", content=policy),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("title", f"Results: {names}" if names else "Results"),
            element("style", (_FILES / "page.css").read_text(encoding="utf-8")),
        ),
        element("body", *_body(report), element("script", script)),
        lang="en",
    )
    return f"<!DOCTYPE html>\n{written(page)}\n".encode()


def _body(report: Report) -> Iterator[Element]:
    main = element("main", element("h1", "Results"), *_missing(report))
    if len(report.sections) > 1:
        names = [section.marked.title for section in report.sections]
        links = [element("a", name, href=f"#dataset-{number}") for number, name in enumerate(names)]
        links += [element("a", _OVER_DATASETS, href="#ranks")] if report.rankings else []
        main.append(element("nav", *links, aria_label="Datasets"))
    for number, section in enumerate(report.sections):
        main.append(_section(section, report, f"dataset-{number}"))
    if not report.sections:
        main.append(element("p", "There are no results."))
    if report.rankings:
        main.append(_ranks(report))
    for problem in report.trouble:
        main.append(element("p", f"{problem[0].upper()}{problem[1:]}", class_="alarm"))
    yield main
    finished = report.contents.finished
    done = report.total - len(report.missing)
    yield element("footer", f"{done:,} of {report.total:,} items{f', the last done {finished}' if finished else ''}.")


def _missing(report: Report) -> Iterator[Element]:
    summary = report.missing_summary()
    if summary:
        yield _alarm(
            f"{summary}; what is below is without them.",
            [f"{item.title} ({item.status}){f': {item.reason}' if item.reason else ''}" for item in report.missing],
        )


def _alarm(heading: str, messages: list[str]) -> Element:
    parts = messages[:MAX_LISTED], messages[MAX_LISTED:]
    first, rest = (element("ul", *(element("li", message) for message in part)) for part in parts)
    more = element("details", element("summary", f"{len(rest):,} more"), rest) if len(rest) else None
    return element("div", element("strong", heading), first, more, class_="alarm", role="note")


def _section(section: Section, report: Report, name: str) -> Element:
    marked = section.marked
    page_section = element("section", element("h2", marked.title, id=name), aria_labelledby=name)
    if section.summary:
        page_section.append(element("p", section.summary, class_="dim"))
    if section.gaps:
        page_section.append(_alarm("Fewer folds than there are:", section.gaps))
    tables = score_tables(section, report.contents, f"{name}-table")
    if unfolds(marked):
        controlled = " ".join(table.attrib["id"] for table in tables)
        button = element(
            "button", f"Values per {values_per(marked)}", class_="all", aria_pressed="false", aria_controls=controlled
        )
        button.set("type", "button")
        page_section.append(button)
    for number, table in enumerate(tables, start=1):
        part = f", part {number} of {len(tables)}" if len(tables) > 1 else ""
        page_section.append(_scrolled(table, f"Results on {marked.title}{part}"))
    notes = [*section.notes, "Bold green: the best mean of its column."]
    notes += [f"†: {section.tested}."] if section.tested else []
    page_section.append(element("p", " ".join(notes), class_="notes"))
    if (picked := marked.picking) is not None:
        sentence = f"{picked.sentence[0].upper()}{picked.sentence[1:]}: "
        page_section.append(element("p", sentence, element("code", picked.call), class_="notes"))
    if section.standings:
        coverage = percent(report.choices.alpha)
        explanation = (
            f"Points are mean differences to the best, lines their {coverage} confidence intervals, each of a single "
            "comparison. Hollow blue points are not significantly worse after Holm's correction, filled grey ones are."
        )
        page_section.append(element("h3", "Differences to the best"))
        page_section.append(element("p", explanation, class_="notes"))
        page_section.append(
            element("div", *(_figure(section, label, report) for label in section.standings), class_="charts")
        )
    if section.variance_rows:
        page_section.append(element("h3", VARIANCE))
        page_section.append(_scrolled(_plain_table(VARIANCE_HEAD, section.variance_rows), VARIANCE))
    page_section.extend(epoch_parts(marked, report.contents.series, _scrolled))
    page_section.extend(tuning_parts(section.tuned, marked.title, _scrolled))
    return page_section


def _scrolled(table: Element, label: str) -> Element:
    return element("section", table, class_="scroll", tabindex="0", aria_label=label)


def _figure(section: Section, label: str, report: Report) -> Element:
    standing = section.standings[label]
    higher = not has_label(report.contents.lower_is_better, label)
    tested = [standing.best, *standing.comparisons]
    means = {name: mean for name in tested if (mean := section.marked.means.mean(name, label)) is not None}
    order = sorted(means, key=means.__getitem__, reverse=higher)
    order = [standing.best, *(name for name in order if name != standing.best)]
    coverage = percent(report.choices.alpha).replace(" ", "\N{NO-BREAK SPACE}")
    called = section.marked.described
    chart_rows = [_chart_row(name, called(name), means[name], standing, coverage) for name in order[:_CHART_LIMIT]]
    best = called(standing.best)
    title = f"{section.marked.title}, {label}: difference to {best}"
    hidden = len(order) - len(chart_rows)
    more = f" {hidden} more are below." if hidden else ""
    return element(
        "figure",
        element("figcaption", element("strong", label), f": difference to {best}, with {coverage} intervals.{more}"),
        chart(chart_rows, title, f"The numbers are in the table below.{more}", reference=0.0, signed=True),
        element(
            "details",
            element("summary", "As a table"),
            _scrolled(_comparisons(section, means, standing, higher, report), title),
        ),
    )


def _chart_row(name: str, label: str, mean: float, standing: Standing, coverage: str) -> ChartRow:
    if name == standing.best:
        return ChartRow(label, printed(mean), 0.0, None, "best", f"{label}: {printed(mean)}, the best")
    comparison = standing.comparisons[name]
    css_class = "unsaid" if name in standing.undecided else "tied" if name in standing.not_worse else "worse"
    hover = f"{label}: {printed(mean)}, difference {comparison.difference:+.4f}"
    if comparison.interval is not None:
        hover += f", {coverage} interval {comparison.interval[0]:+.4f} to {comparison.interval[1]:+.4f}"
    hover += f"; {comparison.reason}" if comparison.p is None else f"; p (Holm) {p_text(standing.adjusted[name])}"
    return ChartRow(label, printed(mean), comparison.difference, comparison.interval, css_class, hover)


def _comparisons(
    section: Section, means: dict[str, float], standing: Standing, higher: bool, report: Report
) -> Element:
    head = ["Algorithm", "mean", *heads(report.choices.alpha)]
    head[-1] = "verdict"
    rows = standing_rows(means, standing, higher=higher)
    return _plain_table(head, [[section.marked.described(name), *cells] for name, *cells in rows])


def _plain_table(head: list[str], rows: list[list[str]]) -> Element:
    return element(
        "table",
        element("thead", element("tr", *(element("th", name, scope="col") for name in head))),
        element(
            "tbody",
            *(
                element(
                    "tr",
                    element("th", *breakable(row[0]), scope="row"),
                    *(element("td", cell, data_label=heading) for heading, cell in zip(head[1:], row[1:], strict=True)),
                )
                for row in rows
            ),
        ),
    )


def _ranks(report: Report) -> Element:
    page_section = element("section", element("h2", _OVER_DATASETS, id="ranks"), aria_labelledby="ranks")
    figures = element("div", class_="charts")
    for label, ranking in report.rankings.items():
        if isinstance(ranking, str):
            page_section.append(element("p", f"{label}: {ranking}", class_="notes"))
        else:
            figures.append(_rank_figure(label, ranking, report))
    page_section.append(figures)
    return page_section


def _rank_figure(label: str, dataset_ranking: DatasetRanking, report: Report) -> Element:
    rows, note = rank_rows(dataset_ranking, report.choices.limit)
    rows = [row._replace(name=report.called(row.name)) for row in rows]
    half_difference = dataset_ranking.ranking.critical_difference / 2
    tested = dataset_ranking.ranking.p is not None
    chart_rows = [
        ChartRow(
            row.name,
            row.rank,
            row.value,
            (row.value - half_difference, row.value + half_difference) if tested else None,
            "worse",
            f"{row.name}: {row.rank}",
        )
        for row in rows[:_CHART_LIMIT]
    ]
    title = f"{label}: average ranks over {dataset_ranking.ranking.datasets} datasets"
    explanation = "Ranks whose lines do not overlap differ by more than the critical difference." if tested else ""
    return element(
        "figure",
        element(
            "figcaption",
            element("strong", label),
            ranking_head("", dataset_ranking.ranking, report.choices.alpha),
            f". {explanation}",
        ),
        chart(chart_rows, title, explanation, reference=None, signed=False),
        element(
            "details",
            element("summary", "As a table"),
            _scrolled(
                _plain_table(["Algorithm", "average rank", "group"], [[row.name, row.rank, row.group] for row in rows]),
                title,
            ),
            element("p", note, class_="notes") if note else None,
        ),
    )

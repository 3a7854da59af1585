"""Losses and validation values by epoch on the page: a plot per configuration, a line per fit, the numbers behind it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from xml.etree.ElementTree import Element

import pytest
from support.reporting import VALUES, contents, report

from omnibench.report.page import epochs as epochs_module
from omnibench.report.page.epochs import epoch_parts
from omnibench.store.series import Epoch

BEST, NEAR, WORSE = VALUES


def parts_of(monkeypatch: pytest.MonkeyPatch, series: Mapping[str, Sequence[Epoch]]) -> Element:
    """What the page says of the training, in one element."""
    results = replace(contents(parameters="k=1"), series=series)
    (section,) = report(monkeypatch, results).sections
    body = Element("body")
    body.extend(epoch_parts(section.marked, results.series, lambda table, _: table))
    return body


def text_of(node: Element) -> str:
    return "".join(node.itertext())


def key(name: str, fold: int) -> str:
    return f"Data_1-a3f8e2c1{name}{fold}"


def test_a_page_without_series_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was fitted by epochs."""
    assert len(parts_of(monkeypatch, {})) == 0


def test_whatever_was_reported_has_a_plot(monkeypatch: pytest.MonkeyPatch) -> None:
    """A class may call its loss otherwise; losses and validation values come first, and there are four plots at most."""
    epochs = [Epoch(1, {"validation": 0.1, "a": 1.0, "b": 2.0, "error": 3.0, "loss": 0.5}), Epoch(2, {"error": 2.0})]
    captions = [text_of(node) for node in parts_of(monkeypatch, {key(BEST, 0): epochs}).iter("figcaption")]
    assert captions == [f"Lib.Best: {name} by epoch" for name in ("loss", "validation", "a", "b")]
    (line,) = parts_of(monkeypatch, {key(BEST, 0): [*epochs[1:], Epoch(3, {"error": 1.0})]}).iter("polyline")
    assert len(line.get("points", "").split()) == 2


def test_each_configuration_has_its_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plot of the losses, and one of validation where there is any; a line per fold, each epoch once in the table."""
    series = {
        key(BEST, fold): [
            Epoch(number, {"loss": fold + 1 / number, **({"validation": 0.25} if number % 2 == 0 else {})})
            for number in range(1, 6)
        ]
        for fold in range(3)
    }
    body = parts_of(monkeypatch, {**series, key(NEAR, 1): [Epoch(1, {"loss": 0.5})]})
    captions = [text_of(node) for node in body.iter("figcaption")]
    assert captions == [
        "Lib.Best: loss by epoch",
        "Lib.Best: validation by epoch",
        "Lib.Near_by: loss by epoch",
    ]
    losses, validation, single = body.iter("figure")
    assert [text_of(node) for node in losses.iter("title")][1:] == [
        f"fold {fold}: loss {fold + 0.2:.4g} in epoch 5" for fold in range(3)
    ]
    assert len({node.get("class") for node in losses.iter("svg") if node.get("class") != "plot"}) == 3
    rows = [[text_of(cell) for cell in row] for row in losses.iter("tr")]
    assert rows == [["Epoch", "fold 0", "fold 1", "fold 2"]] + [
        [str(number), *(f"{fold + 1 / number:.4g}" for fold in range(3))] for number in range(1, 6)
    ]
    assert [text_of(row[0]) for row in validation.iter("tr")] == ["Epoch", "2", "4"]
    assert [node.tag for node in single.iter() if node.tag in ("polyline", "circle")] == ["circle"]


def test_lines_lie_within_the_plot(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where losses are large, negative or all the same; a curve has no more points than there is room for."""
    for losses in ([-3e5, 7e9, 0.0], [1.0, 1.0], [math.sin(n) for n in range(5000)]):
        series = {key(BEST, 0): [Epoch(number, {"loss": loss}) for number, loss in enumerate(losses)]}
        (line,) = parts_of(monkeypatch, series).iter("polyline")
        points = [tuple(map(float, point.split(","))) for point in line.get("points", "").split()]
        assert all(0 <= x <= 1000 and 0 <= y <= 190 for x, y in points)
        assert min(len(losses), 100) <= len(points) <= 160
        assert points == sorted(points)


def test_many_fits_and_many_configurations_stay_readable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines of more fits than there are colours are of one colour without names; of further configurations a line says so."""
    monkeypatch.setattr(epochs_module, "_MOST_COLOURS", 2)
    monkeypatch.setattr(epochs_module, "_MOST_CONFIGURATIONS", 1)
    series = {
        key(name, fold): [Epoch(number, {"loss": 1 / number}) for number in range(1, 101)]
        for name in VALUES
        for fold in range(3)
    }
    body = parts_of(monkeypatch, series)
    (figure,) = body.iter("figure")
    assert {node.get("class") for node in figure.iter("svg")} == {"plot", "curve many"}
    assert not [node for node in figure.iter("p") if node.get("class") == "legend"]
    assert len(list(figure.iter("tr"))) <= 30
    assert text_of(body).endswith("2 more have series, which the view epochs of the store has.")

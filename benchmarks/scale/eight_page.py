"""Write ``docs/scale.md`` from the numbers in ``eight_algorithms.json``: ``python benchmarks/scale/eight_page.py``.

``eight_algorithms.py`` measures the numbers; a test holds the page and the numbers together.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import eight_estimates
import eight_texts

from omnibench.metrics.spread import REPLICATES

PAGE = Path(__file__).parents[2] / "docs" / "scale.md"
NUMBERS = Path(__file__).with_name("eight_algorithms.json")
BEFORE = Path(__file__).with_name("eight_disk.json")

WAYS = ("omnibench", "bare")
STEPS = ("fit", "predict", "check", "evaluate", "publish")
ALGORITHMS = {
    "Pop": "Pop (LensKit.PopScorer)",
    "ItemKNN": "ItemKNN (RecPack, K=100)",
    "EASE": "EASE (RecPack)",
    "ImplicitMF": "ImplicitMF (LensKit, d=64, 2 epochs)",
    "BPR": "BPR (RecBole, 1 epoch)",
    "LightGCN": "LightGCN (RecBole, 1 epoch)",
    "SVD": "SVD (RecPack, d=64)",
    "own class": "own class (popularity)",
}

Measured = Mapping[str, Any]
"""What an algorithm cost at a size: ``omnibench``, ``least``, and ``bare`` where that does not take hours."""
Size = Mapping[str, Any]
"""A size with what preparation cost, and ``algorithms``."""


def read() -> list[dict[str, Any]]:
    """Return what was measured, the smallest size first."""
    return json.loads(NUMBERS.read_text(encoding="utf-8")) if NUMBERS.exists() else []


def read_before() -> list[dict[str, Any]]:
    """Return what stores took before, as ``eight_disk.py`` has written it."""
    return json.loads(BEFORE.read_text(encoding="utf-8")) if BEFORE.exists() else []


def add(measured: Size) -> None:
    """Keep what was measured at a size, in the place of what is known of the same algorithms there."""
    sizes = {size["rows"]: size for size in read()}
    known = sizes.get(measured["rows"], {}).get("algorithms", {})
    rounded = json.loads(json.dumps(measured), parse_float=lambda text: float(f"{float(text):.4g}"))
    algorithms = {name: {**known.get(name, {}), **ways} for name, ways in rounded["algorithms"].items()}
    sizes[measured["rows"]] = {**rounded, "algorithms": {**known, **algorithms}}
    content = json.dumps([sizes[rows] for rows in sorted(sizes)], indent=1)
    NUMBERS.write_text(content + "\n", encoding="utf-8")


def write() -> None:
    """Write the page."""
    PAGE.write_text(page(read()), encoding="utf-8")


def total(measured: Measured, way: str) -> float | None:
    """Return the CPU seconds of all steps together; None of what was not run."""
    return math.fsum(measured[way]["seconds"].values()) if way in measured else None


def line(name: str, measured: Measured) -> str:
    """Return a line about an algorithm for the screen: each step with omnibench and bare, and the ratio of all."""
    ours, bare = (measured.get(way, {"seconds": {}})["seconds"] for way in WAYS)
    cells = "".join(f"{step} {ours.get(step, 0):.3g} ({bare.get(step, 0):.3g})  " for step in STEPS)
    ways = [way for way in WAYS if way in measured]
    metrics = " ".join(f"{way}: {measured[way]['metrics']['NDCG@10']:.6f}" for way in ways)
    return f"{name:11}{cells}rest {ours.get('rest', 0):.3g}  {_ratio(measured)}  NDCG@10 {metrics}"


def _ratio(measured: Measured) -> str:
    ours, bare = total(measured, "omnibench"), total(measured, "bare")
    return "-" if ours is None or not bare else f"{ours / bare:.2f}x"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of Markdown; the first column is left-aligned, the others are right-aligned."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def page(sizes: Sequence[Size]) -> str:
    """Return the page."""
    blocks = [
        eight_texts.INTRODUCTION,
        *(eight_texts.IN_SHORT, _in_short(sizes), eight_texts.SHORT_REASONS),
        *(eight_texts.STEPS, *(_size(size, sizes) for size in sizes)),
        *(
            eight_texts.GROWTH,
            _growth(sizes),
            eight_texts.LATE_GROWTH,
            _growth(sizes, late=True),
            eight_texts.LATE_GROWTH_REASONS,
        ),
        *(eight_texts.LIMITS, _limits(sizes), _rates(sizes)),
        eight_texts.ALL_USERS,
        *(eight_texts.DISK, _disk(sizes), eight_texts.DISK_BEFORE, _disk_before(sizes), eight_texts.DISK_FOLDS),
        eight_texts.NEXT,
    ]
    return "\n\n".join(block.strip() for block in blocks if block) + "\n"


def _seconds(value: float | None) -> str:
    """Return CPU seconds with three digits."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _costs(
    size: Size, sizes: Sequence[Size], name: str
) -> tuple[list[Mapping[str, float]], list[str], list[float | None]]:
    """Return the seconds of the steps of an algorithm at a size, the marks of what is an estimate, and the sums; of both ways."""
    measured = size["algorithms"].get(name, {})
    costs = [
        measured[way]["seconds"] if way in measured else eight_estimates.estimated(sizes, size["rows"], name, way)
        for way in WAYS
    ]
    marks = ["" if way in measured else "~" for way in WAYS]
    return costs, marks, [math.fsum(seconds.values()) or None for seconds in costs]


def _in_short(sizes: Sequence[Size]) -> str:
    """Return a table of the ratios of all steps together, a column for each size."""
    rows = []
    for name, label in ALGORITHMS.items():
        cells = []
        for size in sizes:
            _, marks, totals = _costs(size, sizes, name)
            cells.append(_quotient(totals, marks))
        rows.append([label, *cells])
    return table(["omnibench / bare, by rows", *(f"{size['rows']:,}" for size in sizes)], rows)


def _size(size: Size, sizes: Sequence[Size]) -> str:
    """Return the table of a size, with estimates of what was not run there."""
    rows = []
    missing: dict[tuple[str, str], float] = {}
    for name, label in ALGORITHMS.items():
        measured = size["algorithms"].get(name, {})
        costs, marks, totals = _costs(size, sizes, name)
        missing.update(
            {(name, way): seconds or 0.0 for way, seconds in zip(WAYS, totals, strict=True) if way not in measured}
        )
        peaks = [f"{measured[way]['peak']:,.0f}" if way in measured else "-" for way in WAYS]
        hits = [f"{measured[way]['metrics']['HR@10']:.4f}" if way in measured else "-" for way in WAYS]
        rows.append(
            [
                label,
                *(_pair([seconds.get(step) for seconds in costs], marks) for step in STEPS),
                _pair([costs[0].get("rest")], marks),
                _pair(totals, marks),
                _quotient(totals, marks),
                " / ".join(peaks),
                " / ".join(hits),
            ]
        )
    title = f"### {size['rows']:,} rows, {size['users']:,} users, {size['items']:,} items"
    head = ["omnibench / bare", *STEPS, "rest", "all", "ratio", "peak, MB", "HR@10"]
    prepared = f"Prepared in {_seconds(size['prepare'])} s, once for all algorithms."
    return "\n\n".join(
        block for block in (title, prepared, table(head, rows), eight_estimates.reasons(size, missing)) if block
    )


def _pair(values: Sequence[float | None], marks: Sequence[str]) -> str:
    """Return CPU seconds of one or both ways, those that were estimated with their mark."""
    cells = ("-" if value is None else mark + _seconds(value) for value, mark in zip(values, marks, strict=False))
    return " / ".join(cells)


def _quotient(totals: Sequence[float | None], marks: Sequence[str]) -> str:
    ours, bare = totals
    return f"{max(marks)}{ours / bare:.2f}x" if ours and bare else "-"


def exponent(sizes: Sequence[Size], name: str, way: str, step: str, *, late: bool = False) -> float | None:
    """Return by which power of the rows a step grows to the largest size that was run.

    Args:
        sizes: What was measured, the smallest size first.
        name: The algorithm.
        way: Whether with omnibench or bare.
        step: The step.
        late: From the size before that one instead of from the smallest.
    """
    points = [
        (size["rows"], size["algorithms"][name][way]["seconds"][step])
        for size in sizes
        if step in size["algorithms"].get(name, {}).get(way, {}).get("seconds", {})
    ]
    if len(points) < 2:
        return None
    (small_rows, small), (large_rows, large) = points[-2 if late else 0], points[-1]
    if small <= 0 or large <= 0:
        return None
    return math.log(large / small) / math.log(large_rows / small_rows)


def _growth(sizes: Sequence[Size], *, late: bool = False) -> str:
    def cell(name: str, step: str) -> str:
        pair = (exponent(sizes, name, way, step, late=late) for way in WAYS)
        return " / ".join("-" if power is None else f"{power:.2f}" for power in pair)

    rows = [[label, *(cell(name, step) for step in STEPS)] for name, label in ALGORITHMS.items()]
    return table(["omnibench / bare", *STEPS], rows)


def _limits(sizes: Sequence[Size]) -> str:
    rows = []
    for name, label in ALGORITHMS.items():
        run = [size for size in sizes if "omnibench" in size["algorithms"].get(name, {})]
        beside = [size for size in run if "bare" in size["algorithms"][name]]
        if not run:
            continue
        largest = (beside or run)[-1]
        measured, cells = largest["algorithms"][name], []
        for step in STEPS:
            of_fit = measured["bare"]["seconds"]["fit"] if "bare" in measured else None
            least = of_fit if step == "fit" else measured["least"][step]
            ours = measured["omnibench"]["seconds"][step]
            cells.append(
                f"{_seconds(least) if least >= 0.01 else f'{least:.4f}'} ({ours / least:.1f}x)" if least else "-"
            )
        rows.append([label, f"{largest['rows']:,}", *cells])
    return table(["", "rows", *STEPS], rows)


def _rates(sizes: Sequence[Size]) -> str:
    """Return how much of the bare work of each step was done in a second, at the largest size; nothing where none was run."""
    largest = sizes[-1] if sizes else {"algorithms": {}}
    run = {name: ways for name, ways in largest["algorithms"].items() if {"omnibench", "least"} <= set(ways)}
    scores = largest.get("users", 0) * largest.get("items", 0)
    operations = [2 * _WIDTH * scores / run[name]["least"]["predict"] / 1e9 for name in _OF_FACTORS if name in run]
    if not operations:
        return ""
    read = largest["rows"] * 0.8 * 8 + largest["users"] * 20 * 4
    reading = [read / ways["least"]["check"] / 1e9 for ways in run.values()]
    written = [ways["omnibench"]["bytes"] / ways["least"]["publish"] / 1e9 for ways in run.values()]
    draws = REPLICATES * largest["users"]
    each = [ways["omnibench"]["seconds"]["evaluate"] / draws * 1e9 for ways in run.values()]
    return eight_texts.RATES.format(
        rows=f"{largest['rows']:,}",
        operations=_range(operations, 0),
        scores=f"{scores / 1e9:,.1f}",
        reading=_range(reading, 1),
        publishing=_range(written, 1),
        draws=f"{draws / 1e6:,.0f}",
        each=_range(each, 1),
    )


def _range(values: Sequence[float], digits: int) -> str:
    """Return e.g. ``61 to 78``."""
    low, high = (f"{value:.{digits}f}" for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def _disk(sizes: Sequence[Size]) -> str:
    rows = [
        [
            f"{size['rows']:,}",
            _megabytes(size["bytes"]),
            *(_megabytes(size["algorithms"].get(name, {}).get("omnibench", {}).get("bytes")) for name in ALGORITHMS),
        ]
        for size in sizes
    ]
    return table(["MB", "prepared data", *ALGORITHMS], rows)


def _disk_before(sizes: Sequence[Size]) -> str:
    """Return what was on disk before beside what is there now, of the sizes of which both is known."""
    now = {size["rows"]: size for size in sizes}
    rows = []
    for size in read_before():
        if size["rows"] not in now:
            continue
        present = now[size["rows"]]
        pairs = [(size["prepared"], present["bytes"])] + [
            (size["items"].get(name), present["algorithms"].get(name, {}).get("omnibench", {}).get("bytes"))
            for name in ALGORITHMS
        ]
        rows.append([f"{size['rows']:,}", *(f"{_megabytes(old)} / {_megabytes(new)}" for old, new in pairs)])
    return table(["MB, before / now", "prepared data", *ALGORITHMS], rows)


def _megabytes(size: float | None) -> str:
    return "-" if size is None else f"{size / 1e6:,.1f}"


_WIDTH = 64
"""Factors of the algorithms that have some."""
_OF_FACTORS = ("ImplicitMF", "BPR", "LightGCN", "SVD")


if __name__ == "__main__":
    write()

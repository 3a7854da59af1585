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

PAGE = Path(__file__).parents[2] / "docs" / "scale.md"
NUMBERS = Path(__file__).with_name("eight_algorithms.json")

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
    blocks = [_INTRODUCTION, *(_size(size, sizes) for size in sizes), _GROWTH, _growth(sizes), _LIMITS, _limits(sizes)]
    return "\n\n".join(block.strip() for block in [*blocks, _ALL_USERS, _DISK, _disk(sizes), _NEXT]) + "\n"


def _seconds(value: float | None) -> str:
    """Return CPU seconds with three digits."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _size(size: Size, sizes: Sequence[Size]) -> str:
    """Return the table of a size, with estimates of what was not run there."""
    rows = []
    missing: dict[tuple[str, str], float] = {}
    for name, label in ALGORITHMS.items():
        measured = size["algorithms"].get(name, {})
        costs = [
            measured[way]["seconds"] if way in measured else eight_estimates.estimated(sizes, size["rows"], name, way)
            for way in WAYS
        ]
        marks = ["" if way in measured else "~" for way in WAYS]
        totals = [math.fsum(seconds.values()) or None for seconds in costs]
        missing.update(
            {(name, way): seconds or 0.0 for way, seconds in zip(WAYS, totals, strict=True) if way not in measured}
        )
        peaks = [f"{measured[way]['peak']:,.0f}" if way in measured else "-" for way in WAYS]
        rows.append(
            [
                label,
                *(_pair([seconds.get(step) for seconds in costs], marks) for step in STEPS),
                _pair([costs[0].get("rest")], marks),
                _pair(totals, marks),
                _quotient(totals, marks),
                " / ".join(peaks),
            ]
        )
    title = f"### {size['rows']:,} rows, {size['users']:,} users, {size['items']:,} items"
    head = ["omnibench / bare", *STEPS, "rest", "all", "ratio", "peak, MB"]
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


def exponent(sizes: Sequence[Size], name: str, way: str, step: str) -> float | None:
    """Return by which power of the rows a step grows from the smallest to the largest size that was run."""
    points = [
        (size["rows"], size["algorithms"][name][way]["seconds"][step])
        for size in sizes
        if step in size["algorithms"].get(name, {}).get(way, {}).get("seconds", {})
    ]
    if len(points) < 2 or points[0][1] <= 0 or points[-1][1] <= 0:
        return None
    return math.log(points[-1][1] / points[0][1]) / math.log(points[-1][0] / points[0][0])


def _growth(sizes: Sequence[Size]) -> str:
    def cell(name: str, step: str) -> str:
        pair = (exponent(sizes, name, way, step) for way in WAYS)
        return " / ".join("-" if power is None else f"{power:.2f}" for power in pair)

    rows = [[label, *(cell(name, step) for step in STEPS)] for name, label in ALGORITHMS.items()]
    return table(["omnibench / bare", *STEPS], rows)


def _limits(sizes: Sequence[Size]) -> str:
    rows = []
    for name, label in ALGORITHMS.items():
        largest = next((size for size in reversed(sizes) if "omnibench" in size["algorithms"].get(name, {})), None)
        if largest is None:
            continue
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


def _disk(sizes: Sequence[Size]) -> str:
    rows = [
        [
            f"{size['rows']:,}",
            f"{size['bytes'] / 1e6:,.1f}",
            *(
                f"{size['algorithms'][name]['omnibench']['bytes'] / 1e6:,.1f}"
                if "omnibench" in size["algorithms"].get(name, {})
                else "-"
                for name in ALGORITHMS
            ),
        ]
        for size in sizes
    ]
    return table(["MB", "prepared data", *ALGORITHMS], rows)


_INTRODUCTION = """
# Large data

Cost should grow with the work and no faster. This page shows what eight algorithms cost from Fit to published metrics, beside
bare scripts that call the same framework as its guide does, on the same split: generated interactions with the users, items and
long tails of MovieLens, a fifth of each user's in the test part, lists of 20 items, NDCG and hit rate.
`python benchmarks/scale/eight_algorithms.py --write` measures it again and writes this page.

All numbers are CPU seconds of one thread, which depend little on what else the machine does; with omnibench those of the
framework's process (fit, predict) and of the run's own (the others). *Check* is looking for wrong lists, *publish* writing,
syncing and recording model, predictions, readable copy and values per user; a bare script writes its lists, or RecBole its
model. *Rest* is everything else that omnibench does for an item, records and tables among it. RecBole ranks and measures in one,
which stands under *predict*. Omnibench's *evaluate* has the intervals of every metric, which no bare script has; those are most of it.
Not in the numbers: imports, and the text files that RecBole's script reads. Most of what takes more than six minutes, or more memory
than the machine has, was not run, nor was some of what takes less: there is an estimate in its place, with a ~, and below the table
what the estimate exceeds. The numbers were measured on several days; machines that many programs share take up to twice the CPU
seconds for work that leaves their caches, so compare the two numbers of a cell rather than those of two tables.
"""

_GROWTH = """
## Growth

By which power of the rows a step grows, from the smallest to the largest size: 1 is as the rows do. The items grow as the square
root of the rows, so making the scores of all items for all users grows by a power of 1.5, and EASE's matrix of items by items is
inverted in time that grows by 1.5, too. Of RecBole's networks an epoch grows by about 2 where that is most of it: in each batch its
optimiser changes the vectors of all users and items, and LightGCN passes over the whole graph (BPR from 4.7 to 19.2 million rows: a
power of 2.0, LightGCN from 1.13 to 4.7 million: 2.1).
"""

_LIMITS = """
## The bare work of a step

CPU seconds of what a step is about and nothing around it, and how many times as much omnibench takes, at the largest size
that was run. *Fit*: the bare script's, as the work is the framework's; it is no limit, and omnibench's Fit may need less.
*Predict*: the product that makes the scores, by BLAS in float32, for neighbours and for EASE by SciPy, whose product
is no limit either: omnibench's own takes less for neighbours; for popularity reading the training part once.
*Check* and *evaluate*: reading the lists and the part that they are compared with once. *Publish*: writing, syncing and
digesting as many bytes.
"""

_ALL_USERS = """
## All users at once

Lists of 20 items for all 138,493 users of a generated fold with 26,744 items, in CPU seconds of one thread beside the bare
computation, and what ranking adds to the guest's memory; at load 14 to 24 on two cores,
LensKit's ItemKNN at load 3 (`python benchmarks/scale/predicting.py --parts 1`).

|  | omnibench / bare | ratio | added, MB |
| --- | ---: | ---: | ---: |
| LensKit popularity / a set per user | 0.38 / 4.77 | 0.08x | 35 |
| RecPack popularity / a set per user | 0.41 / 5.09 | 0.08x | 0 |
| RecBole popularity / a set per user | 0.59 / 5.24 | 0.11x | 0 |
| RecBole BPR, d=64 / BLAS in float32 | 6.64 / 5.91 | 1.12x | 0 |
| RecPack ItemKNN, K=100 / SciPy's product | 12.9 / 16.3 | 0.79x | 0 |
| LensKit ImplicitMF, d=64 / BLAS in float32 | 5.94 / 4.90 | 1.21x | 0 |
| LensKit ItemKNN, 100 similar items, 20 count / SciPy's product | 9.98 / 7.10 | 1.41x | 0 |

For a part of the users, and the whole catalogue; the cost grows as the users do (at load 6 to 20):

| users x items |  | omnibench / bare | ratio | added, MB |
| --- | --- | ---: | ---: | ---: |
| 8,655 x 26,744 | LensKit ImplicitMF, d=64 / BLAS in float32 | 0.35 / 0.31 | 1.14x | - |
| 8,655 x 26,744 | RecPack SVD, d=64 / BLAS in float64 | 0.58 / 0.64 | 0.91x | 56 |
| 8,655 x 26,744 | LensKit ItemKNN, 100 similar items, 20 count / SciPy's product | 0.92 / 0.82 | 1.13x | 23 |
| 34,623 x 26,744 | LensKit ImplicitMF, d=64 / BLAS in float32 | 1.19 / 1.43 | 0.83x | 15 |
| 34,623 x 26,744 | RecBole BPR, d=64 / BLAS in float32 | 1.45 / 1.47 | 0.99x | 52 |
| 34,623 x 26,744 | RecPack SVD, d=64 / BLAS in float64 | 2.43 / 2.69 | 0.90x | 98 |
| 34,623 x 26,744 | RecPack ItemKNN, K=100 / SciPy's product | 2.94 / 3.50 | 0.84x | 30 |
| 34,623 x 26,744 | LensKit ItemKNN, 100 similar items, 20 count / SciPy's product | 2.76 / 2.54 | 1.09x | 52 |
| 581,466 x 164,288 | LensKit popularity / a set per user | 0.97 / 12.5 | 0.08x | 208 |
| 36,341 x 164,288 | LensKit popularity / a set per user | 0.06 / 0.84 | 0.07x | 13 |
| 36,341 x 164,288 | RecPack popularity / a set per user | 0.05 / 0.99 | 0.05x | 1 |
| 36,341 x 164,288 | RecBole popularity / a set per user | 0.06 / 1.03 | 0.06x | 25 |
| 36,341 x 164,288 | LensKit ImplicitMF, d=64 / BLAS in float32 | 4.41 / 5.60 | 0.79x | 59 |
| 36,341 x 164,288 | RecBole BPR, d=64 / BLAS in float32 | 4.89 / 8.22 | 0.59x | 0 |
| 36,341 x 164,288 | RecPack SVD, d=64 / BLAS in float64 | 7.76 / 16.0 | 0.48x | 73 |
| 36,341 x 164,288 | RecPack ItemKNN, K=100 / SciPy's product | 1.15 / 0.90 | 1.28x | - |
| 36,341 x 164,288 | LensKit ItemKNN, 100 similar items, 20 count / SciPy's product | 1.26 / 0.81 | 1.55x | - |

LensKit's ItemKNN of all users was 1.31 to 1.56 times SciPy's product in five runs at load 2 to 4: similar items are more often popular ones with
more users, so that more sums have over 20 terms, while SciPy's rows get shorter. Bounds tell which of these sums matter. A third of the time are
LensKit's heaps, whose order gives the last bit of the 20 sums that are in a list. In the shop, where neither counts bounds, it takes 1.42 to 1.67 times it.
In the shop sums are made without SciPy's product, which counts what is reached before it adds anything up; LensKit's also count neighbours.

RecBole's autoencoders are ranked by the weights of their last layer, and read histories as lists of items instead of rows of all items:
4,192 users of 26,744 items take MultiVAE 2.0 s, 4.1 s by RecBole's own scores, and CDAE 0.6 s, 1.3 s by its own (load 12), with equal
lists. Others have no such form: ADMMSLIM adds a random number to each score, NAIS weighs a history anew for each item,
MacridVAE's scores are logarithms of sums, each step of DiffRec has a number for each item, and LensKit's UserKNN takes an item's
nearest neighbours among those who have it. Cutting the lists is 0.4 % (UserKNN), 3 % (MacridVAE), 6 % (DiffRec) and 9 %
(ADMMSLIM) of what they take of 1,453 users and 3,400 items.

100 sampled candidates for each of them are drawn in 8.4 s, with numba in 8.2 s (load 7); they are kept beside the fold. By the draws
of 4,096 users, those of a shop of 581,466 users and 164,288 items take 179 s, with numba 37 s (`python benchmarks/scale/drawing.py`).
"""

_DISK = """
## On disk

Megabytes of the prepared data, once, and of each algorithm's item: predictions, their readable copy, values per user, records, and the
model where `keep_models=auto` keeps it, since it is small or was long in the making (LightGCN's at 1.13 million rows). Several folds share their rows: five folds of 3.75 million rows with text ids take 67 MB, where copies of the rows for
each fold took 363 MB, and a fold opens in 2 ms whatever its size (`python benchmarks/scale/folds.py`).
"""

_NEXT = """
## Large stores

`status`, `show`, `why`, `logs` and exports of a store of 100,000 items (600,000 records, 1 GB), in CPU seconds and peak memory on two
cores that did little else; `python benchmarks/scale/stores.py` makes such stores and asks them.

|  | 10,000 items | 100,000 items |
| --- | ---: | ---: |
| `show`, `why`, `logs` of an item that is done | 0.2 s, 32 MB | 0.2 s, 69 MB |
| `status` | 0.6 s, 48 MB | 4.9 s, 210 MB |
| `open_store().results()` | 1.2 s, 146 MB | 6.6 s, 247 MB |
| `export results.csv` | 1.4 s, 80 MB | 9.6 s, 221 MB |
| `export results.parquet` | 1.5 s, 124 MB | 10.3 s, 270 MB |
| `export results.json` | 1.5 s, 68 MB | 10.2 s, 220 MB |

Wanted at 100,000 items are 0.3 s for `show`, `why` and `logs`, 5 s for `status`, 10 s for `results()` and each export, and less than
300 MB. The machine's own speed differs by a tenth from hour to hour, so that exports to JSON and Parquet are now below 10 s and now above.

Reading all records once and comparing each with its checksum takes 1.9 s of 100,000 items.

## Next

[Running](running.md) says what `-n auto` reckons with; [the store](store.md) has what is kept, and how to keep less.
"""


if __name__ == "__main__":
    write()

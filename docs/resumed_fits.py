"""Write docs/resumed-fits.md from what was measured of Fits that were killed: ``python docs/resumed_fits.py``."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent / "resumed-fits.md"
RESULTS = Path(__file__).parent.parent / "benchmarks" / "snapshots" / "resumed_fits.json"

PARTS = ("parameters", "predictions", "metrics", "series")
"""What is compared, in the order of the columns."""

HEAD = """\
# Fits that were killed

<!-- Written by docs/resumed_fits.py from benchmarks/snapshots/resumed_fits.json. Do not edit: run it again. -->

Each algorithm that trains in steps was fitted on 60 users and 90 items, with and without a
[validation part](algorithms.md#validation-data): once without interruption, and three times killed by SIGKILL after a
[snapshot](snapshots.md): early, in the middle (between two batches where there are such points), and before the last step. Each
of the three went on in another process, which had another seed of Python's hashes.

- **killed after**: the steps that were finished when the snapshot was taken that the Fit went on from. `2+` is inside of the
  third one, between two of its batches.
- **parameters**: every byte of everything in the model. **predictions**: of all items for all users. **metrics**: of each user and
  altogether. **losses**: those of all epochs, the validation values, and the epoch that was kept. *yes* means equal to the
  last bit at all three places.
- **bytes** and **seconds**: of the largest of the three snapshots, and what the guest took at most to write one, on a machine
  that had a lot else to do.

`python benchmarks/snapshots/resumed_fits.py RecBole --write` fits all of a framework again, and with names behind `RecBole` only
these; `pytest -m catalogue` does the same as a test. Everything was computed on the CPU with one thread, in the locked
versions of the frameworks.
"""

TAIL = """\
## Next

[Snapshots](snapshots.md) has what is in them and where they may be taken, and [what they cost](snapshots.md#costs).
"""

COLUMNS = (
    "algorithm",
    "validation",
    "steps",
    "killed after",
    *("parameters", "predictions", "metrics", "losses"),
    "bytes",
    "seconds",
)


def results() -> dict[str, list[dict[str, Any]]]:
    """Return what was measured, by algorithm: an entry for each of the data sets."""
    measured: dict[str, list[dict[str, Any]]] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return measured


def page() -> str:
    """Return the text of docs/resumed-fits.md."""
    parts, measured = [HEAD], results()
    for framework in dict.fromkeys(name.partition(".")[0] for name in measured):
        parts += [f"## {framework}\n", f"| {' | '.join(COLUMNS)} |", "|---|---|--:|---|---|---|---|---|--:|--:|"]
        parts += [
            row(name, entry)
            for name, entries in measured.items()
            if name.startswith(f"{framework}.")
            for entry in entries
        ]
        parts.append("")
    if missing := sorted(missing_from(measured)):
        listed = ", ".join(f"`{name}`" for name in missing)
        parts += [
            "## Not in the table\n",
            textwrap.fill(f"These train in epochs, too, and have no rows yet: {listed}.", 120),
            "",
        ]
    return "\n".join([*parts, TAIL])


def missing_from(measured: Collection[str]) -> set[str]:
    """Return the algorithms of all frameworks that train in epochs and were not measured."""
    from omnibench.runners.registry import runners

    offered = {
        f"{runner.name}.{name}"
        for runner in runners()
        if runner.measured_file
        for name, info in runner.catalogue["algorithms"].items()
        if "epochs" in info and "not_resumable" not in info
    }
    return offered - set(measured)


def row(name: str, entry: Mapping[str, Any]) -> str:
    """Return the row of an algorithm on one of the data sets."""
    cells = [
        f"`{name.partition('.')[2]}`",
        "yes" if entry["data"] == "with validation" else "no",
        str(entry["iterations"]),
        ", ".join(entry["killed"]),
        *(answer(entry["equal"][part], entry["errors"]) for part in PARTS),
        f"{entry['bytes']:,}",
        f"{entry['seconds']:.2f}",
    ]
    return f"| {' | '.join(cells)} |"


def answer(equal: Sequence[bool], errors: Sequence[str]) -> str:
    """Return whether everything is equal at all places, and else at which it is."""
    if equal and all(equal) and not errors:
        return "yes"
    return "**no** " + ", ".join("yes" if value else "no" for value in equal)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

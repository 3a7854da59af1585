"""How far a finished run of ``bench_seven_frameworks.py`` was from the ideal: ``python benchmarks/frameworks/frameworks_makespan.py STORE WALL``.

The ideal is what was computed, divided by the workers: the seconds of all phases and of the starts of frameworks' processes, as the
store has them. What is above it is pytest's own start, the start of its workers, and that work does not divide evenly. Run it on a
machine with nothing else to do: ``time pytest benchmarks/frameworks -n 2`` says WALL.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from omnibench import open_store

RESULTS = Path(__file__).parent / "frameworks_makespan.json"
"""What docs/frameworks.py has its sentence of."""


def facts(store: Path, wall: float) -> dict[str, float]:
    """Return the seconds of a run, and its number of items and workers.

    Args:
        store: Its checkpoint directory, with this run alone.
        wall: The seconds that pytest said at its end.
    """
    phases = open_store(store).phases()
    return {
        "items": int(phases["item"].nunique()),
        "workers": int(phases["worker"].nunique()),
        "phase_seconds": float(phases["seconds"].sum()),
        "start_seconds": float(phases["start_seconds"].sum()),
        "wall_seconds": wall,
    }


def ideal(measured: dict[str, float]) -> float:
    """Return the seconds in which the workers would have done it without a pause."""
    return (measured["phase_seconds"] + measured["start_seconds"]) / measured["workers"]


def main() -> None:
    """Read the store and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path, help="the checkpoint directory of the run")
    parser.add_argument("wall", type=float, help="the seconds that it took")
    parser.add_argument(
        "--write", action="store_true", help=f"write {RESULTS.name}, of which docs/frameworks.md is made"
    )
    arguments = parser.parse_args()
    measured = facts(arguments.store, arguments.wall)
    print(
        f"{measured['items']} items, {measured['workers']} workers: {measured['phase_seconds']:.1f} s of phases and "
        f"{measured['start_seconds']:.1f} s of starts, ideal {ideal(measured):.1f} s; took {measured['wall_seconds']:.1f} s, "
        f"{measured['wall_seconds'] / ideal(measured):.2f}x"
    )
    if arguments.write:
        RESULTS.write_text(json.dumps({name: round(value, 1) for name, value in measured.items()}, indent=1) + "\n")


if __name__ == "__main__":
    main()

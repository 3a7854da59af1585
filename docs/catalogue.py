"""Write docs/catalogue.md from the catalogues and from what was measured: ``python docs/catalogue.py``."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omnibench.runners.info import RunnerInfo, refused_algorithms

PAGE = Path(__file__).parent / "catalogue.md"

HEAD = """\
# What is known of each algorithm

<!-- Written by docs/catalogue.py from the catalogues of the frameworks. Do not edit: run it again. -->

What the frameworks say of their algorithms (`omnibench envs algorithms` has the hyperparameters, too), and what was measured
of them:

- **seed**: *no effect* where the same lists and scores came of two seeds, to the last bit. Elsewhere another seed makes
  other lists. Where that was measured, the spread is the standard deviation of NDCG@10 over seeds, in percent of its mean.
- **threads**: *1* where numbers depend on how many threads compute. Such an algorithm computes with one, on every machine,
  and its key says so ([Threads](running.md#threads)). *any* where 1, 2 and 4 threads made the same lists and scores, to
  the last bit.
- **validation**: what it does with the [validation part](algorithms.md#validation-data) of a split. Where that is *nothing*,
  `refit="train+validation"` fits it on both parts. `tests/runners/test_validation_use.py` compares what each makes of two
  validation parts, and fails where it is otherwise.

The two first were found by `benchmarks/catalogue/repeatability.py`, which fits every algorithm on MovieLens-100K, all of it
and 250 of its users, in the locked versions, on the CPU, with two epochs where it learns by epochs. All of the data is
needed because libraries leave small matrices to a single thread; of networks that would take minutes for an epoch, which compute
batch by batch, full batches of 300 users. What could not be shown within the time that each fit was given counts as if it did
depend:

{unknown}

`pytest -m catalogue tests/test_repeatability.py` measures again, and fails where an answer has changed. The spread is that of
`benchmarks/catalogue/seed_spread.py`.
"""

TAIL = """\
## Next

[Algorithms](algorithms.md), [threads](running.md#threads), or [algorithms of your own](own-algorithms.md).
"""


def page() -> str:
    """Return the text of docs/catalogue.md."""
    from omnibench.runners.registry import runners

    measured = {runner: json.loads(runner.measured_file.read_text()) for runner in runners() if runner.measured_file}
    unknown = [f"`{runner.name}.{name}`" for runner, found in measured.items() for name in found["unknown"]]
    parts = [HEAD.replace("{unknown}", textwrap.fill(", ".join(unknown) or "none of them", 120) + ".")]
    for runner in measured:
        parts.append(f"## {runner.name} {runner.catalogue['version']}\n")
        parts.append("| algorithm | does | seed | threads | validation |\n|---|---|---|---|---|")
        parts += [row(name, facts) for name, facts in runner.catalogue["algorithms"].items()]
        parts.append("")
        parts += spreads(runner.catalogue["algorithms"])
        parts += reasons(
            "These train in epochs, and cannot go on from a [snapshot](snapshots.md):", not_resumable(runner)
        )
        parts += reasons("These do not run here:", refused_algorithms(runner))
    return "\n".join([*parts, TAIL])


def row(name: str, facts: Mapping[str, Any]) -> str:
    """Return an algorithm's row."""
    abilities = " and ".join(word for word, offered in (("ranks", "ranking"), ("rates", "ratings")) if facts[offered])
    threads = "1" if facts["threads"] else "any"
    return f"| `{name}` | {abilities} | {seed(facts)} | {threads} | {validation(facts)} |"


def spreads(algorithms: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the paragraph that says of which fits the spreads are."""
    measured: dict[str, list[str]] = {}
    for name, facts in algorithms.items():
        for spread in facts.get("seed_spread", {}).values():
            measured.setdefault(f"{spread['seeds']} seeds, {spread['data']}", []).append(f"`{name}`")
    if not measured:
        return []
    return ["The spreads are those of:\n", *(f"- {', '.join(names)}: {fits}" for fits, names in measured.items()), ""]


def not_resumable(runner: RunnerInfo) -> dict[str, str]:
    """Return the algorithms that train in epochs and cannot go on from a snapshot, with the reasons."""
    algorithms = runner.catalogue["algorithms"].items()
    return {name: facts["not_resumable"] for name, facts in algorithms if "not_resumable" in facts}


def reasons(heading: str, algorithms: Mapping[str, str]) -> list[str]:
    """Return the paragraph that names algorithms, each with a reason; nothing where there are none."""
    if not algorithms:
        return []
    return [f"{heading}\n", *(f"- `{name}`: {reason}" for name, reason in algorithms.items()), ""]


def seed(facts: Mapping[str, Any]) -> str:
    """Return what another seed does."""
    if facts["deterministic"]:
        return "no effect"
    spread = facts.get("seed_spread", {}).get("NDCG@10")
    return f"other lists, ±{100 * spread['relative_sd']:.1f} %" if spread else "other lists"


def validation(facts: Mapping[str, Any]) -> str:
    """Return what an algorithm does with validation data."""
    use = facts["validation"]
    return str(use) if isinstance(use, str) else ("the best epoch" if use else "nothing")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

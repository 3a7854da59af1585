"""Write ``docs/levels.md`` from the numbers in ``levels.json``: ``python benchmarks/statistics/levels_page.py``.

``levels.py`` simulates the numbers; a test holds the page and the numbers together.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "levels.md"
NUMBERS = Path(__file__).with_name("levels.json")
ENOUGH = 28
"""From how many differing users on the levels have to be between 3 and 6 %."""

Cells = Mapping[str, Any]
Rows = Mapping[str, Cells]


def read() -> dict[str, Any]:
    """Return the numbers that were simulated last."""
    return json.loads(NUMBERS.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def write() -> None:
    """Write the page."""
    PAGE.write_text(page(read()), encoding="utf-8")


def page(numbers: Mapping[str, Any]) -> str:
    """Return the page, or the parts of it that there are numbers of."""
    blocks = [_INTRODUCTION]
    for part, show in _SECTIONS.items():
        if part in numbers:
            blocks.append("\n".join(show(numbers[part]["rows"], numbers[part]["count"], numbers)))
    return "\n\n".join(block.strip() for block in [*blocks, _NEXT]) + "\n"


def percent(share: float) -> str:
    """Return a share in percent, with one digit."""
    return f"{100 * share:.1f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of Markdown; the first column is left-aligned, the others are right-aligned."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def two_sided(rows: Rows, test: str = "bootstrap") -> list[float]:
    """Return the two-sided levels of a test where enough users differ."""
    return [cell[test][0] for cells in rows.values() for differing, cell in cells.items() if int(differing) >= ENOUGH]


def _table(rows: Rows, head: str, show: Any) -> str:
    columns = list(next(iter(rows.values())))
    shown = [[name, *(show(cells[column]) for column in columns)] for name, cells in rows.items()]
    return table(["", *(head.format(column.replace(" ", " and ")) for column in columns)], shown)


def _levels(rows: Rows, count: int, _: Mapping[str, Any]) -> Iterator[str]:
    some, other = two_sided(rows), two_sided(rows, "t")
    yield f"""## Two fitted models

943 users, some of whom differ; the means in the population are equal. In the last five situations, many users lose a
little and few gain much; the first three have ties, because they only have a few different values. In percent at a level
of 5 %, of {count} samples ({count // 6} where fewer than 20 differ): how often the two-sided test calls the configurations
different. The default, `bootstrap`, does so in {percent(min(some))} to {percent(max(some))} % where {ENOUGH} or more differ:
"""
    yield _table(rows, "{} differ", lambda cell: percent(cell["bootstrap"][0]))
    yield """
Where fewer than 20 users differ (or fewer than 28, and all of them in the same direction), nobody can tell a small loss of
everybody from a population in which a few gain much and happen to be missing among the users who were measured. There it
keeps well below 5 %: it takes the randomisation of signs, and says "too few users to say" where a few large differences
the other way could reverse the result. How often it, or a one-sided one, says so, in percent:
"""
    yield _table(rows, "{} differ", lambda cell: percent(cell["bootstrap"][3]) if cell["bootstrap"][3] else "-")
    yield f"""
Student's `t`, two-sided, is between {percent(min(other))} and {percent(max(other))} % where {ENOUGH} or more differ:
"""
    yield _table(rows, "{} differ", lambda cell: percent(cell["t"][0]))
    yield """
One-sided, as the gate asks: how often `bootstrap` finds a loss, and a gain. Of skewed differences, a one-sided test on the
side of the missing gains stays a little above its level until some hundred users differ:
"""
    yield _table(rows, "{} differ", lambda cell: " / ".join(percent(share) for share in cell["bootstrap"][1:3]))
    yield "\nThe same by `t`:\n"
    yield _table(rows, "{} differ", lambda cell: " / ".join(percent(share) for share in cell["t"][1:3]))


def _powers(rows: Rows, count: int, _: Mapping[str, Any]) -> Iterator[str]:
    yield f"""## Power

How often a loss is found (one-sided) where all gains are half as large as above, by `bootstrap` / by `t`, in percent of
{count} samples. What `t` finds more often where few users differ, it also finds more often where there is no loss.
"""
    yield _table(rows, "{} differ", lambda cell: f"{percent(cell['bootstrap'])} / {percent(cell['t'])}")


def _margins(rows: Rows, count: int, _: Mapping[str, Any]) -> Iterator[str]:
    yield f"""## A tolerated loss

The gate with a tolerance asks for a loss of more than that: `alternative="less", null=-0.005`. The loss is exactly the
tolerated one; how often `bootstrap` calls it larger, in percent of {count} samples:
"""
    yield _table(rows, "{} differ", percent)


def _seeds(rows: Rows, count: int, numbers: Mapping[str, Any]) -> Iterator[str]:
    yield f"""## Several seeds

300 users, two algorithms of equal means in the population of users and seeds; a value is the user's, plus what lasts of
the algorithm for this user (standard deviation "users"), plus what a seed does to everybody ("seeds"), plus noise (.1).
How often `compare_seeds` finds a difference two-sided / a loss one-sided, in percent of {count} samples, by the numbers of
seeds. "2 and 1" to "5 and 1" are against a deterministic algorithm; "1 and 5" is one fit against five of a baseline, with
`equal_spread=True`, as the gate compares them.
"""
    yield _table(rows, "{}", lambda cell: " / ".join(map(percent, cell)))
    yield """
Two seeds are often much alike by chance, so such a side is taken to vary at least as much as all seeds together; and
against a deterministic algorithm two or three seeds count for one and three degrees of freedom at most. The test is careful
there, and finds less: five seeds are worth their time.
"""
    if "seed powers" in numbers:
        powers = numbers["seed powers"]
        yield f"The same where the first one is worse by .015, of {powers['count']} samples:\n"
        yield _table(powers["rows"], "{}", lambda cell: " / ".join(map(percent, cell)))


def _movielens(rows: Rows, count: int, numbers: Mapping[str, Any]) -> Iterator[str]:
    yield f"""## Seeds of real algorithms

MovieLens-100K, ratings of 4 and above, users and items with five or more, a fifth of each user's held out: 938 users.
RecBole's BPR (10 epochs), RecBole's MultiVAE (15 epochs) and LensKit's implicit ALS (50 factors), fitted by omnibench on
the same split with many seeds. Their values per user are in `benchmarks/statistics/movielens_seeds.npz`, which
`benchmarks/statistics/seeded_fits.py` made. Disjoint seeds of the same algorithm are compared, {count} times at random, so that
every difference is a false alarm; in percent at 5 %. "A loss" is one-sided, "1 and 5" as the gate compares one run with a
baseline of five seeds:
"""
    shown = []
    columns = [column for column in next(iter(rows.values())) if "power" not in column]
    for name, cells in rows.items():
        seeds, mean, deviation = numbers["means"]["rows"][name][""]
        shown.append(
            [f"{name}, {seeds} seeds", f"{mean:.4f} ± {deviation:.4f}", *(percent(cells[column]) for column in columns)]
        )
    yield table(["", "mean ± std over seeds", *columns], shown)
    yield """
With one seed each, a test is about these two fitted models, and they do differ, though not in what anybody wants to know.
Only with several seeds is it about the algorithms. How often five seeds each find a loss of 5 and of 10 % of the mean:
"""
    powers = ("power", "power at 10 %")
    yield table(
        ["", "5 % worse", "10 % worse"],
        [[name, *(percent(cells[column]) for column in powers)] for name, cells in rows.items()],
    )
    if "resampled" in numbers:
        part = numbers["resampled"]
        yield f"""
These are shares of a few seeds that are used again and again, and of the same users every time: of "1 and 5", there are no
more than as many different fits as seeds, each of which is 5 % or more of the share. So the same once more with new users
and new seeds in each of {part["count"]} samples: users are drawn from the real ones with replacement, with their own
residuals, and the seeds' effects from a normal distribution with their real variance:
"""
        designs = ("3 3", "5 5", "1 3", "1 5", "5 5 power")
        yield table(
            ["", "3 and 3", "5 and 5", "1 and 3, a loss", "1 and 5, a loss", "5 and 5, 5 % worse"],
            [[name, *(percent(cells[design]) for design in designs)] for name, cells in part["rows"].items()],
        )


def _intervals(rows: Rows, count: int, _: Mapping[str, Any]) -> Iterator[str]:
    yield f"""## Intervals of a mean

How often the 95 % interval of a metric's mean over users covers the mean of the population, in percent of {count} samples.
Of 50 users and more it is the bootstrap's; below, see [conventions](conventions.md#how-sure-a-mean-is). The bootstrap's
would cover about 79 % of 5 users, 88 % of 10 and 92 % of 20.
"""
    yield _table(rows, "{} users", percent)
    yield """
Of a few 0s and 1s no interval covers exactly 95 %; this one never covers less. Of a few values without bounds nobody can
know the skewness: errors that are distributed exponentially are the worst case.
"""


def _costs(rows: Rows, _: int, __: Mapping[str, Any]) -> Iterator[str]:
    yield "## What it costs\n\nCPU time of one `compare`, the median of several, on the machine that made this page.\n"
    yield _table(rows, "`{}`", lambda seconds: f"{1000 * seconds:.2f} ms")


_SECTIONS = {
    "levels": _levels,
    "powers": _powers,
    "margins": _margins,
    "seeds": _seeds,
    "movielens": _movielens,
    "intervals": _intervals,
    "costs": _costs,
}
_INTRODUCTION = """# Levels and powers

A test at 5 % should call equal configurations different in 5 % of all cases, no more and not much less. This page shows
what the tests and intervals of [statistics](statistics.md) do where the truth is known, because it was simulated.
`python benchmarks/statistics/levels.py` does that again and writes this page. A share of 3000 samples has a standard error
of .4 percentage points at 5 %, one of 1000 has .7.
"""
_NEXT = """## Next

[Statistics](statistics.md), which says how to get all of these numbers.
"""


if __name__ == "__main__":
    write()

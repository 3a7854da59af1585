"""Write docs/frameworks.md from the catalogues and from what was measured: ``python docs/frameworks.py``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omnibench.runners.info import RunnerInfo, refused_algorithms

PAGE = Path(__file__).parent / "frameworks.md"
MAKESPAN = Path(__file__).parent.parent / "benchmarks" / "frameworks" / "frameworks_makespan.json"
OWN = Path(__file__).parent / "own-frameworks.md"
"""The page whose adapters are counted."""

ADAPTERS = {
    "two factorizations of scikit-learn": ("adapters/factors.py",),
    "LightFM, with progress and snapshots": ("adapters/warp.py",),
    "a program in C": ("adapters/pairs.c", "adapters/pairs.toml"),
    "a program in AWK that rates, with progress and checkpoints": ("adapters/biases.awk", "adapters/biases.toml"),
}
"""What they drive, and their files."""

COSTS = Path(__file__).parent.parent / "benchmarks" / "frameworks" / "costs.json"

HEAD = """\
# What each framework has, and costs

<!-- Written by docs/frameworks.py from the catalogues and benchmarks/frameworks/costs.json. Do not edit: run it again. -->

Each framework that comes with omnibench has an [isolated environment](algorithms.md#environments) with a lock of its own, so
that nobody has to find versions that agree, and all of them stand in one plan, under the same splits, masks and metrics.

## Algorithms

"""

ALGORITHMS = """
**Has** counts those that run here, which `omnibench envs algorithms` lists, and those that are **refused**, which a framework
exports and which do not run in its environment: each stands there with the reason, and asking for it says that reason before anything runs
([What is known of each algorithm](catalogue.md)). **Equal** are those whose lists (or ratings) on the same fold and seed tests compare with those of a
script of the framework's own, but for what [Algorithms](algorithms.md#as-the-frameworks-themselves-do-it) says. **Sequential** ones
learn [what comes next](conventions.md). The general ones are
compared with a script of the framework's own (`tests/runners/test_own_pipelines.py`), the sequential ones of RecBole, RecPack and
RecTools in `test_sequential.py`, `test_recpack_sequences.py` and `test_rectools.py`, RecBole's with features in
`test_recbole_features.py`, its stages in `test_recbole_stages.py`, and Cornac's with features in `test_cornac.py`.

The tables of results that RecBole's makers publish in
[RecBole-GNN](https://github.com/RUCAIBox/RecBole-GNN/tree/main/results) are of other data than MovieLens-100K: Diginetica for
sequential models, MovieLens-1M for general ones. RecBole's quick start has one log of GRU4Rec on all of MovieLens-100K,
leave-one-out: it stopped after 44 epochs on a GPU, of which the 33rd was best.
`tests/runners/test_published_sequences.py` takes the settings of both pages, and finds the lists of RecBole's own script on 60
users of MovieLens-100K. On all of MovieLens-100K, with the seed of the quick start, 2020, on one thread of a CPU:

| after the first epoch | training loss | MRR@10 of validation |
|---|---:|---:|
| RecBole's log, on a GPU, RecBole of 2022 | 176.34 | .0081 |
| RecBole's own quick start, RecBole 1.2.1 | 176.40 | .0073 |
| omnibench, RecBole 1.2.1 | 175.9 | .0093 |

After the third epoch the loss is 160.60 and MRR@10 .0101 in the quick start, 160.7 and .0104 in omnibench. What is left
is likely the order of the rows, by user and time here and another in RecBole's file, so that the same seed draws for other rows,
and the GPU; in the same order the lists of 60 users are the same, as the test finds. An epoch takes 100 seconds of a
processor: the log was followed for five of its 44 (loss 159.9), and stood at 134.42 and .0436 in the end.

## Costs

"""

COSTS_TEXT = """
**Build** is the time on two cores when uv's cache has the packages (`omnibench envs build` says before it begins how large an
environment is), **start** the time until a guest has imported everything, **idle** its memory then, in which what processes share
counts in part. uv shares files among environments: all of them take {together} together.
`python benchmarks/frameworks/framework_costs.py` measures it on your machine.

## What an adapter of another framework takes

| what [a file of your own](own-frameworks.md) drives | lines |
|---|---:|
{adapters}

Lines that are not empty, of the files on that page, descriptions of programs among them. None of them imports omnibench.

## One plan with all of them

`benchmarks/frameworks/bench_seven_frameworks.py` has an algorithm of each and a class, MovieLens-100K, and five folds:

<!-- skip: next "a minute, and every environment" -->
```console
$ pytest -q benchmarks/frameworks -n 2 --omnirec-table=mean
........................................                                 [100%]

MovieLens100K: Evaluation Results

 Algorithm                                  NDCG@10             HR@10
 ────────────────────────────────────────────────────────────────────
 LensKit.ImplicitMFScorer            0.2300 ±0.0078    0.8303 ±0.0120
 RecBole.BPR                         0.3089 ±0.0082    0.8375 ±0.0057
 RecPack.EASE                       *0.3849 ±0.0065   *0.9039 ±0.0065
 Implicit.AlternatingLeastSquares    0.2999 ±0.0050    0.8770 ±0.0047
 Cornac.BPR                          0.1894 ±0.0038    0.6988 ±0.0278
 RecTools.LightFMWrapperModel        0.1866 ±0.0038    0.7340 ±0.0141
 Surprise.SVD                        0.0745 ±0.0021    0.3987 ±0.0067
 DampedMean                          0.1634 ±0.0040    0.5845 ±0.0153
* best of its column (of the means); std is over folds, n - 1
...
40 passed in 49.61s
```

{makespan}
Once durations are recorded, frameworks with little work are [started in one worker](running.md#workers) alone.

Nobody tuned these: they show that everything runs, not which is best ([Tuning](tuning.md)). `MakeImplicit(3, keep="rating")` is
what lets Surprise, which learns from ratings alone, stand beside the others.

## Next

[Algorithms](algorithms.md), [algorithms of your own](own-algorithms.md), or [a framework of your own](own-frameworks.md).
"""


def page() -> str:
    """Return the text of docs/frameworks.md."""
    from omnibench.runners.registry import runners

    frameworks = [runner for runner in runners() if runner.distribution]
    measured = json.loads(COSTS.read_text(encoding="utf-8"))
    algorithms = [
        "| framework | version | has | run here | of these sequential | equal to its own script | refused |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    algorithms += [algorithms_row(runner) for runner in frameworks]
    costs = ["| framework | environment | build | start | idle |", "|---|---:|---:|---:|---:|"]
    costs += [costs_row(runner.name, measured["frameworks"][runner.name]) for runner in frameworks]
    together = f"{measured['bytes_together'] / 1e9:.1f} GB"
    return "".join(
        [
            HEAD,
            "\n".join(algorithms),
            "\n",
            ALGORITHMS,
            "\n".join(costs),
            "\n",
            COSTS_TEXT.replace("{together}", together)
            .replace("{adapters}", "\n".join(f"| {what} | {lines_of(titles)} |" for what, titles in ADAPTERS.items()))
            .replace("{makespan}", makespan_sentence(json.loads(MAKESPAN.read_text(encoding="utf-8")))),
        ]
    )


def algorithms_row(runner: RunnerInfo) -> str:
    """Return how many algorithms a framework has."""
    offered: Mapping[str, Mapping[str, Any]] = runner.catalogue["algorithms"]
    n_sequential = sum(bool(facts.get("sequential")) for facts in offered.values())
    version, n_refused = runner.catalogue["version"], len(refused_algorithms(runner))
    cells = (
        runner.title,
        version,
        len(offered) + n_refused,
        len(offered),
        n_sequential or "",
        len(offered),  # test_own_pipelines.py sees that each is compared somewhere
        n_refused or "",
    )
    return f"| {' | '.join(map(str, cells))} |"


def lines_of(titles: Sequence[str]) -> int:
    """Return how many lines that are not empty the files of a page have, each file in the block that has its name."""
    page_text, count = OWN.read_text(encoding="utf-8"), 0
    for title in titles:
        (block,) = re.findall(rf'^```\w+ title="{re.escape(title)}"\n(.*?)^```$', page_text, re.MULTILINE | re.DOTALL)
        count += sum(bool(line.strip()) for line in block.splitlines())
    return count


def makespan_sentence(measured: Mapping[str, float]) -> str:
    """Say how far a run was from the ideal."""
    work = measured["phase_seconds"] + measured["start_seconds"]
    best = work / measured["workers"]
    return (
        f"On two idle cores, every environment built and nothing recorded, it takes {measured['wall_seconds']:.1f} s with `-n 2`, which is\n"
        f"{measured['wall_seconds'] / best:.2f} times the ideal of {best:.0f} s: all that was computed, {measured['phase_seconds']:.0f} s of "
        f"phases and {measured['start_seconds']:.0f} s of\nstarting frameworks' processes, divided by the workers "
        "(`benchmarks/frameworks/frameworks_makespan.py`)."
    )


def costs_row(name: str, measured: Mapping[str, float]) -> str:
    """Return what a framework costs."""
    size, build, start, idle = (measured[key] for key in ("bytes", "build_seconds", "start_seconds", "idle_bytes"))
    return f"| {name} | {size / 1e9:.1f} GB | {build:.0f} s | {start:.0f} s | {idle / 1e6:.0f} MB |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

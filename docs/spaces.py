"""Write docs/search-spaces.md from the search spaces that omnibench ships: ``python docs/spaces.py``."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent / "search-spaces.md"

HEAD = """\
# Search spaces

<!-- Written by docs/spaces.py from omnibench/tuning/spaces. Do not edit: run it again. -->

`plan.tune(RecBole.LightGCN)` searches the space that omnibench ships for the algorithm. Each was published by the
framework, by its authors, or by a tuning study; none of the numbers is omnibench's own. What `fixed` names is not searched;
`space_of` returns a space to change some of it:

```python
from omnibench import ExperimentPlan, LensKit, Log, RecBole, Tuning, space_of

plan = ExperimentPlan("tuned", tuning=Tuning("NDCG@10", trials=30))
plan.tune(RecBole.LightGCN)
plan.tune(LensKit.FlexMFImplicitScorer, fixed={"epochs": 10})
plan.tune(RecBole.BPR, space_of(RecBole.BPR) | {"learning_rate": Log(1e-4, 1e-2)})
```

`omnibench envs spaces` lists the algorithms that have one, and shows a space with its source:

```console
$ omnibench envs spaces RecPack.ItemKNN
RecPack.ItemKNN
  hyperparameter  default  searched                           scale
  K               200      50 to 1000                         log, whole
...
  to search it: plan.tune(RecPack.ItemKNN)
...
```

Published ranges are a beginning. They were made for data of other sizes, and some are lists of a few values. Where the best
value lies at the edge of its range, reports say so; then it is worth widening. A trial that fails or diverges with a value is
recorded as failed, and the search goes on.

An algorithm for which omnibench knows of no published space has none, and `plan.tune` asks for the ranges of its
hyperparameters:

{missing}
"""

TAIL = """\
## Next

[Algorithms](algorithms.md), or [what is known of each algorithm](catalogue.md).
"""


def page() -> str:
    """Return the text of docs/search-spaces.md."""
    from omnibench.runners.registry import runners
    from omnibench.tuning.shipped import shipped_space

    missing, parts = [], []
    for runner in runners():
        names = [f"{runner.name}.{name}" for name in runner.catalogue["algorithms"]]
        spaces = [space for name in names if (space := shipped_space(name)) is not None]
        missing += [f"`{name}`" for name in names if shipped_space(name) is None]
        if spaces:
            parts.append(f"## {runner.name} {runner.catalogue['version']}\n")
            parts.append("| algorithm | hyperparameter | searched | scale | default |\n|---|---|---|---|---|")
            for space in spaces:
                name = space.algorithm.partition(".")[2]
                parts += rows(name, space, runner.catalogue["algorithms"][name]["parameters"])
            parts.append("\nWhere they were published, and where they differ from it:\n")
            parts += [origin(space) for space in spaces]
            parts.append("")
    return "\n".join([HEAD.replace("{missing}", textwrap.fill(", ".join(missing), 120) + "."), *parts, TAIL])


def rows(name: str, space: Any, defaults: Mapping[str, Any]) -> Iterator[str]:
    """Yield the rows of an algorithm: what is searched, then what is the same in all trials."""
    from omnibench.commands.spaces import searched
    from omnibench.tuning.values import in_words

    shown = f"`{name}`"
    for dimension in space.space.dimensions:
        values, scale, condition = searched(dimension)
        default = in_words(defaults[dimension.name])
        yield f"| {shown} | `{dimension.name}` | {f'{values} {condition}'.strip()} | {scale} | {default} |"
        shown = ""
    for constant, value in space.space.constants.items():
        yield f"| {shown} | `{constant}` | {in_words(value)} | the same in all trials | {in_words(defaults[constant])} |"


def origin(space: Any) -> str:
    """Return the line that says who published a space, and what differs."""
    source = re.sub(r",? (https://\S+)$", r", <\1>", space.source)
    return f"- `{space.algorithm.partition('.')[2]}`: {source}. {space.note}".rstrip()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

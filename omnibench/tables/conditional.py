"""The sentence about tests of fitted models: with one seed, a difference may be that of two seeds alone."""

from __future__ import annotations

from collections.abc import Iterable

from omnibench.results import Result
from omnibench.runners.randomness import SeedSpread, is_deterministic, seed_spread

_MOST_NAMED = 3
"""How many algorithms are named with their spread, those with the largest."""

_OWN_HINT = " unless a class says deterministic = True"


def conditional_note(results: Iterable[Result], *, hint: bool = False) -> str:
    """Return that tests speak of the fitted models alone, as a sentence without its end; empty where they do not.

    Args:
        results: The results that are tested. Those of deterministic algorithms, and of configurations with several
            seeds, need no such sentence.
        hint: Whether to say how an own class states that it is deterministic, where nothing else can be said.
    """
    seeds: dict[tuple[str, str, str], set[int | None]] = {}
    examples: dict[tuple[str, str, str], Result] = {}
    for result in results:
        configuration = result.configuration, result.module, result.user_label
        if configuration not in examples and result.configuration:
            examples[configuration] = result
        seeds.setdefault(configuration, set()).add(result.seed)
    single = [example for name, example in examples.items() if len(seeds[name]) == 1]
    return conditional_sentence(((algorithm_of(result), result.deterministic) for result in single), hint=hint)


def conditional_sentence(configurations: Iterable[tuple[str, bool]], *, hint: bool = False) -> str:
    """Return the sentence about configurations that were fitted with one seed; empty where all are deterministic.

    Args:
        configurations: Of each the algorithm's name, e.g. ``RecBole.BPR``, and whether it states that it is
            deterministic.
        hint: As in ``conditional_note``.
    """
    stochastic = dict.fromkeys(name for name, stated in configurations if not is_deterministic(name, stated))
    if not stochastic:
        return ""
    spreads = {name: spread for name in stochastic if (spread := seed_spread(name)) is not None}
    own = all("." not in name for name in stochastic)
    figures = f" ({_figures(spreads)})" if spreads else ""
    return f"of these fitted models; other seeds may differ{figures or (_OWN_HINT if hint and own else '')}"


def algorithm_of(result: Result) -> str:
    """Return the name of a result's algorithm without its hyperparameters, e.g. ``RecBole.BPR``."""
    return result.configuration.partition("(")[0].rstrip()


def _figures(spreads: dict[str, SeedSpread]) -> str:
    """Return how much algorithms vary over seeds, e.g. ``std of NDCG@10 on MovieLens-100K: RecBole.BPR 1.0 %``."""
    groups: dict[tuple[str, str], list[str]] = {}
    largest = sorted(spreads, key=lambda name: -spreads[name].deviation)
    for name in largest[:_MOST_NAMED]:
        spread = spreads[name]
        groups.setdefault((spread.metric, spread.data), []).append(f"{name} {100 * spread.deviation:.2g} %")
    figures = "; ".join(f"std of {metric} on {data}: {', '.join(names)}" for (metric, data), names in groups.items())
    more = len(largest) - _MOST_NAMED
    return f"{figures}, others less" if more > 0 else figures

"""What tables call datasets and configurations: readable labels, or the names of directories."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from omnibench.naming import HASHES, LABELS, TUNED, Configured, labels, parameter_text, pieces, tuned_label, value_text
from omnibench.results import Result
from omnibench.store.item_names import last_parts
from omnibench.store.item_records import have_several_seeds, results_of
from omnibench.store.schema import Record
from omnibench.tables.seeds import seed_groups
from omnibench.terminal import terminal_line


@dataclass(frozen=True, slots=True)
class DisplayNames:
    """What people read instead of display names such as ``RecPack.ItemKNN-b7d4a9f1``.

    Attributes:
        datasets: By display name.
        configurations: By display name.
        seeds: The seeds of configurations that differ from another one by the seed alone, by display name.
    """

    datasets: Mapping[str, str] = field(default_factory=dict)
    configurations: Mapping[str, str] = field(default_factory=dict)
    seeds: Mapping[str, int] = field(default_factory=dict)

    def dataset(self, name: str) -> str:
        """Return what people read instead of a dataset's display name."""
        return terminal_line(self.datasets.get(name, name))

    def configuration(self, name: str) -> str:
        """Return what people read instead of a configuration's display name."""
        return terminal_line(self.configurations.get(name, name))

    def recorded_item(self, item: Record) -> str:
        """Return what people read instead of the name in an item's record."""
        named = item if item["algorithm"] not in self.seeds else {**item, "seed": self.seeds[item["algorithm"]]}
        return f"{self.dataset(item['dataset'])}/{self.configuration(item['algorithm'])}{last_parts(named)}"


def display_names(results: Iterable[Result], style: str = LABELS) -> DisplayNames:
    """Return what tables call the datasets and configurations of results.

    No two names are equal but those of configurations that differ by the seed alone.

    Args:
        results: All results that are shown together.
        style: ``labels``, or ``hash`` for the names of directories.
    """
    examples = {(result.dataset, result.algorithm): result for result in results}
    if style == HASHES:
        return DisplayNames()
    dataset_labels = {result.dataset: result.dataset_label or result.dataset for result in examples.values()}
    texts = [label.casefold() for label in dataset_labels.values()]
    datasets = {name: label if texts.count(label.casefold()) == 1 else name for name, label in dataset_labels.items()}
    by_name = {result.algorithm: result for result in examples.values()}
    groups = seed_groups(by_name.values())
    visible = {name: result for name, result in by_name.items() if groups.get(name, name) == name}
    planned = {name: result.label for name, result in visible.items()}
    is_unique = all(planned.values()) and len({label.casefold() for label in planned.values()}) == len(planned)
    names = planned if is_unique else labels(_configured(result) for result in visible.values())
    if not groups:
        return DisplayNames(datasets, names)
    seeds = {name: by_name[name].seed or 0 for name in groups}
    return DisplayNames(datasets, {**names, **{name: names[first] for name, first in groups.items()}}, seeds)


def recorded_names(items: Iterable[Record]) -> DisplayNames:
    """Return what people call the datasets and configurations of recorded items; no two names are equal.

    Args:
        items: The records of items that are shown together.
    """
    examples = {(item["dataset"], item["algorithm"]): item for item in items}  # there may be thousands of others
    with_seedless_key = have_several_seeds(examples.values())
    return display_names(results_of(examples.values(), with_seedless_key=with_seedless_key))


def _configured(result: Result) -> Configured:
    algorithm = result.configuration.partition("(")[0].rstrip() or result.algorithm
    algorithm = tuned_label(algorithm) if result.tuned else algorithm
    seed = {} if result.seed is None else {"seed": result.seed}
    refit = {"refit": result.refit} if result.refit else {}
    search = {"search": result.search} if result.search else {}
    circumstances = {**({"module": result.module} if result.module else {}), **seed, **refit, **search}
    return Configured(result.algorithm, algorithm, result.parameters, circumstances, result.user_label)


def unsaid_parameters(result: Result, label: str) -> tuple[str, ...]:
    """Return the explicit hyperparameters of a result that a label does not say, e.g. ``("max_nbrs=20",)``.

    Args:
        result: The result.
        label: What its configuration is called.
    """
    if not result.parameters and not result.tuned:
        text = result.configuration.partition("(")[2].removesuffix(")")
        return (text,) if text else ()
    if result.tuned:
        label = label.replace(f" ({TUNED})", "", 1).replace(f" ({TUNED}, ", "(", 1)
    own_name = result.user_label if label.startswith(result.user_label) else ""
    _, bracket, text = label.removeprefix(own_name).partition("(")  # the user's own label may have brackets, too
    assignments = [piece.strip() for piece in pieces(text.removesuffix(")"))] if bracket else []
    return tuple(
        f"{parameter_text(name)}={value!r}"
        for name, value in result.parameters.items()
        if f"{parameter_text(name)}={value_text(value)}" not in assignments
    )

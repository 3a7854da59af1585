"""A data set of the catalogue as ``load_dataset`` returns it: its rows, and the split that it was published with."""

from __future__ import annotations

from pathlib import Path

from omnibench.data.catalogue.definition import Definition
from omnibench.data.catalogue.source import CatalogueData, CatalogueSource
from omnibench.data.published import PartSource, PublishedSource, split_source


def catalogue_source(definition: Definition, path: Path | None = None) -> CatalogueSource | PublishedSource:
    """Return the source of a data set; nothing is downloaded or read yet.

    Args:
        definition: The data set.
        path: A copy of the user's own; None for the cache.
    """
    data = CatalogueData(definition, path)
    if not definition.is_split:
        return CatalogueSource(data)
    parts: dict[str, PartSource] = {part: CatalogueSource(data, part) for part in definition.parts}
    if "test" not in parts:  # where its makers keep the test part to themselves, people test on what validates
        parts["test"] = parts.pop("validation")
    return split_source(parts, definition.name, allow_overlap=True)  # nobody can change what was published

"""A plugin that ``omnibench prune`` has pytest load: it writes down which items bench files name, and runs nothing.

It is loaded with ``-p``, together with ``--collect-only``. Items are taken before anything is deselected: what ``-k``
or ``-m`` in an ini file leaves out is planned all the same.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from omnibench.engine.collected import FILE_VARIABLE, Collected


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Write the keys of the items and of their datasets, and what keeps this from being the whole plan."""
    trouble: list[str] = []
    if config.getoption("lf", default=False):
        trouble.append("--last-failed leaves out files; take it out of addopts")
    fit_keys, datasets = set(), set()
    if "omnibench.plugin.items" in sys.modules:  # else there are none
        from omnibench.plugin.items import ExperimentItem, Refused

        for item in items:
            if isinstance(item, ExperimentItem):
                fit_keys.add(item.experiment.fit_key)
                datasets.add(item.experiment.dataset.key)
            elif isinstance(item, Refused):
                trouble.append(f"{item.nodeid}: {item.error}")
    collected = Collected(tuple(sorted(fit_keys)), tuple(sorted(datasets)), tuple(trouble))
    collected.write(Path(os.environ[FILE_VARIABLE]))

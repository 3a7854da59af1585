"""``omnibench data``: the catalogue of data sets, what is in a data set, and definitions of one's own."""

from __future__ import annotations

from typing import Any

from omnibench.commands import data_catalogue, data_describe, data_new, data_sources
from omnibench.commands.parsing import explain


def add_parsers(commands: Any) -> None:
    """Declare ``data`` and its actions to argparse."""
    data = commands.add_parser("data", help="data sets: what there is, what is in them")
    data.set_defaults(run=lambda _: explain(data))
    actions = data.add_subparsers(dest="action", metavar="ACTION")
    for module in (data_catalogue, data_sources, data_describe, data_new):
        module.add_parsers(actions)

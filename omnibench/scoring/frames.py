"""Predictions and test parts as pandas frames again, for metrics of the user's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from omnibench.data.interactions import decode
from omnibench.data.numbers import LARGEST_RATING, numbers
from omnibench.metrics.coded import Coded
from omnibench.metrics.coded_checks import Table

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
else:
    from omnibench.lazy import np


def predicted_frame(material: Coded, table: Table, *, of_lists: bool) -> pd.DataFrame:
    """Return the predictions: user, item, score and rank (from 1) of lists, or user, item and rating as they came.

    Args:
        material: The predictions as arrays.
        table: The predictions as they came.
        of_lists: Whether the lists are meant.
    """
    import pandas as pd

    if not of_lists or material.lists is None:
        columns = {name: table.columns[name] for name in ("user", "item")}
        rating = numbers(table.columns["rating"], "rating", table.source, LARGEST_RATING, table.row_name)
        return pd.DataFrame({**{name: list(column) for name, column in columns.items()}, "rating": rating})
    lists = material.lists.lists
    is_item = lists.item >= 0
    row, position = np.nonzero(is_item)
    return pd.DataFrame(
        {
            "user": decode(lists.user[row], material.user_ids),
            "item": decode(lists.item[is_item], material.item_ids),
            "score": lists.score[is_item],
            "rank": position + 1,
        }
    ).infer_objects()


def tested_frame(material: Coded) -> pd.DataFrame:
    """Return the test part, each pair once: user, item, and rating where there is one."""
    import pandas as pd

    test = material.test
    columns: dict[str, Any] = {
        "user": decode(test.users[test.owner], material.user_ids),
        "item": decode(test.item, material.item_ids),
    }
    if test.rating is not None:
        columns["rating"] = test.rating
    return pd.DataFrame(columns).infer_objects()

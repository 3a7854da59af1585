"""Predictions and test parts as pandas frames with the user's own ids, for users' own metrics."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnibench.data.interactions import decode
from omnibench.data.stored_ids import read_ids
from omnibench.engine.exported_predictions import decoded
from omnibench.guest.folds import Fold
from omnibench.guest.predictions import Predictions
from omnibench.metrics.own import CalculatedMetric

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd


def decoded_frame(dataset: Path, rows: npt.NDArray[np.void]) -> pd.DataFrame:
    """Return predictions as a frame with the user's own ids."""
    import pandas as pd

    return pd.DataFrame(decoded(dataset, rows)).infer_objects()


def frame_for(metric: CalculatedMetric, dataset: Path, content: Predictions) -> pd.DataFrame:
    """Return the predictions that a metric of the user's own calculates with, as a frame with the user's own ids.

    Where there are recommendations and ratings, a metric with k is given the recommendations, and one without the
    ratings.
    """
    lists, ratings = content
    rows = ratings if lists is None or (ratings is not None and not metric.k) else lists
    assert rows is not None, "there is one of them at least"
    return decoded_frame(dataset, rows)


def frame_of_test(dataset: Path, fold: Fold, rows: Any = slice(None)) -> pd.DataFrame:
    """Return the test part, or some rows of it, as a frame with the user's own ids."""
    import pandas as pd

    part = fold.test
    columns: dict[str, Any] = {
        "user": decode(part.user[rows], read_ids(dataset, "users")),
        "item": decode(part.item[rows], read_ids(dataset, "items")),
    }
    if part.rating is not None:
        columns["rating"] = part.rating[rows]
    return pd.DataFrame(columns)

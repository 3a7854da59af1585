"""CSV files of others as pandas frames, with the ids that stand in them."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

from omnibench.data.files.text import IDS, integers_of

if TYPE_CHECKING:
    import pandas as pd


def read_csv_frame(stream: IO[Any]) -> pd.DataFrame:
    """Read a CSV file with pandas; users and items are texts, unless all of a column are integers as usually written.

    Args:
        stream: The open file.

    Raises:
        ValueError: It cannot be parsed, as pandas says.
    """
    import pandas as pd
    import pyarrow as pa

    # "NA" and the like are ids as good as any; only an empty field is a missing one.
    ids: Any = dict.fromkeys(IDS, str)
    frame = pd.read_csv(stream, dtype=ids, keep_default_na=False, na_values=[""])
    for name in IDS:
        if name in frame.columns and not frame[name].isna().any():
            integers = integers_of(pa.array(frame[name].tolist(), pa.string()))
            frame[name] = frame[name] if integers is None else integers
    return frame

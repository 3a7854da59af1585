"""A fold directory as frames, for the own scripts of frameworks that have pandas."""

from __future__ import annotations

import pandas as pd
from fold_arrays import FoldArrays


class FoldFiles(FoldArrays):
    """The parts of one fold as frames, with the columns of ``FoldArrays``."""

    def __init__(self, directory: str, fold: str) -> None:
        super().__init__(directory, fold)
        self.train, self.validation, self.test = map(pd.DataFrame, (self.train, self.validation, self.test))

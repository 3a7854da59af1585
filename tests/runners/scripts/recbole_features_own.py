"""RecBole's models with features as RecBole itself runs them, which reads these from .user and .item files.

python recbole_features_own.py DATASET FOLD SEED JOBS      (the working directory has items.tsv, and users.tsv)

These have RecBole's own form, with a row for each user and item of the data set; what the model cannot know is left out.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from fold_files import FoldFiles
from jobs import Job
from recbole_lists import run_lists
from recbole_own import main as ranked
from recbole_sequences_own import main as ranked_by_sequences

SEPARATOR = "|"
"""Between the members of a list: names have blanks."""

RANKED = {
    "eval_args": {"mode": "full", "group_by": "user"},
    "metrics": ["NDCG"],
    "topk": [10],
    "valid_metric": "NDCG@10",
}
"""For context-aware models, which RecBole judges by labels if nothing else is said."""

CHANGES = ["test part unknown to the model", "operations not counted", "seeded before ranking"]


def written(name: str, codes: pd.Series[int]) -> dict[str, str]:
    """Write RecBole's file of the features of some users or items, in the order of their appearance; return its columns."""
    table = pd.read_csv(f"{name}s.tsv", sep="\t", dtype=str, keep_default_na=False)
    own_id = f"{name}_id:token"
    rows = table.set_index(own_id).loc[codes.astype(str).unique()].reset_index()
    rows.to_csv(f"own/own.{name}", sep="\t", index=False)
    return dict(column.split(":") for column in rows.columns)


def main(files: FoldFiles, seed: int, job: Job) -> np.ndarray:
    """Return the top-20 lists with scores, shape (users, 20)."""
    Path("own").mkdir(exist_ok=True)
    known = pd.concat([files.train, files.validation])
    columns = {name: written(name, known[name]) for name in ("user", "item") if Path(f"{name}s.tsv").exists()}
    features = {
        "load_col": {"inter": ["user_id", "item_id"], **{name: list(types) for name, types in columns.items()}},
        "numerical_features": [name for types in columns.values() for name, kind in types.items() if kind == "float"],
        "normalize_all": True,
        "seq_separator": SEPARATOR,
    }
    if job.settings.keys() & {"selected_features", "item_attribute"}:
        features["load_col"]["inter"].append("timestamp")
        return ranked_by_sequences(files, seed, replace(job, settings={**features, **job.settings}))
    settings = {**features, **RANKED, **job.settings}
    return ranked(files, seed, replace(job, settings=settings, changes=CHANGES))


if __name__ == "__main__":
    run_lists(main)

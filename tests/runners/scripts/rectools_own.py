"""RecTools as its tutorials do it: construct a dataset of interactions, fit, and recommend.

python rectools_own.py DATASET FOLD SEED JOBS
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from fold_arrays import FoldArrays
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
from implicit.nearest_neighbours import BM25Recommender, CosineRecommender, TFIDFRecommender
from jobs import Job, run_jobs
from lightfm import LightFM
from pytorch_lightning import seed_everything
from rectools import Columns, models
from rectools.dataset import Dataset, Interactions
from rectools.models.base import ModelBase
from rectools.models.nn.item_net import CatFeaturesItemNet, IdEmbeddingsItemNet

SEQUENTIAL = ("SASRecModel", "BERT4RecModel", "HSTUModel")
NEIGHBOURS = {model.__name__: model for model in (TFIDFRecommender, BM25Recommender, CosineRecommender)}
WRAPPED = {
    "ImplicitALSWrapperModel": AlternatingLeastSquares,
    "ImplicitBPRWrapperModel": BayesianPersonalizedRanking,
    "LightFMWrapperModel": LightFM,
}
NETWORKS = {network.__name__: network for network in (IdEmbeddingsItemNet, CatFeaturesItemNet)}
OF_A_PROCESS = ("cls", "verbose", "random_state", "model.random_state")
"""What is in RecTools' parameters and is none of the hyperparameters that are compared."""


def made(name: str, settings: dict[str, object], seed: int) -> ModelBase:
    """Return a model, which has not learned."""
    wrapped = {key.removeprefix("model."): value for key, value in settings.items() if key.startswith("model.")}
    own = {key: value for key, value in settings.items() if not key.startswith("model.")}
    if name == "ImplicitItemKNNWrapperModel":
        neighbours = NEIGHBOURS[str(wrapped.pop("cls", "TFIDFRecommender"))]
        return models.ImplicitItemKNNWrapperModel(neighbours(num_threads=1, **wrapped))
    if name in WRAPPED:
        threads = {} if WRAPPED[name] is LightFM else {"num_threads": 1, "use_gpu": False}
        return getattr(models, name)(WRAPPED[name](random_state=seed, **threads, **wrapped), **own)
    if name in ("PureSVDModel", "RandomModel"):
        own["random_state"] = seed
    if "item_net_block_types" in own:
        own["item_net_block_types"] = [NETWORKS[str(name).rsplit(".", 1)[-1]] for name in own["item_net_block_types"]]
    return getattr(models, name)(**own)


def defaults(name: str) -> dict[str, object]:
    """Return an algorithm's hyperparameters with their defaults."""
    given = {"category_feature": "kind"} if name == "PopularInCategoryModel" else {}
    values = made(name, given, 0).get_params(simple_types=True)
    if name == "ImplicitItemKNNWrapperModel":
        values |= {f"model.{key}": getattr(BM25Recommender(), key) for key in ("K1", "B")}
    return {key: value for key, value in values.items() if key not in OF_A_PROCESS}


def interactions(*parts: dict[str, np.ndarray]) -> pd.DataFrame:
    """Return parts as RecTools wants its interactions."""
    columns = {name: np.concatenate([part[name] for part in parts]) for name in ("user", "item", "timestamp")}
    return pd.DataFrame(
        {
            Columns.User: columns["user"],
            Columns.Item: columns["item"],
            Columns.Weight: 1,
            Columns.Datetime: pd.to_datetime(columns["timestamp"], unit="s"),
        }
    )


def described(dataset: str, subject: str, names: list[str], present: pd.Series) -> dict[str, object]:
    """Return the features of users or items, which lie beside the dataset as lists by code, as RecTools is given them."""
    if not names:
        return {}
    known = json.loads((Path(dataset).parent / "features.json").read_text(encoding="utf-8"))[f"{subject}s"]
    wide = pd.DataFrame({name: known[name] for name in names}, dtype=object)
    wide = wide[wide.index.isin(present)].rename_axis("id").reset_index()
    flat = wide.melt("id", var_name="feature").explode("value").dropna(subset="value")
    is_number = {name: all(isinstance(value, float) for value in wide[name].dropna()) for name in names}
    categories = [name for name in names if not is_number[name]]
    return {f"{subject}_features_df": flat, f"cat_{subject}_features": categories}


def main(files: FoldArrays, dataset: str, seed: int, job: Job) -> np.ndarray:
    """Return the top-20 lists with scores, shape (users, 20)."""
    assert not job.changes, job.changes
    settings = dict(job.settings)
    named = {subject: settings.pop(f"{subject}_features", []) for subject in ("user", "item")}
    if "category_feature" in settings:
        named["item"] = [settings["category_feature"]]
    train = interactions(files.train)
    history = interactions(files.train if files.given is None else files.given, files.validation)
    seed_everything(seed, verbose=False)
    model = made(job.algorithm, settings, seed)
    columns = {"user": Columns.User, "item": Columns.Item}
    features: dict[str, object] = {}
    for subject, names in named.items():
        features |= described(dataset, subject, names, train[columns[subject]])
    data = Dataset.construct(train, **features)
    model.fit(data)
    by_list = job.algorithm in ("PopularInCategoryModel", "RandomModel")
    if by_list:
        data = seen(data, history)
    elif job.algorithm in SEQUENTIAL:
        data = Dataset.construct(history)
    elif files.given is not None:
        data = seen(data, pd.concat([train, interactions(files.given)]))
    context = moments(model, history, files.users)
    table = model.recommend(
        users=files.users,
        dataset=data,
        k=files.n_items,
        filter_viewed=by_list,
        on_unsupported_targets="ignore",
        context=context,
    )
    if by_list:  # whose order is its own
        table[Columns.Score] = -table.groupby(Columns.User, sort=False).cumcount().astype(float)
    by_user = dict(iter(table.groupby(Columns.User)))
    nobody = table.iloc[:0]
    return np.array(
        [
            files.cut(user, ranked[Columns.Item].tolist(), ranked[Columns.Score].tolist(), 20)
            for user in files.users.tolist()
            for ranked in [by_user.get(user, nobody)]
        ]
    )


def moments(model: ModelBase, history: pd.DataFrame, users: np.ndarray) -> pd.DataFrame | None:
    """Return when each user is recommended to, for a model that asks: when the last item was that it knows."""
    if not model.require_recommend_context:
        return None
    is_read = history[Columns.Item].isin(model.data_preparator.get_known_item_ids()) & history[Columns.User].isin(users)
    by_time = history[is_read].sort_values(Columns.Datetime, kind="stable")
    return by_time.groupby(Columns.User, as_index=False)[[Columns.Datetime, Columns.Weight]].last()


def seen(data: Dataset, history: pd.DataFrame) -> Dataset:
    """Return a dataset whose users have all of a history as far as the dataset knows the items, numbered alike."""
    known = history[history[Columns.Item].isin(data.item_id_map.external_ids)]
    users = data.user_id_map.add_ids(known[Columns.User].unique())
    rows = Interactions.from_raw(known, users, data.item_id_map)
    return Dataset(users, data.item_id_map, rows, item_features=data.item_features)


if __name__ == "__main__":
    dataset, fold, seed, jobs = sys.argv[1:]
    files = FoldArrays(dataset, fold)
    run_jobs(jobs, lambda job: main(files, dataset, int(seed), job), defaults)

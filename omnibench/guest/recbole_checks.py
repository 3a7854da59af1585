"""What RecBole's networks cannot be trained with on a fold, refused before they are in words that say what to set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .recbole_stages import STAGES


def check_clusters(network: Any) -> None:
    """Refuse more clusters than NCL has embeddings to put into them, of users or of items; number 0, which pads, is one.

    Raises:
        ValueError: There are more.
    """
    most = min(network.n_users, network.n_items)
    if network.k > most:
        raise ValueError(
            f"NCL makes num_clusters={network.k} clusters of the users and as many of the items, and has "
            f"{network.n_users} users and {network.n_items} items for them. Set num_clusters to {most} or less."
        )


def check_critic(network: Any) -> None:
    """Refuse a critic of longer lists than there are items; number 0, which pads, is one.

    Raises:
        ValueError: They are longer.
    """
    if network.metrics_k > network.n_items:
        raise ValueError(
            f"RaCT's critic learns the NDCG of the first metrics_k={network.metrics_k} items, and has {network.n_items}. Set "
            f"metrics_k to {network.n_items} or less."
        )


def check_batches(parameters: Mapping[str, Any], n_rows: int) -> None:
    """Refuse batches of RaCT's later runs of which one would have a single row, which the critic cannot normalize.

    Args:
        parameters: All hyperparameters.
        n_rows: How many rows are trained on: the users, and number 0, which pads.

    Raises:
        ValueError: There is such a batch.
    """
    stages = STAGES["RaCT"]
    for number, name in enumerate(stages.names[1:], 1):
        size = int(stages.of_run(number, parameters)["train_batch_size"])
        if size == 1 or n_rows % size == 1:
            larger = next(rows for rows in range(size + 1, n_rows + 1) if n_rows % rows != 1)
            raise ValueError(
                f"RaCT's critic normalizes each batch, and with train_batch_size={size} the last one of {name} would have a single "
                f"row of {n_rows}, which are {n_rows - 1} users and one that pads. Set train_batch_size to another number, e.g. "
                f"{larger}."
            )

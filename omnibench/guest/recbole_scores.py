"""Scores of RecBole's models in fewer numbers than one for each user and item: factors, or products of matrices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse

from . import folds, parts, score_forms
from .dense_products import DenseProducts, ItemWeights
from .factors import FactorScores, ItemFactors
from .products import ProductScores, by_codes
from .recbole_decoders import DECODERS, HISTORIES, Decoder, factors_of, has_last_layer
from .recbole_training import Model

BATCH = 4096
"""Users whose factors or histories are held in memory together."""

Numbers = npt.NDArray[np.int64]
Link = Callable[[npt.NDArray[Any]], object]


def _of_embeddings(network: Any, users: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return network.user_embedding(users), network.item_embedding.weight


def _of_graph(network: Any, users: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    if network.restore_user_e is None or network.restore_item_e is None:
        graph = (network.train_graph,) if type(network).__name__ == "SGL" else ()
        network.restore_user_e, network.restore_item_e = network.forward(*graph)
    return network.restore_user_e[users], network.restore_item_e


def _of_graph_and_layers(network: Any, users: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """NCL: as other graphs, where the embeddings of each layer are returned, too."""
    if network.restore_user_e is None or network.restore_item_e is None:
        network.restore_user_e, network.restore_item_e, _ = network.forward()
    return network.restore_user_e[users], network.restore_item_e


def _of_matrices(network: Any, users: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return network.user_embeddings[users], network.item_embeddings.T


def _of_cosines(network: Any, users: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """SimpleX: the cosines of what users and their histories are with items."""
    user = [
        network.get_UI_aggregation(
            network.user_emb(some), network.item_emb(network.history_item_id[some]), network.history_item_len[some]
        )
        for some in users.split(HISTORIES)
    ]
    normalize = torch.nn.functional.normalize
    return normalize(torch.cat(user), dim=1), normalize(network.item_emb.weight, dim=1)


def _of_weighted_embeddings(network: Any, users: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """ENMF: products of embeddings, whose dimensions are weighted and added up."""
    return network.user_embedding(users) * network.H_i.weight, network.item_embedding.weight


def _of_histories(network: Any, users: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """FISM: the sum of the embeddings of a history, by a power of its length."""
    length = network.history_lens[users]
    numbers = network.history_item_matrix[users]
    item = numbers[torch.arange(numbers.shape[1]) < length[:, None]]
    starts = torch.cat([torch.zeros(1, dtype=torch.int64), length.cumsum(0)[:-1]])
    sums = torch.nn.functional.embedding_bag(item, network.item_src_embedding.weight, starts, mode="sum")
    return sums * torch.pow(length, -network.alpha).float()[:, None], network.item_dst_embedding.weight


def _of_networks(network: Any, users: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """DMF: what two networks make of histories and of who had an item."""
    user = [network.user_fc_layers(network.get_user_embedding(some)) for some in users.split(HISTORIES)]
    if network.i_embedding is None:
        network.i_embedding = network.get_item_embedding()
    return torch.cat(user), network.i_embedding


def _bias_of_last(decoder: Decoder) -> Callable[[Any], tuple[None, torch.Tensor]]:
    return lambda network: (None, decoder.last(network).bias)


def _with_sigmoid(_: Any) -> Link:
    return lambda scores: torch.from_numpy(scores).sigmoid_()


def _with_output(network: Any) -> Link:
    """CDAE: the function of its last layer."""

    def link(scores: npt.NDArray[Any]) -> None:
        table = torch.from_numpy(scores)
        table.copy_(network.o_act(table))

    return link


FACTORS: dict[str, Callable[[Any, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]] = {
    "BPR": _of_embeddings,
    "LINE": _of_embeddings,
    "LightGCN": _of_graph,
    "NGCF": _of_graph,
    "SGL": _of_graph,
    "SpectralCF": _of_graph,
    "DGCF": _of_graph,
    "NCL": _of_graph_and_layers,
    "NCEPLRec": _of_matrices,
    "SimpleX": _of_cosines,
    "ENMF": _of_weighted_embeddings,
    "FISM": _of_histories,
    "DMF": _of_networks,
    **{name: factors_of(name) for name in DECODERS},
}
"""Models whose ``full_sort_predict`` is the product of what users and items have here, with biases and links; number 0 pads.

Not here: ADMMSLIM, which adds a number to each score that it draws, so that the scores of all items are drawn for; NAIS, of which a
user is something else for each item; NeuMF, ConvNCF, NNCF and GCMC, whose networks get users and items together.
"""

BIASES: dict[str, Callable[[Any], tuple[torch.Tensor | None, torch.Tensor]]] = {
    "FISM": lambda network: (network.user_bias, network.item_bias),
    **{name: _bias_of_last(decoder) for name, decoder in DECODERS.items()},
}
"""What is added to the scores of users, None for nothing, and of items."""

LINKS: dict[str, Callable[[Any], Link]] = {"DMF": _with_sigmoid, "CDAE": _with_output}
"""What sums are turned into: with probabilities that are too close to 1 to be told apart, items tie."""

PRODUCTS: dict[str, Callable[[Any], tuple[Any, Any]]] = {
    "ItemKNN": lambda network: (
        (network.w, network.interaction_matrix) if network.method == "user" else (network.interaction_matrix, network.w)
    ),
    "SLIMElastic": lambda network: (network.interaction_matrix, network.item_similarity),
}
"""Models whose ``full_sort_predict`` is the product of these sparse matrices made dense: what has no entry scores zero."""


def compact_scores(
    model: Model, algorithm: str, fold: folds.Fold, number: Numbers
) -> Iterator[tuple[parts.Ints, FactorScores | ProductScores | DenseProducts]] | None:
    """Return the scores of all items for batches of users; None of a model that makes dense ones, or that is on a GPU.

    Args:
        model: The model.
        algorithm: Its name.
        fold: The fold.
        number: RecBole's number of each user, 0 for who is unknown; shape (n_users,).
    """
    is_factors = algorithm in FACTORS and (algorithm not in DECODERS or has_last_layer(model.network, algorithm))
    if is_factors and torch.device(model.network.device).type == "cpu":
        return _factor_scores(model, algorithm, fold, number)
    if algorithm in PRODUCTS:
        return _products(model, *PRODUCTS[algorithm](model.network), fold, number)
    if algorithm == "EASE":
        return _dense_products(model, fold, number)
    return None


@torch.no_grad()  # type: ignore[untyped-decorator]
def _factors(
    model: Model, of: Callable[[Any, torch.Tensor], tuple[torch.Tensor, torch.Tensor]], numbers: Numbers
) -> tuple[torch.Tensor, torch.Tensor]:
    users, items = of(model.network, torch.from_numpy(numbers))
    return users.detach().contiguous(), items.detach()


def _factor_scores(
    model: Model, algorithm: str, fold: folds.Fold, number: Numbers
) -> Iterator[tuple[parts.Ints, FactorScores]]:
    items: ItemFactors | None = None
    user_bias: Any = None
    item_bias: Any = None
    link = LINKS[algorithm](model.network) if algorithm in LINKS else None
    if algorithm in BIASES:
        user_bias, item_bias = (
            None if bias is None else bias.detach().numpy() for bias in BIASES[algorithm](model.network)
        )
        item_bias = item_bias[1:]
    for start in range(0, len(fold.users), BATCH):
        users = fold.users[start : start + BATCH]
        user_factor, item_factor = _factors(model, FACTORS[algorithm], number[users])
        if items is None:  # what is in validation alone has a number that nothing has trained
            items = ItemFactors.of(item_factor[1:].contiguous(), model.items, fold, item_bias, link=link)
        bias = None if user_bias is None else user_bias[number[users]]
        yield users, FactorScores(user_factor, items, number[users] > 0, bias)


def _products(
    model: Model, left: Any, right: Any, fold: folds.Fold, number: Numbers
) -> Iterator[tuple[parts.Ints, ProductScores]]:
    is_known = np.zeros(fold.n_items, dtype=bool)
    is_known[model.items] = True
    is_known &= fold.candidates
    of_items = by_codes(right, np.concatenate([[-1], model.items]), fold.n_items)  # number 0 pads
    left = sparse.csr_matrix(left)
    for start in range(0, len(fold.users), BATCH):
        users = fold.users[start : start + BATCH]
        scores = np.where(number[users] > 0, 0, np.nan).astype(np.float32)
        yield users, ProductScores(left[number[users]], of_items, score_forms.OtherItems(is_known, scores))


def _dense_products(model: Model, fold: folds.Fold, number: Numbers) -> Iterator[tuple[parts.Ints, DenseProducts]]:
    """EASE: products of histories and of weights of all pairs of items."""
    codes = np.concatenate([[-1], model.items])  # number 0 pads
    weights = ItemWeights.of(np.asarray(model.network.item_similarity), codes, fold)
    for start in range(0, len(fold.users), BATCH):
        users = fold.users[start : start + BATCH]
        yield users, DenseProducts(model.network.interaction_matrix[number[users]], weights, number[users] > 0)

"""RecBole's autoencoders up to their last layer, whose weights are the factors of items: no scores of all items are made.

Nor is a row of all items made of a history, which the models begin with: what a history's items weigh in the first layer is added
up. That is as many numbers as there are interactions where RecBole multiplies as many as there are items.

Not here: MacridVAE, whose scores are logarithms of sums of exponentials, one for each of its categories; DiffRec, each of whose
steps has a number for each item.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

HISTORIES = 256
"""Users whose histories are held in memory together."""


@dataclass(frozen=True)
class Decoder:
    """Where the layers of an autoencoder are.

    Attributes:
        first: Its first layer, which has a weight for each item.
        hidden: Returns what the last layer gets, shape (b, d), of what the first layer returns and of the users' numbers.
        last: Its last layer, which has weights and a bias for each item.
        scale: What a history of unit length is multiplied with; None where histories are taken as they are.
    """

    first: Callable[[Any], Any]
    hidden: Callable[[Any, torch.Tensor, torch.Tensor], torch.Tensor]
    last: Callable[[Any], Any]
    scale: Callable[[Any], float] | None = None


def _variational(network: Any, first: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    mean = network.encoder[1:](first)[:, : network.lat_dim // 2]
    hidden: torch.Tensor = network.decoder[:-1](mean)
    return hidden


def _denoising(network: Any, first: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    hidden: torch.Tensor = network.decoder[:-1](network.encoder.mlp_layers[2:](first))
    return hidden


def _densely_connected(network: Any, first: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    """RecVAE: a layer's output is added to those of all before it."""
    encoder = network.encoder
    outputs = [encoder.ln1(first * first.sigmoid())]
    for number in range(2, 6):
        added = sum(outputs, getattr(encoder, f"fc{number}")(outputs[-1]))
        outputs.append(getattr(encoder, f"ln{number}")(added * added.sigmoid()))
    mean: torch.Tensor = encoder.fc_mu(outputs[-1])
    return mean


def _with_users(network: Any, first: torch.Tensor, users: torch.Tensor) -> torch.Tensor:
    """CDAE: a user has a vector."""
    hidden: torch.Tensor = network.h_act(network.h_user(users) + first)
    return hidden


def _diffused(network: Any, first: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    """LDiffRec: the steps of diffusion have a number for each dimension."""
    autoencoder = network.autoencoder
    mean = autoencoder.encoder.mlp_layers[2:](first)[:, : autoencoder.in_dims[-1]]
    hidden: torch.Tensor = autoencoder.decoder.mlp_layers[:-1](network.p_sample(mean))
    return hidden


def _unit_length(_: Any) -> float:
    return 1.0


DECODERS = {
    "MultiVAE": Decoder(
        lambda network: network.encoder[0], _variational, lambda network: network.decoder[-1], _unit_length
    ),
    "RaCT": Decoder(
        lambda network: network.encoder[0],
        _variational,
        lambda network: network.decoder[-1],
        lambda network: 1.0 - float(network.drop_out),
    ),
    "MultiDAE": Decoder(
        lambda network: network.encoder.mlp_layers[1], _denoising, lambda network: network.decoder[-1], _unit_length
    ),
    "RecVAE": Decoder(
        lambda network: network.encoder.fc1, _densely_connected, lambda network: network.decoder, _unit_length
    ),
    "CDAE": Decoder(lambda network: network.h_item, _with_users, lambda network: network.out_layer),
    "LDiffRec": Decoder(
        lambda network: network.autoencoder.encoder.mlp_layers[1],
        _diffused,
        lambda network: network.autoencoder.decoder.mlp_layers[-1],
    ),
}
"""Models whose ``full_sort_predict`` ends in a product with the weights of a layer."""


def has_last_layer(network: Any, algorithm: str) -> bool:
    """Whether a model's scores are products with the weights of one layer, and nothing is drawn before it.

    Args:
        network: The network.
        algorithm: The model's name.
    """
    if algorithm == "LDiffRec":
        is_drawn = network.sampling_steps > 0 or (network.sampling_noise and network.noise_scale != 0)
        return bool(network.n_cate == 1 and not is_drawn)
    return algorithm in DECODERS


def factors_of(algorithm: str) -> Callable[[Any, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:
    """Return what makes the users' and the items' factors, number 0 for padding, of a network and of users' numbers.

    Args:
        algorithm: The model's name, one of ``DECODERS``.
    """
    decoder = DECODERS[algorithm]

    def factors(network: Any, users: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        layer = decoder.first(network)
        item_weight = layer.weight.T.contiguous()
        scale = None if decoder.scale is None else decoder.scale(network)
        hidden = [
            decoder.hidden(network, _sums(network, few_users, item_weight, scale) + layer.bias, few_users)
            for few_users in users.split(HISTORIES)
        ]
        return torch.cat(hidden), decoder.last(network).weight

    return factors


def _sums(network: Any, users: torch.Tensor, item_weight: torch.Tensor, scale: float | None) -> torch.Tensor:
    """Add up what users' items weigh, shape (b, d); see ``Decoder.scale``."""
    value, number = network.history_item_value[users], network.history_item_id[users]
    if scale is not None:
        value = torch.nn.functional.normalize(value) * scale
    is_item = value != 0  # the others pad
    length = is_item.sum(dim=1)
    starts = length.cumsum(0) - length
    sums: torch.Tensor = torch.nn.functional.embedding_bag(
        number[is_item], item_weight, starts, mode="sum", per_sample_weights=value[is_item]
    )
    return sums

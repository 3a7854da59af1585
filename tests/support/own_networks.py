"""Algorithms of users that draw from the generators of the packages that they import."""

from __future__ import annotations

from typing import Any

import numpy as np

Lists = list[list[tuple[Any, float]]]


class _Drawing:
    """Draws weights when it is fitted, and recommends by fresh draws."""

    weights: list[float]

    def fit(self, train: Any) -> None:
        self.items = sorted(train["item"].unique())
        self.weights = self._draw(len(self.items))

    def recommend(self, users: list[Any], k: int) -> Lists:
        return [[*zip(self.items, self._draw(len(self.items)), strict=True)] for _ in users]

    def _draw(self, n: int) -> list[float]:
        raise NotImplementedError


class LazyTorchNetwork(_Drawing):
    """Imports PyTorch when it is used; trains a layer with dropout."""

    def _draw(self, n: int) -> list[float]:
        import torch

        network = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Dropout(0.5), torch.nn.Linear(8, n))
        optimizer = torch.optim.Adam(network.parameters())
        for _ in range(2):
            loss = network(torch.rand(16, 4)).pow(2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        weights: list[float] = network(torch.ones(4)).tolist()
        return weights


class TorchNetwork(LazyTorchNetwork):
    """Has PyTorch imported before it is constructed."""

    def __init__(self) -> None:
        import torch

        self.first = torch.rand(1).item()


class CompiledDraws(_Drawing):
    """Draws in compiled code, from numba's generator."""

    def _draw(self, n: int) -> list[float]:
        import numba

        compiled = numba.njit(_random)
        weights: list[float] = compiled(n).tolist()
        return weights


def _random(n: int) -> Any:
    return np.random.rand(n)  # noqa: NPY002 - what numba compiles


class TensorflowDraws(_Drawing):
    """Draws from TensorFlow's global generator."""

    def _draw(self, n: int) -> list[float]:
        import tensorflow as tf

        weights: list[float] = tf.random.uniform((n,)).numpy().tolist()
        return weights


class KerasNetwork(_Drawing):
    """Initialises a layer with Keras' own generator."""

    def _draw(self, n: int) -> list[float]:
        import keras

        layer = keras.layers.Dense(n)
        weights: list[float] = np.asarray(layer(np.ones((1, 3), dtype="float32")))[0].tolist()
        return weights

"""RecBole's loader of training, with the numbers of its rows in arrays: RecBole and PyTorch have a Python object for each row.

Of 15 million rows those are 600 MB for as long as the loader is there, and as much again in each epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from recbole.data.dataloader import abstract_dataloader
from recbole.data.utils import get_dataloader

RowNumbers = npt.NDArray[np.int64]


def training_loader(config: Any, dataset: Any, sampler: Any) -> Any:
    """Return RecBole's loader of the rows of training, in the same order and with the same draws.

    Args:
        config: RecBole's configuration.
        dataset: The dataset of training.
        sampler: What draws negative samples; None for none.
    """
    is_shuffled = config["shuffle"]
    with _without_lists():
        loader = get_dataloader(config, "train")(config, dataset, sampler, shuffle=is_shuffled)
    batches = _Batches(loader.sample_size, loader.batch_size, loader.generator if is_shuffled else None)
    vars(loader)["batch_sampler"] = batches  # PyTorch refuses to have it set
    return loader


def loaders_of(
    config: Any, dataset: Any, fold: Any, sampler: Callable[..., Any], validation: Callable[..., Any]
) -> tuple[Any, Any]:
    """Return the loader of training and that of validation, as RecBole's ``data_preparation`` makes them; None for no rows.

    It makes one of the test part, too, which nobody asks here.

    Args:
        config: RecBole's configuration.
        dataset: The dataset of training.
        fold: The fold, by RecBole's numbers.
        sampler: Makes what draws negative samples, of the dataset, the fold, the distribution and its exponent.
        validation: Makes the loader of validation, of the configuration, the dataset and the fold.
    """
    drawn = config["train_neg_sample_args"]
    is_drawn = drawn["distribution"] != "none"
    draws = sampler(dataset, fold, drawn["distribution"], drawn["alpha"]) if is_drawn else None
    train = training_loader(config, dataset, draws)
    return train, validation(config, dataset, fold) if fold.has_validation else None


@contextmanager
def _without_lists() -> Iterator[None]:
    """Have RecBole's loaders take row numbers as they are where they call ``list`` on all of them."""
    names = vars(abstract_dataloader)
    names["list"] = _AllRows
    try:
        yield
    finally:
        del names["list"]


class _AllRows:
    """A dataset of PyTorch that consists of its row numbers; RecBole's loaders look up by them what is in a batch.

    Args:
        rows: All row numbers.
    """

    def __init__(self, rows: Sized) -> None:
        self._length = len(rows)

    def __len__(self) -> int:
        return self._length

    def __getitems__(self, rows: RowNumbers) -> RowNumbers:
        """Return the rows of a batch, which PyTorch asks for with this method."""
        return rows


class _Batches(Iterable[RowNumbers]):
    """The rows of each batch of an epoch, as PyTorch's ``BatchSampler`` of a ``RandomSampler`` has them.

    Args:
        rows: How many rows there are.
        size: Rows of a batch; the last one may have fewer.
        generator: What shuffles them; None for their own order.
    """

    def __init__(self, rows: int, size: int, generator: torch.Generator | None) -> None:
        self._rows, self._size, self._generator = rows, size, generator

    def __len__(self) -> int:
        return (self._rows + self._size - 1) // self._size

    def __iter__(self) -> Iterator[RowNumbers]:
        order = torch.arange(self._rows) if self._generator is None else self._shuffled()
        for start in range(0, self._rows, self._size):
            yield order[start : start + self._size].numpy()
        if self._generator is not None:
            self._shuffled()  # as PyTorch does behind the last row: the next epoch's order depends on it

    def _shuffled(self) -> torch.Tensor:
        return torch.randperm(self._rows, generator=self._generator)

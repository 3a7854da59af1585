"""Terms that follow from the code of the algorithms: which arrays they have at the same time, and how many bytes each number of these has.

Each was found in the code, compared with Fits at three sizes or more that differ in one thing at a time (users, items, interactions, longest
histories, hyperparameters), and then with Fits that nothing was fitted to; all of them stand in ``tests/runners/measured_fits.json``.
``guest`` is what was left of the measured ones: a process that has imported the framework, and PyTorch's optimizers. Weights of Adam are 16
bytes each: the weight, its gradient and two moments.
"""

from __future__ import annotations

from omnibench.runners.formula_factors import (
    ATTENDED_HISTORIES,
    BATCH_USERS,
    COMPARED,
    CONVOLVED,
    CONVOLVED_PAIRS,
    CORRELATED,
    CORRELATED_IN_PIECES,
    ITEM_VOCABULARY,
    ITEM_WORDS,
    KEPT_HISTORIES,
    LONGEST_ITEM,
    LONGEST_USER,
    READ_HISTORIES,
    RETAINED,
    SPLIT_ITEMS,
    VALIDATED_USERS,
)

OF_ADAM = 16.0
"""Bytes of a weight in float32, its gradient and Adam's two moments of it."""


_JUDGED = 24.0
"""Bytes of a score that RecPack judges by: in the CSR matrix of all of them (float64, and its item), and in that of the users who count."""


_OF_GRAPH = 430.0
"""Bytes of an interaction in the dictionary that RecBole makes a graph of: two tuples of two numbers each, all of them Python's. What is
computed later, when the dictionary is gone, counts beside it. Of 4.7 million interactions LightGCN needed 2,581 MB, of which 2,705 are said."""


_OF_WORDS = 83.0
"""Bytes that Cornac has of a word of a text: itself, where it is in the list of its text, its number, and how often it is there."""


_NEIGHBOURS_OF_SURPRISE = ("KNNBasic", "KNNWithMeans", "KNNWithZScore", "KNNBaseline")


def of_both(size: str, each: float) -> dict[str, float]:
    """Return terms of a row for each user and each item."""
    return {f"{rows}*{size}": each for rows in ("users", "items")}


DERIVED: dict[str, dict[str, float]] = {
    # Four embeddings, ``neigh_num`` neighbours of each user and item (int64), and with ``random``, the default, and ``knn`` a number (int8)
    # for each pair of a user and an item. Of a batch what the convolution returns for each neighbour, on both sides, and its gradient:
    # 16 bytes, and 31 were measured of 512 kernels, 15 of 8,192 rows, whose arrays the system takes back at once.
    "RecBole.NNCF": {
        "guest": 495e6,
        **of_both("ui_embedding_size", OF_ADAM),
        **of_both("neigh_embedding_size", OF_ADAM),
        **of_both("neigh_num", 8.0),
        "users*items": 1.0,
        "train_batch_size*num_conv_kernel*neigh_num": 25.0,
    },
    # Two embeddings of items; histories, padded to the longest (int64, values and a mask in float32). For each row of a batch and each item of
    # the history its vector and the product with another one, which attention is computed of: both twice. In validation the same for each
    # user and all items at once, or for one of ``split_to`` parts of them. That comes after training: of each a seventh less.
    "RecBole.NAIS": {
        "guest": 450e6,
        "items*embedding_size": 2 * OF_ADAM,
        f"users*{LONGEST_USER}": 24.0,
        f"train_batch_size*{LONGEST_USER}*embedding_size": 6.8,
        f"train_batch_size*{LONGEST_USER}*weight_size": 7.6,
        f"{SPLIT_ITEMS}*{LONGEST_USER}*embedding_size": 7.0,
        f"{SPLIT_ITEMS}*{LONGEST_USER}*weight_size": 7.0,
    },
    # Weights for each user and item, what they are multiplied with, its product with the graph, and the gradients of these. Of a batch the
    # vectors of users, of their items and of others, and their products with two matrices, with the gradients.
    "RecBole.GCMC": {
        "guest": 455e6,
        "interactions": _OF_GRAPH,
        **of_both("gcn_output_dim", 49.0),
        "train_batch_size*embedding_size": 112.0,
    },
    # The outer product of each item's vector with itself, and of each user's of a batch, with its gradient; the vectors of the items of
    # padded histories, their product with the user's, and the gradient. Histories themselves: ids (int64) and values, made of NumPy's.
    "RecBole.ENMF": {
        "guest": 432e6,
        **of_both("embedding_size", OF_ADAM),
        "items*embedding_size*embedding_size": 4.0,
        f"{BATCH_USERS}*embedding_size*embedding_size": 8.0,
        f"{BATCH_USERS}*{LONGEST_USER}*embedding_size": 12.0,
        f"users*{LONGEST_USER}": 20.0,
    },
    # A row of all items for each user of a batch, and of all users for each item; padded histories of users and of items (int64 and float32),
    # and those of a batch.
    "RecBole.DMF": {
        "guest": 440e6,
        "users*train_batch_size": 4.5,
        "items*train_batch_size": 4.5,
        "users*item_embedding_size": OF_ADAM,
        "items*user_embedding_size": OF_ADAM,
        **{f"{rows}*{length}": 12.0 for rows, length in (("users", LONGEST_USER), ("items", LONGEST_ITEM))},
        **{f"train_batch_size*{length}": 12.0 for length in (LONGEST_USER, LONGEST_ITEM)},
    },
    # Vectors of three graphs after each layer, two of them drawn anew, and 28 times those of a batch with the gradients. Of the loss that
    # compares two graphs there are exponentials for each row of a batch and each user, and each item: one is kept for the gradient, one is
    # computed. Of arrays below 32 MiB 18 bytes for each number were measured, of larger ones 6 to 7.
    "RecBole.SGL": {
        "guest": 460e6,
        **of_both("embedding_size", OF_ADAM),
        **of_both("embedding_size*n_layers", 11.0),
        "train_batch_size*embedding_size": 112.0,
        **of_both("train_batch_size", 6.0),
        **of_both(f"train_batch_size*{RETAINED}", 12.0),
    },
    "RecBole.NCL": {  # the same loss
        "guest": 460e6,
        "interactions": _OF_GRAPH,
        **of_both("embedding_size", OF_ADAM),
        **of_both("embedding_size*n_layers", 11.0),
        "train_batch_size*embedding_size": 112.0,
        **of_both("train_batch_size", 6.0),
        **of_both(f"train_batch_size*{RETAINED}", 12.0),
    },
    # Weights, and of each layer its product with the graph; of a batch the vectors of users, of their items and of others.
    "RecBole.LightGCN": {
        "guest": 445e6,
        "interactions": _OF_GRAPH,
        **of_both("embedding_size", OF_ADAM),
        **of_both("embedding_size*n_layers", 21.0),
        "train_batch_size*embedding_size": 36.0,
    },
    # Of each layer eleven arrays of its numbers: products with the graph, with the vectors, of both linear layers, their sum, its
    # activation, dropout and norm. Of a batch the rows of users, of their items and of others, their products, and the gradients.
    "RecBole.NGCF": {
        "guest": 460e6,
        "interactions": _OF_GRAPH,
        **of_both("embedding_size", OF_ADAM),
        **of_both("sum(hidden_size_list)", 44.0),
        **{f"train_batch_size*{size}": 56.0 for size in ("embedding_size", "sum(hidden_size_list)")},
    },
    # The first layer, the one that the prior keeps of it, and the last; five layers of its own width between them, each kept twice as well.
    # Of a batch its items, their normalised and dropped copies, scores of all items, their softmax and gradient.
    "RecBole.RecVAE": {
        "guest": 440e6,
        "items*hidden_dimension": OF_ADAM + 4.0,
        "items*latent_dimension": OF_ADAM,
        "hidden_dimension*hidden_dimension": 5 * (OF_ADAM + 4.0),
        f"{BATCH_USERS}*hidden_dimension": 120.0,
        f"items*{BATCH_USERS}": 28.0,
    },
    "Cornac.RecVAE": {
        "guest": 460e6,
        "items*hidden_dim": OF_ADAM + 4.0,
        "items*latent_dim": OF_ADAM,
        "hidden_dim*hidden_dim": 5 * (OF_ADAM + 4.0),
        f"{BATCH_USERS}*hidden_dim": 120.0,
        f"items*{BATCH_USERS}": 15.0,
    },
    # RecPack judges by the scores of all items for all users of the validation part. ``validation_sample_size`` makes them fewer.
    "RecPack.RecVAE": {
        "guest": 455e6,
        "items*dim_hidden_layer": OF_ADAM + 4.0,
        "items*dim_bottleneck_layer": OF_ADAM,
        "dim_hidden_layer*dim_hidden_layer": 5 * (OF_ADAM + 4.0),
        f"{BATCH_USERS}*dim_hidden_layer": 120.0,
        f"items*{BATCH_USERS}": 36.0,
        f"items*{VALIDATED_USERS}": _JUDGED,
    },
    "RecPack.MultVAE": {  # its first and its last layer
        "guest": 458e6,
        "items*dim_hidden_layer": 2 * OF_ADAM,
        f"items*{BATCH_USERS}": 36.0,
        f"items*{VALIDATED_USERS}": _JUDGED,
    },
    "RecPack.BPRMF": {  # of a batch the scores of each of its users for each of its items, of which it takes the diagonal
        "guest": 447e6,
        **of_both("num_components", OF_ADAM),
        "batch_size*batch_size": 24.0,
        f"items*{VALIDATED_USERS}": _JUDGED,
    },
    # Its loss computes four likelihoods, whichever is chosen, and a batch is float64 before it is float32.
    "Cornac.VAECF": {
        "guest": 424e6,
        "items*autoencoder_structure": 2 * OF_ADAM,
        f"items*{BATCH_USERS}": 80.0,
    },
    # The same of three likelihoods, for a batch of users and for one of items.
    "Cornac.BiVAECF": {
        "guest": 424e6,
        **of_both("encoder_structure", OF_ADAM),
        f"items*{BATCH_USERS}": 90.0,
        "users*batch_size": 90.0,
    },
    # L-BFGS keeps 25 float64 of each parameter (``m`` = 10 steps), and there are its gradient and counts. It has ``vocab_size`` words, however
    # many there are. Texts are lists of their words, and rows of their counts.
    "Cornac.HFT": {"guest": 156e6, **of_both("k", 326.0), "vocab_size*k": 326.0, ITEM_WORDS: _OF_WORDS},
    # Float64: vectors of users, of items, and of items by their words; of the words two arrays, and one that takes the place of the second.
    "Cornac.CTR": {
        "guest": 156e6,
        **of_both("k", 24.0),
        f"{ITEM_VOCABULARY}*k": 3 * 8.0,
        ITEM_WORDS: _OF_WORDS,
        "interactions": 113.0,
    },
    # Of each item of the histories of a batch its vector and the gradient, and what is computed of both for the loss that keeps weights
    # small. Of arrays below 32 MiB 16 bytes for each number were measured, of larger ones 11 to 13; attention needed 19 more.
    "RecBole.SimpleX": {
        "guest": 455e6,
        **of_both("embedding_size", OF_ADAM),
        # While it is made: items as int64, values as float64, and the tensor of these. No measured Fit has histories so long that it tells.
        KEPT_HISTORIES: 20.0,
        f"{READ_HISTORIES}*embedding_size": 11.0,
        f"{READ_HISTORIES}*embedding_size*{RETAINED}": 5.0,
        f"{ATTENDED_HISTORIES}*embedding_size": 19.0,
    },
    # The outer product of two vectors, what each convolution returns of it, and what the activation makes of that.
    "RecBole.ConvNCF": {
        "guest": 468e6,
        **of_both("embedding_size", OF_ADAM),
        f"{CONVOLVED_PAIRS}*embedding_size*embedding_size": 4.0,
        f"{CONVOLVED_PAIRS}*{CONVOLVED}": 8.0,
    },
    # Weights, the vectors of all layers beside each other, and the gradient; of each layer its product with the graph, with the filter,
    # and its activation. The graph is made of Python's tuples, two for each interaction. Of a batch the vectors of all layers.
    "RecBole.SpectralCF": {
        "guest": 445e6,
        "interactions": 650.0,
        **of_both("embedding_size", 48.0),
        **of_both("embedding_size*n_layers", 15.0),
        "train_batch_size*embedding_size*n_layers": 33.0,
    },
    # For each iteration the vectors of both ends of each interaction. The distances between users and items of a batch, by all pairs of
    # factors that follow each other: six arrays where these are larger than 32 MiB, and what smaller ones leave in pieces.
    "RecBole.DGCF": {
        "guest": 440e6,
        **of_both("embedding_size", OF_ADAM),
        "interactions*embedding_size*n_layers*n_iterations": 70.0,
        CORRELATED: 24.0,
        CORRELATED_IN_PIECES: 71.0,
    },
    # Each user and item has a vector, and with ``order`` 2 one of contexts. For each item Python's set of its users, as NumPy's numbers.
    "RecBole.LINE": {
        "guest": 435e6,
        "interactions": 530.0,
        "users": 220.0,
        "items": 220.0,
        **of_both("embedding_size*order", OF_ADAM),
        "train_batch_size*embedding_size": 41.0,
    },
    # Two arrays of users' and of items' factors in float64; SVDpp has one of items more, NMF a numerator and a denominator of each.
    "Surprise.SVD": of_both("n_factors", 8.0),
    "Surprise.SVDpp": {"users*n_factors": 8.0, "items*n_factors": 16.0},
    "Surprise.NMF": of_both("n_factors", 24.0),
    # The difference of each pair of items, and how many users have rated both; of neighbours the similarity and two such numbers.
    "Surprise.SlopeOne": {"items*items": 16.0},
    **{f"Surprise.{name}": {f"{COMPARED}*{COMPARED}": 24.0} for name in _NEIGHBOURS_OF_SURPRISE},
}

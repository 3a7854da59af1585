"""What the algorithms of all frameworks store while they fit."""

from __future__ import annotations

from memory_derived import OF_ADAM

from omnibench.runners.formula_factors import (
    BATCH_USERS,
    CANDIDATES,
    FEATURES_READ,
    FIELDS,
    ITEM_ENTRIES,
    ITEM_VALUES,
    JUDGED_USERS,
    JUDGED_VECTORS,
    RETAINED,
    RETAINED_IN_LAYERS,
    SCORED_ITEMS,
    SCORED_PAIRS,
    SCORES_IN_PIECES,
    USER_VALUES,
)
from omnibench.runners.requirements import GUEST

SIMPLE = {
    "LensKit": ["PopScorer"],
    "RecPack": ["Popularity", "Random"],
    "RecBole": ["Pop"],
    "Implicit": ["ItemItemRecommender"],
    "Cornac": ["MostPop"],
    "Surprise": ["NormalPredictor", "BaselineOnly"],
    "RecTools": ["PopularModel", "RandomModel"],
}
"""Algorithms that need what their framework needs, and nothing else."""

_MATRIX, _NEIGHBOURS, _FACTORS, _DENSE = ("items*items",), ("item_pairs",), ("users+items",), ("items",)
_CONTEXT = (
    *("DeepFM", "FM", "NFM", "xDeepFM", "AFM", "FFM", "FwFM", "FNN", "PNN"),
    *("DSSM", "WideDeep", "DCN", "DCNV2", "AutoInt", "FiGNN", "EulerNet", "KD_DAGFM"),
)
"""RecBole's models of features; users and items are two of these."""
_OF_BPR = ("FPMC", "TransRec")
"""RecBole's models of sequences that learn from an item and another one, by default."""
_OF_ENCODERS = {"SASRec": 1, "BERT4Rec": 1, "GCSAN": 1, "FEARec": 1, "SASRecF": 1, "CORE": 1, "FDSA": 2, "S3Rec": 4}
"""How often RecBole's models of sequences send a batch through RecBole's ``TransformerEncoder`` for one loss; S3Rec does it before it learns
what comes next. FEARec's layers are these with Fourier transforms. CORE says ``embedding_size`` for ``hidden_size``."""
_OF_HIDDEN = ("LightSANs",)
"""Those of layers of their own, which have ``hidden_size`` numbers."""
_OF_EMBEDDINGS = (
    *("STAMP", "Caser", "NextItNet", "SRGNN", "HGN", "HRM"),
    *("NPE", "FOSSIL", "SHAN", "SINE", "RepeatNet"),
)
"""Those whose layers have ``embedding_size`` numbers."""
_OF_RECURRENT = {"GRU4Rec": 26.0, "NARM": 52.0, "GRU4RecF": 31.5}
"""Those whose items have ``embedding_size`` numbers, and whose layers have ``hidden_size``: bytes for each of these that are needed
once. With 512 in the place of 128 GRU4Rec needed 66 more for each, which is all that it needs with 128. Of four layers it needed three
fifths of that (40) more for each; GRU4RecF has two such layers beside each other. The others' are what they needed beside these."""
_LAYERS = {
    "LightSANs": "n_layers",
    **dict.fromkeys(("GRU4Rec", "GRU4RecF"), "num_layers"),
    "NARM": "n_layers",
    "NextItNet": "block_num",
}
"""What says how many layers one after the other keep what they return for the gradients."""
_BESIDE_LAYERS = 28.0
"""Bytes of what SASRec needed of two layers that are not theirs: embeddings, their norm and dropout; BERT4Rec's are 24."""


_BESIDE_ENCODERS = {
    "SASRec": 140.0,
    "BERT4Rec": 140.0,
    "CORE": 118.0,
    "FEARec": 210.0,
    "GCSAN": 130.0,
    "SASRecF": 55.0,
    "FDSA": 117.0,
    "S3Rec": 165.0,
}
"""Bytes of each number of the items of a batch that are not its layers': embeddings, norms and dropout, and what the model makes of them."""
_GUEST_OF_ENCODERS = {"CORE": 473e6, "SASRecF": 471e6, "S3Rec": 449e6, "GCSAN": 445e6, "FEARec": 440e6, "FDSA": 424e6}
"""Of the others 460 MB."""


def _encoder(name: str, size: str) -> dict[str, float]:
    """Return what RecBole's ``TransformerEncoder`` returns, and keeps for the gradients, and what else a batch needs.

    Within a layer are five arrays that the gradients need, 20 bytes for each number, as many as of SASRec 1,024 numbers needed more than
    256, and 256 more than 64. The matrices of items by items are three, with a mask. What is left of the Fits is for each number that the
    layers return: 420 bytes with batches of 256 and of 512 lists of 50 items, 355 with 1,024, and 220 to 290 with 2,048, or where lists of
    1,024 have vectors twice as long. So of small arrays there is as much again that is kept in pieces.

    Args:
        name: The model.
        size: The hyperparameter that says how many numbers the layers return.
    """
    rows, times = "train_batch_size*MAX_ITEM_LIST_LENGTH", _OF_ENCODERS[name]
    return {
        GUEST: _GUEST_OF_ENCODERS.get(name, 460e6),
        f"{rows}*{size}": _BESIDE_ENCODERS[name],
        f"{rows}*{size}*n_layers": 32.0 * times,
        f"{rows}*{size}*{RETAINED_IN_LAYERS}*n_layers": 105.0 * times,
        f"{rows}*inner_size*n_layers": 20.0 * times,
        f"{rows}*MAX_ITEM_LIST_LENGTH*n_heads*n_layers": 15.0 * times,
    }


def _autoencoder(size: str) -> tuple[str, ...]:
    """Return the terms of a network from a user's items to these: the weights of its first and last layer, and rows of all items for a batch.

    They were fitted to Fits of more than two batches: of the first two, before moments and gradients lie beside a batch, they say up to a
    fifth more than was needed. RecVAE and RaCT go over the data several times in an epoch.

    Args:
        size: The hyperparameter that says how many numbers the layer beside the items has.
    """
    return (f"items*{size}", f"items*{BATCH_USERS}")


_LISTS = f"train_batch_size*embedding_size*{ITEM_ENTRIES}"
_TABLES = "+".join(f"{values}*embedding_size" for values in ("users", "items", USER_VALUES, ITEM_VALUES))
"""The embeddings of a context-aware model, which has one for each user, item and value of a feature."""
TERMS = {
    "LensKit.EASEScorer": _MATRIX,
    "LensKit.SLIMScorer": _NEIGHBOURS,
    "LensKit.ItemKNNScorer": _NEIGHBOURS,
    "LensKit.ImplicitMFScorer": ("users*embedding_size+items*embedding_size",),
    "LensKit.BiasedMFScorer": ("users*embedding_size+items*embedding_size",),
    "LensKit.FunkSVDScorer": ("users*embedding_size+items*embedding_size",),
    "LensKit.FlexMFImplicitScorer": ("users*embedding_size+items*embedding_size",),
    "LensKit.FlexMFExplicitScorer": ("users*embedding_size+items*embedding_size",),
    "LensKit.UserKNNScorer": _FACTORS,
    # The terms of the next four are the sizes of arrays, which Fits of a million rows needed no more than: factors in float32 and a copy
    # (8 bytes) of implicit's two; of NMFScorer W, H and their products in float64 and the float32 that is kept (20; without
    # embedding_size as many factors as items); of BiasedSVDScorer four matrices in float64 of the randomized decomposition (32).
    "LensKit.NMFScorer": ("users*embedding_size+items*embedding_size",),
    "LensKit.BiasedSVDScorer": ("users*embedding_size+items*embedding_size",),
    "LensKit.ALS": ("users*factors+items*factors",),
    "LensKit.BPR": ("users*factors+items*factors",),
    "LensKit.LightGCNScorer": ("users*embedding_size+items*embedding_size", "interactions*embedding_size"),
    "RecPack.ItemKNN": _NEIGHBOURS,
    "RecPack.ItemPNN": _MATRIX,
    "RecPack.WeightedMatrixFactorization": ("users*num_components+items*num_components",),
    "RecPack.SequentialRules": ("interactions*max_steps",),
    "RecPack.STAN": _FACTORS,
    "RecPack.Prod2VecClustered": _MATRIX,
    **dict.fromkeys(("RecPack.GRU4RecCrossEntropy", "RecPack.GRU4RecNegSampling"), _DENSE),
    # Lists of Python's numbers: with as many items as neighbours at most, small data cannot tell these from pairs of items.
    **dict.fromkeys((f"RecPack.TARSItemKNN{name}" for name in ("CoocDistance", "Hermann")), ("items*K",)),
    "RecPack.EASE": _MATRIX,
    "RecPack.SVD": ("users*num_components+items*num_components",),
    "RecPack.NMF": ("users*num_components+items*num_components",),
    "RecPack.SVDItemToItem": _MATRIX,
    "RecPack.NMFItemToItem": _MATRIX,
    "RecPack.KUNN": _NEIGHBOURS,
    "RecPack.SLIM": _NEIGHBOURS,
    "RecPack.Prod2Vec": _MATRIX,
    "Implicit.AlternatingLeastSquares": ("users*factors+items*factors",),
    "Implicit.BayesianPersonalizedRanking": ("users*factors+items*factors",),
    "Implicit.LogisticMatrixFactorization": ("users*factors+items*factors",),
    "Implicit.CosineRecommender": ("items*K",),
    "Implicit.TFIDFRecommender": ("items*K",),
    "Implicit.BM25Recommender": ("items*K",),
    "RecTools.EASEModel": _MATRIX,
    "RecTools.PureSVDModel": ("users*factors+items*factors",),
    "RecTools.ImplicitALSWrapperModel": ("users*model.factors+items*model.factors",),
    "RecTools.ImplicitBPRWrapperModel": ("users*model.factors+items*model.factors",),
    "RecTools.ImplicitItemKNNWrapperModel": ("items*model.K",),
    "RecTools.LightFMWrapperModel": _FACTORS,
    **dict.fromkeys(
        (f"RecTools.{name}" for name in ("SASRecModel", "BERT4RecModel", "HSTUModel")),
        # What the softmax is of, and what the layers return: what the data and parameters of one loss cannot tell apart is in LEAST.
        (f"{SCORED_ITEMS}*batch_size*session_max_len", "batch_size*session_max_len*n_factors*n_blocks"),
    ),
    "RecTools.DSSMModel": ("users*n_factors+items*n_factors",),
    **dict.fromkeys(
        (f"Cornac.{name}" for name in ("BPR", "WBPR", "MMMF", "WMF", "HPF", "IBPR", "MF", "SVD", "PMF", "NMF")),
        ("users*k+items*k",),
    ),
    **dict.fromkeys((f"Cornac.{name}" for name in ("VBPR", "AMR")), ("users*k+items*k",)),
    "Cornac.EASE": _MATRIX,
    "Cornac.SKMeans": _FACTORS,
    "Cornac.ItemKNN": (*_MATRIX, *_NEIGHBOURS),
    "Cornac.UserKNN": ("users*users", "user_pairs"),
    "Cornac.GMF": ("users*num_factors+items*num_factors", *_FACTORS),
    "Cornac.MLP": ("users*layers+items*layers", *_FACTORS),
    "RecBole.ItemKNN": ("items*k",),
    "RecBole.AsymKNN": ("users*items", SCORED_PAIRS),
    "RecBole.EASE": _MATRIX,
    "RecBole.SLIMElastic": _NEIGHBOURS,
    "RecBole.ADMMSLIM": _MATRIX,
    "RecBole.NCEPLRec": ("users*rank+items*rank",),
    "RecBole.BPR": ("users*embedding_size+items*embedding_size", *_FACTORS),
    "RecBole.NeuMF": _FACTORS,
    "RecBole.RaCT": _autoencoder("mlp_hidden_size"),
    "RecBole.CDAE": _autoencoder("embedding_size"),
    "RecBole.LDiffRec": _autoencoder("in_dims"),
    "RecBole.FISM": ("items*embedding_size", *_DENSE),
    "RecBole.LR": (f"users+items+{USER_VALUES}+{ITEM_VALUES}",),
    **dict.fromkeys((f"RecBole.{name}" for name in _CONTEXT), (_TABLES,)),
    "RecBole.FFM": ("+".join(f"{term}*{FIELDS}" for term in _TABLES.split("+")),),  # a table for each field
    **dict.fromkeys((f"RecBole.{name}" for name in _OF_BPR), ("items*embedding_size", "users*embedding_size")),
    **{  # what the layers return, and scores of all items for a batch
        f"RecBole.{name}": (
            "*".join(("train_batch_size", "MAX_ITEM_LIST_LENGTH", size, *filter(None, [_LAYERS.get(name)]))),
            f"{'items' if name == 'RepeatNet' else SCORED_ITEMS}*train_batch_size",
        )
        for names, size in (
            (_OF_HIDDEN, "hidden_size"),
            (_OF_EMBEDDINGS, "embedding_size"),
            (_OF_RECURRENT, "hidden_size"),
        )
        for name in names
    },
}
"""What an algorithm's matrices are as large as."""

_OF_CROSS_ENTROPY = {f"{SCORED_ITEMS}*train_batch_size": 12.0}
"""Scores of all items for a batch, their softmax, and what is to be changed of them: noise of small data is as large."""
_OF_USERS, _OF_ADAM = ("Caser", "HGN", "HRM", "NPE", "SHAN"), OF_ADAM
"""RecBole's models of sequences that have a vector for each user, too; bytes of each weight itself, its gradient and two moments."""

LEAST: dict[str, dict[str, float]] = {
    **{
        f"RecBole.{name}": {
            **_OF_CROSS_ENTROPY,
            f"items*{size}": _OF_ADAM,
            **({f"users*{size}": _OF_ADAM} if name in _OF_USERS else {}),
            **({f"train_batch_size*MAX_ITEM_LIST_LENGTH*{size}": _BESIDE_LAYERS} if name in _LAYERS else {}),
        }
        for names, size in ((_OF_HIDDEN, "hidden_size"), (_OF_EMBEDDINGS, "embedding_size"))
        for name in names
    },
    **{
        f"RecBole.{name}": {
            **_OF_CROSS_ENTROPY,
            "items*embedding_size": _OF_ADAM,
            "train_batch_size*MAX_ITEM_LIST_LENGTH*hidden_size": beside,
            **({f"{ITEM_VALUES}*embedding_size": _OF_ADAM} if name == "GRU4RecF" else {}),
        }
        for name, beside in _OF_RECURRENT.items()
    },
    **{
        f"RecBole.{name}": {**_OF_CROSS_ENTROPY, "items*hidden_size": _OF_ADAM, **_encoder(name, "hidden_size")}
        for name in _OF_ENCODERS
    },
    # A vector of each value of the features that it reads, and what it makes of these for a batch.
    **{
        f"RecBole.{name}": {
            **_OF_CROSS_ENTROPY,
            "items*hidden_size": _OF_ADAM,
            **_encoder(name, "hidden_size"),
            f"{ITEM_VALUES}*hidden_size": _OF_ADAM,
            f"train_batch_size*MAX_ITEM_LIST_LENGTH*hidden_size*{FEATURES_READ}": 20.0,
            f"train_batch_size*MAX_ITEM_LIST_LENGTH*hidden_size*{ITEM_ENTRIES}": 12.0,
        }
        for name in ("SASRecF", "FDSA")
    },
    # It reads all sequences as a whole for each of those that it learns from, and has a mask of twice a batch by itself.
    "RecBole.FEARec": {
        **_OF_CROSS_ENTROPY,
        "items*hidden_size": _OF_ADAM,
        **_encoder("FEARec", "hidden_size"),
        "interactions*MAX_ITEM_LIST_LENGTH": 8.0,
        "train_batch_size*train_batch_size": 4.0,
    },
    # It scores all items for each item of a sequence that it masks: int(mask_ratio * max_seq_length).
    "RecBole.BERT4Rec": {
        f"{SCORED_ITEMS}*train_batch_size*MAX_ITEM_LIST_LENGTH*mask_ratio": 12.0,
        "items*hidden_size": _OF_ADAM,
        **_encoder("BERT4Rec", "hidden_size"),
    },
    "RecBole.CORE": {**_OF_CROSS_ENTROPY, "items*embedding_size": 2 * _OF_ADAM, **_encoder("CORE", "embedding_size")},
    # The gates of its graphs, and their matrices of items by items of a sequence, made of Python's lists in float64.
    "RecBole.GCSAN": {
        **_OF_CROSS_ENTROPY,
        "items*hidden_size": _OF_ADAM,
        **_encoder("GCSAN", "hidden_size"),
        "train_batch_size*MAX_ITEM_LIST_LENGTH*MAX_ITEM_LIST_LENGTH": 48.0,
    },
    # Vectors of 100,000 items, their gradients, moments and the copies of a step: measured with BCE, which scores two. It copies the
    # vectors of what it scores (similarity.py), and their gradient: 8.0 bytes were measured of twenty negatives. Beside the layers of
    # SASRec are 28 bytes, by six blocks and by two; of BERT4Rec 58.
    **{
        f"RecTools.{name}": {
            "items*n_factors": 31.2,
            f"{CANDIDATES}*batch_size*session_max_len*n_factors": 8.0,
            **({"batch_size*session_max_len*n_factors": beside} if beside else {}),
        }
        for name, beside in (("SASRecModel", 28.0), ("BERT4RecModel", 58.0), ("HSTUModel", 0.0))
    },
    # Its loss is of the probabilities of all items, whatever loss_type is: of repeating one, of another one, of both, and their logarithms.
    # What it takes for others is made of two vectors of hidden_size.
    "RecBole.RepeatNet": {
        "items*train_batch_size": 64.0,
        "items*embedding_size": _OF_ADAM,
        "items*hidden_size": 2 * _OF_ADAM,
    },
    # 380 further values needed 35 bytes for each item of each sequence of a batch: lists of Python's numbers, and the losses of both masks.
    "RecBole.S3Rec": {
        **_OF_CROSS_ENTROPY,
        "items*hidden_size": _OF_ADAM,
        **_encoder("S3Rec", "hidden_size"),
        f"{ITEM_VALUES}*hidden_size": _OF_ADAM,
        f"train_batch_size*MAX_ITEM_LIST_LENGTH*{ITEM_VALUES}": 35.0,
    },
    # An item's list of texts is as long as the longest, and has a vector for each, a mask and their product.
    # Embeddings, their gradients and moments, and what a step of Adam makes of them.
    **{f"RecBole.{name}": {_LISTS: 12.0, **dict.fromkeys(_TABLES.split("+"), 21.0)} for name in _CONTEXT},
    # The vectors of both fields of each pair of fields, and their product.
    **{
        f"RecBole.{name}": {
            _LISTS: 12.0,
            f"train_batch_size*embedding_size*{FIELDS}*{FIELDS}": 12.0,
            **({} if name == "FFM" else dict.fromkeys(_TABLES.split("+"), 21.0)),
        }
        for name in ("PNN", "AFM", "FwFM", "FFM")
    },
    # The products of each layer of its network with all fields: 49 bytes of 12 fields, 26 of four.
    "RecBole.xDeepFM": {
        _LISTS: 12.0,
        f"train_batch_size*embedding_size*{FIELDS}*cin_layer_size": 40.0,
        **dict.fromkeys(_TABLES.split("+"), 21.0),
    },
    # A row of numbers for each item, with a number for each value: 12.1 bytes were measured of 4,000 values, and with the gradient 24.7 of
    # AMR. The vectors of values are in k2 dimensions, of AMR in k.
    "Cornac.VBPR": {f"items*{ITEM_VALUES}": 12.1, f"{ITEM_VALUES}*k2": _OF_ADAM},
    "Cornac.AMR": {f"items*{ITEM_VALUES}": 24.7, f"{ITEM_VALUES}*k": _OF_ADAM},
    # A weight of each value, its gradient and two moments, and the rows of a batch of users, of their items and of others: all as numbers.
    "RecTools.DSSMModel": {
        **{f"{values}*n_factors": 20.0 for values in (USER_VALUES, ITEM_VALUES)},
        **{f"batch_size*{values}": 12.0 for values in ("items", USER_VALUES, ITEM_VALUES)},
    },
    # Vectors, and what AdaGrad keeps of them and of their gradients (lightfm.py).
    "RecTools.LightFMWrapperModel": {
        f"{values}*model.no_components": 12.0 for values in ("users", "items", USER_VALUES, ITEM_VALUES)
    },
    # A number for each value of what is known of items, and one that each user gets for it; of users likewise. Each is copied once.
    "RecTools.ImplicitALSWrapperModel": {
        f"{rows}*{values}": 8.0 for values in (USER_VALUES, ITEM_VALUES) for rows in ("users", "items")
    },
    "RecBole.NeuMF": {
        f"{rows}*m{size}_embedding_size": _OF_ADAM for rows in ("users", "items") for size in ("f", "lp")
    },
    "RecBole.BPR": {"train_batch_size*embedding_size": 32.0},  # vectors of users, of their items and of others
    # Of each kind of items the items of a batch, the exponentials of its scores, and what is computed of both at once. Batches of 1,024
    # users and 5,000 items needed three times as much for each score as batches of 2,048 users and 6,000 items, whose arrays have 49 MB.
    "RecBole.MacridVAE": {
        GUEST: 440e6,
        "items*encoder_hidden_size": _OF_ADAM,
        "items*embedding_size": _OF_ADAM,
        f"items*{BATCH_USERS}*kfac": 15.0,
        f"{SCORES_IN_PIECES}*kfac": 29.0,
    },
    # The first and the last layer. Of a batch its items, their copies and scores: 33 bytes for each number were measured of arrays below
    # 32 MiB, and 16 of 61 million numbers. DiffRec's noise is of all items, too.
    **{
        f"RecBole.{name}": {
            GUEST: guest,
            f"items*{size}": 2 * _OF_ADAM,
            f"items*{BATCH_USERS}": each,
            f"items*{BATCH_USERS}*{RETAINED}": in_pieces,
        }
        for name, guest, size, each, in_pieces in (
            ("MultiVAE", 460e6, "mlp_hidden_size", 13.0, 18.0),
            ("MultiDAE", 460e6, "mlp_hidden_size", 13.0, 18.0),
            ("DiffRec", 472e6, "dims_dnn", 22.5, 12.0),
        )
    },
    "RecBole.CDAE": {"users*embedding_size": _OF_ADAM},
    # Factors in float32, and what they are drawn as; FunkSVD fills them in place.
    **{
        f"LensKit.{name}": {f"{rows}*embedding_size": size for rows in ("users", "items")}
        for name, size in (("ImplicitMFScorer", 8.0), ("BiasedMFScorer", 8.0), ("FunkSVDScorer", 4.0))
    },
}
"""Bytes that an algorithm's own code holds at the same time, whatever was measured."""
for _name in (*_OF_ENCODERS, *_OF_HIDDEN, *_OF_EMBEDDINGS, *_OF_RECURRENT, *_OF_BPR):
    # Scores of all items for users of the validation part, and which of them are theirs: SASRec needed 9, GRU4Rec 11, STAMP 13 for each.
    LEAST.setdefault(f"RecBole.{_name}", {})[f"items*{JUDGED_USERS}"] = 12.0
# Vectors of all items, how far they are from what a user is taken to want next, and that squared, once for each user who is judged at once.
LEAST["RecBole.TransRec"] = {JUDGED_VECTORS: 12.0}

SAME_WORK = {
    **dict.fromkeys(
        (f"RecPack.TARSItemKNN{name}" for name in ("", "Ding", "Lee", "Liu", "Liu2012", "Vaz")), ("RecPack.ItemKNN",)
    ),
    "RecPack.TARSItemKNNXia": ("RecPack.TARSItemKNNCoocDistance",),
    "Cornac.NeuMF": ("Cornac.GMF", "Cornac.MLP"),
}
"""Algorithms that compute what others do, and those others, whose terms they have; of a term that several have, the most bytes."""

"""Which of Cornac's models run here, what each needs to, and why the others do not."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cornac import models

TORCH, TENSORFLOW = "torch", "tensorflow"
ROWS, TEXTS = "rows", "texts"

ITEM_FEATURES = "item_features"
"""The hyperparameter that names the features of items which a model learns from; None for all that it can read."""

VOCABULARY: dict[str, Any] = {"max_vocab": None, "max_doc_freq": 1.0, "min_doc_freq": 1}
"""Which words of the texts count: hyperparameters of models that read texts, as Cornac's ``TextModality`` has them."""


@dataclass(frozen=True)
class Runnable:
    """A model that runs on a CPU.

    Attributes:
        rates: Whether it learns from ratings and predicts them, where the data has them.
        ranks: Whether it ranks items where the data has no ratings.
        epochs: The hyperparameter that is the number of its epochs; empty where Cornac tells of none while it trains.
        progress_bar: The module, and the name in it, of the progress bar that tells of them.
        library: What computes, beside Cornac: ``torch``, ``tensorflow``, or nothing.
        draws: Whether it draws negative items until one is none of the user's, which never ends for who has all.
        is_current: Whether the model can be asked while it trains; else it is filled in at the end.
        reads: What it learns from beside the interactions: ``rows`` of numbers of the items, their ``texts``, or nothing.
        learns_in: The module, and the class in it, of the objects that have what it learns while it trains; empty where the
            model itself has that, in arrays.
        network: The attribute that is a network with tensors which are no parameters, and change.
        not_resumable: Why it cannot go on from a snapshot; empty where it can.
    """

    rates: bool = False
    ranks: bool = True
    epochs: str = ""
    progress_bar: tuple[str, str] = ("", "")
    library: str = ""
    draws: bool = False
    is_current: bool = True
    reads: str = ""
    learns_in: tuple[str, str] = ("", "")
    network: str = ""
    not_resumable: str = ""

    @property
    def reads_texts(self) -> bool:
        """Whether it reads texts of the items."""
        return self.reads == TEXTS

    @property
    def has_bar_of_each_epoch(self) -> bool:
        """Whether a progress bar is that of the batches of an epoch, and none runs over the epochs."""
        return self.progress_bar[1] == "tqdm"


_OPTIMIZER = ("torch.optim", "Adam")

_COMPILED = "what it draws from is inside of Cornac's compiled code, and cannot be stored"
_OF_TENSORFLOW = "its loop, with TensorFlow's optimizer, is inside of Cornac, where no state of it can be stored"
_UNORDERED = "its optimizers have their parameters in no order, so that what they keep of each cannot be given back"

STOPS_EARLY = (
    "with early_stop=True it compares losses that are variables of Cornac's compiled code, and cannot be stored"
)
"""Why a model that compares the losses of two epochs does not go on from a snapshot."""

OTHER_BACKEND = (
    "with backend={!r} its loop, with the optimizer, is inside of Cornac, where no state of it can be stored"
)
"""The same of a model that is computed by another library than Cornac's own loops."""

_BPR = Runnable(epochs="max_iter", progress_bar=("bpr.recom_bpr", "trange"), not_resumable=_COMPILED)
_MF = Runnable(rates=True, ranks=False, epochs="max_iter", progress_bar=("mf.backend_cpu", "trange"))
_NCF = Runnable(
    epochs="num_epochs",
    progress_bar=("ncf.recom_ncf_base", "trange"),
    library=TENSORFLOW,
    draws=True,
    not_resumable=_OF_TENSORFLOW,
)


def _visual(module: str) -> Runnable:
    """Return a model that was made for what a network sees in the items' images, and reads any numbers."""
    return Runnable(
        epochs="n_epochs",
        progress_bar=(module, "tqdm"),
        library=TORCH,
        draws=True,
        is_current=False,
        reads=ROWS,
        learns_in=_OPTIMIZER,
    )


RUNNABLE: dict[str, Runnable] = {
    "MostPop": Runnable(),
    "BPR": _BPR,
    "WBPR": Runnable(epochs="max_iter", progress_bar=("bpr.recom_wbpr", "trange"), not_resumable=_COMPILED),
    "MMMF": _BPR,
    "WMF": Runnable(
        epochs="max_iter",
        progress_bar=("wmf.recom_wmf", "trange"),
        library=TENSORFLOW,
        is_current=False,
        not_resumable=_OF_TENSORFLOW,
    ),
    "HPF": Runnable(),
    "IBPR": Runnable(
        epochs="max_iter",
        progress_bar=("ibpr.ibpr", "tqdm"),
        library=TORCH,
        draws=True,
        is_current=False,
        learns_in=_OPTIMIZER,
    ),
    "EASE": Runnable(),
    "SKMeans": Runnable(),
    "VAECF": Runnable(epochs="n_epochs", progress_bar=("vaecf.vaecf", "trange"), library=TORCH, learns_in=_OPTIMIZER),
    "BiVAECF": Runnable(
        epochs="n_epochs",
        progress_bar=("bivaecf.bivae", "trange"),
        library=TORCH,
        learns_in=_OPTIMIZER,
        network="bivae",
    ),
    "RecVAE": Runnable(
        epochs="n_epochs",
        progress_bar=("recvae.recom_recvae", "trange"),
        library=TORCH,
        not_resumable=_UNORDERED,
    ),
    "GMF": _NCF,
    "MLP": _NCF,
    "NeuMF": _NCF,
    "ItemKNN": Runnable(rates=True),
    "UserKNN": Runnable(rates=True),
    "MF": _MF,
    "SVD": _MF,
    "PMF": Runnable(rates=True, ranks=False),
    "NMF": Runnable(rates=True, ranks=False, epochs="max_iter", progress_bar=("nmf.recom_nmf", "trange")),
    "BaselineOnly": Runnable(
        rates=True, ranks=False, epochs="max_iter", progress_bar=("baseline_only.recom_bo", "trange")
    ),
    "GlobalAvg": Runnable(rates=True, ranks=False),
    "CTR": Runnable(
        epochs="max_iter",
        progress_bar=("ctr.recom_ctr", "trange"),
        reads=TEXTS,
        learns_in=("cornac.models.ctr.ctr", "Model"),
    ),
    "HFT": Runnable(
        rates=True,
        ranks=False,
        epochs="max_iter",
        progress_bar=("hft.recom_hft", "trange"),
        is_current=False,
        reads=TEXTS,
        learns_in=("cornac.models.hft.hft", "Model"),
    ),
    "VBPR": _visual("vbpr.recom_vbpr"),
    "AMR": _visual("amr.recom_amr"),
}

_BASKETS = "it recommends for a user's next basket, from baskets, which are no part of the data"
_FEATURES = "it needs the items' {}, which Cornac wants in a modality of its own that omnibench does not hand over"
_TEXTS = "it needs the items' texts, and computes in a session of TensorFlow 1 that nobody has tried here"
_REVIEWS = "it needs what reviews say of aspects, a modality of Cornac that omnibench does not hand over"
_IMAGES = "it was made for what a network sees in the items' images; VBPR and AMR stand for such models here"
_EMBEDDINGS = "it needs embeddings of the items' contents that were computed before"
_GRAPH = "it needs a network of {}, which is no part of the data"
_DGL = "it needs dgl, whose last release cannot be imported beside the torch 2.13 of the environment"
_SESSIONS = "it learns from sessions in Cornac's own format, which omnibench does not hand over; RecBole has {}"
_INDEX = "it is an index over another model for searching it approximately, not a model"

REFUSED: dict[str, str] = {
    **dict.fromkeys(("AnnoyANN", "FaissANN", "HNSWLibANN", "ScaNNANN"), _INDEX),
    **dict.fromkeys(("Beacon", "DNNTSP", "GPTop", "TIFUKNN", "UPCF"), _BASKETS),
    **dict.fromkeys(("CDL", "CDR", "ConvMF", "CVAE"), _TEXTS),
    **dict.fromkeys(("HRDR", "NARRE"), _FEATURES.format("reviews")),
    **dict.fromkeys(("Companion", "ComparERObj", "ComparERSub", "EFM", "HypAR", "LRPPM", "MTER", "TriRank"), _REVIEWS),
    **dict.fromkeys(("CausalRec", "VMF"), _IMAGES),
    "DMRL": _FEATURES.format("texts and images"),
    **dict.fromkeys(("DiffGRM", "LETTER", "RPG", "TIGER"), _EMBEDDINGS),
    **dict.fromkeys(("C2PF", "MCF", "PCRL"), _GRAPH.format("items")),
    **dict.fromkeys(("CVAECF", "SBPR", "SoRec"), _GRAPH.format("users")),
    **dict.fromkeys(("GCMC", "LightGCN", "NGCF"), _DGL),
    "BERT4Rec": _SESSIONS.format("BERT4Rec"),
    "FPMC": _SESSIONS.format("FPMC"),
    "GRU4Rec": _SESSIONS.format("GRU4Rec"),
    "SASRec": _SESSIONS.format("SASRec"),
    "SPop": "it learns from sessions in Cornac's own format, which omnibench does not hand over",
    "TransformerRec": "it learns from sessions in Cornac's own format, and needs a pretrained language model",
    "VEBPR": "it needs two kinds of interactions, purchases and views",
    "COE": "Cornac 3.0.1 has it call numpy.int, which the numpy that Cornac needs (2 and later) no longer has",
    "FM": "the libFM in the wheels of Cornac 3.0.1 crashes and ends the process, whatever the method",
    "OnlineIBPR": "it goes on from the factors of another IBPR, and reads ratings as the numbers of negative items",
    "SANSA": "it needs scikit-sparse, which has no wheels: it is compiled against SuiteSparse, which pip cannot install",
}

_LEFT_OUT = {"self", "name", "seed", "trainable", "verbose", "num_threads", "use_gpu"}
"""What omnibench says itself: seed, threads and device are a plan's, and Cornac's name of a model plays no part."""

_PREPARED = {"init_params", "init_par", "B", "U", "cap_priors", "early_stopping"}
"""What takes arrays of an earlier model, features, or a validation part, none of which is handed over."""


def parameters_of(algorithm: str) -> dict[str, Any]:
    """Return the hyperparameters of a model's constructor with their defaults; tuples as the lists that JSON has of them."""
    signature = inspect.signature(getattr(models, algorithm).__init__)
    runnable = RUNNABLE[algorithm]
    own = {
        parameter.name: list(parameter.default) if isinstance(parameter.default, tuple) else parameter.default
        for parameter in signature.parameters.values()
        if parameter.name not in _LEFT_OUT | _PREPARED
    }
    return {**own, **(VOCABULARY if runnable.reads_texts else {}), **({ITEM_FEATURES: None} if runnable.reads else {})}


def not_resumable(algorithm: str, parameters: Mapping[str, Any]) -> str:
    """Return why a Fit cannot go on from a snapshot; empty where it can.

    Args:
        algorithm: The name of the model.
        parameters: Its hyperparameters, with their defaults.
    """
    runnable = RUNNABLE[algorithm]
    if not runnable.epochs:
        return f"{algorithm} is computed in one call, without points in between"
    backend = parameters.get("backend", "cpu")
    reason = runnable.not_resumable
    if not reason and backend != "cpu":
        reason = OTHER_BACKEND.format(backend)
    if not reason and parameters.get("early_stop"):
        reason = STOPS_EARLY
    return f"{algorithm}: {reason}" if reason else ""


def create(algorithm: str, parameters: dict[str, Any], seed: int) -> Any:
    """Return a model that is seeded, silent, and computes on the CPU.

    Args:
        algorithm: Its name in ``cornac.models``.
        parameters: Its hyperparameters.
        seed: The seed, below 2**31. With one, Cornac's own loops take a single thread.
    """
    model_class = getattr(models, algorithm)
    offered = inspect.signature(model_class.__init__).parameters
    settings = {"seed": seed, "verbose": False, "use_gpu": False}
    own = {name: value for name, value in parameters.items() if name not in {ITEM_FEATURES, *VOCABULARY}}
    return model_class(**own, **{name: value for name, value in settings.items() if name in offered})

"""The names of all algorithms of the frameworks."""

from __future__ import annotations

from enum import EnumType, StrEnum
from typing import TYPE_CHECKING, Any

from omnibench.arguments import checked_call
from omnibench.errors import PlanError


class UnknownAlgorithmError(PlanError, AttributeError):
    """An enum of algorithms has no member of a name: an AttributeError as well, for whoever looks whether it has."""


class _Names(EnumType):
    """The type of the enums: a member that is missing is refused as the same name in a text is."""

    if not TYPE_CHECKING:  # or type checkers would take every name for a member

        def __getattr__(cls, name: str) -> object:
            if name.startswith("_"):
                raise AttributeError(name)
            if name in cls._member_map_:  # Python 3.11 looks for members here
                return cls._member_map_[name]
            from omnibench.runners.info import algorithm_info
            from omnibench.runners.registry import get_runner

            try:
                algorithm_info(get_runner(cls.__name__), name)
            except PlanError as error:
                raise UnknownAlgorithmError(str(error)) from None
            raise AttributeError(name)


class _Algorithms(StrEnum, metaclass=_Names):
    """The base of enumerations that are made of a catalogue."""


@checked_call
def framework(name: str) -> Any:
    """Return the algorithms of a framework as members of an enumeration, as ``LensKit`` has them.

    It is for frameworks that are files of the project or come with a plugin: ``framework("mylib").LightFM`` is the text
    ``mylib.LightFM``, which plans take as well, and a name that the framework does not have is refused at once.

    Args:
        name: What the framework is called: ``mylib`` of ``adapters/mylib.py``.

    Raises:
        OmnibenchError: There is none of that name, or what its file says is wrong.
    """
    from omnibench.runners.registry import get_runner

    runner = get_runner(name)
    names = {algorithm: f"{name}.{algorithm}" for algorithm in runner.catalogue["algorithms"]}
    make: Any = _Algorithms
    return make(name, names)


class LensKit(StrEnum, metaclass=_Names):
    """The algorithms of LensKit."""

    PopScorer = "LensKit.PopScorer"
    EASEScorer = "LensKit.EASEScorer"
    SLIMScorer = "LensKit.SLIMScorer"
    ImplicitMFScorer = "LensKit.ImplicitMFScorer"
    FlexMFImplicitScorer = "LensKit.FlexMFImplicitScorer"
    ItemKNNScorer = "LensKit.ItemKNNScorer"
    UserKNNScorer = "LensKit.UserKNNScorer"
    BiasScorer = "LensKit.BiasScorer"
    BiasedMFScorer = "LensKit.BiasedMFScorer"
    FunkSVDScorer = "LensKit.FunkSVDScorer"
    FlexMFExplicitScorer = "LensKit.FlexMFExplicitScorer"
    TimeBoundedPopScore = "LensKit.TimeBoundedPopScore"
    LightGCNScorer = "LensKit.LightGCNScorer"
    ALS = "LensKit.ALS"
    BPR = "LensKit.BPR"
    BiasedSVDScorer = "LensKit.BiasedSVDScorer"
    NMFScorer = "LensKit.NMFScorer"


class RecPack(StrEnum, metaclass=_Names):
    """The algorithms of RecPack."""

    Popularity = "RecPack.Popularity"
    Random = "RecPack.Random"
    ItemKNN = "RecPack.ItemKNN"
    EASE = "RecPack.EASE"
    SVD = "RecPack.SVD"
    NMF = "RecPack.NMF"
    SVDItemToItem = "RecPack.SVDItemToItem"
    NMFItemToItem = "RecPack.NMFItemToItem"
    SLIM = "RecPack.SLIM"
    KUNN = "RecPack.KUNN"
    MultVAE = "RecPack.MultVAE"
    RecVAE = "RecPack.RecVAE"
    BPRMF = "RecPack.BPRMF"
    Prod2Vec = "RecPack.Prod2Vec"
    ItemPNN = "RecPack.ItemPNN"
    WeightedMatrixFactorization = "RecPack.WeightedMatrixFactorization"
    GRU4RecCrossEntropy = "RecPack.GRU4RecCrossEntropy"
    GRU4RecNegSampling = "RecPack.GRU4RecNegSampling"
    Prod2VecClustered = "RecPack.Prod2VecClustered"
    SequentialRules = "RecPack.SequentialRules"
    STAN = "RecPack.STAN"
    TARSItemKNN = "RecPack.TARSItemKNN"
    TARSItemKNNCoocDistance = "RecPack.TARSItemKNNCoocDistance"
    TARSItemKNNDing = "RecPack.TARSItemKNNDing"
    TARSItemKNNHermann = "RecPack.TARSItemKNNHermann"
    TARSItemKNNLee = "RecPack.TARSItemKNNLee"
    TARSItemKNNLiu = "RecPack.TARSItemKNNLiu"
    TARSItemKNNLiu2012 = "RecPack.TARSItemKNNLiu2012"
    TARSItemKNNVaz = "RecPack.TARSItemKNNVaz"
    TARSItemKNNXia = "RecPack.TARSItemKNNXia"


class RecBole(StrEnum, metaclass=_Names):
    """The algorithms of RecBole."""

    Pop = "RecBole.Pop"
    ItemKNN = "RecBole.ItemKNN"
    AsymKNN = "RecBole.AsymKNN"
    EASE = "RecBole.EASE"
    SLIMElastic = "RecBole.SLIMElastic"
    ADMMSLIM = "RecBole.ADMMSLIM"
    NCEPLRec = "RecBole.NCEPLRec"
    Random = "RecBole.Random"
    BPR = "RecBole.BPR"
    NeuMF = "RecBole.NeuMF"
    LightGCN = "RecBole.LightGCN"
    NGCF = "RecBole.NGCF"
    DMF = "RecBole.DMF"
    SGL = "RecBole.SGL"
    SimpleX = "RecBole.SimpleX"
    FISM = "RecBole.FISM"
    NAIS = "RecBole.NAIS"
    ConvNCF = "RecBole.ConvNCF"
    NNCF = "RecBole.NNCF"
    SpectralCF = "RecBole.SpectralCF"
    GCMC = "RecBole.GCMC"
    DGCF = "RecBole.DGCF"
    LINE = "RecBole.LINE"
    NCL = "RecBole.NCL"
    MultiVAE = "RecBole.MultiVAE"
    MultiDAE = "RecBole.MultiDAE"
    MacridVAE = "RecBole.MacridVAE"
    CDAE = "RecBole.CDAE"
    RecVAE = "RecBole.RecVAE"
    ENMF = "RecBole.ENMF"
    DiffRec = "RecBole.DiffRec"
    LDiffRec = "RecBole.LDiffRec"
    RaCT = "RecBole.RaCT"
    SASRec = "RecBole.SASRec"
    GRU4Rec = "RecBole.GRU4Rec"
    BERT4Rec = "RecBole.BERT4Rec"
    NARM = "RecBole.NARM"
    STAMP = "RecBole.STAMP"
    Caser = "RecBole.Caser"
    NextItNet = "RecBole.NextItNet"
    SRGNN = "RecBole.SRGNN"
    GCSAN = "RecBole.GCSAN"
    FPMC = "RecBole.FPMC"
    TransRec = "RecBole.TransRec"
    HGN = "RecBole.HGN"
    HRM = "RecBole.HRM"
    NPE = "RecBole.NPE"
    FOSSIL = "RecBole.FOSSIL"
    SHAN = "RecBole.SHAN"
    RepeatNet = "RecBole.RepeatNet"
    LightSANs = "RecBole.LightSANs"
    SINE = "RecBole.SINE"
    CORE = "RecBole.CORE"
    FEARec = "RecBole.FEARec"
    GRU4RecF = "RecBole.GRU4RecF"
    SASRecF = "RecBole.SASRecF"
    FDSA = "RecBole.FDSA"
    S3Rec = "RecBole.S3Rec"
    LR = "RecBole.LR"
    FM = "RecBole.FM"
    NFM = "RecBole.NFM"
    DeepFM = "RecBole.DeepFM"
    xDeepFM = "RecBole.xDeepFM"  # noqa: N815 - RecBole's own name
    AFM = "RecBole.AFM"
    FFM = "RecBole.FFM"
    FwFM = "RecBole.FwFM"
    FNN = "RecBole.FNN"
    PNN = "RecBole.PNN"
    DSSM = "RecBole.DSSM"
    WideDeep = "RecBole.WideDeep"
    DCN = "RecBole.DCN"
    DCNV2 = "RecBole.DCNV2"
    AutoInt = "RecBole.AutoInt"
    FiGNN = "RecBole.FiGNN"
    EulerNet = "RecBole.EulerNet"
    KD_DAGFM = "RecBole.KD_DAGFM"


class Cornac(StrEnum, metaclass=_Names):
    """The algorithms of Cornac."""

    MostPop = "Cornac.MostPop"
    BPR = "Cornac.BPR"
    WBPR = "Cornac.WBPR"
    MMMF = "Cornac.MMMF"
    WMF = "Cornac.WMF"
    HPF = "Cornac.HPF"
    IBPR = "Cornac.IBPR"
    EASE = "Cornac.EASE"
    SKMeans = "Cornac.SKMeans"
    VAECF = "Cornac.VAECF"
    BiVAECF = "Cornac.BiVAECF"
    RecVAE = "Cornac.RecVAE"
    GMF = "Cornac.GMF"
    MLP = "Cornac.MLP"
    NeuMF = "Cornac.NeuMF"
    ItemKNN = "Cornac.ItemKNN"
    UserKNN = "Cornac.UserKNN"
    MF = "Cornac.MF"
    SVD = "Cornac.SVD"
    PMF = "Cornac.PMF"
    NMF = "Cornac.NMF"
    CTR = "Cornac.CTR"
    HFT = "Cornac.HFT"
    VBPR = "Cornac.VBPR"
    AMR = "Cornac.AMR"
    BaselineOnly = "Cornac.BaselineOnly"
    GlobalAvg = "Cornac.GlobalAvg"


class Implicit(StrEnum, metaclass=_Names):
    """The algorithms of implicit."""

    AlternatingLeastSquares = "Implicit.AlternatingLeastSquares"
    BayesianPersonalizedRanking = "Implicit.BayesianPersonalizedRanking"
    LogisticMatrixFactorization = "Implicit.LogisticMatrixFactorization"
    ItemItemRecommender = "Implicit.ItemItemRecommender"
    CosineRecommender = "Implicit.CosineRecommender"
    TFIDFRecommender = "Implicit.TFIDFRecommender"
    BM25Recommender = "Implicit.BM25Recommender"


class RecTools(StrEnum, metaclass=_Names):
    """The algorithms of RecTools."""

    SASRecModel = "RecTools.SASRecModel"
    BERT4RecModel = "RecTools.BERT4RecModel"
    HSTUModel = "RecTools.HSTUModel"
    DSSMModel = "RecTools.DSSMModel"
    EASEModel = "RecTools.EASEModel"
    PureSVDModel = "RecTools.PureSVDModel"
    ImplicitALSWrapperModel = "RecTools.ImplicitALSWrapperModel"
    ImplicitBPRWrapperModel = "RecTools.ImplicitBPRWrapperModel"
    ImplicitItemKNNWrapperModel = "RecTools.ImplicitItemKNNWrapperModel"
    LightFMWrapperModel = "RecTools.LightFMWrapperModel"
    PopularModel = "RecTools.PopularModel"
    PopularInCategoryModel = "RecTools.PopularInCategoryModel"
    RandomModel = "RecTools.RandomModel"


class Surprise(StrEnum, metaclass=_Names):
    """The algorithms of Surprise."""

    NormalPredictor = "Surprise.NormalPredictor"
    BaselineOnly = "Surprise.BaselineOnly"
    KNNBasic = "Surprise.KNNBasic"
    KNNWithMeans = "Surprise.KNNWithMeans"
    KNNWithZScore = "Surprise.KNNWithZScore"
    KNNBaseline = "Surprise.KNNBaseline"
    SVD = "Surprise.SVD"
    SVDpp = "Surprise.SVDpp"
    NMF = "Surprise.NMF"
    SlopeOne = "Surprise.SlopeOne"
    CoClustering = "Surprise.CoClustering"

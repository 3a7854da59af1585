"""The names of all algorithms of the frameworks."""

from __future__ import annotations

from enum import StrEnum


class LensKit(StrEnum):
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


class RecPack(StrEnum):
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


class RecBole(StrEnum):
    """The algorithms of RecBole."""

    Pop = "RecBole.Pop"
    ItemKNN = "RecBole.ItemKNN"
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
    MultiVAE = "RecBole.MultiVAE"
    MultiDAE = "RecBole.MultiDAE"
    MacridVAE = "RecBole.MacridVAE"
    CDAE = "RecBole.CDAE"
    RecVAE = "RecBole.RecVAE"
    ENMF = "RecBole.ENMF"
    DiffRec = "RecBole.DiffRec"
    LDiffRec = "RecBole.LDiffRec"

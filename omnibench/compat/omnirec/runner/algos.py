"""The names of algorithms."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

from omnibench.experiment.algorithms import LensKit, RecPack

__all__ = ["Algorithms", "Elliot", "LensKit", "RecBole", "RecPack"]


class RecBole(StrEnum):
    """The algorithms of RecBole that OmniRec names."""

    ADMMSLIM = "RecBole.ADMMSLIM"
    BPR = "RecBole.BPR"
    CDAE = "RecBole.CDAE"
    ConvNCF = "RecBole.ConvNCF"
    DGCF = "RecBole.DGCF"
    DMF = "RecBole.DMF"
    DiffRec = "RecBole.DiffRec"
    EASE = "RecBole.EASE"
    ENMF = "RecBole.ENMF"
    FISM = "RecBole.FISM"
    GCMC = "RecBole.GCMC"
    ItemKNN = "RecBole.ItemKNN"
    LDiffRec = "RecBole.LDiffRec"
    LINE = "RecBole.LINE"
    LightGCN = "RecBole.LightGCN"
    MacridVAE = "RecBole.MacridVAE"
    MultiDAE = "RecBole.MultiDAE"
    MultiVAE = "RecBole.MultiVAE"
    NAIS = "RecBole.NAIS"
    NCEPLRec = "RecBole.NCEPLRec"
    NCL = "RecBole.NCL"
    NGCF = "RecBole.NGCF"
    NNCF = "RecBole.NNCF"
    NeuMF = "RecBole.NeuMF"
    Pop = "RecBole.Pop"
    Random = "RecBole.Random"
    RecVAE = "RecBole.RecVAE"
    SGL = "RecBole.SGL"
    SLIMElastic = "RecBole.SLIMElastic"
    SimpleX = "RecBole.SimpleX"
    SpectralCF = "RecBole.SpectralCF"


class Elliot(StrEnum):
    """The algorithms of Elliot that OmniRec names; omnibench does not have that framework."""

    AMF = "Elliot.AMF"
    BPRMF = "Elliot.BPRMF"
    BPRMF_batch = "Elliot.BPRMF_batch"
    ConvMF = "Elliot.ConvMF"
    DMF = "Elliot.DMF"
    DeepFM = "Elliot.DeepFM"
    FM = "Elliot.FM"
    FunkSVD = "Elliot.FunkSVD"
    GMF = "Elliot.GMF"
    ItemAutoRec = "Elliot.ItemAutoRec"
    ItemKNN = "Elliot.ItemKNN"
    LightGCN = "Elliot.LightGCN"
    MostPop = "Elliot.MostPop"
    MultiDAE = "Elliot.MultiDAE"
    MultiVAE = "Elliot.MultiVAE"
    NGCF = "Elliot.NGCF"
    NeuMF = "Elliot.NeuMF"
    NonNegMF = "Elliot.NonNegMF"
    PureSVD = "Elliot.PureSVD"
    SVDpp = "Elliot.SVDpp"
    SlopeOne = "Elliot.SlopeOne"
    UserAutoRec = "Elliot.UserAutoRec"
    UserKNN = "Elliot.UserKNN"
    WRMF = "Elliot.WRMF"


Algorithms: TypeAlias = LensKit | RecBole | RecPack | Elliot

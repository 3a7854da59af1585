"""Whether a difference between configurations is more than chance: paired tests, corrections, ranks over datasets."""

from omnibench.statistics.best import Standing, against_best
from omnibench.statistics.holm import holm
from omnibench.statistics.paired import Comparison, compare
from omnibench.statistics.ranks import Ranking, friedman

__all__ = ["Comparison", "Ranking", "Standing", "against_best", "compare", "friedman", "holm"]

"""Tests to inherit for an algorithm of one's own: ``from omnibench.testing import AlgorithmContract``."""

from omnibench.testing.contract import AlgorithmContract

__all__ = ["AlgorithmContract"]

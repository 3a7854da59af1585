"""The contract of an algorithm as tests to inherit: each check says what a user should change."""

from __future__ import annotations

from omnibench.testing.snapshot_checks import SnapshotChecks


class AlgorithmContract(SnapshotChecks):
    """Tests that an algorithm keeps omnibench's contract; inherit it, and name the algorithm.

    Every check fits and asks the algorithm in guest processes, as a benchmark does, on small data that are made here. What
    cannot hold is declared; any check can be overridden, like any method.

    Attributes:
        algorithm: The class, an enum member such as ``LensKit.ImplicitMFScorer``, or its name, ``"RecBole.BPR"``.
        parameters: Its hyperparameters. Few iterations make the checks quick: a snapshot is gone on from after each.
        dataset: The data of most checks, with a split, for what needs other or more data than the contract's own.
        seed: The seed of everything random.
        list_length: Recommendations per user.
        fills_lists: Whether every user gets as many items as are asked for; False for what cannot score every item.
        native_only: Whether the class is never pickled for a snapshot; see ``Snapshots``.
        expected_failures: By name, the checks that cannot hold, and why: ``{"test_single_items": "needs two items"}``. Such
            a check is expected to fail, and fails once it passes.
        timeout: Seconds after which a Fit or Predict fails.
        environments: Where frameworks run, ``isolated`` or ``current``, as for ``Coordinator``.
        device: ``cpu``, ``cuda`` or ``auto``.

    Example:
        >>> class TestMyRecommender(AlgorithmContract):
        ...     algorithm = MyRecommender
        ...     parameters = {"epochs": 4}
    """

    __test__ = False

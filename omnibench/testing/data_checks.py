"""Checks of an algorithm on unusual data: with less or more columns, unknown users, empty and short histories."""

from __future__ import annotations

import pytest

from omnibench.data.dataset import RecSysDataSet
from omnibench.errors import OmnibenchError, PlanError
from omnibench.guest.feature_types import SUBJECTS
from omnibench.runners.own_calls import takes
from omnibench.testing import advice, data
from omnibench.testing.findings import fail, fail_with, predicted, skip_unless_fits
from omnibench.testing.prediction_checks import PredictionChecks
from omnibench.testing.subject import Subject


class DataChecks(PredictionChecks):
    """Checks of an algorithm on unusual data."""

    __test__ = False

    def test_data_without_ratings_and_times(self, subject: Subject) -> None:
        """Data that have nothing but users and items are enough for what recommends; what reads times is refused them by name."""
        if not subject.ranks:
            pytest.skip(f"{subject.name} learns from ratings: it predicts nothing else")
        if subject.form != data.RANKED:
            pytest.skip(f"{subject.name} says that it needs ratings, so it gets no data without them")
        if subject.configuration.reads_sequences or subject.configuration.reads_times:
            self._check_refusal(subject)
            return
        self._check(subject, data.without_times(), "data without ratings and timestamps", advice.BARE)

    def _check_refusal(self, subject: Subject) -> None:
        """Fail where a plan takes data without timestamps, or says not why it does not."""
        self._skip_other_data()
        try:
            subject.experiment(data.without_times())
        except PlanError as error:
            if subject.name in str(error) and "no column 'timestamp'" in str(error):
                return
            fail_with(error, f"{subject.name} is refused data without timestamps for another reason", advice.REFUSAL)
        fail(f"{subject.name} needs timestamps, and a plan takes data without timestamps for it", advice.REFUSAL)

    def test_data_with_ratings(self, subject: Subject) -> None:
        """Data that have ratings and timestamps as well are no trouble."""
        dataset = data.usual(data.RATED if subject.ranks else data.EXPLICIT)
        self._check(subject, dataset, "data with ratings and timestamps", advice.RATED)

    def test_empty_histories(self, subject: Subject) -> None:
        """Users and items that the dataset has, and training has not, are no trouble."""
        dataset = data.with_empty_histories(subject.form)
        self._check(subject, dataset, "data with users and items that training does not have", advice.EMPTY_HISTORIES)

    def test_features(self, subject: Subject) -> None:
        """Frames of items and users that have features beside the ids, some of them missing, are no trouble."""
        if subject.own_class is None:
            pytest.skip(f"{subject.name} is no class, whose fit would name items or users")
        if not any(takes(subject.own_class, name) for name in SUBJECTS):
            pytest.skip(f"{subject.name} takes no features: its fit names neither items nor users")
        called = "data with features of users and items"
        self._check(subject, data.with_features(subject.form), called, advice.FEATURES)

    def test_single_items(self, subject: Subject) -> None:
        """Users with a single item get full lists, and those with all items but one get that one."""
        called, length = "data of users with one item, and with all items but one", data.ITEMS + 5
        self._check(subject, data.with_single_items(subject.form), called, advice.SINGLE_ITEMS, length)

    def test_unknown_users(self, subject: Subject) -> None:
        """It recommends to users who are unknown in training if it takes histories, and rates unknown users and items."""
        predicted(subject)
        takes_history = subject.configuration.offers_history
        if not takes_history and not subject.rates:
            pytest.skip(
                f"{subject.name} is asked for users of training only: it takes no history, and predicts no ratings"
            )
        skip_unless_fits(subject, data.with_empty_histories(subject.form), "test_empty_histories")
        if takes_history:
            self._check(subject, data.with_unknown_users(), "users who are unknown in training", advice.HISTORY)
        if subject.rates:
            self._check_unknown_pairs(subject)

    def _check_unknown_pairs(self, subject: Subject) -> None:
        try:
            subject.predicted(subject.fitted(self._explicit), ratings=True)
        except OmnibenchError:
            pytest.skip(f"{subject.name} does not predict ratings as it should: test_predicts_ratings says why")
        try:
            subject.predict(subject.fitted(data.with_unknown_pairs()), ratings=True)
        except OmnibenchError as error:
            finding = f"{subject.name} does not rate pairs whose user or item is unknown in training"
            fail_with(error, finding, subject.to_change(advice.RATINGS))

    def _skip_other_data(self) -> None:
        if self.dataset is not None:
            pytest.skip("the test class has data of its own: override this check to try it with such data")

    def _check(self, subject: Subject, dataset: RecSysDataSet, called: str, change: str, length: int = 0) -> None:
        """Fail where the algorithm does not fit on some data, or does not predict.

        Args:
            subject: The algorithm.
            dataset: The data.
            called: What to call the data.
            change: What to change.
            length: Recommendations per user, if not as many as usual.
        """
        usual = predicted(subject)
        self._skip_other_data()
        ratings = dataset.feedback == "explicit"
        try:
            model = subject.fitted(dataset)
            predictions = subject.predict(model, ratings=ratings, length=length)
        except OmnibenchError as error:
            fail_with(error, f"{subject.name} fails on {called}", subject.to_change(change))
        if not ratings and not self._short_lists(subject.fitted(), usual, subject.list_length)[0]:
            self._check_lengths(subject, model, predictions, length or subject.list_length)

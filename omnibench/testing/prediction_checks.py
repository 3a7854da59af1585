"""Checks of what an algorithm predicts: within the contract, the same for a seed, the same wherever it is loaded."""

from __future__ import annotations

import pytest

from omnibench.data.dataset import RecSysDataSet
from omnibench.errors import OmnibenchError
from omnibench.guest.predictions import Predictions
from omnibench.testing import advice, data
from omnibench.testing.contents import difference_of_predictions
from omnibench.testing.declared import Declared
from omnibench.testing.findings import fail, fail_with, fitted, predicted, skip_unless_fits
from omnibench.testing.framework_advice import to_change
from omnibench.testing.lists import short_lists
from omnibench.testing.processes import ELSEWHERE, SHARED
from omnibench.testing.subject import Fitted, Subject


class PredictionChecks(Declared):
    """Checks of what an algorithm predicts."""

    __test__ = False

    def test_fits(self, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> None:
        """A plan takes it, it fits on small data, and its model is stored."""
        try:
            self._subject(request, tmp_path_factory).fitted()
        except OmnibenchError as error:
            fail_with(
                error, "The algorithm does not fit", to_change(advice.FIT, is_class=isinstance(self.algorithm, type))
            )

    def test_recommends(self, subject: Subject) -> None:
        """Every user gets a full list: known items, nothing seen, none twice, best first, with finite scores."""
        model = fitted(subject)
        if not subject.ranks:
            pytest.skip(f"{subject.name} recommends nothing: it predicts ratings")
        try:
            predictions = subject.predicted(model)
        except OmnibenchError as error:
            fail_with(error, f"{subject.name} does not recommend as it should", subject.to_change(advice.LISTS))
        self._check_lengths(subject, model, predictions, subject.list_length)

    def test_predicts_ratings(self, subject: Subject) -> None:
        """Where it predicts ratings, every test pair gets a finite one, in the order of the pairs."""
        fitted(subject)
        if not subject.rates:
            pytest.skip(f"{subject.name} predicts no ratings")
        if subject.ranks:
            skip_unless_fits(subject, data.usual(data.RATED), "test_data_with_ratings")
        try:
            subject.predicted(subject.fitted(self._explicit), ratings=True)
        except OmnibenchError as error:
            fail_with(error, f"{subject.name} does not predict ratings as it should", subject.to_change(advice.RATINGS))

    def test_same_seed_same_lists(self, subject: Subject) -> None:
        """With the same seed it predicts the same to the last bit, in another process and again in the same one."""
        expected = predicted(subject)
        for process, called, change in (
            (ELSEWHERE, "another process", advice.UNSEEDED),
            (SHARED, "the same process", advice.LEFTOVERS),
        ):
            difference = difference_of_predictions(expected, subject.refitted(process)[1])
            if difference:
                fail(
                    f"{subject.name} is fitted again in {called} with the same seed, and {difference}",
                    subject.to_change(change),
                )

    def test_other_seed_other_lists(self, subject: Subject) -> None:
        """Another seed changes what it predicts, unless it says that it is deterministic."""
        expected = predicted(subject)
        equal = not difference_of_predictions(expected, subject.usual(subject.fit(seed=subject.seed + 1)))
        says_so = subject.configuration.deterministic
        if says_so and not equal:
            finding = f"{subject.name} says that it is deterministic, and another seed changes what it predicts"
            fail(finding, subject.to_change(advice.DETERMINISTIC))
        if equal and not says_so:
            once = "; with `deterministic = True` in the class it is fitted once for several seeds"
            reason = f"{subject.name} has no randomness here: another seed predicts the same"
            pytest.skip(reason + (once if subject.own_class else ""))

    def test_saved_and_loaded_elsewhere(self, subject: Subject) -> None:
        """Another process in another directory predicts the same from the stored model, wherever its file lies."""
        predicted(subject)
        model = subject.fit()
        expected = subject.usual(model)
        changed = difference_of_predictions(expected, subject.usual(model))
        if changed:
            fail(f"{subject.name} is asked twice, and {changed}", subject.to_change(advice.CHANGES_ITSELF))
        subject.processes.renew(ELSEWHERE)
        elsewhere = f"{subject.name} is loaded in another process and another directory"
        try:
            predictions = subject.usual(subject.moved(model), ELSEWHERE)
        except OmnibenchError as error:
            fail_with(error, f"{elsewhere}, and does not predict", subject.to_change(advice.ELSEWHERE))
        difference = difference_of_predictions(expected, predictions)
        if difference:
            fail(f"{elsewhere}, and {difference}", subject.to_change(advice.ELSEWHERE))

    @property
    def _explicit(self) -> RecSysDataSet:
        """The data on which ratings are predicted."""
        is_explicit = self.dataset is not None and self.dataset.feedback == "explicit"
        return self.dataset if is_explicit and self.dataset is not None else data.usual(data.EXPLICIT)

    def _short_lists(self, model: Fitted, predictions: Predictions, length: int) -> tuple[int, str]:
        if not self.fills_lists or predictions.lists is None:
            return 0, ""
        return short_lists(model.dataset, model.experiment.fold, predictions.lists, length)

    def _check_lengths(self, subject: Subject, model: Fitted, predictions: Predictions, length: int) -> None:
        n_short, example = self._short_lists(model, predictions, length)
        if n_short:
            change = subject.to_change(advice.FULL_LISTS)
            fail(f"{n_short} users get shorter lists than there are items for: {example}", change)

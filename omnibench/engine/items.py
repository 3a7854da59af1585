"""Items: an experiment with the metrics that are wanted of it, and the keys under which it is recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from omnibench.experiment.evaluator import Evaluator
from omnibench.experiment.experiment import Experiment, eval_key
from omnibench.experiment.outputs import Outputs, outputs_of
from omnibench.metrics.base import Columns, Metric
from omnibench.metrics.cost import CostMetric
from omnibench.store.schema import GROUPS, RecordLookup, RecordType


def column_directions(experiment: Experiment, columns: Columns) -> dict[str, bool]:
    """Return what results call the columns of an experiment, and whether larger values are better; not what a fit costs.

    Args:
        experiment: The experiment.
        columns: The metrics and labels that are measured.
    """
    return {
        experiment.qualified(metric, label): metric.higher_is_better
        for metric, label in columns
        if not isinstance(metric, CostMetric)
    }


@dataclass(frozen=True, slots=True)
class Item:
    """An experiment and what is to be measured of it.

    There may be 100,000 of them, which share their columns: making one costs half a microsecond.

    Attributes:
        experiment: Dataset, configuration and fold.
        columns: The wanted metrics and labels.
        list_length: Recommendations per user.
    """

    experiment: Experiment
    columns: Columns
    list_length: int

    @classmethod
    def of(cls, experiment: Experiment, evaluator: Evaluator) -> Item:
        """Return the item that measures an evaluator's metrics on an experiment."""
        return cls(experiment, evaluator.columns, evaluator.list_length)

    @property
    def record_key(self) -> str:
        """The key of the item's own record."""
        return RecordType.ITEM.key(self.experiment.fit_key)

    @property
    def fit_record_key(self) -> str:
        """The key of the record of its fitted model."""
        return RecordType.FIT.key(self.experiment.fit_key)

    @property
    def outputs(self) -> Outputs:
        """What its predictions are."""
        return outputs_of(self.experiment.dataset.feedback, (metric for metric, _ in self.columns))

    @property
    def predict_key(self) -> str:
        """The key that identifies its predictions."""
        return self.experiment.predict_key(self.list_length, self.outputs)

    @property
    def predicted(self) -> str:
        """What its predictions depend on beside the model; see ``Experiment.predicted``."""
        return self.experiment.predicted(self.list_length, self.outputs)

    @property
    def predict_record_key(self) -> str:
        """The key of the record of its predictions."""
        return RecordType.PREDICT.key(self.predict_key)

    @property
    def data_record_key(self) -> str:
        """The key of the record of its prepared dataset."""
        return RecordType.DATA.key(self.experiment.dataset.key)

    @property
    def qualified_labels(self) -> dict[str, str]:
        """What results and records call each column, by label; see ``Metric.qualified``."""
        return {label: self.experiment.qualified(metric, label) for metric, label in self.columns}

    def qualified_values(self, values: Mapping[str, float | None]) -> dict[str, float]:
        """Return the defined values by qualified label, in the order of the columns.

        Args:
            values: By label.
        """
        names = {name: values.get(label) for label, name in self.qualified_labels.items()}
        return {name: value for name, value in names.items() if value is not None}

    def with_groups(self, get: RecordLookup) -> Item:
        """Return the item with a column for each recorded group in the place of those that stand for all groups.

        Those whose groups are not recorded for its predictions stay as they are.

        Args:
            get: From a record's key to the record, or None.
        """
        if not any(metric.groupings for metric, _ in self.columns):
            return self
        recorded, keys = (get(self.record_key) or {}).get(GROUPS, {}), self.eval_keys(get) or {}
        columns: list[tuple[Metric, str]] = []
        for metric, label in self.columns:
            entry = recorded.get(self.experiment.qualified(metric, label))
            if not metric.groupings or metric.group or entry is None or entry["key"] != keys.get(label):
                columns.append((metric, label))
            else:
                members = [metric.of_group(group) for group in entry["names"]]
                columns += [(member, member.label_like(label)) for member in members]
        return replace(self, columns=columns)

    def eval_keys(self, get: RecordLookup) -> dict[str, str] | None:
        """Return the keys of its evaluations by label, or None while it has no predictions; costs have no key.

        Args:
            get: From a record's key to the record, or None.
        """
        data, predict = get(self.data_record_key), get(self.predict_record_key)
        if data is None or predict is None:
            return None
        fit_key, test = self.experiment.fit_key, data["test"][self.experiment.fold]
        predictions = predict["predictions"]["sha256"]
        return {
            label: eval_key(fit_key, predictions, test, metric, label)
            for metric, label in self.columns
            if not isinstance(metric, CostMetric)
        }

    def costs(self, get: RecordLookup) -> dict[str, float]:
        """Return its measured costs by label.

        Args:
            get: From a record's key to the record, or None.
        """
        cost_columns = [(metric, label) for metric, label in self.columns if isinstance(metric, CostMetric)]
        if not cost_columns:
            return {}
        fit, predict = get(self.fit_record_key), get(self.predict_record_key)
        values = {label: metric.read(fit, predict) for metric, label in cost_columns}
        return {label: value for label, value in values.items() if value is not None}

"""RecBole's models that several of its runs train, one after the other: each begins with the parameters of the run before.

RecBole's users write a script for each run, as its documentation of a model shows. Here a Fit has all of them. A hyperparameter
with the name of a later run has the settings that are not those of the first, e.g. ``finetune={"learning_rate": 2e-6}``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from .snapshots import Snapshots

HANDED_ON = "stage.pth"
"""The file with the parameters of a run, which the next one reads."""

STAGE = "stage.json"
"""The file of a snapshot that says in which run it was taken."""

OF_A_STAGE = (
    "epochs",
    "pretrain_epochs",
    "train_batch_size",
    "learner",
    "learning_rate",
    "weight_decay",
    "clip_grad_norm",
    "eval_step",
    "stopping_step",
)
"""The settings that a run may have of its own."""


@dataclass(frozen=True)
class Stages:
    """The runs that train a model.

    Attributes:
        setting: RecBole's setting that says which run it is.
        source: Its setting with the file that the run before has written.
        names: What ``setting`` is, in order.
        pretraining: How many of the first ones train for ``pretrain_epochs``, whatever validation says. The others train for
            ``epochs`` and stop early.
        settings: By run, the defaults of what differs from the first one.
    """

    setting: str
    source: str
    names: tuple[str, ...]
    pretraining: int
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def of_its_own(self) -> tuple[str, ...]:
        """The settings of RecBole's that are the adapter's business: which run it is, and the files."""
        return (self.setting, self.source, *(("save_step",) if self.pretraining else ()))

    @property
    def defaults(self) -> dict[str, dict[str, Any]]:
        """The settings of the later runs that are not those of the first, by the run's name."""
        return {name: dict(self.settings.get(name, {})) for name in self.names[1:]}

    @property
    def settable(self) -> dict[str, list[str]]:
        """The settings that each later run may have of its own, by the run's name."""
        return {name: self._settable(number) for number, name in enumerate(self.names) if number}

    def _settable(self, number: int) -> list[str]:
        left_out = set() if number < self.pretraining else {"pretrain_epochs"}
        if self.pretraining:  # the epochs of the last run are the model's own
            left_out.add("epochs")
        return [name for name in OF_A_STAGE if name not in left_out]

    def of_run(self, number: int, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the hyperparameters of a run.

        Args:
            number: How many runs are before.
            parameters: All of the model's.
        """
        return {**parameters, **(parameters[self.names[number]] if number else {})}


STAGES = {
    "RaCT": Stages(
        "train_stage",
        "pre_model_path",
        ("actor_pretrain", "critic_pretrain", "finetune"),
        pretraining=2,
        settings={  # RecBole's documentation of the model: its example, and the learning rates that it suggests
            "critic_pretrain": {"pretrain_epochs": 50, "learning_rate": 0.0001},
            "finetune": {"learning_rate": 0.000002},
        },
    ),
    "S3Rec": Stages("train_stage", "pre_model_path", ("pretrain", "finetune"), pretraining=1),
    "KD_DAGFM": Stages("phase", "warm_up", ("teacher_training", "distillation", "finetuning"), pretraining=0),
}
"""The models, with RecBole's names of their runs."""


@dataclass(frozen=True)
class Stage:
    """A run of a Fit.

    Attributes:
        name: RecBole's name of it; empty of a model that a single run trains.
        settings: What RecBole is told for it.
        pretrains: Whether it trains for ``pretrain_epochs``.
        is_last: Whether the model is what it has trained.
        number: How many runs were before.
        before: For how many epochs these have trained.
        after: For how many epochs the later ones will train at most.
        resumes: Whether it goes on from the Fit's snapshot.
    """

    name: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    pretrains: bool = False
    is_last: bool = True
    number: int = 0
    before: int = 0
    after: int = 0
    resumes: bool = True

    def progress(self, number: int, epochs: int, loss: float) -> dict[str, int | float]:
        """Return what is reported of an epoch: those of the last run are the Fit's epochs, others are iterations.

        Args:
            number: The epoch's number in the run, from 1.
            epochs: How many the run will have at most.
            loss: Its loss.
        """
        if self.is_last:
            return {"epoch": number, "epochs": epochs, "loss": loss}
        return {"iteration": number, "iterations": epochs, f"{self.name}_loss": loss}

    def mark(self, directory: Path) -> None:
        """Note in a snapshot in which run it was taken.

        Args:
            directory: The snapshot's.
        """
        if not self.name:
            return
        members = {"number": self.number, "before": self.before}
        Path(directory, STAGE).write_text(json.dumps(members), encoding="utf-8")


class Course:
    """The runs of one Fit, of which a snapshot may have some behind it.

    Args:
        algorithm: The model's name.
        parameters: All its hyperparameters.
        snapshots: The snapshots of the Fit.
    """

    def __init__(self, algorithm: str, parameters: Mapping[str, Any], snapshots: Snapshots) -> None:
        self._stages = STAGES.get(algorithm)
        self._parameters, self._snapshots = parameters, snapshots
        self._trained = 0

    def __iter__(self) -> Iterator[Stage]:
        stages = self._stages
        if stages is None:
            yield Stage()
            return
        first = 0
        with self._snapshots.restoring() as directory:
            is_resumed = directory is not None
            if directory is not None:
                noted = json.loads(Path(directory, STAGE).read_text(encoding="utf-8"))
                first, self._trained = noted["number"], noted["before"]
        for number, name in enumerate(stages.names[first:], first):
            yield Stage(
                name,
                self._settings(stages, number),
                pretrains=number < stages.pretraining,
                is_last=number == len(stages.names) - 1,
                number=number,
                before=self._trained,
                after=sum(self._epochs(stages, later) for later in range(number + 1, len(stages.names))),
                resumes=is_resumed and number == first,
            )

    def hand_on(self, network: Any, epochs: int) -> None:
        """Write what the next run begins with.

        Args:
            network: What the present run has trained.
            epochs: For how many epochs it has.
        """
        if self._stages is None:
            return
        self._trained += epochs
        torch.save({"state_dict": network.state_dict()}, HANDED_ON)

    def prepare(self, stage: Stage, config: Any, new: Callable[[Any], Any]) -> None:
        """See that there is what a run begins with; of one that goes on from a snapshot any parameters will do, it has others.

        Args:
            stage: The run.
            config: RecBole's configuration of it.
            new: Makes a network of a configuration.
        """
        if self._stages is not None and stage.resumes and stage.number:
            first = deepcopy(config)
            first[self._stages.setting] = self._stages.names[0]
            self.hand_on(new(first), 0)

    def _settings(self, stages: Stages, number: int) -> dict[str, Any]:
        settings = {stages.setting: stages.names[number], stages.source: HANDED_ON if number else ""}
        if stages.pretraining:
            settings["save_step"] = self._epochs(stages, number) + 1  # never: the last epoch is what counts
        return {**settings, **self._own(stages, number)}

    def _own(self, stages: Stages, number: int) -> Mapping[str, Any]:
        own: Mapping[str, Any] = self._parameters[stages.names[number]] if number else {}
        return own

    def _epochs(self, stages: Stages, number: int) -> int:
        name = "pretrain_epochs" if number < stages.pretraining else "epochs"
        return int(stages.of_run(number, self._parameters)[name])

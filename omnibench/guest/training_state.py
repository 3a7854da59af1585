"""The state of a PyTorch trainer and its network: everything that training changes, and nothing that it does not.

A Fit that goes on makes its network and trainer as from the beginning, and then gets the state of the other process:
parameters and buffers, the states of optimizers and schedulers, and the plain attributes of all layers and the trainer.
What training leaves as it was made, such as the training data that many models keep, is not stored; where it is not the
same in the process that goes on, the state is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch

from . import random_states, states
from .fingerprints import OPAQUE, Fingerprint, fingerprint

_OF_MODULES = frozenset(vars(torch.nn.Module())) - {"training"}
"""The attributes that every layer has, of which PyTorch takes care."""

_STATEFUL = (torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler)


class TrainingState:
    """What a trainer and its network are before the first batch, to tell what training has changed.

    Args:
        trainer: Any object with optimizers and numbers as attributes.
        network: The network.
        shared: Objects that every Fit makes alike and that attributes may refer to, such as the dataset.
        opaque: Their types, of which an attribute is as it is made.
        ignored: The attributes of the trainer and of the network itself that belong to the process.
        generators: The random generators of the training data by any names.
        remade: The network's attributes that the trainer makes anew at the beginning of each epoch.
        constant: The network's attributes that training only reads, and that are so large that to look would take time.
    """

    def __init__(
        self,
        trainer: Any,
        network: Any,
        shared: Mapping[str, Any],
        *,
        opaque: tuple[type, ...] = (),
        ignored: Collection[str] = (),
        generators: Mapping[str, Any] | None = None,
        remade: Collection[str] = (),
        constant: Collection[str] = (),
    ) -> None:
        self._trainer, self._network, self._opaque = trainer, network, (*OPAQUE, *opaque)
        self._ignored, self._remade = frozenset(ignored), frozenset(remade)
        self._constant = {("layer ", name) for name in constant}
        self._shared = dict(shared)
        self._stateful: dict[str, Any] = {}
        self._generators = dict(generators or {})
        self._first: dict[tuple[str, str], Fingerprint] = {}
        self._contents: dict[tuple[str, str], bytes] = {}
        for name, module in network.named_modules():
            self._shared[f"layer {name}"] = module
        for name, parameter in network.named_parameters():
            self._shared[f"parameter {name}"] = parameter
        self._modules = sorted(name for name, _ in network.named_modules())
        for key, value in self._attributes().items():
            if key not in self._constant:
                self._note(key, value)

    def _note(self, key: tuple[str, str], value: Any) -> None:
        """Note what an attribute is at the beginning."""
        first = self._first[key] = fingerprint(value, self._opaque)
        if isinstance(value, self._opaque):
            self._shared.setdefault(" ".join(key), value)
        for number, member in enumerate(first.opaque):
            for types, members in ((_STATEFUL, self._stateful), (torch.Generator, self._generators)):
                if isinstance(member, types) and not any(member is noted for noted in members.values()):
                    members[f"{' '.join(key)} {number}"] = member
        self._shared |= self._stateful | self._generators

    def _attributes(self) -> dict[tuple[str, str], Any]:
        """Return all plain attributes of the trainer and of the network's layers by owner and name."""
        owners = {"trainer": self._trainer, **{f"layer {name}": part for name, part in self._network.named_modules()}}
        return {
            (owner, name): value
            for owner, part in owners.items()
            for name, value in vars(part).items()
            if name not in (self._ignored if owner in ("trainer", "layer ") else ())
            if owner == "trainer" or name not in _OF_MODULES
        }

    def save(self, directory: Path, more: Any, *, is_remade: bool = False) -> None:
        """Write the state of this moment.

        Args:
            directory: The directory, which is there.
            more: What is to be stored with it.
            is_remade: Whether the trainer has made anew what it makes at the beginning of an epoch.

        Raises:
            ValueError: Training has made other layers than the network had.
            Exception: Something cannot be pickled.
        """
        if sorted(name for name, _ in self._network.named_modules()) != self._modules:
            raise ValueError("training has changed of which layers the network consists")
        attributes, constants, unchanged = self._changed(is_remade=is_remade)
        parameters = dict(self._network.named_parameters())
        state = {
            "parameters": {name: value.detach() for name, value in parameters.items()},
            "trained": {name: value.requires_grad for name, value in parameters.items()},
            "gradients": self._gradients(parameters),
            "buffers": dict(self._network.named_buffers()),
            "stateful": {name: value.state_dict() for name, value in self._stateful.items()},
            "attributes": attributes,
            "constants": constants,
            "generators": {name: value.get_state() for name, value in self._generators.items()},
            "random": random_states.capture(),
        }
        states.save(directory, {"state": state, "more": more}, {**unchanged, **self._shared})

    def _gradients(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return the gradients that the next batch adds to: those of other optimizers' parameters, where they are clipped."""
        is_single = len(self._stateful) == 1
        if is_single or not getattr(self._trainer, "clip_grad_norm", None):
            return {}
        return {name: value.grad for name, value in parameters.items() if value.grad is not None}

    def _changed(
        self, *, is_remade: bool
    ) -> tuple[dict[tuple[str, str], Any], dict[tuple[str, str], bytes], dict[str, Any]]:
        """Return the attributes to store, the digests of those that are not, and these themselves by name."""
        attributes: dict[tuple[str, str], Any] = {}
        constants: dict[tuple[str, str], bytes] = {}
        unchanged: dict[str, Any] = {}
        shared = {id(value) for value in self._shared.values()}
        for key, value in self._attributes().items():
            if key[0] == "layer " and key[1] in self._remade:
                if is_remade:
                    constants[key] = fingerprint(value, self._opaque, by_content=True).digest
                continue
            if key in self._constant:
                constants[key] = self._content(key, value)
                unchanged["constant " + " ".join(key)] = value
                continue
            first, present = self._first.get(key), fingerprint(value, self._opaque)
            is_same = first is not None and first.digest == present.digest
            if is_same and (not present.is_light or any(id(member) not in shared for member in present.opaque)):
                constants[key] = self._content(key, value)
                unchanged["constant " + " ".join(key)] = value
            else:
                attributes[key] = value
        return attributes, constants, unchanged

    def _content(self, key: tuple[str, str], value: Any) -> bytes:
        """Return the digest of what training leaves alone, as another process has it."""
        if key not in self._contents:
            self._contents[key] = fingerprint(value, self._opaque, by_content=True).digest
        return self._contents[key]

    def read(self, directory: Path) -> tuple[Any, Any]:
        """Return a state that ``save`` has written, and what was stored with it.

        Args:
            directory: The directory.
        """
        constants = {"constant " + " ".join(key): value for key, value in self._attributes().items()}
        saved = states.load(directory, {**constants, **self._shared})
        return saved["state"], saved["more"]

    def restore(self, state: Any) -> None:
        """Put the network, the trainer and the global random generators into a state that ``read`` has returned.

        Args:
            state: The state.

        Raises:
            ValueError: What training leaves alone is not the same in this process.
        """
        present = self._attributes()
        for key, digest in state["constants"].items():
            if key not in present or fingerprint(present[key], self._opaque, by_content=True).digest != digest:
                raise ValueError(f"{key[1]} of the {key[0].strip()} is not what it was when the snapshot was taken")
        self._restore_tensors(state)
        for name, value in state["stateful"].items():
            self._stateful[name].load_state_dict(value)
        owners = {f"layer {name}": vars(part) for name, part in self._network.named_modules()}
        owners["trainer"] = vars(self._trainer)
        for owner, name in present.keys() - state["attributes"].keys() - state["constants"].keys():
            if not (owner == "layer " and name in self._remade):
                del owners[owner][name]
        for key, value in state["attributes"].items():
            if key not in present or not self._is_same(present[key], value):
                owners[key[0]][key[1]] = value
        for name, value in state["generators"].items():
            self._generators[name].set_state(value)
        random_states.restore(state["random"])

    def _is_same(self, present: Any, value: Any) -> bool:
        """Whether an attribute need not be replaced: what is equal stays, so that a model's file is the same to the byte."""
        first = fingerprint(present, self._opaque)
        second = fingerprint(value, self._opaque)
        if first.opaque or second.opaque:
            return first.digest == second.digest
        contents = [fingerprint(content, self._opaque, by_content=True).digest for content in (present, value)]
        return contents[0] == contents[1]

    def _restore_tensors(self, state: Any) -> None:
        """Copy parameters and buffers into those of this process, which optimizers know."""
        parameters, buffers = dict(self._network.named_parameters()), dict(self._network.named_buffers())
        if parameters.keys() != state["parameters"].keys() or buffers.keys() != state["buffers"].keys():
            raise ValueError("the network has other parameters than it had when the snapshot was taken")
        with torch.no_grad():
            for name, value in (*state["parameters"].items(), *state["buffers"].items()):
                target = parameters[name] if name in parameters else buffers[name]
                if target.shape != value.shape or target.dtype != value.dtype:
                    raise ValueError(f"{name} has another shape than it had when the snapshot was taken")
                target.copy_(value)
        for name, parameter in parameters.items():
            parameter.requires_grad_(state["trained"][name])
            parameter.grad = state["gradients"].get(name)

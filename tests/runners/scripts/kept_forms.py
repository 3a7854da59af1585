"""Fit all algorithms of a framework one after the other on a fold, and see that none changes what is kept of its data.

python kept_forms.py GUEST_DIRECTORY MODULE DATASET OUTPUT      (JSON: by algorithm, how many forms were kept, and which changed)
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import json
import pickle
import sys
import tempfile
from pathlib import Path
from typing import Any

from guest_package import open_session

FEW = {
    "epochs": 1,
    "max_epochs": 1,
    "num_clusters": 5,
    "cutoff": "1990-01-01",
    "metrics_k": 10,
    "pretrain_epochs": 1,
    "critic_pretrain": {"pretrain_epochs": 1},
}
"""Hyperparameters that fit a small fold, for all that have them."""


def content(form: Any) -> Any:
    """Return the data of a form, without what it has computed of it."""
    if dataclasses.is_dataclass(form):
        return {field.name: content(getattr(form, field.name)) for field in dataclasses.fields(form)}
    return form._data.tables if hasattr(form, "_data") else form


def digests() -> dict[str, str]:
    """Return what is kept, by name."""
    forms = importlib.import_module("guest.kept")._forms
    return {name: hashlib.sha256(pickle.dumps(content(form))).hexdigest() for name, form in forms.items()}


def main(guest: str, module: str, dataset: str, output: str) -> None:
    """Write what each algorithm has changed."""
    session = open_session(guest, module)
    changed = {}
    for name, described in session.adapter.catalogue().items():
        if described.get("needs_features") or described.get("item_feature"):
            continue  # the data have none
        few = {key: FEW[key] for key in FEW if key in described["parameters"]}
        request = {"op": "fit", "algorithm": name, "parameters": few, "seed": 1, "device": "cpu", "threads": 1}
        before = digests()
        with tempfile.TemporaryDirectory() as directory:
            fitted = session.answer(request | {"dataset": dataset, "fold": 0, "output": directory, "fit_key": name})
        assert fitted["ok"], fitted["traceback"]
        after = digests()
        changed[name] = {"kept": len(after), "changed": [form for form in before if after[form] != before[form]]}
    Path(output).write_text(json.dumps(changed), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])

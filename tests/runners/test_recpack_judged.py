"""RecPack's networks are judged by the scores that RecPack's own code computes, in a fraction of its memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.guest_scripts import GUEST, run

AUTOENCODER = {"dim_hidden_layer": 20, "dim_bottleneck_layer": 8}
JOBS: dict[str, tuple[str, dict[str, Any], bool]] = {
    "MultVAE": ("MultVAE", {"batch_size": 25, "dim_hidden_layer": 20, "dim_bottleneck_layer": 8}, False),
    "the best of MultVAE": ("MultVAE", {"batch_size": 25, "predict_topK": 7}, False),
    "MultVAE, some items at zero": ("MultVAE", {"batch_size": 25}, True),
    "RecVAE": ("RecVAE", {"batch_size": 17, **AUTOENCODER}, False),
    "the best of RecVAE": ("RecVAE", {"batch_size": 17, **AUTOENCODER, "predict_topK": 3}, True),
    "BPRMF": ("BPRMF", {"batch_size": 1000, "num_components": 6}, False),
    "the best of BPRMF": ("BPRMF", {"batch_size": 10, "num_components": 6, "predict_topK": 5}, False),
}


@pytest.mark.guests
def test_the_scores_are_recpacks_own_to_the_bit(environment_python: Callable[[str], Path], tmp_path: Path) -> None:
    """Numbers, columns, rows and their types: with batches that are not full, the best items alone, scores of zero, users without history."""
    jobs = [
        {"algorithm": algorithm, "settings": settings, "zeros": zeros, "output": str(tmp_path / f"{name}.json")}
        for name, (algorithm, settings, zeros) in JOBS.items()
    ]
    (tmp_path / "jobs.json").write_text(json.dumps(jobs), encoding="utf-8")
    run(environment_python("RecPack"), "recpack_judged.py", GUEST, tmp_path / "jobs.json", cwd=tmp_path)
    assert {name: json.loads((tmp_path / f"{name}.json").read_text(encoding="utf-8")) for name in JOBS} == {
        name: [] for name in JOBS
    }

"""Lists and scores of RecBole's adapter beside those of a script that uses RecBole as its users do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omnibench.guest.folds import Fold
from support.agreeing_lists import disagreement
from support.guest_scripts import GUEST, run

SEED = 42


def differences(
    python: Path, script: str, data: Path, work: Path, settings: Mapping[str, Any], own: Mapping[str, Mapping[str, Any]]
) -> dict[str, str]:
    """Return by algorithm in what the adapter's lists of the first fold are not the script's; those that agree are left out.

    Args:
        python: The interpreter of RecBole's environment.
        script: The script, of ``tests/runners/scripts``.
        data: The prepared dataset.
        work: An existing directory for what both write.
        settings: The settings that both get.
        own: By algorithm, the settings that the script gets beside these: what the adapter has by default.
    """
    jobs, words = [], []
    for name, others in own.items():
        output = str(work / f"{name}-own.npy")
        jobs.append({"algorithm": name, "settings": {**settings, **others}, "changes": [], "output": output})
        words += [name, json.dumps(settings), work / f"{name}-adapter.npy"]
    (work / "jobs.json").write_text(json.dumps(jobs), encoding="utf-8")
    run(python, script, data, 0, SEED, work / "jobs.json", cwd=work)
    run(python, "adapter_run.py", GUEST, "recbole", data, 0, SEED, Fold(data, 0).n_items, *words, cwd=work)
    flaws = {name: disagreement(work / f"{name}-adapter.npy", work / f"{name}-own.npy") for name in own}
    return {name: flaw for name, flaw in flaws.items() if flaw}

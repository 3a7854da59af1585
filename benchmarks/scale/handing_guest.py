"""Hands a fold to a framework, in the framework's environment: by omnibench's adapter or by the framework's own best way.

python handing_guest.py GUEST_DIRECTORY FRAMEWORK WAY DATASET      (WAY is "own" or "omnibench"; it works in the current directory)

Prints CPU seconds, the peak of memory above what there was before, and what is still held afterwards, in megabytes, as JSON; for
omnibench's way also the CPU seconds of handing the same fold over again, as for the next item.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def main(guest_directory: str, framework: str, way: str, dataset: str) -> None:
    """Print the costs."""
    spec = importlib.util.spec_from_file_location(
        "guest", f"{guest_directory}/__init__.py", submodule_search_locations=[guest_directory]
    )
    assert spec is not None
    assert spec.loader is not None
    sys.modules["guest"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["guest"])
    importlib.import_module(f"guest.{framework.lower()}")  # starting the guest does not count
    fold = importlib.import_module("guest.folds").Fold(dataset, 0)
    for part in (fold.train, fold.validation):  # else reading the files' pages would count for either way
        int(part.user.sum()), int(part.item.sum())
    hand_over = globals()[f"{framework.lower()}_{way}"](fold)
    freeing = importlib.import_module("guest.memory").Freeing()
    before = resident()
    meter = importlib.import_module("guest.meter").Meter(("rss",))
    handed: Any = hand_over()
    costs = {**meter.read(), "peak": peak()}
    again = importlib.import_module("guest.meter").Meter(())
    if way == "omnibench":
        handed = hand_over()
    answer = {
        "seconds": costs["cpu_seconds"],
        "again": again.read()["cpu_seconds"],
        "peak": (costs["peak"] - before) / 1e6,
    }
    del handed
    gc.collect()
    freeing.give_back()
    print(json.dumps(answer | {"left": (resident() - before) / 1e6}))


def peak() -> int:
    """Return the largest resident set since the meter began, in bytes; that of ``getrusage`` is at least that of the caller."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    (kilobytes,) = (line.split()[1] for line in lines if line.startswith("VmHWM"))
    return int(kilobytes) * 1024


def resident() -> int:
    """Return the resident set in bytes."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def lenskit_omnibench(fold: Any) -> Callable[[], Any]:
    """What the adapter does before it fits."""
    adapter = importlib.import_module("guest.lenskit")
    return lambda: adapter.training(fold)


def lenskit_own(fold: Any) -> Callable[[], Any]:
    """What LensKit's guide does."""
    import pandas as pd

    data = importlib.import_module("lenskit.data")
    return lambda: data.from_interactions_df(pd.DataFrame({"user_id": fold.train.user, "item_id": fold.train.item}))


def recpack_omnibench(fold: Any) -> Callable[[], Any]:
    """What the adapter does before it fits."""
    adapter = importlib.import_module("guest.recpack")
    return lambda: adapter.binary_matrix(fold, fold.train)


def recpack_own(fold: Any) -> Callable[[], Any]:
    """What RecPack's guide does; its algorithms take the binary values."""
    import pandas as pd

    matrix = importlib.import_module("recpack.matrix")

    def hand_over() -> Any:
        frame = pd.DataFrame({"user": fold.train.user, "item": fold.train.item})
        return matrix.InteractionMatrix(frame, item_ix="item", user_ix="user").binary_values

    return hand_over


def recbole_omnibench(fold: Any) -> Callable[[], Any]:
    """What the adapter does before it fits a model that draws negative samples and is judged on validation."""
    adapter = importlib.import_module("guest.recbole")
    task = importlib.import_module("guest.base").Task("BPR", {}, 1)
    return lambda: adapter._loaders(adapter._config(task, {}), adapter._data(task, fold), None)  # noqa: SLF001 - parts of its fit


def recbole_own(fold: Any) -> Callable[[], Any]:
    """What ``run_recbole`` does with the files that there are."""
    configuration, data = importlib.import_module("recbole.config"), importlib.import_module("recbole.data")
    write_atomic_files(fold)
    sys.argv = sys.argv[:1]  # it takes the command line for settings

    def hand_over() -> Any:
        names = {"data_path": ".", "benchmark_filename": ["train", "valid", "test"], "gpu_id": ""}
        config = configuration.Config(model="BPR", dataset="own", config_dict=names)
        return data.data_preparation(config, data.create_dataset(config))

    return hand_over


def write_atomic_files(fold: Any) -> None:
    """Write the parts as RecBole reads them, which is not counted."""
    import pandas as pd

    Path("own").mkdir()
    for name, part in (("train", fold.train), ("valid", fold.validation), ("test", fold.test)):
        frame = pd.DataFrame({"user_id:token": part.user, "item_id:token": part.item})
        frame.to_csv(f"own/own.{name}.inter", sep="\t", index=False)


if __name__ == "__main__":
    main(*sys.argv[1:])

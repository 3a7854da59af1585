"""Whether compressing models costs less than writing what it saves, on the disk of the temporary directory.

    python benchmarks/scale/models.py [--folder DIRECTORY]

Fits some algorithms on data of the size of MovieLens-100K, keeps their models, and compresses each with what the standard
library and pyarrow (which omnibench needs anyway) have. A codec pays where the seconds of writing and syncing what it saves
are more than those that compressing takes; ``pays below`` is the speed of a disk, in MB/s, from which on downwards it does.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from omnibench import NDCG, Coordinator, Evaluator, ExperimentPlan, RandomHoldout, from_frame
from omnibench.engine.policy import Policy

USERS, ITEMS, ROWS = 943, 1_682, 100_000
ALGORITHMS: tuple[tuple[str, dict[str, int]], ...] = (
    ("RecPack.EASE", {}),
    ("RecPack.ItemKNN", {}),
    ("RecPack.SVD", {}),
    ("LensKit.EASEScorer", {}),
    ("LensKit.ItemKNNScorer", {}),
    ("LensKit.ImplicitMFScorer", {"epochs": 2}),
    ("RecBole.EASE", {}),
    ("RecBole.BPR", {"epochs": 1}),
    ("RecBole.MultiVAE", {"epochs": 1}),
)
_WRITTEN = 2**26


def _arrow(name: str, level: int | None = None) -> Callable[[bytes], bytes]:
    codec = pa.Codec(name, compression_level=level)
    return lambda content: bytes(codec.compress(content, asbytes=True))


CODECS: dict[str, Callable[[bytes], bytes]] = {
    "lz4": _arrow("lz4"),
    "zstd -1": _arrow("zstd", 1),
    "zstd -3": _arrow("zstd", 3),
    "zlib -1": lambda content: zlib.compress(content, 1),
    "zlib -6": lambda content: zlib.compress(content, 6),
}


def models(folder: Path) -> dict[str, Path]:
    """Fit the algorithms, and return the files of their models."""
    random = np.random.default_rng(1)
    user = np.repeat(np.arange(USERS), ROWS // USERS)
    item = (ITEMS * random.random(len(user)) ** 2).astype(np.int64)
    frame = pd.DataFrame({"user": user, "item": item, "timestamp": np.arange(len(user))})
    dataset = from_frame(frame.drop_duplicates(["user", "item"], ignore_index=True), name="small").pipe(
        RandomHoldout(0.1)
    )
    plan = ExperimentPlan("models")
    for name, parameters in ALGORITHMS:
        plan.add_algorithm(name, parameters)
    with Coordinator(folder, policy=Policy(keep_models="all", device="cpu"), notify=lambda _: None) as coordinator:
        coordinator.run([dataset], plan, Evaluator(NDCG(10)), quiet=True)
    return {path.parent.name.rpartition("-")[0]: path for path in sorted(folder.rglob("model.*"))}


def written_per_second(folder: Path) -> float:
    """Return the bytes that the disk takes and syncs in a second: the best of five."""
    content, best = os.urandom(_WRITTEN), 0.0
    for _ in range(5):
        began = time.perf_counter()
        with (folder / "written").open("wb") as file:
            file.write(content)
            os.fsync(file.fileno())
        best = max(best, _WRITTEN / (time.perf_counter() - began))
    return best


def main() -> None:
    """Print a line per model and codec."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where to write (default: the temporary directory)")
    with tempfile.TemporaryDirectory(dir=parser.parse_args().folder) as name:
        folder = Path(name)
        files = models(folder / "checkpoints")
        speed = written_per_second(folder)
        print(f"this disk writes and syncs {speed / 1e6:.0f} MB/s")
        for algorithm, path in files.items():
            content = path.read_bytes()
            for codec, compress in CODECS.items():
                seconds = []
                for _ in range(3):
                    began = time.process_time()
                    compressed = compress(content)
                    seconds.append(time.process_time() - began)
                saved, cost = len(content) - len(compressed), min(seconds)
                print(
                    f"{algorithm:26} {len(content) / 1e6:7.2f} MB  {codec:8} x{len(content) / len(compressed):5.2f} "
                    f"{len(content) / 1e6 / cost:7.0f} MB/s  pays below {max(0.0, saved / cost / 1e6):6.0f} MB/s"
                    f"{'  pays here' if saved / speed > cost else ''}"
                )


if __name__ == "__main__":
    main()

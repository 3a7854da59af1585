"""What lists for all test users cost beside the bare computation that they need: ``python benchmarks/scale/predicting.py``.

    python benchmarks/scale/predicting.py [--users 138493] [--items 26744] [--rows 100] [--parts 16 4 1]
        [--only POPULARITY ...] [--turns 5]

Folds of a sixteenth, a quarter and all of the users are made (all items, long histories and popular items as in real data).
Each case runs in a process of its own, in its framework's environment, on one core: the adapter's scores masked and cut to
20 items, and its bare counterpart, which neither masks nor cuts unless it says so. RecBole's and RecPack's factors are drawn,
not fitted. CPU seconds; the memory is what ranking adds at its peak to the model and the framework.
The exponent is that of the growth from the smallest to the largest: 1 grows as the users do.

Measured on two busy cores (EPYC, AVX-512 with BF16, load 10 to 13); CPU s of a sixteenth of all users, k = 20, d = 64:

    ==========================  ===================  ===================
    ours / bare, ratio          8,655 x 26,744       36,341 x 164,288
    ==========================  ===================  ===================
    LensKit popularity          0.04 / 0.43   0.08   0.07 / 1.12   0.06
    RecPack popularity          0.05 / 0.53   0.09   0.07 / 1.41   0.05
    RecBole popularity          0.05 / 0.37   0.13   0.08 / 1.08   0.07
    own class, lists            0.11 / 0.34   0.32   0.43 / 0.97   0.44
    RecPack SVD (float64)       0.58 / 0.64   0.91   7.76 / 16.0   0.48
    RecBole BPR                 0.39 / 0.35   1.10   9.17 / 9.02   1.02
    LensKit ImplicitMF          0.35 / 0.31   1.14   4.41 / 5.60   0.79
    RecPack ItemKNN             1.22 / 1.36   0.90   1.07 / 0.77   1.38
    LensKit ItemKNN             0.86 / 0.73   1.19   0.98 / 0.69   1.42
    ==========================  ===================  ===================

Both ItemKNN of the larger size have 15 rows per user; they and LensKit's at the smaller size are medians of five by turns at
load 8 to 11. By the code before, in the same minutes: RecPack's 1.51 and LensKit's 1.61 times SciPy's product at the larger
size, LensKit's 1.30 at the smaller. Of more users of 26,744 items the drawn items are more and more similar to the same few: 100 have
13 % of all similarities of 34,623 users, 58 % of 138,493. SciPy's product takes less for each user then (83, 70 and 56 us), while more
numbers come together for an item of a list (36, 58 and 87), of which LensKit finds the highest 20. So for most users the numbers of
these items are not added up: bounds of their sums, and of those of all others by groups, tell which 20 or so LensKit is asked
for. Where more of them have bounds that reach the last score, as for one user in fourteen, their numbers are looked up too. For all 138,493 that
takes 1.41 times SciPy's product (9.98 / 7.10 s, median of three at load 3; 1.31 to 1.56 in others), with all numbers of such users added up again 1.65 times (11.64 / 7.04 s).
What remains is LensKit's heaps, a third of the time. Tried without a gain: nearly full columns by SciPy's product with a dense matrix, rows added up
where they lie instead of copied, smaller and larger blocks, rows ordered by popularity, numbers looked up by rows, item by item or in fewer
passes, numbers passed to LensKit with the zeros; bounds beside rows of all items, and leaving out what LensKit's heaps would not take in (a
fifth of their time at best, before it is found).

One call each, with what the first call allocates, but for BPR at the smaller size (a median of seven; 1.38 to 1.59 in the same
minutes with the code before, which copied bfloat16 to float32), ImplicitMF (of nine at the smaller size; 1.83 before in the
same minutes) and SVD (of five by turns at load 7; of 34,623 users 0.90). The larger size of ImplicitMF has 15 rows per user.
At load 14 to 24, all 138,493 users of 26,744 items in one call: popularity of LensKit 0.38 s (35 MB), of RecPack 0.41 s (0
MB), of RecBole 0.59 s (0 MB), RecBole's BPR 6.64 s, 1.12 times BLAS (0 MB), RecPack's ItemKNN 12.9 s, 0.79 times SciPy's
product (0 MB); at load 5 to 8, medians of three: RecPack's SVD 9.16 s, 0.93 times BLAS, and BPRMF 5.20 s, 1.01 times (0 MB).
RecPack's WMF solves for the factors of 100 users at a time with all items times all factors (1.4 GB): 31.5 s of 2,163 users,
0.94 times the same solution and a product by BLAS, and 124 s of 8,655, 1.05 times (one turn at load 12). It grows as the users
do, so that all 138,493 would take half an hour (not measured).
LensKit's ItemKNN by ratings took 3 times SciPy's product of similarities alone, 0.21 s of 767 users, where asking LensKit for each took 0.66 s. EASE of
RecPack on 3,400 items was 1.4 times the product in float64, and 3.5 times as fast as by rows of a sparse matrix. LensKit's
ImplicitMF has the factors of training here: those of histories are what LensKit computes for each user. What users may get of 100
sampled candidates is drawn once per fold: all 134,006 users of MovieLens-20M's size in 8.4 s without numba, 10.2 s by the code before (load 7).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

WIDTH = 64
NEIGHBOURS = 100
K = 20
BLOCK = 1024
"""Users whose scores the bare counterparts compute together."""
SCORES = 1 << 25
"""Most scores that BLAS writes into one table: the first touch of a larger one would be most of the time."""


def product(user: Any, item: Any) -> Callable[[], Any]:
    """The scores of all items by BLAS, in blocks of users, of which nothing is kept."""
    step = min(BLOCK, len(user), max(1, SCORES // len(item)))
    table = np.zeros((step, len(item)), dtype=user.dtype)

    def multiply() -> None:
        for start in range(0, len(user), step):
            block = user[start : start + step]
            np.matmul(block, item.T, out=table[: len(block)])

    return multiply


def sparse_product(fold: Any, similarity: Any) -> Callable[[], Any]:
    """The scores of all items that have one by SciPy, in blocks of users, of which nothing is kept."""
    from scipy.sparse import csr_matrix

    train = fold.train
    shape = (fold.n_users, fold.n_items)
    history = csr_matrix((np.ones(len(train), dtype=similarity.dtype), (train.user, train.item)), shape=shape)

    def multiply() -> None:
        for start in range(0, len(fold.users), BLOCK):
            history[fold.users[start : start + BLOCK]] @ similarity

    return multiply


def filtered(fold: Any) -> Callable[[], Any]:
    """The most popular items that each user has not seen, by Python's sets."""

    def cut() -> list[list[int]]:
        order = np.argsort(-np.bincount(fold.train.item, minlength=fold.n_items), kind="stable").tolist()
        lists = []
        for user in fold.users.tolist():
            seen = set(fold.seen(user).tolist())
            unseen = (item for item in order if item not in seen)
            lists.append([item for item, _ in zip(unseen, range(K), strict=False)])
        return lists

    return cut


def drawn_factors(fold: Any, dtype: str = "f4") -> tuple[Any, Any]:
    """Factors of all users and items, those of some items longer than others."""
    rng = np.random.default_rng(1)
    user, item = rng.standard_normal((fold.n_users, WIDTH)), rng.standard_normal((fold.n_items, WIDTH))
    return user.astype(dtype), (item * np.exp(rng.normal(0, 0.3, fold.n_items))[:, None]).astype(dtype)


def drawn_similarity(fold: Any) -> Any:
    """The similarities of 100 neighbours for each item of training, other such items, some of them far more often."""
    from scipy.sparse import csr_matrix

    rng = np.random.default_rng(2)
    known = np.flatnonzero(fold.candidates)
    column = known[(rng.random(len(known) * NEIGHBOURS) ** 2 * len(known)).astype(np.int32)]
    row = np.repeat(known, NEIGHBOURS)
    return csr_matrix((rng.random(len(row)), (row, column)), shape=(fold.n_items, fold.n_items))


Case = tuple[Any, Callable[[], Any]]
"""A model, and the bare counterpart of its scores."""


def lenskit(guest: Any, algorithm: str, parameters: dict[str, Any], fold: Any) -> Case:
    """A fitted scorer of LensKit."""
    model, _ = guest.adapter.fit(guest.base.Task(algorithm, parameters, seed=42), fold)
    if algorithm == "PopScorer":
        return model, filtered(fold)
    if algorithm == "ItemKNNScorer":
        from scipy.sparse import csr_matrix

        codes = np.asarray(model.train.items.ids())
        similarity = model.scorer.sim_matrix.to_scipy().tocoo()
        matrix = csr_matrix(
            (similarity.data, (codes[similarity.row], codes[similarity.col])), shape=(fold.n_items, fold.n_items)
        )
        return model, sparse_product(fold, matrix)
    return model, product(model.scorer.user_embeddings[: len(fold.users)], model.scorer.item_embeddings)


def recpack(guest: Any, algorithm: str, parameters: dict[str, Any], fold: Any) -> Case:
    """RecPack's popularity, and other algorithms with drawn numbers."""
    import importlib

    model = getattr(importlib.import_module("recpack.algorithms"), algorithm)(**parameters)
    if algorithm == "Popularity":
        model, _ = guest.adapter.fit(guest.base.Task(algorithm, parameters, seed=42), fold)
        return model, filtered(fold)
    if algorithm == "ItemKNN":
        model.similarity_matrix_ = drawn_similarity(fold)
        return model, sparse_product(fold, model.similarity_matrix_)
    if algorithm in ("BPRMF", "WeightedMatrixFactorization"):
        return of_networks(guest, model, fold)
    user, item = drawn_factors(fold, "f8")
    model.user_embedding_, model.item_embedding_ = user, item.T.copy()
    return model, product(user[fold.users], item)


def of_networks(guest: Any, model: Any, fold: Any) -> Case:
    """RecPack's BPRMF with drawn factors; WMF with those of items, whose bare counterpart solves for those of users as well."""
    import torch

    user, item = drawn_factors(fold)
    model.device = torch.device("cpu")
    if type(model).__name__ == "BPRMF":
        tables = (torch.nn.Embedding.from_pretrained(torch.from_numpy(factor)) for factor in (user, item))
        model.model_ = SimpleNamespace(**dict(zip(("user_embedding_", "item_embedding_"), tables, strict=True)))
        return model, product(user[fold.users], item)
    model.item_factors_ = torch.from_numpy(item)

    def solve_and_multiply() -> None:
        for start in range(0, len(fold.users), BLOCK):
            histories = guest.adapter.binary_histories(fold, fold.users[start : start + BLOCK])
            product(guest.adapter.recpack_alternations.factors_of(model, histories).numpy(), item)()

    return model, solve_and_multiply


def recbole(guest: Any, algorithm: str, _: dict[str, Any], fold: Any) -> Case:
    """RecBole's models as far as they are asked for scores, with drawn numbers; number 0 pads."""
    import torch

    network = SimpleNamespace(device=torch.device("cpu"), eval=lambda: None)
    users, items = np.arange(fold.n_users, dtype=np.int32), np.arange(fold.n_items, dtype=np.int32)
    model = guest.adapter.Model(network, users, items, "user_id", "item_id")
    if algorithm == "Pop":
        counts = torch.from_numpy(np.bincount(fold.train.item, minlength=fold.n_items).astype(np.float64))
        network.full_sort_predict = lambda _: torch.cat([torch.zeros(1, dtype=torch.float64), counts])
        return model, filtered(fold)
    user, item = (np.vstack([np.zeros((1, WIDTH), dtype="f4"), factor]) for factor in drawn_factors(fold))
    network.user_embedding, network.item_embedding = (
        torch.nn.Embedding.from_pretrained(torch.from_numpy(factor)) for factor in (user, item)
    )
    return model, product(user[1:][fold.users], item[1:])


def own(guest: Any, algorithm: str, _: dict[str, Any], fold: Any) -> Case:
    """A user's class that gives lists of the most popular items, to everybody the same ones or each in a list of its own."""

    class Popular:
        order = np.argsort(-np.bincount(fold.train.item, minlength=fold.n_items), kind="stable").tolist()

        def recommend(self, users: list[Any], k: int) -> Any:
            if algorithm == "arrays":
                best = np.array(self.order[:k])
                return {user: best.copy() for user in users}
            return dict.fromkeys(users, self.order[:k])

    return guest.adapter.Model(Popular(), list(range(fold.n_users)), list(range(fold.n_items))), filtered(fold)


CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "LensKit popularity": ("LensKit", "PopScorer", {}),
    "RecPack popularity": ("RecPack", "Popularity", {}),
    "RecBole popularity": ("RecBole", "Pop", {}),
    "own class, lists": ("Own", "lists", {}),
    "own class, arrays": ("Own", "arrays", {}),
    "LensKit ImplicitMF, factors of training": (
        "LensKit",
        "ImplicitMFScorer",
        {"embedding_size": WIDTH, "epochs": 1, "user_embeddings": "prefer"},
    ),
    "LensKit ImplicitMF, factors of histories": ("LensKit", "ImplicitMFScorer", {"embedding_size": WIDTH, "epochs": 1}),
    "RecPack SVD (float64)": ("RecPack", "SVD", {"num_components": WIDTH}),
    "RecPack BPRMF": ("RecPack", "BPRMF", {"num_components": WIDTH}),
    "RecPack WMF": ("RecPack", "WeightedMatrixFactorization", {"num_components": WIDTH}),
    "RecBole BPR": ("RecBole", "BPR", {}),
    "RecPack ItemKNN": ("RecPack", "ItemKNN", {"K": NEIGHBOURS}),
    "LensKit ItemKNN": ("LensKit", "ItemKNNScorer", {"feedback": "implicit", "save_nbrs": NEIGHBOURS}),
    "RecBole BPR, 100 sampled": ("RecBole", "BPR", {"candidates": {"policy": "sampled", "negatives": 100, "seed": 1}}),
}


def write_fold(directory: Path, n_users: int, n_items: int, n_rows: int, save_columns: Any) -> None:
    """Write a fold whose histories are of log-normal lengths, and whose items follow a power law."""
    rng = np.random.default_rng(0)
    lengths = np.minimum(np.exp(rng.normal(math.log(n_rows) - 0.5, 1, n_users)) + 5, n_items / 4).astype(np.int64)
    weights = 1 / np.arange(1, n_items + 1) ** 0.8
    chances = np.cumsum(rng.permutation(weights)) / weights.sum()
    item = np.minimum(np.searchsorted(chances, rng.random(lengths.sum())), n_items - 1)
    pairs = np.unique(np.repeat(np.arange(n_users), lengths) * n_items + item)
    user, item = (column.astype(np.int32) for column in np.divmod(pairs, n_items))
    (directory / "fold_0").mkdir(parents=True)
    manifest = {"users": n_users, "items": n_items, "feedback": "implicit", "columns": ["user", "item"]}
    (directory / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    part = np.searchsorted([0.8, 0.9], rng.random(len(pairs)))
    for number, name in enumerate(("train", "validation", "test")):
        columns = {"user": user, "item": item}
        save_columns(directory / "fold_0" / f"{name}.npy", columns, np.flatnonzero(part == number))


def opened(package: str, name: str, directory: str) -> Any:
    """Import the guest package, in an environment without omnibench by its path, and the adapter."""
    import importlib
    import importlib.util

    if package == "guest":
        spec = importlib.util.spec_from_file_location(
            package, f"{directory}/__init__.py", submodule_search_locations=[directory]
        )
        assert spec is not None
        assert spec.loader is not None
        sys.modules[package] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[package])
    names = ("base", "folds", "ranking", "candidates", "parts")
    modules = {module: importlib.import_module(f"{package}.{module}") for module in names}
    adapter = "omnibench.runners.own_guest" if name == "Own" else f"{package}.{name.lower()}"
    return SimpleNamespace(adapter=importlib.import_module(adapter), **modules)


def seconds_of(work: Callable[[], Any]) -> float:
    """Return the CPU seconds of some work."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def measure(label: str, guest_directory: str, directory: str, turns: str) -> None:
    """Print the CPU seconds of a case and of its bare counterpart by turns, and the megabytes that the case adds at its peak."""
    framework, algorithm, parameters = CASES[label]
    guest = opened("omnibench.guest" if framework == "Own" else "guest", framework, guest_directory)
    fold = guest.folds.Fold(directory, 0)
    policy = parameters.pop("candidates", {"policy": "unseen"})
    draws = seconds_of(lambda: guest.candidates.candidate_sets(fold, policy))
    sets = guest.candidates.candidate_sets(fold, policy)
    model, bare = globals()[framework.lower()](guest, algorithm, parameters, fold)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    task = guest.base.Task(algorithm, parameters, seed=42, k=K if sets is None else fold.n_items)

    def ours() -> None:
        if framework == "Own":
            guest.ranking.cut_lists(fold, guest.adapter.lists(model, task, fold), K, sets)
        else:
            guest.ranking.recommend(fold, guest.adapter.score(model, task, fold), K, sets)

    seconds = [seconds_of(ours)]
    added = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1000
    bare_seconds = [seconds_of(bare)]
    for _ in range(int(turns) - 1):
        seconds.append(seconds_of(ours))
        bare_seconds.append(seconds_of(bare))
    print(json.dumps([statistics.median(seconds), statistics.median(bare_seconds), added, draws]))


def results(
    labels: list[str], sizes: list[int], items: int, rows: int, turns: int
) -> Iterator[tuple[str, list[list[float]]]]:
    """Yield each case with what was measured at each size."""
    import omnibench.guest
    from omnibench.guest.parts import save_columns
    from omnibench.runners.environments import environment_of
    from omnibench.runners.registry import get_runner

    guest = next(iter(omnibench.guest.__path__))
    single = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "MKL", "OPENBLAS", "NUMBA", "RAYON")}
    with tempfile.TemporaryDirectory() as scratch:
        for size in sizes:
            write_fold(Path(scratch, str(size)), size, items, rows, save_columns)
        for label in labels:
            framework = CASES[label][0]
            python = sys.executable if framework == "Own" else str(environment_of(get_runner(framework)).ensure(print))
            lines = []
            for size in sizes:
                command = [python, __file__, "--measure", label, guest, str(Path(scratch, str(size))), str(turns)]
                done = subprocess.run(
                    command, capture_output=True, text=True, check=False, cwd=scratch, env={**os.environ, **single}
                )
                if done.returncode:
                    raise SystemExit(f"{label} has failed:\n{done.stderr[-3000:]}")
                lines.append(json.loads(done.stdout.strip().splitlines()[-1]))
            yield label, lines


def main() -> None:
    """Print a line per case."""
    if sys.argv[1:2] == ["--measure"]:
        measure(*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--users", type=int, default=138_493, help="users of the largest fold (default: MovieLens-20M's)"
    )
    parser.add_argument("--items", type=int, default=26_744, help="items (default: MovieLens-20M's)")
    parser.add_argument("--rows", type=int, default=100, help="about how many rows a user has (default: 100)")
    parser.add_argument(
        "--parts", type=int, nargs="+", default=[16, 4, 1], help="by what the users are divided, e.g. 1 for all alone"
    )
    parser.add_argument(
        "--turns", type=int, default=1, help="how often ours and the bare way are run by turns; medians are printed"
    )
    parser.add_argument("--only", nargs="+", default=[""], help="words of the cases to measure")
    options = parser.parse_args()
    sizes = [max(1, options.users // divisor) for divisor in options.parts]
    labels = [label for label in CASES if any(word.lower() in label.lower() for word in options.only)]
    print(f"{options.items:,} items; CPU s: ours, bare, ratio, MB that ranking adds")
    print(f"{'':42}" + "".join(f"{size:>22,} users       " for size in sizes) + "exponent")
    for label, lines in results(labels, sizes, options.items, options.rows, options.turns):
        cells = "".join(
            f"{ours:9.2f}{bare:9.2f}{ours / bare:7.2f}{added:7.0f} MB"
            + (f" (drawn in {draws:.1f} s)" if draws > 0.01 else "")
            for ours, bare, added, draws in lines
        )
        growth = math.log(lines[-1][0] / lines[0][0]) / math.log(sizes[-1] / sizes[0]) if len(sizes) > 1 else math.nan
        print(f"{label:42}{cells}{growth:8.2f}", flush=True)


if __name__ == "__main__":
    main()

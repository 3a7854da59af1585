"""Every option, declared once: flag, variable, ini name, default, and everything else that depends on the option.

Command line > environment > ini file > default. Every pytest session imports this module: a named tuple is made in a
tenth of the time that a dataclass takes.
"""

from __future__ import annotations

import pytest

from omnibench.engine.policy import DEVICES
from omnibench.engine.policy import FAILED as FAILED_CHOICES
from omnibench.engine.policy import RESUME as RESUME_CHOICES
from omnibench.plugin.option import Option
from omnibench.store.schema import KEEP_MODELS as KEEP_MODELS_CHOICES
from omnibench.store.schema import RESETS
from omnibench.store.schema import SHARED as SHARED_CHOICES
from omnibench.store.schema import VERIFY as VERIFY_CHOICES

CHECKPOINT_DIR = Option(
    "--omnirec-checkpoint-dir",
    "Where checkpoints are kept (default: checkpoints in the rootdir).",
    "checkpoints",
    in_item_command=True,
)
RESUME = Option(
    "--omnirec-resume",
    "auto (default): go on where earlier runs stopped. fresh: compute anew, keep the old results aside. require: fail "
    "when there is nothing to go on from. never: neither read nor write a store.",
    "auto",
    RESUME_CHOICES,
)
FAILED = Option(
    "--omnirec-failed",
    "Items whose last attempt failed: retry them (default), skip them, or replay the recorded failure.",
    "retry",
    FAILED_CHOICES,
)
MAX_ATTEMPTS = Option(
    "--omnirec-max-attempts", "An item whose process died this often in a row is not tried again (default: 3).", "3"
)
VERIFY = Option(
    "--omnirec-verify",
    "How closely files are looked at before they are used again: full (default: size and sha256), stat (the sha256 "
    "only of files that somebody may have touched), off (the size).",
    "full",
    VERIFY_CHOICES,
)
SALT = Option(
    "--omnirec-salt",
    "A text that goes into every key, to disown what was computed without it.",
    in_item_command=True,
)
TRACK = Option(
    "--omnirec-track",
    "What is measured beside time: rss, gpu, python (slow), or none (default: rss,gpu).",
    "rss,gpu",
    listed=True,
)
GRACE = Option(
    "--omnirec-grace", "How long a phase in progress may go on when the run is asked to stop (default: 10s).", "10s"
)
TIMEOUT = Option("--omnirec-timeout", "How long a phase may take, e.g. 90s, 5m, 2h (default: no limit).")
SNAPSHOTS = Option(
    "--omnirec-snapshots",
    "How often the state of a running Fit is kept, so that a Fit that is killed goes on from there: e.g. 10m, 50it (iterations, "
    "as epochs), 10m,50it, or off to take none (default: 5m). What a plan or a benchmark says counts before it, but "
    "for off.",
    listed=True,
)
ENVIRONMENTS = Option(
    "--omnirec-environments",
    "Where frameworks run: isolated (default), current, or e.g. LensKit=current,RecBole=isolated.",
    "isolated",
    in_item_command=True,
    listed=True,
)
DEVICE = Option(
    "--omnirec-device",
    "Where algorithms that can use a GPU run: auto (default: on a GPU where there is one), cpu, cuda, or cuda-deterministic: "
    "on a GPU by operations whose results are the same in every run, which are slower and not there for everything.",
    "auto",
    DEVICES,
    in_item_command=True,
)
THREADS = Option(
    "--omnirec-threads",
    "How many threads compute what depends on their number: fixed (default: 1, or what an own class says, on every machine), "
    "all for as many as there are cores, or a number, then for everything. What is not fixed is faster, and has other keys.",
    "fixed",
    in_item_command=True,
)
MEMORY = Option(
    "--omnirec-memory",
    "How much memory all Fits of this store may need together on a machine: free (default: what machine and container have "
    "free), or a size such as 16GB. A Fit that is estimated to need more waits for the others, and is refused where it would "
    "not fit alone. ignore: begin every Fit, whatever it may need.",
    "free",
)
TMP_DIR = Option("--omnirec-tmp-dir", "Working directories of the frameworks (default: in the checkpoint dir).")
KEEP_MODELS = Option(
    "--omnirec-keep-models",
    "Which models are kept of items that are done: auto (default: small ones, and those that took longer to fit than a second "
    "per megabyte), all, best (of each dataset and algorithm those of the best configuration), or none. Without its model an "
    "item stays done; longer lists or other candidates fit it again.",
    "auto",
    KEEP_MODELS_CHOICES,
)
READONLY = Option("--omnirec-readonly", "Serve what is recorded, skip what is not, write nothing.", "no", switch=True)
ALLOW_NETWORK_FS = Option(
    "--omnirec-allow-network-fs",
    "Keep checkpoints on NFS, SMB, a cluster's file system and the like all the same, or where locks do not work.",
    "no",
    switch=True,
)
SHARED = Option(
    "--omnirec-shared",
    "Whether a group shares the store: yes (the bare option) makes files that the group may write, as far as the umask allows, "
    "and uses a store of another user; what other members fitted is fitted again where a model is needed. models: loads their "
    "models, too, which runs what is in them. no (default): another user's store is refused.",
    "no",
    SHARED_CHOICES,
    bare="yes",
    metavar="HOW",
)
TABLE = Option(
    "--omnirec-table",
    "What the table at the end shows: folds (each, with mean and standard deviation), mean, or none. By default folds, "
    "and of more than 100 configurations the means of the best 100.",
    "",
    ("folds", "mean", "none"),
)
SORT = Option("--omnirec-sort", "The metric by which the table is sorted, e.g. NDCG@10 (default: as in the plan).")
NAMES = Option(
    "--omnirec-names",
    "What the table calls datasets and configurations: labels (default), e.g. RecPack.ItemKNN(K=100), or hash, as the "
    "directories are called, e.g. RecPack.ItemKNN-b7d4a9f1.",
    "labels",
    ("labels", "hash"),
)
GATE = Option(
    "--omnirec-gate",
    "A baseline to compare with: the run fails if anything is significantly worse than what this file says was measured.",
)
GATE_TOLERANCE = Option(
    "--omnirec-gate-tolerance", "The relative loss that the gate accepts, e.g. 0.01 or 1% (default: 0).", "0"
)
GATE_ALPHA = Option("--omnirec-gate-alpha", "The level of the gate, over all its comparisons (default: 0.05).", "0.05")
GATE_METRICS = Option(
    "--omnirec-gate-metrics",
    "The metrics that the gate compares, e.g. NDCG@10,HR@10 (default: all of the baseline's).",
    listed=True,
)
GATE_MISSING = Option(
    "--omnirec-gate-missing",
    "What the baseline has and this run lacks, e.g. an algorithm that was renamed: fail (default), or ok. Deselected items "
    "and bench files that were not asked for do not count.",
    "fail",
    ("fail", "ok"),
)
BASELINE = Option(
    "--omnirec-baseline", "Write what this run measured into a file, to compare later runs with, if the run passes."
)
EXPORT = Option(
    "--omnirec-export",
    "Write the results of this run's benchmarks into a file at its end; the ending says the format: .md, .tex, .html, .csv, "
    ".parquet or .json. May be given several times.",
    repeated=True,
    metavar="FILE",
)
ACCEPT_LICENCE = Option(
    "--omnirec-accept-licence",
    "Data sets whose terms you accept, e.g. Yelp2022,Netflix, or all: those of the catalogue that must not be fetched "
    "otherwise say so, once.",
    listed=True,
)
FROM = Option(
    "--omnirec-from",
    "Where somebody has published finished items (`omnibench publish`): those of this run are taken over from there, verified and "
    "marked, before anything is computed. A directory, https://..., or what fsspec knows, e.g. s3://BUCKET/PATH or "
    "hf://datasets/OWNER/NAME. Models are not taken over.",
    metavar="URL",
)
CLUSTER = Option(
    "--omnirec-cluster",
    "Where Fit and Predict run, in the place of -n: local (workers on this machine, one per core) or local:N, slurm or slurm:N (so "
    "many jobs), tcp://HOST:PORT, tls://HOST:PORT or file:/shared/scheduler.json of a Dask scheduler that runs already.",
    metavar="WHERE",
)
RECONNECT = Option(
    "--omnirec-reconnect",
    "How long a run on a cluster waits for a scheduler that is out of reach, e.g. 90s, 1h (default: 5m). What was in progress is "
    "computed again then; later the run ends, and the next one goes on.",
    "5m",
)
DETACH = Option(
    "--omnirec-detach",
    "With --omnirec-cluster=slurm: a job of its own holds the run, and you can log out. The same command again follows what "
    "it prints; `omnibench status` says which job it is.",
    "no",
    switch=True,
    command_line_only=True,
)
RESET = Option(
    "--omnirec-reset",
    "Compute the selected benchmark items anew: all (default), those that failed, those that are incomplete, "
    "or all of them from Fit, Predict or Eval on.",
    choices=RESETS,
    bare="all",
    metavar="WHAT",
    command_line_only=True,
)
YES = Option("--omnirec-yes", "Do not ask before everything is reset.", "no", switch=True, command_line_only=True)
PLAN = Option(
    "--omnirec-plan",
    "Show what would run, and from which phase on; run nothing (-v: and why).",
    "no",
    switch=True,
    command_line_only=True,
)
OPTIONS = (
    CHECKPOINT_DIR,
    RESUME,
    FAILED,
    MAX_ATTEMPTS,
    VERIFY,
    SALT,
    TRACK,
    GRACE,
    TIMEOUT,
    SNAPSHOTS,
    ENVIRONMENTS,
    DEVICE,
    THREADS,
    MEMORY,
    TMP_DIR,
    KEEP_MODELS,
    READONLY,
    ALLOW_NETWORK_FS,
    SHARED,
    TABLE,
    SORT,
    NAMES,
    GATE,
    GATE_TOLERANCE,
    GATE_ALPHA,
    GATE_METRICS,
    GATE_MISSING,
    BASELINE,
    EXPORT,
    ACCEPT_LICENCE,
    FROM,
    CLUSTER,
    RECONNECT,
    DETACH,
    RESET,
    YES,
    PLAN,
)


def add_options(parser: pytest.Parser) -> None:
    """Declare the options to pytest."""
    group = parser.getgroup("omnirec", "benchmarks of recommender systems (omnibench)")
    for option in OPTIONS:
        option.add_to(group, parser)


def with_whole_reset(arguments: list[str]) -> list[str]:
    """Return command line arguments in which ``--omnirec-reset`` and the like do not take a path that follows for a value.

    Without this, ``pytest --omnirec-reset benchmarks`` would reset something called benchmarks.
    """
    completed = list(arguments)
    optional = {option.flag: option for option in (RESET, SHARED)}
    for position, argument in enumerate(arguments):
        follower = arguments[position + 1] if position + 1 < len(arguments) else ""
        option = optional.get(argument)
        if option is not None and follower not in option.choices:
            completed[position] = f"{option.flag}={option.bare}"
    return completed

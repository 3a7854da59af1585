"""The guest's side of the protocol: read a request, run the framework's adapter, answer with plain data.

An adapter is a module beside this one with the functions of ``Adapter``. It never talks to the channel,
never masks, never ranks: ``ranking.recommend`` does that in the same way for every framework.
"""

from __future__ import annotations

import ctypes
import functools
import gc
import importlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from . import VALIDATION, candidates, folds, forks, kept, memory, parts, ranked_lists, ranking
from .adapter_checks import described, imported
from .affinity import Affinity
from .described_errors import describe_error
from .epochs import Epochs
from .messages import packed, unpacked
from .meter import Meter
from .opened_folds import opened_fold
from .rated import lists_by_rating
from .snapshots import RefusedSnapshotError, Snapshots, UnusableSnapshotError


class Note(Protocol):
    """Records what a user should know of a model."""

    def __call__(
        self, text: str, users: Sequence[int] | parts.Ints = (), items: Sequence[int] | parts.Ints = ()
    ) -> None:
        """Record a text, in which ``{users}`` and ``{items}`` stand for those with these codes."""


@dataclass(frozen=True)
class Task:
    """A Fit or Predict that the host requests.

    Attributes:
        algorithm: The algorithm's name in this framework, e.g. ``ItemKNNScorer``.
        parameters: The explicitly given hyperparameters.
        seed: The seed of everything random.
        device: ``cpu`` or ``cuda``.
        threads: How many threads may compute.
        k: The length of the lists that Predict asks for.
        report: Call it with plain values to show progress, e.g. ``report(epoch=3, epochs=20, loss=0.4)``, and with
            ``validation=`` the value of the epoch on the validation part, where the framework has one.
        note: Call it in a Fit with what a user should know of the model, e.g. ``note("left out: {users}", codes)``.
        keep: Call it in a Fit with the number of epochs that the model has been trained for which is stored.
        measure: Call it after each epoch in the place of ``report``, and with the model as it is then, where the host
            is to measure it on the validation part; None where it is not.
        metric: What the host would measure, as ``NDCG@10``.
        record: Call it in a Fit with the numbers of an epoch that are not worth a ``report`` of their own, for the series
            of losses.
        snapshots: The points of a Fit where a snapshot may be taken, and the one that it goes on from.
    """

    algorithm: str
    parameters: Mapping[str, Any]
    seed: int
    device: str = "cpu"
    threads: int = 1
    k: int = 0
    report: Callable[..., None] = field(default=lambda **_: None)
    note: Note = field(default=lambda *_, **__: None)
    keep: Callable[[int], None] = field(default=lambda _: None)
    measure: Callable[..., None] | None = None
    metric: str = ""
    record: Callable[..., None] = field(default=lambda **_: None)
    snapshots: Snapshots = field(default_factory=Snapshots)


class Adapter(Protocol):
    """The functions that every framework's module must have, beside ``score`` or ``lists``.

    What has neither ranks by ``rate``, on data with ratings.
    """

    def version(self) -> str:
        """Return the framework's version."""

    def catalogue(self) -> dict[str, dict[str, Any]]:
        """Describe every algorithm that runs: ``{name: {"parameters": {name: default}, "ratings": bool}}``."""

    def fit(self, task: Task, fold: folds.Fold) -> tuple[Any, dict[str, Any]]:
        """Fit on the fold's training part; return the model and the effective hyperparameters."""

    def save(self, model: Any, directory: Path) -> Path:
        """Write the model as one file ``model.<ext>`` into the directory; return its path."""

    def load(self, path: Path, task: Task, fold: folds.Fold) -> Any:
        """Read a model that ``save`` wrote, possibly in another process and another directory."""

    def rate(self, model: Any, task: Task, fold: folds.Fold) -> npt.NDArray[np.floating]:
        """Predict a rating for every row of ``fold.test``."""


class ScoringAdapter(Adapter, Protocol):
    """The adapter of a framework that scores all items."""

    def score(
        self, model: Any, task: Task, fold: folds.Fold
    ) -> Iterator[tuple[parts.Ints, folds.Scores | ranking.CompactScores]]:
        """Yield (users, scores of all items) in batches, over ``fold.users`` in order; scores rank in their own precision.

        ``score_forms.SparseScores`` or ``SharedScores`` may stand for dense ones, for as many users.
        """


class ListingAdapter(Adapter, Protocol):
    """The adapter of what gives lists, in an order of their own; with ``score`` beside it, of some algorithms only."""

    def lists(
        self, model: Any, task: Task, fold: folds.Fold
    ) -> Iterator[tuple[parts.Ints, Sequence[ranked_lists.RankedList] | ranked_lists.RankedLists]] | None:
        """Return (users, a list for each) in batches, over ``fold.users`` in order; None of an algorithm that scores."""


def end_with_parent() -> None:
    """Ask the kernel (Linux) to end this process when its parent dies, however it dies."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGKILL)


def belong_to(parent: int) -> None:
    """Lead a process group of its own (so that it can be ended as a whole), and end with the host."""
    if os.getsid(0) == os.getpid():  # its supervisor has seen to that
        return
    os.setsid()
    end_with_parent()
    if os.getppid() != parent:  # it died before the request could take effect
        os._exit(1)


def send_prints_to(out: str, err: str) -> None:
    """Redirect the file descriptors of stdout and stderr to the host's log pipes, line by line."""
    for path, stream in ((out, 1), (err, 2)):
        descriptor = os.open(path, os.O_WRONLY)
        os.dup2(descriptor, stream)
        os.close(descriptor)
    sys.stdout = open(1, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115 - stays open
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115


_path_of = functools.lru_cache(maxsize=16)(Path)
"""The path of a dataset, taken apart once and not at each request."""


def _policy(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return what may be recommended: by default what a user has not seen."""
    return dict(request.get("candidates", {"policy": "unseen"}))


def _fold(request: Mapping[str, Any], *, keeps: bool) -> folds.Fold:
    """Return the fold of a request; an adapter gets the parts that the model is to be fitted on, whatever they are.

    Args:
        request: The request.
        keeps: Whether small folds are kept for the next request, since nobody writes into them.
    """
    policy = _policy(request)
    allowed = {name: bool(policy.get(name)) for name in ("repeats", "unknown")}
    refit, judged = request.get("refit", ""), request.get("judged", "")
    opened = opened_fold if keeps else folds.Fold
    fold = opened(_path_of(request["dataset"]), request["fold"], refit, judged=judged, **allowed)
    kept.release_others(fold)
    return fold


class Session:
    """The state of a guest: its adapter, and the last fitted model, so that Predict need not reload it.

    Args:
        adapter: The adapter.
        send: Sends a message to the host.
        receive: Waits for the host's answer to a message that asks for one.
        is_ours: Whether the adapter comes with omnibench. Others that recommend nothing to anybody are mistaken.
    """

    def __init__(
        self,
        adapter: Adapter,
        send: Callable[[dict[str, Any]], None],
        receive: Callable[[], dict[str, Any]] = dict,
        *,
        is_ours: bool = True,
    ) -> None:
        self.adapter = adapter
        self.send = send
        self.receive = receive
        self.is_ours = is_ours
        self._model: tuple[str, Any] | None = None
        self._garbage = memory.Garbage()
        self._costs: Callable[[], dict[str, Any]] = dict
        self._epochs: Epochs | None = None
        self._writes = False
        self._without_snapshots: set[str] = set()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer a request; a failure is returned as data, with its traceback."""
        meter = Meter(request.get("track", ("rss",)))
        self._begin()
        self._costs = meter.read
        try:
            result = getattr(self, "do_" + request["op"])(request)
            return {"ok": True, **meter.read(), **result}
        except BaseException as error:  # a framework may raise SystemExit: that is its failure, not the guest's end
            if self._epochs is not None and self._epochs.pruned is not None:  # whatever a framework has made of it
                return {"ok": False, "pruned": self._epochs.pruned, "history": self._epochs.history, **meter.read()}
            if isinstance(error, UnusableSnapshotError):
                return {"ok": False, "unusable": str(error), "anew": error.anew, **meter.read()}
            output = Path(request.get("output", os.curdir))
            directories = [output if output.is_dir() else output.parent]
            description = describe_error(error, directories, writing=self._writes)
            if isinstance(error, RefusedSnapshotError):  # no error of a program
                description |= {"error": str(error), "traceback": ""}
            return {"ok": False, **description, **meter.read()}
        finally:
            meter.stop()
            sys.stdout.flush()
            sys.stderr.flush()

    def _begin(self) -> None:
        self._writes, self._epochs = False, None

    def _task(self, request: dict[str, Any]) -> Task:
        def report(**values: Any) -> None:
            self.send({"progress": values})

        names = ("algorithm", "parameters", "seed", "device", "threads")
        return Task(**{name: request[name] for name in names}, k=request.get("k", 0), report=report)

    def _fold(self, request: Mapping[str, Any]) -> folds.Fold:
        return _fold(request, keeps=getattr(self.adapter, "ONLY_READS_FOLDS", False))

    def do_catalogue(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the framework's version and algorithms; where its adapter says so, those that do not run, with the reasons."""
        return described(self.adapter)

    def do_fit(self, request: dict[str, Any]) -> dict[str, Any]:
        """Fit and write the model into the directory ``output``."""
        self._model = None
        self._garbage.collect()
        task, fold = self._task(request), self._fold(request)
        notes: list[dict[str, Any]] = []

        def predict(model: Any, path: Path) -> None:
            self._write(model, replace(task, k=validate["k"]), judged, validate, path)

        validate = request.get("validate", {})
        judged = self._fold({**request, **validate, "judged": VALIDATION}) if validate else fold
        epochs = self._epochs = Epochs(request, self.send, self.receive, predict)
        snapshots = Snapshots(
            request.get("snapshots"), epochs, self.send, self.receive, self._costs, self._without_snapshots
        )

        def note(text: str, users: Any = (), items: Any = ()) -> None:
            notes.append({"text": text, "users": np.asarray(users).tolist(), "items": np.asarray(items).tolist()})

        measure = epochs.measure if epochs.are_measured else None
        reporting = replace(
            task,
            note=note,
            report=epochs.report,
            keep=epochs.keep,
            measure=measure,
            metric=validate.get("metric", ""),
            record=epochs.record,
            snapshots=snapshots,
        )
        snapshots.announce()
        model, effective = self.adapter.fit(reporting, fold)
        epochs.end()
        snapshots.end()
        self._writes = True
        path = self.adapter.save(model, Path(request["output"]))
        self._model = (request["fit_key"], model)
        answer = {"file": path.name, "effective": effective, "version": self.adapter.version(), "notes": notes}
        return {**answer, "epochs": epochs.trained, "history": epochs.history, "series": epochs.series}

    def do_predict(self, request: dict[str, Any]) -> dict[str, Any]:
        """Write the recommendations, the ratings of the test pairs, or both, to the file ``output``."""
        task, fold = self._task(request), self._fold(request)
        if self._model is None or self._model[0] != request["fit_key"]:
            self._model = None
            self._model = (request["fit_key"], self.adapter.load(Path(request["model"]), task, fold))
        rows = self._write(self._model[1], task, fold, request, Path(request["output"]))
        return {"rows": rows}

    def _write(self, model: Any, task: Task, fold: folds.Fold, request: Mapping[str, Any], path: Path) -> int:
        """Write a model's predictions, and return the number of rows."""
        outputs = request.get("outputs", ["ratings" if fold.explicit else "lists"])
        predictions = [self._lists(model, task, fold, _policy(request))] if "lists" in outputs else []
        if "ratings" in outputs:
            predictions.append(self._ratings(model, task, fold))
        self._writes = True
        folds.save_array(path, *predictions)
        self._writes = False
        return len(predictions[0])

    def _ratings(self, model: Any, task: Task, fold: folds.Fold) -> npt.NDArray[np.void]:
        ratings = np.zeros(len(fold.test), dtype=folds.RATING_DTYPE)
        ratings["user"], ratings["item"] = fold.test.user, fold.test.item
        ratings["rating"] = self.adapter.rate(model, task, fold)
        return ratings

    def _lists(self, model: Any, task: Task, fold: folds.Fold, policy: dict[str, Any]) -> npt.NDArray[np.void]:
        k, sets = task.k, candidates.candidate_sets(fold, policy, task.threads)
        if sets is not None:  # a user's class returns lists: only full ones are sure to hold the candidates
            task = replace(task, k=fold.n_items)
        adapter: Any = self.adapter
        lists = adapter.lists(model, task, fold) if hasattr(adapter, "lists") else None
        if lists is not None:
            return ranking.cut_lists(fold, lists, k, sets)
        if hasattr(adapter, "score"):
            rows = ranking.recommend(fold, adapter.score(model, task, fold), k, sets)
            self._refuse_silence(task, fold, rows, sets)
            return rows
        rated = lists_by_rating(lambda pairs: adapter.rate(model, task, pairs), fold)
        return ranking.cut_lists(fold, rated, k, sets)

    def _refuse_silence(
        self,
        task: Task,
        fold: folds.Fold,
        rows: npt.NDArray[np.void],
        sets: candidates.CandidateSets | None,
    ) -> None:
        """Refuse that an adapter of the user's has no score for anybody; ours know what their frameworks leave out."""
        if not self.is_ours and ranking.is_silent(fold, rows, sets):
            raise ValueError(
                f"{task.algorithm} recommended nothing to any of the {len(fold.users)} users that it was asked for; NaN and -inf "
                "stand for items without a score, and users and items are numbers from 0 in fold.users' order."
            )


def serve(channel: Any, adapter_module: str) -> None:
    """Answer the host's requests until it closes the channel. Runs in the guest's main thread.

    Args:
        channel: The execnet channel. The first message is ``{parent, out, err, work, path, package}``.
        adapter_module: The name of the adapter's module beside this one, the full name of one that is elsewhere, or the
            path of one that is a file of its own.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the host decides
    affinity, setup = Affinity(), unpacked(channel.receive())
    belong_to(setup["parent"])
    forks.withhold_gateway(channel.gateway)
    send_prints_to(setup["out"], setup["err"])
    os.chdir(setup["work"])
    sys.path += [folder for folder in setup.get("path", ()) if folder not in sys.path]
    is_ours = Path(__file__).parent.joinpath(f"{adapter_module}.py").is_file()
    try:
        adapter = (
            importlib.import_module(f"{__package__}.{adapter_module}")
            if is_ours
            else imported(adapter_module, setup.get("package", ()))
        )
    except BaseException as error:
        missing = isinstance(error, ImportError | OSError)
        channel.send(packed({"ok": False, "missing": missing, **describe_error(error)}))
        return
    gc.freeze()  # what the framework is made of stays: looking through it before every fit takes longer than some fits
    channel.send(packed({"ok": True, "pid": os.getpid()}))
    session = Session(
        adapter,
        lambda message: channel.send(packed(message)),
        lambda: dict(unpacked(channel.receive())),
        is_ours=is_ours,
    )
    own_pid, freeing = os.getpid(), memory.Freeing()
    for message in channel:
        affinity.compute()
        request = unpacked(message)
        answer = session.answer(request)
        if os.getpid() != own_pid:  # a child that an algorithm has forked, and that went the way of its parent
            os._exit(0 if answer["ok"] else 1)
        affinity.wait_on(request.get("core"))
        try:
            channel.send(packed(answer))
        except Exception as error:  # what the adapter returned is no plain data
            channel.send(packed({"ok": False, **describe_error(error)}))
        del answer
        freeing.give_back()  # when nobody waits for it

"""Fits in processes of their own, killed and gone on with, inside a framework's environment (omnibench is not installed there).

python guest_fits.py GUEST_DIRECTORY MODULE JOBS ANSWERS

JOBS is a JSON file with a list of jobs, each a dict:

    request     what a Fit is asked for, without ``snapshots``; ``output`` is a directory
    predict     what Predict is asked for after it; None for no predictions
    take        the numbers of the points, counted from 1, where a snapshot is taken
    kill        the number of the point after which the process kills itself by SIGKILL; None for never
    resume      the directory of the snapshot that the Fit goes on from; None for the beginning
    published   the directory for snapshots
    off         whether the Fit has no snapshots at all

ANSWERS gets one JSON line for each: ``points`` (iteration, within), ``snapshots`` (directory, bytes, seconds, cpu, memory),
``digest`` of the model, ``series``, ``history``, ``epochs``, ``peak_rss``, or ``error``; of a killed Fit what there was.

The framework is imported once; each job is a child of this process.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import os
import pickle
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any


def open_guest(directory: str, module: str) -> tuple[Any, Any]:
    """Import the guest package from its directory; return its module ``base`` and the adapter."""
    path = f"{directory}/__init__.py"
    spec = importlib.util.spec_from_file_location("guest", path, submodule_search_locations=[directory])
    assert spec is not None
    assert spec.loader is not None
    sys.modules["guest"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["guest"])
    return importlib.import_module("guest.base"), importlib.import_module(f"guest.{module}")


class Digest(pickle.Pickler):
    """Reads an object as pickle does, the bytes of its tensors and arrays included."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256()
        super().__init__(self, protocol=5)
        self.fast = True  # equal parts count as equal, whether or not they are the same object

    def write(self, data: Any) -> int:
        """Take what pickle writes."""
        self.hash.update(data)
        return memoryview(data).nbytes  # a large array comes as a buffer that has no len

    def persistent_id(self, obj: Any) -> Any:
        """Return the bytes of a dense tensor, and a set in an order that does not depend on Python's hashes."""
        if type(obj) is set:
            return "set", sorted(map(repr, obj))
        torch = sys.modules.get("torch")
        if torch is not None and isinstance(obj, torch.Tensor) and obj.layout == torch.strided:
            dense = obj.detach().cpu().contiguous()
            return str(dense.dtype), tuple(dense.shape), dense.reshape(-1).numpy().tobytes()
        return None


def digest(model: Any) -> str:
    """Return the digest of everything in a model."""
    pickler = Digest()
    pickler.dump(model)
    return pickler.hash.hexdigest()


def begin_peak() -> int:
    """Have the kernel (Linux) begin anew with the peak of this process's memory; return the bytes that it has now."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return peak()


def peak() -> int:
    """Return the peak of this process's memory in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def size_of(directory: Path) -> int:
    """Return the bytes of a snapshot's files."""
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


class Host:
    """Answers the guest as a host does that publishes snapshots, and keeps what they have cost.

    Args:
        job: The job.
        answer: What is to be known of it, also if it is killed.
    """

    def __init__(self, job: dict[str, Any], answer: dict[str, Any]) -> None:
        self.published = Path(job["published"])
        self.job, self.answer = job, answer
        self.message: dict[str, Any] = {}
        self.scratch = self.published / "scratch"
        self.scratch.mkdir(parents=True, exist_ok=True)
        self.ask = self.published / "ask"

    def send(self, message: dict[str, Any]) -> None:
        """Take a message."""
        self.message = message

    def receive(self) -> dict[str, Any]:
        """Publish a snapshot."""
        snapshot = self.message.get("snapshot", {})
        if "folder" not in snapshot:
            self.answer.setdefault("failures", []).append(snapshot.get("failed", str(self.message)))
            return {"failed": snapshot.get("failed", "")}
        name = f"point_{len(self.answer['points'])}"
        directory = self.published / name
        os.rename(self.scratch / snapshot["folder"], directory)
        members = {name: snapshot[name] for name in ("iteration", "within", "seconds")}
        self.answer["snapshots"].append({"directory": str(directory), "bytes": size_of(directory), **members})
        return {"name": name}

    @property
    def request(self) -> dict[str, Any]:
        """What the guest is asked for, beside the Fit itself."""
        resume = self.job["resume"]
        names = {"resume": {"name": Path(resume).name, "directory": resume}} if resume else {}
        return {"directory": str(self.scratch), "ask": str(self.ask), **names}


def watch_points(snapshots: Any, host: Host, write: Any) -> None:
    """Ask for snapshots at the points of the job, and kill the process where it says so."""
    point = snapshots.Snapshots.point
    job, points = host.job, host.answer["points"]

    def watched(self: Any, save: Any, *, iteration: int, within: bool = False, **options: Any) -> None:
        points.append([iteration, within])
        is_taken = len(points) in job["take"]
        if is_taken:
            host.ask.write_text("request")
            time.sleep(0.06)  # it is looked for now and then
        before, began = begin_peak() if is_taken else 0, time.process_time()
        point(self, save, iteration=iteration, within=within, **options)
        if is_taken and host.answer["snapshots"]:
            host.answer["snapshots"][-1] |= {"cpu": time.process_time() - began, "memory": peak() / before}
        if len(points) == job["kill"]:
            write()
            os.kill(os.getpid(), signal.SIGKILL)

    snapshots.Snapshots.point = watched


def run_job(base: Any, adapter: Any, job: dict[str, Any], path: Path) -> None:
    """Run a job in this process, and write its answer."""
    answer: dict[str, Any] = {"points": [], "snapshots": []}

    def write() -> None:
        path.write_text(json.dumps(answer), encoding="utf-8")

    host = Host(job, answer)
    watch_points(importlib.import_module("guest.snapshots"), host, write)
    session = base.Session(adapter, host.send, host.receive)
    began = time.perf_counter()
    asked = {} if job["off"] else {"snapshots": host.request}
    fitted = session.answer({**job["request"], "op": "fit", **asked})
    answer["seconds"] = time.perf_counter() - began
    if not fitted["ok"]:
        answer["error"] = fitted.get("traceback") or fitted["unusable"]
        write()
        return
    answer |= {name: fitted.get(name) for name in ("series", "history", "epochs", "notes", "peak_rss")}
    answer["digest"] = digest(_learned(session._model[1]))  # noqa: SLF001
    if job["predict"]:
        predict = {**job["request"], **job["predict"], "op": "predict"}
        predicted = session.answer({**predict, "model": f"{job['request']['output']}/{fitted['file']}"})
        if not predicted["ok"]:
            answer["error"] = predicted["traceback"]
    write()


def _learned(model: Any) -> Any:
    """Return what of a model is saved: not the training data, which LensKit's answers from."""
    return (model.scorer, model.fallback) if hasattr(model, "fallback") else model


def main(guest: str, module: str, jobs: str, answers: str) -> None:
    """Run all jobs."""
    base, adapter = open_guest(guest, module)
    with open(answers, "w", encoding="utf-8") as lines:
        for number, job in enumerate(json.loads(Path(jobs).read_text(encoding="utf-8"))):
            path = Path(f"{answers}.{number}").absolute()  # a framework may change the directory
            path.unlink(missing_ok=True)
            child = os.fork()
            if child == 0:
                status = 1
                try:
                    Path(job["request"]["output"]).mkdir(parents=True, exist_ok=True)
                    run_job(base, adapter, job, path)
                    status = 0
                except BaseException:
                    traceback.print_exc()
                finally:
                    os._exit(status)
            os.waitpid(child, 0)
            lines.write((path.read_text(encoding="utf-8") if path.exists() else '{"error": "it died"}') + "\n")
            lines.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])

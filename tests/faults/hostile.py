"""Stores from strangers: records that are sealed rightly and say anything, and whoever looks at what is touched then.

A copy of a finished store lies in a project beside files of somebody's. Records of it are changed at random, sealed
anew, so that their checksums are right, and put into the database and the manifests. Then every command runs over it,
and a run. The judge is an audit hook: it sees which paths Python, and SQLite through it, are asked to open.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import random
import shutil
import sqlite3
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from faults import plant
from faults.children import Ended, run
from faults.sweeps import Tally
from faults.tracing import calls, traced
from omnibench.commands.main import main
from omnibench.errors import OmnibenchError
from omnibench.store.reading import read_all
from omnibench.store.sealing import seal

Json = dict[str, Any]

_NEIGHBOURS = {
    "uv.lock": "theirs",
    "secrets.json": '{"token": "theirs"}',
    "manifest.json": '{"cold": {}}',
    "records.jsonl": "theirs",
    "datasets/decoy-aaaaaaaa/manifest.json": '{"cold": {}}',
    "datasets/decoy-aaaaaaaa/fold_0/test.npy": "theirs",
    "decoy-aaaaaaaa/other-bbbbbbbb/records.jsonl": "theirs",
    "decoy-aaaaaaaa/other-bbbbbbbb/model.pkl": "theirs",
}
"""Files beside the store, at which records aim."""

COMMANDS: tuple[tuple[str, ...], ...] = (
    ("status",),
    ("status", "--all"),
    ("status", "--json"),
    ("logs",),
    ("logs", "*"),
    ("show", "{item}"),
    ("show", "--json", "{item}"),
    ("why", "{item}"),
    ("why", "--json", "{item}"),
    ("why", "{item}", "{other}"),
    ("diff", "{store}", "{same}"),
    ("compare",),
    ("compare", "--all", "--json"),
    ("export", "{out}/results.csv"),
    ("export", "{out}/results.html"),
    ("baseline", "{out}/own.parquet"),
    ("gate", "{baseline}"),
    ("gate", "--all", "{baseline}"),
    ("delete", "--dry-run", "*"),
    ("delete", "--dry-run", "--models", "*"),
    ("prune", "--older", "0s", "--dry-run"),
    ("gc", "--dry-run", "--planned", "--datasets", "--damaged", "0s"),
    ("delete", "--models", "--yes", "{item}"),
    ("reset", "--yes"),
    ("gc", "--kept", "--planned", "--datasets", "--damaged", "0s"),
    ("rebuild",),
    ("delete", "--yes", "*"),
    ("gc",),
)
"""Every command, those that change nothing first."""

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_CHANGES = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod")


class Judge:
    """Notes what is touched outside of a store. An audit hook stays for life, so this belongs into a child.

    Args:
        root: The store.
        writable: Further directories that may be written to.
        guarded: The directory around the store, of which nothing else may even be read.
    """

    def __init__(self, root: Path, writable: Sequence[Path], guarded: Path) -> None:
        self._writable = [
            os.path.realpath(path) for path in (*map(str, (root, *writable)), tempfile.gettempdir(), "/dev", "/proc")
        ]
        self._guarded = os.path.realpath(guarded)
        self._own = [os.path.realpath(path) for path in (root, *writable)]
        self.touched: list[str] = []
        sys.dont_write_bytecode = True  # a module that is imported late is not written beside itself
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            self._look(event, path, writes=bool(isinstance(flags, int) and flags & _WRITES))
        elif event in ("sqlite3.connect", "os.listdir", "os.scandir"):
            self._look(event, arguments[0], writes=False)
        elif event in _CHANGES:
            for path in arguments[:2]:
                self._look(event, path, writes=True)

    def _look(self, event: str, path: Any, *, writes: bool) -> None:
        if not isinstance(path, str | bytes | os.PathLike) or path in (":memory:", b":memory:"):
            return
        text = os.fsdecode(path)
        if text.startswith("file:"):
            text = text.removeprefix("file://").partition("?")[0]
        if "/" not in text and text not in ("", ".", ".."):
            return  # below a directory that is open already
        # What is removed or renamed is the name itself, whatever it leads to.
        names_only = event in ("os.remove", "os.rename", "os.rmdir")
        real = os.path.join(os.path.realpath(os.path.dirname(text)), os.path.basename(text))
        real = real if names_only else os.path.realpath(text)
        if writes and not _below(real, self._writable):
            self.touched.append(f"{event} writes {text}")
        elif _below(real, [self._guarded]) and real != self._guarded and not _below(real, self._own):
            self.touched.append(f"{event} {text}")


def _below(path: str, directories: Sequence[str]) -> bool:
    return any(path == directory or path.startswith(f"{directory}/") for directory in directories)


def odd_values(project: Path) -> list[Any]:
    """Return values that no record of ours has, most of them paths that lead out."""
    nested: Any = []
    for _ in range(400):
        nested = [nested]
    return [
        *(
            None,
            True,
            False,
            -1,
            0,
            3,
            2**63,
            10**400,
            1e308,
            float("nan"),
            float("inf"),
            "",
            ".",
            "..",
            "/",
            "x",
            "a/b",
        ),
        *(
            "a" * 64,
            "A" * 64,
            "a" * 63,
            "x" * 300,
            "\0",
            "a\0b",
            "\ud800",
            "é",
            "a\nb",
            "*",
            "{}",
            "%s",
            "-1",
            "2026-02-30",
        ),
        *(
            "../../uv",
            "../uv",
            "../secrets.json",
            "../",
            "../datasets/decoy-aaaaaaaa",
            str(project),
            f"{project}/uv.lock",
        ),
        *(
            "../decoy-aaaaaaaa/other-bbbbbbbb",
            "../decoy-aaaaaaaa/other-bbbbbbbb/model.pkl",
            f"{project}/decoy-aaaaaaaa",
        ),
        *("store", "leases", "tmp", "datasets", "STORE.json", "store/cache.db", "leases/store.lock", "opening"),
        *([], {}, [[]], [None], {"": None}, {"path": "../secrets.json"}, nested, ["fit/1"], ["fit/1", {}]),
        {"path": "../secrets.json", "size": 19, "sha256": hashlib.sha256(b'{"token": "theirs"}').hexdigest()},
    ]


@dataclass
class Stranger:
    """Changes records at random.

    Args:
        seed: What decides the changes.
        project: The directory around the store.
    """

    seed: int
    project: Path
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._odd = odd_values(self.project)

    def change(self, root: Path) -> None:
        """Change some records of a store, in its database and in its manifests."""
        records = read_all(root / "store")
        for _ in range(self._random.choice((1, 1, 2, 5))):
            key = self._random.choice(sorted(records))
            record = self._changed(records[key])
            if self._random.random() < 0.2:
                key = (
                    f"{key.partition('/')[0]}/{self._random.choice(['../../uv', 'x', 'a' * 64, '', str(self.project)])}"
                )
            elif self._random.random() < 0.1:
                key = f"old/{self._random.choice(['0', '1', 'x', '../..'])}/{key}"
            self.said.append(f"{key[:60]}: {self.said.pop() if self.said else ''}")
            _write(root, key, record, manifest=records.get(key, {}).get("directory") or ".")

    def _changed(self, record: Json) -> Json:
        """Return a record in which something at a random depth is another value, is missing, or is new."""
        changed: Json = _copied(record)
        parent: Any = changed
        path: list[str] = []
        while True:
            names = list(parent) if isinstance(parent, dict) else list(range(len(parent)))
            if not names:
                break
            name = self._random.choice(names)
            path.append(str(name))
            if isinstance(parent[name], dict | list) and parent[name] and self._random.random() < 0.6:
                parent = parent[name]
                continue
            if self._random.random() < 0.15:
                del parent[name]
                self.said.append(f"{'.'.join(path)} is gone")
            else:
                parent[name] = self._random.choice(self._odd)
                self.said.append(f"{'.'.join(path)} = {parent[name]!r:.60}")
            return changed
        self.said.append("nothing")
        return changed


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _copied(member) for name, member in value.items()}
    return [_copied(member) for member in value] if isinstance(value, list) else value


def _write(root: Path, key: str, record: Json, manifest: str) -> None:
    text = seal(key, record)
    with closing(sqlite3.connect(root / "store" / "cache.db", isolation_level=None)) as connection:
        connection.execute("DELETE FROM Cache WHERE key = ?", (key.encode(errors="replace").decode(),))
        columns = "key, raw, store_time, access_time, access_count, size, mode, value"
        connection.execute(
            f"INSERT INTO Cache ({columns}) VALUES (?, 1, 0, 0, 0, 0, 1, ?)",
            (key.encode(errors="replace").decode(), text),
        )
    with contextlib.suppress(OSError), (root / manifest / "records.jsonl").open("ab") as file:
        file.write(f"\n{key}\t{text}\n".encode(errors="replace"))


LINKED = (
    *(
        "STORE.json",
        "STORE.json.new",
        "leases",
        "leases/opening.lock",
        "leases/store.lock",
        "leases/{key}.lock",
        "tmp",
        "requests",
    ),
    *("store", "store/cache.db", "store/cache.db-wal", "store/cache.db-shm", "store/cache.db-journal", "logs.db"),
    *("logs.db-wal", "logs.db-shm", "out.log", "err.log", "progress.json", "results.json", "damaged-records.jsonl"),
    *(
        "records.jsonl",
        "datasets",
        "{data}",
        "{data}/records.jsonl",
        "{data}/manifest.json",
        "{data}/.key",
        "{data}/fold_0",
    ),
    *("{data}/fold_0/parts.npy", "{dataset}", "{dataset}/.key", "{algorithm}", "{algorithm}/.key", "{item}"),
    *(
        "{item}/records.jsonl",
        "{item}/model.pkl",
        "{item}/predictions.json",
        "{item}/predictions.npy",
        "{item}/per_user",
    ),
    *("{item}/generation_1", "new-aaaaaaaa"),
)
"""Files and directories of a store in whose place a stranger may put a link."""

TARGETS: dict[str, str] = {
    "a file": "../uv.lock",
    "a directory": "../decoy-aaaaaaaa",
    "nothing": "../nowhere",
    "itself": "{name}",
}
"""What a link may lead to."""


class HostileStores:
    """A finished store in a project, copies of which are changed by strangers.

    Args:
        directory: An empty directory of its own.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir()
        self.project, self.out, self._clean = directory / "project", directory / "out", directory / "clean"
        self.root = self.project / "checkpoints"
        ended = run(plant.Errand(self._clean, directory / "work"), directory / "log")
        assert ended.outcome is not None, ended.error
        self._baseline = directory / "out-baseline.parquet"
        written = run(
            partial(_commands, [["baseline", str(self._baseline), "--store", str(self._clean)]]), directory / "log"
        )
        assert written.outcome is not None, written.error
        self.items = [experiment.name for experiment in plant.items()][:2]

    def fresh(self) -> None:
        """Lay out the project anew."""
        for path in (self.project, self.out):
            shutil.rmtree(path, ignore_errors=True)
        self.out.mkdir()
        for name, text in _NEIGHBOURS.items():
            (self.project / name).parent.mkdir(parents=True, exist_ok=True)
            (self.project / name).write_text(text)
        shutil.copytree(self._clean, self.root)

    def lines(self, commands: Sequence[Sequence[str]] = COMMANDS) -> list[list[str]]:
        """Return command lines over the store."""
        words = {"item": self.items[0], "other": self.items[1], "out": str(self.out), "baseline": str(self._baseline)}
        words |= {"store": str(self.root), "same": str(self._clean)}
        return [
            [
                *(word.format(**words) if word.startswith("{") else word for word in command),
                *(() if command[0] == "diff" else ("--store", str(self.root))),
            ]
            for command in commands
        ]

    def point(self, seed: int, commands: Sequence[Sequence[str]] = COMMANDS) -> tuple[str, list[str]]:
        """Let a stranger change the store, and everybody use it; return what he did, and what is wrong then."""
        self.fresh()
        stranger = Stranger(seed, self.project)
        stranger.change(self.root)
        violations = self.judged(partial(_commands, self.lines(commands)))
        self.fresh()
        Stranger(seed, self.project).change(self.root)
        violations += self.judged(partial(_run, plant.Errand(self.root, self._directory / "work", plant.ONE_MORE)))
        return "; ".join(stranger.said), violations

    def link(self, place: str, target: str, commands: Sequence[Sequence[str]] = COMMANDS) -> tuple[str, list[str]]:
        """Put a link into the place of a file of the store, and let everybody use it; return which, and what is wrong."""
        found = _places(self._clean, place)
        wrong: list[str] = []
        for errand in (
            partial(_commands, self.lines(commands)),
            partial(_run, plant.Errand(self.root, self._directory / "work", plant.LONGER, reset=(0,)), may_fail=True),
        ):
            self.fresh()
            path = self.root / found
            if path.is_dir():
                shutil.rmtree(path)
            path.unlink(missing_ok=True)
            path.parent.mkdir(exist_ok=True)
            if target == "a pipe":
                os.mkfifo(path)
            else:
                outside = self.project / TARGETS[target].removeprefix("../")
                path.symlink_to(path if target == "itself" else outside)
            wrong += self.judged(errand)
        return found, wrong

    def judged(self, action: Callable[[], Json]) -> list[str]:
        """Run an action in a child under the judge; return what it did wrong."""
        writable = [self.out, self._directory / "work", self._directory / "log"]
        ended = run(partial(_watched, action, self.root, writable, self.project), self._directory / "log")
        return [*self._faults(ended), *self._changes()]

    def traced(self, commands: Sequence[Sequence[str]]) -> list[str]:
        """Let commands use the store as it is, with the kernel as the judge: what is opened outside, by its real path."""
        trace = self._directory / "trace"
        options = ["-e", "trace=open,openat,creat"]
        action = partial(_uncompiled, partial(_commands, self.lines(commands)))
        ended = traced(action, self._directory / "log", trace, options)
        within = [str(self.root), str(self.out), str(self._directory / "work"), str(self._directory / "log")]
        touched = []
        for call in calls(trace):
            flags, _, path = call.text.rpartition(" = ")
            path = path.partition("<")[2].rpartition(">")[0]
            writes = any(flag in flags for flag in ("O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC"))
            outside = writes and not path.startswith("/dev/null") if path else False
            if (outside or _below(path, [str(self.project)])) and not _below(path, within):
                touched.append(f"{call.name} {path}{' to write' if writes else ''}")
        return [*self._faults(ended), *touched, *self._changes()]

    def _faults(self, ended: Ended) -> list[str]:
        if ended.outcome is None:
            return [f"it ended with {ended}: {ended.error.get('details', '')[-4000:]}"]
        return list(ended.outcome["wrong"])

    def _changes(self) -> Iterator[str]:
        present = {
            path.relative_to(self.project).as_posix(): path.read_text()
            for path in self.project.rglob("*")
            if path.is_file() and not path.is_relative_to(self.root)
        }
        if present != _NEIGHBOURS:
            yield f"files beside the store have changed: {sorted(present.items() ^ _NEIGHBOURS.items())}"

    def over(self, seeds: Sequence[int], commands: Sequence[Sequence[str]] = COMMANDS) -> Tally:
        """Try many strangers."""
        tally = Tally("hostile stores")
        for seed in seeds:
            said, violations = self.point(seed, commands)
            tally.take(f"stranger {seed} ({said})", violations)
        return tally


def _places(root: Path, place: str) -> str:
    """Return what a name such as ``{item}/model.pkl`` stands for in a store, relative to it."""
    item = min(path.parent for path in root.glob("*/*/fold_0/model.*")).relative_to(root)
    key = (root / item.parent / ".key").read_text()
    data = min(root.glob("datasets/*/")).relative_to(root)
    words = {"item": item, "algorithm": item.parent, "dataset": item.parent.parent, "data": data, "key": key}
    text = place.format(**words)
    directory, _, name = text.rpartition("/")
    stem, dot, ending = name.rpartition(".")
    matches = sorted((root / directory).glob(f"{stem or name}*{dot}{ending if stem else ''}")) if directory else []
    return matches[0].relative_to(root).as_posix() if matches else text


def _watched(action: Callable[[], Json], root: Path, writable: Sequence[Path], guarded: Path) -> Json:
    judge = Judge(root, writable, guarded)
    outcome = action()
    return {"wrong": [*outcome["wrong"], *dict.fromkeys(judge.touched)]}


def _uncompiled(action: Callable[[], Json]) -> Json:
    """Do something without writing beside their sources what is compiled of modules."""
    sys.dont_write_bytecode = True
    return action()


def _commands(lines: Sequence[Sequence[str]]) -> Json:
    """Call the command line; an error has to be omnibench's own, in one line, or argparse's."""
    wrong = []
    for line in lines:
        output = io.StringIO()
        try:
            with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                main(line)
        except SystemExit:
            wrong.append(f"{line}: {output.getvalue()[-300:]}")
        except Exception:
            wrong.append(f"{' '.join(line[:2])}: {traceback.format_exc()[-4000:]}")
    return {"wrong": wrong}


def _run(errand: plant.Errand, *, may_fail: bool = False) -> Json:
    """Run the plan; an error has to be omnibench's own, and no item may fail by one that is not."""
    try:
        outcome = errand()
    except OmnibenchError:
        return {"wrong": []}
    except Exception:
        return {"wrong": [f"a run: {traceback.format_exc()[-4000:]}"]}
    return {"wrong": [] if may_fail else [f"a run: {failure}" for failure in outcome["failed"].values()]}

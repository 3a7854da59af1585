"""The `omnibench` command over a store: what it says of a store, what it does to one, and how it ends."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.markers import starts_guests
from support.projects import OWN_ALGORITHMS

from omnibench import Store
from omnibench.commands import status, upkeep
from omnibench.commands.main import main
from omnibench.sizes import size_text
from omnibench.store import CheckpointStore
from omnibench.tables.names import recorded_names

RUN = """
import sys
import pandas as pd
from command_algorithms import Broken, Popular
from omnibench import NDCG, Coordinator, Evaluator, ExperimentPlan, Grid, ItemsFailedError
from omnibench import MakeImplicit, UserHoldout, from_frame

if __name__ == "__main__":
    data = from_frame(pd.read_csv("data.csv"), "tiny").pipe(MakeImplicit(2), UserHoldout(0.1, 0.3))
    plan = ExperimentPlan("tests")
    plan.add_algorithm(Popular, {"noise": Grid([0, 1])})
    plan.add_algorithm(Broken)
    try:
        with Coordinator() as coordinator:
            coordinator.run(data, plan, Evaluator(NDCG(10)))
    except ItemsFailedError:
        pass
"""

Command = Callable[..., str]


@pytest.fixture(scope="module")
@starts_guests
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which a script has been run: two items are done, one failed."""
    place = tmp_path_factory.mktemp("commands")
    (place / "command_algorithms.py").write_text(OWN_ALGORITHMS)
    (place / "run.py").write_text(RUN)
    rng = np.random.default_rng(7)
    frame = pd.DataFrame({"user": rng.integers(0, 30, 600), "item": rng.integers(0, 40, 600), "rating": 5})
    frame.drop_duplicates(["user", "item"]).to_csv(place / "data.csv", index=False)
    environment = {**os.environ, "PYTHONPATH": str(place)}  # tox has Python look nowhere by itself
    subprocess.run([sys.executable, "run.py"], cwd=place, check=True, capture_output=True, env=environment)
    return place / "checkpoints"


@pytest.fixture
def store(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A copy of it, in the directory where the command looks when nobody says otherwise."""
    subprocess.run(["cp", "-a", str(made), str(tmp_path)], check=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OMNIREC_CHECKPOINT_DIR", raising=False)
    return Store(tmp_path / "checkpoints")


@pytest.fixture
def omnibench(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command, expect how it ends, and return what it said."""

    def run(*arguments: str, ends: int = 0) -> str:
        assert main(arguments) == ends
        out, err = capsys.readouterr()
        assert bool(err) == (ends == 2), err
        return err or out

    return run


def called(store: Store, name: str) -> str:
    """What status calls an item."""
    items = store.items()
    return recorded_names(items.values()).recorded_item(items[name])


def test_status_counts_and_lists_what_is_not_done(store: Store, omnibench: Command) -> None:
    """One line for all, one for each that needs looking at."""
    (failed,) = store.failed
    first, sizes, *rest = omnibench("status").splitlines()
    assert first.startswith(f"{store.root}: 3 items: 2 done, 1 failed, 0 interrupted, 0 running, 0 pending; ")
    assert first.endswith(" s computed in all")
    assert sizes.strip().startswith(f"{size_text(store.sizes().total)[:-5]}")
    assert "on disk: models " in sizes
    key = store.items()[failed]["fit_key"][:8]
    again = "  the next run tries 1 of the failed items again (not with --omnirec-failed=skip)"
    assert rest == [
        f"  failed       {key}  {called(store, failed)}  (Fit: RuntimeError: the algorithm is broken)",
        again,
    ]


def test_status_tells_what_is_not_tried_again(store: Store, omnibench: Command) -> None:
    """An item whose process has died three times in a row is left to the user, who is told how to go on."""
    (failed,) = store.failed
    key = f"item/{store.items()[failed]['fit_key']}"
    opened = CheckpointStore(store.root)
    opened.records.commit({key: {**store.records()[key], "deaths": 3}})
    opened.close()
    lines = omnibench("status").splitlines()
    assert lines[2].endswith("(Fit: RuntimeError: the algorithm is broken, its process died 3 times)")
    (advice,) = lines[3:]
    assert advice.startswith("  not tried again: 1 of the failed items, of which a process died 3 times in a row; ")
    assert "--omnirec-max-attempts=4 tries once more, --omnirec-reset=failed forgets it" in advice


def test_status_of_all_lists_everything(store: Store, omnibench: Command) -> None:
    """`status --all` also lists what is done, and who has computed it."""
    lines = omnibench("status", "--all").splitlines()
    assert [line.split()[2] for line in lines[2:5]] == [called(store, name) for name in store.items()]
    done = [line for line in lines[2:5] if line.startswith("  done")]
    assert all(re.search(r"  \(\d+\.\d kB, its model \d+ bytes\)$", line) for line in done)
    (worker,) = store.workers(active=False)
    assert lines[6].startswith(f"  worker {worker['id']}: process {worker['pid']} on {os.uname().nodename}, since ")
    assert lines[7] == "    2 items completed; ended"


def test_status_for_programs_is_json(store: Store, omnibench: Command) -> None:
    """The summary, and the status of each item."""
    told = json.loads(omnibench("status", "--json"))
    assert told.pop("bytes").keys() == store.sizes().parts.keys()
    assert told.pop("items") == {name: one["status"] for name, one in store.items().items()}
    assert told.pop("unsteady") == store.unsteady == {}
    assert told.pop("snapshots") == told.pop("taken") == {}
    assert told == store.summary()


def test_status_shows_who_computes(store: Store, omnibench: Command) -> None:
    """An item whose lease is held is running, by whom."""
    (failed,) = store.failed
    opened = CheckpointStore(store.root)
    with opened.lease(store.items()[failed]["fit_key"]):
        lines = omnibench("status").splitlines()
        assert lines[2].startswith("  running ")
        assert lines[2].endswith(f"{called(store, failed)}  (process {os.getpid()} on {os.uname().nodename})")
    opened.close()


def test_the_store_is_where_one_says(store: Store, omnibench: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """--store before OMNIREC_CHECKPOINT_DIR before ./checkpoints."""
    monkeypatch.chdir("/")
    assert omnibench("status", "--store", str(store.root)).startswith(f"{store.root}: ")
    monkeypatch.setenv("OMNIREC_CHECKPOINT_DIR", str(store.root))
    assert omnibench("status").startswith(f"{store.root}: ")
    assert "there are no checkpoints in '/nowhere'" in omnibench("status", "--store", "/nowhere", ends=2)


@pytest.mark.parametrize(
    "command", ["status", "why x", "tuning", "tuning x", "show x", "logs", "reset --yes", "gc", "rebuild"]
)
def test_a_directory_without_a_store_is_an_error(
    command: str, omnibench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit status 2, one sentence on stderr, and nothing is made there."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    for name in ("nowhere", "empty"):
        told = omnibench(*command.split(), "--store", name, ends=2)
        assert told.startswith("omnibench: there ")
        assert name in told
        assert told.count("\n") == 1
    assert [path.name for path in tmp_path.rglob("*")] == ["empty"]


def test_show_tells_everything_about_an_item(store: Store, omnibench: Command) -> None:
    """By its name or key: metrics, phases, files, where its numbers come from."""
    name = store.completed[0]
    item, provenance = store.items()[name], store.provenance(name)
    told = omnibench("show", name)
    assert told == omnibench("show", item["fit_key"][:8])
    lines = told.splitlines()
    assert lines.pop(0) == f"{store.describe(name)['title']}: done"
    validated = "UserHoldout(validation_size=0.1, test_size=0.3)"
    assert lines[0] == f"  item             {name}"
    assert lines[1] == f"  dataset          tiny: MakeImplicit(2), {validated}"
    numbers = [line for line in lines[5:] if not line.startswith("  Start ")]  # of the item that came first
    assert numbers[0].split() == ["NDCG@10", f"{item['metrics']['NDCG@10']['value']:.6f}"]
    assert [line.split()[0] for line in numbers[1:4]] == ["Fit", "Predict", "Eval"]
    assert all("MiB" in line for line in numbers[1:4])
    assert [line.strip() for line in numbers[4:8]] == [str(path) for path in store.files(name)]
    assert provenance["sha256"] in numbers[8]
    assert numbers[9].strip() == provenance["configuration_json"]
    assert numbers[10].startswith(f"  run {provenance['run']['id']} by ")


def test_show_for_programs_is_json(store: Store, omnibench: Command) -> None:
    """`show --json` describes items that are done and items that failed."""
    for name in store.items():
        told = json.loads(omnibench("show", name, "--json"))
        assert told["record"] == store.items()[name]
        assert told["provenance"] == store.provenance(name)
        assert told["facts"] == json.loads(json.dumps(store.describe(name)))
        assert told["files"] == [str(path) for path in store.files(name)]
    (failed,) = store.failed
    told = omnibench("show", failed)
    assert told.startswith(f"{store.describe(failed)['title']}: failed  (Fit: RuntimeError: the algorithm is broken)\n")
    assert any(line.split()[0] == "Fit" and line.endswith("  failed") for line in told.splitlines())
    assert "  | RuntimeError: the algorithm is broken\n" in told  # the end of the traceback


def test_an_unknown_item_is_an_error(store: Store, omnibench: Command) -> None:
    """An unknown item is an error that suggests the nearest name."""
    for command in ("show", "why", "logs", "reset"):
        told = omnibench(command, store.completed[0] + "x", ends=2)
        assert f"did you mean '{store.completed[0]}'" in told


def test_why_tells_what_differs(store: Store, omnibench: Command) -> None:
    """`why` prints what `Store.why` returns."""
    for name in store.items():
        assert omnibench("why", name) == store.why(name) + "\n"


def test_logs_are_shown(store: Store, omnibench: Command) -> None:
    """`logs` shows all entries, those of an item, or those from a level or an id on."""
    (failed,) = store.failed
    everything = omnibench("logs")
    for entry in store.logs():
        assert f"{entry['id']} {entry['time']} {entry['level_name']} {entry['logger']}" in everything
    of_item = omnibench("logs", failed)
    title = store.describe(failed)["title"]
    assert f" INFO omnibench {title}: begins\n" in of_item
    assert not any(store.describe(name)["title"] in of_item for name in store.completed)
    errors = omnibench("logs", "--level", "ERROR")
    assert f" ERROR omnibench {title}: Fit failed: RuntimeError: the algorithm is broken" in errors
    assert " INFO " not in errors
    last = store.logs()[-1]["id"]
    assert omnibench("logs", "--since", str(last)) == ""
    assert omnibench("logs", "--since", str(last - 1)).startswith(f"{last} ")


def test_a_reset_of_everything_wants_to_be_sure(
    store: Store, omnibench: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script has to say --yes; a person is asked."""
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert "say so with --yes" in omnibench("reset", ends=2)
    for answer, ends in (("\n", 1), ("n\n", 1), ("", 1), ("Yes\n", 0)):
        typed = io.StringIO(answer)
        monkeypatch.setattr(typed, "isatty", lambda: True)
        monkeypatch.setattr("sys.stdin", typed)
        assert len(store.completed) == 2
        assert f"Compute all 3 items of {store.root} anew? [y/N]" in omnibench("reset", ends=ends)
    assert (store.completed, store.failed) == ([], {})


def test_a_reset_of_some_asks_nobody(store: Store, omnibench: Command) -> None:
    """Named items, or those that failed."""
    one, other = store.completed
    assert omnibench("reset", one, "--what", "Eval").startswith("1 item was reset")
    assert store.completed == [other]
    assert omnibench("reset", "--what", "failed").startswith("1 item was reset")
    assert store.failed == {}
    assert omnibench("reset", "--yes").startswith("2 items were reset")
    assert omnibench("reset", "--yes").startswith("0 items were reset")
    with pytest.raises(SystemExit, match="2"):
        main(["reset", "--what", "everything"])


def test_a_reset_of_what_is_computed_is_told(store: Store, omnibench: Command) -> None:
    """It is left alone, and that is no success."""
    opened = CheckpointStore(store.root)
    name = store.completed[0]
    with opened.lease(store.items()[name]["fit_key"]):
        told = omnibench("reset", name, ends=1)
    opened.close()
    assert "1 item is being computed right now and was left alone" in told
    assert name in store.completed


def test_a_rebuild_puts_back_what_is_lost(store: Store, omnibench: Command) -> None:
    """After the database was removed, and of a sound one nothing."""
    before = store.results().to_dict("records")
    assert omnibench("rebuild") == "0 records of 0 items were rebuilt from the manifests.\n"
    (store.root / "store" / "cache.db").write_bytes(b"not a database " * 100)
    told = omnibench("rebuild")
    assert "set aside as store.damaged-" in told
    assert "of 3 items were rebuilt from the manifests" in told
    assert store.results().to_dict("records") == before
    for path in (store.root / "store").iterdir():
        path.unlink()
    assert "of 3 items were rebuilt from the manifests" in omnibench("rebuild")
    assert store.results().to_dict("records") == before


def test_gc_removes_what_it_said_it_would(store: Store, omnibench: Command) -> None:
    """First dry, then not; the results that count stay."""
    omnibench("reset", store.completed[0])
    told = omnibench("gc", "--dry-run")
    paths = [Path(line.strip()) for line in told.splitlines()[:-1]]
    assert len(paths) == 3
    assert all(path.is_file() for path in paths)
    # An item, its evaluation and predictions, its fit, and the marks of the table that the run has printed.
    assert told.splitlines()[-1].startswith("would remove 5 records and 3 files (")
    assert omnibench("gc") == told.replace("would remove", "removed")
    assert not any(path.exists() for path in paths)
    assert omnibench("gc", "--kept", "--planned", "--damaged", "30d").startswith("removed 0 records and 0 files")
    assert "is no duration" in omnibench("gc", "--damaged", "old", ends=2)
    assert len(store.completed) == 1


@pytest.mark.parametrize("command", ["gc", "gc --dry-run", "rebuild"])
def test_a_store_in_use_is_not_tidied(command: str, store: Store, omnibench: Command) -> None:
    """The error says by whom to find out."""
    opened = CheckpointStore(store.root)
    assert "is in use by a run right now" in omnibench(*command.split(), ends=2)
    opened.close()


def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    """The help of a command is the first line of its docstring."""
    for name, run in {**status._COMMANDS, **upkeep._COMMANDS}.items():
        with pytest.raises(SystemExit, match="0"):
            main([name, "--help"])
        assert (run.__doc__ or "").splitlines()[0][:60] in " ".join(capsys.readouterr().out.split())

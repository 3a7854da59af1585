"""Exports say nothing of the machine that computed: no directory, no name of a user or a host, unless asked."""

from __future__ import annotations

import getpass
import platform
from pathlib import Path
from typing import Any

import pytest
from faults import plant
from support.leaks import found

from omnibench import Coordinator, Evaluator, Store, export_results
from omnibench.commands.main import main
from omnibench.report.impersonal import hider

RUN = {"user": "annabelle", "host": "annas-laptop.example.org", "cwd": "/srv/my shop/work"}
FILES = ("r.html", "r.md", "r.tex", "r.csv", "r.json", "r.parquet")


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("cannot read /home/annabelle/data/x.csv: no such file", "cannot read .../x.csv: no such file"),
        ("in '/srv/my shop/work/data/x.csv', line 3", "in '.../data/x.csv', line 3"),
        ("~/shop/x.csv or ~annabelle/x.csv", ".../x.csv or .../x.csv"),
        (r"C:\Users\annabelle\x.csv", r".../x.csv"),
        ("File:/opt/x/y.py; see https://example.org/a/b", "File:.../y.py; see https://example.org/a/b"),
        ("annabelle@annas-laptop is not Annabelle2", "user@host is not Annabelle2"),
        ("on ANNAS-LAPTOP.example.org", "on host"),
        (
            "NDCG@10 and/or HR 1/2, dataset/RecPack.ItemKNN/fold_0",
            "NDCG@10 and/or HR 1/2, dataset/RecPack.ItemKNN/fold_0",
        ),
    ],
)
def test_a_text_keeps_what_says_nothing_of_anybody(text: str, hidden: str, tmp_path: Path) -> None:
    """Of a path its last name stays, or what is within the project; of users and hosts only that there was one."""
    assert hider([RUN], tmp_path)(text) == hidden


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of somebody whose last run failed with much to say of the machine."""
    directory = tmp_path / "annas-things" / "checkpoints"
    with Coordinator(directory, environments="current", threads=1, notify=lambda _: None) as coordinator:
        guests: Any = plant.InProcessGuests(plant.Work(tmp_path / "work"))
        coordinator.workbench.guests = guests
        coordinator.run(plant.dataset(), plant.plan(), Evaluator(*plant.METRICS))
        records = coordinator.store.records
        changed = {key: {**run, **RUN} for key, run in records.all().items() if key.startswith("run/")}
        key, item = next((key, item) for key, item in records.all().items() if key.startswith("item/"))
        words = " ".join(
            [*RUN.values(), str(directory / "x.npy"), "/home/annabelle/x", platform.node(), getpass.getuser()]
        )
        error = {"phase": "Fit", "message": f"it broke: {words}", "details": words}
        records.commit({**changed, key: {**item, "status": "failed", "phase": "Fit", "metrics": {}, "error": error}})
    (tmp_path / "public").mkdir()
    monkeypatch.chdir(tmp_path / "public")
    return directory


def test_exports_name_nobody(store: Path, tmp_path: Path) -> None:
    """Neither the files of an export nor a baseline nor the store's own results.json name user, host or directory."""
    assert main(["export", *FILES, "--store", str(store)]) == 0
    assert main(["baseline", "b.parquet", "--store", str(store)]) == 0
    Path("results.json").write_bytes((store / "results.json").read_bytes())
    names = ("annabelle", "annas-", "my shop", str(tmp_path), str(Path.home()) + "/")
    machine = [name for name in (platform.node(), getpass.getuser()) if len(name) > 4]
    assert found(Path(), *names, *machine) == []
    assert "it broke" in Path("r.html").read_text(encoding="utf-8")


def test_reasons_are_whole_when_asked_for(store: Path) -> None:
    """Who wants to look for the reason gets it as it is recorded."""
    export_results(Store(store), "r.md", paths=True)
    assert "/home/annabelle/x" in Path("r.md").read_text(encoding="utf-8")
    assert main(["export", "r.json", "--paths", "--store", str(store)]) == 0
    assert "annas-laptop" in Path("r.json").read_text(encoding="utf-8")

"""Frameworks that are programs: what a description says, what is part of the key, and what a program does wrong."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from support.programs import COUNTING, runs, write_biases, write_counting, write_faulty
from support.projects import Project
from support.runs import started, wait_until

from omnibench import ExperimentPlan, framework
from omnibench.commands.main import main
from omnibench.errors import GuestEnvironmentError, OmnibenchError, PlanError
from omnibench.experiment.circumstances import Circumstances
from omnibench.guest.program_commands import ProgramError, filled
from omnibench.runners.environments import Environments
from omnibench.runners.registry import get_runner, runners

SETTINGS = '[tool.omnibench]\nrunners = ["adapters/*.toml"]\n'


@pytest.fixture
def description(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The description of a program of a project, which is the working directory."""
    (tmp_path / "pyproject.toml").write_text(SETTINGS)
    monkeypatch.chdir(tmp_path)
    return write_counting(tmp_path / "adapters")


def key() -> str:
    """Return the key of the program's algorithm."""
    plan = ExperimentPlan()
    plan.add_algorithm("counting.Popular")
    (configuration,) = plan.configurations()
    version = Environments().version(configuration.runner)
    return configuration.keyed(Circumstances(version, 42, "cpu")).key


def test_a_description_is_a_framework(description: Path) -> None:
    """Plans know its algorithms and hyperparameters; TOML files beside it that describe none are left alone."""
    (description.parent / "settings.toml").write_text("[other]\nx = 1\n")
    assert list(framework("counting")) == ["counting.Popular", "counting.Ranked"]
    assert "counting" in [runner.name for runner in runners()]
    with pytest.raises(PlanError, match="no hyperparameter 'notes'; did you mean 'note'"):
        ExperimentPlan().add_algorithm("counting.Popular", {"notes": 2})
    (description.parent / "counting.py").write_text("requirements = []\n")
    Path("pyproject.toml").write_text('[tool.omnibench]\nrunners = ["adapters/counting.toml", "adapters/*.py"]\n')
    with pytest.raises(PlanError, match="are both a framework named 'counting'; rename a file"):
        get_runner("counting")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('version = "1.0"', "", "does not say the version of the program"),
        ('version = "1.0"', 'version = ["no-such-program", "-v"]', "version: there is no program 'no-such-program'"),
        ('version = "1.0"', "versions = 1", "there is no key 'versions'; did you mean 'version'"),
        ('version = "1.0"', 'version = "1.0"\nfiles = ["gone.c"]', "files has 'gone.c', but there is no such file"),
        ('["sh", "fit.sh"', '["./fit.sh"', "fit.sh cannot be executed; `chmod +x` it"),
        ('["sh", "fit.sh"', '["./fitt.sh"', "there is no program './fitt.sh' in"),
        ("{model}", "{modell}", "fit has {modell}; did you mean 'model'"),
        (', "{model}", "{note}"]', ', "{note}"]', "fit has no {model}, without which it has nothing to do"),
        (', "{note}"]', "]", "no command has the hyperparameter 'note', so that its value would change nothing"),
        ('"{note}"', '"{note:>3}"', "'{note:>3}' has more than a name in its braces"),
        ('"{note}"', '"{note"', "fit: expected '}'"),
        ("predict = ", "# ", "it has fit; give fit = "),
        ("predict = ", 'rate = ["sh", "{model}"]\npredict = ', "rate has no {pairs}, without which"),
        (
            "[algorithms.Ranked]\n",
            '[algorithms.Ranked]\nrate = ["sh", "{model}", "{pairs}", "{output}"]\n',
            "no fit writes one",
        ),
        ('"{note}"]', '"{note}", "{checkpoints}"]', "fit has {checkpoints}; did you mean 'checkpoint'"),
        ('note = "none"', "note = [1]", "the hyperparameter note is [1]; give a number, a text"),
        ('note = "none"', 'note = "none", seed = 3', "a hyperparameter cannot be named 'seed'"),
        ('output = "rank"', 'output = "ranks"', "output is 'ranks'; did you mean 'rank'"),
        ("[algorithms.Popular]", '[algorithms."Most popular"]', "an algorithm cannot be named 'Most popular'"),
        ("threads = false", "thread = false", "there is no key 'thread'; did you mean 'threads'"),
    ],
)
def test_what_a_description_says_wrongly_is_refused(description: Path, old: str, new: str, says: str) -> None:
    """When the plan is made, with the file and what to write."""
    assert old in COUNTING
    description.write_text(COUNTING.replace(old, new, 1))
    with pytest.raises(OmnibenchError) as refusal:
        get_runner("counting")
    assert says in str(refusal.value)
    assert str(description) in str(refusal.value)


def test_keys_follow_version_description_and_files(description: Path) -> None:
    """A comment changes nothing; a script that a command names, a file of `files`, the version and a command do."""
    before = key()
    description.write_text("# a comment\n" + COUNTING)
    (description.parent / "unused.sh").write_text("")
    assert key() == before
    (description.parent / "fit.sh").write_text("true\n")
    assert key() != before
    write_counting(description.parent)
    assert key() == before
    changes = [('"1.0"', '"1.1"'), ('"{note}"', '"x{note}"'), ('"1.0"', '"1.0"\nfiles = ["popular.awk"]')]
    assert len({before, *(_key_with(description, *change) for change in changes)}) == 4
    (description.parent / "popular.awk").write_text("")
    assert key() != _key_with(description, *changes[0])


def _key_with(description: Path, old: str, new: str) -> str:
    description.write_text(COUNTING.replace(old, new, 1))
    return key()


def test_the_program_says_its_version_itself(description: Path) -> None:
    """The first line that it prints, be it on stderr; one that fails is named with its words, before anything runs."""
    script = description.parent / "version.sh"
    for text, says in (("echo; echo 2.5; echo more", "2.5"), ("echo 17 >&2", "17")):
        script.write_text(text + f"\n# {time.time_ns()}")
        other = script.rename(script.with_name(f"v{says}.sh"))  # versions are asked once per command
        description.write_text(COUNTING.replace('"1.0"', f'["sh", "{other.name}"]', 1))
        assert get_runner("counting").version("current") == says
    script.write_text("echo no licence >&2; exit 4\n")
    description.write_text(COUNTING.replace('"1.0"', '["sh", "version.sh"]', 1))
    with pytest.raises(GuestEnvironmentError, match=r"counting does not say its version: .*exit status 4: no licence"):
        get_runner("counting").version("current")


def test_values_stand_in_commands_as_people_write_them() -> None:
    """Floats with all their digits, true and false; lists and None cannot stand there."""
    words = ["--rate={rate}", "{flag}", "{{x}}", "{name}{n}"]
    assert filled(words, {"rate": 0.1, "flag": True, "name": "a b", "n": 3}) == ["--rate=0.1", "true", "{x}", "a b3"]
    for value in (None, [1]):
        with pytest.raises(ProgramError, match="cannot stand in a command"):
            filled(["{x}"], {"x": value})


COUNTED = """
class Counted:
    def fit(self, train):
        self.counts = train["item"].value_counts().to_dict()

    def recommend(self, users, k):
        return dict.fromkeys(users, self.counts)

plan.add_algorithm(Counted)
plan.add_algorithm("counting.Popular", {"note": "tea"})
plan.add_algorithm("counting.Ranked")
"""


@pytest.mark.guests
def test_a_program_recommends_as_a_class_does(project: Project) -> None:
    """The counts of items by awk are those by pandas, in one command or two; what it prints is in the item's log.

    Longer lists are those of the model that it has written.
    """
    checkpoints = project.pytester.path / "checkpoints"
    (project.pytester.path / "pyproject.toml").write_text(SETTINGS)
    write_counting(project.pytester.path / "adapters")
    for length in (20, 25):
        project.bench(COUNTED, metrics=f"NDCG([5, {length}])")
        project.run("-k", "fold_0").stdout.fnmatch_lines(["*counting.Ranked*", "*3 passed*"])
        counted, popular, ranked = (
            json.loads(next(checkpoints.glob(f"*/{name}-*/fold_0/predictions.json")).read_text())
            for name in ("Counted", "counting.Popular", "counting.Ranked")
        )
        assert len(popular["item"]) > 500
        assert popular["user"] == counted["user"]
        assert popular["score"] == counted["score"]  # of items that are as frequent, any may be first
        assert ranked["item"] == popular["item"]
    lines = [line for line in (checkpoints / "out.log").read_text().splitlines() if "note tea" in line]
    assert len(lines) == 1
    assert "/counting.Popular-" in lines[0]


RATED = """
from pathlib import Path
import numpy as np, pandas as pd
from omnibench import RMSE, Evaluator, ExperimentPlan, UserHoldout, benchmark, from_frame

draw = np.random.default_rng(5)
pairs = [(user, int(item)) for user in range(30) for item in draw.choice(20, 8, replace=False)]
ratings = pd.DataFrame(pairs, columns=["user", "item"])
ratings["rating"] = (3 + ratings.user % 3 - ratings.item % 2 + draw.normal(0, 0.1, len(ratings))).round(2)
plan = ExperimentPlan("biases")
plan.add_algorithm("biases.Biases", {"gate": GATE})

@benchmark(from_frame(ratings, "rated").pipe(UserHoldout(0.0, 0.25)), plan, Evaluator(RMSE()))
def bench_biases(result):
    assert result["RMSE"] < 0.9
"""


@pytest.mark.guests
def test_a_program_that_was_killed_goes_on_from_its_checkpoint(project: Project) -> None:
    """To the very ratings of one that nobody has killed, and no epoch of which it has told is trained twice."""
    home = project.pytester.path
    (home / "pyproject.toml").write_text(SETTINGS)
    write_biases(home / "adapters")
    (home / "bench_tiny.py").write_text(RATED.replace("GATE", repr(str(home / "gate"))))
    log = home / "checkpoints" / "out.log"
    with started(project, "--omnirec-snapshots=1it") as run:
        wait_until(lambda: log.exists() and "after epoch 3 of 6" in log.read_text())
        run.kill()
        run.wait()
    (home / "gate").touch()
    project.run("--omnirec-snapshots=1it").stdout.fnmatch_lines(["*1 passed*"])
    lines = log.read_text().splitlines()
    assert [line.split()[-1] for line in lines if "begins after epoch" in line] == ["0", "3"]
    assert [line.split("epoch=")[1][0] for line in lines if "omnibench progress" in line] == list("123456")
    project.run("--omnirec-checkpoint-dir=whole").stdout.fnmatch_lines(["*1 passed*"])
    resumed, whole = (
        next((home / folder).glob("*/biases.Biases-*/predictions.json")).read_text()
        for folder in ("checkpoints", "whole")
    )
    assert resumed == whole


@pytest.mark.guests
def test_what_a_program_does_wrong_fails_its_item(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its exit status or signal with its last words, lists that cannot be; one that hangs ends with all that it started."""
    pids = project.pytester.path / "pids"
    monkeypatch.setenv("PIDS", str(pids))
    (project.pytester.path / "pyproject.toml").write_text(SETTINGS)
    write_faulty(project.pytester.path / "adapters")
    kinds = ["status", "signal", "silent", "short", "text", "progress", "checkpoint", "hanging"]
    project.bench(f'plan.add_algorithm("faulty.Faulty", {{"kind": Grid({kinds})}})', metrics="NDCG(5)")
    out = project.run("-k", "fold_0", "--omnirec-timeout=5").stdout
    for line in (
        "*sh ended with exit status 3; it said: the licence has expired*",
        "*sh was ended by signal 11 (SIGSEGV), and said nothing on stderr*",
        "*the program has written no lists*",
        "*the list of user 0 has 1 items where * were asked for*",
        "*line 1 ('0\\tmilk\\t1.0'): it is not of the form user, item, number*",
        "*'omnibench progress epoch=three', of which 'epoch=three' is not a whole number*",
        "*'omnibench checkpoint epoch=3', but only `fit` has checkpoints, and this was `run`*",
        "*5 s (--omnirec-timeout)*",
    ):
        out.fnmatch_lines([line])
    out.fnmatch_lines(["*8 failed*"])
    deadline = time.monotonic() + 20
    started = [int(pid) for pid in pids.read_text().split()]
    while any(map(runs, started)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(runs, started))
    assert os.getpid() not in started


@pytest.mark.usefixtures("description")
@pytest.mark.parametrize("action", ["build", "remove", "verify"])
def test_actions_about_environments_say_that_it_has_none(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Named, it is not left out without a word."""
    assert main(["envs", action, "counting"]) == 0
    assert capsys.readouterr().out == "counting: without an environment of its own\n"


@pytest.mark.usefixtures("description")
def test_its_algorithms_are_not_asked_for_in_an_environment(capsys: pytest.CaptureFixture[str]) -> None:
    """There is none; what shows them is said."""
    assert main(["envs", "catalogue", "counting"]) == 2
    said = capsys.readouterr().err
    assert "counting has no environment of its own" in said
    assert "`omnibench envs algorithms counting` shows" in said

"""``omnibench envs spaces``: what is searched, where it was published, and how to use and change it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

import omnibench
from omnibench import ExperimentPlan, RecBole, RecPack, Tuning
from omnibench.commands.main import main
from omnibench.tuning.shipped import shipped_space, shipped_spaces

Run = Callable[..., str]


@pytest.fixture
def spaces(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command, expect how it ends, and return what it said."""

    def run(*arguments: str, ends: int = 0) -> str:
        capsys.readouterr()
        assert main(["envs", "spaces", *arguments]) == ends
        out, err = capsys.readouterr()
        return err if ends == 2 else out

    return run


def test_without_names_it_lists_every_algorithm_with_what_is_searched(spaces: Run) -> None:
    """One line for each, and the algorithms that have none."""
    lines = spaces().splitlines()
    listed = {line.split()[0]: line for line in lines[:-2]}
    assert listed.keys() == {space.algorithm for space in shipped_spaces()}
    assert listed["RecBole.LightGCN"].endswith("  learning_rate, n_layers, reg_weight")
    assert "`omnibench envs spaces LensKit.EASEScorer`" in lines[-2]
    assert "RecPack.KUNN" in lines[-1]


def test_a_framework_is_listed_alone(spaces: Run) -> None:
    """Nothing of the others."""
    out = spaces("RecPack")
    assert "RecPack.EASE" in out
    assert "LensKit" not in out
    assert "RecBole" not in out


def test_an_algorithm_is_described_whole(spaces: Run) -> None:
    """Ranges with scale, default and condition; constants; source; note."""
    out = spaces("RecPack.ItemKNN")
    assert re.search(r"^  K +200 +50 to 1000 +log, whole$", out, re.MULTILINE)
    assert re.search(
        r"^  pop_discount +None +0 to 1 +linear +where similarity is conditional_probability$", out, re.MULTILINE
    )
    assert "  source: Michiels, Verachtert: RecPack 0.3.6, guide " in out
    out = spaces("RecPack.MultVAE", "RecBole.NGCF")
    assert "  max_epochs is 300 in all trials (default: 200)\n" in out
    assert "\n\nRecBole.NGCF\n" in out
    assert "  note: The page also lists delay, which NGCF does not have.\n" in out


@pytest.mark.parametrize("name", [space.algorithm for space in shipped_spaces()])
def test_the_calls_that_it_shows_can_be_copied_into_a_plan(name: str, spaces: Run) -> None:
    """Both make a search; the second of the same space, as long as nobody changes the range."""
    calls = re.findall(r"^  (?:to search it|with another range): (plan\.tune\(.*\))$", spaces(name), re.MULTILINE)
    assert len(calls) == 2
    spaces_searched = []
    for call in calls:
        plan = ExperimentPlan("copied", tuning=Tuning("NDCG@10", trials=3))
        exec(call, {**{each: getattr(omnibench, each) for each in dir(omnibench)}, "plan": plan})  # its own words
        (configuration,) = plan.configurations()
        spaces_searched.append(getattr(configuration.search, "space", None))
    assert spaces_searched == [getattr(shipped_space(name), "space", "none")] * 2


def test_json_has_all_of_it(spaces: Run) -> None:
    """For programs: the ranges as numbers, and whatever else the text says."""
    (described,) = json.loads(spaces("RecPack.MultVAE", "--json"))
    assert described["algorithm"] == "RecPack.MultVAE"
    assert described["parameters"]["learning_rate"] == [{"type": "log", "low": 1e-5, "high": 1.0}]
    assert described["constants"] == {"max_epochs": 300}
    assert described["words"]["dim_hidden_layer"] == "400 to 800 (whole)"
    assert described["defaults"]["max_epochs"] == 200
    assert described["source"].startswith("Anelli, Bellogín")
    everything: list[dict[str, Any]] = json.loads(spaces("--json"))
    assert len(everything) == len(shipped_spaces())


def test_what_has_no_space_is_said_with_a_way_out(spaces: Run) -> None:
    """It is no error, but a script sees that there was nothing; beside another algorithm it is said, too."""
    assert "RecPack.KUNN: omnibench knows of no published search space; give one: " in spaces("RecPack.KUNN", ends=1)
    assert json.loads(spaces("RecPack.KUNN", "--json", ends=1)) == []
    out = spaces("RecPack.KUNN", "RecPack.EASE")
    assert out.startswith("RecPack.EASE\n")
    assert "RecPack.KUNN: omnibench knows" in out


@pytest.mark.parametrize(
    ("name", "near"),
    [("RecPack.EAZE", "did you mean 'EASE'"), ("RecPak", "did you mean 'RecPack'"), ("EASE", "known are")],
)
def test_a_name_that_does_not_exist_is_refused_with_the_nearest(name: str, near: str, spaces: Run) -> None:
    """As in a plan."""
    assert near in spaces(name, ends=2)


def test_members_of_the_enums_are_the_names() -> None:
    """What a bench file writes is what the command takes."""
    assert shipped_space(RecBole.BPR) is not None
    assert shipped_space(RecPack.Random) is None

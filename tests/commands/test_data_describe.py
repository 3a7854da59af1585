"""``omnibench data describe``: what is in a data set, a file, or the datasets of a bench file."""

from __future__ import annotations

import json
import random
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from omnibench import KeepRepeats, RandomHoldout, SplitData, from_file
from omnibench.commands.main import main

Run = Callable[..., str]


@pytest.fixture
def describe(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command, expect how it ends, and return what it said."""

    def run(*arguments: str, ends: int = 0) -> str:
        capsys.readouterr()
        assert main(["data", "describe", *arguments]) == ends
        out, err = capsys.readouterr()
        return err if ends else out

    return run


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with ratings: 8 users, 20 items, -1 for no rating, repeated pairs, milliseconds."""
    draw = random.Random(4)
    lines = ["user,item,rating,timestamp"]
    for number in range(200):
        rating = draw.choice([-1, 1, 2, 3, 4, 5])
        lines.append(f"{draw.choice(['NA', *'abcdefg'])},{draw.randrange(20)},{rating},{1_600_000_000_000 + number}")
    (tmp_path / "ratings.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "raw.dat").write_text("\n".join(line.replace(",", "::") for line in lines[1:]) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def figures(text: str) -> str:
    """Return a text without its alignment."""
    return " ".join(text.split())


def test_a_data_set_is_described_by_its_name(describe: Run) -> None:
    """MovieLens-100K, with its known figures, and the five sets that are nearest to it, itself not among them."""
    out = describe("MovieLens100K")
    text = figures(out)
    assert "interactions 100,000, no pair repeated users 943 items 1,682 density 6.30%" in text
    assert "ratings 1: 6.11% 2: 11.4% 3: 27.1% 4: 34.2% 5: 21.2% (mean 3.53)" in text
    assert "times 1997-09-20 to 1998-04-22 (215 days), 49,282 different moments" in text
    assert "per user 20 21 33 65 148 311 737 106 0.472 0" in text
    assert "per item 1 1 6 27 80 230 583 59.5 0.629 141" in text
    nearest = out[out.index("like it are") :].splitlines()[1:]
    assert len(nearest) == 5
    assert nearest[0].split()[0] == "MovieLensLatestSmall"
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.usefixtures("folder")
def test_a_file_is_described_with_what_is_doubtful_in_it(describe: Run) -> None:
    """Codes for missing values, repeated pairs, milliseconds."""
    text = figures(describe("ratings.csv"))
    assert text.startswith("ratings interactions 200, ")
    assert " of them repeat a pair of a user and an item users 8 items 20 " in text
    assert "doubtful user 'NA' in " in text
    assert "rating -1 in " in text
    assert "is the only negative value beside 1 to 5" in text
    assert "2020-09-13 to 2020-09-13 (0 days), 200 different moments, in milliseconds" in text


@pytest.mark.usefixtures("folder")
def test_programs_get_all_of_it_as_json(describe: Run) -> None:
    """One object a dataset."""
    (described,) = json.loads(describe("ratings.csv", "--pipe", "UserHoldout(0.0, 0.2)", "--json"))
    assert described["name"] == "ratings"
    assert described["steps"] == ["UserHoldout(validation_size=0.0, test_size=0.2)"]
    assert described["interactions"] == sum(described["folds"][0][part] for part in ("train", "validation", "test"))
    assert len(described["nearest"]) == 5
    assert described["users"]["spread"]["quantiles"].keys() == {"0.05", "0.25", "0.5", "0.75", "0.95"}


@pytest.mark.usefixtures("folder")
def test_the_command_that_an_error_proposes_works(describe: Run) -> None:
    """A file that cannot be read as it is leads to a line to be copied, wherever it lies."""
    Path("raw").mkdir()
    Path("raw.dat").rename("raw/raw.dat")
    error = describe("raw/raw.dat", ends=2)
    proposal = error.partition("On the command line:\n  omnibench data describe ")[2]
    assert proposal
    described, expected = (json.loads(describe(*words, "--json")) for words in (shlex.split(proposal), ["ratings.csv"]))
    for figure in ("interactions", "repeated", "users", "items", "ratings"):
        assert described[0][figure] == expected[0][figure]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.csv"], "there is no file '"),
        (["sub/nothing"], "there is no file '"),
        (["raw.dat", "--read", "seperator=::"], "from_file has no 'seperator'; did you mean 'separator'?"),
        (["raw.dat", "--read", "separator"], "--read separator: give key=value"),
        (["ratings.csv", "--pipe", "UserHoldot()"], "there is no step 'UserHoldot'; did you mean 'UserHoldout'?"),
        (
            ["ratings.csv", "--pipe", "UserHoldout(size=3)"],
            "UserHoldout has no argument 'size'; did you mean 'test_size'?",
        ),
        (["ratings.csv", "--pipe", "UserHoldout(test_size=2.5)"], "test_size is 2.5"),
        (["ratings.csv", "--pipe", "open('ratings.csv', 'w')"], "there is no step 'open'"),
        (["ratings.csv", "--pipe", "UserHoldout(open('x', 'w'))"], "it is no step"),
        (["ratings.csv", "--pipe", "().__class__()"], "it is no step"),
        (["ratings.csv", "--pipe", "UserHoldout("], "it is no step"),
        (["broken.py"], "broken.py cannot be imported: ZeroDivisionError: division by zero"),
        (["empty.py"], "empty.py has no dataset; give one a name at the top level"),
        (["bench.py", "--read", "separator=;"], "bench.py says itself how its files are read"),
    ],
)
def test_what_cannot_be_described_is_refused(describe: Run, folder: Path, arguments: list[str], message: str) -> None:
    """With the value and the way out; of a step nothing but omnibench's own is ever called."""
    (folder / "broken.py").write_text("1 / 0\n")
    (folder / "empty.py").write_text("")
    (folder / "bench.py").write_text("from omnibench import from_file\nshop = from_file('ratings.csv')\n")
    assert message in describe(*arguments, ends=2)
    assert (folder / "ratings.csv").read_text().startswith("user,item,rating,timestamp")


@pytest.mark.usefixtures("folder")
def test_steps_without_arguments_need_no_brackets(describe: Run) -> None:
    """And are said as they stand with their defaults."""
    assert "KeepRepeats() | UserHoldout(" in figures(
        describe("ratings.csv", "--pipe", "KeepRepeats", "--pipe", "UserHoldout(0.0, 0.3)")
    )


@pytest.mark.usefixtures("folder")
def test_repeats_that_a_recipe_drops_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    """What is warned of in a run is warned of here, and the output stays what it is."""
    assert main(["data", "describe", "ratings.csv", "--pipe", "UserHoldout(0.0, 0.2)"]) == 0
    out, err = capsys.readouterr()
    assert "repeated (user, item) pairs; the last one of each was kept" in err
    assert "no pair repeated" in out


@pytest.mark.usefixtures("folder")
def test_leakage_and_what_is_cold_are_said_of_every_fold(describe: Run) -> None:
    """Test interactions before the end of the training data, counted here in pandas; none where time decides."""
    (described,) = json.loads(
        describe("ratings.csv", "--pipe", "KeepRepeats", "--pipe", "RandomHoldout(0.0, 0.3)", "--json")
    )
    data = from_file("ratings.csv").pipe(KeepRepeats(), RandomHoldout(0.0, 0.3)).data
    assert isinstance(data, SplitData)
    early = int((data.test["timestamp"] < data.train["timestamp"].max()).sum())
    cold = set(data.test["item"]) - set(data.train["item"])
    (fold,) = described["folds"]
    assert (fold["before_training_end"], fold["cold_items"]) == (early, len(cold))
    text = figures(describe("ratings.csv", "--pipe", "RandomHoldout(0.0, 0.3)"))
    assert "fold train validation test cold users cold items leaking" in text
    assert "leaking: test interactions before the end of the training data" in text
    assert " 0 (0%) leaking: " in figures(describe("ratings.csv", "--pipe", "TimeBasedHoldout(0.0, 0.2)"))


@pytest.mark.usefixtures("folder")
def test_positions_are_counted_beside_the_data(describe: Run) -> None:
    """Users and interactions are those of the data, whatever a split tests them for."""
    steps = ["--pipe", "KeepRepeats", "--pipe", "SessionSplit(2)"]
    each = [*steps[:-1], "SessionSplit(2, positions='each')"]
    last_figures, each_figures = (json.loads(describe("ratings.csv", *pipe, "--json"))[0] for pipe in (steps, each))
    for noun in ("interactions", "users", "items", "times", "pairs"):
        assert each_figures[noun] == last_figures[noun]
    assert each_figures["positions"] == each_figures["folds"][0]["test"] > last_figures["folds"][0]["test"] == 2
    said = f"positions {each_figures['positions']} of validation and test, each a user of its own in the split"
    assert said in figures(describe("ratings.csv", *each))


def test_a_published_split_is_described_without_a_pipe(describe: Run, folder: Path) -> None:
    """With the pairs of its test part that are in training as well."""
    (folder / "train.csv").write_text("user,item\na,x\na,y\nb,x\n")
    (folder / "test.csv").write_text("user,item\na,z\nb,y\nb,x\n")
    (folder / "bench.py").write_text(
        "from omnibench import from_split\nown = from_split('train.csv', 'test.csv', name='own', allow_overlap=True)\n"
    )
    (described,) = json.loads(describe("bench.py", "--json"))
    assert [fold["seen_pairs"] for fold in described["folds"]] == [1]
    assert figures(describe("bench.py")).startswith("own split published split interactions 6, ")
    assert "also in train 3 0 3 0 of 2 1 of 3 1 (33.3%)" in figures(describe("bench.py"))


BENCH = """
from omnibench import Evaluator, ExperimentPlan, NDCG, UserHoldout, benchmark, from_file

shop = from_file("data/ratings.csv", "shop")
halves = [shop.pipe(UserHoldout(0.0, 0.5)), shop.pipe(UserHoldout(0.0, 0.2)).named("fifth")]

@benchmark([shop.pipe(UserHoldout(0.0, 0.4)).named("declared"), halves[0]], ExperimentPlan("plan"), Evaluator(NDCG(10)))
def bench_shop(result): ...
"""


def test_the_datasets_of_a_bench_file_are_described(describe: Run, folder: Path) -> None:
    """Those with a name, in collections, and what benchmarks declare, each once; paths begin beside the bench file."""
    (folder / "benchmarks" / "data").mkdir(parents=True)
    (folder / "ratings.csv").rename(folder / "benchmarks" / "data" / "ratings.csv")
    (folder / "benchmarks" / "bench_shop.py").write_text(BENCH)
    described: list[dict[str, Any]] = json.loads(describe("benchmarks/bench_shop.py", "--json"))
    assert [(each["name"], len(each["folds"])) for each in described] == [
        ("shop", 0),
        ("shop", 1),
        ("fifth", 1),
        ("declared", 1),
    ]
    text = describe("benchmarks/bench_shop.py")
    assert "bench_shop" not in sys.modules  # the next project may have a file of this name
    assert text.count("like it are") == 4
    assert "\n  fold " in text

"""How often the state of Fits is kept: the option, its variable and its ini entry, and what a bench file says."""

from __future__ import annotations

import pytest
from support.projects import Project

from omnibench import Snapshots
from omnibench.plugin.settings import policy
from omnibench.snapshots.control import OFF, snapshots_of


@pytest.mark.parametrize(
    ("typed", "variable", "entry", "counting"),
    [
        ("", "", "", None),
        ("10m", "20m", "30m", snapshots_of("10m")),
        ("", "20m", "30m", snapshots_of("20m")),
        ("", "", "30m,50it", snapshots_of("30m,50it")),
        ("", "off", "30m", OFF),
        ("5m", "off", "30m", Snapshots.by_default()),
    ],
)
def test_command_line_before_environment_before_ini(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    typed: str,
    variable: str,
    entry: str,
    counting: Snapshots | None,
) -> None:
    """The option is read as all others are, and is a setting of the run."""
    pytester.makeini(f"[pytest]\nomnirec_snapshots = {entry}")
    monkeypatch.setenv("OMNIREC_SNAPSHOTS", variable)
    arguments = [f"--omnirec-snapshots={typed}"] if typed else []
    assert policy(pytester.parseconfig(*arguments)).snapshots == counting


@pytest.mark.parametrize(
    ("value", "counting"),
    [('"off"', OFF), ('"10m"', snapshots_of("10m")), ('["10m", "50it"]', snapshots_of("10m,50it"))],
)
def test_toml(pytester: pytest.Pytester, value: str, counting: Snapshots) -> None:
    """In TOML it may be a text, or a list of texts."""
    pytester.makepyprojecttoml(f"[tool.pytest.ini_options]\nomnirec_snapshots = {value}")
    assert policy(pytester.parseconfig()).snapshots == counting


def test_a_number_in_toml_has_no_unit(pytester: pytest.Pytester) -> None:
    """It is refused as on the command line, with the two things that it may be meant as."""
    pytester.makepyprojecttoml("[tool.pytest.ini_options]\nomnirec_snapshots = 50")
    with pytest.raises(
        pytest.UsageError, match="'50' says no unit of 50; write 50s for seconds, or 50it for iterations"
    ):
        policy(pytester.parseconfig())


@pytest.mark.guests
def test_what_was_computed_is_there_whatever_is_said(project: Project) -> None:
    """Neither the option nor what a bench file says of its benchmark, its plan or an algorithm changes a key."""
    bench = project.pytester.path / "bench_tiny.py"
    project.first_run().assert_outcomes(passed=2)
    project.run("--omnirec-snapshots=10m,50it").stdout.fnmatch_lines(["*2 cached*"])
    plain = bench.read_text()
    changed = (
        plain.replace("HR(10)))", "HR(10)), snapshots=Snapshots(60, directory='kept'))")
        .replace('("tests")', '("tests", snapshots="1h")')
        .replace("(Popular)", "(Popular, snapshots='off')")
    )
    assert changed.count("snapshots") == 3
    bench.write_text(changed)
    project.run().stdout.fnmatch_lines(["*2 cached*"])


@pytest.mark.parametrize(
    ("place", "line", "sentence"),
    [
        ("HR(10)))", "HR(10)), snapshots='often')", "snapshots: 'often' is no interval of snapshots; write e.g. 10m*"),
        ("(Popular)", "(Popular, snapshots=Snapshots(keep_past=-2))", "keep_past is -2; give how many*"),
        (
            '("tests")',
            '("tests", snapshots=Snapshots(checkpointing_dir="checkpoints"))',
            "the directory of snapshots, '*/checkpoints', lies in the checkpoint directory*Leave it out*",
        ),
    ],
)
def test_impossible_values_fail_before_any_work(project: Project, place: str, line: str, sentence: str) -> None:
    """A bench file with an impossible value is one failed item with the sentence, and nothing is computed."""
    bench = project.pytester.path / "bench_tiny.py"
    bench.write_text(bench.read_text().replace(place, line))
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"*{sentence}"])
    assert not project.count_fits()


def test_the_option_is_refused_before_anything_is_collected(project: Project) -> None:
    """An impossible value in the environment ends the run with the option's name."""
    result = project.run("--omnirec-snapshots=-5m")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--omnirec-snapshots: '-5m' is no interval of snapshots; write e.g. 10m, 90s, 50it*"])


def test_whoever_has_set_the_variable_is_told_of_that(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody finds a wrong value in a command line that does not have it."""
    monkeypatch.setenv("OMNIREC_SNAPSHOTS", "5itt")
    with pytest.raises(pytest.UsageError, match=r"^OMNIREC_SNAPSHOTS: '5itt' is no interval"):
        policy(pytester.parseconfig())
    monkeypatch.delenv("OMNIREC_SNAPSHOTS")
    pytester.makeini("[pytest]\nomnirec_snapshots = 5itt")
    with pytest.raises(pytest.UsageError, match=r"^omnirec_snapshots: '5itt' is no interval"):
        policy(pytester.parseconfig())

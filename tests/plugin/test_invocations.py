"""pytest's own options go on working wherever omnibench is installed, with the plugin and without."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from support.inner import run_inside
from support.projects import Project

from omnibench.plugin.options import OPTIONS

ANYWHERE = [
    "",
    "--help",
    "--markers",
    "--fixtures",
    "-VV",
    "--trace-config",
    "--co",
    "-p no:xdist",
    "-p no:cacheprovider",
    "-p no:terminal",
    "-p no:python",
]
IN_PROCESSES = ["", "-n 2"]
"""What is run as a user runs it, who has imported nothing yet; whoever passes that passes the others in this process, too."""
WITH_TESTS = ["-n 2", "-W error --strict-config --strict-markers", "-p no:capture", "gone.py"]


@pytest.mark.parametrize(
    ("options", "content"),
    [(options, content) for options in ANYWHERE for content in ("nothing", "tests")]
    + [(options, "tests") for options in WITH_TESTS],
)
@pytest.mark.usefixtures("_no_companions")
def test_somebody_elses_pytest(pytester: pytest.Pytester, options: str, content: str) -> None:
    """In an empty directory and in a project without benchmarks, pytest ends as it does without the plugin."""
    if content == "tests":
        pytester.makepyfile(test_plain="def test_it(tmp_path):\n    assert True\n")
    run = pytester.runpytest_subprocess if options in IN_PROCESSES else partial(run_inside, pytester.path)
    alone = run("-p", "no:omnibench", *options.split())
    result = run(*options.split())
    output = result.stdout.str() + result.stderr.str()
    assert result.ret == alone.ret, output
    assert "INTERNALERROR" not in output
    assert "Traceback (most recent call last)" not in output
    assert not (pytester.path / "checkpoints").exists()


def test_help_says_all(pytester: pytest.Pytester) -> None:
    """Every option with its help, and every ini entry with its own."""
    text = " ".join(run_inside(pytester.path, "--help").stdout.str().split())
    for option in OPTIONS:
        assert option.flag in text
        assert text.count(" ".join(option.help.split())) >= (1 if option.command_line_only else 2), option.flag


@pytest.mark.parametrize(
    "options",
    ["", "-p no:capture", "-p no:terminal", "-p no:xdist", "-p no:logging", "-p no:skipping", "-p no:warnings"],
)
def test_benchmarks_without_a_plugin_of_pytest(project: Project, options: str) -> None:
    """Benchmarks compute, and are cached, without the plugins of pytest that they do not need."""
    project.bench(body='assert result["HR@10"] > 0')
    for _ in range(2):
        result = project.run("-k", "fold_0", *options.split())
        assert result.ret == 0, result.stdout.str() + result.stderr.str()
    assert project.count_fits() == 1


def test_benchmarks_without_pythons_files(project: Project) -> None:
    """Where nobody collects Python files there are no benchmarks, and nothing breaks."""
    project.bench()
    assert project.run("-p", "no:python").ret == pytest.ExitCode.NO_TESTS_COLLECTED


@pytest.mark.slow
def test_workers_have_the_rootdir_of_the_run(tmp_path: Path, project: Project) -> None:
    """A checkpoint directory elsewhere that the run makes, as a word of its own, is no part of the rootdir of workers."""
    project.bench()
    project.pytester.path.joinpath("tox.ini").unlink()
    store = tmp_path.parent / f"{tmp_path.name}-elsewhere"
    result = project.run_process(
        "-n", "2", "-p", "no:cacheprovider", "--omnirec-checkpoint-dir", str(store), "bench_tiny.py"
    )
    assert result.ret == 0
    result.stdout.fnmatch_lines(["* 2 passed *"])


@pytest.mark.slow
def test_workers_read_the_configuration_file_of_the_run(tmp_path: Path, project: Project) -> None:
    """Also where the checkpoint directory is elsewhere and a word of its own: the salt in their keys is that of the file."""
    project.bench()
    with project.pytester.path.joinpath("tox.ini").open("a") as file:
        file.write("omnirec_salt = salty\n")
    store = tmp_path.parent / f"{tmp_path.name}-elsewhere"
    result = project.run_process("-n", "2", "--omnirec-checkpoint-dir", str(store), "bench_tiny.py")
    result.assert_outcomes(passed=2)


def test_a_value_for_which_pytest_ignores_the_configuration_is_refused(tmp_path: Path, project: Project) -> None:
    """Without a path of tests pytest looks for its files above the store, once that is there; the way out is said, and works."""
    project.bench()
    store = tmp_path.parent / f"{tmp_path.name}-elsewhere"
    store.mkdir()
    refused = project.run_process("--omnirec-plan", "--omnirec-checkpoint-dir", str(store))
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    said = f"{store}, the value of --omnirec-checkpoint-dir, for a path of tests, so that it ignores *tox.ini. Write "
    refused.stderr.fnmatch_lines([f"ERROR: pytest takes {said}--omnirec-checkpoint-dir={store}."])
    project.run_process("--omnirec-plan", f"--omnirec-checkpoint-dir={store}").stdout.fnmatch_lines(
        ["*would run 2 items*"]
    )

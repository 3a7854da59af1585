"""The ways out that the plugin's errors name lead to success: of options, and of what a bench file declares."""

from __future__ import annotations

import pytest
from support.projects import Project

from omnibench.plugin.options import OPTIONS
from omnibench.plugin.settings import check_options

WRONG_VALUES = [
    ("--omnirec-max-attempts=0.5", r"give a whole number from 1 on", ["--omnirec-max-attempts=1"]),
    ("--omnirec-max-attempts=0", r"give a whole number from 1 on", ["--omnirec-max-attempts=1"]),
    (
        "--omnirec-grace=soon",
        r"write e\.g\. 90s, 5m or 1h",
        ["--omnirec-grace=90s", "--omnirec-grace=5m", "--omnirec-grace=1h"],
    ),
    ("--omnirec-timeout=0", r"give seconds above 0", ["--omnirec-timeout=1"]),
    (
        "--omnirec-snapshots=often",
        r"^--omnirec-snapshots: 'often' .*write e\.g\. 10m, 90s, 50it, 10m,50it or off",
        [f"--omnirec-snapshots={value}" for value in ("10m", "90s", "50it", "10m,50it", "off")],
    ),
    (
        "--omnirec-gate-tolerance=little",
        r"write e\.g\. 0\.01 or 1%",
        ["--omnirec-gate-tolerance=0.01", "--omnirec-gate-tolerance=1%"],
    ),
    (
        "--omnirec-track=all",
        r"choose from rss, gpu, python, none",
        ["--omnirec-track=rss,gpu,python", "--omnirec-track=none"],
    ),
    (
        "--omnirec-readonly --omnirec-reset=failed",
        r"give one of them",
        ["--omnirec-readonly", "--omnirec-reset=failed"],
    ),
]


@pytest.mark.parametrize(("wrong", "advice", "ways"), WRONG_VALUES, ids=[wrong for wrong, *_ in WRONG_VALUES])
def test_values_of_options(pytester: pytest.Pytester, wrong: str, advice: str, ways: list[str]) -> None:
    """A wrong value names values that are right."""
    with pytest.raises(pytest.UsageError, match=advice):
        check_options(pytester.parseconfig(*wrong.split()))
    for way in ways:
        check_options(pytester.parseconfig(way))


def test_choices_of_options(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every choice that an error lists is taken, and a switch in the environment is yes or no."""
    for option in OPTIONS:
        if option.command_line_only:
            continue
        if option.choices:
            monkeypatch.setenv(option.variable, "nonsense")
            with pytest.raises(pytest.UsageError, match=f"choose from {', '.join(option.choices)}"):
                check_options(pytester.parseconfig())
            right = option.choices
        elif option.switch:
            monkeypatch.setenv(option.variable, "nonsense")
            with pytest.raises(pytest.UsageError, match="write yes or no"):
                check_options(pytester.parseconfig())
            right = ("yes", "no")
        else:
            continue
        for value in right:
            monkeypatch.setenv(option.variable, value)
            check_options(pytester.parseconfig())
        monkeypatch.delenv(option.variable)


HEAD = """
import unittest
from bench_tiny import *
from omnibench import *

"""
DECLARATIONS = {
    "a static method": (
        "class BenchShop:\n    @benchmark(data, plan, Evaluator(NDCG(5)))\n    @staticmethod\n    def bench_it(result): ...\n",
        "use a plain method",
        "class BenchShop:\n    @benchmark(data, plan, Evaluator(NDCG(5)))\n    def bench_it(self, result): ...\n",
    ),
    "a coroutine": (
        "@benchmark(data, plan, Evaluator(NDCG(5)))\nasync def bench_it(result): ...\n",
        "use `def`",
        "@benchmark(data, plan, Evaluator(NDCG(5)))\ndef bench_it(result): ...\n",
    ),
    "a TestCase": (
        "class BenchShop(unittest.TestCase):\n    @benchmark(data, plan, Evaluator(NDCG(5)))\n    def bench_it(self, result): ...\n",
        "make it a class without a base",
        "class BenchShop:\n    @benchmark(data, plan, Evaluator(NDCG(5)))\n    def bench_it(self, result): ...\n",
    ),
    "an argument that does not exist": (
        "@benchmark(data, plan, Evaluator(NDCG(5)), seed=1)\ndef bench_it(result): ...\n",
        "bench_more.py:5: @benchmark(data, plan, Evaluator(NDCG(5)), seed=1)",
        "@benchmark(data, plan, Evaluator(NDCG(5)), seeds=1)\ndef bench_it(result): ...\n",
    ),
    "an argument that is misspelled": (
        "@benchmark(data, plan, Evaluator(NDCG(5)), seed=1)\ndef bench_it(result): ...\n",
        "ArgumentError: benchmark() has no argument 'seed'; did you mean 'seeds'?",
        "@benchmark(data, plan, Evaluator(NDCG(5)), seeds=1)\ndef bench_it(result): ...\n",
    ),
    "another order": (
        "@benchmark(data, Evaluator(NDCG(5)), plan)\ndef bench_it(result): ...\n",
        "give them in the order (datasets, plan, evaluator)",
        "@benchmark(data, plan, Evaluator(NDCG(5)))\ndef bench_it(result): ...\n",
    ),
    "an evaluator that is none": (
        "@benchmark(data, plan, NDCG(10))\ndef bench_it(result): ...\n",
        "give an Evaluator, e.g. Evaluator(NDCG(10))",
        "@benchmark(data, plan, Evaluator(NDCG(10)))\ndef bench_it(result): ...\n",
    ),
}


@pytest.mark.parametrize(("wrong", "advice", "way"), DECLARATIONS.values(), ids=DECLARATIONS)
def test_declarations(project: Project, wrong: str, advice: str, way: str) -> None:
    """What cannot be a benchmark is a failed item with the way out, and following it makes the benchmark's items."""
    project.bench()
    project.pytester.makepyfile(bench_more=HEAD + wrong)
    refused = project.run("--omnirec-readonly", "bench_more.py")
    refused.stdout.fnmatch_lines([f"*{advice.replace('[', '[[]')}*"])
    refused.stdout.no_fnmatch_line("*Traceback*")
    refused.stdout.no_fnmatch_line("E  *")
    assert refused.ret == pytest.ExitCode.TESTS_FAILED
    project.pytester.makepyfile(bench_more=HEAD + way)
    accepted = project.run("--omnirec-readonly", "bench_more.py", "-k", "bench_it")
    assert accepted.parse_summary_nouns(accepted.stdout.lines).get("skipped") == 2, "nothing is recorded of them yet"
    assert accepted.ret == pytest.ExitCode.OK

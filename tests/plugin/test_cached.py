"""Items that are done are reported together where nobody reads reports of single ones, and nobody can tell."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from support.projects import Project

BODIES = """
import os, sys, warnings
from bench_tiny import Evaluator, HR, NDCG, Popular, benchmark, data, plan
import pytest

def called(result):
    with open("called.txt", "a") as file:
        print(sys._getframe(1).f_code.co_name, result.fold, file=file)

def declared(function):
    return benchmark(data, plan, Evaluator(NDCG([5, 10]), HR(10)))(function)

@declared
def bench_passes(result):
    called(result); print("said by one that passes"); assert result["NDCG@10"] >= 0

@declared
def bench_fails(result):
    called(result); print("said by one that fails"); assert result["NDCG@10"] > 2 + result.fold

@declared
def bench_warns(result):
    called(result); warnings.warn(f"body of fold {result.fold}")

@declared
def bench_swallows(result):
    called(result)
    try:
        warnings.warn("only swallowed where warnings are errors")
        swallowed = False
    except UserWarning:
        swallowed = True
    assert not swallowed

@declared
def bench_skips(result):
    called(result); pytest.skip("not today") if result.fold else None

@declared
def bench_xfails(result):
    called(result); pytest.xfail("as known")

@declared
def bench_exits(result):
    called(result); sys.exit(3)

@declared
def bench_spoils(result):
    called(result); result.metrics.clear(); result.metrics["NDCG@10"] = 99.0
"""


@pytest.fixture
def computed(project: Project) -> Project:
    """A project of two items that are done."""
    project.first_run().assert_outcomes(passed=2)
    return project


def sections(result: pytest.RunResult) -> list[str]:
    """The failure and warning sections of a run, without what -v adds to their titles."""
    text = result.stdout.str()
    found = []
    for title in ("FAILURES", "warnings summary"):
        found += text.partition(f" {title} ")[2].partition("\n====")[0].partition("\ntiny-")[0].splitlines()
    return found


def table(result: pytest.RunResult) -> list[str]:
    """The lines of the table."""
    return [
        line
        for line in result.stdout.lines
        if line.startswith(" Popular") and "::" not in line and "bench_" not in line
    ]


def calls(project: Project) -> list[str]:
    """Which bodies were called since the last time, in order."""
    path = project.pytester.path / "called.txt"
    lines = path.read_text().splitlines()
    path.unlink()
    return lines


def test_bodies_end_as_in_the_ordinary_way(computed: Project) -> None:
    """Bodies that fail, warn, skip, exit, print or spoil their result end the same, whether reports are read or not."""
    computed.pytester.makepyfile(bench_bodies=BODIES)
    together = computed.run("bench_bodies.py")
    calls(computed)
    ordinary = computed.run("bench_bodies.py", "-v")
    counted = [one.parse_summary_nouns(one.stdout.lines) for one in (together, ordinary)]
    expected = {"failed": 4, "skipped": 1, "xfailed": 2, "warnings": 4, "cached": 9}
    assert counted == [expected, expected]
    assert sections(together) == sections(ordinary) != []
    assert "said by one that fails" in together.stdout.str()
    assert "said by one that passes" not in together.stdout.str()
    assert table(together)[0].split()[-3:] == table(ordinary)[0].split()[-3:] != ["99.0000"] * 3
    assert "99.0000" not in together.stdout.str() + ordinary.stdout.str()
    assert sorted(calls(computed)) == sorted(f"bench_{name} {fold}" for name in NAMES for fold in "01")
    assert computed.count_fits() == 2


NAMES = ("passes", "fails", "warns", "swallows", "skips", "xfails", "exits", "spoils")


def test_output_that_somebody_hears_is_heard_once(computed: Project) -> None:
    """With -s and with a live log, what a body prints or logs appears where it belongs, and once."""
    computed.pytester.makepyfile(
        bench_tiny=(computed.pytester.path / "bench_tiny.py").read_text().replace("    ...", LOUD)
    )
    heard = computed.run("-s", "--log-cli-level=INFO")
    assert heard.parse_summary_nouns(heard.stdout.lines) == {"failed": 1, "cached": 1}
    text = heard.stdout.str()
    assert text.partition(" FAILURES ")[0].count("printed in fold 1") == 1
    assert text.partition(" FAILURES ")[0].count("logged in fold 1") == 1
    heard.stdout.fnmatch_lines(["*live log call*", "INFO*logged in fold 0*"])


LOUD = """
    import logging
    print(f"printed in fold {result.fold}")
    logging.getLogger("mine").info("logged in fold %d", result.fold)
    assert result.fold == 0
"""


def test_nobody_reads_and_no_report_is_made(computed: Project) -> None:
    """Without readers there is no line per item, only the count and the table; with a reader, properties are there."""
    result = computed.run()
    assert result.ret == 0
    assert not [line for line in result.stdout.lines if line.startswith("bench_tiny.py ")]
    assert result.parse_summary_nouns(result.stdout.lines) == {"cached": 2}
    assert len(table(result)) == 1
    listed = computed.run("-rA", "--junitxml=report.xml")
    listed.stdout.fnmatch_lines(["bench_tiny.py cc*"])
    cases = list(ET.parse(computed.pytester.path / "report.xml").iter("testcase"))
    names = [{one.get("name") for one in case.iter("property")} for case in cases]
    assert [found >= {"NDCG@10", "omnibench.key"} for found in names] == [True, True]


HOOKS = {
    "setup": (
        "def pytest_runtest_setup(item):\n    if 'fold_1' in item.nodeid: pytest.skip('by conftest')",
        {"cached": 1, "skipped": 1},
    ),
    "makereport of an object": (
        """
class Strict:
    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item, call):
        report = yield
        if call.when == "call" and "fold_1" in item.nodeid: report.outcome = "failed"; report.longrepr = "by plugin"
        return report
def pytest_configure(config): config.pluginmanager.register(Strict(), "strict")
""",
        {"cached": 1, "failed": 1},
    ),
}


def test_hooks_of_a_conftest_have_their_say(computed: Project) -> None:
    """What a conftest.py decides about items it decides about those that are done, trivial bodies or not."""
    for source, expected in HOOKS.values():
        computed.pytester.makeconftest("import pytest\n" + source)
        result = computed.run()
        assert result.parse_summary_nouns(result.stdout.lines) == expected
    assert computed.count_fits() == 2


def test_plugins_of_pytest_that_are_switched_off(project: Project) -> None:
    """Without pytest's terminal and its warnings everything is computed, in silence; marks may have to be known."""
    for _ in range(2):
        result = project.run("-pno:terminal", "-pno:warnings", "--strict-markers")
        assert result.ret == 0
        assert result.stdout.lines == []
        assert project.count_fits() == 2


def test_setup_only_runs_nothing(computed: Project) -> None:
    """Under --setup-only no item is reported, done or not, and each is listed."""
    result = computed.run("--setup-only")
    result.stdout.fnmatch_lines(["*bench_tiny.py::bench_tiny::tiny-*/fold_0", "*/fold_1", "*no tests ran*"])

"""Names and messages that a terminal or a JUnit file would obey, in a bench file: pytest's output is harmless."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from support.markers import starts_guests
from support.projects import Project

from omnibench.terminal import terminal_line

OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u200b\u202a-\u202e\u2066-\u2069]")
PAYLOAD = "\x1b]0;EVIL\x07 \x9b2J \u202egnp.exe \x1b]8;;https://evil.example\x1b\\\\EVIL EVIL\r\x08GOOD \x1b[31mred"

HOSTILE = f'''
import sys
from own_algorithms import Popular

PAYLOAD = {PAYLOAD!r}


class Keywords(Popular):
    """Takes any hyperparameters, and is called what it likes."""

    def __init__(self, **keywords):
        self.keywords = keywords


class Loud(Keywords):
    """Prints and raises what a terminal obeys."""

    def fit(self, train):
        print(PAYLOAD, file=sys.stderr)
        raise RuntimeError(PAYLOAD)
'''
BENCH = """
import numpy as np
import pandas as pd
from omnibench import *
from hostile import *

frame = pd.DataFrame({"user": np.repeat(np.arange(20), 8), "item": np.arange(160) * 7 % 23})
data = from_frame(frame, "tiny" + PAYLOAD).pipe(UserCrossValidation(2))
plan = ExperimentPlan("tests")
plan.add_algorithm(Keywords, {PAYLOAD: Grid([PAYLOAD, 2]), "k": 1}, label=PAYLOAD)
plan.add_algorithm(Loud)

@benchmark(data, plan, Evaluator(NDCG(5)))
def bench_hostile(result):
    print(PAYLOAD)
    assert result.fold == 0, PAYLOAD
"""


@pytest.fixture
@starts_guests
def hostile(project: Project) -> Project:
    """A project whose names and messages are what a terminal obeys."""
    project.pytester.makepyfile(hostile=HOSTILE, bench_hostile=BENCH)
    return project


def test_pytest_prints_nothing_of_ours_that_a_terminal_obeys(hostile: Project) -> None:
    """Node ids, tables, failures, guests' last words and JUnit files spell out what a terminal would obey."""
    result = hostile.run_process("bench_hostile.py", "-v", "--junitxml=junit.xml", "--show-capture=no", "--color=no")
    output = result.stdout.str() + result.stderr.str()
    assert not OBEYED.search(output.replace("\r\n", "\n"))
    assert "EVIL" in output
    assert terminal_line(PAYLOAD).partition(" ")[0] in output
    result.assert_outcomes(passed=2, failed=4)
    assert not OBEYED.search(hostile.run_process("bench_hostile.py", "--color=no", "--omnirec-plan", "-v").stdout.str())
    junit = ET.parse(hostile.pytester.path / "junit.xml")
    assert len(junit.findall(".//testcase")) == 6
    assert not OBEYED.search("".join(junit.getroot().itertext()))

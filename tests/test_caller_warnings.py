"""Warnings name the user's own line where one has led to them, and else a line of ours."""

from __future__ import annotations

import sys
import threading
import warnings

import pandas as pd
import pytest
from support.projects import IN_A_FRAME, Project

from omnibench import RecSysDataSet, from_frame

DATES = (
    IN_A_FRAME
    + "data = from_frame(frame.assign(timestamp=[20240101 + number % 28 for number in range(len(frame))]), 'dates')"
)


def dataset() -> RecSysDataSet:
    """A dataset of whose times something is said when they are read."""
    frame = pd.DataFrame({"user": [1, 2], "item": [1, 2], "timestamp": [20240101, 20240102]})
    return from_frame(frame, name="dates")


def test_what_is_computed_once_names_the_line_that_asks() -> None:
    """Functions of Python's that call ours, such as those of cached properties, are no user's."""
    data = dataset()
    with pytest.warns(UserWarning, match="are dates") as said:
        print(data.key)
    assert {(warning.filename, warning.lineno) for warning in said} == {(__file__, sys._getframe().f_lineno - 1)}


def test_a_thread_that_only_we_run_in_names_a_line_of_ours() -> None:
    """A thread begins in Python's own code, behind which nobody stands."""
    data = dataset()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        thread = threading.Thread(target=getattr, args=(data, "key"))
        thread.start()
        thread.join()
    files = [warning.filename for warning in said if "are dates" in str(warning.message)]
    assert files
    assert all("/omnibench/" in file for file in files)


def test_a_run_of_pytest_names_no_line_of_pytest(project: Project) -> None:
    """What is found when an item is computed, nobody's line has led to: then it is said whose warning it is."""
    project.bench("plan.add_algorithm(Popular)", data=DATES)
    result = project.run("-k", "fold_0")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*are dates*"])
    text = result.stdout.str().partition("warnings summary")[2].partition("-- Docs")[0]
    assert "/omnibench/" in text
    assert "/_pytest/" not in text
    assert "functools" not in text

"""Fits and the memory that there is: what is refused, what waits, and what the option changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.projects import Project

SLOW = 'plan.add_algorithm(Slow, {"seconds": 0.5, "tag": Grid([0, 1])})'


def test_what_does_not_fit_fails_and_can_be_tried(project: Project) -> None:
    """Each item says what it needs, before anything is fitted; the next run retries it, with what the message advises."""
    refused = project.run("--omnirec-memory=50MB")
    refused.assert_outcomes(failed=2)
    refused.stdout.fnmatch_lines(
        [
            "*Fit failed: Popular on * interactions needs about 150.* MB of memory, and 50.0 MB may be used (--omnirec-memory)*"
        ]
    )
    assert project.count_fits() == 0
    project.run("--omnirec-memory=ignore").assert_outcomes(passed=2)
    assert project.count_fits() == 2
    cached = project.run("--omnirec-memory=50MB")
    assert cached.parse_summary_nouns(cached.stdout.lines) == {"cached": 2}, "what is done needs nothing"


def test_what_is_impossible_is_refused(project: Project) -> None:
    """Before anything is collected, with the values that are possible."""
    refused = project.run("--omnirec-memory=plenty")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines(["*memory is 'plenty'; give free, ignore, or a size such as 16GB*"])


@pytest.mark.slow
@pytest.mark.parametrize("resume", ["auto", "never"])
def test_workers_do_not_share_what_is_enough_for_one(
    project: Project, resume: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two workers, and memory for one Fit at a time: each begins when the other has ended, also without a common store."""
    monkeypatch.setenv("OMNIBENCH_CACHE_DIR", str(tmp_path))
    project.bench(SLOW)
    # The first Fit is estimated to need 150 MB; what later ones need is known from it, 90 to 130 MB.
    # A fork would have the memory of what has imported pytest as well.
    run = project.run_started("-n", "2", "--omnirec-memory=170MB", f"--omnirec-resume={resume}")
    run.assert_outcomes(passed=4)
    marks = sorted((int(path.name.split("-")[-2]), path.name.partition("-")[0]) for path in project.fits.iterdir())
    assert [name for _, name in marks] == ["begin", "fit"] * 4

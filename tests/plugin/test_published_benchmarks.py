"""Benchmarks of splits that are there already, and of periods: their items are found again like any others."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from support.projects import IN_A_FRAME, Project


def interactions() -> pd.DataFrame:
    """Return interactions of 20 users, an hour apart."""
    random = np.random.default_rng(5)
    frame = pd.DataFrame({"user": random.integers(0, 20, 300), "item": random.integers(0, 40, 300)})
    return frame.assign(timestamp=1_700_000_000 + 3600 * np.arange(300)).drop_duplicates(["user", "item"])


def write_bench(project: Project, data: str) -> None:
    """Write a bench file on a dataset, which is one expression; ``frame`` is the usual one."""
    project.bench(data=IN_A_FRAME)
    bench = project.pytester.path / "bench_tiny.py"
    text = bench.read_text()
    bench.write_text(f"{text[: text.index('data = ')]}data = {data}\n{text[text.index('plan = ') :]}")


def test_a_published_split_of_files_runs_once(project: Project) -> None:
    """Beside the bench file, and not once more with the rows in another order, in files of another form."""
    train, test = interactions()[:200], interactions()[200:]
    directory = project.pytester.path
    train.to_csv(directory / "train.csv", index=False)
    test.to_csv(directory / "test.csv", index=False)
    write_bench(project, "from_split('train.csv', 'test.csv', name='tiny')")
    result = project.run("--omnirec-export=results.md")
    assert result.ret == pytest.ExitCode.OK
    assert project.count_fits() == 1
    assert "interactions, after published split" in (directory / "results.md").read_text()

    train.sample(frac=1, random_state=1).to_parquet(directory / "train.parquet", index=False)
    write_bench(project, "from_split('train.parquet', 'test.csv', name='tiny')")
    again = project.run()
    assert again.ret == pytest.ExitCode.OK
    assert project.count_fits() == 1

    pd.concat([test, train[:1]]).to_csv(directory / "test.csv", index=False)
    refused = project.run()
    assert refused.ret != pytest.ExitCode.OK
    refused.stdout.fnmatch_lines(["*1 pair of user and item is in train and in test*allow_overlap=True*"])


def test_periods_are_folds_like_others(project: Project) -> None:
    """Each period is a fold of its own, in which nothing leaks, so that the summary says nothing of it."""
    write_bench(
        project,
        "from_frame(frame.assign(timestamp=range(len(frame))), 'tiny').pipe(MakeImplicit(2), RollingWindows(3, 100))",
    )
    result = project.run()
    assert result.ret == pytest.ExitCode.OK
    assert project.count_fits() == 3
    assert "lie before the end of the training data" not in result.stdout.str()
    assert project.run().ret == pytest.ExitCode.OK
    assert project.count_fits() == 3


@pytest.mark.slow
def test_workers_agree_on_a_published_split(project: Project) -> None:
    """Folds of frames are the same data in every process, and a second run with workers has nothing to do."""
    write_bench(
        project,
        "from_folds([(frame[:300], frame[300:]), (frame[300:], frame[:300])], name='tiny').pipe(MakeImplicit(2))",
    )
    for _ in range(2):
        assert project.run("-n", "2").ret == pytest.ExitCode.OK
        assert project.count_fits() == 2

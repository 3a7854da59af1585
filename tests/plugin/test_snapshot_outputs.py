"""What a run that was killed inside of a Fit, and the next one, leave for people to see: in a real run, of a class of one's own."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from support.projects import Project

from omnibench import export_results, open_store
from omnibench.commands.main import main

NIGHTLY = '''
import os
import signal


class Nightly:
    """Counts iterations, and kills its process after the sixth, once."""

    def fit(self, train, items, report):
        self.items = items["item"].tolist()
        for iteration in range(report.iteration + 1, 10):
            self.items.append(self.items.pop(0))
            if iteration == 7 and not os.path.exists("killed"):
                open("killed", "w").close()
                os.kill(os.getpid(), signal.SIGKILL)
            report(iteration=iteration, iterations=9)

    def recommend(self, users, k):
        return dict.fromkeys(users, self.items)
'''

BENCH = """
import pandas as pd
from nightly import Nightly
from omnibench import NDCG, Evaluator, ExperimentPlan, Snapshots, UserHoldout, benchmark, from_frame

frame = pd.DataFrame([(user, item) for user in range(20) for item in range(12) if (user + item) % 3], columns=["user", "item"])
plan = ExperimentPlan("nightly", snapshots=Snapshots(every_iterations=2, naming_format="night_%(count)"))
plan.add_algorithm(Nightly)

@benchmark(from_frame(frame, "tiny").pipe(UserHoldout(0.1, 0.2)), plan, Evaluator(NDCG(5)))
def bench_nightly(result): ...
"""


@pytest.mark.slow
def test_a_killed_fit_is_told_of_until_it_is_done(
    project: Project, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The plan, status, snapshots and progress.json say where it goes on; afterwards show and reports list the attempts."""
    pytester = project.pytester
    pytester.makepyfile(nightly=NIGHTLY)
    (pytester.path / "bench_tiny.py").unlink(missing_ok=True)
    (pytester.path / "bench_nightly.py").write_text(BENCH)
    store = str(pytester.path / "checkpoints")

    def said(*arguments: str) -> str:
        capsys.readouterr()
        assert main((*arguments, "--store", store)) == 0
        return capsys.readouterr().out

    killed = project.run("bench_nightly.py")
    killed.assert_outcomes(failed=1)
    killed.stdout.fnmatch_lines(
        ["Fit failed: *killed by SIGKILL*", "The next run resumes at iteration 7 of 9.", "Run only*"]
    )
    project.run("bench_nightly.py", "--omnirec-plan").stdout.fnmatch_lines(
        ["  from Fit * (it failed in Fit: *; resumes at iteration 7 of 9)"]
    )
    assert re.search(r"failed .*; resumes at iteration 7 of 9, snapshot \d+ s ago, [\d.]+ kB\)", said("status"))
    names = [line.split()[0] for line in said("snapshots").splitlines()[1:]]
    assert names == ["night_000", "night_001", "night_002"]
    (item,) = json.loads((Path(store) / "progress.json").read_text())["items"].values()
    assert (item["snapshot"]["name"], item["snapshot"]["iteration"]) == ("night_002", 6)
    assert "resumes at iteration 5 of 9, from night_001" in said("snapshots", "Nightly", "--restore", "night_001")
    project.run("bench_nightly.py").assert_outcomes(passed=1)
    text = said("show", "Nightly")
    assert re.search(r"\n    attempt 1 .* iterations from 0 to 4\n    attempt 2 .* iterations from 4 to ", text)
    (name,) = open_store(store).completed
    first, second = open_store(store).describe(name)["attempts"]
    seconds = open_store(store).describe(name)["phases"]["Fit"]["seconds"]
    assert seconds == pytest.approx(first["seconds"] + second["seconds"])
    files = tmp_path / "results.json", tmp_path / "results.html"
    export_results(store, *files)
    (fold,) = json.loads(files[0].read_text())["datasets"][0]["configurations"][0]["folds"]
    assert [attempt["from"] for attempt in fold["attempts"]] == [0, 4]
    assert 'title="2 attempts: ' in files[1].read_text()
    assert open_store(store).verify() == []

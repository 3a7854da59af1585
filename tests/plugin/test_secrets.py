"""Secrets that are planted wherever a run meets them, and the search for them in every file that it has written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest
from support.leaks import found
from support.markers import starts_guests
from support.projects import Project

from omnibench.commands.main import main

MARK = "planted"
"""A part of every secret that is planted."""

ENVIRONMENT = {
    "SHOP_TOKEN": "planted-token-of-the-environment",
    "my_api_key": 'planted "quotes" and \\backslashes\\',
    "DEPLOY_SECRET": "planted+secret/with=signs",
    "DB_PASSWORD": "planted-line-1\nplanted-line-2",
    "DATABASE_URL": "postgres://shop:planted-password@db/shop",
}
TEXTS = [
    *ENVIRONMENT.values(),
    "--token=planted1",
    "--password planted2",
    "https://user:planted3@example.org/x",
    "Authorization: Bearer planted4",
    "{'Authorization': 'Basic planted5=='}",
    "https://example.org/?a=1&token=planted6",
    '{"api_key": "planted7", "password": "planted with blanks"}',
    "ghp_planted0000000000000000000000000000",
    "hf_planted00000000000000000000000",
    "AKIAPLANTED123456789",
    "sk-planted0000000000000000",
]

LEAKY = '''
"""Algorithms that print and raise what they know."""

import json
import os
import sys

from own_algorithms import Popular

TEXTS = json.loads(os.environ["ALL_TEXTS"])


class Printing(Popular):
    """Prints secrets, also over the ends of the chunks in which the host reads."""

    def fit(self, train):
        for stream in (sys.stdout, sys.stderr):
            for text in TEXTS:
                print(text, json.dumps(text), repr(text), file=stream)
            for length in range(65400, 65560, 20):  # a pipe is read in chunks of 65,536 bytes
                print("." * length, TEXTS[0], TEXTS[-1], "." * length, end="", file=stream, flush=True)
            print(file=stream)
        super().fit(train)


class Raising(Popular):
    """Raises secrets."""

    def fit(self, train):
        for text in TEXTS:
            print(text, file=sys.stderr)
        raise RuntimeError("cannot log in with " + ", ".join(TEXTS))


class Dying(Popular):
    """Dies with secrets as its last words."""

    def fit(self, train):
        print("last words", *TEXTS, sep="\\\\n", file=sys.stderr, flush=True)
        os._exit(3)
'''

PLAN = "from leaky import *\nfor algorithm in (Printing, Raising, Dying): plan.add_algorithm(algorithm)"
BODY = """
    import json, os
    for text in json.loads(os.environ["ALL_TEXTS"]):
        print(text)
    assert False, " ".join(json.loads(os.environ["ALL_TEXTS"]))
"""
SCRIPT = """
from omnibench import *
from bench_tiny import data
from leaky import *

plan = ExperimentPlan("script")
for algorithm in (Printing, Raising, Dying):
    plan.add_algorithm(algorithm)
if __name__ == "__main__":
    run_omnirec(data, plan, Evaluator(NDCG(5)))
"""
CONFTEST = 'def pytest_addoption(parser):\n    parser.addoption("--token")\n    parser.addini("hf_token", "")\n'
ARGUMENTS = ("--token", "planted8", "-o", "hf_token=planted9", "-o", "index=https://user:planted10@example.org")


@pytest.fixture
@starts_guests
def leaky(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose algorithms and body print and raise secrets, and whose temporary files are in it, too."""
    directory = project.pytester.path
    (directory / "tmp").mkdir()
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ALL_TEXTS", json.dumps(TEXTS))
    monkeypatch.setenv("TMPDIR", str(directory / "tmp"))
    project.pytester.makepyfile(leaky=LEAKY)
    project.pytester.makeconftest(CONFTEST)
    project.pytester.makeini("[pytest]\npythonpath = .\naddopts = -p no:hypothesispytest\n")
    project.bench(PLAN, body=BODY)
    return project


def test_secrets_are_masked_in_every_file(leaky: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is printed, raised or typed: no file that a run, an export or a baseline writes holds a secret."""
    files = ("r.html", "r.md", "r.tex", "r.csv", "r.json", "r.parquet")
    exports = [f"--omnirec-export={file}" for file in files]
    result = leaky.run_process(*ARGUMENTS, *exports, "--junitxml=junit.xml", "-o", "junit_logging=all", "-rA")
    assert result.ret == 1
    assert "cannot log in with ***, ***" in result.stdout.str()
    assert MARK not in result.stdout.str() + result.stderr.str()
    directory = leaky.pytester.path
    monkeypatch.chdir(directory)
    for command in (("export", *(f"x-{file}" for file in files)), ("baseline", "baseline.parquet"), ("rebuild",)):
        assert main(command) == 0
    for stream in ("out", "err"):
        assert "***" in (directory / "checkpoints" / f"{stream}.log").read_text()
    assert {path.name for path in directory.glob("*.*")} >= {*files, "x-r.html", "junit.xml"}
    assert found(directory, MARK) == []


@pytest.mark.slow
def test_secrets_are_masked_by_workers_and_scripts(leaky: Project) -> None:
    """Workers of a distributed run and scripts write no secret either, nor do they print one."""
    directory = leaky.pytester.path
    leaky.run_process(*ARGUMENTS, "-n2", "--junitxml=junit.xml", "-rA").assert_outcomes(failed=6)
    leaky.pytester.makepyfile(script=SCRIPT)
    environment = {**os.environ, "PYTHONPATH": str(directory)}
    command = [sys.executable, "script.py", "--token", "planted8"]
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)
    assert MARK not in done.stdout + done.stderr
    assert "items failed" in done.stderr
    shutil.rmtree(directory / "__pycache__", ignore_errors=True)
    assert found(directory, MARK) == []


def test_a_bench_file_that_cannot_be_imported_shows_no_secret(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a bench file raises while it is collected is masked, too, on the terminal and in the JUnit file."""
    monkeypatch.setenv("SHOP_TOKEN", ENVIRONMENT["SHOP_TOKEN"])
    project.pytester.makepyfile(bench_tiny='import os\nraise RuntimeError("no login as " + os.environ["SHOP_TOKEN"])')
    result = project.run("--junitxml=junit.xml")
    result.stdout.fnmatch_lines(["*no login as [*][*][*]*"])
    assert MARK not in result.stdout.str()
    assert MARK not in (project.pytester.path / "junit.xml").read_text(encoding="utf-8")

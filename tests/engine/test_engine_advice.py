"""The ways out that the errors of a run name lead to success: of its arguments, and of the directory that it writes to."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from support.scripted_items import DATA, METRICS, plan_of

from omnibench import Evaluator, Policy, run_omnirec
from omnibench.durations import seconds
from omnibench.engine.policy import share
from omnibench.errors import OmnibenchError
from omnibench.runners.environments import Environments
from omnibench.runners.registry import get_runner


def run(parent: Path, directory: str, **options: Any) -> Evaluator:
    """Run a plan of one configuration with its checkpoints in a directory below another."""
    return run_omnirec(DATA, plan_of(parent / "script"), Evaluator(*METRICS), parent / directory, **options)


class Case(NamedTuple):
    """What fails, what is advised (a regular expression), and every way of following it."""

    wrong: Callable[[], Any]
    advice: str
    ways: tuple[Callable[[], Any], ...]


CASES = {
    "no attempts": Case(
        lambda: Policy(max_attempts=0), "give a whole number from 1 on", (lambda: Policy(max_attempts=1),)
    ),
    "negative grace": Case(lambda: Policy(grace=-1.0), "give seconds from 0 on", (lambda: Policy(grace=0.0),)),
    "no time": Case(
        lambda: Policy(timeout=0.0),
        "give seconds above 0, or None for no limit",
        (lambda: Policy(timeout=0.1), lambda: Policy(timeout=None)),
    ),
    "no duration": Case(
        lambda: seconds("soon"),
        r"write e\.g\. 90s, 5m or 1h",
        (lambda: seconds("90s"), lambda: seconds("5m"), lambda: seconds("1h")),
    ),
    "no share": Case(
        lambda: share("little"), r"write e\.g\. 0\.01 or 1%", (lambda: share("0.01"), lambda: share("1%"))
    ),
    "no environment": Case(
        lambda: Environments.parse("sometimes"),
        "neither 'isolated' nor 'current'",
        (lambda: Environments.parse("isolated"), lambda: Environments.parse("current")),
    ),
    "no framework to choose for": Case(
        lambda: Environments.parse("Mine=current"),
        "there are LensKit, RecBole, RecPack, Implicit, Cornac, Surprise, RecTools",
        tuple(
            partial(Environments.parse, f"{name}=current")
            for name in ("LensKit", "RecBole", "RecPack", "Implicit", "Cornac", "Surprise", "RecTools")
        ),
    ),
    "no framework": Case(lambda: get_runner("RecBol"), "did you mean 'RecBole'", (lambda: get_runner("RecBole"),)),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_advice_of_an_argument_leads_to_success(case: Case) -> None:
    """The error gives its advice, and whoever follows it, in either way, gets no error."""
    with pytest.raises(OmnibenchError, match=case.advice):
        case.wrong()
    for way in case.ways:
        way()


@pytest.mark.parametrize("name", ["resume", "failed", "verify", "device", "keep_models"])
def test_every_choice_that_an_error_lists_is_possible(name: str) -> None:
    """Of each choice of a policy."""
    with pytest.raises(OmnibenchError, match=f"^{name} is 'nonsense'") as caught:
        Policy(**{name: "nonsense"})  # type: ignore[arg-type]
    choices = str(caught.value).partition("choose from ")[2].removesuffix(".").split(", ")
    assert len(choices) > 1
    for choice in choices:
        Policy(**{name: choice})  # type: ignore[arg-type]


@pytest.mark.guests
@pytest.mark.parametrize(
    ("wrong", "advice", "ways"),
    [
        (
            {"workers": 0},
            "give a whole number from 1 on, or 'auto' for one per core",
            ({"workers": 1}, {"workers": "auto"}),
        ),
        ({"quiet": True, "verbose": True}, "leave out one of them", ({"quiet": True}, {"verbose": True})),
        (
            {"policy": Policy(resume="require")},
            r"nothing is recorded of the selected items\. Check --omnirec-checkpoint-dir, or leave out --omnirec-resume",
            ({},),
        ),
    ],
)
def test_the_advice_of_a_run_leads_to_success(
    wrong: dict[str, Any], advice: str, ways: tuple[dict[str, Any], ...], tmp_path: Path
) -> None:
    """What contradicts itself is refused, and what the error names runs."""
    with pytest.raises(OmnibenchError, match=advice):
        run(tmp_path, "refused", **wrong)
    for number, way in enumerate(ways):
        assert len(run(tmp_path, f"store-{number}", **way).results) == 1


@pytest.mark.guests
def test_resume_of_what_was_begun(tmp_path: Path) -> None:
    """The other way out of `resume=require`: the directory that another run wrote to."""
    run(tmp_path, "store", quiet=True)
    assert run(tmp_path, "store", policy=Policy(resume="require"), quiet=True).results


@pytest.mark.guests
@pytest.mark.parametrize("directory", ["others", "file", "file/below", "dangling", "x" * 256])
def test_a_new_directory_instead_of_another_s(directory: str, tmp_path: Path) -> None:
    """Neither a file, nor what would lie below it, nor a link to nowhere, nor a name that is too long, nor others' files; a new one."""
    (tmp_path / "others").mkdir()
    for name in ("others/notes.txt", "file"):
        (tmp_path / name).write_text("mine")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OmnibenchError) as caught:
        run(tmp_path, directory)
    assert re.search(r"Give an empty or a new directory \(checkpoint_dir=", str(caught.value))
    assert sorted(tmp_path.rglob("*")) == before
    assert run(tmp_path, "new", quiet=True).results

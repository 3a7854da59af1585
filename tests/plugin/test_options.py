"""Every option is declared once, and pytest knows it by that declaration alone."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from omnibench.plugin import options
from omnibench.plugin.option import Option
from omnibench.plugin.options import DETACH, OPTIONS, PLAN, RESET, YES
from omnibench.plugin.settings import check_options

COMMAND_LINE_ONLY = (DETACH, RESET, YES, PLAN)


def config_of(**values: str) -> Any:
    """A configuration with values on the command line, and none elsewhere."""
    return SimpleNamespace(getoption=values.get, getini=lambda _: "", rootpath=Path(), invocation_params=None)


def test_every_declaration_is_among_the_options() -> None:
    """What is declared in the module is what pytest gets and the documentation lists, under names that are unique."""
    declared = [value for value in vars(options).values() if isinstance(value, Option)]
    assert declared == list(OPTIONS)
    assert len({option.name for option in OPTIONS}) == len(OPTIONS)
    assert all(option.flag.startswith("--omnirec-") and option.help.endswith(".") for option in OPTIONS)


def test_pytest_shows_every_option(pytester: pytest.Pytester) -> None:
    """Flags with their help as written, percent signs included; ini entries of all that may have one."""
    result = pytester.runpytest("--help")
    assert result.ret == pytest.ExitCode.OK
    flags, entries = re.split(r"\[pytest\] (?:configuration |ini-)options", result.stdout.str())
    words = " ".join(flags.split())
    for option in OPTIONS:
        assert option.flag in flags
        assert " ".join(option.help.split())[:40] in words
        assert (f"{option.name} (" in entries) == (option not in COMMAND_LINE_ONLY)


def test_what_only_a_command_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable switches on what changes a store or runs nothing: a whole shell would be under its spell."""
    for option in OPTIONS:
        assert option.command_line_only == (option in COMMAND_LINE_ONLY)
        assert option.variable == ("" if option in COMMAND_LINE_ONLY else option.name.upper())
    for option in COMMAND_LINE_ONLY:
        monkeypatch.setenv(option.name.upper(), "yes")
        assert option.value(config_of()) == option.default
    assert PLAN.is_on(config_of(omnirec_plan="yes"))
    assert not PLAN.is_on(config_of())


def test_a_wrong_reset_is_refused() -> None:
    """A wrong reset is refused by name, and the error lists what can be reset."""
    with pytest.raises(
        pytest.UsageError, match=r"^--omnirec-reset is 'everything'; choose from all, failed, incomplete, Tune, Fit"
    ):
        check_options(config_of(omnirec_reset="everything"))


def test_what_the_command_for_one_item_repeats() -> None:
    """The command for one item repeats the options that say where the records are and what keys depend on."""
    repeated = [option.flag for option in OPTIONS if option.in_item_command]
    of_keys = ["--omnirec-salt", "--omnirec-environments", "--omnirec-device", "--omnirec-threads"]
    assert repeated == ["--omnirec-checkpoint-dir", *of_keys]


@pytest.mark.parametrize(
    "option",
    [options.CHECKPOINT_DIR, options.TMP_DIR, options.EXPORT, options.BASELINE, options.GATE],
    ids=lambda option: option.name,
)
def test_a_path_that_no_file_system_takes(pytester: pytest.Pytester, option: Option) -> None:
    """A name of more than 255 bytes is refused in one sentence before anything is collected."""
    config = pytester.parseconfig(f"{option.flag}=results/{'é' * 128}.md/x.md")
    sentence = (
        rf"^{option.flag}: the name é{{20}}\.\.\. has 259 bytes, and at most 255 are possible; give a shorter one\.$"
    )
    with pytest.raises(pytest.UsageError, match=sentence):
        check_options(config)
    check_options(pytester.parseconfig(f"{option.flag}=results/{'x' * 252}.md/x.md"))


@pytest.mark.parametrize("option", [option for option in OPTIONS if not option.switch], ids=lambda option: option.flag)
def test_an_empty_value_on_the_command_line_is_refused(pytester: pytest.Pytester, option: Option) -> None:
    """A shell makes ``--omnirec-from=`` of a variable that is not set; a reset or a gate is not left out for it without a word."""
    pytester.makefile(".py", bench_none="raise SystemExit('collected')")
    for value in ("", " "):
        result = pytester.runpytest(f"{option.flag}={value}")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        assert "collected" not in result.stdout.str()
        if not value or not option.choices or option.bare:  # argparse names the choices itself
            result.stderr.fnmatch_lines([f"*{option.flag}*{value!r}*"])


def test_several_values_are_not_empty(pytester: pytest.Pytester) -> None:
    """Of an option that may be given several times, each is looked at, and the empty one is named wherever it stands."""
    for exports in (["a.csv", ""], ["", "a.csv"], ["a.csv", "", "b.csv"]):
        result = pytester.runpytest(*(f"--omnirec-export={path}" for path in exports))
        result.stderr.fnmatch_lines(["*--omnirec-export is ''; give a value, or leave the option out."])


def test_an_empty_variable_or_entry_is_no_value(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """As everywhere: a variable is emptied to unset it."""
    for option in OPTIONS:
        if option.variable:
            monkeypatch.setenv(option.variable, "")
    pytester.makeini("[pytest]\nomnirec_from =\nomnirec_gate =\n")
    assert pytester.runpytest().ret == pytest.ExitCode.NO_TESTS_COLLECTED

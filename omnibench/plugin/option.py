"""An option of the plugin: on the command line, in the environment and in ini files."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from omnibench.paths import expanded
from omnibench.plugin.lines import usage_error
from omnibench.plugin.sent_paths import received_path

_TRUE = ("1", "yes", "true", "on")
_FALSE = ("", "0", "no", "false", "off")


class Option(NamedTuple):
    """An option; its ini name is the flag with underscores, its environment variable the same in capitals.

    Attributes:
        flag: Its name on the command line.
        help: The help text: what the option does.
        default: Its value when nobody gives one.
        choices: The possible values, when there are few.
        switch: Whether it takes no value on the command line.
        repeated: Whether it may be given several times; elsewhere than on the command line, blanks separate its values.
        listed: Whether commas separate its values, so that a TOML file may have a list of them.
        bare: Its value when it is given without one, for an option whose value may be left out.
        metavar: The placeholder for its value in the help.
        command_line_only: Whether it has neither an environment variable nor an ini entry.
        in_item_command: Whether the command that runs one item again has to repeat it, because it decides which records
            count, or what the item's key is.
    """

    flag: str
    help: str
    default: str = ""
    choices: tuple[str, ...] = ()
    switch: bool = False
    repeated: bool = False
    listed: bool = False
    bare: str = ""
    metavar: str = ""
    command_line_only: bool = False
    in_item_command: bool = False

    @property
    def name(self) -> str:
        """Its ini name, e.g. ``omnirec_failed``."""
        return self.flag.lstrip("-").replace("-", "_")

    @property
    def variable(self) -> str:
        """Its environment variable, e.g. ``OMNIREC_FAILED``; empty when it has none."""
        return "" if self.command_line_only else self.name.upper()

    def value(self, config: pytest.Config) -> str:
        """Return the value that counts.

        Raises:
            pytest.UsageError: It is none of the choices.
        """
        value = self.typed(config) or self._preset(config) or self.default
        if self.choices and value not in self.choices and value != self.default:
            raise usage_error(f"{self.flag} is {value!r}; choose from {', '.join(self.choices)}.")
        return str(value)

    def source(self, config: pytest.Config) -> str:
        """Return what its value was given by, for an error: its flag, its variable, or its entry of a file."""
        if self.typed(config) or self.command_line_only:
            return self.flag
        return self.variable if os.environ.get(self.variable) else self.name if self._preset(config) else self.flag

    def typed(self, config: pytest.Config) -> Any:
        """Return what stands on the command line, or None."""
        value = config.getoption(self.name)
        return value and received_path(value)

    def _preset(self, config: pytest.Config) -> str:
        """Return the value that counts when the command line has none: the environment's, else the ini file's."""
        if self.command_line_only:
            return ""
        return os.environ.get(self.variable) or self._text_of(_entry(self.name, config), config)

    def _text_of(self, value: Any, config: pytest.Config) -> str:
        """Return the value of a configuration file's entry, in TOML any type, as the text that an ini file would have.

        Raises:
            pytest.UsageError: The option takes no value of this type.
        """
        if isinstance(value, str):  # in TOML that is read as an ini file, also of true and false
            words = {"true": "yes", "false": "no"} if "yes" in self.choices else {}
            return words.get(value.lower(), value)
        if isinstance(value, bool) and (self.switch or "yes" in self.choices):
            return "yes" if value else "no"
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
        if isinstance(value, list) and all(isinstance(element, str) for element in value):
            if self.listed:
                return ",".join(value)
            if self.repeated:
                return shlex.join(value)
        types = "a text or a number"
        if self.switch:
            types = "true or false"
        elif self.listed or self.repeated:
            types = "a text or a list of texts"
        file = f" in {config.inipath}" if config.inipath else ""
        raise usage_error(f"{self.name} is {value!r}{file}; write {types}.")

    def paths(self, config: pytest.Config) -> list[str]:
        """Return the values of a repeated option as paths, relative ones from where ``base`` says.

        Raises:
            pytest.UsageError: A quotation mark in the environment or the ini file has no other.
        """
        text = self._preset(config)
        try:
            paths = self.typed(config) or shlex.split(text)
        except ValueError as error:
            raise usage_error(f"{self.preset_name} is {text!r}, which cannot be split ({error}).") from error
        return [str(expanded(path, self.base(config))) for path in paths]

    @property
    def preset_name(self) -> str:
        """The name under which a preset is written: the environment's variable, or the ini file's entry."""
        return self.variable if os.environ.get(self.variable) else self.name

    def base(self, config: pytest.Config) -> Path:
        """Return where a relative path begins: the working directory, or the rootdir for the ini file and a default."""
        from_user = config.getoption(self.name) or os.environ.get(self.variable)
        return config.invocation_params.dir if from_user else config.rootpath

    def is_on(self, config: pytest.Config) -> bool:
        """Return whether a switch is on.

        Raises:
            pytest.UsageError: Its value in the environment or the ini file is neither yes nor no.
        """
        value = self.value(config).strip().lower()
        if value not in (*_TRUE, *_FALSE):
            raise usage_error(f"{self.preset_name} is {value!r}; write yes or no.")
        return value in _TRUE

    def add_to(self, group: pytest.OptionGroup, parser: pytest.Parser) -> None:
        """Declare the option to pytest."""
        settings: dict[str, Any] = {"choices": self.choices or None}
        if self.switch:
            settings = {"action": "store_const", "const": "yes"}
        elif self.repeated:
            settings = {"action": "append", "metavar": self.metavar}
        elif self.bare:  # argparse could not tell a wrong value from a path that follows
            settings = {"nargs": "?", "const": self.bare, "metavar": self.metavar}
        text = self.help.replace("%", "%%")  # argparse would take it for a format
        group.addoption(self.flag, dest=self.name, default=None, help=text, **settings)
        if not self.command_line_only:
            parser.addini(self.name, self.help, default="")


def _entry(name: str, config: pytest.Config) -> Any:
    """Return an entry of the configuration file as it stands there: in native TOML pytest's own getter allows a text only."""
    variables = vars(config)
    entries = variables.get("_inicfg") or variables.get("inicfg") or {}  # the name of pytest 9.1 on, and the older
    written = entries.get(name)
    if written is None or not hasattr(written, "value"):  # before pytest 9 there was no such TOML
        return config.getini(name)
    return written.value

"""uv, asked for packages as pip would be: pip's configuration in uv's variables, where uv itself is not told otherwise.

uv reads none of pip's settings. Behind a company's proxy these are what makes ``pip install`` work, so uv is started
with index, further indexes, wheel folders, constraints, proxy and certificates of pip. uv's own variables and
configuration files win, setting by setting.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from omnibench.variables import foreign_variables


@dataclass(frozen=True)
class _Setting:
    """A setting of pip, and what it is for uv.

    Attributes:
        variable: The variable that gets it.
        prevailing: Variables that decide it already when they are set.
        keys: Names of it in uv's configuration files.
        separator: What stands between several values.
    """

    variable: str
    prevailing: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    separator: str = " "


_PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
_SETTINGS = {
    "index-url": _Setting("UV_DEFAULT_INDEX", ("UV_INDEX_URL",), ("index-url", "index")),
    "extra-index-url": _Setting("UV_INDEX", ("UV_EXTRA_INDEX_URL",), ("extra-index-url", "index")),
    "find-links": _Setting("UV_FIND_LINKS", (), ("find-links",), ","),
    "constraint": _Setting("UV_CONSTRAINT", (), ("constraint-dependencies",)),
    "trusted-host": _Setting("UV_INSECURE_HOST", (), ("allow-insecure-host",)),
    "proxy": _Setting("ALL_PROXY", _PROXIES, ("https-proxy", "http-proxy")),
    "cert": _Setting("SSL_CERT_FILE", ("SSL_CERT_DIR",)),
    "client-cert": _Setting("SSL_CLIENT_CERT"),
}
"""By pip's name of it."""

_LABELS = {
    "UV_DEFAULT_INDEX": "index",
    "UV_INDEX": "further indexes",
    "UV_FIND_LINKS": "wheel folders",
    "UV_CONSTRAINT": "constraints",
    "ALL_PROXY": "proxy",
    "SSL_CERT_FILE": "certificates",
    "SSL_CERT_DIR": "certificates",
}
"""What errors call the variables that pip's settings become."""

_SECTIONS = ("global", "install", ":env:")
"""The sections of pip's configuration that ``pip install`` reads; later ones win."""


def uv_variables() -> dict[str, str]:
    """Return the environment in which uv is started: the user's, with pip's settings where uv has none."""
    variables = dict(os.environ)
    for name in foreign_variables(variables, isolated=True):
        del variables[name]
    return handed_on() | variables


@cache
def uv_options() -> tuple[str, ...]:
    """Return the options of ``uv pip install`` for what has no variable: ``--no-index``, when pip is told that."""
    is_decided = any(name in os.environ for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX"))
    no_index = _pip_settings().get("no-index", "").lower() in ("1", "true", "yes", "on", "y", "t")
    return ("--no-index",) if no_index and not is_decided and "no-index" not in _uv_configured() else ()


def where_from() -> str:
    """Say where uv is told to look for packages, without the passwords."""
    variables = uv_variables()
    sources = {
        "index": variables.get("UV_DEFAULT_INDEX") or variables.get("UV_INDEX_URL") or "https://pypi.org/simple",
        "further indexes": variables.get("UV_INDEX") or variables.get("UV_EXTRA_INDEX_URL"),
        "wheel folders": variables.get("UV_FIND_LINKS"),
        "constraints": variables.get("UV_CONSTRAINT"),
        "proxy": next(
            (variables[name] for name in (*_PROXIES, "HTTP_PROXY", "http_proxy") if variables.get(name)), None
        ),
        "certificates": variables.get("SSL_CERT_FILE") or variables.get("SSL_CERT_DIR"),
    }
    if uv_options():
        sources["index"] = "none (pip's no-index)"
    from_pip = {_LABELS.get(name) for name in handed_on()}
    return "; ".join(
        f"{name} {re.sub('//[^/@ ]*@', '//***@', value)}{' (as pip is configured)' if name in from_pip else ''}"
        for name, value in sources.items()
        if value
    )


def has_own_index() -> bool:
    """Return whether the user has set an index or a wheel folder, for pip or for uv."""
    names = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS")
    keys = {"index-url", "extra-index-url", "index", "find-links"}
    variables = uv_variables()
    return any(variables.get(name) for name in names) or bool(keys & _uv_configured())


@cache
def handed_on() -> dict[str, str]:
    """Return pip's settings as variables for uv, those left out that uv has from elsewhere."""
    settings, configured = _pip_settings(), _uv_configured()
    variables: dict[str, str] = {}
    for name, setting in _SETTINGS.items():
        value = settings.get(name, "")
        if name == "cert":  # pip's HTTP library has variables of its own for that
            value = value or os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or ""
        is_decided = any(variable in os.environ for variable in (setting.variable, *setting.prevailing))
        if value and not is_decided and not configured.intersection(setting.keys):
            variables[setting.variable] = setting.separator.join(value.split())
    if "ALL_PROXY" in variables and "://" not in variables["ALL_PROXY"]:
        variables["ALL_PROXY"] = f"http://{variables['ALL_PROXY']}"
    if os.path.isdir(variables.get("SSL_CERT_FILE", "")):
        variables["SSL_CERT_DIR"] = variables.pop("SSL_CERT_FILE")
    if "UV_INDEX" in variables and not {"UV_INDEX_STRATEGY"} & os.environ.keys() and "index-strategy" not in configured:
        # pip looks in all of its indexes; uv would look no further than the first that has the package in any version.
        variables["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return variables


def _pip_settings() -> dict[str, str]:
    """Return the settings that ``pip install`` would use, by name, as pip itself sees them; without pip, its variables."""
    environment = dict(os.environ)
    for name in foreign_variables(environment, isolated=False):
        del environment[name]
    process = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False, env=environment
    )
    if process.returncode != 0:
        prefix = "PIP_"
        names = [name for name in os.environ if name.startswith(prefix)]
        return {name.removeprefix(prefix).lower().replace("_", "-"): os.environ[name] for name in names}
    by_section: dict[str, dict[str, str]] = {section: {} for section in _SECTIONS}
    for line in process.stdout.splitlines():
        name, _, text = line.partition("=")
        section, _, option = name.partition(".")
        if section in by_section:
            with suppress(ValueError, SyntaxError):
                by_section[section][option.replace("_", "-")] = str(ast.literal_eval(text))
    return {option: value for section in _SECTIONS for option, value in by_section[section].items()}


def _uv_configured() -> set[str]:
    """Return the names of the settings in uv's configuration files."""
    import tomllib  # which a run that finds every environment built does not need

    if os.environ.get("UV_NO_CONFIG"):
        return set()
    names: set[str] = set()
    for path in _uv_files():
        with suppress(OSError, ValueError):  # a broken one is uv's to complain of
            settings = tomllib.loads(path.read_text(encoding="utf-8"))
            if path.name == "pyproject.toml":
                settings = settings.get("tool", {}).get("uv", {})
            names |= settings.keys() | settings.get("pip", {}).keys()
    return names


def _uv_files() -> list[Path]:
    chosen = os.environ.get("UV_CONFIG_FILE")
    if chosen:
        return [Path(chosen)]
    folder = Path.cwd()
    project = (parent / name for parent in (folder, *folder.parents) for name in ("uv.toml", "pyproject.toml"))
    nearest = next((path for path in project if path.is_file()), None)
    personal = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    folders = [personal, *(os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":"), "/etc"]
    return [*([nearest] if nearest else []), *(Path(folder) / "uv" / "uv.toml" for folder in folders)]

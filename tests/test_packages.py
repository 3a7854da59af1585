"""uv is started as pip is configured, where it is not told otherwise."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from omnibench import packages

CONFIGURATION = """
[global]
index-url = https://ann:secret@mirror.example/simple
extra-index-url =
    https://one.example/simple
    https://two.example/simple
timeout = 7
[install]
constraint = /etc/company/constraints.txt
trusted-host = mirror.example
[download]
proxy = not-for-install:1
"""


@pytest.fixture(autouse=True)
def pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Forget what the machine is configured to, and let a test configure pip anew."""
    for name in list(os.environ):
        if name.startswith(("PIP_", "UV_")) or name.lower().endswith(("_proxy", "_ca_bundle")):
            monkeypatch.delenv(name)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    packages.handed_on.cache_clear()
    packages.uv_options.cache_clear()
    yield monkeypatch
    packages.handed_on.cache_clear()
    packages.uv_options.cache_clear()


def handed_on() -> dict[str, str]:
    """Return what is handed on now."""
    packages.handed_on.cache_clear()
    packages.uv_options.cache_clear()
    return packages.handed_on()


def test_nothing_is_made_up() -> None:
    """Without a configuration of pip, uv is started as it is."""
    assert handed_on() == {}
    assert not packages.has_own_index()
    assert packages.uv_options() == ()


def test_pips_variables_are_handed_on(pip: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Index, further indexes, wheel folders, constraints, proxy and certificates, each in uv's own form."""
    for name, value in {
        "INDEX_URL": "https://mirror.example/simple",
        "EXTRA_INDEX_URL": "https://one.example/simple https://two.example/simple",
        "FIND_LINKS": "/wheels /more",
        "CONSTRAINT": "/a.txt /b.txt",
        "PROXY": "ann@proxy.example:8080",
        "CERT": str(tmp_path),
        "CLIENT_CERT": "/client.pem",
        "TRUSTED_HOST": "mirror.example",
    }.items():
        pip.setenv(f"PIP_{name}", value)
    assert handed_on() == {
        "UV_DEFAULT_INDEX": "https://mirror.example/simple",
        "UV_INDEX": "https://one.example/simple https://two.example/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": "/wheels,/more",
        "UV_CONSTRAINT": "/a.txt /b.txt",
        "ALL_PROXY": "http://ann@proxy.example:8080",
        "SSL_CERT_DIR": str(tmp_path),
        "SSL_CLIENT_CERT": "/client.pem",
        "UV_INSECURE_HOST": "mirror.example",
    }
    assert packages.has_own_index()


def test_pips_configuration_files_are_handed_on(pip: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The sections that pip install reads count, and no others; an error shows no password."""
    (tmp_path / "pip.conf").write_text(CONFIGURATION)
    pip.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    variables = handed_on()
    assert variables["UV_DEFAULT_INDEX"] == "https://ann:secret@mirror.example/simple"
    assert variables["UV_INDEX"].split() == ["https://one.example/simple", "https://two.example/simple"]
    assert variables["UV_CONSTRAINT"] == "/etc/company/constraints.txt"
    assert "ALL_PROXY" not in variables
    assert "index https://***@mirror.example/simple (as pip is configured)" in packages.where_from()
    assert "secret" not in packages.where_from()


def test_a_variable_of_pip_wins_over_its_files(pip: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A variable wins, as it does for pip itself."""
    (tmp_path / "pip.conf").write_text(CONFIGURATION)
    pip.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    pip.setenv("PIP_INDEX_URL", "https://other.example/simple")
    assert handed_on()["UV_DEFAULT_INDEX"] == "https://other.example/simple"


@pytest.mark.parametrize(
    ("variable", "setting", "handed"),
    [
        ("UV_INDEX_URL", "PIP_INDEX_URL", "UV_DEFAULT_INDEX"),
        ("UV_DEFAULT_INDEX", "PIP_INDEX_URL", "UV_DEFAULT_INDEX"),
        ("UV_EXTRA_INDEX_URL", "PIP_EXTRA_INDEX_URL", "UV_INDEX"),
        ("UV_FIND_LINKS", "PIP_FIND_LINKS", "UV_FIND_LINKS"),
        ("UV_CONSTRAINT", "PIP_CONSTRAINT", "UV_CONSTRAINT"),
        ("HTTPS_PROXY", "PIP_PROXY", "ALL_PROXY"),
        ("SSL_CERT_FILE", "PIP_CERT", "SSL_CERT_FILE"),
    ],
)
def test_uvs_own_variables_win(pip: pytest.MonkeyPatch, variable: str, setting: str, handed: str) -> None:
    """Variables win one by one: the other settings of pip are still handed on; an empty one switches a setting off."""
    pip.setenv(setting, "https://pip.example")
    pip.setenv("PIP_CLIENT_CERT", "/client.pem")
    assert handed in handed_on()
    for value in ("https://uv.example", ""):
        pip.setenv(variable, value)
        assert handed_on().keys() & {handed, "SSL_CLIENT_CERT"} == {"SSL_CLIENT_CERT"}
        assert packages.uv_variables()[variable] == value


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("config/uv/uv.toml", 'index-url = "https://uv.example"'),
        ("uv.toml", '[pip]\nindex-url = "https://uv.example"'),
        ("pyproject.toml", '[[tool.uv.index]]\nurl = "https://uv.example"\ndefault = true'),
    ],
)
def test_uvs_configuration_files_win(pip: pytest.MonkeyPatch, tmp_path: Path, file: str, text: str) -> None:
    """Who has told uv of an index in a file keeps it."""
    pip.setenv("PIP_INDEX_URL", "https://pip.example")
    pip.setenv("PIP_CONSTRAINT", "/a.txt")
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(text)
    assert handed_on() == {"UV_CONSTRAINT": "/a.txt"}
    pip.setenv("UV_NO_CONFIG", "1")
    assert handed_on()["UV_DEFAULT_INDEX"] == "https://pip.example"


def test_no_index_is_an_option(pip: pytest.MonkeyPatch) -> None:
    """For that, uv has no variable."""
    pip.setenv("PIP_NO_INDEX", "true")
    handed_on()
    assert packages.uv_options() == ("--no-index",)
    assert packages.where_from() == "index none (pip's no-index)"
    pip.setenv("UV_INDEX_URL", "https://uv.example")
    handed_on()
    assert packages.uv_options() == ()


def test_certificates_of_requests_are_pips(pip: pytest.MonkeyPatch) -> None:
    """The HTTP library of pip reads variables that uv does not know."""
    pip.setenv("REQUESTS_CA_BUNDLE", "/company.pem")
    assert handed_on() == {"SSL_CERT_FILE": "/company.pem"}
    pip.setenv("PIP_CERT", "/pip.pem")
    assert handed_on() == {"SSL_CERT_FILE": "/pip.pem"}


def test_without_pip_its_variables_count(pip: pytest.MonkeyPatch) -> None:
    """An environment that uv has made has no pip, but the same shell."""
    pip.setenv("PIP_EXTRA_INDEX_URL", "https://one.example/simple")
    pip.setattr(sys, "executable", "/bin/false")
    assert handed_on()["UV_INDEX"] == "https://one.example/simple"


def test_uv_gets_nothing_of_the_users_python(pip: pytest.MonkeyPatch) -> None:
    """Warnings as errors would fail the interpreter that uv asks, and a source distribution that it builds."""
    pip.setenv("PYTHONWARNINGS", "error")
    pip.setenv("VIRTUAL_ENV", "/nowhere")
    assert not {"PYTHONWARNINGS", "VIRTUAL_ENV"} & packages.uv_variables().keys()
    assert packages.uv_variables()["PATH"] == os.environ["PATH"]

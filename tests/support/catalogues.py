"""A project with definitions of data sets whose sources are a server of the test."""

from __future__ import annotations

from pathlib import Path

import pytest

from omnibench.announcements import Audience
from omnibench.data import loaders
from omnibench.data.catalogue import licences, source
from omnibench.data.downloads import transfer

SHOP = b"1::a::3::10\n1::b::4::20\n2::a::1::30\n3::c::5::10\n3::a::2::40\n"
READER = '[reader]\nformat = "table"\nseparator = "::"\ncolumns = ["user", "item", "rating", "timestamp"]\ntime = "seconds"\n'


def begin_project(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a folder the working directory, with an empty cache, and with definitions of its own in ``data``."""
    monkeypatch.setattr(transfer, "_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(licences, "_accepted", set())
    monkeypatch.setattr(source, "_warned", set())
    monkeypatch.setattr(loaders, "_LOADERS", dict(loaders._BUILT_IN))  # whatever other tests have registered
    monkeypatch.setattr("omnibench.announcements._audience", Audience())  # the test's own pytest may capture it
    monkeypatch.setenv("OMNIBENCH_CACHE_DIR", str(folder / "cache"))
    monkeypatch.delenv("OMNIBENCH_ACCEPT_LICENCES", raising=False)
    monkeypatch.chdir(folder)
    (folder / "pyproject.toml").write_text('[tool.omnibench]\ndata = "data/*.toml"\n')
    (folder / "data").mkdir()


def define(*sources: str, name: str = "Shop", reader: str = READER, more: str = "", **values: str) -> None:
    """Write a definition into the project in the working directory.

    Args:
        *sources: The addresses, or whole tables of sources.
        name: Its name.
        reader: How it is read.
        more: Further tables.
        **values: What every source says besides its address.
    """
    said = "".join(f'{key} = "{value}"\n' for key, value in values.items())
    tables = [text if "\n" in text else f'[[sources]]\nurl = "{text}"\n{said}' for text in sources]
    Path("data", f"{name}.toml").write_text(f'name = "{name}"\n' + "\n".join([*tables, reader, more]))

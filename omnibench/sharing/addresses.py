"""Addresses of places: which texts name which."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from omnibench.errors import SharingError
from omnibench.paths import expanded
from omnibench.sharing.directories import DirectoryLocation
from omnibench.sharing.filesystems import FsspecLocation
from omnibench.sharing.huggingface import HUB, HubLocation
from omnibench.sharing.locations import SCHEME, Location
from omnibench.sharing.web import WebLocation


def location_of(text: str | os.PathLike[str]) -> Location:
    """Return the place that a text names.

    Args:
        text: A directory, an address that begins with http:// or https://, or one that fsspec knows, e.g. ``s3://bucket/path``
            and ``hf://datasets/OWNER/NAME``. A data set of Hugging Face may be named by the address of its page, too.

    Raises:
        SharingError: It is none, or fsspec is not there.
    """
    address = os.fspath(text)
    if not address.strip():
        raise SharingError(
            "the place of published items is empty; give a directory or an address, e.g. https://HOST/PATH."
        )
    if not SCHEME.match(address):
        return DirectoryLocation(Path(os.path.abspath(expanded(address))))
    if address.startswith("file://"):
        return DirectoryLocation(Path(os.path.abspath(urlsplit(address).path)))
    if address.startswith(("http://", "https://")):
        return WebLocation(_served_by(address))
    return HubLocation(address) if address.startswith(HUB) else FsspecLocation(address)


def _served_by(address: str) -> str:
    """Return where the files of a data set of Hugging Face lie whose page an address is of; others as they are."""
    page = re.fullmatch(
        r"(https://huggingface\.co/datasets/[\w.-]+/[\w.-]+)(?:/tree/([\w.-]+)((?:/[\w.-]+)*))?/?", address
    )
    return address if page is None else f"{page[1]}/resolve/{page[2] or 'main'}{page[3] or ''}"

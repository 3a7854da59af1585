"""Locks of what needs torch have its build for the CPU, and say nothing of the machine; builds say how much they download."""

from __future__ import annotations

import re
import tarfile
import zipfile
from pathlib import Path

import pytest

from omnibench.errors import GuestEnvironmentError, PlanError
from omnibench.runners.lock_file import LockRequest, checked_requirements, pins_of
from omnibench.runners.locking import make_lock
from omnibench.runners.wheel_sizes import download_size, summed


def write_wheel(folder: Path, version: str, requires: str = "") -> Path:
    """Write a wheel of torch that holds nothing."""
    information = f"torch-{version}.dist-info"
    path = folder / f"torch-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        needs = f"Requires-Dist: {requires}\n" if requires else ""
        wheel.writestr(f"{information}/METADATA", f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n{needs}")
        wheel.writestr(f"{information}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{information}/RECORD", "")
    return path


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel folder with builds of torch for the CPU and for CUDA, and nothing else to be asked."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for version, requires in (("3.9.0+cpu", ""), ("3.10.0+cpu", ""), ("3.10.0", "nvidia-cuda"), ("3.11.0+cu140", "")):
        write_wheel(folder, version, requires)
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CONSTRAINT", str(tmp_path / "constraints.txt"))
    (tmp_path / "constraints.txt").write_text("")
    monkeypatch.delenv("OMNIBENCH_TORCH_BACKEND", raising=False)
    monkeypatch.delenv("UV_TORCH_BACKEND", raising=False)
    return folder


@pytest.mark.parametrize(
    "text",
    [
        "lightfm",
        "lightfm==1.17",
        "lightfm===1.17",
        "scikit-learn >= 1.4, < 2",
        "igraph==1.*",
        "torch~=2.1",
        "torch != 2.2.0",
        "jax[cpu]>=0.4",
        "numpy>=1.26; python_version < '3.13'",
        "lightfm @ https://example.org/lightfm-1.17.tar.gz",
        "lightfm[fast] @ https://example.org/lightfm.zip ; python_version >= '3.11'",
        "mylib @ file:///wheels/mylib-1-py3-none-any.whl",
    ],
)
def test_requirements_of_every_form_are_known(text: str) -> None:
    """As pip takes them: a name, extras, versions or an address, and markers."""
    assert checked_requirements("requirements", text) == (text,)


@pytest.mark.parametrize(
    "text", ["lightfm=1.17", "lightfm>=", "lightfm==", "lightfm 1.17", "scikit learn", "lightfm[", "lightfm @", "a; b"]
)
def test_what_is_no_requirement_is_refused_before_uv_is_asked(text: str) -> None:
    """With the text itself and one that is right."""
    with pytest.raises(PlanError, match=re.escape(f"requirements: {text!r} is no requirement as pip takes them; give")):
        checked_requirements("requirements", ["six", text])


def request(folder: Path, *requirements: str) -> LockRequest:
    """Return a request that needs nothing else."""
    return LockRequest(folder / "nets.lock", requirements, "3.11", "nets.py", ())


def test_torch_is_locked_as_the_build_for_the_cpu(wheels: Path, tmp_path: Path) -> None:
    """The newest that a wheel folder has and the requirement allows; no hash, no build, no path is in the lock."""
    assert make_lock(request(tmp_path, "torch==3.*")) == ["torch 3.10.0"]
    assert (tmp_path / "nets.lock").read_text() == "# torch==3.* on Python 3.11\ntorch==3.10.0\n"
    assert make_lock(request(tmp_path, "torch<3.10")) == ["torch 3.10.0 -> 3.9.0"]
    assert str(wheels) not in (tmp_path / "nets.lock").read_text()
    (tmp_path / "constraints.txt").write_text("torch<3.10\n")
    make_lock(request(tmp_path, "torch"))
    assert pins_of(tmp_path / "nets.lock") == {"torch": "3.9.0"}


@pytest.mark.usefixtures("wheels")
def test_the_indexes_choose_where_that_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By OMNIBENCH_TORCH_BACKEND=index: then another build may be the newest."""
    monkeypatch.setenv("OMNIBENCH_TORCH_BACKEND", "index")
    make_lock(request(tmp_path, "torch"))
    assert pins_of(tmp_path / "nets.lock") == {"torch": "3.11.0"}


@pytest.mark.usefixtures("wheels")
def test_what_nobody_has_leaves_the_lock_as_it_was(tmp_path: Path) -> None:
    """And no part of a new one beside it."""
    make_lock(request(tmp_path, "torch"))
    before = (tmp_path / "nets.lock").read_text()
    with pytest.raises(GuestEnvironmentError, match=r"uv finds no versions that satisfy the requirements of nets\.py"):
        make_lock(request(tmp_path, "torch==4.*"))
    assert (tmp_path / "nets.lock").read_text() == before
    assert [path.name for path in tmp_path.glob("nets*")] == ["nets.lock"]


def test_a_source_that_cannot_be_built_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With how to come to a wheel of it; no version of it is at fault."""
    source = tmp_path / "oldlib-1.7"
    source.mkdir()
    (source / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: oldlib\nVersion: 1.7\n")
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    (source / "backend.py").write_text("raise AttributeError('no __OLDLIB_SETUP__')\n")
    folder = tmp_path / "sources"
    folder.mkdir()
    with tarfile.open(folder / "oldlib-1.7.tar.gz", "w:gz") as archive:
        archive.add(source, source.name)
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    monkeypatch.setenv("UV_NO_INDEX", "1")
    with pytest.raises(GuestEnvironmentError) as refusal:
        make_lock(request(tmp_path, "oldlib==1.7"))
    text = str(refusal.value)
    assert text.startswith(
        "uv cannot build oldlib==1.7, of which there is no wheel for this machine, for the requirements of nets.py"
    )
    assert "no __OLDLIB_SETUP__" in text
    assert "`pip wheel --no-deps -w wheels 'oldlib==1.7'`" in text
    assert "set UV_FIND_LINKS to the folder `wheels`" in text


def test_the_download_is_known_before_it_begins(wheels: Path, tmp_path: Path) -> None:
    """As the files of a folder are large; nothing is said where uv cannot say it."""
    lock = tmp_path / "nets.lock"
    lock.write_text("torch==3.9.0\n")
    assert download_size(lock, "3.11") == (wheels / "torch-3.9.0+cpu-py3-none-any.whl").stat().st_size
    lock.write_text("torch==4.0\n")
    assert download_size(lock, "3.11") is None


def test_sizes_are_added_up_as_indexes_say_them(tmp_path: Path) -> None:
    """Of each package one file, the first wheel or else the source; a file of an index that says none is not known."""
    (tmp_path / "here is.whl").write_bytes(b"12345")
    local = {"wheels": [{"url": f"file://{tmp_path}/here%20is.whl"}]}
    beside = {"wheels": [{"path": "here is.whl"}]}
    indexed = {"wheels": [{"url": "https://x/a.whl", "size": 100}, {"url": "https://x/b.whl", "size": 1}]}
    source = {"sdist": {"url": "https://x/a.tar.gz", "size": 20}}
    assert summed([local, beside, indexed, source], tmp_path) == 130
    with pytest.raises(KeyError):
        summed([{"wheels": [{"url": "https://x/a.whl"}]}], tmp_path)

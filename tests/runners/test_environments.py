"""Isolated environments: built once from a lock, whoever asks at the same time, and said what goes wrong."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from omnibench import packages
from omnibench.errors import GuestEnvironmentError
from omnibench.runners import environments
from omnibench.runners.environments import Environment, Environments, environment_of, torch_backend
from omnibench.runners.info import RunnerInfo
from omnibench.runners.registry import get_runner, runners

LENSKIT, RECBOLE, RECPACK, OWN = (get_runner(name) for name in ("LensKit", "RecBole", "RecPack", "Own"))

BUILD = """
import sys
from pathlib import Path
from omnibench.runners.environments import Environment
from omnibench.runners.info import RunnerInfo
runner = RunnerInfo("Tiny", "six", "omnibench.runners.own_guest", 1, python=sys.argv[2], lock=Path(sys.argv[1]), size="1 MB")
environment = Environment(runner, "cpu")
print(environment.ensure(print))
"""


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The lock of a tiny environment, and a cache directory of its own."""
    monkeypatch.setenv("OMNIBENCH_CACHE_DIR", str(tmp_path / "cache"))
    path = tmp_path / "tiny.txt"
    path.write_text("six==1.16.0\n")
    return path


def tiny(lock: Path) -> Environment:
    """The environment of a lock."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return Environment(
        RunnerInfo("Tiny", "six", "omnibench.runners.own_guest", 1, python=python, lock=lock, size="1 MB"), "cpu"
    )


def test_concurrent_users_build_once(lock: Path) -> None:
    """Two processes that need the same environment at once build it once and both get it."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    both = [
        subprocess.Popen([sys.executable, "-c", BUILD, str(lock), python], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    outputs = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("building its isolated environment, once: 1 packages, about 1 MB" in text for text in outputs) == 1
    environment = tiny(lock)
    assert environment.is_built
    assert environment.verify() == []
    messages: list[str] = []
    assert environment.ensure(messages.append) == environment.python
    assert messages == []


def test_verify_names_what_differs_and_remove_removes(lock: Path) -> None:
    """Verification names a package that is not as locked; a removed environment is not ready."""
    environment = tiny(lock)
    environment.ensure()
    (metadata,) = environment.directory.glob("lib/python*/site-packages/six-*.dist-info/METADATA")
    changed = metadata.read_text().replace("1.16.0", "1.15.0")
    metadata.unlink()  # writing into it would write into uv's cache, which it is a hard link to
    metadata.write_text(changed)
    metadata.parent.rename(metadata.parent.with_name("six-1.15.0.dist-info"))
    assert environment.verify()[0] == "six is 1.15.0 instead of 1.16.0"
    environment.remove()
    assert not environment.is_built


def test_another_lock_is_another_environment(lock: Path) -> None:
    """The environment's directory depends on the lock's content, the Python and the torch backend."""
    first = tiny(lock)
    before = first.directory
    assert Environment(first.runner, "cu126").directory != before
    lock.write_text("six==1.15.0\n")
    assert tiny(lock).directory != before


def test_failed_build_leaves_nothing_and_shows_uv(lock: Path) -> None:
    """When uv fails, its last words and the command are in the error, and nothing half-built stays."""
    lock.write_text("six==0.0.0.999\n")
    with pytest.raises(
        GuestEnvironmentError, match=r"(?s)could not build the environment of Tiny.*six.*uv pip install"
    ):
        tiny(lock).ensure()
    assert not tiny(lock).is_built
    assert [path.name for path in tiny(lock).directory.parent.iterdir() if path.is_dir()] == []


def test_choice_of_environments_is_read_and_checked() -> None:
    """One word chooses for all frameworks, pairs for some; other words are refused."""
    choice = Environments.parse("LensKit=current, RecBole=isolated")
    assert [choice.of(runner) for runner in (get_runner("LensKit"), get_runner("RecPack"))] == ["current", "isolated"]
    assert Environments.parse("current").of(get_runner("RecBole")) == "current"
    with pytest.raises(GuestEnvironmentError, match="'isolatd' is neither"):
        Environments.parse("isolatd")


def test_environments_are_words_or_a_mapping() -> None:
    """Isolated by default; one word for all, or a word for some; everything else is refused with what there is."""
    assert {Environments().of(runner) for runner in runners()} == {"isolated"}
    assert {Environments.parse(" current ").of(runner) for runner in runners()} == {"current"}
    mixed = Environments.parse("LensKit = current, RecBole=isolated,")
    assert [mixed.of(runner) for runner in (LENSKIT, RECBOLE, RECPACK)] == ["current", "isolated", "isolated"]
    with pytest.raises(GuestEnvironmentError, match=r"the environment 'new' is neither 'isolated' nor 'current'"):
        Environments("new")
    with pytest.raises(GuestEnvironmentError, match=r"no framework named 'RecBol'.*did you mean 'RecBole'"):
        Environments.parse("RecBol=current")
    assert Environments.parse("").is_built(OWN)


def test_an_environment_that_cannot_be_built_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second item of a framework gets the same answer at once: trying again for each would take all night."""
    tried: list[str] = []

    class Missing:
        is_built = False

        def ensure(self, notify: Callable[[str], None]) -> Path:
            tried.append("once")
            raise GuestEnvironmentError("no network")

    monkeypatch.setattr(environments, "environment_of", lambda _: Missing())
    choice = Environments()
    assert not choice.is_built(RECBOLE)
    for _ in range(3):
        with pytest.raises(GuestEnvironmentError, match="no network"):
            choice.python(RECBOLE, print)
    assert tried == ["once"]


def test_current_environment_without_the_framework_is_refused() -> None:
    """A framework that is to run in the current environment has to be installed there."""
    with pytest.raises(GuestEnvironmentError, match="recbole is not installed in it"):
        Environments("current").version(get_runner("RecBole"))


def test_the_torch_backend_is_the_users_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours before uv's variable, and the CPU's where nobody says anything and there is no GPU."""
    monkeypatch.setenv("UV_TORCH_BACKEND", "cu128")
    assert torch_backend() == "cu128"
    monkeypatch.setenv("OMNIBENCH_TORCH_BACKEND", "cu126")
    assert torch_backend() == "cu126"


def test_a_build_in_a_wheel_folder_is_taken_without_asking_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that uv or pip is told of will do; ``index`` leaves the choice to the indexes."""
    packages.handed_on.cache_clear()
    monkeypatch.setattr(environments, "has_own_index", lambda: False)
    monkeypatch.setenv("UV_FIND_LINKS", f"{tmp_path},/elsewhere")
    lenskit, python = get_runner("LensKit"), Path(sys.executable)
    assert Environment(lenskit, "cpu")._torch_options(python) == ["--no-deps", "--torch-backend", "cpu"]
    (tmp_path / "torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl").touch()
    assert Environment(lenskit, "cpu")._torch_options(python) == ["--no-deps"]
    assert Environment(lenskit, "cu126")._torch_options(python) == ["--torch-backend", "cu126"]
    assert Environment(lenskit, "index")._torch_options(python) == []


def write_index(folder: Path, *builds: str) -> str:
    """Write a package index with builds of a package that calls itself torch, and return its address."""
    page = folder / "torch"
    page.mkdir(parents=True)
    for build in builds:
        dist_info = f"torch-{build}.dist-info"
        with zipfile.ZipFile(page / f"torch-{build}-py3-none-any.whl", "w") as wheel:
            wheel.writestr("torch.py", "")
            wheel.writestr(f"{dist_info}/METADATA", f"Metadata-Version: 2.1\nName: torch\nVersion: {build}\n")
            wheel.writestr(f"{dist_info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{dist_info}/RECORD", "")
    links = "".join(f'<a href="{path.name}">{path.name}</a>' for path in page.iterdir())
    (page / "index.html").write_text(f"<html><body>{links}</body></html>")
    return folder.as_uri()


@pytest.mark.parametrize(("backend", "installed"), [("cpu", "1.0+cpu"), ("cu126", "1.0+cu126"), ("index", "1.0+cu126")])
def test_torch_comes_from_the_users_index_where_it_has_the_build(
    backend: str, installed: str, lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index that pip knows is enough; PyTorch's own, which cannot be reached here, is not asked."""
    packages.handed_on.cache_clear()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", write_index(tmp_path / "index", "1.0+cpu", "1.0+cu126"))
    for name in ("HTTPS_PROXY", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    lock.write_text("torch==1.0\n")
    environment = replace(tiny(lock), backend=backend)
    environment.ensure()
    assert [path.name for path in environment.directory.glob("lib/python*/site-packages/torch-*")] == [
        f"torch-{installed}.dist-info"
    ]
    packages.handed_on.cache_clear()


def test_a_failed_build_says_where_uv_has_looked(lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Index, constraints and where they come from, without a password; and the variables that change it."""
    packages.handed_on.cache_clear()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://ann:secret@127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    (tmp_path / "constraints.txt").write_text("six<1.16\n")
    monkeypatch.setenv("PIP_CONSTRAINT", str(tmp_path / "constraints.txt"))
    with pytest.raises(GuestEnvironmentError) as caught:
        tiny(lock).ensure()
    message = str(caught.value)
    assert "index http://***@127.0.0.1:9/simple (as pip is configured)" in message
    assert f"constraints {tmp_path / 'constraints.txt'} (as pip is configured)" in message
    assert "UV_INDEX_URL" in message
    assert "secret" not in message
    packages.handed_on.cache_clear()


@pytest.mark.parametrize("runner", runners(), ids=lambda runner: runner.name)
def test_locks_pin_exactly_and_say_nothing_of_this_machine(runner: RunnerInfo) -> None:
    """Every line of a lock is name==version, or a hash of that: no ranges, no indexes, no folders, no build of torch."""
    assert runner.lock is not None
    text = runner.lock.read_text()
    assert "/" not in text
    hashes = re.findall(r"^    --hash=sha256:[0-9a-f]{64}(?: \\)?$", text, re.MULTILINE)
    assert len(hashes) == text.count("--hash") == text.count("\n    ")
    lines = [
        line.removesuffix(" \\") for line in text.splitlines() if line and not line.startswith(("#", "    --hash"))
    ]
    assert all(line.count("==") == 1 and "+" not in line for line in lines)
    pinned = dict(line.split("==") for line in lines)
    assert pinned[runner.distribution] == runner.version("isolated")
    assert not any(name.startswith(("nvidia", "triton", "cuda")) for name in pinned)


@pytest.mark.guests
@pytest.mark.parametrize(
    "runner",
    [
        pytest.param(runner, id=runner.name, marks=[] if runner.name == "RecPack" else pytest.mark.slow)
        for runner in runners()
    ],
)
def test_built_environments_are_as_locked(runner: RunnerInfo) -> None:
    """The environment of each framework holds what its lock says."""
    environment = environment_of(runner)
    environment.ensure()
    assert environment.verify() == []

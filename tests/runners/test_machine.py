"""What the machine has, read from files and programs that are made for each case."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibench import memory, proc
from omnibench.errors import OmnibenchError
from omnibench.memory import available_memory, memory_capacity, total_memory
from omnibench.runners.machine import (
    available_cores,
    dealt_gpu,
    device_class,
    gpus,
)

GIGABYTE = 2**30
NO_LIMIT = 9223372036854771712


@pytest.fixture(autouse=True)
def asked_anew(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The GPUs are looked for once per process; here once per test."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", "/nonexistent")
    gpus.cache_clear()
    yield
    gpus.cache_clear()


def test_cores_are_those_of_this_process() -> None:
    """A process that may use one core has one, however many the machine has."""
    before = os.sched_getaffinity(0)
    assert available_cores() == len(before)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert available_cores() == 1
    finally:
        os.sched_setaffinity(0, before)


def test_memory_of_this_machine() -> None:
    """There is some, and less is free than there is in all."""
    available, total = available_memory(), total_memory()
    assert available is not None
    assert total is not None
    assert 0 < available < total


def group(directory: Path, limit: int | None, used: int = 0, cached: int = 0) -> None:
    """Make a control group's files as Linux shows them."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "memory.max").write_text(f"{'max' if limit is None else limit}\n")
    (directory / "memory.current").write_text(f"{used}\n")
    (directory / "memory.stat").write_text(f"anon 1\nfile {cached}\ninactive_anon 7\ninactive_file {cached}\n")


@pytest.fixture
def control(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with 64 GB free whose control groups are in a directory."""
    (tmp_path / "meminfo").write_text(f"MemTotal: {128 * 2**20} kB\nMemAvailable:   {64 * 2**20} kB\nBuffers: 1 kB\n")
    monkeypatch.setattr(memory, "_MEMORY", tmp_path / "meminfo")
    monkeypatch.setattr(proc, "CONTROL_GROUPS", tmp_path / "cgroup")
    return tmp_path / "cgroup"


def test_without_a_limit_the_machine_counts(control: Path) -> None:
    """No control groups, none with a limit, or files that make no sense: what the machine has free."""
    assert available_memory() == 64 * GIGABYTE
    group(control, None)
    assert available_memory() == 64 * GIGABYTE
    (control / "memory.max").write_text("nonsense")
    assert available_memory() == 64 * GIGABYTE


def test_swap_is_the_machines(control: Path) -> None:
    """What the disk has room for; nothing in a container with a limit, and where nothing is said of it."""
    assert memory.free_swap() == 0
    with (control.parent / "meminfo").open("a") as file:
        file.write(f"SwapTotal: {16 * 2**20} kB\nSwapFree: {8 * 2**20} kB\n")
    assert memory.free_swap() == 8 * GIGABYTE
    group(control, 16 * GIGABYTE, 1)
    assert memory.free_swap() == 0


def test_the_limit_of_a_container_counts(control: Path) -> None:
    """What is left of the limit; cached files can be dropped, so they count as free; never less than nothing."""
    group(control, 8 * GIGABYTE, 6 * GIGABYTE, 5 * GIGABYTE)
    assert available_memory() == 7 * GIGABYTE
    group(control, 8 * GIGABYTE, 9 * GIGABYTE)
    assert available_memory() == 0
    group(control, 800 * GIGABYTE, 1)
    assert available_memory() == 64 * GIGABYTE


def test_the_tightest_limit_above_counts(control: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job's limit stands above the group that its processes are in, e.g. with Slurm or systemd."""
    (control.parent / "self").mkdir()
    (control.parent / "self" / "cgroup").write_text("0::/job/step/task\n")
    monkeypatch.setattr(proc, "PROCESSES", control.parent)
    group(control / "job/step/task", None)
    group(control / "job/step", 30 * GIGABYTE, 10 * GIGABYTE)
    group(control / "job", 16 * GIGABYTE, 13 * GIGABYTE)
    assert available_memory() == 3 * GIGABYTE


def group_of_version_1(
    directory: Path,
    limit: int | None,
    used: int = 0,
    cached: int = 0,
    *,
    above: int | None = None,
    hierarchy: bool = True,
) -> None:
    """Make the files of a control group of version 1 as Linux shows them; ``above`` is a tighter limit of a group above."""
    directory.mkdir(parents=True, exist_ok=True)
    effective = min([number for number in (limit, above) if number is not None], default=NO_LIMIT)
    (directory / "memory.limit_in_bytes").write_text(f"{NO_LIMIT if limit is None else limit}\n")
    (directory / "memory.usage_in_bytes").write_text(f"{used}\n")
    (directory / "memory.use_hierarchy").write_text(f"{int(hierarchy)}\n")
    (directory / "memory.stat").write_text(
        f"cache 1\ninactive_file 0\nhierarchical_memory_limit {effective}\ntotal_cache 9\ntotal_inactive_file {cached}\n"
    )


@pytest.fixture
def control_1(control: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The groups of memory of a machine with version 1, where this process lies in two that are nested."""
    (control.parent / "self").mkdir()
    (control.parent / "self" / "cgroup").write_text("9:name=systemd:/\n4:memory:/slurm/job_7\n3:cpuset:/\n0::/\n")
    monkeypatch.setattr(proc, "PROCESSES", control.parent)
    group_of_version_1(control / "memory", None, 20 * GIGABYTE)
    return control / "memory"


def test_version_1_without_a_limit(control_1: Path) -> None:
    """A limit of nearly 2**63 is none: what the machine has counts."""
    group_of_version_1(control_1 / "slurm/job_7", None, GIGABYTE)
    assert available_memory() == 64 * GIGABYTE
    assert memory_capacity() == total_memory()


def test_the_limit_of_version_1_counts(control_1: Path) -> None:
    """What is left of it; cached files of the group and of those beneath it can be dropped."""
    group_of_version_1(control_1 / "slurm/job_7", 8 * GIGABYTE, 6 * GIGABYTE, 5 * GIGABYTE)
    assert available_memory() == 7 * GIGABYTE
    assert memory_capacity() == 8 * GIGABYTE


def test_the_tightest_limit_of_version_1_counts(control_1: Path) -> None:
    """The user's group above the job's, unless that leaves the groups beneath it alone."""
    group_of_version_1(control_1 / "slurm/job_7", 8 * GIGABYTE, GIGABYTE)
    group_of_version_1(control_1 / "slurm", 4 * GIGABYTE, 3 * GIGABYTE)
    assert (available_memory(), memory_capacity()) == (GIGABYTE, 4 * GIGABYTE)
    group_of_version_1(control_1 / "slurm", 4 * GIGABYTE, 3 * GIGABYTE, hierarchy=False)
    assert (available_memory(), memory_capacity()) == (7 * GIGABYTE, 8 * GIGABYTE)


def test_a_limit_above_a_container_of_version_1_counts(control_1: Path) -> None:
    """A container sees its own group as the root; that of the pod above it stands in the statistics."""
    group_of_version_1(control_1, 9 * GIGABYTE, GIGABYTE, above=3 * GIGABYTE)
    assert not (control_1 / "slurm").exists()
    assert (available_memory(), memory_capacity()) == (2 * GIGABYTE, 3 * GIGABYTE)


def test_where_nobody_knows(control: Path) -> None:
    """Without /proc/meminfo, e.g. on macOS, nothing is claimed."""
    control.parent.joinpath("meminfo").unlink()
    assert available_memory() is None


def nvidia_smi(directory: Path, monkeypatch: pytest.MonkeyPatch, printed: str, status: int = 0) -> None:
    """Put a program of that name in the way that prints something."""
    program = directory / "nvidia-smi"
    program.write_text(f"#!{sys.executable}\nimport sys\nprint({printed!r})\nsys.exit({status})\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(directory))


LISTED = "GPU 0: NVIDIA H100 (UUID: GPU-1)\n  MIG 1g.10gb Device 0: (UUID: MIG-2)\nGPU 1: NVIDIA H100 (UUID: GPU-3)\n"


@pytest.mark.parametrize(
    ("printed", "status", "found"),
    [(LISTED, 0, ("0", "1")), ("No devices found", 0, ()), ("NVIDIA-SMI has failed", 9, ())],
)
def test_gpus_are_what_nvidia_smi_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, printed: str, status: int, found: tuple[str, ...]
) -> None:
    """Whole GPUs by number; none where the driver does not answer."""
    nvidia_smi(tmp_path, monkeypatch, printed, status)
    assert gpus() == found


@pytest.mark.parametrize(
    ("visible", "found"),
    [
        ("", ()),
        ("-1", ()),
        ("2", ("2",)),
        ("3, 1", ("3", "1")),
        ("GPU-8932f937-d72c,MIG-a1", ("GPU-8932f937-d72c", "MIG-a1")),
        ("0,-1,1", ("0",)),  # "only devices whose index precedes the invalid index are visible", says CUDA's guide
    ],
)
def test_cuda_visible_devices_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, visible: str, found: tuple[str, ...]
) -> None:
    """What the user, or a scheduler such as Slurm, has made visible is what there is."""
    nvidia_smi(tmp_path, monkeypatch, LISTED)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpus() == found


def test_device_class(monkeypatch: pytest.MonkeyPatch) -> None:
    """Left to itself it is a GPU where there is one; cuda without one is refused with the way out."""
    assert [device_class(one) for one in ("auto", "cpu")] == ["cpu", "cpu"]
    with pytest.raises(OmnibenchError, match=r"no NVIDIA GPU.*--omnirec-device=auto"):
        device_class("cuda")
    with pytest.raises(OmnibenchError, match=r"to be cuda-deterministic, but there is no NVIDIA GPU"):
        device_class("cuda-deterministic")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    gpus.cache_clear()
    assert [device_class(one) for one in ("auto", "cuda", "cpu")] == ["cuda", "cuda", "cpu"]
    assert device_class("cuda-deterministic") == "cuda-deterministic"


@given(
    st.lists(st.from_regex(r"[0-9]{1,2}|GPU-[a-f0-9]{4}", fullmatch=True), unique=True, max_size=8), st.integers(1, 32)
)
def test_gpus_are_dealt_out_evenly(names: list[str], workers: int) -> None:
    """Each worker has one of the visible GPUs, and no GPU has more than one worker more than another."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUDA_VISIBLE_DEVICES", ",".join(names))
        gpus.cache_clear()
        dealt = [dealt_gpu(f"gw{number}") for number in range(workers)]
        assert dealt_gpu("main") is None
    if not names:
        assert dealt == [None] * workers
        return
    assert set(dealt) <= set(names)
    held = [dealt.count(name) for name in names]
    assert max(held) - min(held) <= 1

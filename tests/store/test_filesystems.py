"""File systems: found in mountinfo, and refused when they are networks'."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from omnibench.errors import StoreError
from omnibench.store import CheckpointStore, filesystems
from omnibench.store.filesystems import file_system_of, refuse_networked


def mounted(tmp_path: Path, *mounts: tuple[str, str]) -> Path:
    """Write a mountinfo file of mount points, as the kernel escapes them, and types."""
    lines = [
        f"{number} 1 8:1 / {point} rw,relatime shared:1 master:2 - {kind} source rw"
        for number, (point, kind) in enumerate(mounts, start=20)
    ]
    (tmp_path / "mountinfo").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path / "mountinfo"


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/", "ext4"),
        ("/srv/checkpoints", "ext4"),
        ("/data", "xfs"),
        ("/data/checkpoints", "xfs"),
        ("/data/home/me", "nfs4"),
        ("/data/home/me/scratch/deep/er", "tmpfs"),
        ("/database", "ext4"),
        ("/data/home-of-others", "xfs"),
    ],
)
def test_the_innermost_mount_counts(place: str, kind: str, tmp_path: Path) -> None:
    """Whole names are compared, and the order of the lines does not matter for what is nested."""
    mounts = [
        ("/data/home/me/scratch", "tmpfs"),
        ("/", "ext4"),
        ("/data/home", "nfs4"),
        ("/data", "xfs"),
    ]
    assert file_system_of(Path(place), mounted(tmp_path, *mounts)) == kind
    assert file_system_of(Path(place), mounted(tmp_path, *mounts[::-1])) == kind


def test_the_last_mount_on_a_place_hides_the_others(tmp_path: Path) -> None:
    """Of several mounts on a place the last one counts, in the order in which the kernel lists them."""
    assert (
        file_system_of(Path("/data/x"), mounted(tmp_path, ("/", "ext4"), ("/data", "nfs"), ("/data", "xfs"))) == "xfs"
    )
    assert (
        file_system_of(Path("/data/x"), mounted(tmp_path, ("/", "ext4"), ("/data", "xfs"), ("/data", "nfs"))) == "nfs"
    )


@pytest.mark.parametrize(
    ("written", "point"),
    [
        (r"/my\040data", "/my data"),
        (r"/a\011b\012c", "/a\tb\nc"),
        (r"/back\134slash", "/back\\slash"),
        ("/日本", "/日本"),
    ],
)
def test_blanks_and_such_are_octal_numbers(written: str, point: str, tmp_path: Path) -> None:
    """A mount point with a blank in its name is found, as is what lies in it."""
    mounts = mounted(tmp_path, ("/", "ext4"), (written, "nfs4"))
    assert file_system_of(Path(point), mounts) == file_system_of(Path(point, "checkpoints"), mounts) == "nfs4"


def test_a_number_behind_an_escaped_backslash_is_no_number(tmp_path: Path) -> None:
    r"""A directory named `\040` is written `\134040`."""
    mounts = mounted(tmp_path, ("/", "ext4"), (r"/\134040", "nfs4"))
    assert file_system_of(Path("/\\040"), mounts) == "nfs4"


def test_optional_fields_and_foreign_lines_do_no_harm(tmp_path: Path) -> None:
    """There may be none of the former or several; a line without a dash is no mount."""
    text = "20 1 8:1 / / rw - ext4 /dev/sda rw\nnonsense\n\n21 1 8:1 / /d rw shared:1 master:2 unbindable - nfs4 x rw\n"
    (tmp_path / "mountinfo").write_text(text)
    assert file_system_of(Path("/d"), tmp_path / "mountinfo") == "nfs4"
    assert file_system_of(Path("/"), tmp_path / "mountinfo") == "ext4"


def test_a_link_is_followed_to_where_it_leads(tmp_path: Path) -> None:
    """Checkpoints behind a link to a network disk are on the network disk."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    mounts = mounted(tmp_path, ("/", "ext4"), (str((tmp_path / "disk").resolve()), "cifs"))
    assert file_system_of(tmp_path / "link" / "not" / "there", mounts) == "cifs"


def test_an_operating_system_that_does_not_tell_is_nothing(tmp_path: Path) -> None:
    """No such file: nothing is known, and nothing refused."""
    assert file_system_of(tmp_path, tmp_path / "missing") == ""
    (tmp_path / "mountinfo").write_text("")
    assert file_system_of(tmp_path, tmp_path / "mountinfo") == ""
    refuse_networked(tmp_path, tmp_path / "missing")


@pytest.mark.parametrize(
    "kind",
    [
        *(
            "nfs",
            "nfs4",
            "cifs",
            "smb3",
            "fuse.sshfs",
            "9p",
            "drvfs",
            "lustre",
            "beegfs",
            "gpfs",
            "ceph",
            "fuse.glusterfs",
        ),
        *("fuse.s3fs", "fuse.gcsfuse", "fuse.rclone", "vboxsf", "fuse.vmhgfs-fuse", "fuse.grpcfuse"),
    ],
)
def test_a_network_file_system_is_refused(kind: str, tmp_path: Path) -> None:
    """The error names the directory and the kind, and says both ways out."""
    mounts = mounted(tmp_path, ("/", "ext4"), ("/net", kind))
    with pytest.raises(StoreError) as refused:
        refuse_networked(Path("/net/me/checkpoints"), mounts)
    for part in ("'/net/me/checkpoints'", f"({kind})", "--omnirec-checkpoint-dir", "--omnirec-allow-network-fs"):
        assert part in str(refused.value)


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs", "overlay", "zfs", "fuse.mergerfs"])
def test_a_local_disk_under_a_network_root_is_accepted(kind: str, tmp_path: Path) -> None:
    """Diskless machines have an NFS root and a disk of their own."""
    refuse_networked(Path("/local/checkpoints"), mounted(tmp_path, ("/", "nfs4"), ("/local", kind)))


def test_an_overlay_is_what_takes_what_is_written(tmp_path: Path) -> None:
    """Where its upper layer can be seen, that counts; inside of a container it cannot, and an overlay is sound."""
    (tmp_path / "upper").mkdir()
    lines = [
        "20 1 8:1 / / rw - ext4 /dev/sda1 rw",
        f"21 20 8:2 / {tmp_path.resolve() / 'upper'} rw - {{}} source rw",
        f"22 20 0:40 / /merged rw - overlay overlay rw,lowerdir=/l,upperdir={tmp_path.resolve() / 'upper'},workdir=/w",
        "23 20 0:41 / /elsewhere rw - overlay overlay rw,lowerdir=/l,upperdir=/not/to/be/seen,workdir=/w",
    ]
    (tmp_path / "mountinfo").write_text("\n".join(lines).format("9p"))
    assert file_system_of(Path("/merged/checkpoints"), tmp_path / "mountinfo") == "9p"
    with pytest.raises(StoreError, match="9p"):
        refuse_networked(Path("/merged/checkpoints"), tmp_path / "mountinfo")
    assert file_system_of(Path("/elsewhere/checkpoints"), tmp_path / "mountinfo") == "overlay"
    refuse_networked(Path("/elsewhere/checkpoints"), tmp_path / "mountinfo")


def test_a_store_on_a_network_file_system_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written there, unless it was insisted on."""
    mounts = mounted(tmp_path, ("/", "nfs4"))
    monkeypatch.setattr(refuse_networked, "__defaults__", (mounts,))
    with pytest.raises(StoreError, match=r"network file system \(nfs4\)"):
        CheckpointStore(tmp_path / "checkpoints")
    assert not (tmp_path / "checkpoints").exists()
    CheckpointStore(tmp_path / "checkpoints", allow_network_fs=True).close()
    assert (tmp_path / "checkpoints" / "STORE.json").exists()


@pytest.mark.skipif(not filesystems.MOUNTS.exists(), reason="only Linux tells")
def test_what_is_found_is_what_the_system_says(tmp_path: Path) -> None:
    """The real file, compared with `df`."""
    told = subprocess.run(["df", "--output=fstype", os.fspath(tmp_path)], capture_output=True, text=True, check=True)
    assert file_system_of(tmp_path / "not" / "there") == told.stdout.split()[-1]

"""Published items in a data set of Hugging Face: read as fsspec has it, and written as a single commit.

The hub's own file system makes a commit of each file, and takes some hundreds of them in an hour.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from omnibench.errors import SharingError
from omnibench.masking import masked
from omnibench.sharing.filesystems import FsspecLocation

HUB = "hf://datasets/"
"""How addresses of data sets of the hub begin; its buckets have no commits, and are written as fsspec does."""


class HubLocation(FsspecLocation):
    """A data set of Hugging Face.

    Args:
        address: Its address, ``hf://datasets/OWNER/NAME[@REVISION][/PATH]``.

    Raises:
        SharingError: fsspec or huggingface_hub is not installed, or the address is none.
    """

    _staged: Path | None = None

    @contextmanager
    def writing(self) -> Iterator[Path]:
        """Collect files, and commit them together at the end; of what is cut off before, nothing is published.

        Raises:
            SharingError: The hub does not take them.
        """
        with super().writing() as scratch:
            staged = scratch / "staged"
            staged.mkdir()
            self._staged = staged
            try:
                yield scratch
            finally:
                self._staged = None
            if any(staged.iterdir()):
                self._commit(staged)

    def _commit(self, directory: Path) -> None:
        try:
            from huggingface_hub import HfApi

            resolved = self._files.resolve_path(self._root)
            HfApi(endpoint=self._files.endpoint, token=self._files.token).upload_folder(
                repo_id=resolved.repo_id,
                repo_type=resolved.repo_type,
                revision=resolved.revision,
                path_in_repo=resolved.path_in_repo or None,
                folder_path=directory,
                commit_message="Publish results of omnibench",
            )
        except Exception as error:  # whatever the hub's client raises
            raise SharingError(
                f"{self.name} does not take a commit ({type(error).__name__}: {masked(str(error))}). The data set has to be there "
                "before, and HF_TOKEN, or `hf auth login`, has to allow writing."
            ) from error
        self._files.invalidate_cache()

    def has(self, path: str) -> bool:
        """Whether a file is there, or will be."""
        return (self._staged is not None and (self._staged / path).exists()) or super().has(path)

    def write(self, path: str, content: bytes) -> None:
        """Add a file to the commit."""
        self._stage(path).write_bytes(content)

    def put(self, path: str, source: Path) -> None:
        """Add a file to the commit; see ``Location.put``."""
        source.replace(self._stage(path))

    def _stage(self, path: str) -> Path:
        assert self._staged is not None, "files are written within `writing`"
        staged = self._staged / path
        staged.parent.mkdir(parents=True, exist_ok=True)
        return staged

"""Where a run computes: the text of ``--omnirec-cluster``, read and checked before anything is connected."""

from __future__ import annotations

import ipaddress
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omnibench.errors import ClusterError
from omnibench.paths import expanded

LOCAL, SLURM, ADDRESS, FILE = "local", "slurm", "address", "file"
_SPELLINGS = "local, local:N, slurm, slurm:N, tcp://HOST:PORT, tls://HOST:PORT, or file:/shared/scheduler.json"
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class ClusterChoice:
    """Where a run computes.

    Attributes:
        scheduler: ``local``, ``slurm``, ``address`` or ``file``.
        number: The workers of ``local`` or the jobs of ``slurm``; 0 where the text does not say.
        target: The scheduler's address, or the path of its file.
    """

    scheduler: str
    number: int = 0
    target: str = ""

    @classmethod
    def parse(cls, text: str) -> ClusterChoice:
        """Read the text of the option.

        Raises:
            ClusterError: It is none of the spellings, or an address that is not encrypted and not of this machine.
        """
        scheduled = re.fullmatch(r"(local|slurm)(?::(\d{1,5}))?", text)
        if scheduled:
            number = int(scheduled[2]) if scheduled[2] else 0
            if scheduled[2] and not 1 <= number <= _MOST:
                raise ClusterError(f"the cluster is {text!r}; the number is one of workers, from 1 to {_MOST}.")
            return cls(scheduled[1], number)
        if re.fullmatch(r"(tcp|tls)://(\[[^\]/]+\]|[^:/]+):\d{1,5}", text):
            choice = cls(ADDRESS, target=text)
            choice.address()  # now, before anything is reset or computed
            return choice
        if text.startswith("file:") and text != "file:":
            return cls(FILE, target=str(expanded(text.removeprefix("file:"))))
        raise ClusterError(f"the cluster is {text!r}; give {_SPELLINGS}.")

    @property
    def is_this_machine(self) -> bool:
        """Whether what computes is this machine for sure."""
        return self.scheduler == LOCAL

    @property
    def has_own_workers(self) -> bool:
        """Whether a run starts its workers itself."""
        return self.scheduler not in (ADDRESS, FILE)

    def address(self) -> str:
        """Return the address of a scheduler that runs already.

        Raises:
            ClusterError: Its file cannot be read, or it is not encrypted and not of this machine.
        """
        address = self.target if self.scheduler == ADDRESS else _address_in(Path(self.target))
        if address.startswith("tcp://") and not _is_loopback(address):
            raise ClusterError(
                f"{address} is not encrypted: whoever reaches that port runs code as you. Start scheduler and workers with "
                "TLS (`python -m omnibench.cluster.credentials DIR` makes what they need) and give tls://HOST:PORT."
            )
        return address


def _address_in(path: Path) -> str:
    try:
        described: Any = json.loads(path.read_text(encoding="utf-8"))
        return str(described["address"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ClusterError(
            f"{path} is no scheduler file ({error}); `dask scheduler --scheduler-file {path}` writes one."
        ) from error


def _is_loopback(address: str) -> bool:
    host = address.partition("://")[2].rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        return False

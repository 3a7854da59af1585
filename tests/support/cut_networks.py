"""Machines of a network that are cut off from it: network namespaces of this machine, joined by a bridge."""

from __future__ import annotations

import shutil
import subprocess
import uuid
from contextlib import ExitStack
from typing import Self

_NETWORK = "10.213.7"


def can_be_made() -> bool:
    """Whether this process may make networks."""
    if shutil.which("ip") is None:
        return False
    name = f"omni{uuid.uuid4().hex[:6]}"
    made = subprocess.run(["ip", "link", "add", name, "type", "bridge"], capture_output=True, check=False)
    if made.returncode == 0:
        _ip("link", "del", name)
    return made.returncode == 0


class Network:
    """A network of this machine, whose address is ``host``, with others that join it. Use it as a context manager.

    Attributes:
        host: The address of this machine in it.
    """

    def __init__(self) -> None:
        self.host = f"{_NETWORK}.1"
        self._stack = ExitStack()
        self._digits = uuid.uuid4().hex[:4]
        self._bridge = f"omni{self._digits}"
        self._n_joined = 0

    def __enter__(self) -> Self:
        _ip("link", "add", self._bridge, "type", "bridge")
        self._stack.callback(_ip, "link", "del", self._bridge)
        _ip("addr", "add", f"{self.host}/24", "dev", self._bridge)
        _ip("link", "set", self._bridge, "up")
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def join(self) -> Machine:
        """Have another machine join the network."""
        self._n_joined += 1
        name, port = f"omni{self._digits}-{self._n_joined}", f"om{self._digits}p{self._n_joined}"
        _ip("netns", "add", name)
        self._stack.callback(_ip, "netns", "del", name)
        _ip("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("link", "set", port, "master", self._bridge, "up")
        address = f"{_NETWORK}.{self._n_joined + 1}"
        _ip("-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
        for interface in ("eth0", "lo"):
            _ip("-n", name, "link", "set", interface, "up")
        return Machine(name, port, address)


class Machine:
    """A machine of a network.

    Args:
        name: Its network namespace.
        port: The bridge's port that leads to it.
        address: Its address.

    Attributes:
        address: The same.
        prefix: What comes before a command that runs there.
    """

    def __init__(self, name: str, port: str, address: str) -> None:
        self._port, self.address = port, address
        self.prefix = ["ip", "netns", "exec", name]

    def cut(self) -> None:
        """Have everything that goes to it or comes from it be lost, without a word to either side."""
        _ip("link", "set", self._port, "down")

    def heal(self) -> None:
        """End the cut."""
        _ip("link", "set", self._port, "up")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)

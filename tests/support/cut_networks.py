"""Machines of a network that are cut off from it: network namespaces of this machine, joined by a bridge."""

from __future__ import annotations

import shutil
import subprocess
import uuid
from contextlib import ExitStack
from typing import Self

_NUMBERS = range(1, 255)
"""Networks 10.213.N.0/24 of which each is of a test: two bridges with addresses of the same network are a shared one to routes."""


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
    """A network of this machine, with others that join it. Use it as a context manager."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._number, self._bridge = 0, ""
        self._n_joined = 0

    @property
    def host(self) -> str:
        """The address of this machine in the network."""
        return self._address(1)

    def __enter__(self) -> Self:
        self._number = _claimed_number()
        self._bridge = _bridge(self._number)
        self._stack.callback(_ip, "link", "del", self._bridge)
        _ip("addr", "add", f"{self.host}/24", "dev", self._bridge)
        _ip("link", "set", self._bridge, "up")
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def join(self) -> Machine:
        """Have another machine join the network."""
        self._n_joined += 1
        name, port = f"{self._bridge}-{self._n_joined}", f"{self._bridge}p{self._n_joined}"
        _ip("netns", "add", name)
        self._stack.callback(_ip, "netns", "del", name)
        _ip("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("link", "set", port, "master", self._bridge, "up")
        address = self._address(self._n_joined + 1)
        _ip("-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
        for interface in ("eth0", "lo"):
            _ip("-n", name, "link", "set", interface, "up")
        return Machine(name, port, address)

    def _address(self, host_number: int) -> str:
        return f"10.213.{self._number}.{host_number}"


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


def _bridge(number: int) -> str:
    return f"omninet{number}"


def _claimed_number() -> int:
    """Make the bridge of a network that nobody else has: of a name there is only one."""
    for number in _NUMBERS:
        command = ["ip", "link", "add", _bridge(number), "type", "bridge"]
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            return number
    raise AssertionError("no network is free; bridges of tests that were killed are named omninet1, omninet2, ...")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)

"""Which tests start an inner run of pytest or a guest: marked by the fixtures they request, checked by what they start."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest

Function = TypeVar("Function", bound=Callable[..., Any])

INNER_FIXTURES = {"pytester"}
"""Who requests one of these, directly or through others, starts an inner run of pytest."""


def starts_guests(function: Function) -> Function:
    """Declare that a fixture starts a guest: every test that requests it, directly or through others, is marked."""
    function.starts_guests = True  # type: ignore[attr-defined]
    return function


def made_once(function: Function) -> Function:
    """Declare that what a fixture makes takes long: one worker of xdist runs all tests that request it."""
    function.made_once = True  # type: ignore[attr-defined]
    return function


def _functions(item: pytest.Item) -> Iterator[Callable[..., Any]]:
    """Yield the functions of all fixtures that a test requests, directly or through others."""
    definitions = getattr(item, "_fixtureinfo", None)
    for overriding in definitions.name2fixturedefs.values() if definitions is not None else ():
        for definition in overriding:
            yield definition.func


def mark(item: pytest.Item) -> None:
    """Mark a test by the fixtures that it requests, and keep tests together that share what takes long to make."""
    fixtures = set(getattr(item, "fixturenames", ()))
    if fixtures & INNER_FIXTURES:
        item.add_marker(pytest.mark.inner)
    functions = list(_functions(item))
    if any(getattr(function, "starts_guests", False) for function in functions):
        item.add_marker(pytest.mark.guests)
    shared = sorted(
        f"{function.__module__}.{function.__name__}" for function in functions if getattr(function, "made_once", False)
    )
    if shared or item.get_closest_marker("guests") is not None:
        item.add_marker(pytest.mark.xdist_group(shared[0] if shared else item.path.stem))


def name_group(item: pytest.Item) -> None:
    """Add the group of a test to its node id, by which a worker of xdist says it to the scheduler of ``--dist=loadgroup``.

    xdist 3.8 writes it where pytest 9.2 looks no more, and then ignores groups without a word
    (https://github.com/pytest-dev/pytest-xdist/issues/1386).
    """
    groups = sorted({str(marker.args[0]) for marker in item.iter_markers("xdist_group")})
    node_id = f"{item.nodeid}@{'_'.join(groups)}"
    if groups and not item.nodeid.endswith(f"@{'_'.join(groups)}"):
        item._id = type(item._id).parse(node_id)


class StartedProcesses:
    """Notes which processes a test starts, so that one without the right marker fails.

    Processes that its children start are not seen.
    """

    def __init__(self) -> None:
        from omnibench.runners.gateway import GUEST_MARK

        self._guest_mark = GUEST_MARK
        self._markers: list[str] = []

    def listen(self) -> None:
        """Begin to notice; Python offers no way to end it."""
        sys.addaudithook(self.notice)

    def notice(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Note what a command starts that is about to be executed."""
        if event == "subprocess.Popen":
            command = arguments[1]
            text = command if isinstance(command, str) else " ".join(map(str, command))
            if self._guest_mark in text:
                self._markers.append("guests")
            elif any(word in {"pytest", "-mpytest"} or word.endswith("/pytest") for word in text.split()):
                self._markers.append("inner")

    def check(self, item: pytest.Item) -> None:
        """Fail when a test has started what its markers do not say; a guest of an inner run needs no marker of its own."""
        started, self._markers = self._markers, []
        markers = {marker.name for marker in item.iter_markers()}
        for name in set(started) - markers:
            if name == "inner" or "inner" not in markers:
                pytest.fail(
                    f"it starts a process that needs @pytest.mark.{name}, or @starts_guests on its fixture",
                    pytrace=False,
                )

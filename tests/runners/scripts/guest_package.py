"""Opens omnibench's adapter inside a framework's environment, where omnibench is not installed."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Any


def import_guest(directory: str, module: str) -> Any:
    """Import the guest package from its directory, and return one of its modules."""
    path = f"{directory}/__init__.py"
    spec = importlib.util.spec_from_file_location("guest", path, submodule_search_locations=[directory])
    assert spec is not None
    assert spec.loader is not None
    sys.modules["guest"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["guest"])
    return importlib.import_module(f"guest.{module}")


def open_session(directory: str, module: str) -> Any:
    """Import the guest package from its directory and return a session with the framework's adapter."""
    base = import_guest(directory, "base")
    return base.Session(importlib.import_module(f"guest.{module}"), lambda _: None)


def asked(session: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Return a session's answer; end the process with the traceback of a failure."""
    answer: dict[str, Any] = session.answer(request)
    if not answer["ok"]:
        sys.exit(answer["traceback"])
    return answer
